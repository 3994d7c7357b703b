//! What a decision lacks, and how it is waited for.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::Inner;
use super::follower::ReadWait;
use super::sender::{Arrival, Sender};
use crate::cache::{LoadWait, When};
use crate::clock::UnixTime;
use crate::oauth::keys::FetchWait;
use crate::rejection::{Reason, Rejection};
use crate::stage::Way;

/// What a decision has waited for already.
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "five things to wait for, and a proof"
)]
pub(super) struct Waited {
    pub(super) keys: bool,
    pub(super) record: bool,
    pub(super) policy: bool,
    pub(super) enrichment: bool,
    pub(super) revocations: bool,
    /// The proof of this request was judged in an earlier decision, and is used up.
    pub(super) proof: bool,
}

/// When a decision is asked for, by whom, and after which waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'r> {
    pub(super) sender: &'r Sender,
    pub(super) now: UnixTime,
    /// The same moment by the monotonic clock.
    pub(super) tick: Duration,
    pub(super) waited: Waited,
    /// Who listens to the decision.
    pub(super) way: Way<'r>,
}

impl Asked<'_> {
    /// For a loader: the moment, and whether it has been waited for.
    pub(super) fn when(&self, waited: bool) -> When {
        let now = self.tick;
        When { now, waited }
    }
}

impl Inner {
    /// Asks now.
    pub(super) fn asked<'r>(&self, sender: &'r Sender, waited: Waited) -> Asked<'r> {
        let clock = &self.ground.clock;
        Asked {
            sender,
            now: clock.now(),
            tick: clock.monotonic(),
            waited,
            way: Way::default(),
        }
    }

    /// Asks now, for a request that has just arrived: if that moment was noted, the clock is not read
    /// again.
    pub(super) fn asked_at_once<'r>(
        &self,
        sender: &'r Sender,
        (arrival, waited): (Arrival, Waited),
    ) -> Asked<'r> {
        // A proof that was judged before says that the request came a while ago.
        if waited.proof || !self.ground.notes_arrivals() {
            return self.asked(sender, waited);
        }
        Asked {
            sender,
            now: self.ground.clock.now(),
            tick: arrival.at,
            waited,
            way: Way::default(),
        }
    }
}

/// Why there is no decision yet, or that it is no.
pub(super) enum Need {
    Refused(Box<Rejection>),
    Keys(FetchWait),
    Record(LoadWait),
    Policy(LoadWait),
    Enrichment(LoadWait),
    Revocations(ReadWait),
}

impl From<Rejection> for Need {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(Box::new(rejection))
    }
}

impl From<Reason> for Need {
    fn from(reason: Reason) -> Self {
        Rejection::new(reason).into()
    }
}

pub(super) type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Need {
    /// What to wait for, noted in `waited`; or the refusal.
    pub(super) fn wait(self, waited: &mut Waited) -> Result<Waiting, Rejection> {
        Ok(match self {
            Self::Refused(rejection) => return Err(*rejection),
            Self::Keys(wait) => {
                waited.keys = true;
                Box::pin(wait.done())
            }
            Self::Record(wait) => {
                waited.record = true;
                Box::pin(wait.done())
            }
            Self::Policy(wait) => {
                waited.policy = true;
                Box::pin(wait.done())
            }
            Self::Enrichment(wait) => {
                waited.enrichment = true;
                Box::pin(wait.done())
            }
            Self::Revocations(wait) => {
                waited.revocations = true;
                Box::pin(wait.done())
            }
        })
    }
}

/// Five things can be waited for, and a second time if they change meanwhile. What still cannot be
/// decided then has to come back.
const MOST_WAITS: usize = 10;

/// Waits for what is needed and tries again, until there is a decision.
pub(super) async fn settle<T>(
    mut wait: Waiting,
    mut waited: Waited,
    mut attempt: impl FnMut(Waited) -> Result<T, Need>,
) -> Result<T, Rejection> {
    for _ in 0..MOST_WAITS {
        wait.await;
        match attempt(waited) {
            Ok(decided) => return Ok(decided),
            Err(need) => wait = need.wait(&mut waited)?,
        }
    }
    Err(Reason::StoreUnavailable.into())
}
