//! Tokens in memory: for tests, examples and servers whose tokens come from a file at start.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::format::TokenId;
use super::record::TokenRecord;
use super::store::{ApiTokenStore, TokenQuery, Written};
use crate::clock::UnixTime;
use crate::error::BackendError;

/// An [`ApiTokenStore`] in memory. Clones share its content, which ends with the last of them.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<BTreeMap<TokenId, TokenRecord>>>);

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn records(&self) -> MutexGuard<'_, BTreeMap<TokenId, TokenRecord>> {
        // Nothing in here panics half-way through a change, so a poisoned map is a whole map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ApiTokenStore for MemoryStore {
    async fn find(&self, id: &TokenId) -> Result<Option<TokenRecord>, BackendError> {
        Ok(self.records().get(id).cloned())
    }

    async fn insert(&self, record: &TokenRecord) -> Result<Written, BackendError> {
        let mut records = self.records();
        if records.contains_key(&record.id) {
            return Ok(Written::Conflict);
        }
        records.insert(record.id, record.clone());
        Ok(Written::Done)
    }

    async fn update(&self, record: &TokenRecord) -> Result<Written, BackendError> {
        let mut records = self.records();
        let Some(stored) = records.get_mut(&record.id) else {
            return Ok(Written::Conflict);
        };
        if stored.version.checked_add(1) != Some(record.version) {
            return Ok(Written::Conflict);
        }
        *stored = TokenRecord {
            last_used: stored.last_used,
            ..record.clone()
        };
        Ok(Written::Done)
    }

    async fn list(&self, query: &TokenQuery) -> Result<Vec<TokenRecord>, BackendError> {
        let from = query.after.map_or(Bound::Unbounded, Bound::Excluded);
        let records = self.records();
        Ok(records
            .range((from, Bound::Unbounded))
            .map(|(_, record)| record)
            .filter(|record| record.organization == query.organization)
            .filter(|record| {
                query
                    .owner
                    .as_ref()
                    .is_none_or(|owner| *owner == record.owner.subject)
            })
            .take(query.limit)
            .cloned()
            .collect())
    }

    async fn touch(&self, used: &[(TokenId, UnixTime)]) -> Result<(), BackendError> {
        let mut records = self.records();
        for (id, at) in used {
            if let Some(record) = records.get_mut(id) {
                record.last_used = record.last_used.max(Some(*at));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::api_token_store_contract!(MemoryStore::new());
}
