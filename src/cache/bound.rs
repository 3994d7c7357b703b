//! How many reads of a store go on at a time (R19): a store that has become slow is not buried under
//! requests, and requests do not pile up behind it without end.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// Reads of one store at the same time.
const UNDER_WAY: usize = 64;

/// Reads of it that wait for their turn.
const WAITING: usize = 256;

pub(super) struct Bound {
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// The right to wait for a turn.
pub(super) struct Place {
    _held: OwnedSemaphorePermit,
    turns: Arc<Semaphore>,
}

impl Bound {
    pub(super) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(UNDER_WAY + WAITING)),
            turns: Arc::new(Semaphore::new(UNDER_WAY)),
        }
    }

    /// `None` if too many wait already.
    pub(super) fn enter(&self) -> Option<Place> {
        let held = self.places.clone().try_acquire_owned().ok()?;
        Some(Place {
            _held: held,
            turns: self.turns.clone(),
        })
    }
}

impl Place {
    /// The right to read. `None` would mean that the semaphore was closed, which nobody does.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }
}
