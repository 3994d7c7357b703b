//! What is still to be told of failures here, and what was heard of failures elsewhere.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use super::Network;
use super::bucket::Rate;
use super::shared::{Bucket, Failures};

/// Most buckets told at a time; the rest waits for the next time.
pub(super) const BATCH: usize = 1000;

/// Most buckets known at a time. Failures of others than these count in this process alone.
pub(super) const MOST: usize = 10_000;

/// Most answers looked at: for the buckets told, and as many others.
const ANSWERS: usize = 2 * BATCH;

/// Where the failures of a bucket are charged in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Address(Network),
    Credential((Network, u64)),
}

#[derive(Debug, Default)]
pub(super) struct Book {
    entries: HashMap<Bucket, Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    /// `None` while nobody failed here.
    place: Option<Place>,
    /// Failures here that nobody was told of.
    untold: u32,
    /// When a bucket with the failures elsewhere that are not charged here would be full again.
    full_at: Duration,
    /// What all processes together had in a minute, as far as known here, for even and odd ones.
    totals: [Total; 2],
}

#[derive(Clone, Copy, Debug, Default)]
struct Total {
    minute: u64,
    failures: u32,
}

impl Entry {
    fn total(&mut self, minute: u64) -> &mut u32 {
        let [even, odd] = &mut self.totals;
        let total = if minute.is_multiple_of(2) { even } else { odd };
        if total.minute != minute {
            *total = Total {
                minute,
                failures: 0,
            };
        }
        &mut total.failures
    }

    /// Whether there is something to tell, or something was told or heard lately.
    fn matters(&self, minute: u64) -> bool {
        let lately = |total: &Total| total.failures > 0 && total.minute.abs_diff(minute) <= 1;
        self.untold > 0 || self.totals.iter().any(lately)
    }
}

impl Book {
    /// Notes a failure here, and says how long what was heard of failures elsewhere takes to forgive:
    /// it is to be charged now.
    pub(super) fn note(&mut self, bucket: Bucket, place: Place, now: Duration) -> Duration {
        let Some(entry) = self.entry(bucket) else {
            return Duration::ZERO;
        };
        entry.place = Some(place);
        entry.untold = entry.untold.saturating_add(1);
        std::mem::take(&mut entry.full_at).saturating_sub(now)
    }

    /// Forgets what is over, and says whether that was all.
    pub(super) fn is_idle(&mut self, minute: u64) -> bool {
        self.entries.retain(|_, entry| entry.matters(minute));
        self.entries.is_empty()
    }

    /// What to tell now, the most failures first. It counts as told from here on: told twice, one
    /// failure would look like somebody else's.
    pub(super) fn batch(&mut self, minute: u64) -> Vec<Failures> {
        let untold = self.entries.iter().filter(|(_, entry)| entry.untold > 0);
        let mut batch: Vec<_> = untold
            .map(|(bucket, entry)| Failures {
                bucket: *bucket,
                count: entry.untold,
            })
            .collect();
        if batch.len() > BATCH {
            batch.select_nth_unstable_by_key(BATCH, |failures| Reverse(failures.count));
            batch.truncate(BATCH);
        }
        for Failures { bucket, count } in &batch {
            if let Some(entry) = self.entries.get_mut(bucket) {
                entry.untold = 0;
                let total = entry.total(minute);
                *total = total.saturating_add(*count);
            }
        }
        batch
    }

    /// Takes in the sums of all processes, and says what is to be charged for failures elsewhere: where,
    /// and how long it takes to forgive.
    pub(super) fn hear(
        &mut self,
        minute: u64,
        sums: Vec<Failures>,
        now: Duration,
        rate_of: impl Fn(Bucket) -> Option<Rate>,
    ) -> Vec<(Place, Duration)> {
        let mut charges = Vec::new();
        for Failures { bucket, count } in sums.into_iter().take(ANSWERS) {
            let (Some(rate), true) = (rate_of(bucket), count > 0) else {
                continue;
            };
            let Some(entry) = self.entry(bucket) else {
                continue;
            };
            let total = entry.total(minute);
            // Less than before if the store has lost some: it is counted on from there.
            let elsewhere = rate.forgives(count.saturating_sub(*total));
            *total = count;
            match entry.place {
                Some(place) if !elsewhere.is_zero() => charges.push((place, elsewhere)),
                Some(_) => {}
                None => entry.full_at = rate.pushed(entry.full_at, elsewhere, now),
            }
        }
        charges
    }

    fn entry(&mut self, bucket: Bucket) -> Option<&mut Entry> {
        if self.entries.len() >= MOST && !self.entries.contains_key(&bucket) {
            return None;
        }
        Some(self.entries.entry(bucket).or_default())
    }
}
