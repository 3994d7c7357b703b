//! Failures of one token over all addresses: counted to tell the operator, never to refuse.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::WINDOW;

/// Failures within [`WINDOW`] that are worth a word: more than any limit per address lets one
/// address make of one token by default.
pub(crate) const MANY: u32 = 60;

/// Most tokens watched. Under a flood of invented ids the least used are forgotten.
const TOKENS: u64 = 10_000;

/// When the count began, and how far it has come.
type Count = Arc<Mutex<(Duration, u32)>>;

pub(super) struct Spread {
    hasher: RandomState,
    counts: moka::sync::Cache<u64, Count>,
}

impl Spread {
    pub(super) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            counts: moka::sync::Cache::new(TOKENS),
        }
    }

    /// Counts a failure. True for the one that makes them [`MANY`], so at most once per window.
    pub(super) fn count(&self, credential: &str, now: Duration) -> bool {
        let key = self.hasher.hash_one(credential);
        let count = self.counts.get_with(key, Count::default);
        let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
        let (began, failures) = &mut *count;
        if *failures == 0 || now.saturating_sub(*began) >= WINDOW {
            (*began, *failures) = (now, 0);
        }
        *failures = failures.saturating_add(1);
        *failures == MANY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn t28_sixty_failures_within_a_minute_are_told_once() {
        let spread = Spread::new();
        let told = |id, now| (0..200).filter(|_| spread.count(id, now)).count();
        assert_eq!(told("a", at(5)), 1);
        assert_eq!(told("a", at(64)), 0);
        assert_eq!(told("a", at(65)), 1);
        assert_eq!(told("b", at(65)), 1);
    }

    #[test]
    fn t28_what_is_slower_is_not_told() {
        let spread = Spread::new();
        // An old copy that tries once a second, and one that tries a little more often.
        assert!(!(0..600).any(|second| second % 2 == 0 && spread.count("slow", at(second))));
        let fast = (0..600).filter(|second| spread.count("fast", at(*second)));
        assert_eq!(fast.count(), 10);
    }

    #[test]
    fn t28_memory_is_bounded() {
        let spread = Spread::new();
        for id in 0..30_000 {
            spread.count(&id.to_string(), at(1));
        }
        spread.counts.run_pending_tasks();
        assert!(spread.counts.entry_count() <= TOKENS);
    }
}
