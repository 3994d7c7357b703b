//! What becomes of the body of a request, and of the service that waits for it (MCP-12, MCP-13,
//! MCP-22, EDGE-11, T36).

use std::pin::pin;

use bytes::Bytes;
use futures_util::future::poll_immediate;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::sync::mpsc;
use tower::{Layer, Service, ServiceExt};
use tower_mcp_auth::McpAuthLayer;
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::middleware::RequestBody;
use tower_test::mock;

use crate::operations_support::{
    Any, Broken, LEGACY, Ops, assert_rpc_error, calls, data, frames, message, mirrored, rules,
    untouchable, whole,
};
use crate::support::{Answer, post};

#[tokio::test]
async fn t36_the_server_gets_exactly_the_bytes_that_were_judged() {
    let odd = "\r\n {\"jsonrpc\" :\"2.0\",\t\"id\": 7, \"method\":\"tools\\/c\\u0061ll\", \"params\":{ \"name\":\"getIssue\",\"x\":[1e2, -0, \"\\ud83d\\ude00\"]}}\n ";
    for world in [Ops::cold(rules()), Ops::warm(rules()).await] {
        let request = message()
            .header("content-length", odd.len())
            .header("x-other", "kept");
        world.read(request, odd).await.assert_let_in();
        let seen = world.server.seen().remove(0);
        assert_eq!(seen.body, odd);
        assert_eq!(seen.trailers, None);
        assert_eq!(seen.headers["content-length"], odd.len().to_string());
        assert_eq!(seen.headers["content-type"], "application/json");
        assert_eq!(seen.headers["x-other"], "kept");
        assert!(!seen.headers.contains_key("authorization"), "MCP-21");
        assert_eq!(seen.subject.as_deref(), Some("alice"));
    }
}

#[tokio::test]
async fn t36_a_body_in_pieces_is_one_body_and_its_trailers_stay() {
    let get = calls("getIssue");
    let mut trailers = HeaderMap::new();
    trailers.append("x-checksum", HeaderValue::from_static("1"));
    trailers.append("x-checksum", HeaderValue::from_static("2"));
    for world in [Ops::cold(rules()), Ops::warm(rules()).await] {
        let pieces = get.bytes().map(|byte| Frame::data(Bytes::from(vec![byte])));
        let empty = (0..3).map(|_| Frame::data(Bytes::new()));
        let last = std::iter::once(Frame::trailers(trailers.clone()));
        let body = frames(empty.chain(pieces).chain(last).map(Some));
        let request = message().header("authorization", world.reader());
        world.send(request, body).await.assert_let_in();
        let seen = world.server.seen().remove(0);
        assert_eq!(seen.body, get);
        assert_eq!(seen.trailers.as_ref(), Some(&trailers));
        // What is not allowed in pieces is not allowed either.
        let request = message().header("authorization", world.reader());
        let (one, other) = (
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"create"#,
            "Issue\"}}",
        );
        let answer = world
            .send(request, frames([one, other].map(|part| Some(data(part)))))
            .await;
        assert_eq!(answer.code(), "insufficient_scope");
        assert_eq!(world.server.calls(), 1);
    }
}

#[tokio::test]
async fn mcp_03_a_body_over_the_limit_is_413_and_says_the_limit() {
    let padded = |length: usize| {
        let get = calls("getIssue");
        let spaces = " ".repeat(length - get.len());
        format!("{get}{spaces}")
    };
    for world in [
        Ops::cold(rules().max_body_bytes(1024)),
        Ops::warm(rules().max_body_bytes(1024)).await,
    ] {
        world.read(message(), padded(1024)).await.assert_let_in();
        let in_pieces = (0..5).map(|_| Some(data("0123456789abcdef".repeat(16).leak())));
        for body in [whole(padded(1025)), frames(in_pieces)] {
            let request = message().header("authorization", world.reader());
            let answer = world.send(request, body).await;
            assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
            assert_eq!(answer.header("www-authenticate"), None);
            let body = answer.json();
            assert_eq!(body["error"], "message_too_large");
            assert_eq!(body["limit_bytes"], 1024);
        }
        assert_eq!(world.server.calls(), 1);
        // Nobody hears of a limit without a credential.
        let answer = world.send(message(), whole(padded(1025))).await;
        assert_eq!(answer.code(), "missing_credential");
    }
}

#[tokio::test]
async fn t36_a_body_that_breaks_off_is_no_message() {
    for world in [Ops::cold(rules()), Ops::warm(rules()).await] {
        let get: &'static str = calls("getIssue").leak();
        for parts in [
            vec![None],
            vec![Some(data("{")), None],
            vec![Some(data(get)), None],
        ] {
            let request = message().header("authorization", world.reader());
            let answer = world.send(request, frames(parts)).await;
            assert_rpc_error(&answer, "malformed_message", "");
        }
        assert_eq!(world.server.calls(), 0);
    }
}

/// A body whose frames somebody sends.
fn sent() -> (mpsc::Sender<&'static str>, Any) {
    let (push, frames) = mpsc::channel::<&'static str>(1);
    let stream = stream::unfold(frames, |mut frames| async {
        let text = frames.recv().await?;
        Some((Ok::<_, Broken>(Frame::data(Bytes::from(text))), frames))
    });
    (push, StreamBody::new(stream).boxed_unsync())
}

#[tokio::test]
async fn mcp_22_a_slow_body_is_waited_for_and_nothing_runs_before_its_end() {
    for world in [Ops::cold(rules()), Ops::warm(rules()).await] {
        let (push, body) = sent();
        let request = message().header("authorization", world.reader());
        let mut answer = pin!(world.send(request, body));
        let get: &'static str = calls("getIssue").leak();
        for piece in get.as_bytes().chunks(7) {
            push.send(std::str::from_utf8(piece).unwrap())
                .await
                .unwrap();
            while push.capacity() == 0 {
                assert!(poll_immediate(answer.as_mut()).await.is_none());
                tokio::task::yield_now().await;
            }
            assert_eq!(world.server.calls(), 0);
        }
        drop(push);
        answer.await.assert_let_in();
        assert_eq!(world.server.seen()[0].body, get);
    }
}

#[tokio::test]
async fn r14_a_request_dropped_while_its_body_is_read_never_runs() {
    let world = Ops::warm(rules()).await;
    let (push, body) = sent();
    let request = message().header("authorization", world.reader());
    let mut answer = Box::pin(world.send(request, body));
    push.send("{\"jsonrpc\"").await.unwrap();
    assert!(poll_immediate(answer.as_mut()).await.is_none());
    drop(answer);
    push.send(":\"2.0\"}").await.unwrap_err();
    assert_eq!(world.server.calls(), 0);
    let after = world.read(message(), calls("getIssue")).await;
    after.assert_let_in();
}

#[tokio::test]
async fn mcp_12_mcp_13_requests_without_a_message_need_a_credential_and_no_more() {
    for world in [Ops::cold(rules()), Ops::warm(rules()).await] {
        let mut world = world;
        world.server.blind = true;
        for method in ["GET", "DELETE", "HEAD", "OPTIONS"] {
            // What a message would say is not looked at, and neither are its headers.
            let request = || {
                mirrored("tools/call", Some("createIssue"))
                    .method(method)
                    .header("mcp-method", "another line")
                    .header("content-type", "another/line")
            };
            let answer = world.send(request(), untouchable()).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method}");
            let good = request().header("authorization", world.with("nothing"));
            world.send(good, untouchable()).await.assert_let_in();
        }
        assert_eq!(world.server.calls(), 4);
        // Any other method may carry one.
        for method in ["PUT", "PATCH", "BREW"] {
            let answer = world
                .read(message().method(method), calls("createIssue"))
                .await;
            assert_eq!(answer.code(), "insufficient_scope", "{method}");
        }
    }
}

#[tokio::test]
async fn mcp_22_bodies_that_are_no_json_pass_unread() {
    for world in [Ops::cold(rules()), Ops::warm(rules()).await] {
        let mut world = world;
        world.server.blind = true;
        for kind in [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc-web+proto",
            "multipart/form-data; boundary=x",
            "Application/Octet-Stream",
            "image/png",
        ] {
            let request = || post().header("content-type", kind);
            let answer = world.send(request(), untouchable()).await;
            assert_eq!(answer.code(), "missing_credential", "{kind}");
            let good = request().header("authorization", world.with("nothing"));
            world.send(good, untouchable()).await.assert_let_in();
        }
        assert_eq!(world.server.calls(), 6);
    }
}

#[tokio::test]
async fn t36_the_headers_may_be_trusted_on_request_and_then_no_body_is_read() {
    let trusting = || rules().trust_mirrored_headers();
    for world in [Ops::cold(trusting()), Ops::warm(trusting()).await] {
        let mut world = world;
        world.server.blind = true;
        let send = async |request: http::request::Builder| {
            let request = request.header("authorization", world.reader());
            world.send(request, untouchable()).await
        };
        let get = || mirrored("tools/call", Some("getIssue"));
        send(get()).await.assert_let_in();
        send(mirrored("tools/list", None)).await.assert_let_in();
        for (request, code) in [
            (
                mirrored("tools/call", Some("createIssue")),
                "insufficient_scope",
            ),
            (
                mirrored("tools/call", Some("=?base64?Y3JlYXRlSXNzdWU=?=")),
                "insufficient_scope",
            ),
            (mirrored("foo/bar", None), "operation_not_allowed"),
            (
                mirrored("TOOLS/CALL", Some("getIssue")),
                "operation_not_allowed",
            ),
            (get().header("mcp-name", "getIssue"), "header_mismatch"),
            (get().header("mcp-method", "tools/list"), "header_mismatch"),
            (
                get().header("content-encoding", "gzip"),
                "malformed_message",
            ),
        ] {
            assert_eq!(send(request).await.code(), code);
        }
        assert_eq!(world.server.calls(), 2);
    }
    // What the headers do not say, or say in a version that compares nothing, the body decides.
    let world = Ops::warm(trusting()).await;
    let legacy = || {
        message()
            .header("mcp-protocol-version", LEGACY)
            .header("mcp-method", "tools/call")
            .header("mcp-name", "getIssue")
    };
    let answer = world.read(legacy(), calls("createIssue")).await;
    assert_rpc_error(&answer, "header_mismatch", "7");
    world
        .read(legacy(), calls("getIssue"))
        .await
        .assert_let_in();
    let answer = world
        .read(mirrored("tools/call", None), calls("getIssue"))
        .await;
    assert_rpc_error(&answer, "header_mismatch", "7");
    let answer = world.read(message(), calls("createIssue")).await;
    assert_eq!(answer.code(), "insufficient_scope");
    assert_eq!(world.server.calls(), 1);
}

type Inside = Request<RequestBody<Any>>;

#[tokio::test]
async fn edge_11_the_service_that_was_polled_ready_waits_for_the_body() {
    for world in [Ops::cold(rules()), Ops::warm(rules()).await] {
        let (inner, mut handle) = mock::pair::<Inside, Response<Full<Bytes>>>();
        let mut service = mock::Spawn::new(McpAuthLayer::new(world.auth.clone()).layer(inner));
        handle.allow(1);
        assert!(service.poll_ready::<Request<Any>>().is_ready());
        let request = message().header("authorization", world.reader());
        let response = service.call(request.body(whole(calls("getIssue"))).unwrap());
        let reply = async {
            let (_, reply) = handle.next_request().await.unwrap();
            reply.send_response(Response::new(Full::from("inner")));
        };
        // The mock panics when a service is called that was not polled ready itself.
        let (response, ()) = tokio::join!(response, reply);
        assert_eq!(Answer::read(response.unwrap()).await.body, "inner");
    }
}

#[tokio::test]
async fn edge_11_a_refusal_by_the_body_gives_the_place_back() {
    let world = Ops::warm(rules()).await;
    let limited = tower::limit::ConcurrencyLimitLayer::new(1).layer(world.server.clone());
    let mut service = McpAuthLayer::new(world.auth.clone()).layer(limited);
    for (tool, status) in [
        ("createIssue", 403),
        ("getIssue", 200),
        ("createIssue", 403),
    ] {
        let request = message().header("authorization", world.reader());
        let ready = ServiceExt::<Request<Any>>::ready(&mut service)
            .await
            .unwrap();
        let response = ready.call(request.body(whole(calls(tool))).unwrap());
        assert_eq!(response.await.unwrap().status().as_u16(), status);
    }
}

#[tokio::test]
async fn mcp_22_without_tool_rules_no_body_is_read() {
    let mut world = Ops::custom(rules(), AuthenticatorBuilder::insecure_unbound_sessions);
    let plain = crate::support::World::warm().await;
    world.server.blind = true;
    let token = format!("Bearer {}", plain.token().sign());
    let request = message().header("authorization", token);
    let answer =
        crate::operations_support::send(&plain.auth, world.server.clone(), request, untouchable());
    answer.await.assert_let_in();
}
