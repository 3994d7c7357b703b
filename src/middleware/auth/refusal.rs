//! Refusals as responses.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body::Body;

use crate::authenticator::Current;
use crate::rejection::Rejection;
use crate::response::{Alternatives, RequestFacts, render};

/// Logs a refusal for the operator and renders it for the client.
pub(super) fn refuse(
    rejection: &Rejection,
    auth: &Current,
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

/// The answer to a request whose body nobody reads.
///
/// On an HTTP/1.1 connection the next request begins where the body ends. So hyper closes the
/// connection if the body has not arrived by then, and says nothing. A client that sends head and body
/// apart and uses the connection again, for the login, would meet a closed one.
pub(super) fn without_body<B: Body>(
    answer: Response<Bytes>,
    request: &Request<B>,
) -> Response<Bytes> {
    if request.body().is_end_stream() {
        return answer;
    }
    closing(answer, request.version())
}

/// Says that the connection closes after this answer (RFC 9112 §9.6). Later protocols tell the
/// requests of a connection apart.
pub(super) fn closing(mut answer: Response<Bytes>, version: Version) -> Response<Bytes> {
    if version <= Version::HTTP_11 {
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(header::CONNECTION, close);
    }
    answer
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

#[cfg(test)]
mod tests {
    use http_body_util::{Empty, Full};

    use super::*;

    #[test]
    fn a_refusal_before_the_body_says_that_the_connection_closes() {
        let closes = |version, body: Full<Bytes>| {
            let request = Request::builder().version(version).body(body).unwrap();
            let answer = without_body(Response::new(Bytes::new()), &request);
            answer.headers().contains_key(header::CONNECTION)
        };
        let body = || Full::from("not read");
        assert!(closes(Version::HTTP_11, body()));
        assert!(closes(Version::HTTP_10, body()));
        assert!(!closes(Version::HTTP_2, body()));
        assert!(!closes(Version::HTTP_11, Full::default()));
        let without = Request::new(Empty::<Bytes>::new());
        let answer = without_body(Response::new(Bytes::new()), &without);
        assert!(answer.headers().is_empty());
    }
}
