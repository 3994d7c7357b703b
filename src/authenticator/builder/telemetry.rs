//! Settings of the builder about metrics and spans.

use super::AuthenticatorBuilder;
use crate::telemetry::Meter;
#[cfg(feature = "metrics")]
use crate::telemetry::Metrics;

/// What these settings hold until `build()`.
#[derive(Default)]
pub(super) struct TelemetrySettings {
    #[cfg(feature = "metrics")]
    metrics: Option<Metrics>,
    pub(super) span_user_data: bool,
}

impl TelemetrySettings {
    /// Registers the metrics, if there are to be any.
    #[cfg(feature = "metrics")]
    pub(super) fn take_meter(&mut self) -> Meter {
        Meter::new(self.metrics.take())
    }

    #[cfg(not(feature = "metrics"))]
    #[expect(
        clippy::unused_self,
        reason = "the other half of a pair chosen by feature"
    )]
    pub(super) fn take_meter(&mut self) -> Meter {
        Meter::default()
    }

    /// Whether metrics are named, which are for the whole life of an authenticator.
    #[cfg(feature = "metrics")]
    pub(super) fn has_metrics(&self) -> bool {
        self.metrics.is_some()
    }

    #[cfg(not(feature = "metrics"))]
    #[expect(
        clippy::unused_self,
        reason = "the other half of a pair chosen by feature"
    )]
    pub(super) fn has_metrics(&self) -> bool {
        false
    }
}

impl AuthenticatorBuilder {
    /// Counts and measures: decisions, caches, stores, fetches. Default: nothing.
    ///
    /// See [`Metrics`], and `docs/telemetry.md` for every metric. Gauges are set by
    /// [`update_gauges`](crate::Authenticator::update_gauges).
    #[cfg(feature = "metrics")]
    #[must_use]
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.telemetry.metrics = Some(metrics);
        self
    }

    /// Whether spans of [decisions](crate::telemetry#spans) say whose request it was: `enduser.id`,
    /// `mcp_auth.organization` and `client.address`. Default: `false`; spans then hold nothing about
    /// people. What is personal data where you are has to be kept, shown and forgotten accordingly by
    /// whatever collects your spans.
    #[must_use]
    pub fn span_user_data(mut self, say: bool) -> Self {
        self.telemetry.span_user_data = say;
        self
    }
}
