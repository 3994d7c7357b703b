//! What a record knows of a credential that was refused, and what else is put on record (EDGE-8).

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::Empty;
use tower::{Layer, ServiceExt};
use tower_mcp_auth::api_token::{ApiTokens, MemoryStore, NewToken, Peppers};
use tower_mcp_auth::audit::{AuditEvent, AuditOutcome, AuditRecord};
use tower_mcp_auth::policy::{PolicyStore, TrustedProxies};
use tower_mcp_auth::testing::MemoryAudit;
use tower_mcp_auth::{McpAuthLayer, OrganizationPolicy};

use crate::support::{I, post};
use crate::tokens_support::{
    ADA, GIL, Mood, TokenWorld, basic, bearer, damaged, encoded, from, issue, organization,
    stranger,
};

const HERE: &str = "203.0.113.5";

fn id(record: &AuditRecord) -> Option<&str> {
    let credential = record.credential.as_ref()?;
    Some(credential.id.as_ref()?.as_str())
}

/// The one record of a request.
async fn one(world: &TokenWorld, request: http::request::Builder) -> AuditRecord {
    let _before = world.audit.take();
    world.send(request).await;
    let mut records = world.audit.take();
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0)
}

async fn by(world: &TokenWorld, authorization: String) -> AuditRecord {
    one(world, from(HERE).header("authorization", authorization)).await
}

#[tokio::test]
async fn edge_08_a_refused_token_is_named_by_its_id() {
    let world = TokenWorld::new().await;
    let personal = || NewToken::personal("acme", "ada", ADA);
    let rolled = issue(&world.tokens, personal()).await;
    world
        .tokens
        .roll(rolled.record.id(), Duration::ZERO)
        .await
        .unwrap();
    let revoked = issue(&world.tokens, personal()).await;
    world.tokens.revoke(revoked.record.id()).await.unwrap();
    let expired = issue(&world.tokens, personal().expires_in(Duration::from_secs(1))).await;
    world.clock.advance(Duration::from_secs(1));
    let key_as_basic = encoded(format!("{ADA}:{}", world.acme_key.token.expose()));
    let personal_as_bearer = bearer(&world.acme_user);
    let cases = [
        (basic(ADA, &rolled), &rolled, "invalid_api_token"),
        (
            basic("eve@acme.example", &world.acme_user),
            &world.acme_user,
            "invalid_api_token",
        ),
        (basic(ADA, &revoked), &revoked, "invalid_api_token"),
        (basic(ADA, &expired), &expired, "invalid_api_token"),
        (key_as_basic, &world.acme_key, "wrong_scheme_for_token"),
        (
            personal_as_bearer,
            &world.acme_user,
            "wrong_scheme_for_token",
        ),
        (
            basic(GIL, &world.globex_user),
            &world.globex_user,
            "method_disabled",
        ),
        (
            bearer(&world.globex_key),
            &world.globex_key,
            "method_disabled",
        ),
    ];
    for (authorization, token, reason) in cases {
        let record = by(&world, authorization).await;
        assert_eq!(record.reason.unwrap().code(), reason);
        assert_eq!(id(&record), Some(token.record.id().as_str()), "{reason}");
        assert_eq!(
            record.method,
            Some(match token.record.kind().as_str() {
                "personal" => "api_token",
                _ => "service_account_key",
            })
        );
        assert!(!record.credential.unwrap().exposed);
    }
}

#[tokio::test]
async fn edge_08_a_throttled_token_is_named_and_a_damaged_one_is_not() {
    let world = TokenWorld::new().await;
    let wrong = basic("eve@acme.example", &world.acme_user);
    for _ in 0..5 {
        world.present_from(HERE, &wrong).await;
    }
    let record = by(&world, wrong).await;
    assert_eq!(record.event, AuditEvent::AuthThrottled);
    assert_eq!(id(&record), Some(world.acme_user.record.id().as_str()));
    let record = by(&world, format!("Bearer {}", damaged(&world.acme_key))).await;
    assert_eq!(record.method, Some("service_account_key"));
    assert_eq!(record.credential, None);
    let record = by(&world, encoded("ada@x.io:password")).await;
    assert_eq!(
        (record.method, record.credential),
        (Some("api_token"), None)
    );
    let record = by(&world, "Bearer a.b.c".to_owned()).await;
    assert_eq!((record.method, record.credential), (Some("oauth2"), None));
    let record = by(&world, "Digest x".to_owned()).await;
    assert_eq!((record.method, record.credential), (None, None));
}

#[tokio::test]
async fn bas_14_what_crossed_in_the_clear_is_flagged() {
    let proxies = TrustedProxies::new(["10.0.0.0/8"]).unwrap();
    let world = TokenWorld::with(|builder, _| builder.trusted_proxies(proxies)).await;
    let cases = [
        (basic(ADA, &world.acme_user), &world.acme_user, 403),
        (bearer(&world.acme_key), &world.acme_key, 403),
        // Refused for another reason first; exposed all the same.
        (bearer(&world.acme_user), &world.acme_user, 401),
    ];
    for (authorization, token, status) in cases {
        let request = from("10.0.0.1")
            .header("x-forwarded-for", HERE)
            .header("x-forwarded-proto", "http")
            .header("authorization", authorization);
        let record = one(&world, request).await;
        assert_eq!(record.status, Some(status));
        assert!(record.to_json().contains("\"exposed\":true"));
        assert_eq!(id(&record), Some(token.record.id().as_str()));
    }
}

#[tokio::test]
async fn edge_08_an_email_is_recognized_and_not_shown() {
    let keyed = || TokenWorld::with(|builder, _| builder.audit_key([7; 32]));
    let world = keyed().await;
    let hash = |record: AuditRecord| record.email_hash.map(|hash| hash.as_str().to_owned());
    let good = hash(by(&world, basic(ADA, &world.acme_user)).await).unwrap();
    assert_eq!(good.len(), 32);
    assert!(good.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let other = hash(by(&world, basic("eve@x.io", &world.acme_user)).await);
    assert_ne!(other.as_deref(), Some(&*good));
    let upper = hash(by(&world, encoded(format!("{}:guess", ADA.to_uppercase()))).await);
    assert_eq!(upper.as_deref(), Some(&*good));
    let again = keyed().await;
    assert_eq!(
        hash(by(&again, encoded(format!("{ADA}:guess"))).await),
        upper
    );
    let random = TokenWorld::new().await;
    let elsewhere = hash(by(&random, encoded(format!("{ADA}:guess"))).await);
    assert!(elsewhere.is_some() && elsewhere != upper);
    assert_eq!(hash(by(&world, bearer(&world.acme_key)).await), None);
    assert_eq!(hash(by(&world, "Basic %%%".to_owned()).await), None);
}

#[tokio::test]
async fn edge_08_records_name_their_instance_and_their_trace() {
    let world = TokenWorld::with(|builder, _| builder.audit_instance("web-1")).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let record = one(&world, post().header("traceparent", &parent)).await;
    assert_eq!(record.trace_id.unwrap(), trace);
    assert_eq!(record.instance.unwrap(), "web-1");
    let twice = post().header("traceparent", &parent);
    let record = one(&world, twice.header("traceparent", &parent)).await;
    assert_eq!(record.trace_id, None);
    let record = one(&world, post().header("traceparent", "00-abc")).await;
    assert_eq!(record.trace_id, None);
    world.auth.handle().revoke_issuer(I).await.unwrap();
    assert_eq!(world.audit.take()[0].instance.as_ref().unwrap(), "web-1");
}

#[tokio::test(start_paused = true)]
async fn edge_08_whoever_goes_away_leaves_a_record() {
    let world = TokenWorld::new().await;
    world.store.faults.set(Mood::Hangs);
    let _before = world.audit.take();
    let request = from(HERE)
        .header("authorization", basic(ADA, &world.acme_user))
        .header("x-request-id", "req-1");
    let service = McpAuthLayer::new(world.auth.clone()).layer(world.probe.clone());
    let answer = service.oneshot(request.body(Empty::<Bytes>::new()).unwrap());
    let gone = tokio::time::timeout(Duration::from_millis(10), answer).await;
    assert!(gone.is_err());
    let records = world.audit.take();
    assert_eq!(records.len(), 1, "{records:?}");
    let record = &records[0];
    assert_eq!(
        (record.event.name(), record.outcome),
        ("auth.abandoned", AuditOutcome::Error)
    );
    assert_eq!(record.status, None);
    assert_eq!(record.request_id.as_ref().unwrap(), "req-1");
    assert_eq!(record.net.unwrap().client, HERE.parse().ok());
    assert_eq!(record.target.as_ref().unwrap().path, "/mcp");
    assert_eq!(id(record), Some(world.acme_user.record.id().as_str()));
    // Decided after a wait, there is one record and it is not that one.
    world.store.faults.set(Mood::Well);
    world.clock.advance(Duration::from_secs(60));
    world.present(bearer(&world.acme_key)).await.assert_let_in();
    let records = world.audit.take();
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0].event, AuditEvent::AuthOk);
}

#[tokio::test]
async fn edge_08_a_panic_while_waiting_is_one_record() {
    let world = TokenWorld::new().await;
    world.store.faults.set(Mood::Panics);
    let _before = world.audit.take();
    let answer = world.ada().await;
    assert!(answer.status.is_server_error());
    let events: Vec<_> = world
        .audit
        .take()
        .iter()
        .map(|record| record.event)
        .collect();
    assert_eq!(events, [AuditEvent::AuthUnavailable]);
}

#[tokio::test]
async fn edge_08_revocations_are_on_record() {
    let world = TokenWorld::new().await;
    let key = world.context(bearer(&world.acme_key)).await.unwrap().key();
    let _before = world.audit.take();
    let handle = world.auth.handle();
    handle.revoke_token(I, "j-1").await.unwrap();
    handle.revoke_principal(&key).await.unwrap();
    handle
        .revoke_organization(&organization("acme"))
        .await
        .unwrap();
    handle.revoke_issuer(I).await.unwrap();
    let found: Vec<_> = world
        .audit
        .take()
        .into_iter()
        .map(|record| {
            assert_eq!(record.event.name(), "revocation.applied");
            assert_eq!(record.outcome.name(), "done");
            let revocation = record.revocation.unwrap();
            (
                revocation.kind,
                revocation.id.as_str().to_owned(),
                revocation.issuer.is_some(),
            )
        })
        .collect();
    let expected = [
        ("token", "j-1", true),
        ("principal", key.as_str(), false),
        ("organization", "acme", false),
        ("issuer", I, false),
    ];
    assert_eq!(
        found,
        expected.map(|(kind, id, issuer)| (kind, id.to_owned(), issuer))
    );
}

#[tokio::test]
async fn edge_08_a_changed_policy_is_on_record_with_its_version() {
    let world = TokenWorld::new().await;
    let _before = world.audit.take();
    let off = OrganizationPolicy::new(organization("acme"));
    world.policies.put(off.clone(), 1).await.unwrap();
    // Refused, and so no change.
    world.policies.put(off, 1).await.unwrap_err();
    let mut records = Vec::new();
    while records.is_empty() {
        tokio::task::yield_now().await;
        records = world.audit.take();
    }
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(records.len() + world.audit.take().len(), 1);
    let record = &records[0];
    assert_eq!(record.event.name(), "policy.changed");
    assert_eq!(record.organization.as_ref().unwrap(), "acme");
    assert_eq!(record.policy.as_ref().unwrap().version, "2");
    // The answer to a request is the change's, too.
    assert_eq!(world.ada().await.status, StatusCode::UNAUTHORIZED);
}

async fn life_of_a_token(tokens: &ApiTokens, audit: &MemoryAudit) {
    let wish = NewToken::service_account("acme", "ci").created_by("grace");
    let issued = issue(tokens, wish).await;
    let token = issued.record.id();
    let rolled = tokens.roll(token, Duration::ZERO).await.unwrap();
    let found = format!("curl -H 'Authorization: Bearer {}'", rolled.token.expose());
    tokens.revoke_leaked(&found).await.unwrap();
    // Revoked already: nothing happens.
    tokens.revoke(token).await.unwrap();
    let records = audit.take();
    let events: Vec<_> = records.iter().map(|record| record.event.name()).collect();
    let expected = [
        "token.created",
        "token.rolled",
        "token.revoked",
        "token.leaked",
    ];
    assert_eq!(events, expected);
    let first = records[0].seq;
    for (record, seq) in records.iter().zip(first..) {
        assert_eq!(record.seq, seq);
        assert_eq!(record.outcome, AuditOutcome::Done);
        assert_eq!(id(record), Some(token.as_str()));
        assert_eq!(record.organization.as_ref().unwrap(), "acme");
        assert_eq!(record.principal.as_ref().unwrap().subject, "ci");
        assert_eq!(record.principal.as_ref().unwrap().kind, "service_account");
        assert_eq!(record.created_by.as_ref().unwrap(), "grace");
        assert_eq!(record.scopes.len(), 1);
        let secret = issued.token.expose().rsplit('_').next().unwrap();
        assert!(!record.to_json().contains(secret));
    }
}

#[tokio::test]
async fn edge_08_the_life_of_an_api_token_is_on_record() {
    // With an authenticator, in its sink and under its numbers, whichever clone did it.
    let world = TokenWorld::new().await;
    let _issued_for_the_world = world.audit.take();
    life_of_a_token(&world.tokens, &world.audit).await;
    // Without one, in a sink of its own.
    let audit = MemoryAudit::new();
    let tokens = ApiTokens::new(MemoryStore::new(), Peppers::generate().unwrap());
    life_of_a_token(&tokens.audit(audit.clone()), &audit).await;
}

#[tokio::test]
async fn t29_a_token_that_fails_everywhere_is_reported_and_not_locked_out() {
    let world = TokenWorld::new().await;
    let wrong = basic("eve@acme.example", &world.acme_user);
    let nobodys = stranger(NewToken::personal("acme", "ada", ADA)).await;
    let nobodys = basic(ADA, &nobodys);
    let failing = |records: Vec<AuditRecord>| {
        let mut records = records;
        records.retain(|record| record.event == AuditEvent::TokenFailing);
        records
    };
    // Twenty addresses, four failures each: none of them reaches a limit of its own.
    for round in 0..4 {
        for host in 0..20 {
            let (one, other) = (format!("192.0.2.{host}"), format!("198.51.100.{host}"));
            let answer = world.present_from(&one, &wrong).await;
            assert_eq!(answer.code(), "invalid_api_token");
            let answer = world.present_from(&other, &nobodys).await;
            assert_eq!(answer.code(), "invalid_api_token");
        }
        let told = failing(world.audit.take());
        assert_eq!(told.len(), usize::from(round == 2), "{told:?}");
        if let Some(record) = told.first() {
            assert_eq!(record.event.name(), "token.failing");
            assert_eq!(id(record), Some(world.acme_user.record.id().as_str()));
            assert_eq!(record.organization.as_ref().unwrap(), "acme");
            assert!(!record.to_json().contains(ADA));
        }
        world.ada().await.assert_let_in();
    }
}

#[test]
fn edge_08_settings_of_the_trail_are_examined() {
    use tower_mcp_auth::{Authenticator, Issuer, ProtectedResource};
    let auth =
        || Authenticator::builder(ProtectedResource::new(crate::support::R).issuer(Issuer::new(I)));
    let long = "x".repeat(65);
    let cases = [
        (
            auth().audit(MemoryAudit::new()).audit_instance(""),
            "audit_instance",
        ),
        (
            auth().audit(MemoryAudit::new()).audit_instance("web 1"),
            "audit_instance",
        ),
        (
            auth().audit(MemoryAudit::new()).audit_instance(long),
            "audit_instance",
        ),
        (auth().audit_instance("web-1"), "audit_instance"),
        (
            auth().audit(MemoryAudit::new()).audit_key(b"hunter2canary"),
            "audit_key",
        ),
        (auth().audit_key([7; 32]), "audit_key"),
    ];
    for (builder, setting) in cases {
        let error = builder.build().unwrap_err();
        assert_eq!(error.problems().len(), 1, "{error}");
        assert!(error.to_string().contains(setting), "{error}");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    }
}
