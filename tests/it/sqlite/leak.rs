//! A copy of the database is no set of credentials (T25).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sqlx::{Column, Row, TypeInfo, ValueRef};
use tower_mcp_auth::api_token::{ApiTokens, Peppers};

use super::Database;
use crate::tokens_support::{ADA, TokenWorld, encoded};

/// Every value of every table, as text: bytes in hexadecimal and base64 too.
async fn dump(database: &Database) -> Vec<String> {
    let raw = database.raw().await;
    let tables = sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table'");
    let tables: Vec<String> = tables.fetch_all(&raw).await.unwrap();
    let mut values = Vec::new();
    for table in tables {
        let text = format!("SELECT * FROM {table}");
        let rows = sqlx::query(&text).fetch_all(&raw).await.unwrap();
        for row in &rows {
            for column in row.columns() {
                let value = row.try_get_raw(column.ordinal()).unwrap();
                match value.type_info().name() {
                    "BLOB" => {
                        let bytes: Vec<u8> = row.get(column.ordinal());
                        values.push(bytes.iter().map(|byte| format!("{byte:02x}")).collect());
                        values.push(STANDARD.encode(&bytes));
                        values.push(URL_SAFE_NO_PAD.encode(&bytes));
                    }
                    "TEXT" => values.push(row.get(column.ordinal())),
                    "INTEGER" => values.push(row.get::<i64, _>(column.ordinal()).to_string()),
                    _ => {}
                }
            }
        }
    }
    values
}

#[tokio::test]
async fn t25_no_column_of_a_dump_is_a_credential() {
    let database = Database::new();
    let store = database.create().await;
    let kept = store.clone();
    let tokens = move |_| ApiTokens::new(kept, Peppers::new("2026", [7; 32]));
    let world = TokenWorld::custom(tokens, |builder, _| builder.revocations(store)).await;
    let wait = std::time::Duration::from_secs(10);
    world.auth.warm_up(wait).await.unwrap();
    let rolled = world
        .tokens
        .roll(
            world.acme_key.record.id(),
            std::time::Duration::from_secs(60),
        )
        .await
        .unwrap();
    world.ada().await.assert_let_in();

    let dump = dump(&database).await;
    assert!(
        dump.iter()
            .any(|value| value == world.acme_user.record.id().as_str())
    );
    assert!(
        dump.iter().filter(|value| value.len() == 64).count() >= 5,
        "verifiers"
    );
    let whole = dump.join("\n");
    for issued in [
        &world.acme_user,
        &world.acme_key,
        &world.globex_user,
        &rolled,
    ] {
        let text = issued.token.expose();
        assert!(!whole.contains(text) && !whole.contains(&text[22..65]));
    }
    for value in dump.iter().filter(|value| value.is_ascii()) {
        for id in [world.acme_user.record.id(), world.acme_key.record.id()] {
            for presented in [
                format!("Bearer {value}"),
                format!("Bearer mcps_{id}_{value}"),
                encoded(format!("{ADA}:{value}")),
                encoded(format!("{ADA}:mcpu_{id}_{value}")),
            ] {
                if presented.contains(char::is_control) {
                    continue;
                }
                let refused = world.context(&presented).await;
                assert!(refused.is_err(), "{presented} was accepted");
            }
        }
    }
}
