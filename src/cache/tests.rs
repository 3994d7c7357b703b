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

/// Asks about a key without a pin.
fn look<V: Clone + Send + Sync + 'static>(
    loader: &Loader<u32, V>,
    key: u32,
    waited: bool,
) -> Known<V> {
    loader.get(None, || key, when(loader, waited))
}

fn when<V, A>(loader: &Loader<u32, V, A>, waited: bool) -> When {
    let now = loader.0.clock.monotonic();
    When { now, waited }
}

async fn ask(loader: &Loader<u32, usize>) -> Option<usize> {
    let known = match look(loader, 1, false) {
        Known::Wait(wait) => {
            wait.done().await;
            look(loader, 1, true)
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
    let Known::Wait(first) = look(&loader, 1, false) else {
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
    let Known::Wait(wait) = look(&loader, 1, false) else {
        panic!("held")
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    store.value.store(7, Ordering::SeqCst);
    loader.invalidate(&1);
    wait.done().await;
    assert!(
        matches!(look(&loader, 1, true), Known::Value(7)),
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
        match loader.ask(&key, || key + 1, when(loader, after_wait)) {
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
        loader.ask(&4, unused, when(&loader, false)),
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
        if let Known::Wait(wait) = look(&loader, 1, false) {
            wait.done().await;
        }
        let Known::Value(value) = look(&loader, 1, true) else {
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

#[tokio::test(start_paused = true)]
async fn pol_05_a_pinned_place_is_forgotten_with_its_key() {
    let (store, loader) = world();
    let pin = Pinned::default();
    let pinned = |waited| loader.get(Some(&pin), || 1, when(&loader, waited));
    let Known::Wait(wait) = pinned(false) else {
        panic!("held")
    };
    wait.done().await;
    assert!(matches!(pinned(true), Known::Value(0)));
    store.value.store(7, Ordering::SeqCst);
    loader.invalidate(&1);
    let Known::Wait(wait) = pinned(false) else {
        panic!("forgotten")
    };
    wait.done().await;
    assert!(matches!(pinned(true), Known::Value(7)));
    store.value.store(8, Ordering::SeqCst);
    loader.invalidate_all();
    assert!(matches!(pinned(false), Known::Wait(_)));
}

#[tokio::test(start_paused = true)]
async fn pol_05_a_pinned_place_that_was_pushed_out_is_forgotten_too() {
    let (store, loader) = world();
    let pin = Pinned::default();
    let pinned = |waited| loader.get(Some(&pin), || 1, when(&loader, waited));
    let Known::Wait(wait) = pinned(false) else {
        panic!("held")
    };
    wait.done().await;
    // Pushed out, as when more keys came in than fit: an invalidation will not find it.
    loader.0.known.invalidate(&1);
    loader.0.unknown.invalidate(&1);
    assert!(matches!(pinned(false), Known::Value(0)), "it still serves");
    store.value.store(7, Ordering::SeqCst);
    loader.invalidate(&1);
    let Known::Wait(wait) = pinned(false) else {
        panic!("a place nobody could find served on")
    };
    wait.done().await;
    assert!(matches!(pinned(true), Known::Value(7)));
}

#[tokio::test(start_paused = true)]
async fn r14_what_is_asked_for_often_is_read_before_it_ages() {
    let (store, loader) = world();
    assert_eq!(ask(&loader).await, Some(0));
    pass(23).await;
    assert!(matches!(look(&loader, 1, false), Known::Value(0)));
    assert_eq!(store.loads.load(Ordering::SeqCst), 1, "too early");
    store.value.store(7, Ordering::SeqCst);
    pass(2).await;
    for _ in 0..3 {
        assert!(matches!(look(&loader, 1, false), Known::Value(0)));
    }
    pass(1).await;
    assert_eq!(store.loads.load(Ordering::SeqCst), 2, "one read for all");
    assert!(matches!(look(&loader, 1, false), Known::Value(7)));
    pass(29).await;
    assert!(matches!(look(&loader, 1, false), Known::Value(7)));
}

#[tokio::test(start_paused = true)]
async fn r24_a_read_ahead_that_fails_takes_nothing_away() {
    let (store, loader) = world();
    assert_eq!(ask(&loader).await, Some(0));
    store.down.store(true, Ordering::SeqCst);
    pass(25).await;
    // Once a second, and not more often.
    for _ in 0..10 {
        for _ in 0..5 {
            assert!(matches!(look(&loader, 1, false), Known::Value(0)));
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let reads = store.loads.load(Ordering::SeqCst);
    assert!((2..=5).contains(&reads), "{reads}");
    store.down.store(false, Ordering::SeqCst);
    pass(10).await;
    assert_eq!(ask(&loader).await, Some(0));
}

#[tokio::test(start_paused = true)]
async fn r19_reads_of_a_store_that_hangs_are_bounded() {
    let under_way = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (now, peak) = (under_way.clone(), most.clone());
    let loader: Loader<u32, u32> = Loader::new(
        Lifetime {
            capacity: 10_000,
            ..LIFETIME
        },
        |_, lifetime| (lifetime.fresh, lifetime.stale),
        Arc::new(TokioClock(tokio::time::Instant::now())),
        move |key| {
            let (now, peak) = (now.clone(), peak.clone());
            async move {
                peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(50)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(key)
            }
        },
    );
    let mut waits = Vec::new();
    let mut refused = 0;
    for key in 0..1_000 {
        match look(&loader, key, false) {
            Known::Wait(wait) => waits.push((key, wait)),
            Known::Unavailable { retry_after, cause } => {
                refused += 1;
                assert_eq!(retry_after, BACK_OFF);
                assert!(cause.unwrap().to_string().contains("too many reads"));
            }
            Known::Value(_) => panic!("nothing is held"),
        }
    }
    assert_eq!((waits.len(), refused), (320, 680));
    for (key, wait) in waits {
        wait.done().await;
        assert!(matches!(look(&loader, key, true), Known::Value(value) if value == key));
    }
    assert_eq!(most.load(Ordering::SeqCst), 64);
    // Who was sent away is served now.
    let Known::Wait(wait) = look(&loader, 999, false) else {
        panic!("there is room")
    };
    wait.done().await;
    assert!(matches!(look(&loader, 999, true), Known::Value(999)));
}
