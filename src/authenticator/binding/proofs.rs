//! Proofs: judged where a token is bound to a key, and used up where nothing else is left to decide.

use super::{Admission, Proof};
use crate::authenticator::decide::Proven;
use crate::authenticator::need::Asked;
use crate::authenticator::{Begin, Head, Inner};
use crate::confirmation::Thumbprint;
use crate::context::AuthContext;
use crate::rejection::{Reason, Rejection};
#[cfg(feature = "dpop")]
use crate::stage::Stage;
use crate::stage::Way;
use crate::wire::authorization::Found;

/// The longest a replay store may take.
#[cfg(feature = "dpop")]
const REPLAY_DEADLINE: std::time::Duration = std::time::Duration::from_millis(500);

/// How many seconds more a replay store keeps a proof than it could come again: a proof is good through
/// its last second, and no two machines have the same time.
#[cfg(feature = "dpop")]
const KEPT_LONGER: i64 = 60;

impl Inner {
    #[cfg(feature = "dpop")]
    pub(super) fn check_proof(
        &self,
        key: &Thumbprint,
        proven: &Proven,
        (found, head): (Found<'_>, Head<'_>),
        asked: Asked<'_>,
    ) -> Result<Option<Proof>, Rejection> {
        use crate::dpop::{Expected, Fault};
        use crate::wire::only_line;

        let Some(rules) = &self.shared.bindings.dpop else {
            return Err(Reason::SenderConstrained.into());
        };
        let invalid = |note| Rejection::new(Reason::InvalidDpopProof).with_note(note);
        let line =
            only_line(head.headers, &super::DPOP).map_err(|_| invalid("two DPoP headers"))?;
        let line = line.ok_or(Reason::MissingDpopProof)?;
        let text = line.to_str().map_err(|_| invalid("no compact JWS"))?;
        let expected = Expected {
            method: head.method.as_str(),
            resource: (self.resource.identifier(), self.resource.path()),
            path: head.path,
            token: found.bytes,
            key,
            now: asked.now,
        };
        let fresh = std::sync::OnceLock::new();
        let known = proven
            .remembered
            .as_ref()
            .map_or(&fresh, |known| &known.pins.proof_key);
        match rules.judge(text.trim_ascii(), expected, known) {
            Ok(proof) => Ok(Some(proof)),
            Err(Fault::Invalid(note)) => Err(invalid(note)),
            Err(Fault::OtherKey) => Err(Reason::DpopKeyMismatch.into()),
            Err(Fault::Nonce) => {
                let rejection = Rejection::new(Reason::DpopNonceNeeded);
                Err(match rules.nonce(asked.now) {
                    Some(nonce) => rejection.with_dpop_nonce(nonce),
                    None => rejection,
                })
            }
        }
    }

    #[cfg(not(feature = "dpop"))]
    #[expect(
        clippy::unused_self,
        reason = "the other half of a pair chosen by feature"
    )]
    pub(super) fn check_proof(
        &self,
        _: &Thumbprint,
        _: &Proven,
        _: (Found<'_>, Head<'_>),
        _: Asked<'_>,
    ) -> Result<Option<Proof>, Rejection> {
        Err(Reason::SenderConstrained.into())
    }

    /// The nonce for the next proof, if that of this one is not the newest.
    #[cfg(feature = "dpop")]
    pub(in crate::authenticator) fn next_nonce(
        &self,
        proof: Option<&Proof>,
        asked: Asked<'_>,
    ) -> Option<Box<http::HeaderValue>> {
        let rules = self.shared.bindings.dpop.as_ref()?;
        proof.filter(|proof| proof.ageing)?;
        rules.nonce(asked.now).map(Box::new)
    }

    /// The nonce for the next proof, if that of this one is not the newest.
    #[cfg(not(feature = "dpop"))]
    #[expect(
        clippy::unused_self,
        reason = "the other half of a pair chosen by feature"
    )]
    pub(in crate::authenticator) fn next_nonce(
        &self,
        _: Option<&Proof>,
        _: Asked<'_>,
    ) -> Option<Box<http::HeaderValue>> {
        None
    }

    /// The last step of a decision: uses up the proof. Whatever could refuse the credential or make it
    /// wait has been asked before, so that no request is refused for a proof of its own, and none that
    /// is refused takes its proof with it.
    #[cfg(feature = "dpop")]
    pub(in crate::authenticator) fn finish(&self, admission: Admission) -> Begin {
        use crate::dpop::{Claim, Replays};
        use crate::pulse::Fault;
        use crate::telemetry::{Call, Ended};

        let Admission { context, proof } = admission;
        let (Some(proof), Some(rules)) = (proof, &self.shared.bindings.dpop) else {
            return Begin::Decided(Ok(context));
        };
        match &rules.replays {
            Replays::Here(memory) => {
                let claim = memory.claim(proof.id, context.admitted_at());
                Begin::Decided(match claim {
                    Claim::First => Ok(context),
                    Claim::Again => Err(context.refused(Reason::DpopReplayed.into())),
                })
            }
            Replays::There(store) => {
                let until = proof.until.plus_secs(KEPT_LONGER);
                let claim = tokio::time::timeout(REPLAY_DEADLINE, store.claim(proof.id, until));
                let meter = self.ground.meter.clone();
                let (pulse, clock) = (store.pulse.clone(), self.ground.clock.clone());
                Begin::Pending(Box::pin(async move {
                    let claim = meter.timed(Call::ClaimProof, claim, Ended::in_time);
                    let claim = claim.await;
                    let beat = Fault::in_time(&claim);
                    pulse.beat(clock.monotonic(), beat);
                    let cause = match claim {
                        Ok(Ok(Claim::First)) => return Ok(context),
                        Ok(Ok(Claim::Again)) => {
                            return Err(context.refused(Reason::DpopReplayed.into()));
                        }
                        Ok(Err(error)) => error,
                        Err(_) => crate::error::BackendError::new(
                            "the replay store did not answer in time",
                        ),
                    };
                    let rejection = Rejection::new(Reason::StoreUnavailable);
                    let rejection = rejection.with_cause(std::sync::Arc::new(cause));
                    Err(context.refused(rejection))
                }))
            }
        }
    }

    /// What the last step would come to, without using up the proof. A store of the user's can only
    /// be asked by using it up, and so is not asked.
    #[cfg(feature = "dpop")]
    pub(in crate::authenticator) fn foresee(
        &self,
        admission: Admission,
        way: Way<'_>,
    ) -> Result<AuthContext, Rejection> {
        use crate::dpop::{Claim, Replays};

        let Admission { context, proof } = admission;
        let (Some(proof), Some(rules)) = (proof, &self.shared.bindings.dpop) else {
            return Ok(context);
        };
        way.reach(Stage::Proof);
        match &rules.replays {
            Replays::Here(memory) => match memory.foresee(proof.id, context.admitted_at()) {
                Claim::First => Ok(context),
                Claim::Again => Err(context.refused(Reason::DpopReplayed.into())),
            },
            Replays::There(_) => {
                way.fact(|| "the store of used proofs is not asked".to_owned());
                Ok(context)
            }
        }
    }

    /// What the last step would come to.
    #[cfg(not(feature = "dpop"))]
    #[expect(
        clippy::unused_self,
        reason = "the other half of a pair chosen by feature"
    )]
    pub(in crate::authenticator) fn foresee(
        &self,
        admission: Admission,
        _: Way<'_>,
    ) -> Result<AuthContext, Rejection> {
        match admission.proof {
            None => Ok(admission.context),
            Some(proof) => match proof {},
        }
    }

    /// The last step of a decision.
    #[cfg(not(feature = "dpop"))]
    #[expect(
        clippy::unused_self,
        reason = "the other half of a pair chosen by feature"
    )]
    pub(in crate::authenticator) fn finish(&self, admission: Admission) -> Begin {
        match admission.proof {
            None => Begin::Decided(Ok(admission.context)),
            Some(proof) => match proof {},
        }
    }
}
