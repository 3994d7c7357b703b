//! How an authenticator stands: for start-up, health checks and gauges.

use std::time::Duration;

use futures_util::future::{OptionFuture, join, join_all};

use super::Authenticator;
use super::follower::{Follower, RevocationStatus};
use super::remembered::Memory;
use crate::error::BackendError;
use crate::oauth::keys::IssuerStatus;

impl Authenticator {
    /// Whether keys of every issuer are at hand, and what other processes revoked, if they share a
    /// log. Before that, tokens of the missing issuers, or everybody, are answered with 503 if they
    /// cannot be fetched. Stricter than [`Health::ready`](super::Health::ready): for start-up, not for a
    /// probe that takes a running server out of rotation, which one issuer of many should not do.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let follower = self.0.ground.revocations.follower.as_ref();
        follower.is_none_or(Follower::is_ready)
            && self
                .latest()
                .0
                .trust
                .issuers()
                .all(|issuer| issuer.keys.is_ready())
    }

    /// How this process stands to the log of revocations it shares with others; `None` without one.
    #[must_use]
    pub fn revocation_status(&self) -> Option<RevocationStatus> {
        let follower = self.0.ground.revocations.follower.as_ref();
        follower.map(Follower::status)
    }

    /// How many targets are revoked now, roughly, over all mounts: a gauge.
    #[must_use]
    pub fn revocations(&self) -> usize {
        self.0.ground.revocations.len()
    }

    /// How many verified access tokens and API tokens are remembered now, over all mounts: a gauge.
    #[must_use]
    pub fn verified_tokens(&self) -> usize {
        self.latest()
            .0
            .shared
            .memory
            .as_ref()
            .map_or(0, Memory::len)
    }

    /// How each issuer stands, in the order of their identifiers: for health checks and gauges.
    #[must_use]
    pub fn issuer_status(&self) -> Vec<IssuerStatus> {
        let current = self.latest();
        let issuers = current.0.trust.issuers();
        let mut all: Vec<_> = issuers.map(|issuer| issuer.keys.status()).collect();
        all.sort_by(|a, b| a.issuer.cmp(&b.issuer));
        all
    }

    /// Fetches the keys of every issuer, and reads the shared log of revocations, for at most
    /// `deadline`. Optional: without it the first request does. Needs a tokio runtime.
    ///
    /// Fetching goes on in the background after the deadline, so that a server started before its
    /// issuer becomes ready without a request.
    ///
    /// # Errors
    ///
    /// Names the issuers whose keys, or the log, that were not there by the deadline. A server may start regardless.
    pub async fn warm_up(&self, deadline: Duration) -> Result<(), BackendError> {
        let follower = self.0.ground.revocations.follower.as_ref();
        let current = self.latest();
        let keys = join_all(
            current
                .0
                .trust
                .issuers()
                .map(|issuer| issuer.keys.warm_up()),
        );
        let log = OptionFuture::from(follower.map(Follower::warm_up));
        // The outcome is read from the sources: some may have come before the deadline.
        let _ = tokio::time::timeout(deadline, join(keys, log)).await;
        let issuers = current.0.trust.issuers();
        let missing = issuers.filter(|issuer| !issuer.keys.is_ready());
        let mut missing: Vec<&str> = missing.map(|issuer| &*issuer.name).collect();
        if follower.is_some_and(|follower| !follower.is_ready()) {
            missing.push("the revocation log");
        }
        if missing.is_empty() {
            Ok(())
        } else {
            Err(BackendError::new(format!(
                "nothing yet from {}",
                missing.join(", ")
            )))
        }
    }
}
