//! One task per throttle that tells other processes of failures and hears of theirs, while there are
//! any.

use std::mem::replace;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::book::{Book, Place};
use super::bucket::Rate;
use super::shared::{ADDRESS, Bucket, CREDENTIAL, DynSharedFailures, Failures, SharedFailures};
use super::{Network, TARGET, Throttle};
use crate::error::BackendError;
use crate::pulse::{Fault, Pulse, Vitals};
use crate::telemetry::{Call, Ended, Meter, Probe};

/// How far apart exchanges are.
const EVERY: Duration = Duration::from_secs(1);

/// The longest one takes.
const DEADLINE: Duration = Duration::from_millis(500);

/// For so many seconds of a minute, what others told at the end of the one before is asked for too.
const LATE: u64 = 3;

/// Charges made under one lock: no request waits for all of them.
const AT_ONCE: usize = 100;

/// What is shared with other processes. Dropping it ends its task.
pub(super) struct Sharing {
    line: Arc<Line>,
    book: Mutex<Book>,
    task: Mutex<Option<AbortHandle>>,
}

/// What the task has of its own.
struct Line {
    store: DynSharedFailures,
    wake: Notify,
    running: AtomicBool,
    pulse: Pulse,
    probe: Probe,
}

/// For how long what happened elsewhere counts here, from now on.
#[derive(Default)]
pub(super) struct Owed {
    pub(super) address: Duration,
    pub(super) credential: Duration,
}

/// What the task does after a round.
enum Next {
    Round,
    Sleep,
    End,
}

impl Sharing {
    pub(super) fn new(store: DynSharedFailures) -> Self {
        Self {
            line: Arc::new(Line {
                store,
                wake: Notify::new(),
                running: AtomicBool::new(false),
                pulse: Pulse::default(),
                probe: Probe::default(),
            }),
            book: Mutex::default(),
            task: Mutex::default(),
        }
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn task(&self) -> MutexGuard<'_, Option<AbortHandle>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the task runs, now at the latest. It needs a Tokio runtime.
    fn start(&self, throttle: &Arc<Throttle>) -> bool {
        if self.line.running.load(Ordering::Acquire) {
            return true;
        }
        let Ok(runtime) = Handle::try_current() else {
            return false;
        };
        if self.line.running.swap(true, Ordering::AcqRel) {
            return true;
        }
        let (running, throttle) = (Running(self.line.clone()), Arc::downgrade(throttle));
        let task = runtime.spawn(async move { running.0.run(throttle).await });
        *self.task() = Some(task.abort_handle());
        true
    }
}

impl Drop for Sharing {
    fn drop(&mut self) {
        if let Some(task) = self.task().take() {
            task.abort();
        }
    }
}

/// The role of the one task. Given back when it ends, be it with its runtime.
struct Running(Arc<Line>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.store(false, Ordering::Release);
    }
}

impl Line {
    async fn run(&self, throttle: Weak<Throttle>) {
        let (mut is_out, mut awake_since) = (false, None);
        loop {
            // The clock and the store are the user's and may panic (R15).
            let round = AssertUnwindSafe(self.round(&throttle, &mut awake_since));
            let round = round.catch_unwind().await;
            let panicked = |_| Err(BackendError::new("the store of failures panicked"));
            match round.unwrap_or_else(panicked) {
                Ok(Next::End) => return,
                Ok(Next::Sleep) => {
                    self.wake.notified().await;
                    continue;
                }
                Ok(Next::Round) if replace(&mut is_out, false) => {
                    tracing::info!(target: TARGET, "failures are shared again");
                }
                Err(error) if !replace(&mut is_out, true) => {
                    let cause = error.report();
                    tracing::warn!(
                        target: TARGET,
                        cause,
                        "failures cannot be shared with other processes; each goes on with its own limits"
                    );
                }
                Ok(Next::Round) | Err(_) => {}
            }
            sleep(EVERY).await;
        }
    }

    async fn round(
        &self,
        throttle: &Weak<Throttle>,
        awake_since: &mut Option<u64>,
    ) -> Result<Next, BackendError> {
        let Some((minute, second)) = throttle.upgrade().map(|throttle| throttle.time()) else {
            return Ok(Next::End);
        };
        if throttle.upgrade().is_some_and(|t| t.is_idle(minute)) {
            *awake_since = None;
            return Ok(Next::Sleep);
        }
        let before = minute.saturating_sub(1);
        if *awake_since.get_or_insert(minute) <= before && second < LATE {
            self.exchange(throttle, before, Vec::new()).await?;
        }
        let Some(batch) = throttle.upgrade().map(|throttle| throttle.batch(minute)) else {
            return Ok(Next::End);
        };
        self.exchange(throttle, minute, batch).await?;
        Ok(Next::Round)
    }

    async fn exchange(
        &self,
        throttle: &Weak<Throttle>,
        minute: u64,
        failures: Vec<Failures>,
    ) -> Result<(), BackendError> {
        let exchange = self.store.exchange(minute, failures);
        let exchange = timeout(DEADLINE, exchange);
        let meter = self.probe.meter();
        let exchange = meter.timed(Call::ExchangeFailures, exchange, Ended::in_time);
        let sums = exchange.await;
        let beat = Fault::in_time(&sums);
        if let Some(throttle) = throttle.upgrade() {
            self.pulse.beat(throttle.clock.monotonic(), beat);
        }
        let sums = sums.map_err(|_| {
            BackendError::new("the store of failures did not answer within 500 ms")
        })??;
        if let Some(throttle) = throttle.upgrade() {
            throttle.hear(minute, sums);
        }
        Ok(())
    }
}

impl Throttle {
    /// How the store of failures has answered lately, if there is one.
    pub(crate) fn vitals(&self) -> Option<Vitals> {
        let sharing = self.sharing.as_ref()?;
        Some(sharing.line.pulse.vitals(self.clock.monotonic()))
    }

    /// Says whom to report to.
    pub(crate) fn observe(&self, meter: &Meter) {
        if let Some(sharing) = &self.sharing {
            sharing.line.probe.observe(meter);
        }
    }

    /// Notes a failure for the other processes, and says what is owed here for failures at them. Those
    /// of addresses that are not known stay here: they are no one client's (T29).
    pub(super) fn tell(
        self: &Arc<Self>,
        network: Network,
        token: Option<((Network, u64), &str)>,
        now: Duration,
    ) -> Owed {
        let mut owed = Owed::default();
        let Some(sharing) = &self.sharing else {
            return owed;
        };
        let address = self.per_address.as_ref();
        let address = address.and_then(|_| Bucket::of(network, None));
        let credential = self
            .per_credential
            .as_ref()
            .zip(token)
            .and_then(|(_, token)| {
                let (key, id) = token;
                Some((Bucket::of(network, Some(id))?, key))
            });
        if (address.is_none() && credential.is_none()) || !sharing.start(self) {
            return owed;
        }
        let mut book = sharing.book();
        if let Some(bucket) = address {
            owed.address = book.note(bucket, Place::Address(network), now);
        }
        if let Some((bucket, key)) = credential {
            owed.credential = book.note(bucket, Place::Credential(key), now);
        }
        drop(book);
        sharing.line.wake.notify_one();
        owed
    }

    /// The minute of the wall clock that others have too, and the second of it.
    fn time(&self) -> (u64, u64) {
        let now = u64::try_from(self.clock.now().as_secs()).unwrap_or_default();
        (now / 60, now % 60)
    }

    fn is_idle(&self, minute: u64) -> bool {
        let sharing = self.sharing.as_ref();
        sharing.is_none_or(|sharing| sharing.book().is_idle(minute))
    }

    fn batch(&self, minute: u64) -> Vec<Failures> {
        let sharing = self.sharing.as_ref();
        sharing.map_or_else(Vec::new, |sharing| sharing.book().batch(minute))
    }

    /// Charges what happened elsewhere to those who failed here too.
    fn hear(&self, minute: u64, sums: Vec<Failures>) {
        let Some(sharing) = &self.sharing else {
            return;
        };
        let now = self.clock.monotonic();
        let rate_of = |bucket: Bucket| self.rate_of(bucket.limit());
        let charges = sharing.book().hear(minute, sums, now, rate_of);
        for charges in charges.chunks(AT_ONCE) {
            let mut tables = self.lock();
            for (place, by) in charges {
                let full_at = match (*place, &self.per_address, &self.per_credential) {
                    (Place::Address(key), Some(kind), _) => {
                        tables.addresses.push(key, kind.rate, (*by, now))
                    }
                    (Place::Credential(key), _, Some(kind)) => {
                        tables.credentials.push(key, kind.rate, (*by, now))
                    }
                    _ => continue,
                };
                self.keep_busy(Some(full_at));
            }
        }
    }

    fn rate_of(&self, limit: u8) -> Option<Rate> {
        let kind = match limit {
            ADDRESS => &self.per_address,
            CREDENTIAL => &self.per_credential,
            _ => return None,
        };
        kind.as_ref().map(|kind| kind.rate)
    }
}
