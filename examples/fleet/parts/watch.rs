//! How long one server goes on letting in what a change forbids.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::BoxError;
use super::report::BOUND;
use super::world::{Verdict, World};

/// How long one server is asked before the watcher gives up, and how long a credential may take to
/// work in the first place.
const PATIENCE: Duration = Duration::from_secs(15);
/// Times a refusal is asked for again.
const AGAIN: usize = 3;

/// Asks, and counts what must not be.
pub(super) struct Watcher {
    /// Between two requests to one server about one change.
    every: Duration,
    pub(super) after_bound: AtomicU64,
    pub(super) after_refusal: AtomicU64,
    pub(super) never: AtomicU64,
    pub(super) unavailable: AtomicU64,
}

impl Watcher {
    pub(super) fn new(every: Duration) -> Self {
        Self {
            every,
            after_bound: AtomicU64::new(0),
            after_refusal: AtomicU64::new(0),
            never: AtomicU64::new(0),
            unavailable: AtomicU64::new(0),
        }
    }

    /// Waits until the server takes the credential for what it is.
    pub(super) async fn until(
        &self,
        world: &World,
        server: &str,
        credential: &str,
        is: Verdict,
    ) -> Result<(), BoxError> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if world.present(server, credential).await == is {
                return Ok(());
            }
            sleep(self.every).await;
        }
        Err(format!("{server}: a credential was not {is:?} within {PATIENCE:?}").into())
    }

    /// How long after `began` the server did what it should for the first time, and ever since.
    /// With 503 it lets nobody in: the wait for a definite answer is not counted, unless another
    /// request is let in after it.
    pub(super) async fn watch(
        &self,
        world: &World,
        server: &str,
        credential: &str,
        wanted: Verdict,
        began: Instant,
    ) -> Option<Duration> {
        let forbids = wanted == Verdict::Refused;
        let mut first = None;
        let mut asked = Instant::now();
        while asked - began < PATIENCE {
            let verdict = world.present(server, credential).await;
            match verdict {
                Verdict::Unavailable => {
                    self.unavailable.fetch_add(1, Ordering::Relaxed);
                    if forbids {
                        first = first.or(Some(began.elapsed()));
                    }
                }
                Verdict::Accepted if forbids => {
                    first = None;
                    if asked - began > BOUND {
                        self.after_bound.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Verdict::Accepted | Verdict::Refused if verdict == wanted => {
                    first = first.or(Some(began.elapsed()));
                    if forbids {
                        self.again(world, server, credential).await;
                    }
                    return first;
                }
                _ => {}
            }
            sleep(self.every).await;
            asked = Instant::now();
        }
        self.never.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// A refusal is for good.
    async fn again(&self, world: &World, server: &str, credential: &str) {
        for _ in 0..AGAIN {
            if world.present(server, credential).await == Verdict::Accepted {
                self.after_refusal.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
