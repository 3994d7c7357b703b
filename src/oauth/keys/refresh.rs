//! The detached task that asks the issuer.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::runtime::Handle;
use tracing::Instrument;
use url::Url;

use super::attempts::Step;
use super::snapshot::{Fingerprint, Snapshot};
use super::{KeySource, TARGET, millis};
use crate::error::BackendError;
use crate::fetch::{FetchFailure, Limits, get, shown};
use crate::jose::{Dropped, KeySet, ParsedKeys};
use crate::telemetry::{FetchKind, span};

/// A whole attempt: metadata and keys.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long nobody asks before the retry loop gives up. The next request starts anew.
const IDLE: Duration = Duration::from_secs(300);

/// Runs the attempt that [`begin`](super::Attempts::begin) recorded, and retries if it fails.
pub(super) fn spawn(source: &Arc<KeySource>, runtime: &Handle, now: Duration) {
    // Made before the task, so that a task dropped unpolled ends the attempt too.
    let underway = Underway::new(source, now);
    // The first attempt only: nobody waits for what comes after, and it may go on for long.
    let span = span::fetch(FetchKind::Keys, &source.issuer.identifier);
    runtime.spawn(async move {
        if let Some(retrying) = underway.run().instrument(span).await {
            retrying.run().await;
        }
    });
}

/// An attempt under way. However it ends, waiters are told.
struct Underway {
    source: Option<Arc<KeySource>>,
    started: Duration,
}

impl Underway {
    fn new(source: &Arc<KeySource>, started: Duration) -> Self {
        Self {
            source: Some(Arc::clone(source)),
            started,
        }
    }

    /// Asks, and records the result. `Some` if this task is now the one that retries.
    async fn run(mut self) -> Option<Retrying> {
        let source = Arc::clone(self.source.as_ref()?);
        // The `Fetch` is the user's: its panic is a failed attempt, nothing more.
        let asked = AssertUnwindSafe(source.ask(self.started)).catch_unwind();
        let outcome = match tokio::time::timeout(DEADLINE, asked).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(failed("the Fetch panicked")),
            Err(_) => Err(failed("no complete answer within 10 s")),
        };
        self.source = None;
        source.finish(outcome, self.started);
        let retries = source.attempts().claim_retry();
        retries.then(|| Retrying(Some(Arc::downgrade(&source))))
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        if let Some(source) = self.source.take() {
            source.finish(Err(failed("the runtime ended the fetch")), self.started);
        }
    }
}

/// The role of the one retry loop. Holds the source weakly: whoever drops the last authenticator
/// ends the loop.
struct Retrying(Option<Weak<KeySource>>);

impl Retrying {
    async fn run(mut self) {
        while let Some(source) = self.0.as_ref().and_then(Weak::upgrade) {
            let now = source.clock.monotonic();
            let step = source.attempts().retry(now, source.is_asked(now));
            match step {
                Step::Stop => {
                    self.0 = None;
                    return;
                }
                Step::Sleep(pause) => {
                    drop(source);
                    tokio::time::sleep(pause).await;
                }
                // This task has the role already, so the attempt cannot claim it.
                Step::Attempt => drop(Underway::new(&source, now).run().await),
            }
        }
    }
}

impl Drop for Retrying {
    fn drop(&mut self) {
        if let Some(source) = self.0.take().and_then(|weak| weak.upgrade()) {
            source.attempts().abandon_retry();
        }
    }
}

impl KeySource {
    fn is_asked(&self, now: Duration) -> bool {
        let asked = self.asked.load(Ordering::Relaxed);
        millis(now).saturating_sub(asked) < millis(IDLE)
    }

    /// Where the issuer says that it is asked about its tokens.
    pub(crate) async fn introspection_endpoint(&self) -> Result<Url, FetchFailure> {
        let now = self.clock.monotonic();
        self.discovery.introspection(&self.fetch, now).await
    }

    /// The endpoint was not there: the metadata is read again before the next question.
    pub(crate) fn doubt_metadata(&self) {
        self.discovery.doubt();
    }

    async fn ask(&self, now: Duration) -> Result<Snapshot, FetchFailure> {
        let jwks_uri = self.discovery.jwks_uri(&self.fetch, now).await?;
        let asked = get(&self.fetch, &jwks_uri, Limits::default());
        let document = self
            .fetches
            .timed(FetchKind::Keys, asked)
            .await
            .inspect_err(|_| self.discovery.doubt())?;
        let parsed = KeySet::parse(&document.body, &self.issuer.algorithms);
        let ParsedKeys { keys, dropped } = parsed.map_err(|error| {
            self.discovery.doubt();
            failed_with(BackendError::with_source(
                format!("the keys at {} cannot be used", shown(&jwks_uri)),
                error,
            ))
        })?;
        self.report_dropped(&dropped);
        let freshness = self.issuer.freshness;
        Ok(Snapshot::new(
            (Arc::new(keys), Fingerprint::of(&document.body)),
            now,
            document.max_age,
            freshness,
            random(),
        ))
    }

    /// Ends the attempt that began at `started`: records, tells the waiters, and only then logs,
    /// since a subscriber is foreign code too.
    fn finish(&self, outcome: Result<Snapshot, FetchFailure>, started: Duration) {
        // The clock is the user's: were its panic to get out of here, the attempt would never end
        // and everybody after would wait for it (R15).
        let now = catch_unwind(AssertUnwindSafe(|| self.clock.monotonic())).unwrap_or(started);
        match outcome {
            Ok(snapshot) => {
                let snapshot = Arc::new(snapshot);
                let old = self.snapshot.swap(Some(Arc::clone(&snapshot)));
                let failed_before = self.attempts().succeed(now);
                self.tell_waiters();
                self.report_success(old.as_deref(), &snapshot, failed_before);
            }
            Err(failure) => {
                let cause = Arc::new(failure.error);
                let error = Arc::clone(&cause);
                self.attempts()
                    .fail(now, error, failure.retry_after, random());
                self.tell_waiters();
                tracing::warn!(
                    target: TARGET,
                    issuer = %self.issuer.identifier,
                    cause = cause.report(),
                    "keys not refreshed; those known so far are kept"
                );
            }
        }
    }

    fn tell_waiters(&self) {
        self.ended
            .send_modify(|ended| *ended = ended.wrapping_add(1));
    }

    fn report_success(&self, old: Option<&Snapshot>, new: &Snapshot, failed_before: u32) {
        let issuer = self.issuer.identifier.as_str();
        for kid in old.iter().flat_map(|old| old.keys.lost_in_use(&new.keys)) {
            tracing::warn!(target: TARGET, issuer, kid, "jwks.in_use_key_removed");
        }
        let keys = new.keys.len();
        if failed_before > 0 {
            tracing::info!(target: TARGET, issuer, keys, failed_before, "keys refreshed; recovered");
        } else {
            tracing::info!(target: TARGET, issuer, keys, "keys refreshed");
        }
    }

    fn report_dropped(&self, dropped: &[Dropped]) {
        let issuer = self.issuer.identifier.as_str();
        for Dropped { index, kid, defect } in dropped {
            let (kid, reason) = (kid.as_deref(), defect.reason);
            if defect.alert {
                tracing::error!(target: TARGET, issuer, index, kid, reason, "key refused");
            } else {
                tracing::debug!(target: TARGET, issuer, index, kid, reason, "key left out");
            }
        }
    }
}

fn failed(message: &str) -> FetchFailure {
    failed_with(BackendError::new(message))
}

fn failed_with(error: BackendError) -> FetchFailure {
    FetchFailure {
        error,
        status: None,
        retry_after: None,
    }
}

/// For spreading load, not for secrets: the standard library seeds its hashers from the system.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(0_u8)
}
