//! jwt-authorizer 0.15, keys fetched from loopback. Its answers need axum 0.7's body.

use std::convert::Infallible;

use axum_07::body::Body;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use jwt_authorizer::{Authorizer, IntoLayer, JwtAuthorizer, Validation};
use tower::{Layer, Service};

use super::{LEEWAY, inner};
use crate::Failure;
use crate::case::Case;
use crate::world::{RESOURCE, World};

/// The layer's name in the table.
pub const NAME: &str = "jwt-authorizer";

/// Everything as it should be.
#[must_use]
pub fn answer(case: Case) -> Option<StatusCode> {
    case.without_memory()
}

/// The layer around the bare service.
///
/// # Errors
/// If it cannot be built; it fetches the keys at the first token.
pub async fn service(
    world: &World,
) -> Result<
    impl Service<Request<Empty<Bytes>>, Response = Response<Body>, Error = Infallible> + Clone + use<>,
    Failure,
> {
    // No list of algorithms: with more than one family in it, the jsonwebtoken 9 below refuses every
    // token. Without, each key takes the one its JWK names. It looks at no `typ`.
    let rules = Validation::new()
        .iss(&[world.issuer().url()])
        .aud(&[RESOURCE])
        .exp(true)
        .nbf(true)
        .leeway(LEEWAY);
    let builder: JwtAuthorizer = JwtAuthorizer::from_jwks_url(&world.jwks_url());
    let authorizer: Authorizer = builder.validation(rules).build().await?;
    Ok(authorizer.into_layer().layer(inner()))
}
