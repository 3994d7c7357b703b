//! Looks at every part.

use std::sync::Arc;
use std::time::Duration;

use super::{Condition, Health, Part, PartHealth};
use crate::audit::SinkState;
use crate::authenticator::trail::Audit;
use crate::authenticator::{Authenticator, Inner};
use crate::enrich::EnrichmentMode;
use crate::oauth::jwt::TrustedIssuer;
use crate::oauth::keys::KeyState;
use crate::pulse::{Fault, Vitals};

/// A failure says nothing any more once nobody has asked for so long.
const FORGOTTEN: Duration = Duration::from_secs(60);

impl Authenticator {
    /// How everything that decisions need stands: for health checks. It asks nobody; it tells what
    /// requests and refreshes have seen. Not for the warm path of a request.
    #[must_use]
    pub fn health(&self) -> Health {
        let current = self.latest();
        let (inner, ground) = (&*current.0, &*self.0.ground);
        let now = ground.clock.monotonic();
        let mut issuers: Vec<_> = inner.trust.issuers().collect();
        issuers.sort_by(|a, b| a.name.cmp(&b.name));
        let mut parts = Vec::new();
        for issuer in &issuers {
            parts.push(keys(issuer));
            parts.extend(introspection(issuer, now));
        }
        let log = self.revocation_log();
        let is_blind = log
            .as_ref()
            .is_some_and(|log| log.condition == Condition::Down && log.age.is_none());
        let no_keys = !issuers.is_empty()
            && issuers
                .iter()
                .all(|issuer| keys(issuer).condition == Condition::Down);
        let nothing_to_judge_by = no_keys && inner.shared.tokens.is_none();
        parts.extend(inner.stores(now));
        parts.extend(log);
        let audit = ground
            .audit
            .as_ref()
            .map(|audit| (audit, audit.trail.state()));
        parts.extend(audit.map(|(audit, state)| sink(audit, state)));
        let required = audit.filter(|(audit, _)| audit.required);
        let state = required.map_or(SinkState::Ready, |(_, state)| state);
        Health {
            ready: !is_blind && !nothing_to_judge_by && state == SinkState::Ready,
            live: state != SinkState::Closed,
            parts,
        }
    }

    fn revocation_log(&self) -> Option<PartHealth> {
        let status = self.revocation_status()?;
        let fails = status.last_error.is_some();
        let (condition, effect) = match (status.age, status.is_current) {
            (None, _) if !fails => (Condition::Idle, "the first request has it read"),
            (None, _) => (Condition::Down, "every credential gets 503"),
            (Some(_), false) => (
                Condition::Down,
                "API tokens get 503; access tokens are let in until they expire",
            ),
            (Some(_), true) if fails => (
                Condition::Degraded,
                "what others revoke is not heard of; API tokens get 503 once a minute has passed",
            ),
            (Some(_), true) => (Condition::Fresh, WORKS),
        };
        Some(PartHealth {
            part: Part::RevocationLog,
            issuer: None,
            condition,
            age: status.age,
            last_error: fails.then_some(Fault::Failed),
            effect,
        })
    }
}

impl Inner {
    fn stores(&self, now: Duration) -> Vec<PartHealth> {
        let (shared, ground) = (&self.shared, &self.ground);
        let mut parts = Vec::new();
        let tokens = shared.tokens.as_ref();
        if let Some(issued) = tokens.and_then(|tokens| tokens.issued.as_ref()) {
            let effect = [
                "API tokens seen lately are let in; others get 503",
                "API tokens get 503",
            ];
            parts.push(asked(Part::TokenStore, issued.vitals(now), effect));
        }
        if let Some(foreign) = tokens.and_then(|tokens| tokens.foreign.as_ref()) {
            let effect = [
                "foreign tokens seen lately are let in; others get 503",
                "foreign tokens get 503",
            ];
            parts.push(asked(Part::ForeignTokens, foreign.vitals(now), effect));
        }
        if let Some(vitals) = ground.rules.policy_vitals(now) {
            let effect = [
                "organizations seen lately are served by the policy they had; others get 503",
                "every credential gets 503",
            ];
            parts.push(asked(Part::PolicyStore, vitals, effect));
        }
        if let Some((vitals, mode)) = ground.rules.enricher_vitals(now) {
            parts.push(enricher(vitals, mode));
        }
        if let Some(vitals) = tokens.and_then(|tokens| tokens.guard.0.vitals()) {
            let effect = "every process counts failures for itself";
            let forever = (vitals, Duration::MAX);
            let part = asked(Part::SharedFailures, forever, [effect; 2]);
            parts.push(without(part, effect));
        }
        parts.extend(self.replay_store(now));
        parts
    }

    #[cfg(feature = "dpop")]
    fn replay_store(&self, now: Duration) -> Option<PartHealth> {
        use crate::dpop::Replays;

        match &self.shared.bindings.dpop.as_ref()?.replays {
            Replays::Here(_) => None,
            Replays::There(store) => {
                let vitals = (store.pulse.vitals(now), Duration::ZERO);
                let effect = ["requests with a DPoP proof get 503"; 2];
                Some(asked(Part::ReplayStore, vitals, effect))
            }
        }
    }

    #[cfg(not(feature = "dpop"))]
    #[expect(
        clippy::unused_self,
        reason = "the other half of a pair chosen by feature"
    )]
    fn replay_store(&self, _: Duration) -> Option<PartHealth> {
        None
    }
}

/// The effect of what is fresh.
const WORKS: &str = "none";

/// The effect of what nobody has asked.
const NOT_ASKED: &str = "the next request that needs it asks";

fn keys(issuer: &TrustedIssuer) -> PartHealth {
    let status = issuer.keys.status();
    let fails = status.last_error.is_some();
    let (condition, effect) = match status.state {
        KeyState::Fresh if fails => (
            Condition::Degraded,
            "none yet: the keys known serve to the end of their lifetime and stale window",
        ),
        KeyState::Fresh => (Condition::Fresh, WORKS),
        KeyState::Stale => (
            Condition::Degraded,
            "tokens are judged by keys past their lifetime while the issuer is down",
        ),
        KeyState::Absent if issuer.keys.is_keyless() => (
            Condition::Fresh,
            "none: the issuer has no keys, and is asked about its tokens",
        ),
        KeyState::Absent if issuer.keys.is_failing() => {
            (Condition::Down, "signed tokens of this issuer get 503")
        }
        KeyState::Absent => (Condition::Idle, NOT_ASKED),
    };
    PartHealth {
        part: Part::Keys,
        issuer: Some(status.issuer),
        condition,
        age: status.age,
        last_error: fails.then_some(Fault::Failed),
        effect,
    }
}

fn introspection(issuer: &TrustedIssuer, now: Duration) -> Option<PartHealth> {
    let vitals = issuer.introspector.as_ref()?.vitals(now);
    let effect = [
        "opaque tokens asked about lately are let in; others get 503",
        "opaque tokens of this issuer get 503",
    ];
    let mut part = asked(Part::Introspection, vitals, effect);
    part.issuer = Some(Arc::clone(&issuer.name));
    Some(part)
}

fn enricher(vitals: (Vitals, Duration), mode: EnrichmentMode) -> PartHealth {
    let remembered = "users seen lately keep the facts known of them";
    if mode == EnrichmentMode::Required {
        let effect = [
            "users seen lately keep the facts known of them; others get 503",
            "every credential gets 503",
        ];
        return asked(Part::Enricher, vitals, effect);
    }
    let part = asked(Part::Enricher, vitals, [remembered; 2]);
    without(part, "requests go on without facts about the user")
}

fn sink(audit: &Audit, state: SinkState) -> PartHealth {
    let (condition, effect) = match (state, audit.required) {
        (SinkState::Ready, _) => (Condition::Fresh, WORKS),
        (_, true) => (Condition::Down, "who would be let in gets 503"),
        (_, false) => (Condition::Degraded, "records are lost, and requests go on"),
    };
    PartHealth {
        part: Part::Audit,
        issuer: None,
        condition,
        age: None,
        last_error: (state != SinkState::Ready).then_some(Fault::Failed),
        effect,
    }
}

/// How a backend stands by what it answered, and what that means while memory serves and after.
fn asked(
    part: Part,
    (vitals, serves): (Vitals, Duration),
    [remembered, forgotten]: [&'static str; 2],
) -> PartHealth {
    let (condition, effect) = match (vitals.failing, vitals.age) {
        (None, None) => (Condition::Idle, NOT_ASKED),
        (None, Some(_)) => (Condition::Fresh, WORKS),
        (Some(failing), _) if failing.age > FORGOTTEN => (Condition::Idle, NOT_ASKED),
        // What was remembered when it began to fail serves on from then at most for as long.
        (Some(failing), Some(_)) if failing.lasts < serves => (Condition::Degraded, remembered),
        (Some(_), _) => (Condition::Down, forgotten),
    };
    PartHealth {
        part,
        issuer: None,
        condition,
        age: vitals.age,
        last_error: vitals.failing.map(|failing| failing.fault),
        effect,
    }
}

/// The same of what requests can do without.
fn without(mut part: PartHealth, effect: &'static str) -> PartHealth {
    if part.condition == Condition::Down {
        part.condition = Condition::Degraded;
        part.effect = effect;
    }
    part
}
