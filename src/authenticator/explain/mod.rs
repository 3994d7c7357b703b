//! A decision for the sake of its reasons: the same functions, told to somebody, with nothing left behind.

mod facts;
mod secrets;

use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt;

use super::need::{Asked, Waited, settle};
use super::sender::{Arrival, Sender};
use super::slot::Current;
use super::{Head, Inner};
use crate::audit::AuditEvent;
use crate::context::AuthContext;
use crate::rejection::{Reason, Rejection};
use crate::secret::SecretText;
use crate::stage::{Stage, Track, Way};

impl Current {
    /// Decides as [`begin`](Self::begin) does and tells `track` how far it came. Counts no failure,
    /// notes no use, uses no proof up and remembers no credential.
    pub(crate) async fn trace(
        &self,
        head: Head<'_>,
        arrival: Arrival,
        track: &Track,
    ) -> Result<AuthContext, Rejection> {
        let Some(sender) = arrival.sender else {
            return Err(Reason::Internal.into());
        };
        let traced = AssertUnwindSafe(self.0.traced(head, &sender, track));
        let decision = traced.catch_unwind().await;
        decision.unwrap_or_else(|_| Err(Reason::Internal.into()))
    }

    /// Tells what the credential says of itself, at the steps that were reached. A part of the user's that
    /// panics (R15) leaves something untold.
    pub(crate) fn tell(&self, head: Head<'_>, arrival: Arrival, track: &Track) {
        let tell = || {
            self.0.tell(head.headers, track);
            let address = arrival.sender.and_then(|sender| sender.address);
            let address = address.map_or_else(
                || "the client's address is not known".to_owned(),
                |address| format!("from {address}"),
            );
            track.fact_of(Stage::Policy, address.clone());
            track.fact_of(Stage::Network, address);
        };
        let _ = catch_unwind(AssertUnwindSafe(tell));
    }

    /// The parts of a request that nobody may read in an explanation.
    pub(crate) fn secrets(&self, head: Head<'_>) -> Vec<SecretText> {
        secrets::of(&self.0, head.headers)
    }

    /// Puts on record that somebody had a request explained: whoever can do that learns more than a
    /// client does.
    pub(crate) fn audit_explained(
        &self,
        head: Head<'_>,
        decision: Result<Option<&AuthContext>, &Rejection>,
        arrival: Arrival,
    ) {
        let ground = &self.0.ground;
        let Some(audit) = &ground.audit else {
            return;
        };
        let record = self.decided(audit, head, (decision, (None, None)), arrival);
        audit
            .trail
            .record(record.of_event(AuditEvent::AuthExplained));
    }
}

impl Inner {
    async fn traced(
        &self,
        head: Head<'_>,
        sender: &Sender,
        track: &Track,
    ) -> Result<AuthContext, Rejection> {
        let way = Way::told_to(track);
        way.reach(Stage::Credential);
        let found = self.present(head.headers)?;
        let attempt = |waited| {
            track.back_to(Stage::Credential);
            let asked = self.asked(sender, waited);
            self.attempt(found, head, Asked { way, ..asked })
        };
        let mut waited = Waited::default();
        let admission = match attempt(waited) {
            Ok(admission) => admission,
            Err(need) => settle(need.wait(&mut waited)?, waited, attempt).await?,
        };
        self.foresee(admission, way)
    }
}
