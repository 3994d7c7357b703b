//! One proof, judged (RFC 9449 §4.3): pure, and in the order of what the checks cost.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::nonce::Age;
use super::replay::ProofId;
use super::target::is_for;
use super::{OLDEST, Rules};
use crate::algorithm::SigningAlgorithm;
use crate::clock::UnixTime;
use crate::confirmation::Thumbprint;
use crate::jose::PublicKey;
use crate::jose::compact::Compact;
use crate::jose::embedded::{holds_a_secret, public_key, thumbprint};
use crate::jose::json::{Json, Object};
use crate::oauth::times::numeric_date;

/// Longest proof, in bytes.
const MOST_BYTES: usize = 8 * 1024;

/// Longest `jti`, in bytes.
const MOST_ID: usize = 256;

/// What a proof has to be about.
#[derive(Clone, Copy)]
pub(crate) struct Expected<'r> {
    pub(crate) method: &'r str,
    /// The identifier of the resource, which is its public URL, and that URL's path.
    pub(crate) resource: (&'r str, &'r str),
    /// The path of the request.
    pub(crate) path: &'r str,
    /// The access token as sent.
    pub(crate) token: &'r [u8],
    /// What the token is bound to.
    pub(crate) key: &'r Thumbprint,
    pub(crate) now: UnixTime,
}

/// A good proof, which may have been used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) id: ProofId,
    /// After this second it is too old by any settings.
    pub(crate) until: UnixTime,
    /// Whether its nonce should be replaced.
    pub(crate) ageing: bool,
}

/// Why a proof is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// For the operator: which rule.
    Invalid(&'static str),
    /// It is by another key than the token is bound to.
    OtherKey,
    /// Its nonce is absent or useless.
    Nonce,
}

const fn invalid<T>(note: &'static str) -> Result<T, Fault> {
    Err(Fault::Invalid(note))
}

impl Rules {
    /// Judges the text of a proof. `known` holds the token's key, once it has been read.
    pub(crate) fn judge(
        &self,
        text: &str,
        expected: Expected<'_>,
        known: &OnceLock<Box<PublicKey>>,
    ) -> Result<Proof, Fault> {
        if text.len() > MOST_BYTES {
            return invalid("longer than 8 KiB");
        }
        let compact = Compact::parse(text).map_err(|_| Fault::Invalid("no compact JWS"))?;
        let header = compact.header_members();
        let header = header.map_err(|_| Fault::Invalid("header is not strict JSON"))?;
        let algorithm = self.algorithm(&header)?;
        let jwk = its_key(&header)?;
        // Nobody's signature is worth a look if the key is not the token's (T15).
        if thumbprint(jwk).as_ref() != Some(expected.key) {
            return Err(Fault::OtherKey);
        }
        let claims = compact.claims();
        let claims = claims.map_err(|_| Fault::Invalid("payload is not strict JSON"))?;
        let proof = self.claims(&claims, expected)?;
        let good = match known.get() {
            Some(key) if key.algorithm() == algorithm => {
                key.verify(compact.signed, compact.signature())
            }
            _ => {
                let key = public_key(jwk, algorithm).ok_or(Fault::Invalid("jwk"))?;
                let good = key.verify(compact.signed, compact.signature());
                if good {
                    // Somebody else may have been faster, with the same key.
                    let _ = known.set(Box::new(key));
                }
                good
            }
        };
        if good {
            Ok(proof)
        } else {
            invalid("signature")
        }
    }

    fn algorithm(&self, header: &Object<'_>) -> Result<SigningAlgorithm, Fault> {
        if header.has("crit") || header.has("b64") {
            return invalid("crit or b64");
        }
        let text_of = |name| header.get(name).and_then(Json::as_str);
        // A media type, which is compared without case (RFC 7515 §4.1.9).
        if !text_of("typ").is_some_and(|typ| typ.eq_ignore_ascii_case("dpop+jwt")) {
            return invalid("typ");
        }
        let algorithm = text_of("alg").and_then(SigningAlgorithm::from_name);
        match algorithm.filter(|algorithm| self.algorithms.contains(algorithm)) {
            Some(algorithm) => Ok(algorithm),
            None => invalid("alg"),
        }
    }

    fn claims(&self, claims: &Object<'_>, expected: Expected<'_>) -> Result<Proof, Fault> {
        let text_of = |name| claims.get(name).and_then(Json::as_str);
        if text_of("htm") != Some(expected.method) {
            return invalid("htm");
        }
        let (identifier, base) = expected.resource;
        let url = text_of("htu").filter(|url| is_for(url, identifier, base, expected.path));
        let Some(url) = url else {
            return invalid("htu");
        };
        let Some(Json::Number(digits)) = claims.get("iat") else {
            return invalid("iat");
        };
        let made = numeric_date(digits).ok_or(Fault::Invalid("iat"))?;
        if expected.now > made.plus_secs(self.max_age)
            || made > expected.now.plus_secs(self.max_age)
        {
            return invalid("iat is too long ago or ahead");
        }
        if !is_hash_of(text_of("ath"), expected.token) {
            return invalid("ath");
        }
        let id = text_of("jti").filter(|id| (1..=MOST_ID).contains(&id.len()));
        let id = id.ok_or(Fault::Invalid("jti"))?;
        let age = match &self.nonces {
            None => Age::Newest,
            Some(nonces) => match claims.get("nonce") {
                Some(Json::String(nonce)) => nonces.age(nonce, expected.now),
                _ => Age::Useless,
            },
        };
        if age == Age::Useless {
            return Err(Fault::Nonce);
        }
        Ok(Proof {
            id: name(&[expected.key, url.as_bytes(), id.as_bytes()]),
            until: made.plus_secs(OLDEST),
            ageing: age == Age::Good,
        })
    }
}

/// The public key in the header. Chains and addresses of keys beside it are not looked at.
fn its_key<'h, 'a>(header: &'h Object<'a>) -> Result<&'h Object<'a>, Fault> {
    match header.get("jwk") {
        Some(Json::Object(jwk)) if holds_a_secret(jwk) => invalid("jwk holds a secret"),
        Some(Json::Object(jwk)) => Ok(jwk),
        _ => invalid("jwk"),
    }
}

fn is_hash_of(claimed: Option<&str>, token: &[u8]) -> bool {
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(token));
    claimed == Some(hash.as_str())
}

/// Each part is preceded by its length, so that no two lists of parts are the same bytes.
fn name(parts: &[&[u8]]) -> ProofId {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(part);
    }
    ProofId(digest.finalize().into())
}

#[cfg(test)]
mod tests;
