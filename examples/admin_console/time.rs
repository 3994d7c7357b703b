//! The time, as the program takes it and as people read it.

use std::time::Duration;

use tower_mcp_auth::clock::{Clock, SystemClock, UnixTime};
use tower_mcp_auth::testing::ManualClock;

const DAY: u64 = 24 * 3600;

/// The machine's clock, or one that stands still for pictures.
#[derive(Clone, Debug)]
pub(crate) enum Time {
    Machine(SystemClock),
    Standing(ManualClock),
}

impl Time {
    pub(crate) fn new(at: Option<i64>) -> Self {
        match at {
            Some(at) => Self::Standing(ManualClock::at(at)),
            None => Self::Machine(SystemClock::new()),
        }
    }
}

impl Clock for Time {
    fn now(&self) -> UnixTime {
        match self {
            Self::Machine(clock) => clock.now(),
            Self::Standing(clock) => clock.now(),
        }
    }

    fn monotonic(&self) -> Duration {
        match self {
            Self::Machine(clock) => clock.monotonic(),
            Self::Standing(clock) => clock.monotonic(),
        }
    }
}

/// A moment on a page: exact for machines, short for people. All of them are UTC.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) exact: String,
    /// `15 Jan 2027`
    pub(crate) day: String,
    /// `08:00:07`
    pub(crate) clock: String,
}

impl Moment {
    pub(crate) fn new(time: UnixTime) -> Self {
        let exact = time.to_rfc3339();
        let (date, rest) = exact.split_once('T').unwrap_or((&exact, ""));
        let mut parts = date.split('-');
        let mut part = || parts.next().unwrap_or_default();
        let (year, month, day) = (part(), month(part()), part().trim_start_matches('0'));
        Self {
            day: format!("{day} {month} {year}"),
            clock: rest.trim_end_matches('Z').to_owned(),
            exact,
        }
    }

    /// `08:00`
    pub(crate) fn minutes(&self) -> &str {
        self.clock
            .rsplit_once(':')
            .map_or("", |(minutes, _)| minutes)
    }
}

fn month(number: &str) -> &'static str {
    let names = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let index = number.parse::<usize>().unwrap_or(1).saturating_sub(1);
    names.get(index).copied().unwrap_or("Jan")
}

/// How long from `now` to a later moment: `in 12 days`, `in 3 hours`.
pub(crate) fn until(now: UnixTime, later: UnixTime) -> String {
    format!("in {}", span(later.since(now).as_secs()))
}

/// How long an earlier moment is ago: `12 days ago`.
pub(crate) fn ago(now: UnixTime, earlier: UnixTime) -> String {
    match now.since(earlier).as_secs() {
        0..60 => "just now".to_owned(),
        seconds => format!("{} ago", span(seconds)),
    }
}

pub(crate) fn span(seconds: u64) -> String {
    let (count, unit) = match seconds {
        DAY.. => (seconds / DAY, "day"),
        3600.. => (seconds / 3600, "hour"),
        60.. => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}
