//! Which proofs have been used (RFC 9449 §11.1).

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::UnixTime;
use crate::error::BackendError;
use crate::pulse::Pulse;

/// The name of a proof: a SHA-256 over its key, its URL and its `jti`. Two proofs with the same name are
/// the same proof, or one made to look like it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProofId(pub(super) [u8; 32]);

impl ProofId {
    /// The 32 bytes of the digest.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// For tests of a [`ReplayStore`].
impl From<[u8; 32]> for ProofId {
    fn from(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

/// Whether a proof has been used before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third")]
pub enum Claim {
    /// It is its first use, which is on record now.
    First,
    /// It has been used.
    Again,
}

/// A port: where used proofs are kept, when several processes answer for one resource.
///
/// It is asked once for each request, after everything else about its credential was found good, and
/// for at most 500 ms. Where it fails or is late the request is answered with 503.
///
/// ```
/// use std::collections::HashSet;
/// use std::sync::Mutex;
/// use tower_mcp_auth::BackendError;
/// use tower_mcp_auth::clock::UnixTime;
/// use tower_mcp_auth::dpop::{Claim, ProofId, ReplayStore};
///
/// /// What `SET name "" NX EXAT until` does in Redis.
/// #[derive(Default)]
/// struct Used(Mutex<HashSet<ProofId>>);
///
/// impl ReplayStore for Used {
///     async fn claim(&self, proof: ProofId, _until: UnixTime) -> Result<Claim, BackendError> {
///         let first = self.0.lock().map_err(|_| BackendError::new("poisoned"))?.insert(proof);
///         Ok(if first { Claim::First } else { Claim::Again })
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot keep used DPoP proofs",
    note = "implement `tower_mcp_auth::dpop::ReplayStore`"
)]
pub trait ReplayStore: Send + Sync + 'static {
    /// Puts a proof on record until then, in one step with finding out whether it was there: of two
    /// requests at the same time one gets [`Claim::First`]. At `until` its time has been over for a minute, so that
    /// a clock that is a little ahead forgets nothing that could come again.
    ///
    /// # Errors
    ///
    /// The store cannot be asked.
    fn claim(
        &self,
        proof: ProofId,
        until: UnixTime,
    ) -> impl Future<Output = Result<Claim, BackendError>> + Send;
}

/// An answer under way.
type Claiming = Pin<Box<dyn Future<Output = Result<Claim, BackendError>> + Send>>;

trait Erased: Send + Sync {
    fn claim(self: Arc<Self>, proof: ProofId, until: UnixTime) -> Claiming;
}

impl<S: ReplayStore> Erased for S {
    fn claim(self: Arc<Self>, proof: ProofId, until: UnixTime) -> Claiming {
        Box::pin(async move { ReplayStore::claim(&*self, proof, until).await })
    }
}

/// Where this server keeps used proofs.
#[derive(Clone)]
pub(crate) enum Replays {
    Here(Arc<Memory>),
    There(DynReplayStore),
}

/// The erased twin of [`ReplayStore`].
#[derive(Clone)]
pub(crate) struct DynReplayStore {
    store: Arc<dyn Erased>,
    pub(crate) pulse: Arc<Pulse>,
}

impl DynReplayStore {
    pub(crate) fn new(store: impl ReplayStore) -> Self {
        Self {
            store: Arc::new(store),
            pulse: Arc::default(),
        }
    }

    pub(crate) fn claim(&self, proof: ProofId, until: UnixTime) -> Claiming {
        self.store.clone().claim(proof, until)
    }
}

impl fmt::Debug for DynReplayStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DynReplayStore")
    }
}

/// How many parts the memory has, so that requests seldom wait for one another.
const SHARDS: usize = 16;

/// Most proofs in one of the two generations of a part: about a million in all.
const MOST: usize = 32 * 1024;

/// Half a digest: to find two proofs of the same half takes 2^64 tries, and gains a refusal.
type Short = [u8; 16];

/// How long a proof could come again by any settings, those of a later reload among them: it may have been
/// made as far ahead as ago.
const SPAN: Duration = Duration::from_secs(2 * super::OLDEST.unsigned_abs());

/// The used proofs of this process, for as long as they could come again. Bounded; past that bound the
/// oldest are forgotten first.
pub(crate) struct Memory {
    shards: [Mutex<Generations>; SHARDS],
    /// How long a generation lasts.
    span: Duration,
    most: usize,
}

#[derive(Default)]
struct Generations {
    young: HashSet<Short>,
    old: HashSet<Short>,
    begun: Option<UnixTime>,
}

impl Default for Memory {
    fn default() -> Self {
        Self::bounded(SPAN, MOST)
    }
}

impl Memory {
    /// For proofs that could come again within `span`.
    fn bounded(span: Duration, most: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            span,
            most,
        }
    }

    /// Never waits for anything but another claim.
    pub(crate) fn claim(&self, proof: ProofId, now: UnixTime) -> Claim {
        let Some((mut shard, short)) = self.place(proof) else {
            return Claim::Again;
        };
        let gone = shard.turn(now, self.span, self.most);
        let again = shard.old.contains(&short) || !shard.young.insert(short);
        drop(shard);
        // Freed when nobody waits for it.
        drop(gone);
        if again { Claim::Again } else { Claim::First }
    }

    /// What a claim at this moment would come to, without making it.
    pub(crate) fn foresee(&self, proof: ProofId, now: UnixTime) -> Claim {
        let Some((shard, short)) = self.place(proof) else {
            return Claim::Again;
        };
        if shard.would_know(&short, now, (self.span, self.most)) {
            Claim::Again
        } else {
            Claim::First
        }
    }

    fn place(&self, proof: ProofId) -> Option<(MutexGuard<'_, Generations>, Short)> {
        let [first, ..] = proof.0;
        let mut short = Short::default();
        for (place, byte) in short.iter_mut().zip(proof.0.iter().skip(1)) {
            *place = *byte;
        }
        let shard = self.shards.get(usize::from(first) % SHARDS)?;
        Some((shard.lock().unwrap_or_else(PoisonError::into_inner), short))
    }
}

impl Generations {
    /// Begins a new generation when it is time, and gives back the one whose time is over.
    fn turn(&mut self, now: UnixTime, span: Duration, most: usize) -> Option<[HashSet<Short>; 2]> {
        let age = now.since(*self.begun.get_or_insert(now));
        let full = self.young.len() >= most;
        if age < span && !full {
            return None;
        }
        if full {
            tracing::warn!("more DPoP proofs than are kept: the oldest are forgotten early");
        }
        self.begun = Some(now);
        let young = std::mem::take(&mut self.young);
        let old = std::mem::replace(&mut self.old, young);
        // Nothing came for so long that the younger ones are over too.
        let over = age >= span.saturating_mul(2);
        let more = over.then(|| std::mem::take(&mut self.old));
        Some([old, more.unwrap_or_default()])
    }
}

impl Generations {
    /// Whether a proof would be known after the turn that is due.
    fn would_know(&self, short: &Short, now: UnixTime, (span, most): (Duration, usize)) -> bool {
        let age = self.begun.map_or(Duration::ZERO, |begun| now.since(begun));
        if age >= span.saturating_mul(2) {
            return false;
        }
        let turns = age >= span || self.young.len() >= most;
        self.young.contains(short) || (!turns && self.old.contains(short))
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("span", &self.span)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Replays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Replays")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> ProofId {
        use sha2::{Digest, Sha256};
        ProofId(Sha256::digest(number.to_be_bytes()).into())
    }

    fn claim(memory: &Memory, number: u64, now: i64) -> Claim {
        memory.claim(id(number), UnixTime::from_secs(now))
    }

    #[test]
    fn dpop_09_a_proof_is_used_once_for_as_long_as_it_could_come_again() {
        let memory = Memory::bounded(SPAN, MOST);
        assert_eq!(claim(&memory, 1, 0), Claim::First);
        for now in [0, 1, 599, 600, 601, 1199] {
            assert_eq!(claim(&memory, 1, now), Claim::Again, "{now}");
        }
        // Late in a generation: kept for at least a span from then on.
        let memory = Memory::bounded(SPAN, MOST);
        claim(&memory, 0, 0);
        for number in 1..400 {
            assert_eq!(claim(&memory, number, 599), Claim::First);
        }
        for number in 1..400 {
            assert_eq!(claim(&memory, number, 1198), Claim::Again, "{number}");
        }
    }

    #[test]
    fn dpop_09_what_is_over_is_forgotten_and_its_memory_given_back() {
        let memory = Memory::bounded(SPAN, MOST);
        for number in 0..1000 {
            claim(&memory, number, 0);
        }
        for number in 1000..2000 {
            claim(&memory, number, 1200);
        }
        let held = |memory: &Memory| -> usize {
            let shards = memory.shards.iter().map(|shard| shard.lock().unwrap());
            shards
                .map(|shard| shard.young.len() + shard.old.len())
                .sum()
        };
        assert_eq!(held(&memory), 1000);
        assert_eq!(claim(&memory, 0, 1200), Claim::First);
    }

    #[test]
    fn dpop_09_the_memory_is_bounded_and_keeps_the_latest() {
        let memory = Memory::bounded(SPAN, 8);
        for number in 0..10_000 {
            assert_eq!(claim(&memory, number, 0), Claim::First);
            assert_eq!(claim(&memory, number, 0), Claim::Again);
        }
        let held: usize = memory
            .shards
            .iter()
            .map(|shard| shard.lock().unwrap())
            .map(|shard| shard.young.len() + shard.old.len())
            .sum();
        assert!(held <= 16 * SHARDS, "{held}");
    }

    #[test]
    fn dpop_09_of_many_at_the_same_time_one_is_first() {
        let memory = Memory::bounded(SPAN, MOST);
        let firsts: usize = std::thread::scope(|scope| {
            let claims: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let claims = (0..500).map(|number| claim(&memory, number, 0));
                        claims.filter(|claim| *claim == Claim::First).count()
                    })
                })
                .collect();
            claims
                .into_iter()
                .map(|claims| claims.join().unwrap())
                .sum()
        });
        assert_eq!(firsts, 500);
    }
}
