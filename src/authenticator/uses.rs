//! When API tokens were last used, written in batches and away from requests.
//!
//! Authentication needs no write (R20): a store that takes none costs nothing but these times.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use super::tokens::LIFETIME;
use crate::api_token::{ApiTokens, TokenId};
use crate::clock::UnixTime;
use crate::telemetry::{Call, Ended, Meter, Probe};

/// Uses are gathered for so long, and written together.
const GATHERED: Duration = Duration::from_secs(1);

/// Most uses that wait to be written. What comes beyond is not noted.
const MOST: usize = 10_000;

/// Most uses written by one call of the store.
const BATCH: usize = 1000;

/// The uses that wait to be written. Cloning shares them.
#[derive(Clone)]
pub(super) struct Uses(Arc<Inner>);

struct Inner {
    tokens: ApiTokens,
    pending: Mutex<Pending>,
    probe: Probe,
}

#[derive(Default)]
struct Pending {
    uses: HashMap<TokenId, UnixTime>,
    /// Whether a task will write them.
    in_hand: bool,
}

/// The task's promise to write, given back when it ends, be it with its runtime.
struct InHand(Uses);

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.pending().in_hand = false;
    }
}

impl Uses {
    pub(super) fn new(tokens: ApiTokens) -> Self {
        Self(Arc::new(Inner {
            tokens,
            pending: Mutex::default(),
            probe: Probe::default(),
        }))
    }

    pub(super) fn observe(&self, meter: &Meter) {
        self.0.probe.observe(meter);
    }

    /// Notes a use; without a Tokio runtime, nothing.
    pub(super) fn note(&self, id: TokenId, at: UnixTime) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let mut pending = self.pending();
        if pending.uses.len() >= MOST {
            return;
        }
        pending.uses.insert(id, at);
        if !pending.in_hand {
            pending.in_hand = true;
            drop(pending);
            runtime.spawn(InHand(self.clone()).write());
        }
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.0
            .pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What waits, or `None` and the end of the promise.
    fn take(&self) -> Option<Vec<(TokenId, UnixTime)>> {
        let mut pending = self.pending();
        if pending.uses.is_empty() {
            pending.in_hand = false;
            return None;
        }
        Some(pending.uses.drain().collect())
    }
}

impl InHand {
    async fn write(self) {
        let uses = &self.0;
        sleep(GATHERED).await;
        while let Some(taken) = uses.take() {
            for batch in taken.chunks(BATCH) {
                let touch = timeout(LIFETIME.deadline, uses.0.tokens.touch(batch));
                let meter = uses.0.probe.meter();
                let touched = meter.timed(Call::TouchTokens, touch, Ended::in_time).await;
                if !matches!(touched, Ok(Ok(()))) {
                    let count = batch.len();
                    tracing::debug!(target: "tower_mcp_auth::store", count, "last uses not noted");
                }
            }
            sleep(GATHERED).await;
        }
    }
}
