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

    /// The time as RFC 3339 §5.6 has it, in UTC: `2026-11-23T07:25:31Z`. Of years outside 0 to 9999,
    /// which it does not know, the nearest moment inside.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        let seconds = self.0.clamp(-62_167_219_200, 253_402_300_799);
        let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        // Days of the proleptic Gregorian calendar, counted from 0000-03-01 so that the leap day is
        // the last of its year; 146,097 days make 400 years.
        let days = days + 719_468;
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = (from_march + 2) % 12 + 1;
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
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
