//! Who reports what to the meter, and the gauges that are read off.

#[cfg(feature = "metrics")]
use super::Authenticator;
use super::Inner;
use super::tokens::Tokens;
#[cfg(feature = "metrics")]
use crate::oauth::keys::KeyState;
use crate::telemetry::Meter;
#[cfg(feature = "metrics")]
use crate::telemetry::{Cached, State};

impl Inner {
    /// Tells every part whom to report to. A part that has been told before goes on as it did.
    pub(super) fn report_to_meter(&self) {
        let (shared, ground) = (&self.shared, &self.ground);
        let meter = &ground.meter;
        if !meter.is_on() {
            return;
        }
        meter.configured();
        for issuer in self.trust.issuers() {
            issuer.keys.observe(meter);
            if let Some(introspector) = &issuer.introspector {
                introspector.observe(meter);
            }
        }
        ground.rules.observe(meter);
        if let Some(tokens) = &shared.tokens {
            tokens.observe(meter);
        }
        if let Some(follower) = &ground.revocations.follower {
            follower.observe(meter);
        }
    }
}

#[cfg(feature = "metrics")]
impl Authenticator {
    /// Sets every gauge of the [`Metrics`](crate::telemetry::Metrics) given to the builder, and brings
    /// counters up to date that are gathered apart: those of caches and audit records. Without metrics it
    /// does nothing.
    ///
    /// It asks nobody and waits for nothing; call it every ten seconds, or whenever an exporter is about
    /// to be read. There is no timer of ours that does it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # async fn run(auth: tower_mcp_auth::Authenticator) {
    /// let gauges = auth.clone();
    /// tokio::spawn(async move {
    ///     let mut tick = tokio::time::interval(Duration::from_secs(10));
    ///     loop {
    ///         tick.tick().await;
    ///         gauges.update_gauges();
    ///     }
    /// });
    /// # }
    /// ```
    pub fn update_gauges(&self) {
        let current = self.latest();
        let (shared, ground) = (&current.0.shared, &self.0.ground);
        let meter = &ground.meter;
        if !meter.is_on() {
            return;
        }
        for status in self.issuer_status() {
            let state = match status.state {
                KeyState::Fresh => "fresh",
                KeyState::Stale => "stale",
                KeyState::Absent => "absent",
            };
            meter.keys(&status.issuer, state, status.age);
        }
        let remembered = u64::try_from(self.verified_tokens()).unwrap_or(u64::MAX);
        meter.entries(Cached::Credentials, remembered);
        ground.rules.report_entries();
        if let Some(tokens) = &shared.tokens {
            tokens.report_entries();
        }
        if !shared.introspectors.is_empty() {
            let answers = shared.introspectors.iter().map(|one| one.held()).sum();
            meter.entries(Cached::Introspection, answers);
        }
        meter.state(State {
            revocations: self.revocations(),
            open_streams: self.open_streams(),
            ready: self.is_ready(),
            log: self
                .revocation_status()
                .map(|status| (status.is_current, status.age)),
            records: ground.audit.as_ref().map(|audit| audit.trail.counts()),
        });
    }
}

impl Tokens {
    fn observe(&self, meter: &Meter) {
        if let Some(issued) = &self.issued {
            issued.observe(meter);
        }
        if let Some(foreign) = &self.foreign {
            foreign.observe(meter);
        }
        self.guard.0.observe(meter);
    }

    #[cfg(feature = "metrics")]
    fn report_entries(&self) {
        if let Some(issued) = &self.issued {
            issued.report_entries();
        }
        if let Some(foreign) = &self.foreign {
            foreign.report_entries();
        }
    }
}
