//! A database of its own for a run, so that it counts nobody else's records and hurts nobody.

use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};
use tower_mcp_auth::backend::SqlStore;

use super::BoxError;

pub(crate) struct Place {
    pub(crate) url: String,
    name: String,
    server: PgConnectOptions,
}

impl Place {
    /// A new database, with its tables, on this server.
    pub(crate) async fn create(server: &str) -> Result<Self, BoxError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("fleet_{}_{number}", process::id());
        let mut url = url::Url::parse(server)?;
        url.set_path(&name);
        let place = Self {
            url: url.to_string(),
            name,
            server: server.parse()?,
        };
        let mut connection = place.connect().await?;
        let create = format!("CREATE DATABASE {} TEMPLATE template0", place.name);
        connection.execute(create.as_str()).await?;
        connection.close().await?;
        let store = SqlStore::builder(&*place.url).migrate(true).open().await?;
        store.close().await;
        Ok(place)
    }

    /// A connection to the server, not to the database.
    async fn connect(&self) -> Result<PgConnection, BoxError> {
        Ok(self.server.clone().connect().await?)
    }

    /// Ends every connection to the database; says how many.
    pub(crate) async fn terminate(&self) -> Result<usize, BoxError> {
        let mut connection = self.connect().await?;
        let ended = sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
        )
        .bind(&self.name)
        .fetch_all(&mut connection)
        .await?;
        connection.close().await?;
        Ok(ended.len())
    }

    /// Removes the database, whoever uses it.
    pub(crate) async fn remove(self) -> Result<(), BoxError> {
        let mut connection = self.connect().await?;
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        connection.execute(drop.as_str()).await?;
        Ok(connection.close().await?)
    }
}
