//! What verified access tokens say, and for how long that holds.
//!
//! Kept are facts: these bytes are this principal's, by these keys of this issuer. Every request is
//! judged on them anew: expiry, keys, revocation, policy, scopes (T22, T23). What does not hold any
//! more is looked at from the beginning, so that a refusal is the same with and without memory.

use std::sync::Arc;
use std::time::Duration;

use super::jwt::{TrustedIssuer, Verified};
use super::keys::Fingerprint;
use super::times::is_expired;
use crate::clock::UnixTime;
use crate::ident::OrganizationId;
use crate::principal::Principal;

/// What was found out about a token.
pub(crate) struct Verdict {
    pub(crate) principal: Principal,
    pub(crate) organization: OrganizationId,
    issuer: Arc<TrustedIssuer>,
    keys: Fingerprint,
    verified_at: UnixTime,
}

impl Verdict {
    /// What was found out, unless the keys changed while that was done.
    pub(crate) fn of(verified: &Verified, now: UnixTime) -> Option<Self> {
        Some(Self {
            principal: verified.principal.clone(),
            organization: verified.organization.clone(),
            issuer: verified.issuer.clone(),
            keys: verified.keys?,
            verified_at: now,
        })
    }

    /// Whether a look at the token would lead to the same facts. Its times were right when it was
    /// verified: of those only the expiry changes as long as the clock goes forward. `tick` is the
    /// same moment by the monotonic clock.
    pub(crate) fn holds(&self, now: UnixTime, tick: Duration) -> bool {
        let leeway = self.issuer.config.leeway_secs();
        now >= self.verified_at
            && !is_expired(self.principal.expires_at(), leeway, now)
            && self.issuer.keys.vouches(self.keys, tick)
    }

    /// Bytes it takes besides its own size, roughly.
    pub(crate) fn size(&self) -> usize {
        self.principal.size()
    }
}
