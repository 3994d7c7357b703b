//! When a backend was last heard of, for the operator: no decision is made by it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How a question to a backend failed, without what it said: that may quote anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// No answer in time.
    NoAnswer,
    /// Its code panicked.
    Panicked,
    /// An error, or an answer that cannot be used. The log has its text.
    Failed,
}

impl Fault {
    /// Of a call with a deadline.
    pub(crate) fn in_time<T, E, L>(result: &Result<Result<T, E>, L>) -> Result<(), Self> {
        match result {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Self::Failed),
            Err(_) => Err(Self::NoAnswer),
        }
    }

    /// The stable name: `no_answer`, `panicked` or `failed`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoAnswer => "no_answer",
            Self::Panicked => "panicked",
            Self::Failed => "failed",
        }
    }
}

/// The last outcomes. Locked for a few instructions, once per question to a backend.
#[derive(Debug, Default)]
pub(crate) struct Pulse(Mutex<Beats>);

#[derive(Clone, Copy, Debug, Default)]
struct Beats {
    answered_at: Option<Duration>,
    outage: Option<Outage>,
}

#[derive(Clone, Copy, Debug)]
struct Outage {
    since: Duration,
    last_at: Duration,
    fault: Fault,
}

/// What a [`Pulse`] looks like at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vitals {
    /// Since the last answer.
    pub(crate) age: Option<Duration>,
    pub(crate) failing: Option<Failing>,
}

/// The last question failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failing {
    /// Since the first failure after the last answer.
    pub(crate) lasts: Duration,
    /// Since the last failure.
    pub(crate) age: Duration,
    pub(crate) fault: Fault,
}

impl Pulse {
    /// A question ended, at this moment of monotonic time.
    pub(crate) fn beat(&self, now: Duration, outcome: Result<(), Fault>) {
        let mut beats = self.beats();
        match outcome {
            Ok(()) => {
                beats.answered_at = Some(now);
                beats.outage = None;
            }
            Err(fault) => {
                let since = beats.outage.map_or(now, |outage| outage.since);
                beats.outage = Some(Outage {
                    since,
                    last_at: now,
                    fault,
                });
            }
        }
    }

    pub(crate) fn vitals(&self, now: Duration) -> Vitals {
        let beats = *self.beats();
        Vitals {
            age: beats.answered_at.map(|at| now.saturating_sub(at)),
            failing: beats.outage.map(|outage| Failing {
                lasts: now.saturating_sub(outage.since),
                age: now.saturating_sub(outage.last_at),
                fault: outage.fault,
            }),
        }
    }

    /// A poisoned lock guards plain values that are whole between statements.
    fn beats(&self) -> MutexGuard<'_, Beats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_outage_lasts_from_its_first_failure_to_the_next_answer() {
        let pulse = Pulse::default();
        assert_eq!(pulse.vitals(seconds(9)), Vitals::default());
        pulse.beat(seconds(10), Ok(()));
        pulse.beat(seconds(20), Err(Fault::NoAnswer));
        pulse.beat(seconds(25), Err(Fault::Failed));
        let vitals = pulse.vitals(seconds(30));
        let failing = Failing {
            lasts: seconds(10),
            age: seconds(5),
            fault: Fault::Failed,
        };
        assert_eq!(vitals.age, Some(seconds(20)));
        assert_eq!(vitals.failing, Some(failing));
        pulse.beat(seconds(31), Ok(()));
        let vitals = pulse.vitals(seconds(31));
        assert_eq!((vitals.age, vitals.failing), (Some(seconds(0)), None));
    }
}
