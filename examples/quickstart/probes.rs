//! What a load balancer asks: outside the authentication, and without a name of anybody.

use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use tower_mcp_auth::Authenticator;
use tower_mcp_auth::authenticator::Health;

/// `/healthz` says whether a restart is not what is needed, `/readyz` whether requests should come
/// here.
pub(crate) fn probes(auth: &Authenticator) -> Router {
    let (live, ready) = (auth.clone(), auth.clone());
    Router::new()
        .route(
            "/healthz",
            get(async move || answer(&live, |health| health.live)),
        )
        .route(
            "/readyz",
            get(async move || answer(&ready, |health| health.ready)),
        )
}

fn answer(auth: &Authenticator, is_well: fn(&Health) -> bool) -> (StatusCode, Json<Health>) {
    let health = auth.health();
    let status = if is_well(&health) {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(health.outline()))
}
