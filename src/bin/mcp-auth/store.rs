//! The database, and who writes to it.

use std::sync::{Mutex, PoisonError};

use tower_mcp_auth::backend::{RedisHints, SqlOpenError, SqlStore};

use crate::args::Global;
use crate::failure::{Failure, lines};

/// The address of the database, which this command cannot do without.
pub(crate) fn address(global: &Global) -> Result<&str, Failure> {
    let given = global.database.as_deref().filter(|url| !url.is_empty());
    given.ok_or_else(|| {
        let remedy = "give --database or MCP_AUTH_DATABASE_URL, for example sqlite:mcp-auth.db or \
                      postgres://mcp_auth@localhost/mcp_auth";
        Failure::usage("no database is named", remedy)
    })
}

/// The stores a command has opened.
#[derive(Debug, Default)]
pub(crate) struct Opened(Mutex<Vec<SqlStore>>);

impl Opened {
    /// Closes them, so that no hint of a write is lost with the program.
    pub(crate) async fn close(&self) {
        let stores = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for store in stores {
            store.close().await;
        }
    }
}

/// The store as it is; never creates or migrates it.
pub(crate) async fn open(global: &Global) -> Result<SqlStore, Failure> {
    let mut builder = SqlStore::builder(address(global)?);
    if let Some(url) = global.redis.as_deref().filter(|url| !url.is_empty()) {
        builder = builder.hints(RedisHints::new(url).map_err(|error| {
            let remedy = "write it like redis://localhost/";
            Failure::problems("the Redis cannot be used", lines(&error), remedy)
        })?);
    }
    let store = builder.open().await.map_err(cannot_open)?;
    let mut opened = global
        .opened
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    opened.push(store.clone());
    Ok(store.by(by(global)))
}

pub(crate) fn cannot_open(error: SqlOpenError) -> Failure {
    let remedy = "look at the address in --database; `mcp-auth migrate` makes a new database, and brings an older one \
                  up to date";
    match error {
        SqlOpenError::Config(error) => Failure::problems(
            "the database cannot be opened",
            lines(&error),
            "write it like sqlite:mcp-auth.db or postgres://mcp_auth@localhost/mcp_auth",
        ),
        SqlOpenError::Schema(version) if version.current > version.latest => Failure::failed(
            "the database was migrated by a newer mcp-auth",
            version,
            "use that version of this program, or a newer one",
        ),
        other => Failure::failed("the database cannot be opened", other, remedy),
    }
}

/// Who does this.
pub(crate) fn by(global: &Global) -> String {
    let given = global.by.clone().filter(|name| !name.is_empty());
    let user = || std::env::var("USER").ok().filter(|name| !name.is_empty());
    given.or_else(user).unwrap_or_else(|| "mcp-auth".to_owned())
}
