//! What watching costs a credential that was seen before: without metrics, with them, and with
//! subscribers of two levels beside them, in turns, so that the ratios hold on a machine whose speed
//! drifts.
//!
//! `metrics/nowhere` registers with a recorder that counts nothing: what is ours. `metrics` has the
//! recorder of metrics-exporter-prometheus behind it, with buckets, emptied between turns as a scrape does.
//! The subscribers format every span and event, and write nowhere.
//!
//! With `BENCH_COUNTED` in the environment every row runs a thousand times within [`measured`], for an
//! instruction counter.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints its figures, and stops where it cannot begin"
)]

mod shared;

use std::rc::Rc;
use std::time::{Duration, Instant};

use http::HeaderValue;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tower::{Layer, ServiceExt, service_fn};
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::telemetry::Metrics;
use tower_mcp_auth::{McpAuthLayer, SigningAlgorithm};
use tracing::Dispatch;
use tracing::level_filters::LevelFilter;

use shared::fixture::{Fixture, bearer, echo, request};
use shared::rounds::Rounds;
use shared::row::Row;
use shared::rows;

/// The row every other is read against.
const OFF: &str = "warm/off";

const TIMES: u64 = 1_000;

#[inline(never)]
fn measured(row: &mut Row) {
    row.run(TIMES);
}

fn prometheus() -> (Metrics, PrometheusHandle) {
    let seconds = Matcher::Suffix("_seconds".to_owned());
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(seconds, &Metrics::BUCKETS)
        .unwrap()
        .build_recorder();
    let handle = recorder.handle();
    (Metrics::with(recorder), handle)
}

/// Made anew for each turn: what level is wanted is a matter of all subscribers that live.
fn subscriber(level: LevelFilter) -> Dispatch {
    if level == LevelFilter::OFF {
        return Dispatch::new(tracing::subscriber::NoSubscriber::new());
    }
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::sink);
    Dispatch::new(subscriber.finish())
}

fn watched(
    name: &str,
    fixture: &Fixture,
    builder: AuthenticatorBuilder,
    (handle, level): (Option<PrometheusHandle>, LevelFilter),
    header: &HeaderValue,
) -> Row {
    let service = McpAuthLayer::new(fixture.ready(builder)).layer(service_fn(echo));
    let (runtime, header) = (Rc::clone(&fixture.runtime), header.clone());
    let ask = move |times: u64| {
        runtime.block_on(async {
            for _ in 0..times {
                let answer = service.clone().oneshot(request(Some(&header))).await;
                assert!(answer.is_ok_and(|answer| answer.status() == 200));
            }
        });
    };
    ask(2);
    let row = Row::timed(name, move |times| {
        let took = tracing::dispatcher::with_default(&subscriber(level), || {
            let start = Instant::now();
            ask(times);
            start.elapsed()
        });
        if let Some(handle) = &handle {
            handle.run_upkeep();
        }
        took.max(Duration::from_nanos(1))
    });
    row.against(OFF)
}

fn main() {
    let fixture = Fixture::new(&[SigningAlgorithm::Es256]);
    let header = bearer(fixture.access_token().sign());
    let row = |name: &str, builder, watchers| watched(name, &fixture, builder, watchers, &header);
    let plain = || fixture.plain();
    let mut rows = vec![
        rows::bare(&fixture).against(OFF),
        row(OFF, plain(), (None, LevelFilter::OFF)),
        row("warm/info", plain(), (None, LevelFilter::INFO)),
        row(
            "warm/metrics/nowhere",
            plain().metrics(Metrics::with(metrics::NoopRecorder)),
            (None, LevelFilter::OFF),
        ),
    ];
    for (name, level) in [
        ("warm/metrics", LevelFilter::OFF),
        ("warm/metrics+info", LevelFilter::INFO),
        ("warm/metrics+debug", LevelFilter::DEBUG),
    ] {
        let (metrics, handle) = prometheus();
        rows.push(row(name, plain().metrics(metrics), (Some(handle), level)));
    }
    if std::env::var_os("BENCH_COUNTED").is_none() {
        return Rounds::from_env().run("telemetry", rows);
    }
    for row in &mut rows {
        row.run(200);
        measured(row);
        println!("{} {TIMES} 0", row.name);
    }
}
