//! One read of a store, and what becomes of it.

use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;

use super::bound::Place;
use super::cell::{Cell, Held};
use super::{BACK_OFF, Inner};
use crate::error::BackendError;
use crate::pulse::Fault;
use crate::telemetry::Ended;

/// A load that was overtaken by an invalidation is repeated, at most this often.
const REPEATS: usize = 3;

/// A fact is read again, while it serves, in the last part of its freshness: one part in so many.
const AHEAD: u32 = 5;

/// A load under way. However it ends, waiters are told.
pub(super) struct Underway<K, V, A> {
    pub(super) inner: Arc<Inner<K, V, A>>,
    pub(super) cell: Arc<Cell<V>>,
    pub(super) key: K,
}

impl<K, V, A> Underway<K, V, A>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    A: Clone,
{
    pub(super) async fn run(self, argument: A, place: Place) {
        for _ in 0..REPEATS {
            let epoch = self.cell.state().epoch;
            let outcome = self.load(argument.clone(), &place).await;
            if self.record(outcome, epoch) {
                return;
            }
        }
    }

    async fn load(&self, argument: A, place: &Place) -> Result<V, BackendError> {
        // The store is the user's: its panic is a failed load, nothing more (R15).
        let load = async {
            let _turn = place.turn().await;
            (self.inner.load)(self.key.clone(), argument).await
        };
        let load = AssertUnwindSafe(load).catch_unwind();
        let load = tokio::time::timeout(self.inner.lifetime.deadline, load);
        let ended = |load: &Result<Result<Result<_, _>, _>, _>| match load {
            Ok(Ok(Ok(_))) => Ended::Well,
            Ok(_) => Ended::Badly,
            Err(_) => Ended::TooLate,
        };
        let (beat, outcome) = match self.inner.reads.timed(load, ended).await {
            Ok(Ok(Ok(value))) => (Ok(()), Ok(value)),
            Ok(Ok(Err(error))) => (Err(Fault::Failed), Err(error)),
            Ok(Err(_)) => (
                Err(Fault::Panicked),
                Err(BackendError::new("the store panicked")),
            ),
            Err(_) => (
                Err(Fault::NoAnswer),
                Err(BackendError::new("the store did not answer in time")),
            ),
        };
        self.inner.pulse.beat(self.inner.clock.monotonic(), beat);
        outcome
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
                    due_at: fresh_until.saturating_sub(fresh / AHEAD),
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
