//! After proof: the organization's policy, and what the server's own directory knows.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::decide::Proven;
use super::need::{Asked, Need};
use crate::cache::{Known, Lifetime, Loader};
use crate::clock::Clock;
use crate::enrich::{DynEnricher, Enrichment, EnrichmentMode};
use crate::error::BackendError;
use crate::ident::OrganizationId;
use crate::policy::{ChangeListener, DynPolicyStore, OrganizationPolicy, PolicyStore};
use crate::principal::{Principal, PrincipalKey};
use crate::pulse::Vitals;
use crate::rejection::{Reason, Rejection};
use crate::signal::{Causes, Signal};
use crate::stage::Stage;
use crate::telemetry::{Cached, Call, Meter};

/// Policies serve 30 s, and 5 min while their store fails (R24).
const POLICY: Lifetime = Lifetime {
    fresh: Duration::from_secs(30),
    stale: Duration::from_secs(300),
    deadline: Duration::from_secs(2),
    capacity: 100_000,
};

/// User facts likewise.
const ENRICHMENT: Lifetime = Lifetime {
    capacity: 50_000,
    ..POLICY
};

type Policies = Loader<OrganizationId, OrganizationPolicy>;
type Facts = Loader<Enriched, Enrichment>;

/// A principal in an organization, told apart by name only.
#[derive(Clone)]
struct Enriched {
    key: PrincipalKey,
    organization: OrganizationId,
    principal: Principal,
}

impl PartialEq for Enriched {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.organization == other.organization
    }
}

impl Eq for Enriched {}

impl Hash for Enriched {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
        self.organization.hash(state);
    }
}

/// The organization's rules and the directory, each if configured.
#[derive(Default)]
pub(super) struct Rules {
    policies: Option<(Policies, ChangeListener)>,
    facts: Option<(Facts, EnrichmentMode)>,
}

impl Rules {
    pub(super) fn new(
        policies: Option<DynPolicyStore>,
        enricher: Option<(DynEnricher, EnrichmentMode)>,
        clock: &Arc<dyn Clock>,
        signal: &Arc<Signal>,
    ) -> Self {
        Self {
            policies: policies.map(|store| policies_from(&store, clock.clone(), signal.clone())),
            facts: enricher.map(|(enricher, mode)| (facts_from(enricher, clock.clone()), mode)),
        }
    }

    /// How the store of policies has answered lately, and how long policies serve while it fails.
    pub(super) fn policy_vitals(&self, now: Duration) -> Option<(Vitals, Duration)> {
        let (policies, _) = self.policies.as_ref()?;
        Some(policies.vitals(now))
    }

    /// The same of the directory, and what its silence means.
    pub(super) fn enricher_vitals(
        &self,
        now: Duration,
    ) -> Option<((Vitals, Duration), EnrichmentMode)> {
        let (facts, mode) = self.facts.as_ref()?;
        Some((facts.vitals(now), *mode))
    }

    pub(super) fn observe(&self, meter: &Meter) {
        if let Some((policies, _)) = &self.policies {
            policies.observe(meter, Cached::Policies, Some(Call::LoadPolicy));
        }
        if let Some((facts, _)) = &self.facts {
            facts.observe(meter, Cached::UserFacts, Some(Call::Enrich));
        }
    }

    #[cfg(feature = "metrics")]
    pub(super) fn report_entries(&self) {
        if let Some((policies, _)) = &self.policies {
            policies.report_entries();
        }
        if let Some((facts, _)) = &self.facts {
            facts.report_entries();
        }
    }

    pub(super) fn flush(&self) {
        if let Some((policies, _)) = &self.policies {
            policies.invalidate_all();
        }
        if let Some((facts, _)) = &self.facts {
            facts.invalidate_all();
        }
    }

    /// The policy in force; `None` if the server has no policies.
    pub(super) fn policy(
        &self,
        proven: &Proven,
        asked: Asked<'_>,
    ) -> Result<Option<OrganizationPolicy>, Need> {
        asked.way.reach(Stage::Policy);
        let Some((policies, _)) = &self.policies else {
            asked.way.fact(|| "this server has no policies".to_owned());
            return Ok(None);
        };
        let pin = proven.remembered.as_ref().map(|known| &known.pins.policy);
        let organization = || proven.organization.clone();
        match policies.get(pin, organization, asked.when(asked.waited.policy)) {
            Known::Value(policy) => {
                asked.way.fact(|| {
                    let (organization, version) = (policy.organization(), policy.version());
                    format!("the policy of {organization}, version {version}")
                });
                Ok(Some(policy))
            }
            Known::Wait(wait) => Err(Need::Policy(wait)),
            Known::Unavailable { retry_after, cause } => {
                Err(Rejection::unavailable(Reason::PolicyUnavailable, retry_after, cause).into())
            }
        }
    }

    /// What the directory knows. A deactivated user is refused whatever the mode.
    pub(super) fn enrichment(
        &self,
        proven: &Proven,
        asked: Asked<'_>,
    ) -> Result<Option<Enrichment>, Need> {
        asked.way.reach(Stage::Directory);
        let Some((facts, mode)) = &self.facts else {
            asked
                .way
                .fact(|| "this server asks no directory".to_owned());
            return Ok(None);
        };
        let known = proven.remembered.as_ref();
        let pin = known.map(|known| &known.pins.enrichment);
        let key = || Enriched {
            key: proven.principal.key(),
            organization: proven.organization.clone(),
            principal: proven.principal.clone(),
        };
        let when = asked.when(asked.waited.enrichment);
        let enrichment = match facts.get(pin, key, when) {
            Known::Value(enrichment) => enrichment,
            Known::Wait(wait) => return Err(Need::Enrichment(wait)),
            Known::Unavailable { .. } if *mode == EnrichmentMode::Optional => {
                asked
                    .way
                    .fact(|| "it does not answer, and need not".to_owned());
                return Ok(None);
            }
            Known::Unavailable { retry_after, cause } => {
                let reason = Reason::EnrichmentUnavailable;
                return Err(Rejection::unavailable(reason, retry_after, cause).into());
            }
        };
        if enrichment.user_facts().is_some_and(|user| !user.active) {
            return Err(Rejection::new(Reason::AccountInactive).into());
        }
        Ok(Some(enrichment))
    }
}

fn policies_from(
    store: &DynPolicyStore,
    clock: Arc<dyn Clock>,
    signal: Arc<Signal>,
) -> (Policies, ChangeListener) {
    let reader = store.clone();
    let policies = Loader::new(
        POLICY,
        |_, lifetime| (lifetime.fresh, lifetime.stale),
        clock,
        move |organization: OrganizationId| {
            let reader = reader.clone();
            async move {
                let policy = reader.load(&organization).await?;
                // A store that mixes organizations up must not lend one the rules of another.
                if policy
                    .as_ref()
                    .is_some_and(|policy| *policy.organization() != organization)
                {
                    return Err(BackendError::new(
                        "the store answered with the policy of another organization",
                    ));
                }
                // Nothing stored means OAuth only (POL-3).
                Ok(policy.unwrap_or_else(|| OrganizationPolicy::new(organization)))
            }
        },
    );
    let behind = policies.clone();
    // Called before `put` returns: no request that starts then is decided on the old policy.
    let listener = store.changes().on_any(move |organization| {
        match organization {
            Some(organization) => behind.invalidate(organization),
            None => behind.invalidate_all(),
        }
        signal.raise(Causes::POLICY, organization.map(|one| signal.topic(one)));
    });
    (policies, listener)
}

fn facts_from(enricher: DynEnricher, clock: Arc<dyn Clock>) -> Facts {
    Loader::new(
        ENRICHMENT,
        |_, lifetime| (lifetime.fresh, lifetime.stale),
        clock,
        move |wanted: Enriched| {
            let enricher = enricher.clone();
            async move { enricher.ask(wanted.principal, wanted.organization).await }
        },
    )
}
