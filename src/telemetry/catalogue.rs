//! Every metric there is: its name, unit, labels, and how many series it can have.

use metrics::Unit;

use super::label::{Cached, Call, Ended, FetchKind, Limit, Outcome, Served};
use crate::rejection::Reason;

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// A state of the moment.
    Gauge,
    /// A distribution, in seconds.
    Histogram,
}

/// One metric: for documentation, dashboards and tests of them.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MetricDescription {
    /// Its name, with its unit at the end as Prometheus has it.
    pub name: &'static str,
    /// What it is.
    pub kind: MetricKind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it counts or measures.
    pub help: &'static str,
    /// The most series it has with no issuer at all.
    pub(super) series: usize,
    /// How many more with each issuer.
    pub(super) per_issuer: usize,
}

impl MetricDescription {
    /// The most series this metric has in one process, with so many issuers. An exporter makes several
    /// lines of a histogram: one per bucket and two more.
    #[must_use]
    pub fn max_series(&self, issuers: usize) -> usize {
        let all = self.per_issuer.saturating_mul(issuers);
        self.series.saturating_add(all)
    }

    /// The values of one of its labels; none if there is no such label, or if they are the identifiers of
    /// the configured issuers.
    #[must_use]
    pub fn values(&self, label: &str) -> Vec<&'static str> {
        if !self.labels.contains(&label) {
            return Vec::new();
        }
        match (label, self.name) {
            ("method", _) => METHODS.to_vec(),
            ("reason", _) => {
                let reasons = Reason::ALL.iter().map(|reason| reason.code());
                std::iter::once(NO_REASON).chain(reasons).collect()
            }
            ("path", _) => PATHS.to_vec(),
            ("state", _) => KEY_STATES.to_vec(),
            ("limit", _) => names(Limit::ALL, Limit::name),
            ("cache", _) => names(Cached::ALL, Cached::name),
            ("result", _) => names(Served::ALL, Served::name),
            ("kind", _) => names(FetchKind::ALL, FetchKind::name),
            ("operation", _) => names(Call::ALL, Call::name),
            ("store", _) => {
                let mut stores = names(Call::ALL, Call::store);
                stores.dedup();
                stores
            }
            ("outcome", DECISIONS) => names(Outcome::ALL, Outcome::name),
            ("outcome", DECISION_DURATION) => names(&TIMED, Outcome::name),
            ("outcome", STORE_DURATION) => names(Ended::ALL, Ended::name),
            ("outcome", AUDIT_RECORDS) => RECORDS.to_vec(),
            ("outcome", _) => names(&FETCHED, Ended::name),
            _ => Vec::new(),
        }
    }

    pub(super) fn unit(&self) -> Unit {
        match self.kind {
            _ if self.name.ends_with("_seconds") => Unit::Seconds,
            _ => Unit::Count,
        }
    }
}

pub(super) const DECISIONS: &str = "mcp_auth_decisions_total";
pub(super) const DECISION_DURATION: &str = "mcp_auth_decision_duration_seconds";
pub(super) const THROTTLED: &str = "mcp_auth_throttled_total";
pub(super) const CACHE_REQUESTS: &str = "mcp_auth_cache_requests_total";
pub(super) const CACHE_ENTRIES: &str = "mcp_auth_cache_entries";
pub(super) const STORE_DURATION: &str = "mcp_auth_store_duration_seconds";
pub(super) const FETCHES: &str = "mcp_auth_fetches_total";
pub(super) const FETCH_DURATION: &str = "mcp_auth_fetch_duration_seconds";
pub(super) const KEYS_AGE: &str = "mcp_auth_keys_age_seconds";
pub(super) const KEYS_STATE: &str = "mcp_auth_keys_state";
pub(super) const LOG_AGE: &str = "mcp_auth_revocation_log_age_seconds";
pub(super) const LOG_CURRENT: &str = "mcp_auth_revocation_log_current";
pub(super) const REVOCATIONS: &str = "mcp_auth_revocations";
pub(super) const OPEN_STREAMS: &str = "mcp_auth_open_streams";
pub(super) const AUDIT_RECORDS: &str = "mcp_auth_audit_records_total";
pub(super) const GENERATION: &str = "mcp_auth_config_generation";
pub(super) const READY: &str = "mcp_auth_ready";
pub(super) const UPDATES: &str = "mcp_auth_gauge_updates_total";

/// The values of the label `method`: those of `AuthMethod`, and what is none of them.
pub(super) const METHODS: [&str; 4] = ["oauth2", "api_token", "service_account_key", "none"];
/// The value of the label `reason` where there was none.
pub(super) const NO_REASON: &str = "none";
/// Outcomes that have a duration: whoever went away or was refused by the handler has none.
pub(super) const TIMED: [Outcome; 3] = [Outcome::Allowed, Outcome::Refused, Outcome::Unavailable];
/// The values of the label `path`.
pub(super) const PATHS: [&str; 2] = ["warm", "cold"];
/// The values of the label `state` of keys.
pub(super) const KEY_STATES: [&str; 3] = ["fresh", "stale", "absent"];
/// The values of the label `outcome` of audit records.
pub(super) const RECORDS: [&str; 2] = ["written", "dropped"];

/// Let in, gone away; refused, for want of an answer of ours or not, and withdrawn, each with a reason.
/// A reason is either a refusal or an outage, never both.
pub(super) const DECIDED: usize = 2 + 2 * Reason::ALL.len();

/// How a fetch ends: none ends as a timeout of its own, that is an error.
const FETCHED: [Ended; 2] = [Ended::Well, Ended::Badly];

fn names<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str) -> Vec<&'static str> {
    all.iter().map(|one| name(*one)).collect()
}

const fn metric(
    kind: MetricKind,
    name: &'static str,
    labels: &'static [&'static str],
    (series, per_issuer): (usize, usize),
    help: &'static str,
) -> MetricDescription {
    MetricDescription {
        name,
        kind,
        labels,
        help,
        series,
        per_issuer,
    }
}

use MetricKind::{Counter, Gauge, Histogram};

/// Every metric, in the order of the documentation.
pub(super) const ALL: &[MetricDescription] = &[
    metric(
        Counter,
        DECISIONS,
        &["method", "outcome", "reason"],
        (METHODS.len() * DECIDED, 0),
        "Decisions about requests, by how they authenticated, how it ended and why.",
    ),
    metric(
        Histogram,
        DECISION_DURATION,
        &["method", "outcome", "path"],
        (METHODS.len() * TIMED.len() * PATHS.len(), 0),
        "How long decisions took, without the time in which the client sent its body; warm: from memory, cold: something was waited for.",
    ),
    metric(
        Counter,
        THROTTLED,
        &["limit"],
        (Limit::ALL.len(), 0),
        "Requests refused unseen after too many failed API tokens, by the limit that was reached.",
    ),
    metric(
        Counter,
        CACHE_REQUESTS,
        &["cache", "result"],
        (Cached::ALL.len() * Served::ALL.len(), 0),
        "Looks into memory: fresh; stale, served because the store fails; miss, the store was asked; unavailable, nothing to go on with. Brought up to date with the gauges.",
    ),
    metric(
        Gauge,
        CACHE_ENTRIES,
        &["cache"],
        (Cached::ALL.len(), 0),
        "Facts held in memory, roughly.",
    ),
    metric(
        Histogram,
        STORE_DURATION,
        &["store", "operation", "outcome"],
        (Call::ALL.len() * Ended::ALL.len(), 0),
        "How long calls of stores took.",
    ),
    metric(
        Counter,
        FETCHES,
        &["issuer", "kind", "outcome"],
        (0, FetchKind::ALL.len() * FETCHED.len()),
        "Questions put to issuers.",
    ),
    metric(
        Histogram,
        FETCH_DURATION,
        &["kind", "outcome"],
        (FetchKind::ALL.len() * FETCHED.len(), 0),
        "How long issuers took to answer.",
    ),
    metric(
        Gauge,
        KEYS_AGE,
        &["issuer"],
        (0, 1),
        "How long ago an issuer's keys were fetched; absent before the first time.",
    ),
    metric(
        Gauge,
        KEYS_STATE,
        &["issuer", "state"],
        (0, KEY_STATES.len()),
        "1 for the state in which an issuer's keys are, 0 for the others.",
    ),
    metric(
        Gauge,
        LOG_AGE,
        &[],
        (1, 0),
        "How long ago the shared log of revocations was read to its end; absent before the first time and without a log.",
    ),
    metric(
        Gauge,
        LOG_CURRENT,
        &[],
        (1, 0),
        "1 while the shared log of revocations is current, 0 when API tokens are refused because it is not; absent without a log.",
    ),
    metric(
        Gauge,
        REVOCATIONS,
        &[],
        (1, 0),
        "Targets that are revoked now, roughly.",
    ),
    metric(
        Gauge,
        OPEN_STREAMS,
        &[],
        (1, 0),
        "Responses that go on and end with their credential.",
    ),
    metric(
        Counter,
        AUDIT_RECORDS,
        &["outcome"],
        (RECORDS.len(), 0),
        "Audit records: written, or dropped by the sink. Brought up to date with the gauges.",
    ),
    metric(
        Gauge,
        GENERATION,
        &[],
        (1, 0),
        "The number of the configuration in force; the first is 1.",
    ),
    metric(
        Gauge,
        READY,
        &[],
        (1, 0),
        "1 when every issuer's keys and the log of revocations are at hand.",
    ),
    metric(
        Counter,
        UPDATES,
        &[],
        (1, 0),
        "How often the gauges were brought up to date: a gauge is as old as the last time.",
    ),
];
