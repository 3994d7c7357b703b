//! When the issuer may be asked: pure bookkeeping, given the time.
//!
//! One attempt at a time, at most six a minute whatever the reason (R11), a back-off after each
//! failure.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::error::BackendError;

/// Attempts that may start within [`WINDOW`].
const BUDGET: usize = 6;
const WINDOW: Duration = Duration::from_secs(60);

const MIN_BACK_OFF: Duration = Duration::from_secs(1);
const MAX_BACK_OFF: Duration = Duration::from_secs(30);
/// The longest pause an issuer can ask for with `Retry-After`.
const MAX_ASKED_PAUSE: Duration = Duration::from_secs(300);

/// How long an outage counts as watched after the next attempt was due. Covers that attempt; later
/// nobody is trying any more, and the failure says nothing about the issuer's state.
const WATCHED: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
struct Failure {
    cause: Arc<BackendError>,
    again_at: Duration,
    in_a_row: u32,
}

#[derive(Debug)]
enum Last {
    Nothing,
    Success { at: Duration },
    Failure(Failure),
}

#[derive(Debug)]
pub(super) struct Attempts {
    running_since: Option<Duration>,
    /// Starts of the last attempts, oldest first; at most [`BUDGET`].
    starts: VecDeque<Duration>,
    last: Last,
    retrying: bool,
}

/// What a retry loop does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Attempt,
    Sleep(Duration),
    Stop,
}

impl Attempts {
    pub(super) fn new() -> Self {
        Self {
            running_since: None,
            starts: VecDeque::with_capacity(BUDGET),
            last: Last::Nothing,
            retrying: false,
        }
    }

    pub(super) fn running_since(&self) -> Option<Duration> {
        self.running_since
    }

    /// How long until an attempt may start, `spacing` after the one before; zero if now.
    pub(super) fn pause(&self, now: Duration, spacing: Duration) -> Duration {
        let spaced = self
            .starts
            .back()
            .map_or(Duration::ZERO, |last| last.saturating_add(spacing));
        self.due().max(spaced).saturating_sub(now)
    }

    /// When back-off and budget allow, or allowed, the next attempt.
    fn due(&self) -> Duration {
        let back_off = match &self.last {
            Last::Failure(failure) => failure.again_at,
            Last::Nothing | Last::Success { .. } => Duration::ZERO,
        };
        let budget = match self.starts.front() {
            Some(oldest) if self.starts.len() >= BUDGET => oldest.saturating_add(WINDOW),
            _ => Duration::ZERO,
        };
        back_off.max(budget).max(self.spread())
    }

    /// While the issuer fails, one attempt of a minute's budget is kept for its second half: spent
    /// at once, they would leave a minute in which nobody sees that the issuer is back.
    fn spread(&self) -> Duration {
        let mut earlier = self.starts.iter().rev().skip(BUDGET - 2);
        match (&self.last, earlier.next()) {
            (Last::Failure(_), Some(start)) => start.saturating_add(WINDOW / 2),
            _ => Duration::ZERO,
        }
    }

    pub(super) fn begin(&mut self, now: Duration) {
        self.running_since = Some(now);
        if self.starts.len() >= BUDGET {
            self.starts.pop_front();
        }
        self.starts.push_back(now);
    }

    /// Ends the attempt well. Says how many had failed before it.
    pub(super) fn succeed(&mut self, now: Duration) -> u32 {
        self.running_since = None;
        let failed = self.failed_in_a_row();
        self.last = Last::Success { at: now };
        failed
    }

    /// Ends the attempt badly. `random` spreads the next ones over the fleet.
    pub(super) fn fail(
        &mut self,
        now: Duration,
        cause: Arc<BackendError>,
        asked_pause: Option<Duration>,
        random: u64,
    ) {
        self.running_since = None;
        let in_a_row = self.failed_in_a_row().saturating_add(1);
        let pause =
            back_off(in_a_row, random).max(asked_pause.unwrap_or_default().min(MAX_ASKED_PAUSE));
        self.last = Last::Failure(Failure {
            cause,
            again_at: now.saturating_add(pause),
            in_a_row,
        });
    }

    fn failed_in_a_row(&self) -> u32 {
        match &self.last {
            Last::Failure(failure) => failure.in_a_row,
            Last::Nothing | Last::Success { .. } => 0,
        }
    }

    /// Why the last attempt failed, if it did.
    pub(super) fn last_error(&self) -> Option<&Arc<BackendError>> {
        match &self.last {
            Last::Failure(failure) => Some(&failure.cause),
            Last::Nothing | Last::Success { .. } => None,
        }
    }

    /// Whether the issuer is known to be failing now, not merely to have failed once.
    pub(super) fn is_failing(&self, now: Duration) -> bool {
        match &self.last {
            Last::Failure(_) => now <= self.due().saturating_add(WATCHED),
            Last::Nothing | Last::Success { .. } => false,
        }
    }

    /// Whether a success no older than `recent` speaks for the issuer: while another attempt runs,
    /// only one that has just ended does.
    pub(super) fn is_answered(&self, now: Duration, recent: Duration) -> bool {
        match &self.last {
            Last::Success { at } => {
                self.running_since.is_none() || now.saturating_sub(*at) <= recent
            }
            Last::Nothing | Last::Failure(_) => false,
        }
    }

    /// Makes the caller the one retry loop, if one is needed and there is none.
    pub(super) fn claim_retry(&mut self) -> bool {
        let needed = matches!(self.last, Last::Failure(_)) && !self.retrying;
        self.retrying |= needed;
        needed
    }

    /// What the retry loop does now. [`Step::Attempt`] has begun one; [`Step::Stop`] has given the
    /// role back.
    pub(super) fn retry(&mut self, now: Duration, anybody_asks: bool) -> Step {
        let over = !matches!(self.last, Last::Failure(_));
        // Somebody else's attempt will claim the role if it fails.
        if over || !anybody_asks || self.running_since.is_some() {
            self.retrying = false;
            return Step::Stop;
        }
        let pause = self.pause(now, Duration::ZERO);
        if pause.is_zero() {
            self.begin(now);
            return Step::Attempt;
        }
        Step::Sleep(pause)
    }

    /// The retry loop was ended from outside.
    pub(super) fn abandon_retry(&mut self) {
        self.retrying = false;
    }
}

/// Full jitter over 1, 2, 4 … 30 s, never under one second.
fn back_off(in_a_row: u32, random: u64) -> Duration {
    let doublings = in_a_row.saturating_sub(1).min(5);
    let most = MIN_BACK_OFF
        .saturating_mul(1 << doublings)
        .min(MAX_BACK_OFF);
    let spread = u64::try_from(most.saturating_sub(MIN_BACK_OFF).as_millis()).unwrap_or(0);
    MIN_BACK_OFF.saturating_add(Duration::from_millis(random % (spread + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn failure() -> Arc<BackendError> {
        Arc::new(BackendError::new("down"))
    }

    #[test]
    fn r01_back_off_doubles_to_thirty_seconds() {
        for (in_a_row, most) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 30), (99, 30)] {
            let mut longest = Duration::ZERO;
            for random in 0..40_000 {
                let pause = back_off(in_a_row, random);
                assert!(pause >= seconds(1) && pause <= seconds(most), "{pause:?}");
                longest = longest.max(pause);
            }
            assert_eq!(longest, seconds(most));
        }
    }

    #[test]
    fn r11_the_seventh_attempt_of_a_minute_waits() {
        let mut attempts = Attempts::new();
        for start in 0..6 {
            assert_eq!(
                attempts.pause(seconds(start), Duration::ZERO),
                Duration::ZERO
            );
            attempts.begin(seconds(start));
            attempts.succeed(seconds(start));
        }
        assert_eq!(attempts.pause(seconds(6), Duration::ZERO), seconds(54));
        assert_eq!(attempts.pause(seconds(60), Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn r11_an_outage_that_used_up_the_budget_is_still_an_outage() {
        let mut attempts = Attempts::new();
        for start in 0..6 {
            attempts.begin(seconds(start));
            attempts.fail(seconds(start), failure(), None, 0);
        }
        assert!(attempts.is_failing(seconds(59)));
        assert!(attempts.is_failing(seconds(90)));
        assert!(!attempts.is_failing(seconds(91)), "nobody tries any more");
    }

    /// However the pauses fall.
    #[test]
    fn r01_r11_in_an_outage_there_are_six_attempts_a_minute_and_none_is_over_thirty_seconds_away() {
        for random in 0..5000_u64 {
            let mut attempts = Attempts::new();
            let (mut now, mut starts) = (seconds(0), Vec::new());
            for nth in 0..40 {
                attempts.begin(now);
                starts.push(now);
                let random = random.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(nth);
                attempts.fail(now, failure(), None, random);
                let pause = attempts.pause(now, Duration::ZERO);
                assert!(pause <= seconds(30), "{random}: {pause:?} after {starts:?}");
                now += pause;
            }
            for minute in starts.windows(7) {
                assert!(minute[6] >= minute[0] + WINDOW, "{minute:?}");
            }
        }
        // All of them as early as can be.
        let mut attempts = Attempts::new();
        let mut now = seconds(0);
        for pause in [1, 1, 1, 1, 26, 30, 1] {
            attempts.begin(now);
            attempts.fail(now, failure(), None, 0);
            assert_eq!(attempts.pause(now, Duration::ZERO), seconds(pause));
            now += seconds(pause);
        }
    }

    #[test]
    fn r05_a_pause_the_issuer_asks_for_is_kept_up_to_five_minutes() {
        for (asked, kept) in [(0, 1), (20, 20), (300, 300), (9000, 300)] {
            let mut attempts = Attempts::new();
            attempts.begin(seconds(0));
            attempts.fail(seconds(0), failure(), Some(seconds(asked)), 0);
            assert_eq!(attempts.pause(seconds(0), Duration::ZERO), seconds(kept));
        }
    }

    #[test]
    fn r01_a_retry_loop_ends_on_success_or_when_nobody_asks() {
        let mut attempts = Attempts::new();
        attempts.begin(seconds(0));
        attempts.fail(seconds(0), failure(), None, 0);
        assert!(attempts.claim_retry());
        assert!(!attempts.claim_retry());
        assert_eq!(attempts.retry(seconds(0), true), Step::Sleep(seconds(1)));
        assert_eq!(attempts.retry(seconds(1), true), Step::Attempt);
        assert_eq!(attempts.retry(seconds(1), true), Step::Stop, "one runs");
        attempts.fail(seconds(1), failure(), None, 0);
        assert!(attempts.claim_retry());
        assert_eq!(attempts.retry(seconds(9), false), Step::Stop);
        assert!(attempts.claim_retry());
        attempts.begin(seconds(9));
        assert_eq!(attempts.succeed(seconds(9)), 2);
        assert_eq!(attempts.retry(seconds(9), true), Step::Stop);
        assert!(!attempts.claim_retry());
    }
}
