//! Where the rest of the crate hands in its records.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::{AuditRecord, AuditSink};

/// A sink with the numbers of its records. Cloning shares both.
#[derive(Clone)]
pub(crate) struct AuditTrail(Arc<Inner>);

struct Inner {
    sink: Box<dyn AuditSink>,
    next: AtomicU64,
    warned: AtomicBool,
}

impl AuditTrail {
    pub(crate) fn new(sink: impl AuditSink) -> Self {
        Self(Arc::new(Inner {
            sink: Box::new(sink),
            next: AtomicU64::new(1),
            warned: AtomicBool::new(false),
        }))
    }

    /// Numbers the record and hands it to the sink. Whatever the sink does, the request goes on
    /// (R15).
    pub(crate) fn record(&self, mut record: AuditRecord) {
        record.seq = self.0.next.fetch_add(1, Ordering::Relaxed);
        let kept = catch_unwind(AssertUnwindSafe(|| self.0.sink.record(&record)));
        if kept.is_err() && !self.0.warned.swap(true, Ordering::Relaxed) {
            tracing::error!(
                target: "tower_mcp_auth::audit",
                seq = record.seq,
                "the audit sink panicked: this record is lost, later ones may be; said once"
            );
        }
    }
}

impl fmt::Debug for AuditTrail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditTrail")
            .field("next", &self.0.next)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::audit::AuditEvent;
    use crate::clock::UnixTime;

    /// Panics at every second record.
    #[derive(Default)]
    struct Fragile(Mutex<Vec<u64>>);

    impl AuditSink for Fragile {
        fn record(&self, record: &AuditRecord) {
            assert!(record.seq % 2 == 1, "fragile");
            self.0.lock().unwrap().push(record.seq);
        }
    }

    #[test]
    fn edge_08_a_panicking_sink_hurts_nobody_and_records_are_numbered() {
        let sink = Arc::new(Fragile::default());
        let trail = AuditTrail::new(sink.clone());
        for _ in 0..5 {
            trail.record(AuditRecord::new(AuditEvent::AuthOk, UnixTime::from_secs(0)));
        }
        assert_eq!(*sink.0.lock().unwrap(), [1, 3, 5]);
    }
}
