//! Security event tokens (RFC 8417): the same strict text, header, keys and times as access tokens,
//! and never one in place of the other (R30, T11).

use std::time::Duration;

use super::claims::{issuer_of, malformed, missing, text};
use super::jwt::{Attempt, Trust, TrustedIssuer};
use super::keys::{FetchWait, Lookup};
use super::times::{is_expired, numeric_date};
use crate::clock::UnixTime;
use crate::jose::compact::Compact;
use crate::jose::json::{Json, Object};
use crate::rejection::{Reason, Rejection};
use crate::resource::Resource;

/// How old a token may be: transmitters try again for days.
pub(crate) const MAX_AGE: Duration = Duration::from_secs(7 * 86_400);

/// A token whose claims and signature are good.
pub(crate) struct Verified {
    pub(crate) issuer: std::sync::Arc<TrustedIssuer>,
    /// `jti`.
    pub(crate) id: Box<str>,
    pub(crate) key_id: Option<std::sync::Arc<str>>,
    /// When what it reports happened, as far as the token as a whole says: `toe`, else `iat`.
    pub(crate) happened_at: UnixTime,
    pub(crate) payload: Vec<u8>,
}

/// What came of looking at a token.
pub(crate) enum Outcome {
    Decided(Result<Verified, Rejection>),
    /// The issuer's keys are being fetched: wait, then look once more.
    Wait(FetchWait),
}

/// Validates a security event token. Never blocks and never awaits.
pub(crate) fn validate(
    token: &str,
    trust: &Trust,
    resource: &Resource,
    now: UnixTime,
    attempt: Attempt,
) -> Outcome {
    attempt_to(token, trust, resource, now, attempt)
        .unwrap_or_else(|rejection| Outcome::Decided(Err(rejection)))
}

fn attempt_to(
    token: &str,
    trust: &Trust,
    resource: &Resource,
    now: UnixTime,
    attempt: Attempt,
) -> Result<Outcome, Rejection> {
    let compact = Compact::parse(token)?;
    let header = compact.header()?;
    if !header.is("secevent+jwt") {
        return Err(Rejection::new(Reason::WrongTokenType).with_note("typ"));
    }
    let claims = compact.claims()?;
    let issuer = trust
        .get(issuer_of(&claims)?)
        .ok_or(Reason::UnknownIssuer)?;
    if !issuer.config.algorithms.contains(&header.algorithm) {
        return Err(Rejection::new(Reason::AlgorithmNotAllowed).with_note(header.algorithm.name()));
    }
    let happened_at = judge(&claims, issuer, resource, now)?;
    let id = match text(&claims, "jti")? {
        Some("") => return Err(malformed("jti")),
        Some(id) => id.into(),
        None => return Err(missing("jti")),
    };
    let after_wait = attempt == Attempt::AfterWait;
    let kid = header.key_id.as_deref();
    let candidates = match issuer.keys.lookup(kid, header.algorithm, after_wait) {
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
    Ok(Outcome::Decided(Ok(Verified {
        issuer: issuer.clone(),
        id,
        key_id: key.kid.clone(),
        happened_at,
        payload: compact.into_payload(),
    })))
}

/// Every claim but the events themselves; says when they happened.
fn judge(
    claims: &Object<'_>,
    issuer: &TrustedIssuer,
    resource: &Resource,
    now: UnixTime,
) -> Result<UnixTime, Rejection> {
    match claims.get("events") {
        None => return Err(missing("events")),
        Some(Json::Object(_)) => {}
        Some(_) => return Err(malformed("events")),
    }
    let leeway = i64::try_from(issuer.config.leeway.as_secs()).unwrap_or(0);
    let latest = now.plus_secs(leeway);
    let issued_at = time(claims, "iat")?.ok_or_else(|| missing("iat"))?;
    if issued_at > latest {
        return Err(Reason::IssuedInFuture.into());
    }
    // Not used by profiles of the field, and not to be ignored where it is there.
    let expired = time(claims, "exp")?.is_some_and(|exp| is_expired(exp, leeway, now));
    if expired || now.since(issued_at) > MAX_AGE {
        return Err(Reason::Expired.into());
    }
    if time(claims, "nbf")?.is_some_and(|not_before| not_before > latest) {
        return Err(Reason::NotYetValid.into());
    }
    audience(claims, issuer, resource)?;
    Ok(time(claims, "toe")?.unwrap_or(issued_at))
}

/// A `NumericDate` in a security event token or in one of its events.
pub(crate) fn time(claims: &Object<'_>, claim: &str) -> Result<Option<UnixTime>, Rejection> {
    match claims.get(claim) {
        None => Ok(None),
        Some(Json::Number(digits)) => numeric_date(digits)
            .map(Some)
            .ok_or_else(|| malformed(claim)),
        Some(_) => Err(malformed(claim)),
    }
}

/// `aud` must name this server: its resource, or a name the transmitter is configured to use.
fn audience(
    claims: &Object<'_>,
    issuer: &TrustedIssuer,
    resource: &Resource,
) -> Result<(), Rejection> {
    let ours = |value: &str| {
        resource.is_audience(value) || issuer.config.audiences.iter().any(|known| known == value)
    };
    let named = match claims.get("aud") {
        None => false,
        Some(Json::String(audience)) => ours(audience),
        Some(Json::Array(items)) => {
            let mut named = false;
            for item in items {
                named |= ours(item.as_str().ok_or_else(|| malformed("aud"))?);
            }
            named
        }
        Some(_) => return Err(malformed("aud")),
    };
    named
        .then_some(())
        .ok_or_else(|| Reason::WrongAudience.into())
}
