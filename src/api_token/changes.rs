//! News of written tokens, so that whoever remembers one can forget it at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
    /// So much was written that single tokens are not told any more: forget all of them.
    Everything,
}

/// News of every token written through one [`ApiTokens`](super::ApiTokens) and its clones, from the
/// moment of subscription. Writes of other processes are not among them.
#[derive(Debug)]
pub struct TokenChanges(broadcast::Receiver<TokenId>);

impl TokenChanges {
    /// Waits for the next change; `None` when the last `ApiTokens` is gone. Safe to cancel.
    pub async fn next(&mut self) -> Option<TokenChange> {
        match self.0.recv().await {
            Ok(id) => Some(TokenChange::Token(id)),
            Err(RecvError::Lagged(_)) => Some(self.everything()),
            Err(RecvError::Closed) => None,
        }
    }

    /// The next change if there is one; never waits.
    pub fn try_next(&mut self) -> Option<TokenChange> {
        match self.0.try_recv() {
            Ok(id) => Some(TokenChange::Token(id)),
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

/// Where the news come from.
#[derive(Clone, Debug)]
pub(crate) struct Announcer(broadcast::Sender<TokenId>, Arc<AtomicU64>);

impl Announcer {
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(CAPACITY), Arc::default())
    }

    pub(crate) fn announce(&self, id: TokenId) {
        // The only error is that nobody listens.
        let _heard = self.0.send(id);
        // After the news is out: whoever sees the new count finds it.
        self.1.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn count(&self) -> u64 {
        self.1.load(Ordering::Acquire)
    }

    pub(crate) fn subscribe(&self) -> TokenChanges {
        TokenChanges(self.0.subscribe())
    }
}

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
        drop(announcer);
        assert_eq!(changes.next().await, None);
    }
}
