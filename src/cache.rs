//! Facts read from a store, kept for a while: one load at a time per key, in a task of its own.
//!
//! A request reads what is held without waiting. It waits only where nothing usable is held, never
//! owns the load, and so can go away without changing what others get (finding 5, R14). A fact past
//! its freshness is not used before the store was asked again; only while the store is failing does
//! it serve on, to the end of its stale window, and then the answer is "we cannot know".

mod cell;

use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use moka::policy::EvictionPolicy;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::error::BackendError;
use cell::{Cell, Held};

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

/// A load that was overtaken by an invalidation is repeated, at most this often.
const REPEATS: usize = 3;

type Load<K, V, A> =
    dyn Fn(K, A) -> Pin<Box<dyn Future<Output = Result<V, BackendError>> + Send>> + Send + Sync;

/// What is known about a key.
pub(crate) enum Known<V> {
    Value(V),
    /// Nothing usable is held: await this, then ask once more with `after_wait`. Another wait can
    /// follow only if the key was invalidated meanwhile.
    Wait(LoadWait),
    /// The store cannot be asked.
    Unavailable {
        retry_after: Duration,
        cause: Option<Arc<BackendError>>,
    },
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

    /// [`ask`](Self::ask) with the key alone.
    pub(crate) fn get(&self, key: &K, after_wait: bool) -> Known<V> {
        self.ask(key, || (), after_wait)
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
        }))
    }

    /// What is known about `key`. Never blocks; starts a load where one is needed, in the current
    /// Tokio runtime, with what `argument` makes. `after_wait` says the caller has waited: it does
    /// not wait again for a store that fails.
    pub(crate) fn ask(&self, key: &K, argument: impl FnOnce() -> A, after_wait: bool) -> Known<V> {
        let now = self.0.clock.monotonic();
        let cell = self.0.cell(key);
        let held = cell.held.load();
        if let Some(held) = held.as_deref().filter(|held| now < held.fresh_until) {
            return Known::Value(held.value.clone());
        }
        let usable = held.as_deref().filter(|held| now < held.usable_until);
        let state = cell.state();
        let failing = state.failure.clone();
        if let Some((cause, again_at)) = failing {
            let backing_off = now < again_at;
            drop(state);
            if !backing_off && !after_wait {
                // Nobody waits for a store that just failed if there is something to go on with.
                let wait = self.join_or_start(key, &cell, argument);
                if usable.is_none() {
                    return wait;
                }
            }
            return match usable {
                Some(held) => Known::Value(held.value.clone()),
                None => Known::Unavailable {
                    retry_after: again_at.saturating_sub(now).max(BACK_OFF),
                    cause: Some(cause),
                },
            };
        }
        drop(state);
        // Also after a wait: an invalidation may have taken what the wait was for.
        self.join_or_start(key, &cell, argument)
    }

    /// Forgets what is held about `key`, and what a load under way is about to bring.
    pub(crate) fn invalidate(&self, key: &K) {
        for cells in [&self.0.known, &self.0.unknown] {
            if let Some(cell) = cells.get(key) {
                cell.forget();
            }
        }
    }

    /// Forgets everything held.
    pub(crate) fn invalidate_all(&self) {
        for cells in [&self.0.known, &self.0.unknown] {
            for (_, cell) in cells {
                cell.forget();
            }
        }
    }

    fn join_or_start(
        &self,
        key: &K,
        cell: &Arc<Cell<V>>,
        argument: impl FnOnce() -> A,
    ) -> Known<V> {
        let Ok(runtime) = Handle::try_current() else {
            let cause =
                BackendError::new("stores are asked in a Tokio runtime, and none is current");
            return Known::Unavailable {
                retry_after: BACK_OFF,
                cause: Some(Arc::new(cause)),
            };
        };
        let mut state = cell.state();
        // Subscribed under the lock: the end of a running load cannot slip in between.
        let wait = LoadWait(cell.ended.subscribe());
        if !std::mem::replace(&mut state.running, true) {
            drop(state);
            let underway = Underway {
                inner: self.0.clone(),
                cell: cell.clone(),
                key: key.clone(),
            };
            let argument = argument();
            runtime.spawn(async move { underway.run(argument).await });
        }
        Known::Wait(wait)
    }
}

impl<K, V, A> Inner<K, V, A>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn cell(&self, key: &K) -> Arc<Cell<V>> {
        let known = self.known.get(key).or_else(|| self.unknown.get(key));
        known.unwrap_or_else(|| self.unknown.get_with_by_ref(key, || Arc::new(Cell::new())))
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

/// A load under way. However it ends, waiters are told.
struct Underway<K, V, A> {
    inner: Arc<Inner<K, V, A>>,
    cell: Arc<Cell<V>>,
    key: K,
}

impl<K, V, A> Underway<K, V, A>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    A: Clone,
{
    async fn run(self, argument: A) {
        for _ in 0..REPEATS {
            let epoch = self.cell.state().epoch;
            let outcome = self.load(argument.clone()).await;
            if self.record(outcome, epoch) {
                return;
            }
        }
    }

    async fn load(&self, argument: A) -> Result<V, BackendError> {
        // The store is the user's: its panic is a failed load, nothing more (R15).
        let load = async { (self.inner.load)(self.key.clone(), argument).await };
        let load = AssertUnwindSafe(load).catch_unwind();
        match tokio::time::timeout(self.inner.lifetime.deadline, load).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(BackendError::new("the store panicked")),
            Err(_) => Err(BackendError::new("the store did not answer in time")),
        }
    }

    /// Whether the outcome still counts: not if somebody invalidated the key meanwhile.
    fn record(&self, outcome: Result<V, BackendError>, epoch: u64) -> bool {
        let now = self.inner.clock.monotonic();
        let mut state = self.cell.state();
        match outcome {
            Ok(_) if state.epoch != epoch => return false,
            Ok(value) => {
                let (fresh, then) = (self.inner.serves)(&value, self.inner.lifetime);
                let fresh_until = now.saturating_add(fresh);
                state.failure = None;
                self.cell.held.store(Some(Arc::new(Held {
                    value,
                    fresh_until,
                    usable_until: fresh_until.saturating_add(then),
                })));
                drop(state);
                self.inner.place(&self.key, &self.cell, !then.is_zero());
            }
            Err(error) => {
                tracing::warn!(target: "tower_mcp_auth::store", cause = error.report(), "a store did not answer");
                state.failure = Some((Arc::new(error), now.saturating_add(BACK_OFF)));
            }
        }
        true
    }
}

impl<K, V, A> Drop for Underway<K, V, A> {
    fn drop(&mut self) {
        self.cell.state().running = false;
        self.cell
            .ended
            .send_modify(|ended| *ended = ended.wrapping_add(1));
    }
}

impl<K, V, A> Clone for Loader<K, V, A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, V, A> fmt::Debug for Loader<K, V, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("lifetime", &self.0.lifetime)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;
    use crate::clock::{SystemClock, UnixTime};

    /// Monotonic time is tokio's, so that one pause stops everything.
    #[derive(Debug)]
    struct TokioClock(tokio::time::Instant);

    impl Clock for TokioClock {
        fn now(&self) -> UnixTime {
            SystemClock::new().now()
        }

        fn monotonic(&self) -> Duration {
            self.0.elapsed()
        }
    }

    #[derive(Default)]
    struct Store {
        loads: AtomicUsize,
        value: AtomicUsize,
        down: AtomicBool,
    }

    const LIFETIME: Lifetime = Lifetime {
        fresh: Duration::from_secs(30),
        stale: Duration::from_secs(300),
        deadline: Duration::from_millis(500),
        capacity: 100,
    };

    fn world() -> (Arc<Store>, Loader<u32, usize>) {
        let store = Arc::new(Store::default());
        let behind = store.clone();
        let loader = Loader::new(
            LIFETIME,
            |_, lifetime| (lifetime.fresh, lifetime.stale),
            Arc::new(TokioClock(tokio::time::Instant::now())),
            move |_key| {
                let store = behind.clone();
                async move {
                    store.loads.fetch_add(1, Ordering::SeqCst);
                    let value = store.value.load(Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    if store.down.load(Ordering::SeqCst) {
                        return Err(BackendError::new("down"));
                    }
                    Ok(value)
                }
            },
        );
        (store, loader)
    }

    async fn ask(loader: &Loader<u32, usize>) -> Option<usize> {
        let known = match loader.get(&1, false) {
            Known::Wait(wait) => {
                wait.done().await;
                loader.get(&1, true)
            }
            known => known,
        };
        match known {
            Known::Value(value) => Some(value),
            Known::Unavailable { .. } => None,
            Known::Wait(_) => panic!("a second wait"),
        }
    }

    async fn pass(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn r14_many_callers_make_one_load_and_none_of_them_owns_it() {
        let (store, loader) = world();
        let Known::Wait(first) = loader.get(&1, false) else {
            panic!("held")
        };
        drop(first);
        let answers = futures_util::future::join_all((0..1000).map(|_| ask(&loader))).await;
        assert!(answers.iter().all(|answer| *answer == Some(0)));
        assert_eq!(store.loads.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn r24_a_fact_serves_its_stale_window_and_not_longer() {
        let (store, loader) = world();
        assert_eq!(ask(&loader).await, Some(0));
        store.value.store(1, Ordering::SeqCst);
        pass(29).await;
        assert_eq!(ask(&loader).await, Some(0));
        pass(1).await;
        assert_eq!(
            ask(&loader).await,
            Some(1),
            "past its freshness the store is asked first"
        );
        store.down.store(true, Ordering::SeqCst);
        pass(31).await;
        for _ in 0..29 {
            assert_eq!(ask(&loader).await, Some(1), "the store is down");
            pass(10).await;
        }
        pass(10).await;
        assert_eq!(ask(&loader).await, None, "nobody can know any more");
        store.down.store(false, Ordering::SeqCst);
        pass(2).await;
        assert_eq!(ask(&loader).await, Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn pol_05_an_invalidation_overtakes_a_load_under_way() {
        let (store, loader) = world();
        let Known::Wait(wait) = loader.get(&1, false) else {
            panic!("held")
        };
        tokio::time::sleep(Duration::from_millis(50)).await;
        store.value.store(7, Ordering::SeqCst);
        loader.invalidate(&1);
        wait.done().await;
        assert!(
            matches!(loader.get(&1, true), Known::Value(7)),
            "what was read before is worth nothing"
        );
        store.value.store(8, Ordering::SeqCst);
        loader.invalidate_all();
        assert_eq!(ask(&loader).await, Some(8));
    }

    #[tokio::test(start_paused = true)]
    async fn r15_a_panic_in_the_store_is_a_failed_load() {
        let loader: Loader<u32, usize> = Loader::new(
            LIFETIME,
            |_, lifetime| (lifetime.fresh, lifetime.stale),
            Arc::new(TokioClock(tokio::time::Instant::now())),
            |_key| async { panic!("the user's store") },
        );
        assert_eq!(ask(&loader).await, None);
        pass(2).await;
        assert_eq!(ask(&loader).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn r19_a_store_that_hangs_is_cut_off() {
        let loader: Loader<u32, usize> = Loader::new(
            LIFETIME,
            |_, lifetime| (lifetime.fresh, lifetime.stale),
            Arc::new(TokioClock(tokio::time::Instant::now())),
            |_key| std::future::pending(),
        );
        let before = tokio::time::Instant::now();
        assert_eq!(ask(&loader).await, None);
        assert_eq!(before.elapsed(), LIFETIME.deadline);
    }

    type Numbers = Loader<u32, Option<u32>, u32>;
    type Asked = Arc<Mutex<Vec<(u32, u32)>>>;

    /// Even numbers are there; every load is counted, and the argument is what it was asked with.
    fn numbers(capacity: u64) -> (Asked, Numbers) {
        let asked = Asked::default();
        let seen = asked.clone();
        let loader = Loader::asking(
            Lifetime {
                capacity,
                ..LIFETIME
            },
            |value, lifetime| match value {
                Some(_) => (lifetime.fresh, lifetime.stale),
                None => (Duration::from_secs(2), Duration::ZERO),
            },
            Arc::new(TokioClock(tokio::time::Instant::now())),
            move |key, argument| {
                seen.lock().unwrap().push((key, argument));
                async move { Ok((key % 2 == 0).then_some(key)) }
            },
        );
        (asked, loader)
    }

    async fn number(loader: &Numbers, key: u32) -> Option<u32> {
        for after_wait in [false, true] {
            match loader.ask(&key, || key + 1, after_wait) {
                Known::Value(value) => return value,
                Known::Wait(wait) => wait.done().await,
                Known::Unavailable { .. } => panic!("it never fails"),
            }
        }
        panic!("a second wait")
    }

    #[tokio::test(start_paused = true)]
    async fn t24_a_flood_of_unknown_keys_pushes_out_no_fact() {
        let (asked, loader) = numbers(10);
        assert_eq!(number(&loader, 2).await, Some(2));
        for unknown in (1..2001).step_by(2) {
            assert_eq!(number(&loader, unknown).await, None);
        }
        loader.0.known.run_pending_tasks();
        loader.0.unknown.run_pending_tasks();
        assert_eq!(number(&loader, 2).await, Some(2));
        assert_eq!(asked.lock().unwrap().len(), 1001, "each was asked once");
        assert!(loader.0.unknown.entry_count() <= 10);
        assert_eq!(loader.0.known.entry_count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn t24_more_facts_than_fit_are_each_found() {
        let (asked, loader) = numbers(10);
        for known in (0..2000).step_by(2) {
            assert_eq!(number(&loader, known).await, Some(known));
        }
        assert_eq!(asked.lock().unwrap().len(), 1000);
        loader.0.known.run_pending_tasks();
        assert!(loader.0.known.entry_count() <= 10);
    }

    #[tokio::test(start_paused = true)]
    async fn t21_the_argument_goes_to_the_load_and_nowhere_else() {
        let (asked, loader) = numbers(10);
        number(&loader, 4).await;
        let unused = || panic!("nothing has to be loaded");
        assert!(matches!(
            loader.ask(&4, unused, false),
            Known::Value(Some(4))
        ));
        assert_eq!(*asked.lock().unwrap(), [(4, 5)]);
    }

    #[tokio::test(start_paused = true)]
    async fn t24_what_is_gone_moves_over_and_back() {
        let there = Arc::new(AtomicBool::new(true));
        let behind = there.clone();
        let loader: Loader<u32, Option<u32>> = Loader::new(
            LIFETIME,
            |value, lifetime| match value {
                Some(_) => (lifetime.fresh, lifetime.stale),
                None => (Duration::from_secs(2), Duration::ZERO),
            },
            Arc::new(TokioClock(tokio::time::Instant::now())),
            move |key| {
                let there = behind.load(Ordering::SeqCst);
                async move { Ok(there.then_some(key)) }
            },
        );
        let ask = async || {
            if let Known::Wait(wait) = loader.get(&1, false) {
                wait.done().await;
            }
            let Known::Value(value) = loader.get(&1, true) else {
                panic!("it never fails")
            };
            value
        };
        let places = || {
            let inner = &loader.0;
            (inner.known.contains_key(&1), inner.unknown.contains_key(&1))
        };
        assert_eq!((ask().await, places()), (Some(1), (true, false)));
        there.store(false, Ordering::SeqCst);
        loader.invalidate(&1);
        assert_eq!((ask().await, places()), (None, (false, true)));
        there.store(true, Ordering::SeqCst);
        loader.invalidate(&1);
        assert_eq!((ask().await, places()), (Some(1), (true, false)));
        there.store(false, Ordering::SeqCst);
        loader.invalidate_all();
        assert_eq!(ask().await, None);
    }
}
