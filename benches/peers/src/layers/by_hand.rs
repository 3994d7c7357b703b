//! tower-http's `ValidateRequestHeaderLayer` around jsonwebtoken, as one writes it oneself.
//!
//! Checks all that this crate checks of a token: `typ`, `kid`, algorithm, signature, `iss`, `aud`,
//! `exp`, `nbf`. Keys and rules are made once. It has no key refresh at all.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::Empty;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use tower::{Layer, Service};
use tower_http::validate_request::ValidateRequestHeaderLayer;

use super::{LEEWAY, inner};
use crate::Failure;
use crate::case::Case;
use crate::world::{RESOURCE, World};

/// The layer's name in the table.
pub const NAME: &str = "tower_http_by_hand";

/// Everything as it should be.
#[must_use]
pub fn answer(case: Case) -> Option<StatusCode> {
    case.without_memory()
}

/// What a handler behind it would read.
#[derive(Clone, Deserialize)]
#[expect(dead_code, reason = "read by handlers, of which there is none here")]
struct Claims {
    sub: String,
    scope: Option<String>,
    client_id: Option<String>,
}

type Keys = HashMap<String, (DecodingKey, Validation)>;

fn keys(world: &World) -> Result<Keys, Failure> {
    let issuer = world.issuer();
    let mut keys = Keys::new();
    for kid in issuer.kids() {
        let jwk: Jwk = serde_json::from_value(issuer.public_jwk(&kid))?;
        let named = jwk.common.key_algorithm.ok_or("a key without alg")?;
        let mut rules = Validation::new(Algorithm::try_from(named)?);
        rules.set_issuer(&[issuer.url()]);
        rules.set_audience(&[RESOURCE]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        rules.validate_nbf = true;
        rules.leeway = LEEWAY;
        keys.insert(kid, (DecodingKey::from_jwk(&jwk)?, rules));
    }
    Ok(keys)
}

#[expect(clippy::disallowed_methods, reason = "as one writes it by hand")]
fn verify(keys: &Keys, headers: &HeaderMap) -> Option<Claims> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let token = value.strip_prefix("Bearer ")?;
    let header = decode_header(token).ok()?;
    if header.typ.as_deref() != Some("at+jwt") {
        return None;
    }
    let (key, rules) = keys.get(header.kid.as_deref()?)?;
    decode(token, key, rules).ok().map(|data| data.claims)
}

/// The layer around the bare service.
///
/// # Errors
/// If the issuer's keys cannot be read.
pub fn service<R: Send + 'static>(
    world: &World,
) -> Result<
    impl Service<Request<R>, Response = Response<Empty<Bytes>>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + use<R>,
    Failure,
> {
    let keys = Arc::new(keys(world)?);
    let validator = move |request: &mut Request<R>| {
        let Some(claims) = verify(&keys, request.headers()) else {
            let mut refusal = Response::new(Empty::new());
            *refusal.status_mut() = StatusCode::UNAUTHORIZED;
            return Err(refusal);
        };
        request.extensions_mut().insert(claims);
        Ok(())
    };
    Ok(ValidateRequestHeaderLayer::custom(validator).layer(inner()))
}
