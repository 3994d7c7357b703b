//! What operators watch: metrics ([`Metrics`], feature `metrics`) and one span per decision.
//!
//! Both speak in closed lists only: no series and, unless asked for, no field holds anything that a
//! client chose. `docs/telemetry.md` lists every metric and every field; `docs/grafana/` and
//! `docs/prometheus/` have a dashboard and alert rules for them.
//!
//! # Spans
//!
//! One span `mcp_auth.decision` (target `tower_mcp_auth`) per decision, inside whatever span the server
//! has made for the request. A decision made from memory is a span of level `DEBUG`; one that has to wait
//! and one that refuses are of level `INFO`. So a subscriber of level `INFO` costs a request that is let in
//! from memory no span. The fetch or read that a decision starts and waits for is a span within it,
//! `mcp_auth.fetch` or `mcp_auth.read`.

mod label;
mod meter;
pub(crate) mod span;

#[cfg(feature = "metrics")]
mod catalogue;
#[cfg(feature = "metrics")]
mod instruments;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "metrics")]
mod tally;

pub(crate) use label::{Cached, Call, Ended, FetchKind, Limit, Outcome, Served};
pub(crate) use meter::{Decided, Fetches, Meter, Probe, Reads};

#[cfg(feature = "metrics")]
pub use catalogue::{MetricDescription, MetricKind};
#[cfg(feature = "metrics")]
pub(crate) use meter::State;
#[cfg(feature = "metrics")]
pub use metrics::Metrics;
