//! The arithmetic of one bucket, as the generic cell rate algorithm: a bucket is nothing but the
//! moment at which it is full again, so there is nothing to refill and a full bucket needs no memory.

use std::time::Duration;

use super::WINDOW;

/// How fast buckets of one kind fill, and how much they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    /// The time in which one failure is forgiven.
    interval: Duration,
    /// The time in which an empty bucket fills.
    capacity: Duration,
}

impl Rate {
    /// `burst` failures at once and `count` per `window`. Zero counts as one.
    pub(super) fn new(burst: u32, count: u32, window: Duration) -> Self {
        let whole = window.checked_div(count.max(1)).unwrap_or(window);
        // Rounded up: never more than `count` per window.
        let interval = if whole.saturating_mul(count.max(1)) < window {
            whole.saturating_add(Duration::from_nanos(1))
        } else {
            whole
        };
        Self {
            interval,
            capacity: interval.saturating_mul(burst.max(1)),
        }
    }

    /// How long a bucket that is full at `full_at` has to wait for room for one failure; zero if
    /// there is room at `now`.
    pub(super) fn wait(&self, full_at: Duration, now: Duration) -> Duration {
        let missing = full_at.saturating_sub(now);
        missing
            .saturating_add(self.interval)
            .saturating_sub(self.capacity)
    }

    /// When the bucket is full after one more failure at `now`.
    ///
    /// Failures of requests that ran at the same time may find no room left: they empty the bucket
    /// and no more, so nobody ever waits longer than one interval.
    pub(super) fn charged(&self, full_at: Duration, now: Duration) -> Duration {
        let charged = full_at.max(now).saturating_add(self.interval);
        // What is owed for failures elsewhere stays owed.
        charged.min(now.saturating_add(self.capacity).max(full_at))
    }

    /// The time in which this many failures are forgiven.
    pub(super) fn forgives(&self, failures: u32) -> Duration {
        self.interval.saturating_mul(failures)
    }

    /// When the bucket is full after failures in other processes, forgiven in `by`.
    ///
    /// They may take more than the bucket holds: as long as every process forgave its own part of
    /// them, a client would get as many limits as there are processes. Nobody ever waits longer
    /// than the window.
    pub(super) fn pushed(&self, full_at: Duration, by: Duration, now: Duration) -> Duration {
        let most = WINDOW
            .saturating_add(self.capacity)
            .saturating_sub(self.interval);
        let pushed = full_at.max(now).saturating_add(by);
        pushed.min(now.saturating_add(most).max(full_at))
    }
}
