//! Who may ask at all: credentials before framing, public methods, and the two layers apart
//! (MCP-3, MCP-15, POL-4).

use std::convert::Infallible;

use http::{Request, StatusCode};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_mcp_auth::middleware::RequestBody;
use tower_mcp_auth::{AuthContext, AuthenticateLayer, AuthorizeToolLayer, McpAuthLayer, ToolRules};

use crate::operations_support::{
    Any, Ops, asks, assert_rpc_error, calls, message, mirrored, rules, untouchable, whole,
};
use crate::support::{Answer, post};

fn public() -> ToolRules {
    rules()
        .public_method("server/discover")
        .public_method("ping")
}

fn discover() -> String {
    asks("server/discover", &serde_json::json!({}))
}

#[tokio::test]
async fn mcp_03_nobody_hears_of_framing_without_a_credential() {
    let worlds = [
        Ops::cold(rules()),
        Ops::warm(rules()).await,
        Ops::cold(public()),
        Ops::warm(public()).await,
        Ops::warm(rules().trust_mirrored_headers()).await,
    ];
    for world in worlds {
        for credential in [None, Some("Bearer a.b.c")] {
            let due = credential.map_or("missing_credential", |_| "malformed_token");
            let requests = [
                (message(), whole("[]")),
                (message(), whole("")),
                (message(), whole(calls("nothing"))),
                (message(), whole(" ".repeat(100_000))),
                (mirrored("tools/list", None), whole(calls("getIssue"))),
                (mirrored("server/discover", None), whole(calls("getIssue"))),
                (
                    mirrored("ping", None).header("mcp-method", "ping"),
                    whole("{}"),
                ),
                (message().header("content-type", "text/plain"), whole("{}")),
                (message().header("content-encoding", "gzip"), whole("{}")),
                (message().header("mcp-session-id", "made-up"), whole("{}")),
            ];
            for (request, body) in requests {
                let request = match credential {
                    Some(value) => request.header("authorization", value),
                    None => request,
                };
                let answer = world.send(request, body).await;
                assert_eq!(answer.code(), due);
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
                assert!(!String::from_utf8_lossy(&answer.body).contains("-32020"));
            }
        }
        assert_eq!(world.server.calls(), 0);
    }
}

#[tokio::test]
async fn mcp_15_a_public_method_passes_without_a_credential_and_as_nobody() {
    for world in [Ops::cold(public()), Ops::warm(public()).await] {
        for request in [message(), mirrored("server/discover", None)] {
            world.send(request, whole(discover())).await.assert_let_in();
        }
        for seen in world.server.seen() {
            assert_eq!(seen.subject, None);
            assert_eq!(seen.body, discover());
        }
        // Whoever brings a credential is judged by it.
        for bad in ["Bearer a.b.c", "Basic YTpi", "Digest x"] {
            let request = message().header("authorization", bad);
            let answer = world.send(request, whole(discover())).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{bad}");
        }
        let good = world.read(message(), discover()).await;
        good.assert_let_in();
        let seen = world.server.seen();
        assert_eq!(seen.last().unwrap().subject.as_deref(), Some("alice"));
        // Nothing else is public, by whatever name the headers call it.
        for body in [
            calls("whoami"),
            asks("tools/list", &serde_json::json!({})),
            asks("PING", &serde_json::json!({})),
            asks("ping ", &serde_json::json!({})),
        ] {
            for request in [message(), mirrored("server/discover", None)] {
                let answer = world.send(request, whole(body.clone())).await;
                assert_eq!(answer.code(), "missing_credential", "{body}");
            }
        }
        let get = world.send(message().method("GET"), untouchable()).await;
        assert_eq!(get.status, StatusCode::UNAUTHORIZED);
        let other = post().header("content-type", "application/octet-stream");
        let answer = world.send(other, untouchable()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(world.server.calls(), 3);
    }
}

#[tokio::test]
async fn mcp_15_nobody_makes_the_server_read_much() {
    let world = Ops::warm(public()).await;
    // The headers name something that is not public: no need to look at the body.
    let request = mirrored("tools/call", Some("whoami"));
    let answer = world.send(request, untouchable()).await;
    assert_eq!(answer.code(), "missing_credential");
    let mut long = discover();
    long.push_str(&" ".repeat(64 * 1024));
    let answer = world.send(message(), whole(long.clone())).await;
    assert_eq!(answer.code(), "missing_credential");
    world.read(message(), long).await.assert_let_in();
    // Without public methods none is read at all.
    let world = Ops::warm(rules()).await;
    let answer = world.send(message(), untouchable()).await;
    assert_eq!(answer.code(), "missing_credential");
}

/// Headers are trusted of somebody who was let in; for nobody the body has to say the same.
#[tokio::test]
async fn mcp_15_trusted_headers_let_nobody_in_on_their_word() {
    let world = Ops::warm(public().trust_mirrored_headers()).await;
    let honest = asks("ping", &serde_json::json!({}));
    let answer = world.send(mirrored("ping", None), whole(honest)).await;
    answer.assert_let_in();
    let smuggled = world
        .send(mirrored("ping", None), whole(calls("createIssue")))
        .await;
    assert_eq!(smuggled.code(), "missing_credential");
    for request in [
        mirrored("tools/list", None),
        mirrored("ping", None).header("mcp-method", "ping"),
        mirrored("ping", None).header("content-encoding", "gzip"),
        mirrored("PING", None),
    ] {
        let answer = world.send(request, untouchable()).await;
        assert_eq!(answer.code(), "missing_credential");
    }
    assert_eq!(world.server.seen()[0].subject, None);
    assert_eq!(world.server.calls(), 1);
}

/// Somebody's context, to be smuggled in.
async fn stolen(world: &Ops) -> AuthContext {
    let request = post().header("authorization", world.reader());
    let (parts, ()) = request.body(()).unwrap().into_parts();
    world.auth.authenticate(&parts).await.unwrap()
}

#[tokio::test]
async fn mcp_15_a_context_from_outside_is_removed() {
    for trusting in [false, true] {
        let rules = if trusting {
            public().trust_mirrored_headers()
        } else {
            public()
        };
        let world = Ops::warm(rules).await;
        let context = stolen(&world).await;
        let request = mirrored("ping", None).extension(context.clone());
        let ping = asks("ping", &serde_json::json!({}));
        world.send(request, whole(ping)).await.assert_let_in();
        assert_eq!(world.server.seen()[0].subject, None);
        // Nor does it stand for a credential, or for another one.
        let request = message().extension(context.clone());
        let answer = world.send(request, whole(calls("getIssue"))).await;
        assert_eq!(answer.code(), "missing_credential");
        let token = world.issuer.token(crate::support::R).subject("bob").sign();
        let request = message()
            .header("authorization", format!("Bearer {token}"))
            .extension(context);
        let answer = world.send(request, whole(calls("getIssue"))).await;
        answer.assert_let_in();
        assert_eq!(world.server.seen()[1].subject.as_deref(), Some("bob"));
    }
}

#[tokio::test]
async fn house_authorize_tool_layer_judges_inside_authenticate_layer_and_nowhere_else() {
    for world in [Ops::cold(rules()), Ops::warm(rules()).await] {
        let inside = ServiceBuilder::new()
            .layer(AuthenticateLayer::new(world.auth.clone()))
            .layer(tower::util::MapRequestLayer::new(
                |request: Request<RequestBody<Any>>| {
                    request.map(http_body_util::BodyExt::boxed_unsync)
                },
            ))
            .layer(AuthorizeToolLayer::new(world.auth.clone()))
            .service(world.server.clone());
        let send = async |authorization: Option<String>, body: String| {
            let mut request = message();
            if let Some(value) = authorization {
                request = request.header("authorization", value);
            }
            let response = inside.clone().oneshot(request.body(whole(body)).unwrap());
            Answer::read(response.await.unwrap()).await
        };
        let reader = || Some(world.reader());
        send(reader(), calls("getIssue")).await.assert_let_in();
        for (who, body, code) in [
            (reader(), calls("createIssue"), "insufficient_scope"),
            (reader(), calls("nothing"), "operation_not_allowed"),
            (reader(), "[]".to_owned(), "malformed_message"),
            (None, calls("getIssue"), "missing_credential"),
            (None, "[]".to_owned(), "missing_credential"),
            (
                Some("Bearer a.b.c".to_owned()),
                calls("getIssue"),
                "malformed_token",
            ),
        ] {
            assert_eq!(send(who, body).await.code(), code);
        }
        let seen = world.server.seen();
        assert_eq!((seen.len(), seen[0].subject.as_deref()), (1, Some("alice")));
        assert_eq!(seen[0].body, calls("getIssue"));
        // Alone it lets nobody in, with whatever credential.
        let alone = AuthorizeToolLayer::new(world.auth.clone()).layer(world.server.clone());
        for request in [message(), message().header("authorization", world.reader())] {
            let request = request.body(untouchable()).unwrap();
            let answer = Answer::read(alone.clone().oneshot(request).await.unwrap()).await;
            assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(answer.code(), "internal");
        }
        assert_eq!(world.server.calls(), 1);
    }
}

#[tokio::test]
async fn house_authenticate_layer_alone_judges_no_operation() {
    let mut world = Ops::warm(rules()).await;
    world.server.blind = true;
    let service = AuthenticateLayer::new(world.auth.clone()).layer(world.server.clone());
    let request = message().header("authorization", world.with("nothing"));
    let response = service.oneshot(request.body(untouchable()).unwrap()).await;
    assert_eq!(response.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn mcp_03_the_second_of_two_layers_judges_the_same_bytes() {
    let world = Ops::warm(rules()).await;
    let outer = McpAuthLayer::new(world.auth.clone());
    let inner = service_fn(
        |request: Request<RequestBody<RequestBody<Any>>>| async move {
            let body = http_body_util::BodyExt::collect(request.into_body()).await;
            Ok::<_, Infallible>(http::Response::new(http_body_util::Full::new(
                body.unwrap().to_bytes(),
            )))
        },
    );
    let tools = AuthorizeToolLayer::new(world.auth.clone());
    let service = outer.layer(tools.layer(inner));
    let request = message().header("authorization", world.reader());
    let response = service
        .clone()
        .oneshot(request.body(whole(calls("getIssue"))).unwrap());
    let answer = Answer::read(response.await.unwrap()).await;
    answer.assert_let_in();
    assert_eq!(answer.body, calls("getIssue"));
    let request = mirrored("tools/list", None).header("authorization", world.reader());
    let response = service.oneshot(request.body(whole(calls("getIssue"))).unwrap());
    let answer = Answer::read(response.await.unwrap()).await;
    assert_rpc_error(&answer, "header_mismatch", "7");
}
