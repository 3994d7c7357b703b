//! A sink that keeps everything.

use std::sync::{Arc, Mutex};

use super::encoding::lock;
use crate::audit::{AuditRecord, AuditSink, SinkState};

/// An [`AuditSink`] that keeps every record in memory. Clones share them, so keep one and give the
/// other away.
///
/// ```
/// use tower_mcp_auth::audit::{AuditEvent, AuditRecord, AuditSink};
/// use tower_mcp_auth::clock::UnixTime;
/// use tower_mcp_auth::testing::MemoryAudit;
///
/// let audit = MemoryAudit::new();
/// audit.clone().record(&AuditRecord::new(AuditEvent::AuthFail, UnixTime::from_secs(0)));
/// assert_eq!(audit.records()[0].event, AuditEvent::AuthFail);
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryAudit(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    records: Vec<AuditRecord>,
    state: SinkState,
}

impl MemoryAudit {
    /// Nothing recorded yet.
    ///
    /// ```
    /// # use tower_mcp_auth::testing::MemoryAudit;
    /// let audit = MemoryAudit::new();
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every record so far, in the order of arrival.
    ///
    /// ```
    /// # use tower_mcp_auth::testing::MemoryAudit;
    /// assert!(MemoryAudit::new().records().is_empty());
    /// ```
    #[must_use]
    pub fn records(&self) -> Vec<AuditRecord> {
        lock(&self.0).records.clone()
    }

    /// Every record so far; the sink starts anew.
    ///
    /// ```
    /// # use tower_mcp_auth::testing::MemoryAudit;
    /// assert!(MemoryAudit::new().take().is_empty());
    /// ```
    #[must_use]
    pub fn take(&self) -> Vec<AuditRecord> {
        std::mem::take(&mut lock(&self.0).records)
    }
}

impl MemoryAudit {
    /// What it says of itself from now on. It keeps what it is given whatever it says.
    ///
    /// ```
    /// # use tower_mcp_auth::{audit::SinkState, testing::MemoryAudit};
    /// MemoryAudit::new().set_state(SinkState::Full);
    /// ```
    pub fn set_state(&self, state: SinkState) {
        lock(&self.0).state = state;
    }
}

impl AuditSink for MemoryAudit {
    fn record(&self, record: &AuditRecord) {
        lock(&self.0).records.push(record.clone());
    }

    fn state(&self) -> SinkState {
        lock(&self.0).state
    }
}
