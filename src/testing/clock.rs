//! A clock that stands still until a test moves it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::encoding::lock;
use crate::clock::{Clock, UnixTime};

/// A [`Clock`] set by hand. Clones share one time, so keep one and give the other away.
///
/// ```
/// # use std::time::Duration;
/// # use tower_mcp_auth::{clock::Clock, testing::ManualClock};
/// let clock = ManualClock::at(1_800_000_000);
/// clock.advance(Duration::from_secs(300));
/// assert_eq!(clock.now().as_secs(), 1_800_000_300);
///
/// clock.jump_wall(-60); // an administrator sets the machine's clock back
/// assert_eq!(clock.now().as_secs(), 1_800_000_240);
/// assert_eq!(clock.monotonic(), Duration::from_secs(300));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Times>>);

#[derive(Debug)]
struct Times {
    /// Wall time less `elapsed`, so that parts of a second add up in both clocks alike.
    wall_at_start: UnixTime,
    elapsed: Duration,
}

impl ManualClock {
    /// A clock standing at `now`, with a monotonic time of zero.
    #[must_use]
    pub fn new(now: UnixTime) -> Self {
        Self(Arc::new(Mutex::new(Times {
            wall_at_start: now,
            elapsed: Duration::ZERO,
        })))
    }

    /// A clock standing `seconds` after 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn at(seconds: i64) -> Self {
        Self::new(UnixTime::from_secs(seconds))
    }

    /// Lets time pass: wall and monotonic time move together.
    pub fn advance(&self, by: Duration) {
        let mut times = lock(&self.0);
        times.elapsed = times.elapsed.saturating_add(by);
    }

    /// Sets the wall clock forward or, if negative, back; monotonic time does not notice.
    pub fn jump_wall(&self, seconds: i64) {
        let mut times = lock(&self.0);
        times.wall_at_start = times.wall_at_start.plus_secs(seconds);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixTime {
        let times = lock(&self.0);
        let elapsed = i64::try_from(times.elapsed.as_secs()).unwrap_or(i64::MAX);
        times.wall_at_start.plus_secs(elapsed)
    }

    fn monotonic(&self) -> Duration {
        lock(&self.0).elapsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_second_add_up() {
        let clock = ManualClock::at(10);
        clock.advance(Duration::from_millis(600));
        assert_eq!(clock.now().as_secs(), 10);
        clock.clone().advance(Duration::from_millis(600));
        assert_eq!(clock.now().as_secs(), 11);
        assert_eq!(clock.monotonic(), Duration::from_millis(1200));
    }

    #[test]
    fn only_the_wall_jumps() {
        let clock = ManualClock::new(UnixTime::from_secs(1000));
        clock.jump_wall(-3000);
        assert_eq!(clock.now().as_secs(), -2000);
        assert_eq!(clock.monotonic(), Duration::ZERO);
    }
}
