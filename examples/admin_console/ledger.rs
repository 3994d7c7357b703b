//! The audit, kept for those who watch: the last records of each organization, and news of each new one.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;
use tower_mcp_auth::audit::{AuditRecord, AuditSink};

/// Records kept of one organization: no flood in one pushes out what happened in another.
const KEPT: usize = 500;
/// Records that somebody who watches may fall behind.
const BACKLOG: usize = 256;

/// A record, and what the console knows beside it.
#[derive(Debug)]
pub(crate) struct Entry {
    /// In the order of arrival, beginning with 1.
    pub(crate) number: u64,
    pub(crate) record: AuditRecord,
    /// The administrator who did it here. Of a policy, its history says who.
    pub(crate) by: Option<Arc<str>>,
}

/// Cloning shares it. The sink of the server, which knows no author.
#[derive(Clone, Debug)]
pub(crate) struct Ledger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kept: Mutex<Kept>,
    news: broadcast::Sender<Arc<Entry>>,
}

#[derive(Debug, Default)]
struct Kept {
    last: u64,
    organizations: HashMap<String, VecDeque<Arc<Entry>>>,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            kept: Mutex::default(),
            news: broadcast::Sender::new(BACKLOG),
        }))
    }

    /// The sink of what one administrator does.
    pub(crate) fn by(&self, author: &str) -> Signed {
        Signed {
            ledger: self.clone(),
            author: author.into(),
        }
    }

    /// The records of an organization after a number, oldest first.
    pub(crate) fn after(&self, organization: &str, number: u64) -> Vec<Arc<Entry>> {
        let kept = self.lock();
        let entries = kept.organizations.get(organization).into_iter().flatten();
        entries.filter(|one| one.number > number).cloned().collect()
    }

    /// Those of every organization, from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<Entry>> {
        self.0.news.subscribe()
    }

    /// A record that names no organization is nobody's to see here: who sent it has proven nothing.
    fn add(&self, record: AuditRecord, by: Option<Arc<str>>) {
        let Some(organization) = record.organization.clone() else {
            return;
        };
        // Under the lock, so that news come in the order of the numbers.
        let mut kept = self.lock();
        kept.last += 1;
        let entry = Arc::new(Entry {
            number: kept.last,
            record,
            by,
        });
        let own = kept.organizations.entry(organization.as_str().to_owned());
        let own = own.or_default();
        if own.len() == KEPT {
            own.pop_front();
        }
        own.push_back(entry.clone());
        // An error means that nobody watches.
        let _ = self.0.news.send(entry);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AuditSink for Ledger {
    fn record(&self, record: &AuditRecord) {
        self.add(record.clone(), None);
    }
}

/// Adds who did it to what a library can only say was done.
pub(crate) struct Signed {
    ledger: Ledger,
    author: Arc<str>,
}

impl AuditSink for Signed {
    fn record(&self, record: &AuditRecord) {
        self.ledger.add(record.clone(), Some(self.author.clone()));
    }
}
