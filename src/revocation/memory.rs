//! A log in this process, for tests and for several authenticators in one process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::entry::RevocationEntry;
use super::log::RevocationLog;
use crate::error::BackendError;

/// Keeps revocations in memory, gone with the process. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct MemoryRevocationLog(Arc<Mutex<Vec<RevocationEntry>>>);

impl MemoryRevocationLog {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn entries(&self) -> MutexGuard<'_, Vec<RevocationEntry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RevocationLog for MemoryRevocationLog {
    async fn append(&self, entry: RevocationEntry) -> Result<u64, BackendError> {
        let mut entries = self.entries();
        entries.push(entry);
        Ok(u64::try_from(entries.len()).unwrap_or(u64::MAX))
    }

    async fn read_since(
        &self,
        sequence: u64,
        limit: usize,
    ) -> Result<Vec<(u64, RevocationEntry)>, BackendError> {
        let seen = usize::try_from(sequence).unwrap_or(usize::MAX);
        let entries = self.entries();
        let new = (sequence.saturating_add(1)..).zip(entries.iter().skip(seen).cloned());
        Ok(new.take(limit).collect())
    }
}

#[cfg(test)]
mod tests {
    mod contract {
        use crate::revocation::MemoryRevocationLog;

        crate::revocation_log_contract!(MemoryRevocationLog::new());
    }
}
