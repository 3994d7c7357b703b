//! What can go wrong with an authorization server, on demand.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use serde_json::Value;

use super::answer;

/// The body of the test issuer's answers.
pub type TestBody = UnsyncBoxBody<Bytes, io::Error>;

/// The parts of the issuer that can fail on their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// All three places of the metadata document (RFC 8414 §3, OpenID Connect Discovery §4).
    Metadata,
    /// The key set (RFC 7517 §5).
    Jwks,
    /// The authorization endpoint with its consent page (RFC 6749 §3.1).
    Authorize,
    /// The token endpoint (RFC 6749 §3.2).
    Token,
    /// Dynamic client registration (RFC 7591 §3).
    Register,
    /// The introspection endpoint (RFC 7662 §2).
    Introspect,
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: [Self; 6] = [
        Self::Metadata,
        Self::Jwks,
        Self::Authorize,
        Self::Token,
        Self::Register,
        Self::Introspect,
    ];
}

/// How an endpoint misbehaves. Requests are counted all the same.
///
/// "Healthy answer" below is what the endpoint would have said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The connection is closed without an answer; in process: an error.
    Refuse,
    /// No answer, ever.
    Hang,
    /// The healthy answer, this much later by tokio's clock.
    Slow(Duration),
    /// This status with a short JSON body. Not a valid status: 500.
    Status(u16),
    /// This status with a `Retry-After` header of this value (RFC 9110 §10.2.3).
    RetryAfter(u16, String),
    /// 200 with an HTML page, as a captive portal or a login wall answers.
    Html,
    /// Half of the healthy answer, announced in full by `Content-Length`; then the connection
    /// breaks.
    Truncated,
    /// Half of the healthy answer, announced and ended properly: broken JSON.
    Cut,
    /// The healthy answer one byte at a time, with this pause before each (tokio's clock).
    Drip(Duration),
    /// The healthy answer made longer by this many bytes of padding in a JSON member, streamed
    /// without a `Content-Length`. Valid JSON for whoever reads all of it.
    Huge(usize),
    /// 200 and `{"keys":[]}` from the key set, `{}` from everything else.
    Empty,
    /// 302 to this URL.
    Redirect(String),
    /// The healthy answer as `text/plain`.
    WrongType,
    /// The healthy answer under `Content-Encoding: gzip` (its bytes are not compressed).
    Compressed,
    /// Metadata whose `issuer` is another one (RFC 8414 §3.3). Elsewhere the healthy answer.
    WrongIssuer,
    /// 500 on the first, third, fifth request from now, the healthy answer on the others.
    Alternate,
}

/// The faults in force.
#[derive(Default)]
pub(super) struct FaultTable(HashMap<Endpoint, Active>);

struct Active {
    fault: Fault,
    requests: u64,
}

impl FaultTable {
    pub(super) fn set(&mut self, endpoint: Endpoint, fault: Fault) {
        self.0.insert(endpoint, Active { fault, requests: 0 });
    }

    pub(super) fn clear(&mut self, endpoint: Endpoint) {
        self.0.remove(&endpoint);
    }

    /// The fault for the request at hand, which is hereby counted.
    pub(super) fn next(&mut self, endpoint: Endpoint) -> Option<Fault> {
        let active = self.0.get_mut(&endpoint)?;
        active.requests += 1;
        match &active.fault {
            Fault::Alternate if active.requests % 2 == 1 => Some(Fault::Status(500)),
            Fault::Alternate => None,
            fault => Some(fault.clone()),
        }
    }
}

impl Fault {
    /// Answers in place of `endpoint`, whose healthy answer is asked for only if it is needed: a
    /// request that fails has no effect.
    ///
    /// # Errors
    /// If the connection is to be closed without an answer.
    pub(super) async fn answer(
        self,
        endpoint: Endpoint,
        healthy: impl FnOnce() -> Response<Bytes> + Send,
    ) -> io::Result<Response<TestBody>> {
        Ok(match self {
            Self::Refuse => return Err(io::ErrorKind::ConnectionReset.into()),
            Self::Hang => std::future::pending().await,
            Self::Slow(delay) => {
                tokio::time::sleep(delay).await;
                whole(healthy())
            }
            Self::Status(status) => whole(failure(status)),
            Self::RetryAfter(status, value) => {
                whole(with_header(failure(status), RETRY_AFTER, &value))
            }
            Self::Html => whole(answer::html(
                StatusCode::OK,
                "<!doctype html><title>Sign in</title><p>Please sign in to the network.</p>",
            )),
            Self::Empty if endpoint == Endpoint::Jwks => whole(json_text(r#"{"keys":[]}"#)),
            Self::Empty => whole(json_text("{}")),
            Self::Redirect(url) => {
                let mut redirect = Response::new(Bytes::new());
                *redirect.status_mut() = StatusCode::FOUND;
                whole(with_header(redirect, LOCATION, &url))
            }
            Self::WrongType => whole(with_header(healthy(), CONTENT_TYPE, "text/plain")),
            Self::Compressed => whole(with_header(healthy(), CONTENT_ENCODING, "gzip")),
            Self::WrongIssuer if endpoint == Endpoint::Metadata => whole(wrong_issuer(healthy())),
            Self::WrongIssuer | Self::Alternate => whole(healthy()),
            Self::Cut => whole(healthy().map(|body| body.slice(..body.len() / 2))),
            Self::Truncated => truncated(healthy()),
            Self::Drip(pause) => healthy().map(|body| drip(body, pause)),
            Self::Huge(padding) => healthy().map(|body| padded(&body, padding)),
        })
    }
}

/// The answer as it is, in one piece.
pub(super) fn whole(answer: Response<Bytes>) -> Response<TestBody> {
    answer.map(|body| {
        Full::new(body)
            .map_err(|never| match never {})
            .boxed_unsync()
    })
}

fn failure(status: u16) -> Response<Bytes> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json_text(r#"{"error":"temporarily_unavailable"}"#);
    *response.status_mut() = status;
    response
}

fn json_text(text: &'static str) -> Response<Bytes> {
    let response = Response::new(Bytes::from_static(text.as_bytes()));
    with_header(response, CONTENT_TYPE, "application/json")
}

/// Values a header cannot carry leave it empty, because a test's value must not end the server.
fn with_header(mut answer: Response<Bytes>, name: HeaderName, value: &str) -> Response<Bytes> {
    let value = HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""));
    answer.headers_mut().insert(name, value);
    answer
}

fn wrong_issuer(answer: Response<Bytes>) -> Response<Bytes> {
    answer.map(|body| {
        let Ok(Value::Object(mut metadata)) = serde_json::from_slice(&body) else {
            return body;
        };
        metadata.insert("issuer".into(), "https://wrong-issuer.example".into());
        Value::Object(metadata).to_string().into()
    })
}

fn truncated(answer: Response<Bytes>) -> Response<TestBody> {
    let (mut parts, body) = answer.into_parts();
    parts
        .headers
        .insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let half = body.slice(..body.len() / 2);
    let broken = async {
        // Lets the server send the half before it learns of the failure.
        tokio::task::yield_now().await;
        Err(io::ErrorKind::UnexpectedEof.into())
    };
    let chunks = stream::iter([Ok(half)]).chain(stream::once(broken));
    Response::from_parts(parts, streamed(chunks))
}

fn drip(body: Bytes, pause: Duration) -> TestBody {
    streamed(stream::unfold(body, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        // With no pause at all the bytes must still arrive one by one.
        tokio::task::yield_now().await;
        let byte = rest.split_to(1);
        Some((Ok(byte), rest))
    }))
}

fn padded(body: &Bytes, padding: usize) -> TestBody {
    const CHUNK: usize = 16 * 1024;
    let Some(members) = body.strip_suffix(b"}") else {
        return streamed(stream::iter([Ok(body.clone())]));
    };
    let comma = if members == b"{" { "" } else { "," };
    let head = [members, comma.as_bytes(), br#""padding":""#].concat();
    let filler = Bytes::from(vec![b'a'; CHUNK]);
    let chunks = std::iter::repeat_n(filler.clone(), padding / CHUNK)
        .chain([filler.slice(..padding % CHUNK), Bytes::from_static(b"\"}")]);
    streamed(stream::iter(
        std::iter::once(Bytes::from(head)).chain(chunks).map(Ok),
    ))
}

fn streamed(chunks: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> TestBody {
    StreamBody::new(chunks.map(|chunk| chunk.map(Frame::data))).boxed_unsync()
}
