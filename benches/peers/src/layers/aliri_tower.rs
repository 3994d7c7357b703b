//! `aliri_tower` 0.6, keys fetched from loopback (it passes over those it cannot use).

use std::convert::Infallible;

use aliri::jwa::Algorithm;
use aliri::jwt::{Audience, CoreValidator, Issuer};
use aliri_oauth2::Authority;
use aliri_tower::Oauth2Authorizer;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use tower::{Layer, Service};

use super::{LEEWAY, inner};
use crate::Failure;
use crate::case::Case;
use crate::world::{RESOURCE, World};

/// The layer's name in the table.
pub const NAME: &str = "aliri_tower";

/// No `EdDSA`; ES256 with the feature `aliri-es256`, because that needs OpenSSL.
#[must_use]
pub fn answer(case: Case) -> Option<StatusCode> {
    match case {
        Case::EdDsa => None,
        Case::Es256 if !cfg!(feature = "aliri-es256") => None,
        other => other.without_memory(),
    }
}

/// The layer around the bare service.
///
/// # Errors
/// If the keys cannot be fetched.
pub async fn service(
    world: &World,
) -> Result<
    impl Service<Request<Empty<Bytes>>, Response = Response<Empty<Bytes>>, Error = Infallible>
    + Clone
    + use<>,
    Failure,
> {
    // It looks at no `typ`, and at `nbf` only if every token must have one.
    let rules = CoreValidator::default()
        .add_approved_algorithm(Algorithm::RS256)
        .add_allowed_audience(Audience::from_static(RESOURCE))
        .require_issuer(Issuer::new(world.issuer().url().into()))
        .check_expiration()
        .with_leeway_secs(LEEWAY);
    #[cfg(feature = "aliri-es256")]
    let rules = rules.add_approved_algorithm(Algorithm::ES256);
    let authority = Authority::new_from_url(world.jwks_url(), rules).await?;
    let authorizer = Oauth2Authorizer::new().with_terse_error_handler::<Empty<Bytes>>();
    Ok(authorizer.jwt_layer(authority).layer(inner()))
}
