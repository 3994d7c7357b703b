//! Everything revoked before its end, found by one look for each kind.
//!
//! A look takes no lock and makes nothing: the target's parts are hashed under two keys of the
//! process, and 128 bits stand for them. Kinds of which nothing was ever revoked are not looked for,
//! so an empty table costs one atomic load. A write copies one shard of 256, about four hundred small
//! entries where there are 100,000.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;

use super::target::{Probe, RevocationTarget};
use crate::clock::UnixTime;
use crate::ident::OrganizationId;
use crate::principal::Principal;

/// The number of the last shard.
const LAST_SHARD: u8 = u8::MAX;

/// The moment of a revocation, and when it can be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch {
    pub(crate) at: UnixTime,
    pub(crate) until: UnixTime,
}

type Shard = HashMap<u128, Epoch, BuildHasherDefault<Hashed>>;

/// The table.
pub(crate) struct Epochs {
    hashers: [RandomState; 2],
    kinds: AtomicU16,
    shards: Box<[ArcSwapOption<Shard>]>,
    writing: Mutex<()>,
}

impl Epochs {
    pub(crate) fn new() -> Self {
        Self {
            hashers: [RandomState::new(), RandomState::new()],
            kinds: AtomicU16::new(0),
            shards: (0..=LAST_SHARD).map(|_| ArcSwapOption::empty()).collect(),
            writing: Mutex::default(),
        }
    }

    /// Adds a revocation; of two of the same target the later one counts. Returns whether anything
    /// is dead now that was not before. What has ended is forgotten on the way.
    pub(crate) fn add(&self, target: &RevocationTarget, epoch: Epoch, now: UnixTime) -> bool {
        if epoch.until <= now {
            return false;
        }
        let probe = target.probe();
        let hash = self.hash(probe);
        let Some(place) = self.shard(hash) else {
            return false;
        };
        let _one_writer = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = place.load();
        let known = before
            .as_deref()
            .and_then(|shard| shard.get(&hash))
            .copied();
        let merged = known.map_or(epoch, |known| Epoch {
            at: known.at.max(epoch.at),
            until: known.until.max(epoch.until),
        });
        if known == Some(merged) {
            return false;
        }
        let mut shard = before.as_deref().cloned().unwrap_or_default();
        shard.retain(|_, epoch| epoch.until > now);
        shard.insert(hash, merged);
        place.store(Some(Arc::new(shard)));
        self.kinds.fetch_or(probe.bit(), Ordering::Release);
        true
    }

    /// Whether a credential is covered by a revocation. One issued up to the moment of an epoch,
    /// plus the seconds its issuer's clock is `ahead`, is; so is one that does not say when: it
    /// cannot show that it is newer.
    pub(crate) fn covers(
        &self,
        principal: &Principal,
        organization: &OrganizationId,
        ahead: impl FnOnce() -> i64,
    ) -> bool {
        let kinds = self.kinds.load(Ordering::Acquire);
        if kinds == 0 {
            return false;
        }
        let mut latest = None;
        for probe in Probe::all(principal, organization).into_iter().flatten() {
            if kinds & probe.bit() == 0 {
                continue;
            }
            let Some(epoch) = self.find(probe) else {
                continue;
            };
            if probe.is_for_good() {
                return true;
            }
            latest = latest.max(Some(epoch.at));
        }
        match (latest, principal.issued_at()) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(at), Some(issued_at)) => issued_at <= at.plus_secs(ahead()),
        }
    }

    /// Whether exactly this target is revoked.
    #[cfg(feature = "events")]
    pub(crate) fn has(&self, target: &RevocationTarget) -> bool {
        self.find(target.probe()).is_some()
    }

    /// How many targets are revoked, roughly: what has ended counts until a write comes by.
    pub(crate) fn len(&self) -> usize {
        let sizes = self
            .shards
            .iter()
            .map(|shard| shard.load().as_deref().map_or(0, Shard::len));
        sizes.sum()
    }

    fn find(&self, probe: Probe<'_>) -> Option<Epoch> {
        let hash = self.hash(probe);
        self.shard(hash)?.load().as_deref()?.get(&hash).copied()
    }

    fn hash(&self, probe: Probe<'_>) -> u128 {
        let [first, second] = &self.hashers;
        u128::from(first.hash_one(probe)) << 64 | u128::from(second.hash_one(probe))
    }

    fn shard(&self, hash: u128) -> Option<&ArcSwapOption<Shard>> {
        let [index, ..] = hash.to_be_bytes();
        self.shards.get(usize::from(index))
    }
}

/// Takes what is a hash already as it is.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = u64::try_from(hash & u128::from(u64::MAX)).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principal::Facts;

    const NOW: UnixTime = UnixTime::from_secs(1000);

    fn epoch(at: i64, until: i64) -> Epoch {
        Epoch {
            at: UnixTime::from_secs(at),
            until: UnixTime::from_secs(until),
        }
    }

    fn token(id: u32) -> RevocationTarget {
        RevocationTarget::Token {
            issuer: "i".into(),
            id: format!("j-{id}"),
        }
    }

    fn principal(id: u32, issued_at: i64) -> Principal {
        Principal::new(Facts {
            token_id: Some(format!("j-{id}").into()),
            issued_at: Some(UnixTime::from_secs(issued_at)),
            ..Facts::of_user("i", "alice")
        })
    }

    fn covers(epochs: &Epochs, principal: &Principal) -> bool {
        epochs.covers(principal, &OrganizationId::implicit(), || 0)
    }

    #[test]
    fn revoke_10_of_two_epochs_the_later_counts_in_any_order() {
        for order in [[900, 950], [950, 900]] {
            let epochs = Epochs::new();
            let target = RevocationTarget::Issuer("i".into());
            assert!(epochs.add(&target, epoch(order[0], 5000), NOW));
            assert_eq!(
                epochs.add(&target, epoch(order[1], 5000), NOW),
                order[1] > order[0]
            );
            assert!(!epochs.add(&target, epoch(order[1], 5000), NOW));
            assert!(covers(&epochs, &principal(1, 950)));
            assert!(!covers(&epochs, &principal(1, 951)));
        }
    }

    #[test]
    fn revoke_10_a_hundred_thousand_are_told_apart() {
        let epochs = Epochs::new();
        for id in 0..100_000 {
            assert!(epochs.add(&token(id), epoch(1000, 5000), NOW));
        }
        assert_eq!(epochs.len(), 100_000);
        for id in (0..100_000).step_by(997) {
            assert!(covers(&epochs, &principal(id, 2000)));
        }
        for id in 100_000..101_000 {
            assert!(!covers(&epochs, &principal(id, 0)));
        }
    }

    #[test]
    fn revoke_10_what_has_ended_is_forgotten_and_never_taken_in() {
        let epochs = Epochs::new();
        assert!(!epochs.add(&token(1), epoch(900, 1000), NOW));
        for id in 0..10_000 {
            epochs.add(&token(id), epoch(1000, 1001), NOW);
        }
        for id in 10_000..20_000 {
            epochs.add(&token(id), epoch(1000, 5000), UnixTime::from_secs(1001));
        }
        assert_eq!(epochs.len(), 10_000);
    }

    #[test]
    fn revoke_10_one_name_in_another_kind_or_split_elsewhere_is_another_target() {
        let epochs = Epochs::new();
        let key = |issuer: &str, key_id: &str| RevocationTarget::Key {
            issuer: issuer.into(),
            key_id: key_id.into(),
        };
        epochs.add(&key("i", "j-1"), epoch(1000, 5000), NOW);
        epochs.add(&key("ik", "1"), epoch(1000, 5000), NOW);
        assert!(!covers(&epochs, &principal(1, 0)));
        let signed = |key_id: &str| {
            Principal::new(Facts {
                key_id: Some(key_id.into()),
                ..Facts::of_user("i", "alice")
            })
        };
        assert!(covers(&epochs, &signed("j-1")));
        assert!(!covers(&epochs, &signed("k1")));
    }
}
