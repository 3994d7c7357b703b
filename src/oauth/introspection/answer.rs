//! What an issuer says about a token, read strictly (RFC 7662 §2.2, RFC 9701 §5).

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::Asker;
use crate::clock::UnixTime;
use crate::error::BackendError;
use crate::jose::compact::{Compact, Header};
use crate::jose::json::{Json, Object, parse_object};
use crate::oauth::keys::Lookup;
use crate::oauth::times::numeric_date;

/// Deepest nesting in an answer: as in a token.
const DEPTH: usize = 16;

/// How old a signed answer may be, beyond the issuer's leeway.
const OLDEST: Duration = Duration::from_secs(60);

/// An active token: what is said about it, and how long that serves.
#[derive(Debug)]
pub(crate) struct Answer {
    /// One JSON object without duplicate members.
    pub(super) payload: Vec<u8>,
    /// The key that signed it, if one did and has a name.
    pub(super) key_id: Option<Arc<str>>,
    /// The end of its service by the wall clock.
    pub(super) until: UnixTime,
    /// From when it was had.
    pub(super) serves: Duration,
}

/// `None`: not active.
pub(crate) type Said = Option<Arc<Answer>>;

impl Asker {
    /// Reads an answer.
    ///
    /// # Errors
    ///
    /// It is none, so that nobody can say what the token is worth.
    pub(super) async fn read(&self, body: &[u8]) -> Result<Said, BackendError> {
        let (payload, key_id) = if self.introspection.signed {
            self.verified(body).await?
        } else {
            (body.to_vec(), None)
        };
        let now = self.clock.now();
        let claims = object(&payload)?;
        // Nothing else is a yes (OPQ-2).
        if claims.get("active") != Some(&Json::Bool(true)) {
            return Ok(None);
        }
        let lifetime = self.introspection.lifetime;
        let left = match claims.get("exp") {
            Some(Json::Number(digits)) => numeric_date(digits).map(|exp| exp.since(now)),
            _ => None,
        };
        // At least a second, or nobody could read what they waited for. Expiry is judged anyway.
        let serves = left.unwrap_or(lifetime).min(lifetime);
        let serves = serves.max(Duration::from_secs(1));
        let seconds = i64::try_from(serves.as_secs()).unwrap_or(0);
        Ok(Some(Arc::new(Answer {
            until: now.plus_secs(seconds),
            serves,
            payload,
            key_id,
        })))
    }

    /// The answer within a signed one, and the name of the key.
    async fn verified(&self, body: &[u8]) -> Result<(Vec<u8>, Option<Arc<str>>), BackendError> {
        let text = std::str::from_utf8(body).map_err(|_| unusable("it is not a JWT"))?;
        let compact = Compact::parse(text.trim_ascii()).map_err(|why| refused(&why))?;
        let header = compact.header().map_err(|why| refused(&why))?;
        self.check_header(&header)?;
        let claims = compact.claims().map_err(|why| refused(&why))?;
        self.check_claims(&claims)?;
        let key_id = self.check_signature(&compact, &header).await?;
        let payload = compact.claims().map_err(|why| refused(&why))?;
        if !matches!(payload.get("token_introspection"), Some(Json::Object(_))) {
            return Err(unusable("it has no token_introspection"));
        }
        let mut whole: Value = serde_json::from_slice(&compact.into_payload())
            .map_err(|error| BackendError::with_source("the signed answer", error))?;
        let inner = whole.get_mut("token_introspection").map(Value::take);
        Ok((inner.unwrap_or_default().to_string().into_bytes(), key_id))
    }

    fn check_header(&self, header: &Header<'_>) -> Result<(), BackendError> {
        if !self.issuer.algorithms.contains(&header.algorithm) {
            return Err(unusable("its algorithm is not one of the issuer's"));
        }
        // Told apart from an access token by this alone (RFC 9701 §8.1).
        if !header.is("token-introspection+jwt") {
            return Err(unusable("its typ is not token-introspection+jwt"));
        }
        Ok(())
    }

    fn check_claims(&self, claims: &Object<'_>) -> Result<(), BackendError> {
        let issuer = claims.get("iss").and_then(Json::as_str);
        if issuer != Some(self.issuer.identifier.as_str()) {
            return Err(unusable("its iss is not the issuer"));
        }
        let is_us = |value: &Json<'_>| {
            let named = value.as_str();
            named.is_some_and(|named| self.names.iter().any(|name| name == named))
        };
        let for_us = match claims.get("aud") {
            Some(Json::Array(all)) => all.iter().any(is_us),
            Some(one) => is_us(one),
            None => false,
        };
        if !for_us {
            return Err(unusable("its aud is not this server"));
        }
        let made = match claims.get("iat") {
            Some(Json::Number(digits)) => numeric_date(digits),
            _ => None,
        };
        let made = made.ok_or_else(|| unusable("it does not say when it was made"))?;
        let now = self.clock.now();
        let leeway = self.issuer.leeway;
        if now.since(made) > leeway.saturating_add(OLDEST) || made.since(now) > leeway {
            return Err(unusable("it was not made now"));
        }
        Ok(())
    }

    async fn check_signature(
        &self,
        compact: &Compact<'_>,
        header: &Header<'_>,
    ) -> Result<Option<Arc<str>>, BackendError> {
        let look = |after| {
            self.keys
                .lookup(header.key_id.as_deref(), header.algorithm, after)
        };
        let found = match look(false) {
            Lookup::Wait(wait) => {
                wait.done().await;
                look(true)
            }
            found => found,
        };
        let Lookup::Keys(candidates) = found else {
            return Err(unusable("no key of the issuer is there to verify it"));
        };
        let signed = candidates.verify(compact.signed, compact.signature());
        signed
            .map(|key| key.kid.clone())
            .ok_or_else(|| unusable("its signature is wrong"))
    }
}

/// The members of an answer. `null` is how some issuers leave one out; what a token is bound to
/// must not be lost that way.
pub(super) fn object(payload: &[u8]) -> Result<Object<'_>, BackendError> {
    let object = parse_object(payload, DEPTH);
    let object = object.map_err(|_| unusable("it is not one strict JSON object"))?;
    Ok(object.without_nulls(&["active", "cnf"]))
}

pub(super) fn unusable(why: &str) -> BackendError {
    BackendError::new(format!("the introspection answer cannot be used: {why}"))
}

fn refused(why: &crate::rejection::Rejection) -> BackendError {
    unusable(why.reason().code())
}
