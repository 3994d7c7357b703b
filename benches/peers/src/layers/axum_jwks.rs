//! axum-jwks 0.12: its extractor as a layer, without a router around it, which is the cheapest way
//! to use it. Keys from memory, because its key set must hold RSA keys alone.

use std::convert::Infallible;

use axum::body::Body;
use axum::middleware::from_extractor_with_state;
use axum_jwks::{Claims, Jwks, ParseTokenClaims, TokenError};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use serde::Deserialize;
use tower::{Layer, Service};

use super::inner;
use crate::Failure;
use crate::case::Case;
use crate::world::{RESOURCE, World};

/// The layer's name in the table.
pub const NAME: &str = "axum-jwks";

/// RSA only.
#[must_use]
pub fn answer(case: Case) -> Option<StatusCode> {
    match case {
        Case::Es256 | Case::EdDsa => None,
        other => other.without_memory(),
    }
}

/// What a handler behind it would read.
#[derive(Deserialize)]
#[expect(dead_code, reason = "read by handlers, of which there is none here")]
struct Wanted {
    sub: String,
    scope: Option<String>,
    client_id: Option<String>,
}

impl ParseTokenClaims for Wanted {
    type Rejection = TokenError;
}

/// The layer around the bare service.
///
/// # Errors
/// If the issuer's keys cannot be read.
pub fn service(
    world: &World,
) -> Result<
    impl Service<Request<Empty<Bytes>>, Response = Response<Body>, Error = Infallible> + Clone + use<>,
    Failure,
> {
    // It checks `aud` and `exp` (60 s of leeway), but neither `iss` nor `typ`: it cannot be told to.
    let set = serde_json::from_value(world.rsa_jwks())?;
    let keys = Jwks::from_jwk_set(set, Some(RESOURCE), None)?;
    let layer = from_extractor_with_state::<Claims<Wanted>, Jwks>(keys);
    Ok(layer.layer(inner::<_, Body>()))
}
