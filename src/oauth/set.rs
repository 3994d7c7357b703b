//! Security event tokens (RFC 8417): the same strict text, header, keys and times as access tokens,
//! and never one in place of the other (R30, T11).

use std::sync::Arc;
use std::time::Duration;

use super::claims::{malformed, missing, names_us, text, time};
use super::jwt::{Attempt, Signer, Trust, TrustedIssuer};
use super::keys::FetchWait;
use super::times::is_expired;
use crate::clock::UnixTime;
use crate::jose::compact::Compact;
use crate::jose::json::{Json, Object};
use crate::rejection::{Reason, Rejection};
use crate::resource::Resource;

/// How old a token may be: transmitters try again for days.
pub(crate) const MAX_AGE: Duration = Duration::from_secs(7 * 86_400);

/// A token whose claims and signature are good.
pub(crate) struct Verified {
    pub(crate) issuer: Arc<TrustedIssuer>,
    /// `jti`.
    pub(crate) id: Box<str>,
    pub(crate) key_id: Option<Arc<str>>,
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
    let issuer = trust.claimed(&claims, &header)?;
    let happened_at = judge(&claims, issuer, resource, now)?;
    let id = match text(&claims, "jti")? {
        Some("") => return Err(malformed("jti")),
        Some(id) => id.into(),
        None => return Err(missing("jti")),
    };
    let key_id = match issuer.signer(&header, &compact, attempt)? {
        Signer::Key(key_id) => key_id,
        Signer::Wait(wait) => return Ok(Outcome::Wait(wait)),
    };
    Ok(Outcome::Decided(Ok(Verified {
        issuer: issuer.clone(),
        id,
        key_id,
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
    let leeway = issuer.config.leeway_secs();
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
    // This server's resource, or a name the transmitter is configured to use.
    if names_us(claims, &issuer.config, resource)? != Some(true) {
        return Err(Reason::WrongAudience.into());
    }
    Ok(time(claims, "toe")?.unwrap_or(issued_at))
}
