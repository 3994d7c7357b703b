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
        rate.wait(self.full_at(key), now)
    }

    /// Counts one failure of `key`, and says when its bucket is full again.
    pub(super) fn charge(&mut self, key: K, rate: Rate, now: Duration) -> Duration {
        let full_at = rate.charged(self.full_at(key), now);
        self.set(key, full_at, now);
        full_at
    }

    /// Charges failures of `key` elsewhere, forgiven in `by` from `now` on, and says when its bucket
    /// is full again.
    pub(super) fn push(&mut self, key: K, rate: Rate, (by, now): (Duration, Duration)) -> Duration {
        let before = self.full_at(key);
        if by.is_zero() {
            return before;
        }
        let full_at = rate.pushed(before, by, now);
        self.set(key, full_at, now);
        full_at
    }

    fn full_at(&self, key: K) -> Duration {
        self.full_at.get(&key).copied().unwrap_or_default()
    }

    fn set(&mut self, key: K, full_at: Duration, now: Duration) {
        if let Some(before) = self.full_at.insert(key, full_at) {
            self.by_time.remove(&(before, key));
        }
        self.by_time.insert((full_at, key));
        self.forget(now);
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
