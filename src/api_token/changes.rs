//! News of written tokens, so that whoever remembers one can forget it at once.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};

use super::format::TokenId;

/// More unread news than this count as "anything may have changed".
const CAPACITY: usize = 1024;

/// What a remembered token may no longer be trusted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenChange {
    /// This token was issued, rolled, revoked or otherwise written.
    Token(TokenId),
    /// So much was written that single tokens are not told any more, or it is not known what: forget
    /// all of them.
    Everything,
}

/// News of every token written through one [`ApiTokens`](super::ApiTokens) and its clones, from the
/// moment of subscription.
///
/// Writes of other processes are among them while an authenticator with these tokens follows a
/// [log](crate::authenticator::AuthenticatorBuilder::revocations) that their store writes
/// [news](crate::revocation::RecordChange) into: within about two seconds, and what was written here is
/// then heard once more. Where that log begins, or begins anew, comes [`TokenChange::Everything`].
#[derive(Debug)]
pub struct TokenChanges(broadcast::Receiver<TokenChange>);

impl TokenChanges {
    /// Waits for the next change; `None` when the last `ApiTokens` is gone. Safe to cancel.
    pub async fn next(&mut self) -> Option<TokenChange> {
        match self.0.recv().await {
            Ok(change) => Some(change),
            Err(RecvError::Lagged(_)) => Some(self.everything()),
            Err(RecvError::Closed) => None,
        }
    }

    /// The next change if there is one; never waits.
    pub fn try_next(&mut self) -> Option<TokenChange> {
        match self.0.try_recv() {
            Ok(change) => Some(change),
            Err(TryRecvError::Lagged(_)) => Some(self.everything()),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }

    /// "Everything" includes what is still queued.
    fn everything(&mut self) -> TokenChange {
        self.0 = self.0.resubscribe();
        TokenChange::Everything
    }
}

type Listener = dyn Fn(TokenChange) + Send + Sync;

/// Where the news come from. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Announcer(Arc<Inner>);

struct Inner {
    sender: broadcast::Sender<TokenChange>,
    count: AtomicU64,
    listeners: Mutex<Vec<Weak<Listener>>>,
}

impl Announcer {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            sender: broadcast::Sender::new(CAPACITY),
            count: AtomicU64::new(0),
            listeners: Mutex::default(),
        }))
    }

    pub(crate) fn announce(&self, id: TokenId) {
        self.tell(TokenChange::Token(id));
    }

    /// For what may have been missed: no record that was read before is to be trusted.
    pub(crate) fn announce_all(&self) {
        self.tell(TokenChange::Everything);
    }

    fn tell(&self, change: TokenChange) {
        // The only error is that nobody listens.
        let _heard = self.0.sender.send(change);
        // After the news is out: whoever sees the new count finds it.
        self.0.count.fetch_add(1, Ordering::AcqRel);
        // Copied, so that a listener may add another one. Last, so that whoever is called finds the
        // count raised.
        let living: Vec<_> = self.listeners().iter().filter_map(Weak::upgrade).collect();
        for listener in living {
            // A write must not fail for a fault of its audience.
            let _ = catch_unwind(AssertUnwindSafe(|| listener(change)));
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.count.load(Ordering::Acquire)
    }

    pub(crate) fn subscribe(&self) -> TokenChanges {
        TokenChanges(self.0.sender.subscribe())
    }

    /// Calls `listener` after every write and before the write returns, until the returned value is
    /// dropped.
    pub(crate) fn on_change(
        &self,
        listener: impl Fn(TokenChange) + Send + Sync + 'static,
    ) -> TokenListener {
        let listener: Arc<Listener> = Arc::new(listener);
        let mut listeners = self.listeners();
        listeners.retain(|known| known.strong_count() > 0);
        listeners.push(Arc::downgrade(&listener));
        TokenListener(listener)
    }

    fn listeners(&self) -> MutexGuard<'_, Vec<Weak<Listener>>> {
        self.0
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Announcer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announcer")
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}

/// Keeps a listener of [`Announcer::on_change`] alive.
pub(crate) struct TokenListener(
    #[expect(dead_code, reason = "held for its drop alone")] Arc<Listener>,
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_token::format::random_id;

    #[tokio::test]
    async fn a_slow_reader_is_told_to_forget_everything() {
        let announcer = Announcer::new();
        let mut changes = announcer.subscribe();
        let id = random_id().unwrap();
        assert_eq!(changes.try_next(), None);
        announcer.announce(id);
        assert_eq!(changes.next().await, Some(TokenChange::Token(id)));
        for _ in 0..=CAPACITY {
            announcer.announce(id);
        }
        assert_eq!(changes.next().await, Some(TokenChange::Everything));
        assert_eq!(changes.try_next(), None);
        announcer.announce(id);
        assert_eq!(changes.try_next(), Some(TokenChange::Token(id)));
        announcer.announce_all();
        announcer.announce(id);
        assert_eq!(changes.try_next(), Some(TokenChange::Everything));
        assert_eq!(changes.next().await, Some(TokenChange::Token(id)));
        drop(announcer);
        assert_eq!(changes.next().await, None);
    }

    #[test]
    fn a_listener_is_called_before_a_write_returns_and_not_after_its_drop() {
        let announcer = Announcer::new();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (into, from) = (heard.clone(), announcer.clone());
        let listener =
            announcer.on_change(move |change| into.lock().unwrap().push((change, from.count())));
        let _panics = announcer.on_change(|_| panic!("a fault of the audience"));
        let id = random_id().unwrap();
        announcer.announce(id);
        assert_eq!(*heard.lock().unwrap(), [(TokenChange::Token(id), 1)]);
        announcer.announce_all();
        assert_eq!(
            heard.lock().unwrap().last(),
            Some(&(TokenChange::Everything, 2))
        );
        drop(listener);
        announcer.announce(id);
        assert_eq!((heard.lock().unwrap().len(), announcer.count()), (2, 3));
    }
}
