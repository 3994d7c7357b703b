//! Nobody is let in without a record of it, where that is wanted (R26).

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::Bytes;
use http_body_util::Empty;
use tower::{Layer, ServiceExt};
use tower_mcp_auth::audit::{
    AuditEvent, AuditOutcome, AuditRecord, AuditSink, JsonLinesAudit, SinkState,
};
use tower_mcp_auth::authenticator::{Condition, Part};
use tower_mcp_auth::testing::MemoryAudit;
use tower_mcp_auth::{Authenticator, AuthorizeToolLayer, Issuer, McpAuthLayer, Reason, ToolRules};

use crate::support::{Answer, I, World, described, post};
use crate::tokens_support::TokenWorld;

const STATES: [SinkState; 4] = [
    SinkState::Full,
    SinkState::Failing,
    SinkState::Unheard,
    SinkState::Closed,
];

async fn world(required: bool) -> TokenWorld {
    TokenWorld::with(|builder, _| {
        if required {
            builder.audit_required()
        } else {
            builder
        }
    })
    .await
}

#[track_caller]
fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.code_in_body(), "temporarily_unavailable");
    assert_eq!(answer.status.as_u16(), 503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.header("www-authenticate"), None);
}

#[tokio::test]
async fn r26_who_cannot_be_put_on_record_gets_503_and_keeps_the_credential() {
    let world = world(true).await;
    world.ada().await.assert_let_in();
    let calls = world.probe.calls();
    for state in STATES {
        world.audit.set_state(state);
        let _before = world.audit.take();
        let token = world.access_token().sign();
        for answer in [
            world.ada().await,
            world.robot().await,
            world.present(format!("Bearer {token}")).await,
        ] {
            assert_unavailable(&answer);
        }
        assert_eq!(world.probe.calls(), calls, "nothing gets through");
        // That is on record, as far as the sink takes it, with whom it was about and a number each.
        let records = world.audit.take();
        let [first, .., last] = &records[..] else {
            panic!("{records:?}");
        };
        assert_eq!((records.len(), last.seq - first.seq), (3, 2), "no gap");
        for record in &records {
            assert_eq!(record.event, AuditEvent::AuthUnavailable);
            assert_eq!(record.outcome, AuditOutcome::Error);
            assert_eq!(record.reason, Some(Reason::AuditUnavailable));
            assert_eq!(record.status, Some(503));
            assert!(record.principal.is_some() && record.request_id.is_some());
        }
    }
    world.audit.set_state(SinkState::Ready);
    world.ada().await.assert_let_in();
}

#[tokio::test]
async fn r26_a_refusal_stays_what_it_is_and_is_no_way_in() {
    let world = world(true).await;
    let bad = world.access_token().expires_in(-600).sign();
    let bad = format!("Bearer {bad}");
    let before = world.present(&bad).await;
    world.audit.set_state(SinkState::Full);
    let answer = world.present(&bad).await;
    assert_eq!(answer.status, before.status);
    assert_eq!(answer.code_in_body(), before.code_in_body());
    assert_eq!(world.send(post()).await.status.as_u16(), 401);
    assert_eq!(world.probe.calls(), 0);
}

#[tokio::test]
async fn r26_without_the_switch_requests_go_on_and_the_record_is_tried() {
    let world = world(false).await;
    world.audit.set_state(SinkState::Failing);
    world.ada().await.assert_let_in();
    assert_eq!(world.audit.records()[0].event, AuditEvent::AuthOk);
    let health = world.auth.health();
    assert_eq!(health.worst(Part::Audit), Some(Condition::Degraded));
    assert!(health.ready && health.live);
}

#[tokio::test]
async fn r26_health_says_that_records_are_required_and_not_taken() {
    let world = world(true).await;
    assert_eq!(
        world.auth.health().worst(Part::Audit),
        Some(Condition::Fresh)
    );
    for state in STATES {
        world.audit.set_state(state);
        let health = world.auth.health();
        assert_eq!(health.worst(Part::Audit), Some(Condition::Down));
        assert!(!health.ready);
        assert_eq!(health.live, state != SinkState::Closed);
    }
}

#[tokio::test]
async fn r26_authenticate_refuses_too() {
    let world = world(true).await;
    let credential = format!("Bearer {}", world.access_token().sign());
    world.context(&credential).await.unwrap();
    world.audit.set_state(SinkState::Full);
    let rejection = world.context(&credential).await.unwrap_err();
    assert_eq!(rejection.reason(), Reason::AuditUnavailable);
}

/// What is refused behind the credential is refused whatever the sink does, and nothing is asked of it
/// twice.
#[tokio::test]
async fn r26_an_inner_layer_asks_for_no_second_record() {
    let audit = MemoryAudit::new();
    let world = World::cold();
    let auth = Authenticator::builder(described(Issuer::new(I)))
        .clock(world.clock.clone())
        .fetch(world.issuer.fetch())
        .tools(ToolRules::new())
        .audit(audit.clone())
        .audit_required()
        .build()
        .unwrap();
    let inner = AuthorizeToolLayer::new(auth.clone()).layer(world.probe.clone());
    let service = tower_mcp_auth::AuthenticateLayer::new(auth).layer(inner);
    let request = post()
        .header("authorization", format!("Bearer {}", world.token().sign()))
        .body(Empty::<Bytes>::new())
        .unwrap();
    service.oneshot(request).await.unwrap();
    let granted = |record: &&AuditRecord| record.event == AuditEvent::AuthOk;
    assert_eq!(audit.records().iter().filter(granted).count(), 1);
}

/// Panics whenever it is asked for anything.
struct Broken;

impl AuditSink for Broken {
    fn record(&self, _: &AuditRecord) {
        panic!("a fault of the sink");
    }
}

#[tokio::test]
async fn r26_a_sink_that_panics_takes_no_records() {
    let world = TokenWorld::with(|builder, _| builder.audit(Broken).audit_required()).await;
    assert_unavailable(&world.ada().await);
    assert_eq!(world.probe.calls(), 0);
}

#[test]
fn r26_required_without_a_sink_is_a_mistake() {
    let builder = Authenticator::builder(described(Issuer::new(I)));
    let error = builder.audit_required().build().unwrap_err();
    assert_eq!(error.problems()[0].field, "audit_required");
}

/// Stands still until the test lets it go on.
struct Slow(Receiver<()>, Sender<()>);

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.1.send(());
        let _ = self.0.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Many at once, a queue of eight, a writer that does not move: as many are served as have a place.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r26_no_more_are_served_than_have_a_place_in_the_queue() {
    let (go_on, go) = channel();
    let (started, has_started) = channel();
    let audit = JsonLinesAudit::with_capacity(Slow(go, started), 8).unwrap();
    let sink = audit.clone();
    let world = TokenWorld::with(|builder, _| builder.audit(sink).audit_required()).await;
    let world = Arc::new(world);
    // The four tokens of this world are on record: let that through, and hold the writer then.
    for _ in 0..4 {
        has_started.recv().unwrap();
        go_on.send(()).unwrap();
    }
    world.ada().await.assert_let_in();
    has_started.recv().unwrap();
    let served_before = world.probe.calls();
    let waiting_before = audit.waiting();
    let layered = McpAuthLayer::new(world.auth.clone()).layer(world.probe.clone());
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let (service, token) = (layered.clone(), world.access_token().sign());
            let request = post().header("authorization", format!("Bearer {token}"));
            let request = request.body(Empty::<Bytes>::new()).unwrap();
            tokio::spawn(async move { service.oneshot(request).await.unwrap().status() })
        })
        .collect();
    let mut served = 0;
    for task in tasks {
        match task.await.unwrap().as_u16() {
            200 => served += 1,
            status => assert_eq!(status, 503),
        }
    }
    assert_eq!(world.probe.calls() - served_before, served);
    assert_eq!(
        audit.waiting() - waiting_before,
        served,
        "each has its record"
    );
    assert!(served <= 6, "{served}: a quarter is for others");
    drop(go_on);
    audit.close().unwrap();
}
