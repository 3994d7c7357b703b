//! Hints that get lost, come twice or late, on purpose: nothing but time may depend on them (R22).

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::sleep;
use tower_mcp_auth::BackendError;
use tower_mcp_auth::revocation::{RevocationEntry, RevocationLog};

/// The latest a delayed hint comes, in milliseconds: long after others that were sent after it.
const LATEST: u64 = 1500;

/// What becomes of the hints of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Push {
    /// None arrives.
    Off,
    /// So many of a hundred are dropped, doubled or delayed, a third each.
    Lossy(u64),
}

/// A log whose hints suffer, whichever way they came: `LISTEN` as well as Redis.
#[derive(Clone)]
pub(crate) struct LossyLog<L> {
    log: L,
    fate: Arc<Fate>,
}

pub(crate) struct Fate {
    push: Push,
    random: RandomState,
    late: Notify,
    seen: AtomicU64,
    dropped: AtomicU64,
    doubled: AtomicU64,
    delayed: AtomicU64,
}

enum Draw {
    Passed,
    Dropped,
    Doubled,
    Delayed(Duration),
}

impl<L> LossyLog<L> {
    pub(crate) fn new(log: L, push: Push) -> Self {
        let fate = Arc::new(Fate {
            push,
            random: RandomState::new(),
            late: Notify::new(),
            seen: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            doubled: AtomicU64::new(0),
            delayed: AtomicU64::new(0),
        });
        Self { log, fate }
    }

    pub(crate) fn fate(&self) -> &Arc<Fate> {
        &self.fate
    }
}

impl Fate {
    fn draw(&self) -> Draw {
        let count = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        let random = self.random.hash_one(count(&self.seen));
        let Push::Lossy(per_cent) = self.push else {
            count(&self.dropped);
            return Draw::Dropped;
        };
        if random % 100 >= per_cent {
            return Draw::Passed;
        }
        match (random / 100) % 3 {
            0 => {
                count(&self.dropped);
                Draw::Dropped
            }
            1 => {
                count(&self.doubled);
                Draw::Doubled
            }
            _ => {
                count(&self.delayed);
                Draw::Delayed(Duration::from_millis((random / 300) % LATEST))
            }
        }
    }

    /// For `/healthz`.
    pub(crate) fn counts(&self) -> Value {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        json!({
            "seen": read(&self.seen),
            "dropped": read(&self.dropped),
            "doubled": read(&self.doubled),
            "delayed": read(&self.delayed),
        })
    }
}

impl<L: RevocationLog> RevocationLog for LossyLog<L> {
    async fn append(&self, entry: RevocationEntry) -> Result<u64, BackendError> {
        self.log.append(entry).await
    }

    async fn read_since(
        &self,
        sequence: u64,
        limit: usize,
    ) -> Result<Vec<(u64, RevocationEntry)>, BackendError> {
        self.log.read_since(sequence, limit).await
    }

    async fn hinted(&self) {
        loop {
            tokio::select! {
                () = self.fate.late.notified() => return,
                () = self.log.hinted() => {}
            }
            match self.fate.draw() {
                Draw::Passed => return,
                Draw::Dropped => {}
                Draw::Doubled => {
                    // The second one is found by the next call.
                    self.fate.late.notify_one();
                    return;
                }
                Draw::Delayed(by) => {
                    let fate = self.fate.clone();
                    tokio::spawn(async move {
                        sleep(by).await;
                        fate.late.notify_one();
                    });
                }
            }
        }
    }
}
