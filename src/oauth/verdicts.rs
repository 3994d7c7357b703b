//! Verified access tokens, so that an equal one needs no second look at its signature.
//!
//! What is kept are facts: these bytes are this principal's, by these keys of this issuer. Every
//! request is judged on them anew: expiry, keys, revocation, policy, scopes (T22, T23). What does not
//! hold any more is looked at from the beginning, so that a refusal is the same with and without this
//! cache. Only good tokens get in; a bad one costs what it costs, and displaces nothing (T24).
//!
//! No token is kept. It is found again by a universal hash of 128 bits under a key that no one knows
//! (POLYVAL, RFC 8452 §3): without the key, two different tokens of 16 KiB collide with a probability
//! below 2^-117, whoever made them (T21). A token is another one for every mount of a server.

use std::fmt;
use std::mem::size_of;
use std::sync::Arc;

use polyval::Polyval;
use polyval::universal_hash::UniversalHash;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::jwt::{TrustedIssuer, Verified};
use super::keys::Fingerprint;
use super::times::is_expired;
use crate::clock::UnixTime;
use crate::ident::OrganizationId;
use crate::principal::Principal;

/// The name of a token's bytes under this process's key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Tag([u8; 16]);

/// What was found out about a token.
struct Verdict {
    principal: Principal,
    organization: OrganizationId,
    issuer: Arc<TrustedIssuer>,
    keys: Fingerprint,
    verified_at: UnixTime,
}

/// Bytes an entry takes, roughly.
#[derive(Clone)]
struct Bytes;

impl Weighter<Tag, Arc<Verdict>> for Bytes {
    fn weight(&self, _: &Tag, verdict: &Arc<Verdict>) -> u64 {
        // The cache itself takes about 90 bytes an entry.
        let fixed = 90 + size_of::<Tag>() + size_of::<Verdict>();
        let own = fixed.saturating_add(verdict.principal.size());
        u64::try_from(own).unwrap_or(u64::MAX)
    }
}

/// The tokens verified lately.
pub(crate) struct Verdicts {
    tokens: Cache<Tag, Arc<Verdict>, Bytes>,
    keyed: Polyval,
}

impl Verdicts {
    /// Keeps about as many bytes of facts.
    pub(crate) fn new(bytes: u64) -> Result<Self, getrandom::Error> {
        let mut key = polyval::Key::default();
        getrandom::fill(&mut key)?;
        let entries = usize::try_from(bytes / 1024).unwrap_or(usize::MAX);
        Ok(Self {
            tokens: Cache::with_weighter(entries, bytes, Bytes),
            keyed: Polyval::new(&key),
        })
    }

    /// The name of a token sent to this mount.
    pub(crate) fn tag(&self, mount: u64, token: &str) -> Tag {
        let mut hash = self.keyed.clone();
        // The length too: texts that differ only in the zeros of their last block are two.
        let length = u64::try_from(token.len()).unwrap_or(u64::MAX);
        let mut first = polyval::Block::default();
        let bytes = mount.to_le_bytes().into_iter().chain(length.to_le_bytes());
        for (place, byte) in first.iter_mut().zip(bytes) {
            *place = byte;
        }
        hash.update(&[first]);
        hash.update_padded(token.as_bytes());
        Tag(hash.finalize().into())
    }

    /// What is known of a token and still holds.
    pub(crate) fn find(&self, tag: &Tag, now: UnixTime) -> Option<(Principal, OrganizationId)> {
        let verdict = self.tokens.get(tag)?;
        if verdict.holds(now) {
            return Some((verdict.principal.clone(), verdict.organization.clone()));
        }
        self.tokens.remove(tag);
        None
    }

    /// Keeps what was found out, unless the keys changed while that was done.
    pub(crate) fn keep(&self, tag: Tag, verified: &Verified, now: UnixTime) {
        let Some(keys) = verified.keys else {
            return;
        };
        let verdict = Verdict {
            principal: verified.principal.clone(),
            organization: verified.organization.clone(),
            issuer: verified.issuer.clone(),
            keys,
            verified_at: now,
        };
        self.tokens.insert(tag, Arc::new(verdict));
    }

    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    pub(crate) fn flush(&self) {
        self.tokens.clear();
    }
}

impl Verdict {
    /// Whether a look at the token would lead to the same facts. Its times were right when it was
    /// verified: of those only the expiry changes as long as the clock goes forward.
    fn holds(&self, now: UnixTime) -> bool {
        let leeway = i64::try_from(self.issuer.config.leeway.as_secs()).unwrap_or(0);
        now >= self.verified_at
            && !is_expired(self.principal.expires_at(), leeway, now)
            && self.issuer.keys.vouches(self.keys)
    }
}

impl fmt::Debug for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verdicts")
            .field("tokens", &self.tokens.len())
            .finish_non_exhaustive()
    }
}
