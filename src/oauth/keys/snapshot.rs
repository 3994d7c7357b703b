//! The keys as they were at one moment, and how far that moment may be trusted.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::refresh::random;
use crate::issuer::Freshness;
use crate::jose::KeySet;

const MIN_LIFETIME: Duration = Duration::from_secs(60);
const MAX_LIFETIME: Duration = Duration::from_secs(3600);

/// Where in its life a snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Fresh,
    /// Still fresh, but it is time to ask for the next.
    Due,
    /// To be used only while the issuer is known to be failing.
    Stale,
    Expired,
}

/// Names a key set document by its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn of(document: &[u8]) -> Self {
        Self(Sha256::digest(document).into())
    }
}

#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) keys: Arc<KeySet>,
    /// The document they stand in, told apart from every other.
    pub(super) fingerprint: Fingerprint,
    taken: Duration,
    max_age: Option<Duration>,
    due: Duration,
    lifetime: Duration,
    stale: Duration,
}

impl Snapshot {
    /// Keys asked for at `taken`. `random` moves the moment of the next refresh by up to 10 % of
    /// it, so that a fleet that started together does not ask together.
    pub(super) fn new(
        (keys, fingerprint): (Arc<KeySet>, Fingerprint),
        taken: Duration,
        max_age: Option<Duration>,
        freshness: Freshness,
        random: u64,
    ) -> Self {
        let lifetime = max_age
            .unwrap_or(freshness.lifetime)
            .clamp(MIN_LIFETIME, MAX_LIFETIME);
        let per_mille = 720 + u32::try_from(random % 161).unwrap_or(0);
        Self {
            keys,
            fingerprint,
            taken,
            max_age,
            due: lifetime.saturating_mul(per_mille) / 1000,
            lifetime,
            stale: freshness.stale,
        }
    }

    /// The same keys, asked for at the same time, to be kept for as long as this says.
    pub(super) fn under(&self, freshness: Freshness) -> Self {
        let known = (self.keys.clone(), self.fingerprint);
        Self::new(known, self.taken, self.max_age, freshness, random())
    }

    pub(super) fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.taken)
    }

    pub(super) fn phase(&self, now: Duration) -> Phase {
        let age = self.age(now);
        if age < self.due {
            Phase::Fresh
        } else if age < self.lifetime {
            Phase::Due
        } else if age < self.lifetime.saturating_add(self.stale) {
            Phase::Stale
        } else {
            Phase::Expired
        }
    }
}
