//! A CORS layer set up for MCP clients in browsers.

use std::time::Duration;

use http::Method;
use http::header::{AUTHORIZATION, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::middleware::origin::is_listed_origin;
use crate::resource::Resource;

/// How long a browser may remember a preflight: two hours, the most that browsers grant.
const MAX_AGE: Duration = Duration::from_secs(7200);

/// A [`CorsLayer`] with which web pages of the resource's allowed origins can call it.
///
/// Put it *outside* authentication. It answers every `OPTIONS` request itself, so that no preflight
/// meets a 401, and adds its headers to refusals, without which a page could not read why it was
/// refused. It names `Authorization` beside `*`, which alone does not cover it (Fetch, "CORS
/// non-wildcard request-header name"), and lets any page read the resource's metadata document.
///
/// Cookies are not allowed (`Access-Control-Allow-Credentials` is absent): a credential travels in
/// `Authorization` alone.
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::Empty;
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// use tower_mcp_auth::{Issuer, OriginLayer, ProtectedResource};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let resource = ProtectedResource::new("https://mcp.example.com/mcp")
///     .issuer(Issuer::new("https://auth.example.com/t1"))
///     .allow_origin("https://ide.example")
///     .build()?;
/// let app = ServiceBuilder::new()
///     .layer(tower_mcp_auth::cors(&resource))
///     .layer(OriginLayer::new(resource))
///     .service(service_fn(|_: Request<Empty<Bytes>>| async {
///         Ok::<_, std::convert::Infallible>(Response::new(Empty::<Bytes>::new()))
///     }));
///
/// let preflight = Request::options("/mcp")
///     .header("origin", "https://ide.example")
///     .header("access-control-request-method", "POST")
///     .body(Empty::new())?;
/// let response = app.oneshot(preflight).await?;
/// assert_eq!(response.status(), 200);
/// assert_eq!(response.headers()["access-control-allow-headers"], "authorization,*");
/// # Ok(())
/// # }
/// ```
pub fn cors(resource: &Resource) -> CorsLayer {
    let resource = resource.clone();
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |origin, request| {
            is_metadata(&resource, request.uri.path()) || is_listed_origin(&resource, origin)
        }))
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::DELETE,
            Method::OPTIONS,
            Method::HEAD,
        ])
        .allow_headers([AUTHORIZATION, HeaderName::from_static("*")])
        .expose_headers([
            WWW_AUTHENTICATE,
            HeaderName::from_static("mcp-session-id"),
            HeaderName::from_static("dpop-nonce"),
            RETRY_AFTER,
            HeaderName::from_static("x-request-id"),
        ])
        .max_age(MAX_AGE)
}

/// The document is for everyone (PRM-19), also when this layer answers its preflight.
fn is_metadata(resource: &Resource, path: &str) -> bool {
    let own = resource.metadata_path();
    let own = own.split_once('?').map_or(own, |(path, _)| path);
    path == own || path == Resource::ROOT_METADATA_PATH
}
