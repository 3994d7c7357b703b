//! Tokens, policies and the log in one SQL database.

mod builder;
mod engine;
mod fields;
#[cfg(feature = "postgres")]
mod listen;
mod log;
mod migrate;
mod notify;
mod open;
mod policies;
mod prune;
mod roles;
mod tokens;

use std::fmt;
use std::sync::Arc;

use engine::Engine;
use notify::Bell;

use crate::clock::Clock;
use crate::policy::PolicyChanges;

pub use builder::SqlStoreBuilder;
pub use engine::SqlEngine;
pub use migrate::SchemaVersion;
pub use open::SqlOpenError;
pub use policies::PolicyRevision;
pub use prune::Pruned;

/// Tokens, policies and revocations in one SQL database.
pub struct SqlStore {
    shared: Arc<Shared>,
    author: Option<Arc<str>>,
    bell: Bell,
}

struct Shared {
    engine: Arc<Engine>,
    clock: Arc<dyn Clock>,
    changes: PolicyChanges,
}

impl SqlStore {
    /// Opens a database whose schema is current: [`builder`](Self::builder) with its defaults.
    ///
    /// # Errors
    ///
    /// As [`SqlStoreBuilder::open`].
    pub async fn connect(url: impl Into<String>) -> Result<Self, SqlOpenError> {
        Self::builder(url).open().await
    }

    /// A store in the database at `url`: `sqlite:mcp-auth.db`, `sqlite::memory:`,
    /// `postgres://user:password@host/database`.
    pub fn builder(url: impl Into<String>) -> SqlStoreBuilder {
        SqlStoreBuilder::new(url.into())
    }

    /// Which database it is in.
    #[must_use]
    pub fn engine(&self) -> SqlEngine {
        self.shared.engine.kind
    }

    /// The same store, whose writes of policies, changes of tokens and revocations are recorded as
    /// this author's. Default: nobody's.
    #[must_use]
    pub fn by(&self, author: impl Into<String>) -> Self {
        Self {
            author: Some(author.into().into()),
            ..self.clone()
        }
    }

    /// Closes every connection, after the calls under way. Calls that come later fail. Dropping the
    /// last clone closes them too, without waiting.
    pub async fn close(&self) {
        self.shared.engine.pool.close().await;
    }

    fn now(&self) -> i64 {
        self.shared.clock.now().as_secs()
    }
}

impl Clone for SqlStore {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            author: self.author.clone(),
            bell: self.bell.clone(),
        }
    }
}

impl fmt::Debug for SqlStore {
    /// Never the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore")
            .field("engine", &self.engine())
            .field("author", &self.author)
            .finish_non_exhaustive()
    }
}
