//! Used DPoP proofs.

use std::fmt::{self, Write};
use std::sync::Arc;

use super::connection::Connection;
use crate::clock::UnixTime;
use crate::dpop::{Claim, ProofId, ReplayStore};
use crate::error::{BackendError, ConfigError};

/// A [`ReplayStore`] in Redis: a DPoP proof is taken once by all processes together. Features `redis` and
/// `dpop`.
///
/// One `SET … NX EXAT` for each request with a proof, so it needs Redis 6.2 or later, or Valkey. A key has about
/// 100 bytes and goes when the proof could not come again. Give it a Redis that evicts nothing (`maxmemory-policy
/// noeviction`): an evicted proof can be used again until it is too old, and so can what a Redis has forgotten that
/// starts empty, or a replica that takes over has not heard of.
///
/// Proofs go by the clock of Redis. One that is more than a minute ahead of the processes forgets proofs that
/// could come again: keep both by NTP.
///
/// A call takes at most 250 ms. While Redis is away, or does not say, requests with a proof are answered
/// with 503, never let in; it recovers by itself, within about a second.
///
/// ```
/// use tower_mcp_auth::backend::RedisReplayStore;
/// use tower_mcp_auth::dpop::Dpop;
///
/// let dpop = Dpop::new().replay_store(RedisReplayStore::new("redis://cache.internal:6379/0")?);
/// # let _ = dpop; // nothing is connected yet
/// # Ok::<(), tower_mcp_auth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct RedisReplayStore {
    connection: Connection,
    prefix: Arc<str>,
}

impl RedisReplayStore {
    /// Proofs in this Redis: `redis://[user:password@]host[:port][/database]`, `rediss://` for TLS (with the
    /// Mozilla roots), `unix://` for a socket. No I/O, and no runtime needed.
    ///
    /// # Errors
    ///
    /// The URL cannot be used. The error does not repeat it.
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            connection: Connection::new(url)?,
            prefix: "mcp_auth".into(),
        })
    }

    /// Trusts the authorities in this PEM file (RFC 7468) and not Mozilla's, for a `rediss://` whose
    /// certificate is by your own.
    ///
    /// # Errors
    ///
    /// A certificate cannot be read, there is none, or the URL is not `rediss://`.
    pub fn root_certificates_pem(self, pem: &[u8]) -> Result<Self, ConfigError> {
        let connection = self.connection.trusting(pem)?;
        Ok(Self { connection, ..self })
    }

    /// What its keys begin with, before `:dpop:` and 64 hexadecimal digits. Default `mcp_auth`. All
    /// processes of a server need the same.
    #[must_use]
    pub fn key_prefix(mut self, name: &str) -> Self {
        self.prefix = name.into();
        self
    }

    fn key(&self, proof: &ProofId) -> String {
        let mut key = format!("{}:dpop:", self.prefix);
        for byte in proof.as_bytes() {
            // Writing to a string does not fail.
            let _ = write!(key, "{byte:02x}");
        }
        key
    }
}

impl ReplayStore for RedisReplayStore {
    async fn claim(&self, proof: ProofId, until: UnixTime) -> Result<Claim, BackendError> {
        let mut set = redis::cmd("SET");
        set.arg(self.key(&proof)).arg("").arg("NX");
        // Redis takes no time before 1970, and keeps nothing until then anyway.
        set.arg("EXAT").arg(until.as_secs().max(1));
        let (stored, twice) = self.connection.query_counted::<Option<()>>(&set).await?;
        match stored {
            Some(()) => Ok(Claim::First),
            // What is there may be what the first attempt left behind.
            None if twice => Err(BackendError::new(
                "a DPoP proof may have been put on record, or have been there: the connection was lost",
            )),
            None => Ok(Claim::Again),
        }
    }
}

impl fmt::Debug for RedisReplayStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisReplayStore")
            .field("connection", &self.connection)
            .field("prefix", &self.prefix)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_a_prefix_and_the_whole_digest() {
        let store = RedisReplayStore::new("redis://127.0.0.1").unwrap();
        let proof = ProofId::from([0xa5; 32]);
        assert_eq!(
            store.key(&proof),
            format!("mcp_auth:dpop:{}", "a5".repeat(32))
        );
        let store = store.key_prefix("eu");
        assert!(store.key(&proof).starts_with("eu:dpop:a5"));
    }

    #[test]
    fn nothing_shows_the_password() {
        let store = RedisReplayStore::new("redis://mcp:hunter2@cache:6380/1").unwrap();
        let shown = format!("{store:?}");
        assert!(shown.contains("cache:6380"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
