//! Where revocations are kept for every process that serves together, as a port.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::entry::RevocationEntry;
use crate::error::BackendError;

/// An append-only list of revocations and of [news](super::RecordChange) of changed records, shared by the
/// processes of a server: a table, a stream. What readers do with it:
/// [`revocation`](super#how-processes-hear-of-each-other).
///
/// It is the truth; whatever tells processes of a new entry is only a hint to read now, and may get
/// lost, come twice or late (R22). An implementation passes `revocation::contract`, which the macro
/// `revocation_log_contract!` (feature `testing`) turns into tests. Cloning shares the log.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot keep revocations",
    note = "use `MemoryRevocationLog`, or implement `RevocationLog`: append, read_since"
)]
pub trait RevocationLog: Clone + Send + Sync + 'static {
    /// Adds an entry as it is and returns its sequence number: 1 for the first, then one more for
    /// each. When this returns, a `read_since` that starts then sees it.
    ///
    /// An entry must not be seen before all with lower numbers are: readers ask for what comes after
    /// the last they saw, and would miss it. A database sequence alone does not do that, since
    /// transactions end in another order than they began: take a lock, or count in a row that is
    /// updated.
    ///
    /// # Errors
    ///
    /// The log did not take it, as far as known. It may be there after all.
    fn append(
        &self,
        entry: RevocationEntry,
    ) -> impl Future<Output = Result<u64, BackendError>> + Send;

    /// The entries after `sequence` with their numbers, in order and without gaps, at most `limit`.
    /// Fewer than `limit` means there are no more.
    ///
    /// What was appended more than [`KEPT`](super::KEPT) ago may be gone, oldest first; nothing else
    /// may, and never the last entry. Numbers go on. An entry comes back as it was appended: readers
    /// compare the last they read, and take a log that has another one for another log.
    ///
    /// # Errors
    ///
    /// The log did not answer. Never answer with nothing for that: readers would take it for peace.
    fn read_since(
        &self,
        sequence: u64,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(u64, RevocationEntry)>, BackendError>> + Send;

    /// Ends when something may have been appended since the last call, by whatever way the log hears of
    /// that: see [`Hints`](super::Hints), whose rules hold. Dropped and called again, it loses no hint.
    /// However often it ends, readers leave 100 ms between two reads. Default: never; they read every
    /// two seconds.
    fn hinted(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

type Page = Result<Vec<(u64, RevocationEntry)>, BackendError>;

trait Erased: Send + Sync {
    fn append(&self, entry: RevocationEntry) -> Boxed<'_, Result<u64, BackendError>>;
    fn read_since(&self, sequence: u64, limit: usize) -> Boxed<'_, Page>;
    fn hinted(&self) -> Boxed<'_, ()>;
}

impl<L: RevocationLog> Erased for L {
    fn append(&self, entry: RevocationEntry) -> Boxed<'_, Result<u64, BackendError>> {
        Box::pin(RevocationLog::append(self, entry))
    }

    fn read_since(&self, sequence: u64, limit: usize) -> Boxed<'_, Page> {
        Box::pin(RevocationLog::read_since(self, sequence, limit))
    }

    fn hinted(&self) -> Boxed<'_, ()> {
        Box::pin(RevocationLog::hinted(self))
    }
}

/// The erased twin of [`RevocationLog`]: any log, in a type without parameters.
#[derive(Clone)]
pub struct DynRevocationLog(Arc<dyn Erased>);

impl DynRevocationLog {
    /// Erases a log.
    #[must_use]
    pub fn new(log: impl RevocationLog) -> Self {
        Self(Arc::new(log))
    }
}

impl RevocationLog for DynRevocationLog {
    async fn append(&self, entry: RevocationEntry) -> Result<u64, BackendError> {
        self.0.append(entry).await
    }

    async fn read_since(
        &self,
        sequence: u64,
        limit: usize,
    ) -> Result<Vec<(u64, RevocationEntry)>, BackendError> {
        self.0.read_since(sequence, limit).await
    }

    async fn hinted(&self) {
        self.0.hinted().await;
    }
}

impl fmt::Debug for DynRevocationLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DynRevocationLog")
    }
}
