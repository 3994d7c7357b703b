//! Tool rules, a server behind them that keeps what it is given, and bodies of every kind: the
//! fixture of the tests about operations.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::iter;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt};
use tower_mcp_auth::audit::AuditRecord;
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::testing::{ManualClock, MemoryAudit, TestIssuer};
use tower_mcp_auth::tool::ToolRule;
use tower_mcp_auth::{AuthContext, Authenticator, Issuer, McpAuthLayer, ToolRules};

use crate::support::{Answer, I, NOW, R, described, post};

/// The version from which servers compare the mirrored headers with the body.
pub const MODERN: &str = "2026-07-28";
pub const LEGACY: &str = "2025-11-25";

/// The transport failed.
#[derive(Debug)]
pub struct Broken;

/// Any request body.
pub type Any = UnsyncBoxBody<Bytes, Broken>;

pub fn whole(text: impl Into<Bytes>) -> Any {
    Full::new(text.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// These frames one by one; `None` is where the transport fails.
pub fn frames(parts: impl IntoIterator<Item = Option<Frame<Bytes>>>) -> Any {
    let parts: Vec<_> = parts.into_iter().map(|part| part.ok_or(Broken)).collect();
    StreamBody::new(iter(parts)).boxed_unsync()
}

pub fn data(text: &'static str) -> Frame<Bytes> {
    Frame::data(Bytes::from_static(text.as_bytes()))
}

/// A body that must not be looked at.
struct Untouchable;

impl Body for Untouchable {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        panic!("the request body was read");
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(4)
    }
}

pub fn untouchable() -> Any {
    Untouchable.boxed_unsync()
}

/// A JSON-RPC request with id 7.
pub fn asks(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).to_string()
}

pub fn calls(tool: &str) -> String {
    asks("tools/call", &json!({"name": tool, "arguments": {}}))
}

/// A POST of JSON.
pub fn message() -> http::request::Builder {
    post().header("content-type", "application/json")
}

/// A POST whose headers say what its body asks for.
pub fn mirrored(method: &str, name: Option<&str>) -> http::request::Builder {
    let request = message()
        .header("mcp-protocol-version", MODERN)
        .header("mcp-method", method);
    match name {
        Some(name) => request.header("mcp-name", name),
        None => request,
    }
}

/// What everybody with `read:issues` may do, what they may not, and what needs nothing.
pub fn rules() -> ToolRules {
    ToolRules::new()
        .tool("getIssue", ["read:issues"])
        .tool("createIssue", ["write:issues"])
        .tool("whoami", ToolRule::always_on())
        .prompt("release-notes", ["read:issues"])
        .resource("file:///projects/**", ["read:issues"])
}

/// One call of the server behind.
#[derive(Clone, Debug)]
pub struct Seen {
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
    pub subject: Option<String>,
}

/// The server behind: keeps every request, and panics when called unready.
#[derive(Debug, Default)]
pub struct Server {
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Leaves the body as it is.
    pub blind: bool,
    ready: bool,
}

impl Server {
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn calls(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

impl Clone for Server {
    fn clone(&self) -> Self {
        Self {
            seen: self.seen.clone(),
            blind: self.blind,
            ready: false,
        }
    }
}

impl<B> Service<Request<B>> for Server
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::fmt::Debug,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called unready");
        let (seen, blind) = (self.seen.clone(), self.blind);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let auth = parts.extensions.get::<AuthContext>();
            let subject = auth.map(|auth| auth.principal().subject().to_string());
            let (mut bytes, mut trailers) = (Bytes::new(), None);
            if !blind {
                let size = body.size_hint();
                let read = body.collect().await.unwrap();
                trailers = read.trailers().cloned();
                bytes = read.to_bytes();
                let length = u64::try_from(bytes.len()).unwrap();
                assert!(size.exact().is_none_or(|exact| exact == length));
            }
            seen.lock().unwrap().push(Seen {
                headers: parts.headers,
                body: bytes,
                trailers,
                subject,
            });
            Ok(Response::new(Full::from("ran")))
        })
    }
}

/// An issuer, an authenticator with tool rules, and the server behind.
pub struct Ops {
    pub issuer: TestIssuer,
    pub clock: ManualClock,
    pub audit: MemoryAudit,
    pub auth: Authenticator,
    pub server: Server,
}

impl Ops {
    pub fn cold(rules: ToolRules) -> Self {
        Self::custom(rules, |builder| builder)
    }

    /// The same, keys at hand.
    pub async fn warm(rules: ToolRules) -> Self {
        Self::cold(rules).warmed().await
    }

    pub fn custom(
        rules: ToolRules,
        configure: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder,
    ) -> Self {
        let (clock, audit) = (ManualClock::at(NOW), MemoryAudit::new());
        let issuer = TestIssuer::builder()
            .url(I)
            .clock(clock.clone())
            .in_process();
        let builder = Authenticator::builder(described(Issuer::new(I)))
            .clock(clock.clone())
            .fetch(issuer.fetch())
            .audit(audit.clone())
            .tools(rules);
        Self {
            auth: configure(builder).build().unwrap(),
            issuer,
            clock,
            audit,
            server: Server::default(),
        }
    }

    pub async fn warmed(self) -> Self {
        self.auth.warm_up(Duration::from_secs(5)).await.unwrap();
        self
    }

    /// `Authorization` of somebody with these scopes.
    pub fn with(&self, scopes: &str) -> String {
        format!("Bearer {}", self.issuer.token(R).scope(scopes).sign())
    }

    /// Of somebody who may read.
    pub fn reader(&self) -> String {
        self.with("read:issues")
    }

    pub async fn send(&self, request: http::request::Builder, body: Any) -> Answer {
        send(&self.auth, self.server.clone(), request, body).await
    }

    /// The same as a reader.
    pub async fn read(&self, request: http::request::Builder, body: impl Into<Bytes>) -> Answer {
        let request = request.header("authorization", self.reader());
        self.send(request, whole(body)).await
    }

    /// The records since the last look.
    pub fn records(&self) -> Vec<AuditRecord> {
        self.audit.take()
    }
}

pub async fn send<S, B>(
    auth: &Authenticator,
    inner: S,
    request: http::request::Builder,
    body: Any,
) -> Answer
where
    S: Service<
            Request<tower_mcp_auth::middleware::RequestBody<Any>>,
            Response = Response<B>,
            Error = Infallible,
        > + Clone,
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    let service = McpAuthLayer::new(auth.clone()).layer(inner);
    let response = service.oneshot(request.body(body).unwrap()).await;
    Answer::read(response.unwrap()).await
}

/// Refused as a body or header that is no message, as JSON-RPC clients expect it. The id is JSON, or
/// nothing at all.
#[track_caller]
pub fn assert_rpc_error(answer: &Answer, code: &str, id: &str) {
    assert_eq!(answer.status, 400, "{:?}", answer.body);
    assert_eq!(answer.code(), code);
    assert_eq!(answer.header("www-authenticate"), None);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = answer.json();
    assert_eq!(body["jsonrpc"], "2.0");
    assert_eq!(body["error"]["code"], -32020);
    assert_eq!(body["error"]["data"]["error"], code);
    let id = (!id.is_empty()).then(|| serde_json::from_str::<Value>(id).unwrap());
    assert_eq!(body.get("id"), id.as_ref(), "{body}");
    assert!(body.get("result").is_none());
}
