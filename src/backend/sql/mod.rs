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

/// Tokens, policies and revocations in one SQL database, for the processes of a server to share.
///
/// One value is the [`ApiTokenStore`](crate::api_token::ApiTokenStore), the
/// [`PolicyStore`](crate::policy::PolicyStore) and the [`RevocationLog`](crate::revocation::RevocationLog).
/// Cloning shares it.
///
/// ```
/// use tower_mcp_auth::api_token::{ApiTokens, NewToken, Peppers};
#[cfg_attr(
    feature = "sqlite",
    doc = "use tower_mcp_auth::backend::SqlStore;
use tower_mcp_auth::{Authenticator, Issuer, ProtectedResource};

# tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
// In production: sqlite:/var/lib/mcp/auth.db, or postgres://mcp@db.internal/auth?sslmode=verify-full,
// and the schema is brought up to date by `mcp-auth migrate`.
let store = SqlStore::builder(\"sqlite::memory:\").migrate(true).open().await?;
let tokens = ApiTokens::new(store.clone(), Peppers::generate()?);
let auth = Authenticator::builder(
    ProtectedResource::new(\"https://mcp.example.com/mcp\")
        .issuer(Issuer::new(\"https://auth.example.com/t1\")),
)
.api_tokens(tokens.clone())
.policies(store.clone())
.revocations(store)
.build()?;

let new = NewToken::personal(\"acme\", \"user-17\", \"ada@acme.example\").scopes([\"read:issues\"]);
let issued = tokens.issue(new).await?;
tokens.revoke(issued.record.id()).await?; // the other processes know within two seconds
# Ok::<_, Box<dyn std::error::Error>>(())
# })?;"
)]
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # One log
///
/// Whatever changes a token or a policy adds an entry to the log in the same transaction, so that every
/// process that reads the log knows what to read again ([`RecordChange`](crate::revocation::RecordChange)).
/// Numbers have no gaps, whoever writes at the same time. After a write the store sends
/// [hints](SqlStoreBuilder::hints), at most ten a second; on PostgreSQL also by `NOTIFY mcp_auth`, heard
/// on a connection of its own that is opened when somebody first waits for hints.
///
/// # Limits and defaults
///
/// | what | default | bounds |
/// | --- | --- | --- |
/// | one call, with waiting for its connection | 500 ms | fixed |
/// | waiting for a connection while all are lent | 200 ms | fixed |
/// | connections | 16; 1 in memory | 1 – 1,000 |
/// | connecting: when the store is opened | 10 s | fixed |
/// | migrations | 60 s | fixed |
/// | hints sent | 10 a second | fixed |
/// | the log, replaced policies; tokens, after they expired | 367 days, by [`prune`](SqlStore::prune) | fixed |
///
/// A connection that takes longer than a call may is opened behind its back, for the calls after it; and
/// where a call found an idle one dead, all idle ones are asked, and those that do not answer closed.
/// Where the database does not answer, a call is a [`BackendError`](crate::BackendError) that says what
/// was asked and never an address or a password; clients get 503.
///
/// # Databases
///
/// **PostgreSQL** 12 or later. Sessions run with `statement_timeout = 500`, `READ COMMITTED`, and end when a
/// transaction of theirs stands still for 2 s. Say `?sslmode=verify-full` in the URL: sqlx takes a
/// connection without TLS otherwise. [`grant_reader`](SqlStore::grant_reader) makes a role that serves
/// requests and cannot change a record. Text with NUL is refused.
///
/// **SQLite**, bundled, in one file that the processes of one machine share: `WAL` and `synchronous =
/// FULL`, so that a revocation that was reported done survives a loss of power. Not on a network file
/// system. `?mode=ro` opens it for reading only; that serves requests too.
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

    /// Closes every connection, after the calls under way and the hint of the last write. Calls that
    /// come later fail. Dropping the last clone closes them too, without waiting.
    pub async fn close(&self) {
        self.bell.rung().await;
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
