//! What an attacker with a good credential tried, to do more with it than the rules give.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::poll;
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_mcp_auth::audit::{AuditEvent, AuditOutcome};
use tower_mcp_auth::clock::{Clock, UnixTime};
use tower_mcp_auth::middleware::{RequestBody, ResponseBody};
use tower_mcp_auth::testing::MemoryAudit;
use tower_mcp_auth::{
    AuthContext, AuthenticateLayer, AuthorizeToolLayer, McpAuthLayer, StepUp, ToolRules,
};

use crate::streams_support::fed;
use crate::support::{Answer, World, post};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wipe"}}"#;

fn rules() -> ToolRules {
    ToolRules::new()
        .tool("wipe", ["admin:all"])
        .tool("list", ["read:issues"])
        .resource("file:///public/**", ["read:issues"])
        .resource("file:///secret/**", ["admin:all"])
}

async fn world(rules: ToolRules, audit: &MemoryAudit) -> World {
    let configure = |builder: tower_mcp_auth::authenticator::AuthenticatorBuilder| {
        builder.tools(rules).audit(audit.clone())
    };
    World::cold().rebuilt(configure).warmed().await
}

/// A server that reads whatever body comes, by whatever method, and says what it read.
fn careless<B>() -> impl Service<
    Request<RequestBody<B>>,
    Response = Response<Full<Bytes>>,
    Error = Infallible,
    Future: Send,
> + Clone
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    service_fn(|request: Request<RequestBody<B>>| async {
        let read = request.into_body().collect().await.unwrap().to_bytes();
        Ok(Response::new(Full::new(read)))
    })
}

async fn sent<B>(world: &World, request: http::request::Builder, body: B) -> Answer
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let token = world.token().scope("read:issues").sign();
    let request = request.header("authorization", format!("Bearer {token}"));
    let service = McpAuthLayer::new(world.auth.clone()).layer(careless());
    let answer = service.oneshot(request.body(body).unwrap()).await;
    Answer::read(answer.unwrap()).await
}

fn asked_by(method: &str, kind: &str) -> http::request::Builder {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    post().method(method).header("content-type", kind)
}

fn in_pieces(pieces: &[&'static [u8]]) -> impl Body<Data = Bytes, Error = Infallible> + use<> {
    let frames: Vec<_> = pieces
        .iter()
        .map(|piece| Ok(Frame::data(Bytes::from_static(piece))))
        .collect();
    StreamBody::new(futures_util::stream::iter(frames))
}

/// Not every server looks at method and media type before it parses.
#[tokio::test]
async fn t36_a_message_in_another_kind_of_request_never_arrives() {
    let world = world(rules(), &MemoryAudit::new()).await;
    for (method, kind) in [
        ("POST", "image/png"),
        ("POST", "application/octet-stream"),
        ("PUT", "multipart/form-data; boundary=x"),
        ("PATCH", "application/grpc"),
        ("POST", "application/grpc-web+json"),
        ("GET", "application/json"),
        ("HEAD", "application/json"),
        ("DELETE", "application/json"),
        ("OPTIONS", "application/json"),
    ] {
        for begins in ["", " \r\n\t", "\u{feff}", "\u{feff} "] {
            for message in [CALL.to_owned(), format!("[{CALL}]")] {
                let body = format!("{begins}{message}");
                let answer = sent(&world, asked_by(method, kind), Full::from(body)).await;
                assert_eq!(answer.status, StatusCode::OK, "{method} {kind}");
                assert_eq!(answer.body, "", "{method} {kind} {begins:?}");
            }
        }
        let pieces = in_pieces(&[b"", b"\n ", CALL.as_bytes(), CALL.as_bytes()]);
        let answer = sent(&world, asked_by(method, kind), pieces).await;
        assert_eq!(answer.body, "\n ", "{method} {kind}");
    }
}

#[tokio::test]
async fn mcp_22_what_is_no_message_arrives_as_it_was_sent() {
    let world = world(rules(), &MemoryAudit::new()).await;
    for (kind, body) in [
        ("image/png", &b"\x89PNG\r\n\x1a\n{}"[..]),
        ("image/jpeg", b"\xff\xd8\xff\xe0{"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n{}\r\n--x--"),
        ("application/grpc", b"\0\0\0\0\x02{}"),
        ("application/octet-stream", b" \n x{"),
        ("application/octet-stream", b""),
    ] {
        let whole = sent(&world, asked_by("POST", kind), Full::from(body)).await;
        assert_eq!(whole.body, body, "{kind}");
        let frames: Vec<_> = body.chunks(1).collect();
        let pieces = sent(&world, asked_by("POST", kind), in_pieces(&frames)).await;
        assert_eq!(pieces.body, body, "{kind}");
    }
    // Without rules nothing is judged, and nothing is held back.
    let world = World::warm().await;
    let answer = sent(&world, asked_by("POST", "image/png"), Full::from(CALL)).await;
    assert_eq!(answer.body, CALL);
}

/// `+ACI-` is a quote in UTF-7, and plain letters to a reader of UTF-8.
#[tokio::test]
async fn t36_a_charset_that_is_not_utf_8_is_refused() {
    let world = world(rules(), &MemoryAudit::new()).await;
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list","x":"+ACI-,+ACI-name+ACI-:+ACI-wipe"}}"#;
    for kind in [
        "application/json; charset=utf-7",
        "application/json;CHARSET=\"UTF-7\"",
        "application/json; charset = utf-7",
        "application/json; charset*=utf-8''utf-7",
        "text/plain; a=b; charset=utf-16",
        "application/json; charset=",
        "application/json, text/plain; charset=utf-7",
    ] {
        let answer = sent(&world, asked_by("POST", kind), Full::from(body)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{kind}");
        assert_eq!(answer.code(), "malformed_message", "{kind}");
    }
    for kind in [
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"; a=b",
        "application/json",
    ] {
        let answer = sent(&world, asked_by("POST", kind), Full::from(body)).await;
        assert_eq!(answer.body, body, "{kind}");
    }
}

fn listen(notifications: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{{"notifications":{notifications}}}}}"#
    )
}

/// In MCP 2026-07-28 this is how resources are subscribed to, and `resources/subscribe` is not.
#[tokio::test]
async fn t36_to_listen_needs_the_rule_of_each_resource() {
    let world = world(rules(), &MemoryAudit::new()).await;
    for allowed in [
        "{}",
        "null",
        r#"{"toolsListChanged":true,"resourceSubscriptions":[]}"#,
        r#"{"resourceSubscriptions":null}"#,
        r#"{"resourceSubscriptions":["file:///public/a","file:///public/b"]}"#,
    ] {
        let answer = sent(&world, post(), Full::from(listen(allowed))).await;
        assert_eq!(answer.body, listen(allowed));
    }
    for (refused, code) in [
        (
            r#"{"resourceSubscriptions":["file:///public/a","file:///secret/a"]}"#,
            "insufficient_scope",
        ),
        (
            r#"{"resourceSubscr\u0069ptions":["file:///secret/a"]}"#,
            "insufficient_scope",
        ),
        (
            r#"{"resourceSubscriptions":["file:///elsewhere"]}"#,
            "operation_not_allowed",
        ),
        // Another reader's names for the same.
        (
            r#"{"ResourceSubscriptions":["file:///secret/a"]}"#,
            "malformed_message",
        ),
        (
            r#"[true,true,true,["file:///secret/a"]]"#,
            "malformed_message",
        ),
        (r#"{"resourceSubscriptions":{}}"#, "malformed_message"),
        (r#"{"resourceSubscriptions":[1]}"#, "malformed_message"),
    ] {
        let answer = sent(&world, post(), Full::from(listen(refused))).await;
        assert_eq!(answer.code(), code, "{refused}");
    }
    let many = vec![r#""file:///public/a""#; 1025].join(",");
    let many = listen(&format!(r#"{{"resourceSubscriptions":[{many}]}}"#));
    let answer = sent(&world, post(), Full::from(many)).await;
    assert_eq!(answer.code(), "malformed_message");
}

/// What servers need not compare with the body is no word to decide by.
#[tokio::test]
async fn mcp_03_trusted_headers_are_those_that_servers_compare() {
    let world = world(rules().trust_mirrored_headers(), &MemoryAudit::new()).await;
    let modern = |method: &str| {
        post()
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", method)
    };
    let subscribe = r#"{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"file:///secret/a"}}"#;
    let request = modern("resources/subscribe").header("mcp-name", "file:///public/a");
    let answer = sent(&world, request, Full::from(subscribe)).await;
    assert_eq!(answer.code(), "header_mismatch", "{answer:?}");
    let secret = listen(r#"{"resourceSubscriptions":["file:///secret/a"]}"#);
    let answer = sent(&world, modern("subscriptions/listen"), Full::from(secret)).await;
    assert_eq!(answer.code(), "insufficient_scope", "{answer:?}");
    let request = modern("tools/call").header("mcp-name", "list");
    let answer = sent(&world, request, Full::from("not read")).await;
    assert_eq!(answer.body, "not read");
}

/// A request is sent up to its last byte, and finished when the credential has ended.
#[tokio::test]
async fn t22_nobody_keeps_a_right_by_holding_back_the_last_byte() {
    let list = CALL.replace("wipe", "list");
    for ending in ["expired", "revoked", "nothing"] {
        let world = world(rules(), &MemoryAudit::new()).await;
        let token = world.token().scope("read:issues").sign();
        let (feed, body) = fed();
        let request = post().header("authorization", format!("Bearer {token}"));
        let service = McpAuthLayer::new(world.auth.clone()).layer(careless());
        let mut answer = pin!(service.oneshot(request.body(body).unwrap()));
        let (head, tail) = list.split_at(30);
        feed.send(Frame::data(head.to_owned().into())).unwrap();
        assert!(poll!(&mut answer).is_pending());
        match ending {
            "expired" => world.clock.advance(Duration::from_secs(86_400)),
            "revoked" => world
                .auth
                .handle()
                .revoke_issuer(crate::support::I)
                .await
                .unwrap(),
            _ => world.clock.advance(Duration::from_secs(5)),
        }
        feed.send(Frame::data(tail.to_owned().into())).unwrap();
        drop(feed);
        let answer = Answer::read(answer.await.unwrap()).await;
        if ending == "nothing" {
            assert_eq!(answer.body, list);
        } else {
            answer.assert_invalid_token(ending);
        }
    }
}

/// With `Expect: 100-continue` a good credential shows before the body is sent. Whoever tries a
/// stolen one like that is on record.
#[tokio::test]
async fn edge_08_a_client_that_goes_away_in_mid_body_is_on_record() {
    let audit = MemoryAudit::new();
    let world = world(rules(), &audit).await;
    let token = world.token().subject("mallory").scope("read:issues").sign();
    let (_feed, body) = fed();
    let request = post().header("authorization", format!("Bearer {token}"));
    let service = McpAuthLayer::new(world.auth.clone()).layer(careless());
    let mut answer = Box::pin(service.oneshot(request.body(body).unwrap()));
    assert!(poll!(&mut answer).is_pending());
    assert!(audit.take().is_empty());
    drop(answer);
    let records = audit.take();
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0].event, AuditEvent::AuthAbandoned);
    let principal = records[0].principal.as_ref().unwrap();
    assert_eq!(principal.subject.as_str(), "mallory");
    // One that is finished leaves one record, not two.
    let answer = sent(&world, post(), Full::from(CALL)).await;
    assert_eq!(answer.code(), "insufficient_scope");
    assert_eq!(audit.take().len(), 1);
}

/// Asks for a step-up in both ways at once.
fn stepping<B: Send + 'static>()
-> impl Service<Request<B>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send> + Clone
{
    service_fn(|request: Request<B>| async move {
        let auth = request.extensions().get::<AuthContext>().unwrap();
        auth.step_up(StepUp::scopes(["admin:all"]));
        let mut response = Response::new(Full::default());
        let asked = StepUp::scopes(["admin:all"]);
        response.extensions_mut().insert(asked);
        Ok(response)
    })
}

async fn stepped<S, B>(world: &World, service: S) -> Answer
where
    S: Service<Request<Full<Bytes>>, Response = Response<ResponseBody<B>>, Error = Infallible>,
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    let token = world.token().scope("read:issues").sign();
    let request = post().header("authorization", format!("Bearer {token}"));
    let body = Full::from(CALL.replace("wipe", "list"));
    let answer = service.oneshot(request.body(body).unwrap()).await.unwrap();
    Answer::read(answer).await
}

#[tokio::test]
async fn scp_11_a_step_up_is_on_record_once() {
    let audit = MemoryAudit::new();
    let world = world(rules(), &audit).await;
    let auth = world.auth.clone();
    let whole = McpAuthLayer::new(auth.clone()).layer(stepping());
    let answers = [(stepped(&world, whole).await, audit.take())];
    let split =
        AuthenticateLayer::new(auth.clone()).layer(AuthorizeToolLayer::new(auth).layer(stepping()));
    let answers = answers
        .into_iter()
        .chain([(stepped(&world, split).await, audit.take())]);
    for (answer, records) in answers {
        assert_eq!(answer.code(), "insufficient_scope");
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        let events: Vec<_> = records.iter().map(|record| record.event).collect();
        assert_eq!(events, [AuditEvent::AuthOk, AuditEvent::AuthDenied]);
        assert_eq!(records[1].principal, records[0].principal);
        assert_eq!(
            records[1]
                .request_id
                .as_ref()
                .map(tower_mcp_auth::audit::AuditText::as_str),
            answer.header("x-request-id")
        );
    }
}

/// The id of a message is repeated in an answer about it, but not at any length.
#[tokio::test]
async fn mcp_17_an_id_is_repeated_within_bounds() {
    let world = world(rules(), &MemoryAudit::new()).await;
    let answer_to = async |id: &str| {
        let body = CALL.replace(r#""id":1"#, &format!(r#""id":{id}"#));
        sent(
            &world,
            post().header("mcp-method", "other"),
            Full::from(body),
        )
        .await
    };
    for id in ["7", r#""\u001b\"<script>""#, "-9223372036854775808"] {
        let answer = answer_to(id).await;
        let expected: serde_json::Value = serde_json::from_str(id).unwrap();
        assert_eq!(answer.json()["id"], expected);
    }
    let long = format!("{:?}", "x".repeat(100_000));
    let answer = answer_to(&long).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.body.len() < 2_000);
    assert_eq!(answer.json().get("id"), None);
}

/// A clock that stands at first and then panics.
#[derive(Clone, Debug, Default)]
struct Broken(Arc<AtomicBool>);

impl Clock for Broken {
    fn now(&self) -> UnixTime {
        assert!(!self.0.load(Ordering::SeqCst), "the clock broke");
        UnixTime::from_secs(crate::support::NOW)
    }

    fn monotonic(&self) -> Duration {
        assert!(!self.0.load(Ordering::SeqCst), "the clock broke");
        Duration::ZERO
    }
}

/// A clock that panics is a refusal with a sink too, whose records have times.
#[tokio::test]
async fn r15_a_panicking_clock_is_500_with_a_sink_too() {
    let audit = MemoryAudit::new();
    let (world, clock) = (World::warm().await, Broken::default());
    let auth = tower_mcp_auth::Authenticator::builder(crate::support::described(
        tower_mcp_auth::Issuer::new(crate::support::I),
    ))
    .clock(clock.clone())
    .fetch(world.issuer.fetch())
    .tools(rules())
    .audit(audit.clone())
    .build()
    .unwrap();
    clock.0.store(true, Ordering::SeqCst);
    let service = McpAuthLayer::new(auth).layer(careless());
    let request = post().header("authorization", "Bearer a.b.c");
    let answer = service
        .oneshot(request.body(Full::from(CALL)).unwrap())
        .await;
    let answer = Answer::read(answer.unwrap()).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(audit.take().len(), 1);
}

/// Who needed no credential so far has none to step up with, and is asked for one.
#[tokio::test]
async fn step_01_a_step_up_of_nobody_is_a_login() {
    let audit = MemoryAudit::new();
    let world = world(rules().public_method("tools/list"), &audit).await;
    let inner = service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
        let mut response = Response::new(Full::from("for those who stepped up"));
        let asked = StepUp::scopes(["admin:all"]);
        response.extensions_mut().insert(asked);
        Ok::<_, Infallible>(response)
    });
    let service = McpAuthLayer::new(world.auth.clone()).layer(inner);
    let body = Full::from(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    let answer = service.oneshot(post().body(body).unwrap()).await.unwrap();
    let answer = Answer::read(answer).await;
    assert_eq!(answer.code(), "missing_credential");
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.challenge().starts_with("Bearer resource_metadata="));
    let outcomes: Vec<_> = audit.take().iter().map(|record| record.outcome).collect();
    assert_eq!(outcomes, [AuditOutcome::Allowed, AuditOutcome::Refused]);
}

/// What is said in another protocol nobody judges.
#[tokio::test]
async fn t36_a_request_leads_to_no_other_protocol() {
    let upgrade = |method: &str| {
        asked_by(method, "application/json")
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
    };
    let inner = || {
        service_fn(|request: Request<RequestBody<Full<Bytes>>>| async move {
            let asks = request.headers().contains_key("upgrade");
            Ok::<_, Infallible>(Response::new(Full::from(asks.to_string())))
        })
    };
    let world = world(rules(), &MemoryAudit::new()).await;
    let free = World::warm().await;
    for (world, method, body, upgrades) in [
        (&world, "GET", "", "false"),
        (&world, "POST", &*CALL.replace("wipe", "list"), "false"),
        // Without rules nothing is judged, and nothing is held back.
        (&free, "GET", "", "true"),
    ] {
        let token = world.token().scope("read:issues").sign();
        let request = upgrade(method).header("authorization", format!("Bearer {token}"));
        let service = McpAuthLayer::new(world.auth.clone()).layer(inner());
        let request = request.body(Full::from(body.to_owned())).unwrap();
        let answer = Answer::read(service.oneshot(request).await.unwrap()).await;
        assert_eq!(answer.body, upgrades, "{method}");
    }
    // Over HTTP/2 it is a method of its own (RFC 8441), and no message.
    let answer = sent(&world, asked_by("CONNECT", ""), Full::<Bytes>::default()).await;
    assert_eq!(answer.code(), "malformed_message");
}
