//! How a transmitter is answered (RFC 8935 §2.2 to 2.4).

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

use crate::rejection::{Reason, Rejection};

/// What is said where nobody knows when it will be better.
const RETRY: Duration = Duration::from_secs(5);

pub(super) fn accepted() -> Response<Full<Bytes>> {
    empty(StatusCode::ACCEPTED)
}

pub(super) fn wrong_method() -> Response<Full<Bytes>> {
    let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("POST"));
    response
}

pub(super) fn internal() -> Response<Full<Bytes>> {
    empty(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Our outage: the token may be good and is to be sent again.
pub(super) fn unavailable(retry_after: Option<Duration>) -> Response<Full<Bytes>> {
    let mut response = empty(StatusCode::SERVICE_UNAVAILABLE);
    let seconds = retry_after.unwrap_or(RETRY).as_secs().max(1);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// A request that cannot be read as a token at all.
pub(super) fn unreadable(status: StatusCode, description: &str) -> Response<Full<Bytes>> {
    error(status, "invalid_request", description)
}

/// A token that is refused.
pub(super) fn refused(rejection: &Rejection) -> Response<Full<Bytes>> {
    let reason = rejection.reason();
    if reason.status() == StatusCode::SERVICE_UNAVAILABLE {
        return unavailable(rejection.retry_after());
    }
    let (code, description) = error_of(reason);
    error(StatusCode::BAD_REQUEST, code, description)
}

/// The codes of RFC 8935 §2.4.
fn error_of(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::UnknownIssuer => (
            "invalid_issuer",
            "The issuer is not a transmitter this server listens to.",
        ),
        Reason::WrongAudience => ("invalid_audience", "The token is for another receiver."),
        Reason::UnknownKey | Reason::AmbiguousKey => (
            "invalid_key",
            "The key is not one that the transmitter publishes.",
        ),
        Reason::AlgorithmNotAllowed | Reason::EmbeddedKey | Reason::Revoked => {
            ("invalid_key", "The key or its algorithm is not accepted.")
        }
        Reason::BadSignature => (
            "authentication_failed",
            "The signature is not the transmitter's.",
        ),
        Reason::WrongTokenType => (
            "invalid_request",
            "The token is not a security event token: its typ is not secevent+jwt.",
        ),
        Reason::MissingClaim => ("invalid_request", "The token lacks a required claim."),
        Reason::MalformedClaim => (
            "invalid_request",
            "A claim, an event or its subject is not what it must be, or means nothing here.",
        ),
        Reason::Expired | Reason::NotYetValid | Reason::IssuedInFuture => (
            "invalid_request",
            "The token is too old, or from the future.",
        ),
        _ => ("invalid_request", "The body is not a signed token."),
    }
}

fn error(status: StatusCode, code: &str, description: &str) -> Response<Full<Bytes>> {
    let body = json!({"err": code, "description": description}).to_string();
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static("en"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
