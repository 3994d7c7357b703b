//! How a store tells everybody that a policy has changed, before `put` returns.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::broadcast;

use crate::ident::OrganizationId;

/// Hears of an organization, or of all.
type Listener = dyn Fn(Option<&OrganizationId>) + Send + Sync;

/// Organizations share this many counters. A collision costs one needless read.
const STAMPS: usize = 1024;
/// Changes a slow subscriber may fall behind before it is told that it missed some.
const BACKLOG: usize = 256;

/// The announcements of one [`PolicyStore`](super::PolicyStore), embedded in it. Cloning shares it.
///
/// Three ways to hear of a change, all of which have happened when
/// [`announce`](Self::announce) returns, and so when `put` does:
///
/// - [`stamp`](Self::stamp), for caches: read it *before* loading, keep it with the entry, and use
///   the entry only while the stamp is the same. Then no request that starts after a `put` is
///   decided on the old policy, however the load and the `put` were interleaved.
/// - [`on_change`](Self::on_change), called in the thread that announces.
/// - [`subscribe`](Self::subscribe), for tasks.
#[derive(Clone)]
pub struct PolicyChanges(Arc<Inner>);

struct Inner {
    hasher: RandomState,
    stamps: Box<[AtomicU64]>,
    generation: AtomicU64,
    listeners: Mutex<Vec<Weak<Listener>>>,
    sender: broadcast::Sender<OrganizationId>,
}

impl PolicyChanges {
    /// Nothing announced, nobody listening.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            hasher: RandomState::new(),
            stamps: (0..STAMPS).map(|_| AtomicU64::new(0)).collect(),
            generation: AtomicU64::new(0),
            listeners: Mutex::default(),
            sender: broadcast::Sender::new(BACKLOG),
        }))
    }

    /// For stores: call it after the swap and before `put` returns, and whenever another instance
    /// is known to have changed a policy; an authenticator that follows a
    /// [log](crate::authenticator::AuthenticatorBuilder::revocations) calls it for the news in there. So
    /// one change may be announced twice. A listener that panics does not keep others from hearing.
    pub fn announce(&self, organization: &OrganizationId) {
        // Release, paired with the acquire of the readers: who sees the new number sees the swap.
        if let Some(stamp) = self.slot(organization) {
            stamp.fetch_add(1, Ordering::AcqRel);
        }
        self.0.generation.fetch_add(1, Ordering::AcqRel);
        self.tell(Some(organization));
        // An error means that nobody subscribes.
        let _ = self.0.sender.send(organization.clone());
    }

    /// For whoever may have missed announcements of other instances, such as after a lost
    /// connection: every entry of every cache becomes stale, those of authenticators included, and
    /// open streams are judged again. Listeners of [`on_change`](Self::on_change) and subscribers are
    /// not told, since there is no organization to name; [`generation`](Self::generation) tells them.
    pub fn announce_all(&self) {
        for stamp in &self.0.stamps {
            stamp.fetch_add(1, Ordering::AcqRel);
        }
        self.0.generation.fetch_add(1, Ordering::AcqRel);
        self.tell(None);
    }

    /// A number that is another one after each change of this organization's policy, and sometimes
    /// without. Costs a hash and a load.
    #[must_use]
    pub fn stamp(&self, organization: &OrganizationId) -> u64 {
        self.slot(organization)
            .map_or(0, |stamp| stamp.load(Ordering::Acquire))
    }

    /// A number that is higher after each change of any policy.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }

    /// Calls `listener` for every change until the returned value is dropped. It runs inside `put`:
    /// keep it short, and do not put from within.
    #[must_use = "the listener is called only while this lives"]
    pub fn on_change(
        &self,
        listener: impl Fn(&OrganizationId) + Send + Sync + 'static,
    ) -> ChangeListener {
        self.on_any(move |organization| {
            if let Some(organization) = organization {
                listener(organization);
            }
        })
    }

    /// The same, and with `None` when any policy may have changed.
    pub(crate) fn on_any(
        &self,
        listener: impl Fn(Option<&OrganizationId>) + Send + Sync + 'static,
    ) -> ChangeListener {
        let listener: Arc<Listener> = Arc::new(listener);
        let mut listeners = self
            .0
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|known| known.strong_count() > 0);
        listeners.push(Arc::downgrade(&listener));
        ChangeListener(listener)
    }

    /// The changes from now on. After `RecvError::Lagged` take every policy for changed.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<OrganizationId> {
        self.0.sender.subscribe()
    }

    fn slot(&self, organization: &OrganizationId) -> Option<&AtomicU64> {
        let buckets = u64::try_from(STAMPS).unwrap_or(1);
        let index = self.0.hasher.hash_one(organization) % buckets;
        self.0.stamps.get(usize::try_from(index).unwrap_or(0))
    }

    fn tell(&self, organization: Option<&OrganizationId>) {
        for listener in self.living() {
            // The store must not fail for a fault of its audience.
            let _ = catch_unwind(AssertUnwindSafe(|| listener(organization)));
        }
    }

    /// Copied, so that a listener may add another one.
    fn living(&self) -> Vec<Arc<Listener>> {
        let listeners = self
            .0
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        listeners.iter().filter_map(Weak::upgrade).collect()
    }
}

impl Default for PolicyChanges {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for PolicyChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyChanges")
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}

/// Keeps a listener of [`PolicyChanges::on_change`] alive.
pub struct ChangeListener(#[expect(dead_code, reason = "held for its drop alone")] Arc<Listener>);

impl fmt::Debug for ChangeListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChangeListener")
    }
}
