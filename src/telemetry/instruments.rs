//! The handles of all metrics, each made when it is used first and kept: a request looks up no name.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::{Counter, Histogram};

use super::catalogue::{
    AUDIT_RECORDS, CACHE_ENTRIES, CACHE_REQUESTS, DECIDED, DECISION_DURATION, DECISIONS,
    FETCH_DURATION, FETCHES, GENERATION, KEY_STATES, KEYS_AGE, KEYS_STATE, LOG_AGE, LOG_CURRENT,
    METHODS, NO_REASON, OPEN_STREAMS, PATHS, READY, RECORDS, REVOCATIONS, STORE_DURATION,
    THROTTLED, TIMED, UPDATES,
};
use super::label::{Cached, Call, Ended, FetchKind, Limit, Outcome, Served};
use super::meter::{Decided, State};
use super::metrics::Metrics;
use super::tally::Tally;
use crate::method::AuthMethod;
use crate::rejection::Reason;

/// So many handles, none made yet.
struct Handles<T>(Box<[OnceLock<T>]>);

impl<T> Handles<T> {
    fn new(count: usize) -> Self {
        Self((0..count).map(|_| OnceLock::new()).collect())
    }

    fn at(&self, place: usize, make: impl FnOnce() -> T) -> Option<&T> {
        Some(self.0.get(place)?.get_or_init(make))
    }
}

impl Decided {
    fn method_place(&self) -> usize {
        match self.method {
            Some(AuthMethod::OAuth) => 0,
            Some(AuthMethod::ApiToken) => 1,
            Some(AuthMethod::ServiceAccountKey) => 2,
            None => 3,
        }
    }

    fn place(&self) -> usize {
        let reason = || self.reason.map_or(0, Reason::place);
        let decided = match self.outcome {
            Outcome::Allowed => 0,
            Outcome::Abandoned => 1,
            Outcome::Refused | Outcome::Unavailable => 2 + reason(),
            Outcome::Withdrawn => 2 + Reason::ALL.len() + reason(),
        };
        self.method_place() * DECIDED + decided
    }
}

pub(super) struct Instruments {
    metrics: Metrics,
    decisions: Handles<Counter>,
    durations: Handles<Histogram>,
    throttled: Handles<Counter>,
    reads: Tally,
    calls: Handles<Histogram>,
    fetches: Handles<Histogram>,
    generation: AtomicU64,
}

impl Instruments {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            decisions: Handles::new(METHODS.len() * DECIDED),
            durations: Handles::new(METHODS.len() * Outcome::ALL.len() * PATHS.len()),
            throttled: Handles::new(Limit::ALL.len()),
            reads: Tally::new(Cached::ALL.len() * Served::ALL.len()),
            calls: Handles::new(Call::ALL.len() * Ended::ALL.len()),
            fetches: Handles::new(FetchKind::ALL.len() * Ended::ALL.len()),
            generation: AtomicU64::new(0),
        }
    }

    /// Tells the recorder what each metric is.
    pub(super) fn describe(&self) {
        self.metrics.describe();
    }

    /// Another configuration is in force.
    pub(super) fn configured(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn decided(&self, decided: Decided) {
        let method = decided.method.map_or("none", AuthMethod::name);
        let outcome = decided.outcome.name();
        let counter = self.decisions.at(decided.place(), || {
            let reason = decided.reason.map_or(NO_REASON, Reason::code);
            let labels = [("method", method), ("outcome", outcome), ("reason", reason)];
            self.metrics.counter(DECISIONS, &labels)
        });
        if let Some(counter) = counter {
            counter.increment(1);
        }
        let Some((waited, took)) = decided.took.filter(|_| TIMED.contains(&decided.outcome)) else {
            return;
        };
        let place = decided.method_place() * Outcome::ALL.len() + decided.outcome.place();
        let place = place * PATHS.len() + usize::from(waited);
        let histogram = self.durations.at(place, || {
            let [warm, cold] = PATHS;
            let path = if waited { cold } else { warm };
            let labels = [("method", method), ("outcome", outcome), ("path", path)];
            self.metrics.histogram(DECISION_DURATION, &labels)
        });
        if let Some(histogram) = histogram {
            histogram.record(took);
        }
    }

    pub(super) fn throttled(&self, limit: Limit) {
        let make = || self.metrics.counter(THROTTLED, &[("limit", limit.name())]);
        if let Some(counter) = self.throttled.at(limit.place(), make) {
            counter.increment(1);
        }
    }

    pub(super) fn read(&self, cache: Cached, served: Served) {
        self.reads
            .add_one(cache.place() * Served::ALL.len() + served.place());
    }

    pub(super) fn called(&self, call: Call, ended: Ended, took: Duration) {
        let place = call.place() * Ended::ALL.len() + ended.place();
        let histogram = self.calls.at(place, || {
            let labels = [
                ("store", call.store()),
                ("operation", call.name()),
                ("outcome", ended.name()),
            ];
            self.metrics.histogram(STORE_DURATION, &labels)
        });
        if let Some(histogram) = histogram {
            histogram.record(took);
        }
    }

    pub(super) fn fetched(&self, issuer: &str, kind: FetchKind, ended: Ended, took: Duration) {
        let labels = [
            ("issuer", issuer),
            ("kind", kind.name()),
            ("outcome", ended.name()),
        ];
        self.metrics.counter(FETCHES, &labels).increment(1);
        let place = kind.place() * Ended::ALL.len() + ended.place();
        let histogram = self.fetches.at(place, || {
            let labels = [("kind", kind.name()), ("outcome", ended.name())];
            self.metrics.histogram(FETCH_DURATION, &labels)
        });
        if let Some(histogram) = histogram {
            histogram.record(took);
        }
    }

    pub(super) fn entries(&self, cache: Cached, entries: u64) {
        let gauge = self
            .metrics
            .gauge(CACHE_ENTRIES, &[("cache", cache.name())]);
        gauge.set(float(entries));
    }

    pub(super) fn keys(&self, issuer: &str, state: &str, age: Option<Duration>) {
        if let Some(age) = age {
            let gauge = self.metrics.gauge(KEYS_AGE, &[("issuer", issuer)]);
            gauge.set(age);
        }
        for each in KEY_STATES {
            let labels = [("issuer", issuer), ("state", each)];
            let gauge = self.metrics.gauge(KEYS_STATE, &labels);
            gauge.set(flag(each == state));
        }
    }

    pub(super) fn state(&self, state: State) {
        let gauge = |name| self.metrics.gauge(name, &[]);
        gauge(REVOCATIONS).set(float(wide(state.revocations)));
        gauge(OPEN_STREAMS).set(float(wide(state.open_streams)));
        gauge(READY).set(flag(state.ready));
        gauge(GENERATION).set(float(self.generation.load(Ordering::Relaxed)));
        if let Some((current, age)) = state.log {
            gauge(LOG_CURRENT).set(flag(current));
            if let Some(age) = age {
                gauge(LOG_AGE).set(age);
            }
        }
        if let Some((handed, dropped)) = state.records {
            let counts = [handed.saturating_sub(dropped), dropped];
            for (outcome, count) in RECORDS.into_iter().zip(counts) {
                let labels = [("outcome", outcome)];
                let counter = self.metrics.counter(AUDIT_RECORDS, &labels);
                counter.absolute(count);
            }
        }
        self.report_reads();
        self.metrics.counter(UPDATES, &[]).increment(1);
    }

    fn report_reads(&self) {
        for cache in Cached::ALL {
            for served in Served::ALL {
                let place = cache.place() * Served::ALL.len() + served.place();
                let count = self.reads.sum(place);
                if count > 0 {
                    let labels = [("cache", cache.name()), ("result", served.name())];
                    let counter = self.metrics.counter(CACHE_REQUESTS, &labels);
                    counter.absolute(count);
                }
            }
        }
    }
}

fn flag(value: bool) -> f64 {
    if value { 1.0 } else { 0.0 }
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a gauge is a float; counts beyond 2^53 are rounded"
)]
fn float(count: u64) -> f64 {
    count as f64
}
