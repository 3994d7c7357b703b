//! How often a request allocates once everything needed is in memory: a hard gate.
//!
//! Counted around the whole call and its future, with the same call of the bare service taken off. Both
//! make one entry in the request's extensions, so what `http::Extensions` allocates is taken off too.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml exempts test functions, not what they share"
)]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use allocation_counter::measure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full};
use tower::{Layer, Service};
use tower_mcp_auth::api_token::{ApiTokens, MemoryStore, NewToken, Peppers};
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::{Intent, MemoryPolicyStore, OrganizationPolicy};
use tower_mcp_auth::testing::TestIssuer;
use tower_mcp_auth::tool::ToolRule;
use tower_mcp_auth::{
    Authenticator, Introspection, Issuer, McpAuthLayer, ProtectedResource, ToolRules,
};

const RESOURCE: &str = "https://mcp.example.com/mcp";

#[derive(Clone)]
struct Bare;

/// What any layer puts into a request's extensions: the first entry makes their table.
#[derive(Clone)]
struct Entry(#[expect(dead_code, reason = "it only takes room")] u64);

impl<B> Service<Request<B>> for Bare {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        request.extensions_mut().insert(Entry(1));
        drop(request);
        ready(Ok(Response::new(Empty::new())))
    }
}

fn request(authorization: &str) -> Request<Empty<Bytes>> {
    Request::post("/mcp")
        .header("host", "mcp.example.com")
        .header("authorization", authorization)
        .body(Empty::new())
        .unwrap()
}

/// Allocations of a call whose answer is known: it must not have to wait.
fn allocations<S>(service: &mut S, authorization: &str) -> u64
where
    S: Service<Request<Empty<Bytes>>, Error = Infallible>,
{
    let request = request(authorization);
    let mut let_in = false;
    let counted = measure(|| {
        let_in = service
            .call(request)
            .now_or_never()
            .is_some_and(|answer| answer.is_ok());
    });
    assert!(let_in, "decided without an await");
    counted.count_total
}

// also: R29
#[tokio::test]
async fn a_warm_api_token_costs_at_most_three_allocations_and_no_await() {
    let tokens = ApiTokens::new(MemoryStore::new(), Peppers::generate().unwrap());
    let personal = NewToken::personal("acme", "alice", "alice@acme.example").scopes(["read"]);
    let key = NewToken::service_account("acme", "ci")
        .created_by("alice")
        .scopes(["read"]);
    let personal = tokens.issue(personal).await.unwrap().token;
    let key = tokens.issue(key).await.unwrap().token;
    let acme = OrganizationPolicy::new(OrganizationId::new("acme").unwrap()).api_tokens(true);
    let issuer = TestIssuer::builder().in_process();
    let auth =
        Authenticator::builder(ProtectedResource::new(RESOURCE).issuer(Issuer::new(issuer.url())))
            .fetch(issuer.fetch())
            .api_tokens(tokens)
            .policies(MemoryPolicyStore::new().with(acme).unwrap())
            .build()
            .unwrap();
    auth.warm_up(Duration::from_secs(5)).await.unwrap();
    let basic = STANDARD.encode(format!("alice@acme.example:{}", personal.expose()));
    let mut service = McpAuthLayer::new(auth).layer(Bare);
    // Basic needs one more than Bearer, for the decoded credential.
    let cases = [
        (format!("Bearer {}", key.expose()), 2),
        (format!("Basic {basic}"), 3),
    ];
    for (authorization, most) in cases {
        let warm = service.call(request(&authorization)).await.unwrap();
        assert_eq!(warm.status(), 200);
        let bare = allocations(&mut Bare, &authorization);
        // The least of many: now and then a cache tidies up in a reader's time.
        let counts = (0..100).map(|_| allocations(&mut service, &authorization));
        let ours = counts.min().unwrap() - bare;
        println!("{ours} for {authorization:.6}");
        assert!(ours <= most, "{ours} allocations for {authorization:.6}");
    }
}

#[tokio::test]
async fn a_warm_opaque_token_costs_what_a_warm_jwt_costs() {
    let issuer = TestIssuer::builder().client("mcp", "secret").in_process();
    let asked = Introspection::new().client_secret_basic("mcp", "secret");
    let trusted = Issuer::new(issuer.url()).introspection(asked);
    let auth = Authenticator::builder(ProtectedResource::new(RESOURCE).issuer(trusted))
        .fetch(issuer.fetch())
        .build()
        .unwrap();
    let mut service = McpAuthLayer::new(auth).layer(Bare);
    let token = issuer.token(RESOURCE);
    let counts = [token.sign(), token.opaque()].map(|token| format!("Bearer {token}"));
    let mut least = Vec::new();
    for authorization in counts {
        let warm = service.call(request(&authorization)).await.unwrap();
        assert_eq!(warm.status(), 200);
        let bare = allocations(&mut Bare, &authorization);
        let counts = (0..100).map(|_| allocations(&mut service, &authorization));
        least.push(counts.min().unwrap() - bare);
    }
    println!("{least:?} for a JWT and an opaque token");
    assert_eq!(least[0], least[1]);
}

/// A call of a tool with this many bytes.
fn tool_call(bytes: usize) -> Bytes {
    let call = |text: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"createIssue","arguments":{{"summary":"{text}","labels":["a","b"],"priority":3}}}}}}"#
        )
    };
    let padding = "x".repeat(bytes - call("").len());
    call(&padding).into()
}

fn call_request(authorization: &str, body: &Bytes) -> Request<Full<Bytes>> {
    Request::post("/mcp")
        .header("host", "mcp.example.com")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "createIssue")
        .header("authorization", authorization)
        .body(Full::new(body.clone()))
        .unwrap()
}

fn call_allocations<S>(service: &mut S, authorization: &str, body: &Bytes) -> u64
where
    S: Service<Request<Full<Bytes>>, Error = Infallible>,
    S::Response: Passed,
{
    let request = call_request(authorization, body);
    let mut let_in = false;
    let counted = measure(|| {
        let_in = service
            .call(request)
            .now_or_never()
            .is_some_and(|answer| answer.is_ok_and(|answer| answer.passed()));
    });
    assert!(let_in, "decided without waiting");
    counted.count_total
}

trait Passed {
    fn passed(&self) -> bool;
}

impl<B> Passed for Response<B> {
    fn passed(&self) -> bool {
        self.status() == 200
    }
}

/// Tool rules on top: reading, judging and passing on a body of one frame costs nothing more.
#[tokio::test]
async fn a_warm_service_key_with_tool_rules_judges_a_call_without_an_allocation_more() {
    let tokens = ApiTokens::new(MemoryStore::new(), Peppers::generate().unwrap());
    let key = NewToken::service_account("acme", "ci")
        .created_by("alice")
        .scopes(["read:issues", "write:issues"]);
    let key = tokens.issue(key).await.unwrap().token;
    let acme = OrganizationPolicy::new(OrganizationId::new("acme").unwrap()).api_tokens(true);
    let issuer = TestIssuer::builder().in_process();
    let rules = (0..20).fold(ToolRules::new(), |rules, nth| {
        rules.tool(format!("tool{nth}"), ["read:issues"])
    });
    let create = ToolRule::scopes(["write:issues"]).group("jira", Intent::Write);
    let auth =
        Authenticator::builder(ProtectedResource::new(RESOURCE).issuer(Issuer::new(issuer.url())))
            .fetch(issuer.fetch())
            .api_tokens(tokens)
            .policies(MemoryPolicyStore::new().with(acme).unwrap())
            .tools(rules.tool("createIssue", create))
            .build()
            .unwrap();
    auth.warm_up(Duration::from_secs(5)).await.unwrap();
    let mut service = McpAuthLayer::new(auth).layer(Bare);
    let (authorization, body) = (format!("Bearer {}", key.expose()), tool_call(1024));
    assert_eq!(body.len(), 1024);
    let warm = service.call(call_request(&authorization, &body)).await;
    assert_eq!(warm.unwrap().status(), 200);
    let bare = call_allocations(&mut Bare, &authorization, &body);
    let counts = (0..100).map(|_| call_allocations(&mut service, &authorization, &body));
    let ours = counts.min().unwrap() - bare;
    println!("{ours} for a call of 1 KiB");
    // One of them keeps the request while its body is read.
    assert!(ours <= 3, "{ours} allocations");
}

/// An event stream that always has one more event.
struct Endless;

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"data: 1\n\n")))))
    }
}

#[tokio::test]
async fn mcp_22_a_frame_of_a_stream_passes_without_an_allocation() {
    let issuer = TestIssuer::builder().in_process();
    let auth =
        Authenticator::builder(ProtectedResource::new(RESOURCE).issuer(Issuer::new(issuer.url())))
            .fetch(issuer.fetch())
            .build()
            .unwrap();
    let token = issuer.token(RESOURCE).sign();
    let service = tower::service_fn(|_: Request<_>| {
        let response = Response::builder().header("content-type", "text/event-stream");
        ready(Ok::<_, Infallible>(response.body(Endless).unwrap()))
    });
    let mut service = McpAuthLayer::new(auth).layer(service);
    let response = service.call(request(&format!("Bearer {token}"))).await;
    let mut body = response.unwrap().into_body();
    assert!(body.size_hint().exact().is_none() && !body.is_end_stream());
    let mut passed = 0;
    let counted = measure(|| {
        for _ in 0..1000 {
            passed += usize::from(body.frame().now_or_never().is_some());
        }
    });
    assert_eq!((passed, counted.count_total), (1000, 0));
}

/// What nothing is remembered of: the first sight of a token, and every refusal.
// also: R29
#[tokio::test]
async fn a_token_seen_first_and_a_refusal_cost_few_allocations_and_no_await() {
    let issuer = TestIssuer::builder().in_process();
    let auth =
        Authenticator::builder(ProtectedResource::new(RESOURCE).issuer(Issuer::new(issuer.url())))
            .fetch(issuer.fetch())
            .verified_token_bytes(0)
            .build()
            .unwrap();
    auth.warm_up(Duration::from_secs(5)).await.unwrap();
    let mut service = McpAuthLayer::new(auth).layer(Bare);
    let token = || issuer.token(RESOURCE);
    let tampered = token().tamper(|signature| signature[5] ^= 1);
    let cases = [
        ("first sight", token().sign(), 200, 14),
        ("garbage", "garbage".to_owned(), 401, 6),
        ("expired", token().expires_in(-100).sign(), 401, 9),
        ("bad signature", tampered.sign(), 401, 16),
    ];
    for (name, token, status, most) in cases {
        let authorization = format!("Bearer {token}");
        let answer = service.call(request(&authorization)).await.unwrap();
        assert_eq!(answer.status(), status, "{name}");
        let bare = allocations(&mut Bare, &authorization);
        let counts = (0..20).map(|_| allocations(&mut service, &authorization));
        let ours = counts.min().unwrap() - bare;
        println!("{ours} for {name}");
        assert!(ours <= most, "{ours} allocations for {name}");
    }
}

/// Whatever was revoked, a request that it does not concern pays nothing for it.
#[tokio::test]
async fn revoke_10_a_hundred_thousand_revocations_cost_a_request_no_allocation() {
    let issuer = TestIssuer::builder().in_process();
    let auth =
        Authenticator::builder(ProtectedResource::new(RESOURCE).issuer(Issuer::new(issuer.url())))
            .fetch(issuer.fetch())
            .build()
            .unwrap();
    let mut service = McpAuthLayer::new(auth.clone()).layer(Bare);
    let authorization = format!("Bearer {}", issuer.token(RESOURCE).sign());
    let warm = service.call(request(&authorization)).await.unwrap();
    assert_eq!(warm.status(), 200);
    let mut count = || {
        let counts = (0..100).map(|_| allocations(&mut service, &authorization));
        counts.min().unwrap()
    };
    let before = count();
    let handle = auth.handle();
    for nth in 0..100_000 {
        let name = format!("another-{nth}");
        // Every kind, so that every look is taken.
        let revoked = match nth % 5 {
            0 => handle.revoke_client(issuer.url(), &name).await,
            1 => handle.revoke_key(issuer.url(), &name).await,
            2 => handle.revoke_issuer(&name).await,
            3 => {
                let organization = OrganizationId::new(&name).unwrap();
                handle.revoke_organization(&organization).await
            }
            _ => handle.revoke_token(issuer.url(), &name).await,
        };
        revoked.unwrap();
    }
    assert_eq!((auth.revocations(), count()), (100_000, before));
}
