//! `scripts/services` does what the other tests rely on.

use std::time::Duration;

use sqlx::{ConnectOptions, Connection, Executor, Row};

use crate::support::{Database, Private, Which, eventually};

async fn select(url: &str, question: &str) -> Result<String, sqlx::Error> {
    let options: sqlx::postgres::PgConnectOptions = url.parse()?;
    let mut connection = options.connect().await?;
    let answer = connection.fetch_one(question).await?.try_get(0);
    connection.close().await?;
    answer
}

#[tokio::test]
async fn every_test_has_a_database_of_its_own() {
    let (one, other) = (Database::create().await, Database::create().await);
    for database in [&one, &other] {
        let name = select(&database.url, "SELECT current_database()::text");
        let name = name.await.unwrap();
        assert!(database.url.ends_with(&format!("/{name}")), "{name}");
    }
    assert_ne!(one.url, other.url);
}

#[tokio::test]
async fn a_private_postgres_can_be_hurt_and_keeps_its_port_and_data() {
    let servers = Private::start();
    let database = Database::create_in(&servers.postgres_url).await;
    let fsync = async || select(&database.url, "SHOW fsync").await.ok();
    assert_eq!(fsync().await.as_deref(), Some("off"));
    servers.freeze(Which::Postgres);
    let frozen = tokio::time::timeout(Duration::from_millis(200), fsync()).await;
    assert!(frozen.is_err(), "it answered: {frozen:?}");
    servers.thaw(Which::Postgres);
    eventually("it answers", Duration::from_secs(10), fsync).await;
    servers.kill(Which::Postgres);
    assert!(fsync().await.is_none());
    servers.restart(Which::Postgres);
    eventually("it answers", Duration::from_secs(10), fsync).await;
}
