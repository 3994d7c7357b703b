//! Issues in memory, each in one organization.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::schemars;
use serde::Serialize;

#[derive(Clone, Serialize, schemars::JsonSchema)]
pub(crate) struct Issue {
    id: String,
    pub(crate) title: String,
    reporter: String,
}

/// Clones share the issues.
#[derive(Clone)]
pub(crate) struct Tracker {
    /// Organization and issue.
    issues: Arc<Mutex<Vec<(String, Issue)>>>,
}

impl Tracker {
    /// A tracker with something to find in it.
    pub(crate) fn with_samples() -> Self {
        let tracker = Self {
            issues: Arc::default(),
        };
        tracker.add("acme", "alice", "The login page is slow");
        tracker.add("acme", "alice", "A typo in the footer");
        tracker.add("globex", "bob", "The export misses a column");
        tracker
    }

    pub(crate) fn all_of(&self, organization: &str) -> Vec<Issue> {
        let issues = self.lock();
        let own = issues.iter().filter(|(owner, _)| owner == organization);
        own.map(|(_, issue)| issue.clone()).collect()
    }

    pub(crate) fn add(&self, organization: &str, reporter: &str, title: &str) -> Issue {
        let mut issues = self.lock();
        let issue = Issue {
            id: format!("issue-{}", issues.len() + 1),
            title: title.into(),
            reporter: reporter.into(),
        };
        issues.push((organization.into(), issue.clone()));
        issue
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(String, Issue)>> {
        self.issues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
