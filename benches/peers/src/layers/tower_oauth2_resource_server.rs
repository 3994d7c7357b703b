//! tower-oauth2-resource-server 0.12 on aws-lc-rs, with an in-memory key set: to a request that is
//! the same as one it fetches.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use tower::{Layer, Service};
use tower_oauth2_resource_server::server::OAuth2ResourceServer;
use tower_oauth2_resource_server::tenant::TenantConfiguration;
use tower_oauth2_resource_server::validation::ClaimsValidationSpec;

use super::inner;
use crate::Failure;
use crate::case::Case;
use crate::world::{RESOURCE, World};

/// The layer's name in the table.
pub const NAME: &str = "tower-oauth2-resource-server";

/// Everything as it should be.
#[must_use]
pub fn answer(case: Case) -> Option<StatusCode> {
    case.without_memory()
}

/// The layer around the bare service.
///
/// # Errors
/// If the settings are refused.
pub async fn service(
    world: &World,
) -> Result<
    impl Service<Request<Empty<Bytes>>, Response = Response<Empty<Bytes>>, Error = Infallible>
    + Clone
    + use<>,
    Failure,
> {
    let issuer = world.issuer();
    let kids = issuer.kids().into_iter();
    let keys: Vec<Value> = kids.map(|kid| issuer.public_jwk(&kid)).collect();
    // Its leeway is jsonwebtoken's 60 s, and it looks at no `typ`; neither can be set.
    let claims = ClaimsValidationSpec::new()
        .iss(issuer.url())
        .aud(&vec![RESOURCE.to_owned()])
        .exp(true);
    let tenant = TenantConfiguration::static_builder(json!({ "keys": keys }).to_string())
        .claims_validation(claims)
        .allowed_algorithms(&[Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA])
        .build()?;
    let server = <OAuth2ResourceServer>::builder().add_tenant(tenant);
    Ok(server.build().await?.into_layer().layer(inner()))
}
