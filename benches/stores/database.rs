//! A database of one run, in the Postgres that `scripts/services` starts.

use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Executor};

pub(crate) struct Database {
    server: String,
    name: String,
    pub(crate) url: String,
}

impl Database {
    /// `None` if there is no Postgres.
    pub(crate) async fn create() -> Option<Self> {
        let server = std::env::var("MCP_AUTH_TEST_POSTGRES").ok()?;
        let name = format!("stores_{}", std::process::id());
        let create = format!("CREATE DATABASE {name} TEMPLATE template0");
        run(&server, &create).await;
        let (address, _) = server.rsplit_once('/').unwrap();
        let url = format!("{address}/{name}");
        Some(Self { server, name, url })
    }

    /// A connection beside the store's.
    pub(crate) async fn connect(&self) -> PgConnection {
        connect(&self.url).await
    }

    pub(crate) async fn remove(self) {
        let remove = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        run(&self.server, &remove).await;
    }
}

async fn connect(url: &str) -> PgConnection {
    let options = PgConnectOptions::from_str(url).unwrap();
    options.connect().await.unwrap()
}

async fn run(url: &str, command: &str) {
    let mut connection = connect(url).await;
    connection.execute(command).await.unwrap();
    connection.close().await.unwrap();
}
