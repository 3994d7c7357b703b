//! What is answered before any credential is looked at.

use bytes::Bytes;
use http::{Response, Uri};

use crate::authenticator::Head;
use crate::middleware::{metadata, origin};
use crate::rejection::Rejection;
use crate::resource::Resource;

/// An answer at the edge.
pub(super) enum Edge {
    /// The metadata, or the way to it.
    Document(Response<Bytes>),
    Preflight,
    Refused(Rejection),
}

/// The answer, if the request goes no further.
pub(super) fn judge(resource: &Resource, head: Head<'_>, uri: &Uri) -> Option<Edge> {
    let (method, headers) = (head.method, head.headers);
    let resources = std::slice::from_ref(resource);
    if let Some(document) = metadata::answer(resources, method, uri, headers) {
        return Some(Edge::Document(document));
    }
    if origin::is_preflight(method, headers) {
        return Some(Edge::Preflight);
    }
    let judged = origin::judge(resource, uri, headers);
    judged.err().map(Edge::Refused)
}
