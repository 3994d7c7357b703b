//! A copy of the database is no set of credentials (T25).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::HeaderValue;
use sqlx::{Column, Row, TypeInfo, ValueRef};
use tower_mcp_auth::api_token::{ApiTokens, Peppers, TokenId};
use tower_mcp_auth::throttle::ThrottleSettings;

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
                        let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                        values.push(hex.concat());
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

/// A token with this id whose secret is the value, cut or filled to its length, and whose checksum fits.
fn forged(prefix: &str, id: &TokenId, value: &str) -> String {
    let letters = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let alphanumeric = value.chars().filter(char::is_ascii_alphanumeric);
    let secret: String = alphanumeric
        .chain(std::iter::repeat('0'))
        .take(43)
        .collect();
    let text = format!("{prefix}_{id}_{secret}");
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut checksum = [0; 6];
    for place in checksum.iter_mut().rev() {
        *place = letters[usize::try_from(rest % 62).unwrap()];
        rest /= 62;
    }
    format!("{text}{}", std::str::from_utf8(&checksum).unwrap())
}

#[tokio::test]
async fn t25_no_column_of_a_dump_is_a_credential() {
    let database = Database::new();
    let store = database.create().await;
    let kept = store.clone();
    let tokens = move |_| ApiTokens::new(kept, Peppers::generate().unwrap());
    let world = TokenWorld::custom(tokens, |builder, _| {
        let unlimited = ThrottleSettings::new()
            .no_limit_per_address()
            .no_limit_per_credential();
        builder.revocations(store).throttle(unlimited)
    })
    .await;
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
    let format = world.tokens.format();
    let (user, key) = (world.acme_user.record.id(), world.acme_key.record.id());
    for value in &dump {
        let (user, key) = (forged("mcpu", user, value), forged("mcps", key, value));
        assert!(format.parse(&user).is_ok() && format.parse(&key).is_ok());
        for presented in [
            format!("Bearer {value}"),
            format!("Bearer {key}"),
            encoded(format!("{ADA}:{value}")),
            encoded(format!("{ADA}:{user}")),
        ] {
            if HeaderValue::from_str(&presented).is_ok() {
                let refused = world.context(&presented).await;
                assert!(refused.is_err(), "{presented} was accepted");
            }
        }
    }
    world.ada().await.assert_let_in();
}
