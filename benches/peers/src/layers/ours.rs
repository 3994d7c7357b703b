//! This crate's layer.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Empty;
use tower::{Layer, Service};
use tower_mcp_auth::{Authenticator, Issuer, McpAuthLayer, ProtectedResource, SigningAlgorithm};

use super::inner;
use crate::Failure;
use crate::case::Case;
use crate::world::{RESOURCE, World};

/// With its defaults: verified tokens are remembered.
pub const NAME: &str = "ours";
/// With `verified_token_bytes(0)`: every token is verified every time.
pub const WITHOUT_CACHE: &str = "ours_without_cache";

/// Everything as it should be.
#[must_use]
pub fn answer(case: Case) -> Option<StatusCode> {
    Some(case.right_answer())
}

/// Without the cache only what the cache changes: first sights.
#[must_use]
pub fn answer_without_cache(case: Case) -> Option<StatusCode> {
    case.is_first_sight().then(|| case.right_answer())
}

/// An authenticator with the issuer's keys at hand.
///
/// # Errors
/// If the issuer does not answer, or the settings are refused.
pub async fn authenticator(world: &World, remember: bool) -> Result<Authenticator, Failure> {
    let issuer = Issuer::new(world.issuer().url()).algorithms([
        SigningAlgorithm::Rs256,
        SigningAlgorithm::Es256,
        SigningAlgorithm::EdDsa,
    ]);
    let builder = Authenticator::builder(ProtectedResource::new(RESOURCE).issuer(issuer))
        .fetch(world.issuer().fetch());
    let auth = if remember {
        builder
    } else {
        builder.verified_token_bytes(0)
    }
    .build()?;
    auth.warm_up(Duration::from_secs(5)).await?;
    Ok(auth)
}

/// The layer around the bare service.
#[must_use]
pub fn service<R>(
    auth: &Authenticator,
) -> impl Service<
    Request<R>,
    Response = Response<impl Answer + use<R>>,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send
+ use<R>
where
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<Failure>,
{
    McpAuthLayer::new(auth.clone()).layer(inner::<_, Empty<Bytes>>())
}

/// A body a server can send.
pub trait Answer: Body<Data = Bytes, Error: Into<Failure>> + Send + 'static {}

impl<B: Body<Data = Bytes, Error: Into<Failure>> + Send + 'static> Answer for B {}
