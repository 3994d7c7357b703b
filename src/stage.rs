//! How far a decision got, for whoever has to explain it.
//!
//! The functions that decide say where they are. A request has nobody who listens, which costs it one
//! comparison a step; an explanation is that same decision with somebody who does.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A step of a decision, in the order of the way of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stage {
    /// Metadata, preflight, origin and host.
    Edge,
    /// One credential, where it should stand.
    Credential,
    /// An API token, ours or a foreign one.
    ApiToken,
    /// An access token that its issuer is asked about.
    Introspection,
    /// The text of a signed token.
    Form,
    /// Whose it claims to be, and by which algorithm.
    Issuer,
    /// An access token by its `typ`.
    Type,
    Claims,
    Signature,
    Organization,
    /// Whether the token is its sender's.
    Binding,
    Revocation,
    Policy,
    /// The networks of an API token.
    Network,
    Scopes,
    /// What the directory knows of the user.
    Directory,
    /// Whether the proof was used before.
    Proof,
    Session,
    Operation,
}

/// A step that was reached, and what is to be told of it.
#[derive(Clone, Debug)]
pub(crate) struct Reached {
    pub(crate) stage: Stage,
    pub(crate) facts: Vec<String>,
}

/// The steps of one decision so far.
#[derive(Debug, Default)]
pub(crate) struct Track(Mutex<Vec<Reached>>);

impl Track {
    #[cold]
    pub(crate) fn reach(&self, stage: Stage) {
        let facts = Vec::new();
        self.steps().push(Reached { stage, facts });
    }

    /// Something about the last step.
    #[cold]
    pub(crate) fn fact(&self, fact: String) {
        if let Some(last) = self.steps().last_mut() {
            last.facts.push(fact);
        }
    }

    /// Something about this step, if it was reached.
    pub(crate) fn fact_of(&self, stage: Stage, fact: String) {
        let mut steps = self.steps();
        if let Some(step) = steps.iter_mut().find(|step| step.stage == stage) {
            step.facts.push(fact);
        }
    }

    /// Forgets what was reached after this step: the decision begins again there.
    pub(crate) fn back_to(&self, stage: Stage) {
        self.steps().retain(|step| step.stage <= stage);
    }

    pub(crate) fn reached(&self) -> Vec<Reached> {
        self.steps().clone()
    }

    fn steps(&self) -> MutexGuard<'_, Vec<Reached>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who listens to a decision, if anybody does. With a listener it leaves nothing behind: no failure
/// is counted, no use noted, no proof used up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Way<'t>(Option<&'t Track>);

impl<'t> Way<'t> {
    pub(crate) fn told_to(track: &'t Track) -> Self {
        Self(Some(track))
    }

    /// The decision has come to this step.
    #[inline]
    pub(crate) fn reach(self, stage: Stage) {
        if let Some(track) = self.0 {
            track.reach(stage);
        }
    }

    /// Something about the step that the decision is at.
    #[inline]
    pub(crate) fn fact(self, fact: impl FnOnce() -> String) {
        if let Some(track) = self.0 {
            track.fact(fact());
        }
    }

    /// Whether this is an explanation and no request.
    #[inline]
    pub(crate) fn is_told(self) -> bool {
        self.0.is_some()
    }
}
