//! Serves the protected resource metadata document (RFC 9728 §3), by which clients find the
//! authorization server.
//!
//! Not needed beside `McpAuthLayer`, which contains it; for a server whose metadata and endpoint
//! live in different places.
//!
//! ```
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Empty;
//! use bytes::Bytes;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_mcp_auth::{Issuer, ProtectedResource, ResourceMetadataLayer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let resource = ProtectedResource::new("https://mcp.example.com/mcp")
//!     .issuer(Issuer::new("https://auth.example.com/t1"))
//!     .build()?;
//! let app = ServiceBuilder::new()
//!     .layer(ResourceMetadataLayer::new([resource]))
//!     .service(service_fn(|_: Request<Empty<Bytes>>| async {
//!         Ok::<_, std::convert::Infallible>(Response::new(Empty::<Bytes>::new()))
//!     }));
//!
//! let request = Request::get("/.well-known/oauth-protected-resource/mcp").body(Empty::new())?;
//! let response = app.oneshot(request).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//! assert_eq!(response.headers()["content-type"], "application/json");
//! # Ok(())
//! # }
//! ```

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, LOCATION,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use tower_layer::Layer;
use tower_service::Service;

use super::origin::judge_host;
use super::respond::ResponseFuture;
use crate::resource::Resource;
use crate::response::ResponseBody;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// Answers requests for a metadata document, and redirects the slash twin of a resource (`/mcp/`
/// for `/mcp`) to it; `None` for all other requests.
///
/// Paths are compared byte for byte, as a router compares them: `%2F`, `//`, `..` or `;` make
/// another path, which is not public (T35). `Host` never shows in an answer (PRM-17); it only tells
/// apart resources of one path on several hosts.
pub(crate) fn answer(
    resources: &[Resource],
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Option<Response<Bytes>> {
    let for_host = |found: &dyn Fn(&Resource) -> bool| {
        let mut found = resources.iter().filter(|resource| found(resource));
        match (found.next(), found.next()) {
            (Some(only), None) => Some(only),
            (Some(first), Some(second)) => [first, second]
                .into_iter()
                .chain(found)
                .find(|resource| judge_host(resource, uri, headers).is_ok()),
            (None, _) => None,
        }
    };
    let whole = uri.path_and_query().map_or("", |whole| whole.as_str());
    if let Some(resource) = for_host(&|resource| resource.metadata_path() == whole)
        // A query means nothing where the identifier has none.
        .or_else(|| for_host(&|resource| resource.metadata_path() == uri.path()))
        .or_else(|| at_root(resources, uri))
    {
        return Some(document(resource, method));
    }
    let is_mounted = resources
        .iter()
        .any(|resource| resource.path() == uri.path());
    if is_mounted {
        return None;
    }
    for_host(&|resource| is_slash_twin(resource.path(), uri.path())).map(redirect)
}

/// Where clients look last (PRM-3). With several resources it would be a guess which is meant.
fn at_root<'r>(resources: &'r [Resource], uri: &Uri) -> Option<&'r Resource> {
    match resources {
        [only] if uri.path() == Resource::ROOT_METADATA_PATH => Some(only),
        _ => None,
    }
}

fn is_slash_twin(own: &str, requested: &str) -> bool {
    match own.strip_suffix('/') {
        Some("") => false,
        Some(bare) => bare == requested,
        None => requested.strip_suffix('/') == Some(own),
    }
}

fn document(resource: &Resource, method: &Method) -> Response<Bytes> {
    let document = resource.document();
    let mut response = Response::new(Bytes::new());
    let status = match *method {
        Method::GET => {
            *response.body_mut() = document.clone();
            StatusCode::OK
        }
        Method::HEAD => StatusCode::OK,
        Method::OPTIONS => StatusCode::NO_CONTENT,
        _ => StatusCode::METHOD_NOT_ALLOWED,
    };
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if status == StatusCode::OK {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(document.len()));
        headers.insert(
            CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=300"),
        );
    } else {
        headers.insert(ALLOW, METHODS);
    }
    if status == StatusCode::NO_CONTENT {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        // Clients send MCP-Protocol-Version here, some Authorization too, which `*` leaves out.
        headers.insert(
            ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("Authorization, *"),
        );
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("300"));
    }
    response
}

/// A strict client refuses a document for `/mcp` when it called `/mcp/` (RFC 9728 §3.3), so the
/// twin is not served but leads to the identifier; 308 keeps method and body.
fn redirect(resource: &Resource) -> Response<Bytes> {
    let location = if resource.identifier().is_ascii() {
        HeaderValue::from_str(resource.identifier())
    } else {
        // A Location is a URI; the metadata URL is the identifier percent-encoded, plus the
        // well-known string.
        let encoded = resource
            .metadata_url()
            .replacen(Resource::ROOT_METADATA_PATH, "", 1);
        HeaderValue::from_str(&encoded)
    };
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    if let Ok(location) = location {
        response.headers_mut().insert(LOCATION, location);
    }
    // Permanent for clients, yet a mistake in the identifier must not live on in caches.
    response.headers_mut().insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=300"),
    );
    response
}

/// Serves the metadata documents of the given resources, and passes on everything else.
///
/// - `GET` and `HEAD` of the metadata path: the document, readable from any web origin. `OPTIONS`:
///   204. Any other method: 405.
/// - `/.well-known/oauth-protected-resource` answers too when there is exactly one resource.
/// - The resource's path with a slash too many or too few: 308 to the identifier.
///
/// Paths are matched as the layer sees them: put it around the whole router, not inside a nested
/// one that strips a prefix.
#[derive(Clone, Debug)]
pub struct ResourceMetadataLayer {
    resources: Arc<[Resource]>,
}

impl ResourceMetadataLayer {
    /// A layer that serves the documents of these resources.
    pub fn new(resources: impl IntoIterator<Item = Resource>) -> Self {
        Self {
            resources: resources.into_iter().collect(),
        }
    }
}

impl<S> Layer<S> for ResourceMetadataLayer {
    type Service = ResourceMetadata<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ResourceMetadata {
            inner,
            resources: self.resources.clone(),
        }
    }
}

/// The service made by [`ResourceMetadataLayer`].
#[derive(Clone, Debug)]
pub struct ResourceMetadata<S> {
    inner: S,
    resources: Arc<[Resource]>,
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for ResourceMetadata<S>
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
        match answer(
            &self.resources,
            request.method(),
            request.uri(),
            request.headers(),
        ) {
            Some(response) => ResponseFuture::answered(response),
            None => ResponseFuture::inner(self.inner.call(request)),
        }
    }
}

#[cfg(test)]
mod tests;
