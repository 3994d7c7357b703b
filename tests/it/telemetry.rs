//! Metrics: their names, labels and values, and that no client makes series.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tower::{Layer, ServiceExt};
use tower_mcp_auth::enrich::EnrichmentMode;
use tower_mcp_auth::revocation::MemoryRevocationLog;
use tower_mcp_auth::telemetry::{MetricKind, Metrics};
use tower_mcp_auth::throttle::ThrottleSettings;
use tower_mcp_auth::{Introspection, Issuer, McpAuthLayer, StepUp, ToolRules};

use crate::support::{I, NOW, P, R, World, described, post};
use crate::tokens_support::{ADA, Mood, TokenWorld, basic, damaged, encoded, from, organization};

const DECISIONS: &str = "mcp_auth_decisions_total";
const DURATIONS: &str = "mcp_auth_decision_duration_seconds_count";

/// An exporter that nobody scrapes but the test.
fn exporter() -> (Metrics, PrometheusHandle) {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &Metrics::BUCKETS)
        .unwrap()
        .build_recorder();
    let handle = recorder.handle();
    (Metrics::with(recorder), handle)
}

/// What a scrape brings: every line by its name and labels.
struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    fn of(handle: &PrometheusHandle) -> Self {
        let text = handle.render();
        let lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let line = |line: &str| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap())
        };
        Self(lines.map(line).collect())
    }

    /// Labels in any order; 0 if there is no such series.
    fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let wanted: BTreeSet<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        let found = self.0.iter().find(|(series, _)| {
            let (this, rest) = series.split_once('{').unwrap_or((series, "}"));
            let inside = rest.trim_end_matches('}');
            let labels = inside.split(',').filter(|label| !label.is_empty());
            this == name && labels.map(str::to_owned).collect::<BTreeSet<_>>() == wanted
        });
        found.map_or(0.0, |(_, value)| *value)
    }

    fn sum(&self, name: &str) -> f64 {
        let of_it = |series: &&String| series.split('{').next() == Some(name);
        let found = self.0.iter().filter(|(series, _)| of_it(series));
        found.map(|(_, value)| value).sum()
    }

    /// Series, a histogram counted once.
    fn series(&self) -> usize {
        let lines = self.0.keys().filter(|series| {
            let name = series.split('{').next().unwrap();
            !name.ends_with("_bucket") && !name.ends_with("_sum")
        });
        lines.count()
    }
}

#[track_caller]
fn assert_decided(scrape: &Scrape, method: &str, outcome: &str, reason: &str, times: u32) {
    let labels = [("method", method), ("outcome", outcome), ("reason", reason)];
    let counted = scrape.value(DECISIONS, &labels);
    assert!(
        (counted - f64::from(times)).abs() < 0.1,
        "{labels:?}: {counted} in {:#?}",
        scrape.0
    );
}

#[track_caller]
fn assert_value(scrape: &Scrape, name: &str, labels: &[(&str, &str)], expected: f64) {
    let value = scrape.value(name, labels);
    let shown = || scrape.0.keys().filter(|series| series.starts_with(name));
    assert!(
        (value - expected).abs() < 1e-9,
        "{name} {labels:?} is {value}, not {expected}: {:#?}",
        shown().collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn every_decision_is_counted_with_its_method_outcome_and_reason() {
    let (metrics, handle) = exporter();
    let world = TokenWorld::with(|builder, _| builder.metrics(metrics)).await;
    let good = format!("Bearer {}", world.access_token().sign());
    for _ in 0..3 {
        world.present(&good).await.assert_let_in();
    }
    world.ada().await.assert_let_in();
    world.robot().await.assert_let_in();
    let expired = world.access_token().expires_in(-100).sign();
    world.present(format!("Bearer {expired}")).await;
    world.present(basic(ADA, &world.acme_key)).await;
    let wrong = encoded(format!("{ADA}:{}", damaged(&world.acme_user)));
    world.present(wrong).await;
    world.send(post()).await;
    world
        .send(post().header("origin", "https://evil.example"))
        .await;
    // Not a decision: anybody may have it.
    world.send(http::Request::get(P)).await;
    // By whoever has no layer.
    world.context(&good).await.unwrap();

    let scrape = Scrape::of(&handle);
    assert_decided(&scrape, "oauth2", "allowed", "none", 4);
    assert_decided(&scrape, "api_token", "allowed", "none", 1);
    assert_decided(&scrape, "service_account_key", "allowed", "none", 1);
    assert_decided(&scrape, "oauth2", "refused", "expired", 1);
    assert_decided(&scrape, "api_token", "refused", "wrong_scheme_for_token", 1);
    assert_decided(&scrape, "api_token", "refused", "invalid_api_token", 1);
    assert_decided(&scrape, "none", "refused", "missing_credential", 1);
    assert_decided(&scrape, "none", "refused", "origin_not_allowed", 1);
    assert!((scrape.sum(DECISIONS) - 11.0).abs() < 0.1);
    assert!((scrape.sum(DURATIONS) - 11.0).abs() < 0.1);
    let path = |path| [("method", "oauth2"), ("outcome", "allowed"), ("path", path)];
    assert_value(&scrape, DURATIONS, &path("cold"), 1.0);
    assert_value(&scrape, DURATIONS, &path("warm"), 3.0);
}

#[tokio::test]
async fn caches_stores_and_fetches_are_counted() {
    let (metrics, handle) = exporter();
    let world = TokenWorld::with(|builder, directory| {
        // Whatever the gate tries this without.
        let builder = builder.metrics(metrics).verified_token_bytes(1 << 20);
        builder.enrich(directory.clone(), EnrichmentMode::Optional)
    })
    .await;
    for _ in 0..3 {
        world.ada().await.assert_let_in();
    }
    world
        .present(format!("Bearer {}", world.access_token().sign()))
        .await
        .assert_let_in();
    world.auth.update_gauges();
    let scrape = Scrape::of(&handle);
    let served = |cache, result| [("cache", cache), ("result", result)];
    let requests = "mcp_auth_cache_requests_total";
    assert!(scrape.value(requests, &served("credentials", "fresh")) >= 2.0);
    // Looked for again after each wait.
    assert!(scrape.value(requests, &served("credentials", "miss")) >= 2.0);
    for cache in ["policies", "user_facts", "api_tokens"] {
        assert!(
            scrape.value(requests, &served(cache, "fresh")) >= 3.0,
            "{cache}"
        );
        let entries = "mcp_auth_cache_entries";
        assert!(
            scrape
                .0
                .contains_key(&format!("{entries}{{cache=\"{cache}\"}}"))
        );
    }
    assert_value(&scrape, requests, &served("policies", "miss"), 1.0);
    assert_value(&scrape, requests, &served("api_tokens", "miss"), 1.0);
    // Two people.
    assert_value(&scrape, requests, &served("user_facts", "miss"), 2.0);
    let called = |store, operation, outcome| {
        [
            ("store", store),
            ("operation", operation),
            ("outcome", outcome),
        ]
    };
    let calls = "mcp_auth_store_duration_seconds_count";
    assert_value(&scrape, calls, &called("api_tokens", "find", "ok"), 1.0);
    assert_value(&scrape, calls, &called("policies", "load", "ok"), 1.0);
    assert_value(&scrape, calls, &called("directory", "enrich", "ok"), 2.0);
    let fetched = |kind| [("issuer", I), ("kind", kind), ("outcome", "ok")];
    assert_value(&scrape, "mcp_auth_fetches_total", &fetched("metadata"), 1.0);
    assert_value(&scrape, "mcp_auth_fetches_total", &fetched("keys"), 1.0);
    let took = [("kind", "keys"), ("outcome", "ok")];
    assert_value(&scrape, "mcp_auth_fetch_duration_seconds_count", &took, 1.0);
}

#[tokio::test(start_paused = true)]
async fn outages_of_stores_show_how_they_fail_and_what_serves_on() {
    for (mood, outcome) in [
        (Mood::Down, "error"),
        (Mood::Hangs, "timeout"),
        (Mood::Panics, "error"),
    ] {
        let (metrics, handle) = exporter();
        let world = TokenWorld::with(|builder, _| builder.metrics(metrics)).await;
        world.ada().await.assert_let_in();
        world.policies.faults.set(mood);
        world.clock.advance(Duration::from_secs(31));
        world.ada().await.assert_let_in();
        world.auth.update_gauges();
        let scrape = Scrape::of(&handle);
        let called = [
            ("store", "policies"),
            ("operation", "load"),
            ("outcome", outcome),
        ];
        assert_value(
            &scrape,
            "mcp_auth_store_duration_seconds_count",
            &called,
            1.0,
        );
        let stale = [("cache", "policies"), ("result", "stale")];
        assert!(scrape.value("mcp_auth_cache_requests_total", &stale) >= 1.0);
        world.clock.advance(Duration::from_secs(400));
        let answer = world.ada().await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        let scrape = Scrape::of(&handle);
        assert_decided(&scrape, "api_token", "unavailable", "policy_unavailable", 1);
    }
}

#[tokio::test]
async fn an_issuer_that_is_out_shows_in_its_fetches_and_its_keys() {
    let (metrics, handle) = exporter();
    let world = World::cold()
        .rebuilt(|builder| builder.metrics(metrics))
        .warmed()
        .await;
    world.auth.update_gauges();
    let scrape = Scrape::of(&handle);
    let state = |state| [("issuer", I), ("state", state)];
    let (states, age) = ("mcp_auth_keys_state", "mcp_auth_keys_age_seconds");
    assert_value(&scrape, states, &state("fresh"), 1.0);
    assert_value(&scrape, states, &state("stale"), 0.0);
    assert_value(&scrape, "mcp_auth_ready", &[], 1.0);
    world.clock.advance(Duration::from_secs(400));
    world.auth.update_gauges();
    let scrape = Scrape::of(&handle);
    assert_value(&scrape, states, &state("fresh"), 0.0);
    assert_value(&scrape, states, &state("stale"), 1.0);
    assert_value(&scrape, age, &[("issuer", I)], 400.0);
    world.clock.advance(Duration::from_secs(48 * 3600));
    world.auth.update_gauges();
    let scrape = Scrape::of(&handle);
    assert_value(&scrape, states, &state("absent"), 1.0);
    assert_value(&scrape, "mcp_auth_ready", &[], 0.0);
    assert_value(&scrape, "mcp_auth_gauge_updates_total", &[], 3.0);
    assert_value(&scrape, "mcp_auth_config_generation", &[], 1.0);
}

#[tokio::test]
async fn introspection_is_a_fetch_of_its_issuer() {
    let (metrics, handle) = exporter();
    let world = TokenWorld::new().await;
    let asked = Introspection::new().client_secret_basic("mcp", "introspecting");
    let issuer = Issuer::new(I)
        .organization_claim("org_id")
        .introspection(asked);
    let auth = tower_mcp_auth::Authenticator::builder(described(issuer))
        .clock(world.clock.clone())
        .fetch(world.issuer.fetch())
        .metrics(metrics)
        .build()
        .unwrap();
    let token = world.access_token().opaque();
    let request = || {
        post()
            .header("authorization", format!("Bearer {token}"))
            .body(())
            .unwrap()
    };
    for _ in 0..2 {
        auth.authenticate(&request().into_parts().0).await.unwrap();
    }
    auth.update_gauges();
    let scrape = Scrape::of(&handle);
    let asked = [("issuer", I), ("kind", "introspection"), ("outcome", "ok")];
    assert_value(&scrape, "mcp_auth_fetches_total", &asked, 1.0);
    let miss = [("cache", "introspection"), ("result", "miss")];
    assert_value(&scrape, "mcp_auth_cache_requests_total", &miss, 1.0);
}

#[tokio::test]
async fn edge_07_throttled_requests_are_counted_by_limit() {
    let (metrics, handle) = exporter();
    let settings = ThrottleSettings::new()
        .per_address(3, 1)
        .no_limit_per_credential();
    let world = TokenWorld::with(|builder, _| builder.metrics(metrics).throttle(settings)).await;
    for _ in 0..5 {
        let damaged = encoded(format!("{ADA}:{}", damaged(&world.acme_user)));
        world.present_from("203.0.113.9", damaged).await;
    }
    let scrape = Scrape::of(&handle);
    assert_decided(&scrape, "api_token", "refused", "too_many_failures", 2);
    assert_value(
        &scrape,
        "mcp_auth_throttled_total",
        &[("limit", "address")],
        2.0,
    );
}

#[tokio::test]
async fn revocations_the_log_and_audit_records_are_gauges() {
    let (metrics, handle) = exporter();
    let log = MemoryRevocationLog::new();
    let world = TokenWorld::with(|builder, _| builder.metrics(metrics).revocations(log)).await;
    world.ada().await.assert_let_in();
    world
        .auth
        .handle()
        .revoke_organization(&organization("globex"))
        .await
        .unwrap();
    world.clock.advance(Duration::from_secs(7));
    world.auth.update_gauges();
    let scrape = Scrape::of(&handle);
    assert_value(&scrape, "mcp_auth_revocations", &[], 1.0);
    assert_value(&scrape, "mcp_auth_revocation_log_current", &[], 1.0);
    assert!(scrape.value("mcp_auth_revocation_log_age_seconds", &[]) >= 7.0);
    assert_value(&scrape, "mcp_auth_open_streams", &[], 0.0);
    let appended = [
        ("store", "revocation_log"),
        ("operation", "append"),
        ("outcome", "ok"),
    ];
    assert_value(
        &scrape,
        "mcp_auth_store_duration_seconds_count",
        &appended,
        1.0,
    );
    let records = "mcp_auth_audit_records_total";
    assert!(scrape.value(records, &[("outcome", "written")]) >= 2.0);
    assert_value(&scrape, records, &[("outcome", "dropped")], 0.0);
}

/// A writer that is stuck until the test ends.
struct Stuck(std::sync::mpsc::Receiver<()>);

impl std::io::Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = self.0.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn r26_dropped_audit_records_are_counted() {
    let (metrics, handle) = exporter();
    let (free, stuck) = std::sync::mpsc::channel();
    let audit = tower_mcp_auth::audit::JsonLinesAudit::with_capacity(Stuck(stuck), 8).unwrap();
    let builder = |builder: tower_mcp_auth::authenticator::AuthenticatorBuilder| {
        builder.metrics(metrics).audit(audit)
    };
    let world = World::cold().rebuilt(builder).warmed().await;
    let good = world.token().sign();
    for _ in 0..50 {
        world.bearer(&good).await.assert_let_in();
    }
    world.auth.update_gauges();
    drop(free);
    let scrape = Scrape::of(&handle);
    let outcome = |outcome| scrape.value("mcp_auth_audit_records_total", &[("outcome", outcome)]);
    // Six wait, and one may be in the writer's hands.
    assert!(outcome("dropped") >= 43.0, "{}", outcome("dropped"));
    assert!((outcome("dropped") + outcome("written") - 50.0).abs() < 0.1);
}

#[tokio::test]
async fn whoever_goes_away_and_what_is_withdrawn_is_counted() {
    let (metrics, handle) = exporter();
    let world = World::cold().rebuilt(|builder| builder.metrics(metrics));
    let good = world.token().scope("read:issues").sign();
    let request = || post().header("authorization", format!("Bearer {good}"));
    {
        let body = http_body_util::Empty::<bytes::Bytes>::new();
        let future = world.service().oneshot(request().body(body).unwrap());
        let mut future = std::pin::pin!(future);
        assert!(
            futures_util::poll!(&mut future).is_pending(),
            "it waits for keys"
        );
    }
    let scrape = Scrape::of(&handle);
    assert_decided(&scrape, "none", "abandoned", "none", 1);
    let world = world.warmed().await;
    let asking = tower::service_fn(|_| async {
        let body = http_body_util::Empty::<bytes::Bytes>::new();
        let mut response = http::Response::new(body);
        response
            .extensions_mut()
            .insert(StepUp::scopes(["write:issues"]));
        Ok::<_, std::convert::Infallible>(response)
    });
    let service = McpAuthLayer::new(world.auth.clone()).layer(asking);
    let body = http_body_util::Empty::<bytes::Bytes>::new();
    let answer = service
        .oneshot(request().body(body).unwrap())
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let scrape = Scrape::of(&handle);
    assert_decided(&scrape, "oauth2", "allowed", "none", 1);
    assert_decided(&scrape, "oauth2", "withdrawn", "insufficient_scope", 1);
}

#[tokio::test]
async fn the_time_in_which_a_client_sends_its_body_is_not_ours() {
    let (metrics, handle) = exporter();
    let rules = ToolRules::new();
    let world = World::cold()
        .rebuilt(|builder| builder.metrics(metrics).tools(rules))
        .warmed()
        .await;
    let clock = world.clock.clone();
    let frames = futures_util::stream::once(async move {
        clock.advance(Duration::from_secs(20));
        let message = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        Ok::<_, std::convert::Infallible>(http_body::Frame::data(bytes::Bytes::from_static(
            message,
        )))
    });
    let request = post()
        .header("authorization", format!("Bearer {}", world.token().sign()))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(http_body_util::StreamBody::new(frames))
        .unwrap();
    let service = McpAuthLayer::new(world.auth.clone()).layer(world.probe.clone());
    let answer = service.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let scrape = Scrape::of(&handle);
    let took = "mcp_auth_decision_duration_seconds_sum";
    assert!(scrape.sum(took) < 1.0, "{}", scrape.sum(took));
    assert_decided(&scrape, "oauth2", "allowed", "none", 1);
}

#[tokio::test]
async fn t48_100000_made_up_names_make_no_series() {
    let (metrics, handle) = exporter();
    let world = TokenWorld::with(|builder, _| builder.metrics(metrics)).await;
    let canary = "kdnvubr7whoever";
    for nth in 0..100_000_u32 {
        let [a, b, c, d] = nth.to_be_bytes();
        let header = format!(r#"{{"alg":"ES256","kid":"{canary}{nth}","typ":"at+jwt"}}"#);
        let (now, later) = (NOW, NOW + 600);
        let claims = format!(
            r#"{{"iss":"{I}","aud":"{R}","sub":"{canary}{nth}","jti":"{canary}{nth}","client_id":"{canary}{nth}","org_id":"acme","iat":{now},"exp":{later}}}"#
        );
        let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
        let signature = "A".repeat(86);
        let token = format!("{}.{}.{signature}", encode(header), encode(claims));
        let authorization = match nth % 4 {
            0 => format!("Bearer {token}"),
            1 => encoded(format!("{canary}{nth}@acme.example:mcp_pat_{nth}")),
            2 => format!("{canary}{nth} x"),
            _ => format!("Bearer mcp_sak_{canary}{nth}"),
        };
        let address = format!("10.{b}.{c}.{d}");
        let request = from(&address)
            .uri(format!("https://mcp.example.com/mcp/{canary}{nth}/{a}"))
            .method(format!("M{nth}").as_str())
            .header("mcp-session-id", format!("{canary}{nth}"))
            .header("user-agent", format!("{canary}/{nth}"))
            .header("authorization", authorization);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        world.auth.authenticate(&parts).await.unwrap_err();
    }
    // People who exist, too.
    for nth in 0..300_u32 {
        let token = world
            .access_token()
            .claim("sub", format!("{canary}{nth}"))
            .sign();
        world
            .present(format!("Bearer {token}"))
            .await
            .assert_let_in();
    }
    world.auth.update_gauges();
    let scrape = Scrape::of(&handle);
    assert!((scrape.sum(DECISIONS) - 100_300.0).abs() < 0.1);
    // They got as far as they could: a key id that no issuer has, a token that nobody made.
    for reason in ["unknown_key", "invalid_api_token", "unsupported_scheme"] {
        let counted = scrape
            .0
            .iter()
            .filter(|(series, _)| series.contains(reason));
        let times: f64 = counted
            .filter(|(series, _)| series.starts_with(DECISIONS))
            .map(|(_, value)| value)
            .sum();
        let shown = || {
            scrape
                .0
                .keys()
                .filter(|series| series.starts_with(DECISIONS))
        };
        assert!(
            times > 5_000.0,
            "{reason}: {times} of {:?}",
            shown().collect::<Vec<_>>()
        );
    }
    assert!(
        scrape.series() <= Metrics::max_series(1),
        "{}",
        scrape.series()
    );
    assert!(scrape.series() < 120, "{}", scrape.series());
    let said = handle.render();
    assert!(!said.contains(canary), "a name that a client made up");
}

/// Counts what is registered with it, and panics whenever it is used.
#[derive(Clone, Default)]
struct Fragile(Arc<AtomicU32>);

impl metrics::CounterFn for Fragile {
    fn increment(&self, _: u64) {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("fragile");
    }

    fn absolute(&self, _: u64) {
        panic!("fragile");
    }
}

impl metrics::Recorder for Fragile {
    fn describe_counter(
        &self,
        _: metrics::KeyName,
        _: Option<metrics::Unit>,
        _: metrics::SharedString,
    ) {
        panic!("fragile");
    }

    fn describe_gauge(
        &self,
        _: metrics::KeyName,
        _: Option<metrics::Unit>,
        _: metrics::SharedString,
    ) {
        panic!("fragile");
    }

    fn describe_histogram(
        &self,
        _: metrics::KeyName,
        _: Option<metrics::Unit>,
        _: metrics::SharedString,
    ) {
        panic!("fragile");
    }

    fn register_counter(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Counter {
        metrics::Counter::from_arc(Arc::new(self.clone()))
    }

    fn register_gauge(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Gauge {
        panic!("fragile");
    }

    fn register_histogram(
        &self,
        _: &metrics::Key,
        _: &metrics::Metadata<'_>,
    ) -> metrics::Histogram {
        panic!("fragile");
    }
}

#[tokio::test]
async fn r15_a_recorder_that_panics_hurts_nobody() {
    let fragile = Fragile::default();
    let metrics = Metrics::with(fragile.clone());
    let world = World::cold()
        .rebuilt(|builder| builder.metrics(metrics))
        .warmed()
        .await;
    let good = world.token().sign();
    for _ in 0..3 {
        world.bearer(&good).await.assert_let_in();
    }
    assert_eq!(
        world.bearer("garbage").await.status,
        StatusCode::UNAUTHORIZED
    );
    world.auth.update_gauges();
    // Four decisions, two fetches.
    assert_eq!(fragile.0.load(Ordering::SeqCst), 6);
}

#[tokio::test]
async fn labels_of_the_operator_stand_on_every_series() {
    let (metrics, handle) = exporter();
    let metrics = metrics.label("server", "tools");
    let world = World::cold()
        .rebuilt(|builder| builder.metrics(metrics))
        .warmed()
        .await;
    world.bearer(&world.token().sign()).await.assert_let_in();
    world.auth.update_gauges();
    let scrape = Scrape::of(&handle);
    assert!(scrape.series() > 5);
    for series in scrape.0.keys() {
        assert!(series.contains("server=\"tools\""), "{series}");
    }
}

#[tokio::test]
async fn what_is_scraped_is_in_the_catalogue_and_described() {
    let (metrics, handle) = exporter();
    let world = TokenWorld::with(|builder, _| builder.metrics(metrics)).await;
    world.ada().await.assert_let_in();
    world.auth.update_gauges();
    let said = handle.render();
    let typed = said.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    for line in typed {
        let (name, kind) = line.split_once(' ').unwrap();
        let metric = Metrics::catalogue()
            .iter()
            .find(|metric| metric.name == name);
        let metric = metric.unwrap_or_else(|| panic!("{name} is not in the catalogue"));
        let expected = match metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            _ => "histogram",
        };
        assert_eq!(kind, expected, "{name}");
        assert!(said.contains(&format!("# HELP {name} ")), "{name}");
    }
    for series in Scrape::of(&handle).0.keys() {
        let (name, rest) = series.split_once('{').unwrap_or((series, "}"));
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end));
        let catalogue = || Metrics::catalogue().iter();
        let metric = catalogue().find(|metric| metric.name == name || Some(metric.name) == base);
        let metric = metric.unwrap_or_else(|| panic!("{name}"));
        for label in rest
            .trim_end_matches('}')
            .split(',')
            .filter(|label| !label.is_empty())
        {
            let (label, value) = label.split_once('=').unwrap();
            let value = value.trim_matches('"');
            if label == "le" {
                continue;
            }
            assert!(metric.labels.contains(&label), "{series}");
            let known = label == "issuer" && value == I || metric.values(label).contains(&value);
            assert!(known, "{series}");
        }
    }
}
