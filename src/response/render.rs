//! [`Rejection`] to response, by the table in `rejection.rs`.

use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};

use super::facts::RequestFacts;
use crate::rejection::{Answer, ChallengeKind, Login, Prepared, Reason, Rejection};
use crate::resource::Resource;
use crate::scope::ScopeSet;
use crate::wire::challenge::BearerChallenge;
use crate::wire::correlation::X_REQUEST_ID;

/// When nothing better is known, a client tries again after this.
const DEFAULT_RETRY: Duration = Duration::from_secs(5);

/// The JSON-RPC error code of a request whose headers and body cannot be taken for one message
/// (MCP 2026-07-28, "Server Validation").
const HEADER_MISMATCH: i32 = -32020;

pub(super) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
pub(super) const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
pub(crate) const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
const GRPC_RETRY_PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// What else could be sent than a Bearer token.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Alternatives<'a> {
    /// A challenge for where the first one asks for a credential and says no more.
    pub(crate) basic: Option<&'a HeaderValue>,
    /// The algorithms of DPoP proofs, separated by spaces, where they are taken.
    pub(crate) dpop: Option<&'a str>,
}

/// The answer to a refused request. The rejection is in its extensions, so that an outer layer can
/// log it or render a body of its own.
pub(crate) fn render(
    rejection: &Rejection,
    resource: &Resource,
    alternatives: Alternatives<'_>,
    facts: &RequestFacts,
) -> Response<Bytes> {
    let answer = rejection.answer();
    let wait = retry_after(answer.status, rejection);
    let prepare = || prepare(&answer, rejection, resource, wait);
    let prepared = resource.answers().find(rejection, prepare);
    let mut response = if facts.grpc {
        grpc(&answer, rejection, wait)
    } else {
        let body = match prepared {
            Some(prepared) => prepared.body_to(&facts.request_id),
            None => body(&answer, rejection, resource, &facts.request_id, wait),
        };
        json(answer.status, body, facts.head)
    };
    let headers = response.headers_mut();
    let algorithms = alternatives.dpop;
    let lines = match (algorithms.filter(|_| facts.dpop), prepared) {
        (Some(algorithms), _) => tried_dpop(&answer, rejection, resource, algorithms),
        (None, Some(prepared)) => [prepared.challenge.clone(), None],
        (None, None) => [challenge(&answer, rejection, resource), None],
    };
    let [first, second] = lines;
    let offered = second.or_else(|| offer_dpop(&answer, resource, algorithms?));
    // After Bearer: MCP clients read the first line only (AUTH-3).
    let basic = alternatives.basic;
    let basic = basic.filter(|_| answer.challenge == ChallengeKind::Plain);
    for line in [first, offered, basic.cloned()].into_iter().flatten() {
        headers.append(WWW_AUTHENTICATE, line);
    }
    if let Some(nonce) = rejection.dpop_nonce() {
        headers.insert(DPOP_NONCE, nonce.clone());
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    insert_text(headers, X_REQUEST_ID, &facts.request_id);
    if let Some(seconds) = wait {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response.extensions_mut().insert(rejection.clone());
    response
}

/// Whole seconds, rounded up: a client that comes back too early is refused again.
fn retry_after(status: StatusCode, rejection: &Rejection) -> Option<u64> {
    matches!(
        status,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
    )
    .then(|| {
        let wait = rejection.retry_after().unwrap_or(DEFAULT_RETRY);
        let started = u64::from(wait.subsec_nanos() > 0);
        wait.as_secs().saturating_add(started).max(1)
    })
}

fn challenge(answer: &Answer, rejection: &Rejection, resource: &Resource) -> Option<HeaderValue> {
    with_challenge(answer, rejection, resource, |challenge| {
        challenge.to_header()
    })
}

/// To a client that sent its token with the scheme `DPoP`: what is wrong stands on the DPoP line
/// alone (DPOP-12), and the Bearer line says where the metadata is.
fn tried_dpop(
    answer: &Answer,
    rejection: &Rejection,
    resource: &Resource,
    algorithms: &str,
) -> [Option<HeaderValue>; 2] {
    let none = ScopeSet::empty();
    let bearer = BearerChallenge::bare(&none, resource.metadata_url());
    let dpop = with_challenge(answer, rejection, resource, |challenge| {
        challenge.to_dpop_header(algorithms)
    });
    [dpop.is_some().then(|| bearer.to_header()), dpop]
}

/// To every other client that could do with another credential: that there is DPoP.
fn offer_dpop(answer: &Answer, resource: &Resource, algorithms: &str) -> Option<HeaderValue> {
    let none = ScopeSet::empty();
    let asked =
        answer.status == StatusCode::UNAUTHORIZED && answer.challenge != ChallengeKind::None;
    asked.then(|| BearerChallenge::bare(&none, resource.metadata_url()).to_dpop_header(algorithms))
}

fn with_challenge<T>(
    answer: &Answer,
    rejection: &Rejection,
    resource: &Resource,
    write: impl FnOnce(BearerChallenge<'_>) -> T,
) -> Option<T> {
    let none = ScopeSet::empty();
    // Empty but for refusals about scopes: otherwise a new token of the scopes the client already
    // asked for will do (E2).
    let asked = rejection.challenge_scopes();
    let (error, scope) = match answer.challenge {
        ChallengeKind::None => return None,
        ChallengeKind::Plain if asked.is_empty() => (None, resource.baseline_scopes()),
        ChallengeKind::Plain => (None, asked),
        ChallengeKind::Described => (None, &none),
        ChallengeKind::Error(error) => (Some(error), asked),
    };
    let login = rejection.required_login();
    let acr_values = login.map(|login| login.acr_values().join(" "));
    let challenge = BearerChallenge {
        error,
        error_description: (answer.challenge != ChallengeKind::Plain).then(|| rejection.message()),
        scope,
        acr_values: acr_values.as_deref().filter(|values| !values.is_empty()),
        max_age: login.and_then(Login::max_age),
        resource_metadata: resource.metadata_url(),
    };
    Some(write(challenge))
}

/// The body of a refusal. Members without a value are left out.
#[derive(Serialize)]
struct Refusal<'a> {
    error: &'static str,
    message: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_metadata: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_methods: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    required_scopes: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing_scopes: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u64>,
    #[serde(flatten)]
    details: &'a Map<String, Value>,
}

/// What comes before the request id in every body.
const BEFORE_ID: &str = "\"request_id\":\"";

/// The answer to a rejection that says only why, but for the request id. `None` if a body is not made
/// as expected; then each is made from scratch.
fn prepare(
    answer: &Answer,
    rejection: &Rejection,
    resource: &Resource,
    wait: Option<u64>,
) -> Option<Prepared> {
    let whole = String::from_utf8(body(answer, rejection, resource, "", wait)).ok()?;
    let id = whole.find(BEFORE_ID)? + BEFORE_ID.len();
    let (before, after) = whole.split_at_checked(id)?;
    Some(Prepared {
        challenge: challenge(answer, rejection, resource),
        body: (before.into(), after.into()),
    })
}

impl Prepared {
    /// The id needs no escapes in JSON.
    fn body_to(&self, request_id: &str) -> Vec<u8> {
        let (before, after) = &self.body;
        [before, request_id, after].concat().into_bytes()
    }
}

fn body(
    answer: &Answer,
    rejection: &Rejection,
    resource: &Resource,
    request_id: &str,
    wait: Option<u64>,
) -> Vec<u8> {
    let no_credential = answer.challenge == ChallengeKind::Plain;
    // Whoever sent a wrong API token has chosen a method already.
    let unasked = no_credential && answer.error == "authentication_required";
    let scopes = !rejection.required_scopes().is_empty();
    let refusal = Refusal {
        error: answer.error,
        message: rejection.message(),
        request_id,
        resource_metadata: no_credential.then(|| resource.metadata_url()),
        allowed_methods: (unasked && !rejection.details().contains_key("allowed_methods"))
            .then_some(["oauth2"]),
        required_scopes: scopes.then(|| rejection.required_scopes().iter().collect()),
        missing_scopes: scopes.then(|| rejection.missing_scopes().iter().collect()),
        retry_after_seconds: wait,
        details: rejection.details(),
    };
    // Strings and numbers always serialize; should they not, the headers still say it all.
    let body = match rejection.reason() {
        Reason::MalformedMessage | Reason::HeaderMismatch => rpc_error(rejection, &refusal),
        _ => serde_json::to_vec(&refusal),
    };
    body.unwrap_or_default()
}

fn json(status: StatusCode, body: Vec<u8>, head: bool) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if head {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    } else {
        // Its length is left to the server: an outer layer may put another body here.
        *response.body_mut() = body.into();
    }
    response
}

/// A JSON-RPC error, by which MCP clients tell a server that speaks their protocol from one that
/// does not (MCP-1). The id is left out when the message could not be read (MCP-17).
fn rpc_error(rejection: &Rejection, refusal: &Refusal<'_>) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Answer<'a> {
        jsonrpc: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Value>,
        error: Error<'a>,
    }
    #[derive(Serialize)]
    struct Error<'a> {
        code: i32,
        message: &'a str,
        data: &'a Refusal<'a>,
    }
    let id = rejection.message_id().map(serde_json::from_str);
    serde_json::to_vec(&Answer {
        jsonrpc: "2.0",
        id: id.transpose()?,
        error: Error {
            code: HEADER_MISMATCH,
            message: rejection.message(),
            data: refusal,
        },
    })
}

/// A trailers-only response: HTTP 200, the status among the headers, no body
/// (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).
fn grpc(answer: &Answer, rejection: &Rejection, wait: Option<u64>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(
        GRPC_STATUS,
        HeaderValue::from(u16::from(answer.grpc.number())),
    );
    insert_text(headers, GRPC_MESSAGE, &percent_encoded(rejection.message()));
    if let Some(seconds) = wait {
        headers.insert(
            GRPC_RETRY_PUSHBACK,
            HeaderValue::from(seconds.saturating_mul(1000)),
        );
    }
    response
}

/// `grpc-message`: printable ASCII except `%` stands for itself.
pub(super) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'$' | b'&'..=b'~' => encoded.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

/// `text` is printable ASCII; were it not, the header would be left out.
pub(super) fn insert_text(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests;
