//! What MCP asks of the layer (requirements MCP), and the edge as `McpAuthLayer` has it (EDGE, PRM).

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tokio::sync::mpsc;
use tower::{Layer, ServiceExt, service_fn};
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::middleware::RequestBody;
use tower_mcp_auth::{McpAuthLayer, ProtectedResource, cors};

use crate::support::{Answer, I, P, R, World, post};

#[tokio::test]
async fn mcp_14_mcp_19_a_principal_has_one_key_and_a_session_id_is_no_identity() {
    let world = World::cold()
        .rebuilt(AuthenticatorBuilder::insecure_unbound_sessions)
        .warmed()
        .await;
    let key = async |token: String, session: &str| {
        let request = post()
            .header("authorization", format!("Bearer {token}"))
            .header("mcp-session-id", session);
        let answer = world.send(request).await;
        answer.assert_let_in();
        let said = answer.json();
        (said["subject"].clone(), said["key"].clone())
    };
    let alice = || world.token().subject("alice");
    let (_, first) = key(alice().sign(), "session-of-alice").await;
    for same in [
        alice().scope("other").sign(),
        alice().client("another").sign(),
        alice().claim("jti", "2").expires_in(9).sign(),
    ] {
        assert_eq!(key(same, "session-of-bob").await.1, first);
    }
    let (subject, other) = key(world.token().subject("bob").sign(), "session-of-alice").await;
    assert_eq!(subject, "bob");
    assert_ne!(other, first);
    let calls = world.probe.calls();
    let session = post().header("mcp-session-id", "session-of-alice");
    assert_eq!(world.send(session).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.probe.calls(), calls);
}

#[tokio::test]
async fn mcp_15_mcp_16_no_method_name_no_client_and_no_claim_of_identity_counts() {
    let world = World::warm().await;
    for (name, value) in [
        ("mcp-method", "server/discover"),
        ("mcp-method", "initialize"),
        ("mcp-method", "ping"),
        ("mcp-method", "tools/list"),
        ("user-agent", "kube-probe/1.30"),
        ("user-agent", "ELB-HealthChecker/2.0"),
        ("mcp-client-info", "trusted"),
        ("x-forwarded-user", "alice"),
        ("x-forwarded-email", "alice@example.com"),
        ("x-remote-user", "alice"),
        ("x_forwarded_user", "alice"),
        (
            "x-original-url",
            "/.well-known/oauth-protected-resource/mcp",
        ),
        ("x-rewrite-url", "/.well-known/oauth-protected-resource/mcp"),
        ("x-http-method-override", "OPTIONS"),
    ] {
        let answer = world.send(post().header(name, value)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}: {value}");
        assert_eq!(answer.code(), "missing_credential");
        let token = world.token().subject("bob").sign();
        let request = post().header(name, value);
        let answer = world
            .send(request.header("authorization", format!("Bearer {token}")))
            .await;
        assert_eq!(answer.json()["subject"], "bob", "{name}: {value}");
    }
}

#[tokio::test]
async fn mcp_17_refusals_are_not_json_rpc() {
    let world = World::cold();
    let body = world.send(post()).await.json();
    for member in ["jsonrpc", "id", "code", "result"] {
        assert!(body.get(member).is_none(), "{member}");
    }
    assert!(body["error"].is_string());
}

/// The headers of the request as the inner service got it.
async fn seen_inside(world: &World) -> HeaderMap {
    let (told, mut hear) = mpsc::unbounded_channel();
    let inner = service_fn(move |request: Request<RequestBody<Empty<Bytes>>>| {
        told.send(request.headers().clone()).unwrap();
        async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) }
    });
    let request = post()
        .header("authorization", format!("bearer {}", world.token().sign()))
        .header("dpop", "proof-1")
        .header("dpop", "proof-2")
        .header("x-other", "kept");
    McpAuthLayer::new(world.auth.clone())
        .layer(inner)
        .oneshot(request.body(Empty::new()).unwrap())
        .await
        .unwrap();
    hear.recv().await.expect("the inner service was called")
}

// also: T46
#[tokio::test]
async fn mcp_21_the_credential_stays_outside() {
    for world in [World::cold(), World::warm().await] {
        let headers = seen_inside(&world).await;
        assert!(!headers.contains_key("authorization"));
        assert!(!headers.contains_key("dpop"));
        assert_eq!(headers["x-other"], "kept");
    }
}

#[tokio::test]
async fn mcp_21_forwarded_only_on_request_and_then_marked_sensitive() {
    let world = World::cold().rebuilt(AuthenticatorBuilder::insecure_forward_credential);
    for _ in ["cold", "warm"] {
        let headers = seen_inside(&world).await;
        for (name, lines) in [("authorization", 1), ("dpop", 2)] {
            let values: Vec<_> = headers.get_all(name).iter().collect();
            assert_eq!(values.len(), lines);
            assert!(values.iter().all(|value| value.is_sensitive()), "{name}");
        }
        assert!(!headers["x-other"].is_sensitive());
    }
}

/// A request body that must not be looked at.
struct Untouched(&'static str);

impl Body for Untouched {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("the layer read the request body");
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.0.len().try_into().unwrap())
    }
}

#[tokio::test]
async fn mcp_22_request_bodies_are_not_read_and_response_frames_arrive_one_by_one() {
    for world in [World::cold(), World::warm().await] {
        let (push, frames) = mpsc::channel::<&'static str>(1);
        let frames = std::sync::Mutex::new(Some(frames));
        let inner = |request: Request<RequestBody<Untouched>>| {
            assert_eq!(request.body().size_hint().exact(), Some(4));
            let frames = frames.lock().unwrap().take().unwrap();
            let stream = stream::unfold(frames, |mut frames| async {
                let text = frames.recv().await?;
                Some((Ok::<_, Infallible>(Frame::data(Bytes::from(text))), frames))
            });
            async { Ok::<_, Infallible>(Response::new(StreamBody::new(stream))) }
        };
        let request = post().header("authorization", format!("Bearer {}", world.token().sign()));
        let response = McpAuthLayer::new(world.auth.clone())
            .layer(service_fn(inner))
            .oneshot(request.body(Untouched("mine")).unwrap())
            .await
            .unwrap();
        let mut body = Box::pin(response.into_body());
        // The next frame is made only after this one was read: a layer that buffers never ends.
        for text in ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"] {
            push.send(text).await.unwrap();
            let frame = body.frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), text);
        }
        drop(push);
        assert!(body.frame().await.is_none());
    }
}

#[tokio::test]
async fn edge_01_a_foreign_page_is_403_before_its_credential_is_looked_at() {
    let world = World::cold();
    let good = format!("Bearer {}", world.token().sign());
    for (name, value) in [
        ("origin", "https://evil.test"),
        ("origin", "null"),
        ("host", "evil.test"),
    ] {
        for credential in [Some(&*good), Some("Bearer junk"), None] {
            let mut request = Request::post("/mcp").header(name, value);
            if let Some(credential) = credential {
                request = request.header("authorization", credential);
            }
            let answer = world.send(request).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}");
            assert_eq!(answer.challenge(), "", "SCP-7");
        }
    }
    assert_eq!(world.probe.calls(), 0);
    assert_eq!(world.issuer.requests(), Vec::<String>::new(), "T41");
    let own = post().header("origin", "https://mcp.example.com");
    world
        .send(own.header("authorization", &good))
        .await
        .assert_let_in();
}

#[tokio::test]
async fn edge_02_a_preflight_is_answered_and_never_reaches_the_server() {
    let world = World::warm().await;
    for origin in ["https://ide.example", "https://evil.test"] {
        let preflight = Request::options("/mcp")
            .header("origin", origin)
            .header("access-control-request-method", "POST");
        let answer = world.send(preflight).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    let plain = Request::options("/mcp").header("host", "mcp.example.com");
    assert_eq!(world.send(plain).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.probe.calls(), 0);
}

#[tokio::test]
async fn edge_03_edge_04_with_cors_outside_a_browser_reads_every_refusal() {
    let world = World::custom(
        |resource| resource.allow_origin("https://ide.example"),
        |i| i,
    );
    let service = || cors(&world.auth.resource()).layer(world.service());
    let page = |method: &str| {
        post()
            .method(method)
            .header("origin", "https://ide.example")
    };
    let preflight = page("OPTIONS")
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,mcp-method,mcp-param-region",
        );
    let response = service()
        .oneshot(preflight.body(Empty::new()).unwrap())
        .await;
    let answer = Answer::read(response.unwrap()).await;
    assert!(answer.status.is_success());
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://ide.example")
    );
    assert_eq!(
        answer.header("access-control-allow-headers"),
        Some("authorization,*")
    );

    let response = service()
        .oneshot(page("POST").body(Empty::new()).unwrap())
        .await;
    let answer = Answer::read(response.unwrap()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://ide.example")
    );
    let exposed = answer.header("access-control-expose-headers").unwrap();
    for name in ["www-authenticate", "retry-after", "x-request-id"] {
        assert!(exposed.contains(name), "{exposed}");
    }
}

// also: T42
#[tokio::test]
async fn prm_05_prm_06_prm_17_the_challenge_leads_to_the_resource_that_was_called() {
    let world = World::custom(ProtectedResource::insecure_any_host, |issuer| issuer);
    for host in ["mcp.example.com", "evil.test", "evil.test\"x"] {
        let request = Request::post("/mcp")
            .header("host", host)
            .header("x-forwarded-host", "evil.test")
            .header("forwarded", "host=evil.test;proto=http");
        let answer = world.send(request).await;
        let (_, rest) = answer
            .challenge()
            .split_once("resource_metadata=\"")
            .unwrap();
        let (url, _) = rest.split_once('"').unwrap();
        assert_eq!(url, P);
        let path = url.strip_prefix("https://mcp.example.com").unwrap();
        let document = world
            .send(Request::get(path).header("host", host))
            .await
            .json();
        assert_eq!(document["resource"], R);
        assert_eq!(document["authorization_servers"][0], I);
    }
    for method in ["GET", "POST", "DELETE"] {
        let answer = world
            .send(Request::builder().method(method).uri("/mcp/"))
            .await;
        assert_eq!(answer.status, StatusCode::PERMANENT_REDIRECT);
        assert_eq!(answer.header("location"), Some(R));
    }
    assert_eq!(world.probe.calls(), 0);
}
