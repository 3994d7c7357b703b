//! No layer: N of the table.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use tower::Service;

use super::inner;
use crate::case::Case;

/// The layer's name in the table.
pub const NAME: &str = "bare";

/// It lets everyone in; one row is enough, with the request as small as it gets.
#[must_use]
pub fn answer(case: Case) -> Option<StatusCode> {
    (case == Case::Missing).then_some(StatusCode::OK)
}

/// The bare service.
#[must_use]
pub fn service<R: Send + 'static>()
-> impl Service<Request<R>, Response = Response<Empty<Bytes>>, Error = Infallible, Future: Send>
+ Clone
+ Send {
    inner()
}
