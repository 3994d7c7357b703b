//! Buckets by key, bounded, and in the order in which they may be forgotten.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Duration;

use super::bucket::Rate;

/// Buckets that are not full, by key. The same entries twice: to find one, and to find the one
/// that is full again first.
#[derive(Debug)]
pub(super) struct Table<K> {
    full_at: HashMap<K, Duration>,
    by_time: BTreeSet<(Duration, K)>,
    most: usize,
}

impl<K: Copy + Eq + Hash + Ord> Table<K> {
    pub(super) fn new(most: usize) -> Self {
        Self {
            full_at: HashMap::new(),
            by_time: BTreeSet::new(),
            most,
        }
    }

    /// How long `key` has to wait at `now`. Changes nothing: asking costs no memory.
    pub(super) fn wait(&self, key: K, rate: Rate, now: Duration) -> Duration {
        let full_at = self.full_at.get(&key).copied().unwrap_or_default();
        rate.wait(full_at, now)
    }

    /// Counts one failure of `key`, and says when its bucket is full again.
    pub(super) fn charge(&mut self, key: K, rate: Rate, now: Duration) -> Duration {
        let before = self.full_at.get(&key).copied();
        let full_at = rate.charged(before.unwrap_or_default(), now);
        if let Some(before) = before {
            self.by_time.remove(&(before, key));
        }
        self.full_at.insert(key, full_at);
        self.by_time.insert((full_at, key));
        self.forget(now);
        full_at
    }

    /// Drops what has filled up, and then what is nearest to it until the table fits. Two entries
    /// at most come and go per failure, so no request pays for a flood of others.
    fn forget(&mut self, now: Duration) {
        for _ in 0..2 {
            let Some(&(full_at, key)) = self.by_time.first() else {
                return;
            };
            if full_at > now && self.full_at.len() <= self.most {
                return;
            }
            self.by_time.pop_first();
            self.full_at.remove(&key);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.full_at.len(), self.by_time.len());
        self.full_at.len()
    }
}
