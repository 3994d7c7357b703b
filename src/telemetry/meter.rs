//! What the rest of the crate reports to: nobody, or the instruments of a [`Metrics`](super::Metrics).
//!
//! A part that is made before anybody wants to know of it holds a [`Probe`], a [`Reads`] or a
//! [`Fetches`], which report to nobody until they are told whom to.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::label::{Cached, Call, Ended, FetchKind, Limit, Outcome, Served};
use crate::method::AuthMethod;
use crate::rejection::Reason;

#[cfg(feature = "metrics")]
use super::instruments::Instruments;
#[cfg(not(feature = "metrics"))]
use without::Instruments;

/// What a decision is counted as.
#[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "nobody counts"))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decided {
    pub(crate) method: Option<AuthMethod>,
    pub(crate) outcome: Outcome,
    pub(crate) reason: Option<Reason>,
    /// Whether something was waited for, and how long it took all in all.
    pub(crate) took: Option<(bool, Duration)>,
}

/// The states that are read off an authenticator.
#[cfg(feature = "metrics")]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct State {
    pub(crate) revocations: usize,
    pub(crate) open_streams: usize,
    pub(crate) ready: bool,
    /// Whether the shared log is current, and its age.
    pub(crate) log: Option<(bool, Option<Duration>)>,
    /// Records handed to the sink, and those it has lost.
    pub(crate) records: Option<(u64, u64)>,
}

/// Where a server reports what it does. Cloning shares it.
#[derive(Clone, Default)]
pub(crate) struct Meter(Option<Arc<Instruments>>);

/// Reports to nobody.
static OFF: Meter = Meter(None);

impl Meter {
    #[cfg(feature = "metrics")]
    pub(crate) fn new(metrics: Option<super::Metrics>) -> Self {
        let meter = Self(metrics.map(|metrics| Arc::new(Instruments::new(metrics))));
        meter.report(Instruments::describe);
        meter
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The recorder is foreign code and may panic (R15): then something is not counted.
    fn report(&self, report: impl FnOnce(&Instruments)) {
        if let Some(instruments) = &self.0 {
            let _ = catch_unwind(AssertUnwindSafe(|| report(instruments)));
        }
    }

    /// Another configuration is in force.
    pub(crate) fn configured(&self) {
        self.report(Instruments::configured);
    }

    pub(crate) fn decided(&self, decided: Decided) {
        self.report(|instruments| instruments.decided(decided));
    }

    pub(crate) fn throttled(&self, limit: Limit) {
        self.report(|instruments| instruments.throttled(limit));
    }

    pub(crate) fn read(&self, cache: Cached, served: Served) {
        self.report(|instruments| instruments.read(cache, served));
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn entries(&self, cache: Cached, entries: u64) {
        self.report(|instruments| instruments.entries(cache, entries));
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn keys(&self, issuer: &str, state: &str, age: Option<Duration>) {
        self.report(|instruments| instruments.keys(issuer, state, age));
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn state(&self, state: State) {
        self.report(|instruments| instruments.state(state));
    }

    /// Measures a call of a store.
    pub(crate) async fn timed<T>(
        &self,
        call: Call,
        work: impl Future<Output = T>,
        ended: impl FnOnce(&T) -> Ended,
    ) -> T {
        let started = self.is_on().then(Instant::now);
        let result = work.await;
        if let Some(started) = started {
            let (ended, took) = (ended(&result), started.elapsed());
            self.report(|instruments| instruments.called(call, ended, took));
        }
        result
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Meter").field(&self.is_on()).finish()
    }
}

/// A meter that a part is given after it was made.
#[derive(Debug, Default)]
pub(crate) struct Probe(OnceLock<Meter>);

impl Probe {
    pub(crate) fn observe(&self, meter: &Meter) {
        // Only the first counts: a part belongs to one server.
        let _ = self.0.set(meter.clone());
    }

    pub(crate) fn meter(&self) -> &Meter {
        self.0.get().unwrap_or(&OFF)
    }
}

/// What a cache and the store behind it report.
#[derive(Debug, Default)]
pub(crate) struct Reads(OnceLock<(Meter, Cached, Option<Call>)>);

impl Reads {
    pub(crate) fn observe(&self, meter: &Meter, cache: Cached, call: Option<Call>) {
        if meter.is_on() {
            let _ = self.0.set((meter.clone(), cache, call));
        }
    }

    pub(crate) fn served(&self, served: Served) {
        if let Some((meter, cache, _)) = self.0.get() {
            meter.read(*cache, served);
        }
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn entries(&self, entries: impl FnOnce() -> u64) {
        if let Some((meter, cache, _)) = self.0.get() {
            meter.entries(*cache, entries());
        }
    }

    /// Measures a load.
    pub(crate) async fn timed<T>(
        &self,
        load: impl Future<Output = T>,
        ended: impl FnOnce(&T) -> Ended,
    ) -> T {
        match self.0.get() {
            Some((meter, _, Some(call))) => meter.timed(*call, load, ended).await,
            _ => load.await,
        }
    }
}

/// What is reported of questions to an issuer.
#[derive(Debug, Default)]
pub(crate) struct Fetches(OnceLock<(Meter, Arc<str>)>);

impl Fetches {
    pub(crate) fn observe(&self, meter: &Meter, issuer: &str) {
        if meter.is_on() {
            let _ = self.0.set((meter.clone(), Arc::from(issuer)));
        }
    }

    /// Measures a question.
    pub(crate) async fn timed<T, E>(
        &self,
        kind: FetchKind,
        fetch: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let started = self.0.get().map(|_| Instant::now());
        let mut asked = Asked(self, kind, started);
        let result = fetch.await;
        asked.end(Ended::of(&result));
        result
    }
}

/// A question under way. One that is cut off by its deadline has failed.
struct Asked<'f>(&'f Fetches, FetchKind, Option<Instant>);

impl Asked<'_> {
    fn end(&mut self, ended: Ended) {
        let Self(fetches, kind, started) = self;
        if let (Some((meter, issuer)), Some(started)) = (fetches.0.get(), started.take()) {
            let took = started.elapsed();
            meter.report(|instruments| instruments.fetched(issuer, *kind, ended, took));
        }
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.end(Ended::Badly);
    }
}

/// Without the feature there are no instruments, and so never any.
#[cfg(not(feature = "metrics"))]
mod without {
    use super::{Cached, Call, Decided, Duration, Ended, FetchKind, Limit, Served};

    pub(super) enum Instruments {}

    impl Instruments {
        pub(super) fn configured(&self) {
            match *self {}
        }

        pub(super) fn decided(&self, _: Decided) {
            match *self {}
        }

        pub(super) fn throttled(&self, _: Limit) {
            match *self {}
        }

        pub(super) fn read(&self, _: Cached, _: Served) {
            match *self {}
        }

        pub(super) fn called(&self, _: Call, _: Ended, _: Duration) {
            match *self {}
        }

        pub(super) fn fetched(&self, _: &str, _: FetchKind, _: Ended, _: Duration) {
            match *self {}
        }
    }
}
