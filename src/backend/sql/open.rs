//! Opening a store.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Once};

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, ConnectOptions, Executor};

use super::builder::{Place, SqlStoreBuilder};
use super::engine::{CONNECT, Engine, SqlEngine};
use super::migrate::{SchemaVersion, migrate, schema};
use super::notify::Bell;
use super::{Shared, SqlStore};
use crate::error::{BackendError, ConfigError};
use crate::policy::PolicyChanges;
use crate::secret::SecretText;

/// `synchronous = FULL`: a revocation that was reported done survives a loss of power.
const SQLITE: &str = "PRAGMA busy_timeout = 400; PRAGMA synchronous = FULL;";

/// The isolation that the numbers of the log rely on; and a process that is stopped within a
/// transaction must not keep the others from writing. Every statement has its index: a plan that was
/// made while a table was empty, and kept, must not read all of it later.
const POSTGRES: &str = "SET statement_timeout = 500; SET idle_in_transaction_session_timeout = 2000; \
    SET default_transaction_isolation = 'read committed'; SET enable_seqscan = off;";

/// Why a store was not opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum SqlOpenError {
    /// The settings have mistakes; all of them are listed.
    Config(ConfigError),
    /// The schema is missing, or older or newer than this version of the crate; the text says what to
    /// do.
    Schema(SchemaVersion),
    /// The database did not answer, or refused.
    Backend(BackendError),
}

impl fmt::Display for SqlOpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Schema(version) => version.fmt(f),
            Self::Backend(error) => f.write_str(&error.report()),
        }
    }
}

impl std::error::Error for SqlOpenError {}

impl From<ConfigError> for SqlOpenError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<BackendError> for SqlOpenError {
    fn from(error: BackendError) -> Self {
        Self::Backend(error)
    }
}

impl SqlStoreBuilder {
    /// Opens the store: connects, which may take 10 s, and looks at the schema. Needs a Tokio runtime.
    ///
    /// # Errors
    ///
    /// Every mistake in the settings at once; the database cannot be reached; its schema is not the one
    /// this version needs. No error shows the URL.
    pub async fn open(self) -> Result<SqlStore, SqlOpenError> {
        let place = self.examine()?;
        if place.engine == SqlEngine::Sqlite && !place.is_memory {
            file(&self.url, self.create).await?;
        }
        let engine = Engine::new(place.engine, self.pool(&place)?);
        let first = async {
            engine.lend().await?.done();
            Ok(())
        };
        Engine::within(CONNECT, "connecting to the database", first).await?;
        if self.migrate {
            migrate(&engine, self.clock.now().as_secs()).await?;
        }
        let version = schema(&engine).await?;
        if !version.is_current() && !self.any_schema {
            return Err(SqlOpenError::Schema(version));
        }
        let engine = Arc::new(engine);
        let bell = Bell::new(
            engine.clone(),
            self.hints,
            &Arc::new(SecretText::of(self.url)),
        );
        Ok(SqlStore {
            shared: Arc::new(Shared {
                engine,
                clock: self.clock,
                changes: PolicyChanges::new(),
            }),
            author: None,
            bell,
        })
    }

    /// A pool that connects when it is used.
    fn pool(&self, place: &Place) -> Result<sqlx::AnyPool, BackendError> {
        install_drivers();
        let options = AnyConnectOptions::from_str(&self.url)
            .map_err(|_| BackendError::new("the URL of the database cannot be read"))?
            .disable_statement_logging();
        let is_sqlite = place.engine == SqlEngine::Sqlite;
        let mut pool = AnyPoolOptions::new()
            .max_connections(self.max_connections)
            .acquire_timeout(CONNECT)
            // A server may be gone or another one; a file is not.
            .test_before_acquire(!is_sqlite);
        if place.is_memory {
            // The database ends with its connection.
            pool = pool
                .max_connections(1)
                .idle_timeout(None)
                .max_lifetime(None);
        }
        let settings = if is_sqlite { SQLITE } else { POSTGRES };
        let pool = pool.after_connect(move |connection: &mut AnyConnection, _| {
            Box::pin(async move { connection.execute(settings).await.map(|_| ()) })
        });
        Ok(pool.connect_lazy_with(options))
    }
}

/// sqlx keeps its drivers in one list for the whole program.
fn install_drivers() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // It panics if the program has installed a list of its own, which then holds.
        let _ = std::panic::catch_unwind(sqlx::any::install_default_drivers);
    });
}

#[cfg(feature = "sqlite")]
async fn file(url: &str, create: bool) -> Result<(), BackendError> {
    let what = "opening the file of the database";
    let options = sqlx::sqlite::SqliteConnectOptions::from_str(url)
        // The error quotes what it does not understand, which may be any part of the URL.
        .map_err(|_| BackendError::new("the URL of the database cannot be read"))?;
    let path = options.get_filename().to_owned();
    let opened = tokio::task::spawn_blocking(move || {
        if path.exists() {
            return Ok(());
        }
        if !create {
            return Err(BackendError::new(format!(
                "there is no database at {}: run `mcp-auth migrate`, or have the server make it: \
                 `create = true` and `migrate = true` under [database], or the same of SqlStoreBuilder",
                path.display()
            )));
        }
        let made = private(&path);
        made.map_err(|error| BackendError::with_source(format!("{what} {}", path.display()), error))
    });
    opened
        .await
        .map_err(|error| BackendError::with_source(what, error))?
}

#[cfg(not(feature = "sqlite"))]
async fn file(_: &str, _: bool) -> Result<(), BackendError> {
    Err(BackendError::new("SQLite needs the feature `sqlite`"))
}

/// A new file that only its owner can read: it holds verifiers and addresses of people.
#[cfg(feature = "sqlite")]
fn private(path: &std::path::Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
