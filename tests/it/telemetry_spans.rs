//! Spans: one per decision, at a level that fits, with stable fields and nothing about people.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use tower::{Layer as _, ServiceBuilder, ServiceExt};
use tower_http::trace::TraceLayer;
use tower_mcp_auth::{McpAuthLayer, ToolRules};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use crate::support::{I, R, World, post};
use crate::tokens_support::{Mood, TokenWorld, from};

const DECISION: &str = "mcp_auth.decision";

#[derive(Clone, Debug, Default)]
struct Seen {
    name: &'static str,
    target: &'static str,
    level: String,
    parent: Option<&'static str>,
    fields: BTreeMap<&'static str, String>,
    /// The messages of events within.
    events: Vec<String>,
    closed: bool,
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

impl Seen {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

/// Remembers every span in the order in which they were made.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<(u64, Seen)>>>);

impl Spans {
    /// Listens in this thread, up to this level.
    fn listen(level: LevelFilter) -> (Self, DefaultGuard) {
        let spans = Self::default();
        let subscriber = Registry::default().with(level).with(spans.clone());
        (spans, tracing::subscriber::set_default(subscriber))
    }

    fn named(&self, name: &str) -> Vec<Seen> {
        let all = self.0.lock().unwrap();
        let named = all.iter().map(|(_, seen)| seen);
        named.filter(|seen| seen.name == name).cloned().collect()
    }

    fn change(&self, id: &Id, change: impl FnOnce(&mut Seen)) {
        let mut all = self.0.lock().unwrap();
        // Ids are used again.
        let found = all
            .iter_mut()
            .rev()
            .find(|(known, _)| *known == id.into_u64());
        change(&mut found.unwrap().1);
    }
}

impl<S: Subscriber + for<'l> LookupSpan<'l>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let metadata = attributes.metadata();
        let parent = context.span(id).and_then(|span| span.parent());
        let mut seen = Seen {
            name: metadata.name(),
            target: metadata.target(),
            level: metadata.level().to_string(),
            parent: parent.map(|parent| parent.name()),
            ..Seen::default()
        };
        attributes.record(&mut seen);
        self.0.lock().unwrap().push((id.into_u64(), seen));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        self.change(id, |seen| values.record(seen));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(span) = context.event_span(event) else {
            return;
        };
        let mut said = Seen::default();
        event.record(&mut said);
        let message = said.field("message").unwrap_or_default().to_owned();
        self.change(&span.id(), |seen| seen.events.push(message));
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        self.change(&id, |seen| seen.closed = true);
    }
}

#[track_caller]
fn one(spans: &Spans, name: &str) -> Seen {
    let mut named = spans.named(name);
    assert_eq!(named.len(), 1, "{named:#?}");
    named.remove(0)
}

#[tokio::test]
async fn a_decision_from_memory_is_a_span_at_debug_and_none_at_info() {
    for (level, count) in [(LevelFilter::INFO, 0), (LevelFilter::DEBUG, 1)] {
        let world = World::warm().await;
        let good = world.token().sign();
        world.bearer(&good).await.assert_let_in();
        let (spans, _listening) = Spans::listen(level);
        world.bearer(&good).await.assert_let_in();
        assert_eq!(spans.named(DECISION).len(), count, "{level}");
        if count == 1 {
            let span = one(&spans, DECISION);
            assert_eq!(
                (span.level.as_str(), span.target),
                ("DEBUG", "tower_mcp_auth")
            );
            assert_eq!(span.field("mcp_auth.method"), Some("oauth2"));
            assert_eq!(span.field("mcp_auth.outcome"), Some("allowed"));
            assert_eq!(span.field("mcp_auth.waited"), Some("false"));
            assert_eq!(span.field("http.request.method"), Some("POST"));
            assert_eq!(span.field("error.type"), None);
            assert!(span.closed);
        }
    }
}

#[tokio::test]
async fn a_decision_that_waits_is_a_span_at_info_with_its_fetch_within() {
    let world = World::cold();
    let (spans, _listening) = Spans::listen(LevelFilter::INFO);
    world.bearer(&world.token().sign()).await.assert_let_in();
    let span = one(&spans, DECISION);
    assert_eq!(span.level, "INFO");
    assert_eq!(span.field("mcp_auth.outcome"), Some("allowed"));
    assert_eq!(span.field("mcp_auth.waited"), Some("true"));
    let fetch = one(&spans, "mcp_auth.fetch");
    assert_eq!(fetch.parent, Some(DECISION));
    assert_eq!(fetch.field("mcp_auth.kind"), Some("keys"));
    assert_eq!(fetch.field("mcp_auth.issuer"), Some(I));
    assert!(
        fetch.events.contains(&"keys refreshed".to_owned()),
        "{fetch:?}"
    );
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(one(&spans, DECISION).closed, "with its fetch");
}

#[tokio::test]
async fn whoever_joins_a_fetch_has_a_span_of_their_own() {
    let world = World::cold();
    let (spans, _listening) = Spans::listen(LevelFilter::INFO);
    let good = world.token().sign();
    tokio::join!(world.bearer(&good), world.bearer(&good));
    let decisions = spans.named(DECISION);
    assert_eq!(decisions.len(), 2);
    assert!(
        decisions
            .iter()
            .all(|span| span.field("mcp_auth.waited") == Some("true"))
    );
    one(&spans, "mcp_auth.fetch");
}

#[tokio::test]
async fn a_refusal_is_a_span_at_info_with_its_reason_and_its_event() {
    let world = World::warm().await;
    let (spans, listening) = Spans::listen(LevelFilter::INFO);
    world.bearer(&world.token().expires_in(-100).sign()).await;
    let span = one(&spans, DECISION);
    assert_eq!(span.field("mcp_auth.outcome"), Some("refused"));
    assert_eq!(span.field("error.type"), Some("expired"));
    assert_eq!(span.field("mcp_auth.method"), Some("oauth2"));
    assert!(span.closed);
    drop(listening);
    let (spans, _listening) = Spans::listen(LevelFilter::DEBUG);
    world.bearer(&world.token().expires_in(-100).sign()).await;
    let span = one(&spans, DECISION);
    assert_eq!(span.events, ["request refused"]);
}

#[tokio::test]
async fn reads_of_stores_and_their_failures_stand_within() {
    let world = TokenWorld::new().await;
    world.policies.faults.set(Mood::Down);
    let (spans, _listening) = Spans::listen(LevelFilter::INFO);
    world.ada().await;
    let span = one(&spans, DECISION);
    assert_eq!(span.field("mcp_auth.outcome"), Some("unavailable"));
    assert_eq!(span.field("error.type"), Some("policy_unavailable"));
    assert_eq!(span.events, ["request refused: a backend is out of reach"]);
    let reads = spans.named("mcp_auth.read");
    // The first is started by the decision; those it needs after that, while it waits.
    assert!(
        reads.iter().all(|read| read.parent == Some(DECISION)),
        "{reads:#?}"
    );
    let failed = reads.iter().flat_map(|read| &read.events);
    assert_eq!(failed.collect::<Vec<_>>(), ["a store did not answer"]);
}

#[tokio::test]
async fn a_refresh_that_nobody_waits_for_is_no_part_of_a_decision() {
    let world = World::warm().await;
    let good = world.token().sign();
    world.bearer(&good).await.assert_let_in();
    world.clock.advance(Duration::from_secs(299));
    let (spans, _listening) = Spans::listen(LevelFilter::DEBUG);
    world.bearer(&good).await.assert_let_in();
    assert!(one(&spans, DECISION).closed);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    let fetch = one(&spans, "mcp_auth.fetch");
    assert_eq!(fetch.parent, None);
}

#[tokio::test]
async fn spans_stand_within_those_of_trace_layer() {
    let world = World::cold();
    let (spans, _listening) = Spans::listen(LevelFilter::DEBUG);
    let service = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(McpAuthLayer::new(world.auth.clone()))
        .service(world.probe.clone());
    let good = format!("Bearer {}", world.token().sign());
    for _ in 0..2 {
        let request = post().header("authorization", &good);
        let body = Full::<Bytes>::default();
        service
            .clone()
            .oneshot(request.body(body).unwrap())
            .await
            .unwrap();
    }
    let decisions = spans.named(DECISION);
    assert_eq!(decisions.len(), 2);
    assert!(
        decisions.iter().all(|span| span.parent == Some("request")),
        "{decisions:#?}"
    );
}

#[tokio::test]
async fn the_method_of_the_message_is_one_of_a_closed_list() {
    let rules = ToolRules::new();
    let world = World::cold()
        .rebuilt(|builder| builder.tools(rules))
        .warmed()
        .await;
    let service = McpAuthLayer::new(world.auth.clone()).layer(world.probe.clone());
    for (method, expected) in [("tools/list", "tools/list"), ("made/up", "_OTHER")] {
        let (spans, _listening) = Spans::listen(LevelFilter::DEBUG);
        let message = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#);
        let request = post()
            .header("authorization", format!("Bearer {}", world.token().sign()))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(Full::new(Bytes::from(message)))
            .unwrap();
        service.clone().oneshot(request).await.unwrap();
        let span = one(&spans, DECISION);
        assert_eq!(span.field("mcp.method.name"), Some(expected));
    }
}

#[tokio::test]
async fn whoever_goes_away_leaves_a_span_that_says_so() {
    let world = World::cold();
    let (spans, _listening) = Spans::listen(LevelFilter::INFO);
    let good = world.token().sign();
    {
        let request = post().header("authorization", format!("Bearer {good}"));
        let body = http_body_util::Empty::<Bytes>::new();
        let mut future = std::pin::pin!(world.service().oneshot(request.body(body).unwrap()));
        assert!(futures_util::poll!(&mut future).is_pending());
    }
    let span = one(&spans, DECISION);
    assert_eq!(span.field("mcp_auth.outcome"), Some("abandoned"));
}

#[tokio::test]
async fn t48_user_data_stands_in_spans_only_where_it_is_asked_for() {
    let canary = "alice-kdnvubr7";
    for asked in [false, true] {
        let world = TokenWorld::with(|builder, _| builder.span_user_data(asked)).await;
        let (spans, _listening) = Spans::listen(LevelFilter::TRACE);
        let token = world.access_token().claim("sub", canary).sign();
        let request = from("203.0.113.5").header("authorization", format!("Bearer {token}"));
        world.send(request).await.assert_let_in();
        let span = one(&spans, DECISION);
        let user = ["enduser.id", "mcp_auth.organization", "client.address"];
        let said = user.map(|field| span.field(field));
        if asked {
            assert_eq!(said, [Some(canary), Some("acme"), Some("203.0.113.5")]);
        } else {
            assert_eq!(said, [None; 3]);
            let all = format!("{:?}", spans.0.lock().unwrap());
            for secret in [canary, "acme", "203.0.113.5", token.as_str()] {
                assert!(!all.contains(secret), "{secret} in {all}");
            }
        }
        // Never the credential.
        let all = format!("{:?}", spans.0.lock().unwrap());
        let signature = token.rsplit('.').next().unwrap();
        assert!(!all.contains(signature));
    }
}

#[cfg(feature = "config")]
#[tokio::test]
async fn t48_a_file_asks_for_user_data_and_takes_it_back() {
    let world = World::warm().await;
    for (asked, expected) in [(true, Some("alice")), (false, None)] {
        let config = tower_mcp_auth::config::Config::from_toml(&format!(
            "[resource]\nidentifier = '{R}'\n[[issuers]]\nidentifier = '{I}'\n[telemetry]\nspan_user_data = {asked}\n"
        ));
        let settings = config.unwrap().settings().unwrap();
        world.auth.reload(settings).unwrap();
        let (spans, _listening) = Spans::listen(LevelFilter::TRACE);
        let token = world.token().claim("sub", "alice").sign();
        world.bearer(&token).await.assert_let_in();
        assert_eq!(one(&spans, DECISION).field("enduser.id"), expected);
    }
}

#[tokio::test]
async fn t49_what_people_call_themselves_cannot_break_a_line() {
    let world = TokenWorld::with(|builder, _| builder.span_user_data(true)).await;
    let (spans, _listening) = Spans::listen(LevelFilter::DEBUG);
    let subject = "a\u{202e}b\u{1b}[2J";
    let token = world.access_token().claim("sub", subject).sign();
    world.present(format!("Bearer {token}")).await;
    let span = one(&spans, DECISION);
    let said = span.field("enduser.id").unwrap_or_default();
    assert!(!said.contains(['\u{202e}', '\u{1b}']), "{said:?}");
}
