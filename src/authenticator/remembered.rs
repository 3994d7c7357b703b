//! What was proved about a credential, and beside it what is asked about its party again and again.
//!
//! A fact is no decision: every request with a remembered credential is judged anew, on what holds
//! then (T22, T23).

use std::mem::size_of;
use std::sync::Arc;

use super::Inner;
use super::decide::Proven;
use super::issued::Record;
use super::need::{Asked, Need};
use super::opaque::Opaque;
use super::tokens::UsedToken;
use crate::cache::Pinned;
use crate::cache::credentials::{Credentials, Domain, Weighed};
use crate::enrich::Enrichment;
use crate::method::AuthMethod;
use crate::oauth::verdicts::Verdict;
use crate::policy::OrganizationPolicy;
use crate::telemetry::{Cached, Served};
use crate::wire::authorization::{Found, Scheme};

/// The credentials proved lately.
pub(super) type Memory = Credentials<Remembered>;

/// What is known of a credential.
pub(super) struct Remembered {
    fact: Fact,
    pub(super) pins: Pins,
}

/// What was proved.
pub(super) enum Fact {
    AccessToken(Verdict),
    /// A token of our own format. Of foreign ones their makers' answers are kept.
    ApiToken(UsedToken),
    /// An access token that its issuer was asked about.
    Opaque(Opaque),
}

/// Where the party's record, policy and user facts were found.
#[derive(Default)]
pub(super) struct Pins {
    pub(super) record: Pinned<Record>,
    pub(super) policy: Pinned<OrganizationPolicy>,
    pub(super) enrichment: Pinned<Enrichment>,
    /// The key that the token is bound to, once a proof has shown it. Elsewhere, since most tokens
    /// are bound to none.
    #[cfg(feature = "dpop")]
    pub(super) proof_key: std::sync::OnceLock<Box<crate::jose::PublicKey>>,
}

/// What a public key takes that has been read, roughly.
const KEY_BYTES: usize = 1024;

impl Weighed for Remembered {
    fn size(&self) -> usize {
        let own = match &self.fact {
            Fact::AccessToken(verdict) => {
                let bound = verdict.principal.confirmation().is_some();
                verdict.size() + if bound { KEY_BYTES } else { 0 }
            }
            Fact::ApiToken(used) => used.held.principal.size(),
            Fact::Opaque(opaque) => opaque.size(),
        };
        size_of::<Self>() + own
    }
}

impl Inner {
    /// Who a credential is proved to be: by what is remembered if that still holds, else anew.
    pub(super) fn prove(&self, found: Found<'_>, asked: Asked<'_>) -> Result<Proven, Need> {
        // Looked at anew, an explanation has every step.
        let Some(memory) = self.shared.memory.as_ref().filter(|_| !asked.way.is_told()) else {
            return Ok(self.prove_anew(found, asked)?.0);
        };
        let tag = memory.tag(self.domain(found.scheme), found.bytes);
        if let Some(known) = memory.find(&tag) {
            if let Some(proven) = self.recall(known, found, asked)? {
                self.ground.meter.read(Cached::Credentials, Served::Fresh);
                return Ok(proven);
            }
            memory.forget(&tag);
        }
        self.ground.meter.read(Cached::Credentials, Served::Miss);
        let (mut proven, fact) = self.prove_anew(found, asked)?;
        if let Some(fact) = fact {
            let pins = Pins::default();
            let remembered = Arc::new(Remembered { fact, pins });
            memory.keep(tag, remembered.clone());
            proven.remembered = Some(remembered);
        }
        Ok(proven)
    }

    fn domain(&self, scheme: Scheme) -> Domain {
        Domain {
            mount: self.mount,
            scheme: match scheme {
                Scheme::Bearer => 0,
                Scheme::Basic => 1,
                Scheme::ApiKey => 2,
                Scheme::Dpop => 3,
            },
        }
    }

    /// The party of a fact, if a look at the credential would still lead to it.
    fn recall(
        &self,
        known: Arc<Remembered>,
        found: Found<'_>,
        asked: Asked<'_>,
    ) -> Result<Option<Proven>, Need> {
        let proven = match &known.fact {
            Fact::AccessToken(verdict) if verdict.holds(asked.now, asked.tick) => Proven {
                principal: verdict.principal.clone(),
                organization: verdict.organization.clone(),
                method: AuthMethod::OAuth,
                token: None,
                remembered: None,
            },
            Fact::ApiToken(used) if self.serves(used, &known.pins, asked)? => used.clone().into(),
            Fact::Opaque(opaque) if opaque.holds(found.bytes, asked)? => opaque.proven(),
            Fact::AccessToken(_) | Fact::ApiToken(_) | Fact::Opaque(_) => return Ok(None),
        };
        Ok(Some(Proven {
            remembered: Some(known),
            ..proven
        }))
    }

    fn serves(&self, used: &UsedToken, pins: &Pins, asked: Asked<'_>) -> Result<bool, Need> {
        match &self.shared.tokens {
            Some(tokens) => tokens.serves(used, pins, asked),
            None => Ok(false),
        }
    }
}
