//! How a refusal looks on the wire: one function from [`Rejection`](crate::Rejection) to response.

mod body;
mod event_ids;
mod facts;
mod render;
mod stream;

pub use body::ResponseBody;
pub(crate) use event_ids::EventIds;
pub(crate) use facts::{RequestFacts, RequestMarks};
pub(crate) use render::{Alternatives, DPOP_NONCE, render};
pub(crate) use stream::Framing;
