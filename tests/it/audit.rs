//! One record of every decision (EDGE-8).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::StatusCode;
use tower_mcp_auth::audit::{AuditEvent, AuditRecord, AuditSink};
use tower_mcp_auth::policy::PolicyStore;
use tower_mcp_auth::{AuthMethod, OrganizationPolicy};

use crate::support::{Answer, R, post};
use crate::tokens_support::{
    ADA, GIL, Mood, TokenWorld, basic, bearer, encoded, from, organization,
};

const HERE: &str = "203.0.113.5";

/// The one record of this request, and its answer.
async fn recorded(world: &TokenWorld, authorization: &str) -> (AuditRecord, Answer) {
    let _before = world.audit.take();
    let request = from(HERE).header("x-request-id", "req-1");
    let answer = world
        .send(request.header("authorization", authorization))
        .await;
    let mut records = world.audit.take();
    // A changed policy is put on record whenever its new version has been read.
    records.retain(|record| record.event != AuditEvent::PolicyChanged);
    assert_eq!(records.len(), 1, "{records:?}");
    let record = records.remove(0);
    assert_eq!(record.request_id.as_ref().unwrap().as_str(), "req-1");
    let target = record.target.as_ref().unwrap();
    let target =
        [&target.resource, &target.method, &target.path].map(|text| text.as_str().to_owned());
    assert_eq!(target, [R, "POST", "/mcp"]);
    assert_eq!(record.net.unwrap().client, HERE.parse().ok());
    assert!(!record.net.unwrap().via_trusted_proxy);
    (record, answer)
}

#[track_caller]
fn assert_about(record: &AuditRecord, kind: &str, subject: &str, organization: &str) {
    let principal = record.principal.as_ref().unwrap();
    assert_eq!(
        (principal.kind, principal.subject.as_str()),
        (kind, subject)
    );
    assert_eq!(record.organization.as_ref().unwrap().as_str(), organization);
}

#[tokio::test]
async fn edge_08_every_method_let_in_is_on_record() {
    let world = TokenWorld::new().await;
    let oauth = format!("Bearer {}", world.access_token().claim("jti", "j-1").sign());
    let cases = [
        (oauth, AuthMethod::OAuth, "user", "alice", "j-1".to_owned()),
        (
            basic(ADA, &world.acme_user),
            AuthMethod::ApiToken,
            "user",
            "ada",
            world.acme_user.record.id().to_string(),
        ),
        (
            bearer(&world.acme_key),
            AuthMethod::ServiceAccountKey,
            "service_account",
            "robot",
            world.acme_key.record.id().to_string(),
        ),
    ];
    for (authorization, method, kind, subject, id) in cases {
        let (record, answer) = recorded(&world, &authorization).await;
        answer.assert_let_in();
        assert_eq!((record.event, record.reason), (AuditEvent::AuthOk, None));
        assert_eq!(record.method, Some(method.name()));
        assert_about(&record, kind, subject, "acme");
        let credential = record.credential.as_ref().unwrap();
        assert_eq!(credential.id.as_ref().unwrap().as_str(), id);
        let client = credential
            .client
            .as_ref()
            .map(|client| client.as_str().to_owned());
        assert_eq!(client.is_some(), method == AuthMethod::OAuth);
        assert_eq!(record.scopes.len(), 1);
        assert_eq!(record.policy.as_ref().unwrap().version.as_str(), "1");
    }
}

#[tokio::test]
async fn edge_08_a_refusal_is_on_record_without_a_principal() {
    let world = TokenWorld::new().await;
    let wrong = basic("eve@acme.example", &world.acme_user);
    let cases = [
        ("Bearer a.b.c".to_owned(), 401),
        (encoded("a:b"), 401),
        (wrong, 401),
        ("Digest x".to_owned(), 401),
    ];
    for (authorization, status) in cases {
        let (record, answer) = recorded(&world, &authorization).await;
        assert_eq!(record.event, AuditEvent::AuthFail);
        assert_eq!(record.reason.unwrap().code(), answer.code());
        assert_eq!(record.status, Some(status));
        assert_eq!(answer.status.as_u16(), status);
        assert!(record.principal.is_none());
        assert_eq!(answer.json()["request_id"], "req-1");
    }
}

#[tokio::test]
async fn edge_08_a_policys_no_names_whom_and_which_rule() {
    let world = TokenWorld::new().await;
    let (record, answer) = recorded(&world, &basic(GIL, &world.globex_user)).await;
    assert_eq!(answer.code(), "method_disabled");
    assert_about(&record, "user", "gil", "globex");
    assert_eq!(record.method, Some(AuthMethod::ApiToken.name()));
    assert_eq!(
        record.policy.as_ref().unwrap().rule.as_str(),
        answer.json()["rule"]
    );

    let elsewhere = OrganizationPolicy::new(organization("acme"))
        .api_tokens(true)
        .network("192.0.2.0/24");
    world.policies.put(elsewhere, 1).await.unwrap();
    for authorization in [
        bearer(&world.acme_key),
        format!("Bearer {}", world.access_token().sign()),
    ] {
        let (record, answer) = recorded(&world, &authorization).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::FORBIDDEN, "network_not_allowed")
        );
        assert_eq!(
            (record.event, record.status),
            (AuditEvent::AuthDenied, Some(403))
        );
        assert!(record.principal.is_some() && record.credential.is_some());
        let policy = record.policy.as_ref().unwrap();
        assert_eq!(policy.rule.as_str(), answer.json()["rule"]);
        assert_eq!(policy.version.as_str(), "2");
    }
}

#[tokio::test]
async fn edge_08_as_403_a_switched_off_method_is_a_denial() {
    let world = TokenWorld::with(|builder, _| builder.disabled_method_is_forbidden()).await;
    let (record, answer) = recorded(&world, &bearer(&world.globex_key)).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(
        (record.event, record.status),
        (AuditEvent::AuthDenied, Some(403))
    );
}

#[tokio::test]
async fn edge_08_throttled_and_unavailable_are_on_record() {
    let world = TokenWorld::new().await;
    for _ in 0..20 {
        world.present_from(HERE, "Basic %%%").await;
    }
    let (record, _) = recorded(&world, &basic(ADA, &world.acme_user)).await;
    assert_eq!(
        (record.event, record.status),
        (AuditEvent::AuthThrottled, Some(429))
    );

    let world = TokenWorld::new().await;
    world.store.faults.set(Mood::Down);
    let (record, _) = recorded(&world, &basic(ADA, &world.acme_user)).await;
    assert_eq!(
        (record.event, record.status),
        (AuditEvent::AuthUnavailable, Some(503))
    );
    assert_eq!(record.reason.unwrap().code(), "store_unavailable");
}

#[tokio::test]
async fn edge_10_no_record_holds_a_secret() {
    let world = TokenWorld::new().await;
    let jwt = world.access_token().sign();
    let user = world.acme_user.token.expose().to_owned();
    let key = world.globex_key.token.expose().to_owned();
    for authorization in [
        encoded(format!("{ADA}:{user}")),
        encoded(format!("eve@acme.example:{user}")),
        format!("Bearer {user}"),
        format!("Bearer {key}"),
        format!("Bearer {jwt}"),
        format!("Bearer {jwt}x"),
    ] {
        world.present_from(HERE, authorization).await;
    }
    let records = world.audit.take();
    assert_eq!(records.len(), 6);
    let secrets = [
        user.rsplit('_').next().unwrap(),
        key.rsplit('_').next().unwrap(),
        jwt.rsplit('.').next().unwrap(),
        ADA,
    ];
    for record in records {
        let text = format!("{}{record:?}", record.to_json());
        assert!(
            secrets.iter().all(|secret| !text.contains(secret)),
            "{text}"
        );
    }
}

#[tokio::test]
async fn edge_08_a_sink_that_panics_changes_no_answer() {
    struct Fragile;
    impl AuditSink for Fragile {
        fn record(&self, _: &AuditRecord) {
            panic!("a fault of the sink");
        }
    }
    let world = TokenWorld::with(|builder, _| builder.audit(Fragile)).await;
    world.ada().await.assert_let_in();
    world.robot().await.assert_let_in();
    assert_eq!(
        world.present("Basic %%%").await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(world.probe.calls(), 2);
}

#[tokio::test]
async fn edge_08_decision_and_record_share_one_look_at_the_sender() {
    let looks = Arc::new(AtomicUsize::new(0));
    let counted = looks.clone();
    let world = TokenWorld::with(|builder, _| {
        builder.peer_address(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            HERE.parse().ok()
        })
    })
    .await;
    world.ada().await.assert_let_in();
    world.present("Basic %%%").await;
    world
        .send(post().header("origin", "https://evil.example"))
        .await;
    assert_eq!(looks.load(Ordering::SeqCst), 3);
    let records = world.audit.take();
    assert_eq!(records.len(), 3);
    for record in records {
        assert_eq!(record.net.unwrap().client, HERE.parse().ok());
    }
}

#[tokio::test]
async fn r15_a_panic_while_looking_for_the_peer_is_a_refusal_on_record() {
    let world = TokenWorld::with(|builder, _| builder.peer_address(|_| panic!("a fault"))).await;
    let answer = world.ada().await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    let records = world.audit.take();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].reason.unwrap().code(), "internal");
    assert_eq!(records[0].net, None);
    assert_eq!(world.probe.calls(), 0);
}
