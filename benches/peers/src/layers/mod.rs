//! One module for each layer, all of the same form: `NAME`, what it answers (`None` for what it
//! cannot do), and `service`, which puts it around the bare service.

use std::convert::Infallible;
use std::future::{Ready, ready};

use http::{Request, Response};
use tower::service_fn;
use tower::util::ServiceFn;

pub mod aliri_tower;
pub mod axum_jwks;
pub mod bare;
pub mod by_hand;
pub mod jwt_authorizer;
pub mod oauth_resource_server;
pub mod ours;
pub mod tower_oauth2_resource_server;

/// How long after `exp` a token still passes, in seconds, everywhere.
pub const LEEWAY: u64 = 60;

type Inner<R, B> = ServiceFn<fn(Request<R>) -> Ready<Result<Response<B>, Infallible>>>;

/// What stands behind every layer: an empty 200. `B` is the body the layer wants to see.
fn inner<R, B: Default>() -> Inner<R, B> {
    service_fn(|_| ready(Ok(Response::new(B::default()))))
}
