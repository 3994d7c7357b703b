//! What both ends of the queue know.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::audit::{AuditFormat, AuditOutcome, AuditRecord, SinkState};
use crate::clock::Clock;
use crate::rejection::Reason;

/// A write that takes longer than this is taken for one that does not come back.
const STUCK: Duration = Duration::from_secs(5);

/// The bound of the queue, and how its writer is doing. The channel itself is unbounded.
pub(super) struct Gate {
    pub(super) waiting: AtomicUsize,
    /// For any record.
    pub(super) capacity: usize,
    /// For records of requests that are let in.
    ordinary: usize,
    /// Not reported yet.
    pub(super) lost: AtomicU64,
    lost_ever: AtomicU64,
    pub(super) closed: AtomicBool,
    /// What was written last is not safe, as far as the writer says.
    pub(super) failing: AtomicBool,
    /// When the write under way began, in milliseconds of monotonic time and one more; 0 is none.
    busy_since: AtomicU64,
    ocsf: AtomicBool,
    clock: Arc<dyn Clock>,
}

impl Gate {
    pub(super) fn new(capacity: usize, clock: Arc<dyn Clock>) -> Self {
        let capacity = capacity.max(4);
        Self {
            waiting: AtomicUsize::new(0),
            capacity,
            ordinary: capacity - capacity / 4,
            lost: AtomicU64::new(0),
            lost_ever: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            busy_since: AtomicU64::new(0),
            ocsf: AtomicBool::new(false),
            clock,
        }
    }

    /// Takes a place in the queue, if there is one for such a record. The last quarter is not for
    /// requests that were let in, nor for those that were not because there was no place: a flood of
    /// good requests would fill it either way.
    pub(super) fn enter(&self, record: &AuditRecord) -> bool {
        let limit = match record.outcome {
            AuditOutcome::Allowed => self.ordinary,
            _ if record.reason == Some(Reason::AuditUnavailable) => self.ordinary,
            AuditOutcome::Refused | AuditOutcome::Done | AuditOutcome::Error => self.capacity,
        };
        let one_more = |waiting: usize| (waiting < limit).then(|| waiting.saturating_add(1));
        !self.closed.load(Ordering::Acquire)
            && self
                .waiting
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more)
                .is_ok()
    }

    pub(super) fn leave(&self) {
        self.waiting.fetch_sub(1, Ordering::AcqRel);
    }

    pub(super) fn lose(&self, records: u64) {
        self.lost_ever.fetch_add(records, Ordering::AcqRel);
        self.owe(records);
    }

    /// Has these losses reported, again if a report was lost itself.
    pub(super) fn owe(&self, records: u64) {
        self.lost.fetch_add(records, Ordering::AcqRel);
    }

    pub(super) fn lost_ever(&self) -> u64 {
        self.lost_ever.load(Ordering::Acquire)
    }

    pub(super) fn state(&self) -> SinkState {
        if self.closed.load(Ordering::Acquire) {
            SinkState::Closed
        } else if self.failing.load(Ordering::Acquire) || self.is_stuck() {
            SinkState::Failing
        } else if self.waiting.load(Ordering::Acquire) >= self.ordinary {
            SinkState::Full
        } else {
            SinkState::Ready
        }
    }

    fn is_stuck(&self) -> bool {
        let since = self.busy_since.load(Ordering::Acquire);
        since != 0 && self.moment().saturating_sub(since) > millis(STUCK)
    }

    /// A write begins.
    pub(super) fn begin(&self) {
        self.busy_since.store(self.moment(), Ordering::Release);
    }

    /// It came back.
    pub(super) fn end(&self) {
        self.busy_since.store(0, Ordering::Release);
    }

    fn moment(&self) -> u64 {
        millis(self.clock.monotonic()).saturating_add(1)
    }

    pub(super) fn set_format(&self, format: AuditFormat) {
        self.ocsf
            .store(format == AuditFormat::Ocsf, Ordering::Release);
    }

    pub(super) fn format(&self) -> AuditFormat {
        if self.ocsf.load(Ordering::Acquire) {
            AuditFormat::Ocsf
        } else {
            AuditFormat::Native
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
