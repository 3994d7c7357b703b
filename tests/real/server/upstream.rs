//! Somebody else's server behind the layer: requests go there and answers come back as they are.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Router, http};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

#[derive(Clone)]
struct Upstream {
    client: Client<HttpConnector, Body>,
    url: Uri,
}

/// A router that hands `/mcp` on to `url`.
pub(crate) fn router(url: &str) -> Result<Router, http::Error> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let url = url.parse::<Uri>()?;
    let upstream = Upstream { client, url };
    Ok(Router::new()
        .route("/mcp", any(forward))
        .with_state(upstream))
}

async fn forward(State(upstream): State<Upstream>, mut request: Request) -> Response {
    *request.uri_mut() = upstream.url;
    match upstream.client.request(request).await {
        Ok(response) => response.map(Body::new),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

/// Adds a credential where there is none, for clients that cannot.
pub(crate) async fn sign(
    State(credential): State<HeaderValue>,
    mut request: Request,
    next: Next,
) -> Response {
    let headers = request.headers_mut();
    headers.entry(AUTHORIZATION).or_insert(credential);
    next.run(request).await
}
