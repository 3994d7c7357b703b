//! The place of one key: what is held, and whether it is being loaded.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::watch;

use crate::error::BackendError;

pub(super) struct Cell<V> {
    pub(super) held: ArcSwapOption<Held<V>>,
    pub(super) state: Mutex<State>,
    /// Counts finished loads.
    pub(super) ended: watch::Sender<u64>,
}

pub(super) struct Held<V> {
    pub(super) value: V,
    /// To be read again, though it still serves.
    pub(super) due_at: Duration,
    pub(super) fresh_until: Duration,
    pub(super) usable_until: Duration,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) running: bool,
    /// Raised by every invalidation: what was read before it is worth nothing.
    pub(super) epoch: u64,
    pub(super) failure: Option<(Arc<BackendError>, Duration)>,
}

impl State {
    /// Whether the store failed a moment ago, and is left alone.
    pub(super) fn is_backing_off(&self, now: Duration) -> bool {
        self.failure.as_ref().is_some_and(|(_, at)| now < *at)
    }
}

impl<V> Cell<V> {
    pub(super) fn new() -> Self {
        Self {
            held: ArcSwapOption::empty(),
            state: Mutex::default(),
            ended: watch::Sender::new(0),
        }
    }

    /// Locked for a few instructions, never across an await.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether something else is held by now than what was seen.
    pub(super) fn is_overtaken(&self, seen: Option<&Arc<Held<V>>>) -> bool {
        let held = self.held.load();
        let held = held.as_ref();
        held.is_some_and(|held| !seen.is_some_and(|seen| Arc::ptr_eq(seen, held)))
    }

    pub(super) fn forget(&self) {
        let mut state = self.state();
        state.epoch = state.epoch.wrapping_add(1);
        self.held.store(None);
    }
}
