//! The program `mcp-auth` on PostgreSQL.

use std::process::Command;
use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::time::timeout;

use sqlx::{Connection, Executor, PgConnection};
use tower_mcp_auth::backend::RedisHints;
use tower_mcp_auth::revocation::Hints;

use crate::support::{Database, redis_url, unique};

/// What it prints. It must succeed.
fn mcp_auth(database: &str, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_mcp-auth"))
        .args(arguments)
        .env("MCP_AUTH_DATABASE_URL", database)
        .env("MCP_AUTH_REDIS_URL", redis_url())
        .env("MCP_AUTH_BY", "an admin")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn r22_a_program_that_ends_at_once_still_sends_its_hint() {
    let own = Database::create().await;
    mcp_auth(&own.url, &["migrate"]);
    let mut listener = PgListener::connect(&own.url).await.unwrap();
    listener.listen("mcp_auth").await.unwrap();
    let redis = RedisHints::new(&redis_url()).unwrap();
    // The first one is the subscription's own.
    timeout(Duration::from_secs(10), redis.received())
        .await
        .unwrap();
    mcp_auth(&own.url, &["revoke", "user", "u1", "--org", "acme"]);
    let heard = timeout(Duration::from_secs(10), listener.recv()).await;
    assert_eq!(heard.unwrap().unwrap().channel(), "mcp_auth");
    timeout(Duration::from_secs(10), redis.received())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn r20_a_reader_may_look_and_a_writer_may_administer() {
    let own = Database::create().await;
    let (reader, writer) = (unique("reader"), unique("writer"));
    let mut admin = PgConnection::connect(&own.url).await.unwrap();
    for role in [&reader, &writer] {
        let create = format!("CREATE ROLE {role} LOGIN");
        admin.execute(create.as_str()).await.unwrap();
    }
    mcp_auth(
        &own.url,
        &["migrate", "--reader", &reader, "--writer", &writer],
    );
    let url = |role: &str| own.url.replace("postgres@", &format!("{role}@"));
    mcp_auth(&url(&writer), &["policy", "allow-tokens", "acme"]);
    let shown = mcp_auth(&url(&reader), &["policy", "history", "acme"]);
    assert!(shown.contains("an admin"), "{shown}");
    let refused = Command::new(env!("CARGO_BIN_EXE_mcp-auth"))
        .args(["policy", "forbid-tokens", "acme"])
        .env("MCP_AUTH_DATABASE_URL", url(&reader))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains("permission denied"),
        "{said}"
    );
}
