//! The schema and its versions.
//!
//! Not sqlx's migrator: its table has one fixed name, so a program that keeps its own tables in the
//! same database with sqlx would take our migrations for its own that went missing; and on SQLite it
//! takes no lock.

use std::fmt;
use std::time::Duration;

use sqlx::{AnyConnection, Connection, query, query_scalar, raw_sql};

use super::SqlStore;
use super::engine::{Engine, Fault, SqlEngine};
use crate::error::BackendError;

/// How long migrations may take, all together.
const DEADLINE: Duration = Duration::from_secs(60);

struct Migration {
    version: u32,
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

const MIGRATIONS: [Migration; 1] = [Migration {
    version: 1,
    name: "0001_first",
    sqlite: include_str!("migrations/sqlite/0001_first.sql"),
    postgres: include_str!("migrations/postgres/0001_first.sql"),
}];

const TABLE: &str = "CREATE TABLE IF NOT EXISTS mcp_auth_schema \
    (version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, at BIGINT NOT NULL)";

const CURRENT: &str = "SELECT COALESCE(MAX(version), 0) FROM mcp_auth_schema";

/// Which schema a database has, and which this version of the crate needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchemaVersion {
    /// What the database has; 0 if it has none.
    pub current: u32,
    /// What this version of the crate needs, no less and no more.
    pub latest: u32,
}

impl SchemaVersion {
    /// Whether the database can be used.
    #[must_use]
    pub fn is_current(self) -> bool {
        self.current == self.latest
    }
}

impl fmt::Display for SchemaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { current, latest } = self;
        match current.cmp(latest) {
            std::cmp::Ordering::Equal => write!(f, "the schema is current, version {current}"),
            std::cmp::Ordering::Greater => write!(
                f,
                "the schema has version {current}, and this program knows versions up to {latest}: \
                 it was migrated by a newer one; update this program"
            ),
            std::cmp::Ordering::Less => {
                match current {
                    0 => f.write_str("the database has no schema")?,
                    _ => write!(f, "the schema has version {current} of {latest}")?,
                }
                f.write_str(
                    ": run `mcp-auth migrate`, or open it with SqlStoreBuilder::migrate(true)",
                )
            }
        }
    }
}

impl SqlStore {
    /// Which schema the database has.
    ///
    /// # Errors
    ///
    /// The database did not answer within 500 ms.
    pub async fn schema(&self) -> Result<SchemaVersion, BackendError> {
        schema(&self.shared.engine).await
    }

    /// Brings the schema up to date, all of it or nothing, and returns the names of what was applied:
    /// of nothing if it is current or newer. Two processes that migrate at once do it once. At most
    /// 60 s. Needs a role that may create tables.
    ///
    /// # Errors
    ///
    /// The database did not answer, or refused.
    pub async fn migrate(&self) -> Result<Vec<String>, BackendError> {
        migrate(&self.shared.engine, self.now()).await
    }
}

pub(super) async fn schema(engine: &Engine) -> Result<SchemaVersion, BackendError> {
    let work = async {
        let mut lent = engine.lend().await?;
        let current = current(&mut lent, engine.kind).await?;
        lent.done();
        Ok(SchemaVersion {
            current: u32::try_from(current).unwrap_or(u32::MAX),
            latest: MIGRATIONS.iter().map(|one| one.version).max().unwrap_or(0),
        })
    };
    engine.call("reading the version of the schema", work).await
}

pub(super) async fn migrate(engine: &Engine, at: i64) -> Result<Vec<String>, BackendError> {
    let work = async {
        let _turn = engine.turn().await;
        let mut lent = engine.lend().await?;
        let begin = match engine.kind {
            SqlEngine::Sqlite => {
                // Kept in the file: readers do not wait for writers.
                raw_sql("PRAGMA journal_mode = WAL")
                    .execute(&mut *lent)
                    .await?;
                "BEGIN IMMEDIATE"
            }
            SqlEngine::Postgres => "BEGIN",
        };
        let mut transaction = lent.begin_with(begin).await?;
        if engine.kind == SqlEngine::Postgres {
            // One at a time; the number says nothing, but is ours alone.
            let lock =
                "SET LOCAL statement_timeout = 60000; SELECT pg_advisory_xact_lock(7881702184390)";
            raw_sql(lock).execute(&mut *transaction).await?;
        }
        let applied = apply(&mut transaction, engine.kind, at).await?;
        transaction.commit().await?;
        lent.done();
        Ok(applied)
    };
    Engine::within(DEADLINE, "migrating the database", work).await
}

async fn apply(
    transaction: &mut AnyConnection,
    kind: SqlEngine,
    at: i64,
) -> Result<Vec<String>, Fault> {
    query(TABLE).execute(&mut *transaction).await?;
    let current = current(transaction, kind).await?;
    let mut applied = Vec::new();
    for one in &MIGRATIONS {
        if i64::from(one.version) <= current {
            continue;
        }
        let text = match kind {
            SqlEngine::Sqlite => one.sqlite,
            SqlEngine::Postgres => one.postgres,
        };
        raw_sql(text).execute(&mut *transaction).await?;
        query("INSERT INTO mcp_auth_schema (version, name, at) VALUES ($1, $2, $3)")
            .bind(i64::from(one.version))
            .bind(one.name)
            .bind(at)
            .execute(&mut *transaction)
            .await?;
        applied.push(one.name.to_owned());
    }
    Ok(applied)
}

async fn current(connection: &mut AnyConnection, kind: SqlEngine) -> Result<i64, Fault> {
    let exists = match kind {
        SqlEngine::Sqlite => "SELECT COUNT(*) FROM sqlite_master WHERE name = 'mcp_auth_schema'",
        SqlEngine::Postgres => {
            "SELECT CASE WHEN to_regclass('mcp_auth_schema') IS NULL THEN 0 ELSE 1 END"
        }
    };
    let exists: i64 = query_scalar(exists).fetch_one(&mut *connection).await?;
    if exists == 0 {
        return Ok(0);
    }
    Ok(query_scalar(CURRENT).fetch_one(connection).await?)
}
