//! Counts that every request adds to, apart for each thread so that cores do not fight over one line.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Threads share one by their turn beyond so many.
const STRIPES: usize = 16;

thread_local! {
    static STRIPE: Cell<Option<usize>> = const { Cell::new(None) };
}

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// As much as processors fetch at once, so that two stripes are never on one line.
#[derive(Debug)]
#[repr(align(128))]
struct Stripe(Box<[AtomicU64]>);

/// So many counts.
#[derive(Debug)]
pub(super) struct Tally(Box<[Stripe]>);

impl Tally {
    pub(super) fn new(counts: usize) -> Self {
        // Rounded up to whole lines: the counts stand beside each other's stripes on the heap.
        let room = counts.next_multiple_of(16) + 16;
        let stripe = |_| Stripe((0..room).map(|_| AtomicU64::new(0)).collect());
        Self((0..STRIPES).map(stripe).collect())
    }

    pub(super) fn add_one(&self, place: usize) {
        let stripe = STRIPE.get().unwrap_or_else(|| {
            let turn = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
            STRIPE.set(Some(turn));
            turn
        });
        let count = self.0.get(stripe).and_then(|stripe| stripe.0.get(place));
        if let Some(count) = count {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn sum(&self, place: usize) -> u64 {
        let counts = self.0.iter().filter_map(|stripe| stripe.0.get(place));
        counts.map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn no_count_of_any_thread_is_lost() {
        let tally = Arc::new(Tally::new(3));
        let threads: Vec<_> = (0..2 * STRIPES)
            .map(|_| {
                let tally = tally.clone();
                thread::spawn(move || (0..100).for_each(|_| tally.add_one(2)))
            })
            .collect();
        for one in threads {
            one.join().unwrap();
        }
        assert_eq!((tally.sum(0), tally.sum(2)), (0, 3200));
        tally.add_one(usize::MAX);
    }
}
