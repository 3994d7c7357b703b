//! Signed access tokens (RFC 9068): from text to principal.

use std::collections::HashMap;
use std::sync::Arc;

use super::claims;
use super::keys::{FetchWait, Fingerprint, KeySource, Lookup};
use crate::clock::UnixTime;
use crate::ident::OrganizationId;
use crate::issuer::Issuer;
use crate::jose::compact::Compact;
use crate::principal::Principal;
use crate::rejection::{Reason, Rejection};
use crate::resource::Resource;

/// One configured issuer with its keys.
#[derive(Clone, Debug)]
pub(crate) struct TrustedIssuer {
    pub(crate) config: Issuer,
    pub(crate) name: Arc<str>,
    pub(crate) keys: Arc<KeySource>,
}

/// Every configured issuer, by its exact identifier. Shared by all mounts of a server.
#[derive(Debug)]
pub(crate) struct Trust(HashMap<Arc<str>, Arc<TrustedIssuer>>);

impl Trust {
    pub(crate) fn new(issuers: impl IntoIterator<Item = TrustedIssuer>) -> Self {
        Self(
            issuers
                .into_iter()
                .map(|issuer| (issuer.name.clone(), Arc::new(issuer)))
                .collect(),
        )
    }

    pub(crate) fn get(&self, identifier: &str) -> Option<&Arc<TrustedIssuer>> {
        self.0.get(identifier)
    }

    pub(crate) fn issuers(&self) -> impl Iterator<Item = &TrustedIssuer> {
        self.0.values().map(|issuer| &**issuer)
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
    now: UnixTime,
    attempt: Attempt,
) -> Outcome {
    match examine(token, trust, resource, now, attempt) {
        Ok(outcome) => outcome,
        Err(rejection) => Outcome::Decided(Err(rejection)),
    }
}

fn examine(
    token: &str,
    trust: &Trust,
    resource: &Resource,
    now: UnixTime,
    attempt: Attempt,
) -> Result<Outcome, Rejection> {
    let compact = Compact::parse(token)?;
    let header = compact.header()?;
    let claimed = compact.claims()?;
    let issuer = trust
        .get(claims::issuer_of(&claimed)?)
        .ok_or(Reason::UnknownIssuer)?;
    if !issuer.config.algorithms.contains(&header.algorithm) {
        return Err(Rejection::new(Reason::AlgorithmNotAllowed).with_note(header.algorithm.name()));
    }
    if !header.is_access_token(issuer.config.profile.any_jwt_type) {
        return Err(Rejection::new(Reason::WrongTokenType).with_note("typ"));
    }
    let unverified = claims::judge(&claimed, &issuer.config, resource, now)?;
    let after_wait = attempt == Attempt::AfterWait;
    let keys = issuer.keys.fingerprint();
    let candidates =
        match issuer
            .keys
            .lookup(header.key_id.as_deref(), header.algorithm, after_wait)
        {
            Lookup::Keys(candidates) => candidates,
            Lookup::Unknown => return Err(Reason::UnknownKey.into()),
            Lookup::Ambiguous => return Err(Reason::AmbiguousKey.into()),
            Lookup::Wait(wait) => return Ok(Outcome::Wait(wait)),
            Lookup::Unavailable { retry_after, cause } => {
                let reason = Reason::IssuerUnavailable;
                return Err(Rejection::unavailable(reason, retry_after, cause));
            }
        };
    let Some(key) = candidates.verify(compact.signed, compact.signature()) else {
        return Err(Reason::BadSignature.into());
    };
    let key_id = key.kid.clone();
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
