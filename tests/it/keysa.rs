//! Service-account keys (KEYSA-*), and which kind of credential goes where (T33).

use std::convert::Infallible;
use std::future::ready;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use serde_json::json;
use tower::{Layer, ServiceExt};
use tower_mcp_auth::api_token::NewToken;
use tower_mcp_auth::middleware::RequestBody;
use tower_mcp_auth::policy::PolicyStore;
use tower_mcp_auth::{AuthMethod, McpAuthLayer, OrganizationPolicy, PrincipalKind};

use crate::support::{Answer, post};
use crate::tokens_support::{
    ADA, GIL, TokenWorld, basic, bearer, damaged, encoded, issue, organization,
};

#[tokio::test]
async fn keysa_01_a_typing_error_asks_no_store() {
    let world = TokenWorld::new().await;
    let answer = world
        .present(format!("Bearer {}", damaged(&world.acme_key)))
        .await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::UNAUTHORIZED, "invalid_api_token")
    );
    let turned = world.acme_key.token.expose().replacen("mcps_", "mcpu_", 1);
    let answer = world.present(encoded(format!("{ADA}:{turned}"))).await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::UNAUTHORIZED, "invalid_api_token")
    );
    assert_eq!(world.store.faults.calls(), 0);
    assert_eq!(world.issuer.hits().total(), 0);
}

#[tokio::test]
async fn keysa_02_the_principal_is_the_account_and_no_person() {
    let world = TokenWorld::new().await;
    world.robot().await.assert_let_in();
    let context = world.context(bearer(&world.acme_key)).await.unwrap();
    let principal = context.principal();
    assert_eq!(context.method(), AuthMethod::ServiceAccountKey);
    assert_eq!(principal.kind(), PrincipalKind::ServiceAccount);
    assert_eq!(principal.subject().as_str(), "robot");
    assert_eq!(principal.created_by().unwrap().as_str(), "ada");
    assert_eq!(principal.email(), None);
    assert_eq!(
        principal.token_id(),
        Some(world.acme_key.record.id().as_str())
    );
    assert_eq!(context.organization(), &organization("acme"));
    assert_eq!(context.scopes().to_string(), "read:issues");
}

#[tokio::test]
async fn keysa_03_a_key_ends_when_revoked() {
    let world = TokenWorld::new().await;
    world.robot().await.assert_let_in();
    world
        .tokens
        .revoke(world.acme_key.record.id())
        .await
        .unwrap();
    assert_eq!(world.robot().await.code(), "invalid_api_token");
}

#[tokio::test]
async fn keysa_04_one_switch_for_both_kinds() {
    let world = TokenWorld::new().await;
    let (user, key) = (basic(GIL, &world.globex_user), bearer(&world.globex_key));
    for authorization in [&user, &key] {
        let answer = world.present(authorization).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::UNAUTHORIZED, "method_disabled")
        );
        assert_eq!(answer.json()["error"], "auth_method_disabled");
        assert_eq!(answer.json()["policy"], "globex");
    }
    assert_eq!(world.probe.calls(), 0);
    let on = OrganizationPolicy::new(organization("globex")).api_tokens(true);
    let on = world.policies.put(on, 0).await.unwrap();
    for authorization in [&user, &key] {
        world.present(authorization).await.assert_let_in();
    }
    world.policies.put(on.api_tokens(false), 1).await.unwrap();
    for authorization in [&user, &key] {
        assert_eq!(world.present(authorization).await.code(), "method_disabled");
    }
    world.robot().await.assert_let_in();
}

#[tokio::test]
async fn keysa_05_a_key_is_no_bound_token() {
    let world = TokenWorld::new().await;
    let answer = world
        .present(format!("DPoP {}", world.acme_key.token.expose()))
        .await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::UNAUTHORIZED, "unsupported_scheme")
    );
    assert_eq!(world.store.faults.calls(), 0);
}

#[tokio::test]
async fn t33_every_kind_with_every_scheme() {
    let world = TokenWorld::with(|builder, _| builder.api_key_header("x-api-key")).await;
    let user = world.acme_user.token.expose().to_owned();
    let key = world.acme_key.token.expose().to_owned();
    let jwt = world.access_token().sign();
    let in_header = |text: &str| ("x-api-key", text.to_owned());
    let as_bearer = |text: &str| ("authorization", format!("Bearer {text}"));
    let as_basic = |text: &str| ("authorization", encoded(format!("{ADA}:{text}")));
    let as_dpop = |text: &str| ("authorization", format!("DPoP {text}"));
    let matrix = [
        (as_basic(&user), ""),
        (as_bearer(&user), "wrong_scheme_for_token"),
        (in_header(&user), "wrong_scheme_for_token"),
        (as_dpop(&user), "unsupported_scheme"),
        (as_basic(&key), "wrong_scheme_for_token"),
        (as_bearer(&key), ""),
        (in_header(&key), ""),
        (as_dpop(&key), "unsupported_scheme"),
        (as_basic(&jwt), "invalid_api_token"),
        (as_bearer(&jwt), ""),
        (in_header(&jwt), "invalid_api_token"),
        (as_dpop(&jwt), "unsupported_scheme"),
        (as_bearer("opaque"), "unrecognized_credential"),
    ];
    let mut let_in = 0;
    for ((header, value), code) in matrix {
        let answer = world.send(post().header(header, &value)).await;
        assert_eq!(answer.code(), code, "{header}: {value}");
        assert_eq!(answer.status.is_success(), code.is_empty());
        let_in += usize::from(code.is_empty());
    }
    assert_eq!(world.probe.calls(), let_in);
    // Only the three good API tokens were looked up, of which two are one.
    assert_eq!(world.store.faults.calls(), 2);
}

#[tokio::test]
async fn t33_access_tokens_are_judged_without_the_token_store() {
    let world = TokenWorld::new().await;
    world.store.faults.set(crate::tokens_support::Mood::Down);
    let answer = world
        .present(format!("Bearer {}", world.access_token().sign()))
        .await;
    answer.assert_let_in();
    assert_eq!(answer.json()["method"], AuthMethod::OAuth.name());
    assert_eq!(world.store.faults.calls(), 0);
}

#[tokio::test]
async fn keysa_the_key_header_is_opt_in() {
    let world = TokenWorld::new().await;
    let key = world.acme_key.token.expose().to_owned();
    let answer = world.send(post().header("x-api-key", &key)).await;
    assert_eq!(answer.code(), "missing_credential");

    let world = TokenWorld::with(|builder, _| builder.api_key_header("X-Api-Key")).await;
    let key = world.acme_key.token.expose().to_owned();
    world
        .send(post().header("x-api-key", &key))
        .await
        .assert_let_in();
    let both = post()
        .header("x-api-key", &key)
        .header("authorization", bearer(&world.acme_key));
    let twice = post().header("x-api-key", &key).header("x-api-key", &key);
    for request in [both, twice] {
        let answer = world.send(request).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::BAD_REQUEST, "duplicate_credential")
        );
    }
    assert_eq!(world.probe.calls(), 1);
}

/// Shared caches keep no answer to a request with `Authorization` (RFC 9111 §3.5). What another header
/// means they do not know.
#[tokio::test]
async fn auth_18_no_shared_cache_keeps_what_a_key_in_a_header_was_answered() {
    let world = TokenWorld::with(|builder, _| builder.api_key_header("X-Api-Key")).await;
    let by_header = ("x-api-key", world.acme_key.token.expose().to_owned());
    let by_bearer = ("authorization", bearer(&world.acme_key));
    for ((name, value), said, kept) in [
        (&by_header, None, Some("private")),
        (
            &by_header,
            Some("public, max-age=60"),
            Some("public, max-age=60"),
        ),
        (&by_bearer, None, None),
    ] {
        let inner = tower::service_fn(move |_: Request<RequestBody<Empty<Bytes>>>| {
            let mut response = Response::new(Empty::<Bytes>::new());
            if let Some(said) = said {
                let said = said.parse().unwrap();
                response.headers_mut().insert("cache-control", said);
            }
            ready(Ok::<_, Infallible>(response))
        });
        let request = Request::get("/mcp/report.csv")
            .header("host", "mcp.example.com")
            .header(*name, value);
        let service = McpAuthLayer::new(world.auth.clone()).layer(inner);
        let answer = service.oneshot(request.body(Empty::new()).unwrap()).await;
        let answer = Answer::read(answer.unwrap()).await;
        answer.assert_let_in();
        assert_eq!(answer.header("cache-control"), kept, "{name} {said:?}");
    }
}

#[tokio::test]
async fn keysa_03_a_key_bound_to_networks_works_there_only() {
    let world = TokenWorld::new().await;
    let new = NewToken::service_account("acme", "ci").created_by("ada");
    let key = issue(&world.tokens, new.networks(["203.0.113.0/24"])).await;
    for inside in ["203.0.113.5", "::ffff:203.0.113.5"] {
        world
            .present_from(inside, bearer(&key))
            .await
            .assert_let_in();
    }
    for outside in ["203.0.114.5", "2001:db8::1"] {
        let answer = world.present_from(outside, bearer(&key)).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::FORBIDDEN, "network_not_allowed")
        );
    }
    // Nobody knows where it comes from.
    let answer = world.present(bearer(&key)).await;
    assert_eq!(answer.code(), "network_not_allowed");
}

#[tokio::test]
async fn pol_12_a_tokens_own_networks_lead_to_whom_to_ask() {
    let world = TokenWorld::new().await;
    let new = NewToken::service_account("acme", "ci").created_by("ada");
    let key = issue(&world.tokens, new.networks(["203.0.113.0/24"])).await;
    let body = world.present_from("192.0.2.1", bearer(&key)).await.json();
    assert_eq!(body["rule"], "token_networks");
    assert_eq!(
        (&body["policy"], &body["policy_version"]),
        (&json!("acme"), &json!(1))
    );
    assert_eq!((body.get("contact"), body.get("help_url")), (None, None));
    let helpful = OrganizationPolicy::new(organization("acme"))
        .api_tokens(true)
        .contact("Ada in 4.17")
        .help_url("https://help.acme.example/mcp");
    world.policies.put(helpful, 1).await.unwrap();
    let _before = world.audit.take();
    let answer = world.present_from("192.0.2.1", bearer(&key)).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.header("www-authenticate"), None);
    let body = answer.json();
    assert_eq!(body["rule"], "token_networks");
    assert_eq!(body["policy_version"], 2);
    assert_eq!(body["contact"], "Ada in 4.17");
    assert_eq!(body["help_url"], "https://help.acme.example/mcp");
    let mut records = world.audit.take();
    records.retain(|record| record.reason.is_some());
    let policy = records[0].policy.as_ref().unwrap();
    assert_eq!(
        (policy.rule.as_str(), policy.version.as_str()),
        ("token_networks", "2")
    );
}
