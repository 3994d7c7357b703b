//! oauth-resource-server 0.4: its `HttpAuthLayer`, keys fetched from loopback.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use oauth_resource_server::http_layer::HttpAuthLayer;
use oauth_resource_server::{KeyNaming, OAuthConfig, OAuthValidator};
use tower::{Layer, Service};

use super::{LEEWAY, inner};
use crate::Failure;
use crate::case::Case;
use crate::world::{RESOURCE, World};

/// The layer's name in the table.
pub const NAME: &str = "oauth-resource-server";

/// Everything as it should be.
#[must_use]
pub fn answer(case: Case) -> Option<StatusCode> {
    case.without_memory()
}

/// The layer around the bare service.
///
/// # Errors
/// If the settings are refused, or the keys cannot be fetched.
pub async fn service(
    world: &World,
) -> Result<
    impl Service<Request<Empty<Bytes>>, Response = Response<Empty<Bytes>>, Error = Infallible>
    + Clone
    + use<>,
    Failure,
> {
    let settings = OAuthConfig {
        enabled: true,
        issuer: world.issuer().url().into(),
        jwks_uri: Some(world.jwks_url()),
        audience: RESOURCE.into(),
        resource: RESOURCE.into(),
        algorithms: ["RS256", "ES256", "EdDSA"].map(String::from).into(),
        leeway_secs: LEEWAY,
        require_at_jwt: true,
        ..OAuthConfig::default()
    };
    let settings = settings.resolve(KeyNaming::Dotted("oauth"))?;
    let validator = OAuthValidator::new(&settings.ok_or("switched off")?)?;
    validator.refresh_now().await?;
    let layer = HttpAuthLayer::builder()
        .oauth(Arc::new(validator))
        .build()?;
    Ok(layer.layer(inner()))
}
