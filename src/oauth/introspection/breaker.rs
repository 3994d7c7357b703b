//! When an endpoint that fails may be asked again: pure bookkeeping, given the time (R18).

use std::time::Duration;

/// Failures in a row after which the endpoint is left alone.
const TOLERATED: u32 = 5;

const MIN_PAUSE: Duration = Duration::from_secs(1);
/// With the call itself and the pause per token after a failure, 30 s until a recovery is seen.
const MAX_PAUSE: Duration = Duration::from_secs(25);

/// Counts failures in a row. Closed until there are too many; then one attempt at a time, ever
/// further apart, until one is good.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    /// The next attempt, once open.
    again_at: Duration,
    trying: bool,
}

impl Breaker {
    /// Whether the endpoint may be asked. A yes is followed by one of the other three.
    pub(super) fn admit(&mut self, now: Duration) -> bool {
        if self.failures < TOLERATED {
            return true;
        }
        let admitted = !self.trying && now >= self.again_at;
        self.trying |= admitted;
        admitted
    }

    /// It answered. Whether it had been left alone before.
    pub(super) fn succeed(&mut self) -> bool {
        let was_open = self.failures >= TOLERATED;
        *self = Self::default();
        was_open
    }

    /// It did not, and asks for this pause. `random` spreads the attempts of a fleet. Whether it is
    /// left alone from now on, and was not before.
    pub(super) fn fail(&mut self, now: Duration, asked: Option<Duration>, random: u64) -> bool {
        // Those that were under way when it opened say nothing new.
        if self.failures >= TOLERATED && !self.trying {
            return false;
        }
        self.trying = false;
        self.failures = self.failures.saturating_add(1);
        let pause = pause(self.failures, random).max(asked.unwrap_or_default().min(MAX_PAUSE));
        self.again_at = now.saturating_add(pause);
        self.failures == TOLERATED
    }

    /// It gave no usable answer to this one question, which says nothing about others.
    pub(super) fn decline(&mut self) {
        self.trying = false;
    }
}

/// Full jitter over 1, 2, 4 … 25 s, never under one second.
fn pause(failures: u32, random: u64) -> Duration {
    let doublings = failures.saturating_sub(TOLERATED).min(5);
    let most = MIN_PAUSE.saturating_mul(1 << doublings).min(MAX_PAUSE);
    let spread = u64::try_from(most.saturating_sub(MIN_PAUSE).as_millis()).unwrap_or(0);
    MIN_PAUSE.saturating_add(Duration::from_millis(random % (spread + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        for nth in 1..=5 {
            assert!(breaker.admit(seconds(0)));
            assert_eq!(breaker.fail(seconds(0), None, 0), nth == 5);
        }
        breaker
    }

    #[test]
    fn r18_it_opens_after_five_failures_in_a_row() {
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            assert!(breaker.admit(seconds(0)));
            breaker.fail(seconds(0), None, 0);
        }
        assert!(breaker.admit(seconds(0)));
        assert!(!breaker.succeed(), "it was not open");
        for _ in 0..4 {
            breaker.fail(seconds(0), None, 0);
        }
        assert!(breaker.admit(seconds(0)), "not in a row");
        assert!(!opened().admit(seconds(0)));
    }

    #[test]
    fn r18_half_open_is_one_attempt_every_one_to_25_seconds() {
        let mut breaker = opened();
        let mut now = seconds(0);
        for most in [1, 2, 4, 8, 16, 25, 25, 25] {
            assert!(!breaker.admit(now + Duration::from_millis(999)));
            now += seconds(most);
            assert!(breaker.admit(now), "{most}");
            assert!(!breaker.admit(now), "one at a time");
            assert!(!breaker.fail(now, None, u64::MAX), "open already");
        }
        now += seconds(25);
        assert!(breaker.admit(now));
        assert!(breaker.succeed());
        assert!(breaker.admit(now) && breaker.admit(now), "closed");
    }

    #[test]
    fn r18_a_burst_of_failures_counts_as_five() {
        let mut breaker = opened();
        for _ in 0..59 {
            assert!(!breaker.fail(seconds(0), None, u64::MAX));
        }
        assert!(breaker.admit(seconds(1)));
    }

    #[test]
    fn r18_pauses_are_spread_and_bounded() {
        for (failures, most) in [
            (1, 1),
            (5, 1),
            (6, 2),
            (7, 4),
            (8, 8),
            (9, 16),
            (10, 25),
            (99, 25),
        ] {
            let mut longest = Duration::ZERO;
            for random in 0..30_000 {
                let pause = pause(failures, random);
                assert!(pause >= seconds(1) && pause <= seconds(most), "{pause:?}");
                longest = longest.max(pause);
            }
            assert_eq!(longest, seconds(most));
        }
    }

    #[test]
    fn r18_a_pause_the_endpoint_asks_for_is_kept_up_to_25_seconds() {
        for (asked, kept) in [(0, 1), (10, 10), (300, 25)] {
            let mut breaker = opened();
            assert!(breaker.admit(seconds(1)));
            breaker.fail(seconds(1), Some(seconds(asked)), 0);
            assert!(!breaker.admit(seconds(kept)));
            assert!(breaker.admit(seconds(1 + kept)), "{asked}");
        }
    }

    #[test]
    fn r18_a_request_that_is_not_liked_neither_opens_nor_closes() {
        let mut breaker = Breaker::default();
        for _ in 0..9 {
            assert!(breaker.admit(seconds(0)));
            breaker.decline();
        }
        let mut breaker = opened();
        assert!(breaker.admit(seconds(1)));
        breaker.decline();
        assert!(breaker.admit(seconds(1)), "the next one tries");
        assert!(!breaker.admit(seconds(1)));
    }
}
