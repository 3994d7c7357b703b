//! The cache before a store, in every interleaving of two or three threads (G10).
//!
//! The sources are those of the crate with loom's locks and atomics for std's; arc-swap, moka and tokio
//! have stand-ins that do each of their operations in one step, so their own insides are taken on trust.
#![allow(dead_code, reason = "not all of the crate is here")]

mod cache;
mod clock;
mod error;
mod pulse;
mod sync;
mod telemetry;

use std::time::Duration;

use cache::{Known, Lifetime, Loader, Pinned, When};
use error::BackendError;
use loom::future::block_on;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use loom::thread;

const LIFETIME: Lifetime = Lifetime {
    fresh: Duration::from_secs(30),
    stale: Duration::from_secs(30),
    deadline: Duration::from_secs(1),
    capacity: 10,
};

/// What the store holds, and how often it was read.
#[derive(Clone)]
struct Store {
    value: Arc<AtomicUsize>,
    reads: Arc<AtomicUsize>,
}

/// Holds 1 and answers with it; with 0 it fails, with 9 it panics.
fn store(value: usize) -> (Store, Loader<u8, usize>) {
    let store = Store {
        value: Arc::new(AtomicUsize::new(value)),
        reads: Arc::new(AtomicUsize::new(0)),
    };
    let reader = store.clone();
    let loader = Loader::new(
        LIFETIME,
        |_, lifetime| (lifetime.fresh, lifetime.stale),
        std::sync::Arc::new(clock::Still),
        move |_| {
            let reader = reader.clone();
            async move {
                reader.reads.fetch_add(1, SeqCst);
                match reader.value.load(SeqCst) {
                    0 => Err(BackendError::new("down")),
                    9 => std::panic::panic_any("a fault of the store"),
                    value => Ok(value),
                }
            }
        },
    );
    (store, loader)
}

/// As a request asks: waits where there is nothing, and asks again as one who waited.
async fn get(loader: &Loader<u8, usize>, pin: Option<&Pinned<usize>>) -> Option<usize> {
    let mut waited = false;
    loop {
        let when = When {
            now: Duration::ZERO,
            waited,
        };
        match loader.get(pin, || 7, when) {
            Known::Value(value) => return Some(value),
            Known::Wait(wait) => wait.done().await,
            Known::Unavailable { .. } => return None,
        }
        waited = true;
    }
}

/// Two cold callers, one read; both are served, whoever comes first.
fn two_cold_callers_are_one_read() {
    let (store, loader) = store(1);
    let other = loader.clone();
    let caller = thread::spawn(move || block_on(get(&other, None)));
    assert_eq!(block_on(get(&loader, None)), Some(1));
    assert_eq!(caller.join().unwrap(), Some(1));
    assert_eq!(store.reads.load(SeqCst), 1);
}

/// Whoever began the read goes away; whoever comes is served, by that read.
fn a_caller_that_goes_away_changes_nothing() {
    let (store, loader) = store(1);
    let other = loader.clone();
    let caller = thread::spawn(move || {
        let when = When {
            now: Duration::ZERO,
            waited: false,
        };
        drop(other.get(None, || 7, when));
    });
    assert_eq!(block_on(get(&loader, None)), Some(1));
    caller.join().unwrap();
    assert_eq!(store.reads.load(SeqCst), 1);
}

/// After an invalidation has returned nobody is given what was read before it, pinned or not.
fn what_was_invalidated_is_gone(pinned: bool, all: bool) {
    let (store, loader) = store(1);
    let pin = std::sync::Arc::new(Pinned::default());
    let (other, its_pin) = (loader.clone(), pin.clone());
    let caller = thread::spawn(move || block_on(get(&other, pinned.then_some(&*its_pin))));
    store.value.store(2, SeqCst);
    if all {
        loader.invalidate_all();
    } else {
        loader.invalidate(&7);
    }
    assert_eq!(block_on(get(&loader, pinned.then_some(&*pin))), Some(2));
    let seen = caller.join().unwrap();
    assert!(matches!(seen, Some(1 | 2)), "{seen:?}");
    assert_eq!(block_on(get(&loader, pinned.then_some(&*pin))), Some(2));
    // One that was overtaken is repeated, and a record on the move may be met, and forgotten, twice.
    assert!(store.reads.load(SeqCst) <= 3);
}

/// A read that fails ends the wait of everybody, by one read.
fn a_failed_read_is_told_to_all(value: usize) {
    let (store, loader) = store(value);
    let other = loader.clone();
    let caller = thread::spawn(move || block_on(get(&other, None)));
    assert_eq!(block_on(get(&loader, None)), None);
    assert_eq!(caller.join().unwrap(), None);
    assert_eq!(store.reads.load(SeqCst), 1);
}

fn explore(name: &str, preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 100_000;
    let runs = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let (counted, start) = (runs.clone(), std::time::Instant::now());
    builder.check(move || {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        model();
    });
    let runs = runs.load(std::sync::atomic::Ordering::Relaxed);
    println!("{name}: {runs} interleavings, at most {preemptions} preemptions, {:.1?}", start.elapsed());
}

fn main() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload_as_str() != Some("a fault of the store") {
            before(info);
        }
    }));
    explore("two cold callers are one read", 3, two_cold_callers_are_one_read);
    explore("a caller that goes away changes nothing", 3, a_caller_that_goes_away_changes_nothing);
    explore("a failed read is told to all", 2, || a_failed_read_is_told_to_all(0));
    explore("a read that panics is told to all", 2, || a_failed_read_is_told_to_all(9));
    explore("what was invalidated is gone", 3, || what_was_invalidated_is_gone(false, false));
    explore("what was invalidated is gone from pins", 3, || what_was_invalidated_is_gone(true, false));
    explore("what was invalidated with all is gone", 2, || what_was_invalidated_is_gone(false, true));
}
