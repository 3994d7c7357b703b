//! Facts read from a store, kept for a while: one load at a time per key, in a task of its own.
//!
//! A request reads what is held without waiting. It waits only where nothing usable is held, never
//! owns the load, and so can go away without changing what others get (finding 5, R14). A fact past
//! its freshness is not used before the store was asked again; only while the store is failing does
//! it serve on, to the end of its stale window, and then the answer is "we cannot know".

mod bound;
mod cell;
pub(crate) mod credentials;
mod pinned;
mod underway;
mod watched;

use std::future::Future;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::policy::EvictionPolicy;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tracing::Instrument;

use crate::clock::Clock;
use crate::error::BackendError;
use crate::pulse::Pulse;
use crate::telemetry::{Reads, Served, span};
use bound::Bound;
use cell::{Cell, Held};
pub(crate) use pinned::Pinned;
use underway::Underway;

/// How long a fact serves, and how long a load may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetime {
    /// Used without asking again.
    pub(crate) fresh: Duration,
    /// Used beyond that while the store fails.
    pub(crate) stale: Duration,
    /// The longest a load may take.
    pub(crate) deadline: Duration,
    /// Most facts held, and as many keys more about which nothing is known.
    pub(crate) capacity: u64,
}

/// After a failed load the store is left alone this long, per key.
const BACK_OFF: Duration = Duration::from_secs(1);

type Load<K, V, A> =
    dyn Fn(K, A) -> Pin<Box<dyn Future<Output = Result<V, BackendError>> + Send>> + Send + Sync;

/// When somebody asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct When {
    /// By the monotonic clock.
    pub(crate) now: Duration,
    /// Whether they have waited: then not again, for a store that fails.
    pub(crate) waited: bool,
}

/// What is known about a key.
pub(crate) enum Known<V> {
    Value(V),
    /// Nothing usable is held: await this, then ask once more, as one who waited. Another wait can
    /// follow only if the key was invalidated meanwhile.
    Wait(LoadWait),
    /// The store cannot be asked.
    Unavailable {
        retry_after: Duration,
        cause: Option<Arc<BackendError>>,
    },
}

fn unavailable<V>(cause: &'static str) -> Known<V> {
    Known::Unavailable {
        retry_after: BACK_OFF,
        cause: Some(Arc::new(BackendError::new(cause))),
    }
}

/// Ends when the load under way ends. Dropping it stops nothing.
#[derive(Debug)]
pub(crate) struct LoadWait(watch::Receiver<u64>);

impl LoadWait {
    pub(crate) async fn done(mut self) {
        // An error means the load is gone: nothing more to wait for. The load has a deadline.
        drop(self.0.changed().await);
    }
}

/// A place, and what was held there when somebody looked.
type Seen<'s, V> = (&'s Arc<Cell<V>>, Option<&'s Arc<Held<V>>>);

/// A bounded cache in front of a store. `A` is what a load needs besides the key and what must not
/// stay behind in the cache, such as a credential of which the key is a hash.
pub(crate) struct Loader<K, V, A = ()>(Arc<Inner<K, V, A>>);

struct Inner<K, V, A> {
    /// Keys with a fact.
    known: moka::sync::Cache<K, Arc<Cell<V>>>,
    /// All others. Apart, so that no flood of keys that mean nothing pushes out a fact (T24).
    unknown: moka::sync::Cache<K, Arc<Cell<V>>>,
    load: Box<Load<K, V, A>>,
    /// How long a value is fresh, and how long usable beyond that: not at all means that it is no
    /// fact but "there is none".
    serves: fn(&V, Lifetime) -> (Duration, Duration),
    lifetime: Lifetime,
    clock: Arc<dyn Clock>,
    bound: Bound,
    /// Raised by every invalidation, after it has been done.
    generation: AtomicU64,
    pulse: Pulse,
    reads: Reads,
}

impl<K, V> Loader<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// A loader that needs no more than the key.
    pub(crate) fn new<F>(
        lifetime: Lifetime,
        serves: fn(&V, Lifetime) -> (Duration, Duration),
        clock: Arc<dyn Clock>,
        load: impl Fn(K) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<V, BackendError>> + Send + 'static,
    {
        Self::asking(lifetime, serves, clock, move |key, ()| load(key))
    }

    /// [`ask`](Self::ask) with the key alone, which is made only if it is needed.
    pub(crate) fn get(
        &self,
        pinned: Option<&Pinned<V>>,
        key: impl Fn() -> K,
        when: When,
    ) -> Known<V> {
        match pinned {
            Some(pinned) => self.ask_at(pinned, key, || (), when),
            None => self.ask(&key(), || (), when),
        }
    }
}

impl<K, V, A> Loader<K, V, A>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    A: Clone + Send + 'static,
{
    pub(crate) fn asking<F>(
        lifetime: Lifetime,
        serves: fn(&V, Lifetime) -> (Duration, Duration),
        clock: Arc<dyn Clock>,
        load: impl Fn(K, A) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<V, BackendError>> + Send + 'static,
    {
        // By use alone: what has just come in is never what has to go, so nobody waits in vain.
        let cells = || {
            moka::sync::Cache::builder()
                .max_capacity(lifetime.capacity)
                .eviction_policy(EvictionPolicy::lru())
                .build()
        };
        Self(Arc::new(Inner {
            known: cells(),
            unknown: cells(),
            load: Box::new(move |key, argument| Box::pin(load(key, argument))),
            serves,
            lifetime,
            clock,
            bound: Bound::new(),
            generation: AtomicU64::new(0),
            pulse: Pulse::default(),
            reads: Reads::default(),
        }))
    }

    /// What is known about `key`. Never blocks; starts a load where one is needed, in the current
    /// Tokio runtime, with what `argument` makes.
    pub(crate) fn ask(&self, key: &K, argument: impl FnOnce() -> A, when: When) -> Known<V> {
        let cell = self.0.cell(key);
        self.ask_cell(&cell, || key.clone(), argument, when)
    }

    /// [`ask`](Self::ask) at a place that was found before. The key is made only if it is needed.
    pub(crate) fn ask_at(
        &self,
        pinned: &Pinned<V>,
        key: impl Fn() -> K,
        argument: impl FnOnce() -> A,
        when: When,
    ) -> Known<V> {
        // Before the place is looked up: what is invalidated after that makes the pin void.
        let generation = self.0.generation.load(Ordering::Acquire);
        let find = || self.0.cell(&key());
        pinned.with(generation, find, |cell| {
            self.ask_cell(cell, &key, argument, when)
        })
    }

    fn ask_cell(
        &self,
        cell: &Arc<Cell<V>>,
        key: impl Fn() -> K,
        argument: impl FnOnce() -> A,
        when: When,
    ) -> Known<V> {
        let now = when.now;
        let held = cell.held.load();
        let seen = held.as_ref();
        if let Some(held) = held.as_deref().filter(|held| now < held.fresh_until) {
            let value = held.value.clone();
            if now >= held.due_at {
                self.refresh((cell, seen), key, argument, now);
            }
            self.0.reads.served(Served::Fresh);
            return Known::Value(value);
        }
        let usable = held.as_deref().filter(|held| now < held.usable_until);
        let Some((cause, again_at)) = cell.state().failure.clone() else {
            // Also after a wait: an invalidation may have taken what the wait was for.
            self.0.reads.served(Served::Miss);
            return self.join_or_start((cell, seen), now, key, argument);
        };
        if now >= again_at && !when.waited {
            // Nobody waits for a store that just failed if there is something to go on with.
            let wait = self.join_or_start((cell, seen), now, key, argument);
            if usable.is_none() {
                self.0.reads.served(Served::Miss);
                return wait;
            }
        }
        if let Some(held) = usable {
            self.0.reads.served(Served::Stale);
            return Known::Value(held.value.clone());
        }
        self.0.reads.served(Served::Unavailable);
        Known::Unavailable {
            retry_after: again_at.saturating_sub(now).max(BACK_OFF),
            cause: Some(cause),
        }
    }

    /// Reads a fact again before it has aged, so that nobody waits for it who asks often. If that
    /// fails, it serves as long as it would have, and so do others.
    fn refresh(
        &self,
        (cell, seen): Seen<'_, V>,
        key: impl Fn() -> K,
        argument: impl FnOnce() -> A,
        now: Duration,
    ) {
        let state = cell.state();
        let busy = state.running || state.is_backing_off(now);
        drop(state);
        if !busy {
            span::apart(|| drop(self.join_or_start((cell, seen), now, key, argument)));
        }
    }

    /// Forgets what is held about `key`, and what a load under way is about to bring.
    pub(crate) fn invalidate(&self, key: &K) {
        for cells in self.0.everywhere() {
            if let Some(cell) = cells.get(key) {
                cell.forget();
            }
        }
        self.0.generation.fetch_add(1, Ordering::Release);
    }

    /// Forgets everything held.
    pub(crate) fn invalidate_all(&self) {
        for cells in self.0.everywhere() {
            for (_, cell) in cells {
                cell.forget();
            }
        }
        self.0.generation.fetch_add(1, Ordering::Release);
    }

    /// Joins the load under way, or starts one because what was `seen` is not enough.
    fn join_or_start(
        &self,
        (cell, seen): Seen<'_, V>,
        now: Duration,
        key: impl Fn() -> K,
        argument: impl FnOnce() -> A,
    ) -> Known<V> {
        let Ok(runtime) = Handle::try_current() else {
            return unavailable("stores are asked in a Tokio runtime, and none is current");
        };
        let mut state = cell.state();
        // Subscribed under the lock: the end of a running load cannot slip in between.
        let mut wait = LoadWait(cell.ended.subscribe());
        if state.running {
            return Known::Wait(wait);
        }
        // One ended since somebody looked: what it brought is there already, and one is enough.
        if state.is_backing_off(now) || cell.is_overtaken(seen) {
            wait.0.mark_changed();
            return Known::Wait(wait);
        }
        let Some(place) = self.0.bound.enter() else {
            return unavailable("too many reads of the store are under way");
        };
        state.running = true;
        drop(state);
        let underway = Underway {
            inner: self.0.clone(),
            cell: cell.clone(),
            key: key(),
        };
        let argument = argument();
        let load = async move { underway.run(argument, place).await };
        runtime.spawn(load.instrument(span::read()));
        Known::Wait(wait)
    }
}

impl<K, V, A> Inner<K, V, A>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn cell(&self, key: &K) -> Arc<Cell<V>> {
        let found = self.known.get(key).or_else(|| self.unknown.get(key));
        found.unwrap_or_else(|| {
            let made = || Arc::new(Cell::new());
            let made = self.unknown.get_with_by_ref(key, made);
            // It may have moved from there to here between the looks, and then was in neither.
            self.known.get(key).unwrap_or(made)
        })
    }

    /// Where to look for a cell that may be on its way from one to the other: it comes before it goes.
    fn everywhere(&self) -> [&moka::sync::Cache<K, Arc<Cell<V>>>; 3] {
        [&self.unknown, &self.known, &self.unknown]
    }

    /// Keeps a cell where what it holds belongs.
    fn place(&self, key: &K, cell: &Arc<Cell<V>>, is_fact: bool) {
        if is_fact == self.known.contains_key(key) {
            return;
        }
        if !is_fact {
            self.unknown.insert(key.clone(), cell.clone());
            self.known.invalidate(key);
            return;
        }
        self.known.insert(key.clone(), cell.clone());
        let before = self.unknown.remove(key);
        // Pushed out meanwhile: an invalidation may have looked for it in vain.
        if !before.is_some_and(|before| Arc::ptr_eq(&before, cell)) {
            cell.held.store(None);
        }
    }
}

impl<K, V, A> Clone for Loader<K, V, A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[cfg(test)]
mod tests;
