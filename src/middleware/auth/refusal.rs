//! Refusals as responses.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};

use crate::authenticator::Authenticator;
use crate::rejection::Rejection;
use crate::response::{Alternatives, RequestFacts, render};

/// Logs a refusal for the operator and renders it for the client.
pub(super) fn refuse(
    rejection: &Rejection,
    auth: &Authenticator,
    facts: &RequestFacts,
) -> Response<Bytes> {
    let (reason, note) = (rejection.reason().code(), rejection.note());
    let request_id = &facts.request_id;
    if let Some(cause) = rejection.cause() {
        tracing::warn!(reason, %request_id, cause = cause.report(), "request refused: a backend is out of reach");
    } else if rejection.status().is_server_error() {
        tracing::error!(reason, %request_id, note, "request refused: internal failure");
    } else {
        tracing::debug!(reason, %request_id, note, "request refused");
    }
    let alternatives = Alternatives {
        basic: auth.basic_challenge(),
        dpop: auth.dpop_algorithms(),
    };
    render(rejection, auth.resource(), alternatives, facts)
}

/// A preflight asks about headers, never for data, and carries no credential (Fetch). It is
/// answered here rather than passed on, so that no inner service can be made to run by one. The
/// browser gets its permission from a CORS layer outside; without one it reports a CORS error.
pub(super) fn answer_preflight() -> Response<Bytes> {
    tracing::debug!(
        "a CORS preflight reached McpAuthLayer: put cors() outside it for browser clients"
    );
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let methods = [
        Method::GET,
        Method::POST,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
    ];
    let allow = methods.map(|method| method.to_string()).join(", ");
    if let Ok(allow) = HeaderValue::try_from(allow) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}
