//! Time as a value: decisions take it as an argument, only the edge reads it.
//!
//! Two clocks in one port, because they answer different questions. Wall time decides whether a
//! token is expired (`exp`, RFC 7519 §4.1.4). Monotonic time measures how old a fact of ours is,
//! and must not move when an administrator sets the clock.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Seconds since 1970-01-01T00:00:00Z, the unit of every JWT time claim (RFC 7519 §2, `NumericDate`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(i64);

impl UnixTime {
    /// The time `seconds` after the epoch; negative values are before it.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0
    }

    /// This time plus `seconds`, which may be negative. Saturates instead of wrapping.
    #[must_use]
    pub const fn plus_secs(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// How many seconds this time lies after `earlier`; zero if it does not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// Where the time comes from. Replace it in tests; see `testing::ManualClock`.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// Wall time, for judging `exp`, `nbf` and `iat`.
    fn now(&self) -> UnixTime;

    /// Time since some fixed moment, never going backwards, for judging the age of our own facts.
    fn monotonic(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    fn now(&self) -> UnixTime {
        // A machine set before 1970 must refuse tokens, not panic: a negative time is before every
        // `iat` and `nbf` a real token carries.
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => UnixTime(i64::try_from(since.as_secs()).unwrap_or(i64::MAX)),
            Err(before) => {
                UnixTime(i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |secs| -secs))
            }
        }
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}
