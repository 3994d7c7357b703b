//! One issuer's keys: asked for when a token needs them, kept while the issuer is down.
//!
//! Requests read an immutable snapshot without a lock and never own a fetch. A detached task does
//! the asking, one at a time per issuer, so neither a caller that goes away nor ten thousand that
//! arrive at once change what the issuer sees (R13, R14). No timer runs while all is well; after a
//! failure one task tries again for as long as requests keep coming.

mod attempts;
mod refresh;
mod snapshot;

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::discovery::Discovery;
use crate::algorithm::SigningAlgorithm;
use crate::clock::Clock;
use crate::error::BackendError;
use crate::fetch::DynFetch;
use crate::issuer::Issuer;
use crate::jose::{Candidates, Found, is_key_id};
use crate::scope::ScopeSet;
use crate::telemetry::{Fetches, Meter, span};
use attempts::Attempts;
use snapshot::{Phase, Snapshot};

pub(crate) use snapshot::Fingerprint;

/// Target of every event about keys.
pub(crate) const TARGET: &str = "tower_mcp_auth::keys";

/// The longest a request waits for a fetch (R3).
pub(crate) const WAIT: Duration = Duration::from_secs(2);

/// How far apart attempts are that unknown `kid`s cause (R10).
const UNKNOWN_SPACING: Duration = Duration::from_secs(10);

/// `Retry-After` stays within these.
const MIN_RETRY_AFTER: Duration = Duration::from_secs(1);
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

/// How often, at most, a request takes the lock to see whether a refresh is wanted.
const NUDGE_MILLIS: u64 = 1000;

/// What a token's `kid` and algorithm lead to.
#[derive(Debug)]
pub(crate) enum Lookup {
    /// Try these.
    Keys(Candidates),
    /// The issuer has no such key: the token is not its own.
    Unknown,
    /// The issuer has too many keys that fit.
    Ambiguous,
    /// Await this, then look up once more with `after_wait`.
    Wait(FetchWait),
    /// Nobody can say: the issuer's keys cannot be had (KEY-6).
    Unavailable {
        /// 1 to 30 s.
        retry_after: Duration,
        cause: Option<Arc<BackendError>>,
    },
}

/// Ends when the attempt under way ends, or after [`WAIT`]. Dropping it stops nothing.
#[derive(Debug)]
pub(crate) struct FetchWait(watch::Receiver<u64>);

impl FetchWait {
    pub(crate) async fn done(mut self) {
        // Both errors mean there is nothing more to wait for.
        drop(tokio::time::timeout(WAIT, self.0.changed()).await);
    }
}

/// Whether an issuer's keys are at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyState {
    /// Within their lifetime.
    Fresh,
    /// Past their lifetime, and used only while the issuer is down.
    Stale,
    /// None that may be used: tokens of this issuer are answered with 503 until some are fetched.
    Absent,
}

/// How one issuer stands: for health checks and gauges.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IssuerStatus {
    /// The issuer's identifier.
    pub issuer: Arc<str>,
    /// Whether its keys are at hand.
    pub state: KeyState,
    /// Scopes this server asks clients for that the issuer's metadata does not list: clients may be
    /// unable to get them (SCP-6). Empty if the issuer lists no scopes at all.
    pub unlisted_scopes: ScopeSet,
    /// How long ago they were fetched, if ever.
    pub age: Option<Duration>,
    /// Why the last attempt to fetch them failed; `None` once one succeeds. For the operator.
    pub last_error: Option<Arc<BackendError>>,
}

/// Why no attempt was joined or started.
enum NotStarted {
    TooSoon,
    NoRuntime,
}

/// The keys of one issuer.
pub(crate) struct KeySource {
    issuer: Issuer,
    fetch: DynFetch,
    clock: Arc<dyn Clock>,
    discovery: Discovery,
    snapshot: ArcSwapOption<Snapshot>,
    attempts: Mutex<Attempts>,
    /// Counts finished attempts.
    ended: watch::Sender<u64>,
    /// When a request last asked, in milliseconds of monotonic time, to the second.
    asked: AtomicU64,
    /// Before this, no request looks whether a refresh is wanted.
    nudge_after: AtomicU64,
    fetches: Fetches,
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySource")
            .field("issuer", &self.issuer.identifier)
            .finish_non_exhaustive()
    }
}

impl KeySource {
    /// Keys of `issuer`, none yet. Does no I/O.
    pub(crate) fn new(
        issuer: &Issuer,
        wanted: ScopeSet,
        fetch: DynFetch,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        Arc::new(Self {
            discovery: Discovery::new(issuer, wanted),
            issuer: issuer.clone(),
            fetch,
            clock,
            snapshot: ArcSwapOption::empty(),
            attempts: Mutex::new(Attempts::new()),
            ended: watch::Sender::new(0),
            asked: AtomicU64::new(0),
            nudge_after: AtomicU64::new(0),
            fetches: Fetches::default(),
        })
    }

    /// Whether these are the keys of an issuer with these settings.
    pub(crate) fn fits(&self, issuer: &Issuer) -> bool {
        self.are_of(issuer)
            && self.issuer.freshness == issuer.freshness
            && self.issuer.introspection.is_some() == issuer.introspection.is_some()
    }

    fn are_of(&self, issuer: &Issuer) -> bool {
        self.issuer.identifier == issuer.identifier
            && self.issuer.jwks_uri == issuer.jwks_uri
            && self.issuer.algorithms == issuer.algorithms
    }

    /// Takes over the keys that another source of the same issuer has fetched, as old as they are, to
    /// keep them for as long as is said here.
    pub(crate) fn inherit(&self, known: &Self) {
        if known.are_of(&self.issuer)
            && let Some(snapshot) = known.snapshot.load_full()
        {
            let snapshot = snapshot.under(self.issuer.freshness);
            self.snapshot.store(Some(Arc::new(snapshot)));
        }
    }

    /// What this server asks clients to get from the issuer from now on (SCP-6).
    pub(crate) fn want(&self, scopes: ScopeSet) {
        self.discovery.want(scopes);
    }

    /// Starts to fetch the keys if there are none, and there is a runtime to do it in.
    pub(crate) fn begin(self: &Arc<Self>) {
        if !self.is_ready() {
            let now = self.clock.monotonic();
            self.note_asked(now);
            drop(self.join_or_start(None, now, Duration::ZERO));
        }
    }

    /// Says whom to report to.
    pub(crate) fn observe(&self, meter: &Meter) {
        self.fetches.observe(meter, &self.issuer.identifier);
        self.discovery.observe(meter);
    }

    /// The keys for a token with this header. Never blocks; starts a fetch where one is needed,
    /// in the current Tokio runtime.
    ///
    /// `after_wait` says that the caller has awaited a [`FetchWait`]; it gets no second one.
    pub(crate) fn lookup(
        self: &Arc<Self>,
        kid: Option<&str>,
        algorithm: SigningAlgorithm,
        after_wait: bool,
    ) -> Lookup {
        // What can never be found must not make us ask.
        if !self.issuer.algorithms.contains(&algorithm) || !kid.is_none_or(is_key_id) {
            return Lookup::Unknown;
        }
        loop {
            let seen = self.snapshot.load();
            let found = self.look_in(seen.as_ref(), kid, algorithm, after_wait);
            let is_no = matches!(found, Lookup::Unknown | Lookup::Unavailable { .. });
            // A fetch that ended meanwhile may have brought the key: only the newest keys say no.
            if !is_no || self.is_newest(seen.as_ref()) {
                return found;
            }
        }
    }

    /// Which document the keys of the moment stand in.
    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        Some(self.snapshot.load().as_deref()?.fingerprint)
    }

    /// Whether what was verified by keys of this document would be verified by them now, without
    /// a look at the token. If not, [`lookup`](Self::lookup) knows why.
    pub(crate) fn vouches(self: &Arc<Self>, fingerprint: Fingerprint, now: Duration) -> bool {
        self.note_asked(now);
        let seen = self.snapshot.load();
        let Some(snapshot) = seen.as_ref() else {
            return false;
        };
        match snapshot.phase(now) {
            Phase::Fresh => {}
            Phase::Due => self.nudge(seen.as_ref(), now),
            Phase::Stale if self.is_out(now) => self.nudge(seen.as_ref(), now),
            Phase::Stale | Phase::Expired => return false,
        }
        snapshot.fingerprint == fingerprint
    }

    fn look_in(
        self: &Arc<Self>,
        seen: Option<&Arc<Snapshot>>,
        kid: Option<&str>,
        algorithm: SigningAlgorithm,
        after_wait: bool,
    ) -> Lookup {
        let now = self.clock.monotonic();
        self.note_asked(now);
        let Some(snapshot) = seen else {
            return self.without_keys(seen, now, after_wait);
        };
        match snapshot.phase(now) {
            Phase::Fresh => {}
            Phase::Due => self.nudge(seen, now),
            Phase::Stale if after_wait || self.is_out(now) => self.nudge(seen, now),
            // The issuer may have withdrawn a key since: ask before one is used again (KEY-5).
            Phase::Stale | Phase::Expired => return self.without_keys(seen, now, after_wait),
        }
        match snapshot.keys.candidates(kid, algorithm) {
            Found::Keys(keys) => Lookup::Keys(keys),
            Found::Ambiguous => Lookup::Ambiguous,
            Found::Unknown => self.unknown(seen, now, after_wait),
        }
    }

    /// Fetches the keys if there are none and waits until there are, however long that takes.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if no Tokio runtime is current.
    pub(crate) async fn warm_up(self: &Arc<Self>) -> Result<(), BackendError> {
        loop {
            let now = self.clock.monotonic();
            self.note_asked(now);
            let mut ended = self.ended.subscribe();
            if self.is_ready() {
                return Ok(());
            }
            let seen = self.snapshot.load_full();
            let started = self.join_or_start(seen.as_ref(), now, Duration::ZERO);
            if let Err(NotStarted::NoRuntime) = started {
                return Err(no_runtime());
            }
            // The retry loop works while somebody asks, so ask now and then.
            drop(tokio::time::timeout(MAX_RETRY_AFTER, ended.changed()).await);
        }
    }

    /// Whether tokens can be judged, be it with stale keys, or because none of them needs keys.
    pub(crate) fn is_ready(&self) -> bool {
        self.status().state != KeyState::Absent || self.discovery.is_keyless()
    }

    /// Whether none of its tokens needs keys.
    pub(crate) fn is_keyless(&self) -> bool {
        self.discovery.is_keyless()
    }

    /// Whether it is known to be failing now, not merely to have failed once.
    pub(crate) fn is_failing(&self) -> bool {
        self.attempts().is_failing(self.clock.monotonic())
    }

    pub(crate) fn status(&self) -> IssuerStatus {
        let now = self.clock.monotonic();
        let snapshot = self.snapshot.load();
        let state = match snapshot.as_deref().map(|snapshot| snapshot.phase(now)) {
            Some(Phase::Fresh | Phase::Due) => KeyState::Fresh,
            Some(Phase::Stale) => KeyState::Stale,
            Some(Phase::Expired) | None => KeyState::Absent,
        };
        IssuerStatus {
            issuer: Arc::from(self.issuer.identifier.as_str()),
            state,
            unlisted_scopes: self.discovery.unlisted_scopes(),
            age: snapshot.as_deref().map(|snapshot| snapshot.age(now)),
            last_error: self.attempts().last_error().cloned(),
        }
    }

    /// Locked for a few instructions, never across an await. A poisoned lock guards plain values
    /// that are whole between statements.
    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether no fetch has brought keys since these were read.
    fn is_newest(&self, seen: Option<&Arc<Snapshot>>) -> bool {
        match (self.snapshot.load().as_ref(), seen) {
            (Some(newest), Some(seen)) => Arc::ptr_eq(newest, seen),
            (newest, seen) => newest.is_none() && seen.is_none(),
        }
    }

    fn without_keys(
        self: &Arc<Self>,
        seen: Option<&Arc<Snapshot>>,
        now: Duration,
        after_wait: bool,
    ) -> Lookup {
        if after_wait {
            return self.unavailable(now);
        }
        match self.join_or_start(seen, now, Duration::ZERO) {
            Ok(wait) => Lookup::Wait(wait),
            Err(NotStarted::TooSoon) => self.unavailable(now),
            Err(NotStarted::NoRuntime) => unavailable_without_runtime(),
        }
    }

    /// A `kid` that usable keys do not have: perhaps the issuer rotated a moment ago.
    fn unknown(
        self: &Arc<Self>,
        seen: Option<&Arc<Snapshot>>,
        now: Duration,
        after_wait: bool,
    ) -> Lookup {
        if !after_wait {
            match self.join_or_start(seen, now, UNKNOWN_SPACING) {
                Ok(wait) => return Lookup::Wait(wait),
                Err(NotStarted::NoRuntime) => return unavailable_without_runtime(),
                Err(NotStarted::TooSoon) => {}
            }
        }
        if self.attempts().is_answered(now, WAIT) {
            return Lookup::Unknown;
        }
        self.unavailable(now)
    }

    fn unavailable(&self, now: Duration) -> Lookup {
        let attempts = self.attempts();
        let pause = attempts.pause(now, Duration::ZERO);
        Lookup::Unavailable {
            retry_after: pause.clamp(MIN_RETRY_AFTER, MAX_RETRY_AFTER),
            cause: attempts.last_error().cloned(),
        }
    }

    /// Whether there is reason to use keys past their lifetime: the issuer is failing, or has had
    /// the time one request waits and not answered.
    fn is_out(&self, now: Duration) -> bool {
        let attempts = self.attempts();
        let slow = attempts
            .running_since()
            .is_some_and(|since| now.saturating_sub(since) >= WAIT);
        slow || attempts.is_failing(now)
    }

    /// Starts a refresh that nobody waits for, if one may start.
    fn nudge(self: &Arc<Self>, seen: Option<&Arc<Snapshot>>, now: Duration) {
        let millis = millis(now);
        if millis < self.nudge_after.load(Ordering::Relaxed) {
            return;
        }
        self.nudge_after
            .store(millis.saturating_add(NUDGE_MILLIS), Ordering::Relaxed);
        // Not starting is fine: then one runs, or failed a moment ago.
        span::apart(|| drop(self.join_or_start(seen, now, Duration::ZERO)));
    }

    /// Joins the attempt under way, or starts one because the keys `seen` are not enough.
    fn join_or_start(
        self: &Arc<Self>,
        seen: Option<&Arc<Snapshot>>,
        now: Duration,
        spacing: Duration,
    ) -> Result<FetchWait, NotStarted> {
        let (wait, runtime) = {
            let mut attempts = self.attempts();
            // Subscribed under the lock: the end of a running attempt cannot slip in between.
            let wait = || FetchWait(self.ended.subscribe());
            if attempts.running_since().is_some() {
                return Ok(wait());
            }
            // Under the lock, so that one cold start is one fetch however late a caller comes (R13).
            let is_overtaken = !self.is_newest(seen);
            if is_overtaken || !attempts.pause(now, spacing).is_zero() {
                return Err(NotStarted::TooSoon);
            }
            let runtime = Handle::try_current().map_err(|_| NotStarted::NoRuntime)?;
            attempts.begin(now);
            (wait(), runtime)
        };
        // Outside the lock: a runtime that is shutting down drops the task at once, and ending the
        // attempt takes the lock.
        refresh::spawn(self, &runtime, now);
        Ok(wait)
    }

    /// To the second, so that a busy issuer's requests do not fight over one cache line.
    fn note_asked(&self, now: Duration) {
        let millis = millis(now);
        if millis.saturating_sub(self.asked.load(Ordering::Relaxed)) >= 1000 {
            self.asked.store(millis, Ordering::Relaxed);
        }
    }
}

fn unavailable_without_runtime() -> Lookup {
    Lookup::Unavailable {
        retry_after: MIN_RETRY_AFTER,
        cause: Some(Arc::new(no_runtime())),
    }
}

fn no_runtime() -> BackendError {
    BackendError::new("keys are fetched in a Tokio runtime, and none is current")
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
