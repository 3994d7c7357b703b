//! Signed access tokens (RFC 9068): from text to principal.

use std::collections::HashMap;
use std::sync::Arc;

use super::claims;
use super::introspection::Introspector;
use super::keys::{FetchWait, Fingerprint, KeySource, Lookup};
use crate::clock::UnixTime;
use crate::ident::OrganizationId;
use crate::issuer::Issuer;
use crate::jose::compact::{Compact, Header, payload_object};
use crate::jose::json::Object;
use crate::principal::Principal;
use crate::rejection::{Reason, Rejection};
use crate::resource::Resource;
use crate::stage::{Stage, Way};

/// One configured issuer with its keys.
#[derive(Clone, Debug)]
pub(crate) struct TrustedIssuer {
    pub(crate) config: Issuer,
    pub(crate) name: Arc<str>,
    pub(crate) keys: Arc<KeySource>,
    /// Of an issuer that is asked about its tokens.
    pub(crate) introspector: Option<Arc<Introspector>>,
}

/// Every configured issuer, by its exact identifier. Shared by all mounts of a server.
#[derive(Debug)]
pub(crate) struct Trust {
    all: HashMap<Arc<str>, Arc<TrustedIssuer>>,
    /// Those that are asked about tokens.
    asked: Vec<Arc<TrustedIssuer>>,
}

impl Trust {
    pub(crate) fn new(issuers: impl IntoIterator<Item = TrustedIssuer>) -> Self {
        let all = issuers.into_iter();
        let all: HashMap<_, _> = all
            .map(|issuer| (issuer.name.clone(), Arc::new(issuer)))
            .collect();
        let asked = all.values().filter(|issuer| issuer.introspector.is_some());
        let asked = asked.cloned().collect();
        Self { all, asked }
    }

    pub(crate) fn get(&self, identifier: &str) -> Option<&Arc<TrustedIssuer>> {
        self.all.get(identifier)
    }

    pub(crate) fn issuers(&self) -> impl Iterator<Item = &TrustedIssuer> {
        self.all.values().map(|issuer| &**issuer)
    }

    /// The issuers that are asked about tokens.
    pub(crate) fn introspectors(&self) -> impl Iterator<Item = &Introspector> {
        let asked = self.asked.iter();
        asked.filter_map(|issuer| issuer.introspector.as_deref())
    }

    /// The one issuer whose opaque token this is, by its shape. A token that several claim is shown
    /// to none of them.
    pub(crate) fn owner(&self, credential: &str) -> Result<Option<&Arc<TrustedIssuer>>, String> {
        let claims = |issuer: &&Arc<TrustedIssuer>| {
            let introspector = issuer.introspector.as_ref();
            introspector.is_some_and(|introspector| introspector.claims(credential))
        };
        let mut owners = self.asked.iter().filter(claims);
        match (owners.next(), owners.next()) {
            (Some(one), Some(other)) => Err(format!("claimed by {} and {}", one.name, other.name)),
            (owner, _) => Ok(owner),
        }
    }
}

/// Who signed a token.
pub(super) enum Signer {
    /// The key of this name.
    Key(Option<Arc<str>>),
    /// The issuer's keys are being fetched: wait, then look once more.
    Wait(FetchWait),
}

impl Trust {
    /// The issuer a token claims to be of, if it may sign like that.
    pub(super) fn claimed(
        &self,
        claims: &Object<'_>,
        header: &Header<'_>,
    ) -> Result<&Arc<TrustedIssuer>, Rejection> {
        let issuer = self
            .get(claims::issuer_of(claims)?)
            .ok_or(Reason::UnknownIssuer)?;
        if issuer.config.algorithms.contains(&header.algorithm) {
            return Ok(issuer);
        }
        Err(Rejection::new(Reason::AlgorithmNotAllowed).with_note(header.algorithm.name()))
    }
}

impl TrustedIssuer {
    /// Which key of the issuer signed a token.
    pub(super) fn signer(
        &self,
        header: &Header<'_>,
        compact: &Compact<'_>,
        attempt: Attempt,
    ) -> Result<Signer, Rejection> {
        let after_wait = attempt == Attempt::AfterWait;
        let kid = header.key_id.as_deref();
        let candidates = match self.keys.lookup(kid, header.algorithm, after_wait) {
            Lookup::Keys(candidates) => candidates,
            Lookup::Unknown => return Err(Reason::UnknownKey.into()),
            Lookup::Ambiguous => return Err(Reason::AmbiguousKey.into()),
            Lookup::Wait(wait) => return Ok(Signer::Wait(wait)),
            Lookup::Unavailable { retry_after, cause } => {
                let reason = Reason::IssuerUnavailable;
                return Err(Rejection::unavailable(reason, retry_after, cause));
            }
        };
        match candidates.verify(compact.signed, compact.signature()) {
            Some(key) => Ok(Signer::Key(key.kid.clone())),
            None => Err(Reason::BadSignature.into()),
        }
    }
}

/// Whether the caller may still be asked to wait for keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    First,
    AfterWait,
}

/// What came of looking at a token.
pub(crate) enum Outcome {
    Decided(Result<Verified, Rejection>),
    /// The issuer's keys are being fetched: wait, then look once more.
    Wait(FetchWait),
}

/// A token whose claims and signature are good, and what that rests on.
pub(crate) struct Verified {
    pub(crate) principal: Principal,
    pub(crate) organization: OrganizationId,
    pub(crate) issuer: Arc<TrustedIssuer>,
    /// The key set it was verified by; `None` if that changed meanwhile.
    pub(crate) keys: Option<Fingerprint>,
}

/// Validates a signed access token. Never blocks and never awaits: all I/O is behind
/// [`Outcome::Wait`].
pub(crate) fn validate(
    token: &str,
    trust: &Trust,
    resource: &Resource,
    moment: (UnixTime, Way<'_>),
    attempt: Attempt,
) -> Outcome {
    match examine(token, trust, resource, moment, attempt) {
        Ok(outcome) => outcome,
        Err(rejection) => Outcome::Decided(Err(rejection)),
    }
}

/// Judges the claims of a token that was verified before, perhaps by other settings.
pub(crate) fn accept(
    verified: &Principal,
    issuer: &TrustedIssuer,
    resource: &Resource,
    now: UnixTime,
) -> Result<(Principal, OrganizationId), Rejection> {
    let claimed = payload_object(verified.payload())?;
    let judged = claims::judge(&claimed, &issuer.config, resource, now, None)?;
    let (name, key_id) = (issuer.name.clone(), verified.key_id().map(Arc::from));
    judged.verified(&issuer.config, name, key_id, verified.payload().to_vec())
}

fn examine(
    token: &str,
    trust: &Trust,
    resource: &Resource,
    (now, way): (UnixTime, Way<'_>),
    attempt: Attempt,
) -> Result<Outcome, Rejection> {
    way.reach(Stage::Form);
    let compact = Compact::parse(token)?;
    let header = compact.header()?;
    let claimed = compact.claims()?;
    way.reach(Stage::Issuer);
    let issuer = trust.claimed(&claimed, &header)?;
    way.reach(Stage::Type);
    if !header.is_access_token(issuer.config.profile.any_jwt_type) {
        return Err(Rejection::new(Reason::WrongTokenType).with_note("typ"));
    }
    way.reach(Stage::Claims);
    let unverified = claims::judge(&claimed, &issuer.config, resource, now, None)?;
    way.reach(Stage::Signature);
    let keys = issuer.keys.fingerprint();
    let key_id = match issuer.signer(&header, &compact, attempt)? {
        Signer::Key(key_id) => key_id,
        Signer::Wait(wait) => return Ok(Outcome::Wait(wait)),
    };
    way.reach(Stage::Organization);
    let name = issuer.name.clone();
    let facts = unverified.verified(&issuer.config, name, key_id, compact.into_payload());
    Ok(Outcome::Decided(facts.map(|(principal, organization)| {
        Verified {
            principal,
            organization,
            issuer: issuer.clone(),
            keys: keys.filter(|_| issuer.keys.fingerprint() == keys),
        }
    })))
}
