//! Refuses web pages that have no business here: by `Origin`, and by `Host` against DNS rebinding
//! (MCP Streamable HTTP, "Security Warning").
//!
//! Not needed beside `McpAuthLayer`, which contains it; for endpoints without authentication on the
//! same server.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Empty;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_mcp_auth::{Issuer, OriginLayer, ProtectedResource};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let resource = ProtectedResource::new("https://mcp.example.com/mcp")
//!     .issuer(Issuer::new("https://auth.example.com/t1"))
//!     .allow_origin("https://ide.example")
//!     .build()?;
//! let app = ServiceBuilder::new()
//!     .layer(OriginLayer::new(resource))
//!     .service(service_fn(|_: Request<Empty<Bytes>>| async {
//!         Ok::<_, std::convert::Infallible>(Response::new(Empty::<Bytes>::new()))
//!     }));
//!
//! let request = Request::post("/mcp")
//!     .header("host", "mcp.example.com")
//!     .header("origin", "https://evil.test")
//!     .body(Empty::new())?;
//! assert_eq!(app.oneshot(request).await?.status(), StatusCode::FORBIDDEN);
//! # Ok(())
//! # }
//! ```

use std::task::{Context, Poll};

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use tower_layer::Layer;
use tower_service::Service;

use super::respond::ResponseFuture;
use crate::rejection::{Reason, Rejection};
use crate::resource::Resource;
use crate::response::{Alternatives, RequestFacts, ResponseBody, render};
use crate::wire::{Duplicate, only_line};

/// How much of a refused value is noted for the operator, in bytes.
const NOTED: usize = 100;

/// Judges `Origin` and `Host` (EDGE-1, T41). Before any credential: a page must not be able to tell
/// a good one from a bad one.
pub(crate) fn judge(resource: &Resource, uri: &Uri, headers: &HeaderMap) -> Result<(), Rejection> {
    judge_origin(resource, headers)?;
    judge_host(resource, uri, headers)
}

fn judge_origin(resource: &Resource, headers: &HeaderMap) -> Result<(), Rejection> {
    match only_line(headers, &ORIGIN) {
        Ok(None) => Ok(()),
        Ok(Some(origin)) if is_listed_origin(resource, origin) => Ok(()),
        Ok(Some(origin)) => Err(origin_refused(noted(origin.as_bytes()))),
        Err(Duplicate) => Err(origin_refused("more than one Origin line".to_owned())),
    }
}

fn origin_refused(note: String) -> Rejection {
    Rejection::new(Reason::OriginNotAllowed)
        .with_message(
            "Web pages of this origin may not call this server. Have the operator list the origin with allow_origin, or connect from outside a browser.",
        )
        .with_note(note)
}

/// Every host a request names, in its target and in `Host`, must be listed.
///
/// A request that names none is not refused: browsers, against whom this check stands, always name
/// one, and any other attacker can name the right one. Calls within a process often name none.
pub(super) fn judge_host(
    resource: &Resource,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), Rejection> {
    let Some(listed) = resource.allowed_hosts() else {
        return Ok(());
    };
    let line = only_line(headers, &HOST)
        .map_err(|Duplicate| host_refused(resource, "more than one Host line".to_owned()))?;
    let target = uri
        .authority()
        .map(|authority| authority.as_str().as_bytes());
    for host in target.into_iter().chain(line.map(HeaderValue::as_bytes)) {
        let is_listed = listed.iter().any(|known| {
            without_port(resource, known.as_bytes())
                .eq_ignore_ascii_case(without_port(resource, host))
        });
        if !is_listed {
            // A target may carry `user:password@`, which belongs into no log.
            let shown = host.rsplit(|byte| *byte == b'@').next().unwrap_or(host);
            return Err(host_refused(resource, noted(shown)));
        }
    }
    Ok(())
}

fn host_refused(resource: &Resource, note: String) -> Rejection {
    Rejection::new(Reason::HostNotAllowed)
        .with_message(format!(
            "This server does not answer to the host name of the request. Use {}, or have the operator list the host with allow_host.",
            resource.identifier()
        ))
        .with_note(note)
}

/// A host without the port that the resource's scheme implies.
fn without_port<'h>(resource: &Resource, host: &'h [u8]) -> &'h [u8] {
    let implied: &[u8] = if resource.is_https() { b":443" } else { b":80" };
    host.strip_suffix(implied).unwrap_or(host)
}

/// Whether `origin` is listed. Scheme and host are compared without regard to case, and the port
/// that the scheme implies may be written out; nothing else is lenient, least of all a suffix.
pub(crate) fn is_listed_origin(resource: &Resource, origin: &HeaderValue) -> bool {
    let origin = origin.as_bytes();
    let starts_with = |scheme: &[u8]| {
        origin
            .get(..scheme.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    };
    let implied: &[u8] = match () {
        () if starts_with(b"https://") => b":443",
        () if starts_with(b"http://") => b":80",
        () => b"",
    };
    let origin = origin.strip_suffix(implied).unwrap_or(origin);
    resource
        .allowed_origins()
        .iter()
        .any(|listed| listed.as_bytes().eq_ignore_ascii_case(origin))
}

/// The start of a stranger's text, fit for a log line.
fn noted(value: &[u8]) -> String {
    value
        .get(..NOTED)
        .unwrap_or(value)
        .escape_ascii()
        .to_string()
}

/// Whether the request is a CORS preflight (Fetch, "CORS-preflight request"), which carries no
/// credential and must not be asked for one (EDGE-2). Any other `OPTIONS` is a request like all.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Refuses with 403 every request whose `Origin` or `Host` the resource does not list.
///
/// - No `Origin`: not a web page of another origin; passes. `null` passes only if listed. Several
///   `Origin` lines: refused.
/// - `Host`, and `:authority` of HTTP/2: each that is present must be listed; several `Host` lines
///   are refused. A request with neither passes, since browsers always send one.
/// - A CORS preflight is judged like any request; that of a listed origin reaches the inner service.
///   The CORS layer belongs outside and answers preflights before.
///
/// `X-Forwarded-Host` and its like are never read.
#[derive(Clone, Debug)]
pub struct OriginLayer {
    resource: Resource,
}

impl OriginLayer {
    /// A layer with the lists of this resource.
    #[must_use]
    pub fn new(resource: Resource) -> Self {
        Self { resource }
    }
}

impl<S> Layer<S> for OriginLayer {
    type Service = Origin<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Origin {
            inner,
            resource: self.resource.clone(),
        }
    }
}

/// The service made by [`OriginLayer`].
#[derive(Clone, Debug)]
pub struct Origin<S> {
    inner: S,
    resource: Resource,
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for Origin<S>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
{
    type Response = Response<ResponseBody<ResB>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqB>) -> Self::Future {
        match judge(&self.resource, request.uri(), request.headers()) {
            Ok(()) => ResponseFuture::inner(self.inner.call(request)),
            Err(rejection) => {
                let facts = RequestFacts::of(request.method(), request.headers());
                ResponseFuture::answered(render(
                    &rejection,
                    &self.resource,
                    Alternatives::default(),
                    &facts,
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests;
