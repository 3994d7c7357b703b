//! Telling other processes to read the log now, and hearing it from them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::engine::{Engine, SqlEngine};
use crate::error::BackendError;
use crate::revocation::{DynHints, Hints};
use crate::secret::SecretText;

pub(super) const TARGET: &str = "tower_mcp_auth::sql";
/// The least time between two hints of a store: ten a second, however much is written (R22).
const APART: Duration = Duration::from_millis(100);
/// After each hint that came in, so that a way that never waits does not use up a processor.
const PAUSE: Duration = Duration::from_millis(10);

/// One clone's view of the hints: what one clone has heard, the others have still to hear.
#[derive(Debug)]
pub(super) struct Bell {
    tower: Arc<Tower>,
    heard: Mutex<watch::Receiver<()>>,
}

/// The hints of a store and all its clones.
#[derive(Debug)]
struct Tower {
    engine: Arc<Engine>,
    ways: Vec<DynHints>,
    /// For `LISTEN`. May hold a password.
    #[cfg(feature = "postgres")]
    url: Arc<SecretText>,
    /// When hints were last sent, or are about to be.
    last: Mutex<Option<Instant>>,
    heard: watch::Sender<()>,
    /// The task that sends the hint which is due.
    sender: Mutex<Option<JoinHandle<()>>>,
    listeners: Mutex<Vec<JoinHandle<()>>>,
}

impl Bell {
    pub(super) fn new(engine: Arc<Engine>, ways: Vec<DynHints>, url: &Arc<SecretText>) -> Self {
        let (sender, heard) = watch::channel(());
        #[cfg(not(feature = "postgres"))]
        let _ = url;
        Self {
            tower: Arc::new(Tower {
                engine,
                ways,
                #[cfg(feature = "postgres")]
                url: url.clone(),
                last: Mutex::default(),
                heard: sender,
                sender: Mutex::default(),
                listeners: Mutex::default(),
            }),
            heard: Mutex::new(heard),
        }
    }

    /// After a commit: sends a hint, now or when [`APART`] after the last one. Waits for nothing.
    pub(super) fn ring(&self) {
        let Some(at) = self.tower.due() else {
            return;
        };
        let tower = self.tower.clone();
        let sender = tokio::spawn(async move {
            sleep_until(at).await;
            tower.send().await;
        });
        *self.tower.sender() = Some(sender);
    }

    /// Ends when the hint that is due has been sent: for programs that write and end at once.
    pub(super) async fn rung(&self) {
        let sender = self.tower.sender().take();
        if let Some(sender) = sender {
            // A panic in it is nobody's who waits.
            let _ = sender.await;
        }
    }

    /// Ends when a hint came since the last call on this clone. The first call of all begins to listen.
    pub(super) async fn received(&self) {
        self.tower.listen();
        let mut heard = self.clone_heard();
        // The sender is in the tower, which lives as long as this.
        let _ = heard.changed().await;
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = heard;
    }

    fn clone_heard(&self) -> watch::Receiver<()> {
        self.heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Clone for Bell {
    fn clone(&self) -> Self {
        Self {
            tower: self.tower.clone(),
            heard: Mutex::new(self.clone_heard()),
        }
    }
}

impl Tower {
    fn sender(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When to send a hint of what was just written; `None` if one will be sent anyway.
    fn due(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| last > now) {
            return None;
        }
        let at = last.map_or(now, |last| now.max(last + APART));
        *last = Some(at);
        Some(at)
    }

    async fn send(&self) {
        self.heard.send_replace(());
        for way in &self.ways {
            said(way.send().await);
        }
        if self.engine.kind == SqlEngine::Postgres {
            said(self.notify().await);
        }
    }

    async fn notify(&self) -> Result<(), BackendError> {
        let work = async {
            let mut lent = self.engine.lend().await?;
            sqlx::query("NOTIFY mcp_auth").execute(&mut *lent).await?;
            lent.done();
            Ok(())
        };
        self.engine.call("sending a hint", work).await
    }

    /// Begins to listen, or again if the runtime that did is gone.
    fn listen(&self) {
        let mut listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if listeners.iter().any(|listener| !listener.is_finished()) {
            return;
        }
        *listeners = self
            .ways
            .iter()
            .map(|way| tokio::spawn(relay(way.clone(), self.heard.clone())))
            .collect();
        #[cfg(feature = "postgres")]
        if self.engine.kind == SqlEngine::Postgres {
            let listener = super::listen::listen(self.url.clone(), self.heard.clone());
            listeners.push(tokio::spawn(listener));
        }
    }
}

impl Drop for Tower {
    fn drop(&mut self) {
        let listeners = self
            .listeners
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        for listener in listeners {
            listener.abort();
        }
    }
}

/// A hint that was not sent costs others up to two seconds and nothing else (R21).
fn said(sent: Result<(), BackendError>) {
    if let Err(error) = sent {
        tracing::debug!(target: TARGET, error = error.report(), "a hint was not sent");
    }
}

async fn relay(way: DynHints, heard: watch::Sender<()>) {
    loop {
        way.received().await;
        heard.send_replace(());
        sleep(PAUSE).await;
    }
}
