//! What other processes revoke and change, read from the log they share (R22, R23).
//!
//! One task reads on every two seconds, and at once when told to. What it is told is only a hint: the
//! log's numbers say what is missing. Whatever may have been missed all the same, before the first
//! read or in a log that is not the one it was, makes it forget everything that news are about.

mod reading;

use std::fmt;
use std::future::pending;
use std::hash::{BuildHasher, RandomState};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::select;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::need::{Asked, Need};
use super::news::Audience;
use super::revoked::Table;
use crate::error::BackendError;
use crate::rejection::{Reason, Rejection};
use crate::revocation::{DynRevocationLog, RevocationEntry, RevocationLog};
use crate::telemetry::{Meter, Probe};

const TARGET: &str = "tower_mcp_auth::revocation";

/// How far apart reads are when nobody says anything, plus or minus a fifth.
const POLL_MILLIS: u64 = 2000;

/// How far apart they are at least.
const SPACING: Duration = Duration::from_millis(100);

/// One read, and the longest a request waits for one.
const DEADLINE: Duration = Duration::from_secs(2);

/// How long API tokens are taken after the log was last read (R23). Access tokens go on: they end by
/// themselves.
const TRUSTED: Duration = Duration::from_secs(60);

/// How a process stands to the log it shares with others: for health checks and gauges.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RevocationStatus {
    /// Whether the log was read to its end within the last 60 s. If not, API tokens are answered with
    /// 503; and if it never was, so is everybody.
    pub is_current: bool,
    /// How long ago it was read to its end, if ever.
    pub age: Option<Duration>,
    /// How long ago the log last [hinted](crate::revocation::RevocationLog::hinted) that it has grown, if
    /// ever. Without hints it is read every two seconds all the same.
    pub hint_age: Option<Duration>,
    /// The number of the last entry read.
    pub sequence: u64,
    /// How many targets are revoked, roughly.
    pub targets: usize,
    /// Why the last read failed; `None` once one succeeds. For the operator.
    pub last_error: Option<Arc<BackendError>>,
}

/// The reader of a log. Dropping it ends its task.
pub(super) struct Follower(Arc<Reader>);

struct Reader {
    log: DynRevocationLog,
    table: Arc<Table>,
    audience: Audience,
    wake: Notify,
    /// Counts reads that ended.
    ended: watch::Sender<u64>,
    running: AtomicBool,
    task: Mutex<Option<AbortHandle>>,
    /// When the last read that got to the end of the log began.
    read_at: Moment,
    hinted_at: Moment,
    progress: Mutex<Progress>,
    probe: Probe,
}

#[derive(Default)]
struct Progress {
    /// The last entry read: a log that has another one under its number is another log.
    last: Option<(u64, RevocationEntry)>,
    /// Whether this log was read to its end. From then on each change is told on its own; before that,
    /// nothing that is cached is known to be current.
    is_complete: bool,
    last_error: Option<Arc<BackendError>>,
}

impl Progress {
    fn sequence(&self) -> u64 {
        self.last.as_ref().map_or(0, |(number, _)| *number)
    }
}

/// In milliseconds of monotonic time and one more; 0 is never.
#[derive(Default)]
struct Moment(AtomicU64);

impl Moment {
    fn set(&self, at: Duration) {
        let millis = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        self.0.store(millis.saturating_add(1), Ordering::Release);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire) != 0
    }

    fn age(&self, now: Duration) -> Option<Duration> {
        let at = self.0.load(Ordering::Acquire).checked_sub(1)?;
        Some(now.saturating_sub(Duration::from_millis(at)))
    }
}

/// Ends with the read under way, or the next one. Dropping it stops nothing.
pub(super) struct ReadWait(watch::Receiver<u64>);

impl ReadWait {
    pub(super) async fn done(mut self) {
        // Both errors mean there is nothing more to wait for.
        drop(timeout(DEADLINE, self.0.changed()).await);
    }
}

impl Follower {
    pub(super) fn new(log: DynRevocationLog, table: Arc<Table>, audience: Audience) -> Self {
        Self(Arc::new(Reader {
            log,
            table,
            audience,
            wake: Notify::new(),
            ended: watch::Sender::new(0),
            running: AtomicBool::new(false),
            task: Mutex::default(),
            read_at: Moment::default(),
            hinted_at: Moment::default(),
            progress: Mutex::default(),
            probe: Probe::default(),
        }))
    }

    pub(super) fn observe(&self, meter: &Meter) {
        self.0.probe.observe(meter);
    }

    pub(super) fn log(&self) -> &DynRevocationLog {
        &self.0.log
    }

    pub(super) fn notify(&self) {
        self.0.start();
        self.0.wake.notify_one();
    }

    /// Refuses where it is not known what others have revoked.
    pub(super) fn vouch(&self, is_api_token: bool, asked: Asked<'_>) -> Result<(), Need> {
        let reader = &self.0;
        let runs = reader.start();
        let age = reader.read_at.age(asked.tick);
        if age.is_some_and(|age| !is_api_token || age <= TRUSTED) {
            return Ok(());
        }
        // Subscribed first: the read that is asked for cannot end unnoticed.
        let wait = ReadWait(reader.ended.subscribe());
        reader.wake.notify_one();
        let cause = reader.progress().last_error.clone();
        // Known to be failing, it is not waited for.
        if runs && cause.is_none() && !asked.waited.revocations {
            return Err(Need::Revocations(wait));
        }
        let (reason, retry_after) = (Reason::RevocationsUnavailable, DEADLINE);
        Err(Rejection::unavailable(reason, retry_after, cause).into())
    }

    /// Waits until the log was read to its end, however long that takes. Needs a Tokio runtime.
    pub(super) async fn warm_up(&self) {
        let mut ended = self.0.ended.subscribe();
        while self.0.start() && !self.is_ready() && ended.changed().await.is_ok() {}
    }

    /// Whether the log was ever read to its end.
    pub(super) fn is_ready(&self) -> bool {
        self.0.read_at.is_set()
    }

    pub(super) fn status(&self) -> RevocationStatus {
        let table = &self.0.table;
        let now = table.clock.monotonic();
        let age = self.0.read_at.age(now);
        let progress = self.0.progress();
        RevocationStatus {
            is_current: age.is_some_and(|age| age <= TRUSTED),
            age,
            hint_age: self.0.hinted_at.age(now),
            sequence: progress.sequence(),
            targets: table.epochs.len(),
            last_error: progress.last_error.clone(),
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Some(task) = self.0.task().take() {
            task.abort();
        }
    }
}

/// The role of the one task. Given back when it ends, be it with its runtime.
struct Running(Arc<Reader>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.store(false, Ordering::Release);
    }
}

impl Reader {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn task(&self) -> MutexGuard<'_, Option<AbortHandle>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the task runs, now at the latest. It needs a Tokio runtime.
    fn start(self: &Arc<Self>) -> bool {
        if self.running.load(Ordering::Acquire) {
            return true;
        }
        let Ok(runtime) = Handle::try_current() else {
            return false;
        };
        if self.running.swap(true, Ordering::AcqRel) {
            return true;
        }
        let running = Running(self.clone());
        let task = runtime.spawn(async move { running.0.run().await });
        *self.task() = Some(task.abort_handle());
        true
    }

    async fn run(&self) {
        loop {
            let is_new_failure = self.poll().await;
            sleep(SPACING).await;
            // One lost connection must not cost a whole pause more: two of them are nearly the 5 s
            // within which every process obeys (R23).
            if !is_new_failure {
                self.rest().await;
            }
        }
    }

    /// Until the next read: a pause, or less if somebody says that there is something to read.
    async fn rest(&self) {
        // The log and the clock are the user's and may panic (R15). No hint comes then.
        let hinted = AssertUnwindSafe(async {
            self.log.hinted().await;
            self.hinted_at.set(self.table.clock.monotonic());
        });
        let hinted = pin!(async {
            if hinted.catch_unwind().await.is_err() {
                pending::<()>().await;
            }
        });
        let woken = pin!(self.wake.notified());
        drop(timeout(pause(), select(woken, hinted)).await);
    }

    /// Reads once; says whether that failed after it had not.
    async fn poll(&self) -> bool {
        // The clock and the log are the user's and may panic (R15).
        let read = AssertUnwindSafe(self.read_on()).catch_unwind().await;
        let read = read.unwrap_or_else(|_| Err(BackendError::new("the revocation log panicked")));
        let failed_before = self.progress().last_error.is_some();
        let is_new_failure = read.is_err() && !failed_before;
        match read {
            Ok(began) => {
                self.progress().last_error = None;
                self.read_at.set(began);
                if failed_before {
                    tracing::info!(target: TARGET, "the revocation log is read again");
                }
            }
            Err(error) => {
                let cause = error.report();
                self.progress().last_error = Some(Arc::new(error));
                if !failed_before {
                    tracing::warn!(
                        target: TARGET,
                        cause,
                        "the revocation log cannot be read; in 60 s no API token will be accepted"
                    );
                }
            }
        }
        self.ended
            .send_modify(|ended| *ended = ended.wrapping_add(1));
        is_new_failure
    }
}

/// Two seconds, plus or minus a fifth: processes that started together do not read together.
fn pause() -> Duration {
    let random = RandomState::new().hash_one(0_u8);
    let spread = POLL_MILLIS / 5;
    let millis = POLL_MILLIS - spread + random % (2 * spread + 1);
    Duration::from_millis(millis).saturating_sub(SPACING)
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Follower")
    }
}
