//! What is not opened, and what the schema does not take.

use tower_mcp_auth::backend::{SqlOpenError, SqlStore, SqlStoreBuilder};

use super::{Database, execute};

async fn refusal(builder: SqlStoreBuilder) -> SqlOpenError {
    builder.open().await.expect_err("it opened")
}

#[tokio::test]
async fn every_mistake_is_reported_at_once_and_no_password() {
    let url = "mysql://root:hunter2@db.example/auth?password=hunter2";
    let builder = SqlStore::builder(url).max_connections(0).create(true);
    assert!(!format!("{builder:?}").contains("hunter2"));
    let error = refusal(builder).await;
    assert!(!format!("{error:?} {error}").contains("hunter2"));
    let SqlOpenError::Config(error) = error else {
        panic!("{error}")
    };
    let fields: Vec<_> = error
        .problems()
        .iter()
        .map(|one| one.field.as_str())
        .collect();
    assert_eq!(fields, ["max_connections", "create", "url"]);
    for url in ["", "hunter2", "sqlite:x?mode=rwc", "file:hunter2"] {
        let error = refusal(SqlStore::builder(url)).await;
        assert!(matches!(error, SqlOpenError::Config(_)), "{url}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn a_misspelt_path_does_not_become_a_database() {
    let database = Database::new();
    let error = refusal(SqlStore::builder(database.url()).migrate(true)).await;
    assert!(error.to_string().contains("mcp-auth migrate"), "{error}");
    assert_eq!(std::fs::read_dir(&database.folder).unwrap().count(), 0);
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt;

    let database = Database::new();
    let _store = database.create().await;
    let files = std::fs::read_dir(&database.folder).unwrap();
    for file in files {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.path().display());
    }
}

#[tokio::test]
async fn a_schema_that_is_missing_or_older_or_newer_is_refused() {
    let database = Database::new();
    let store = SqlStore::builder(database.url())
        .create(true)
        .any_schema(true);
    let store = store.open().await.unwrap();
    assert_eq!(store.schema().await.unwrap().current, 0);
    let error = refusal(SqlStore::builder(database.url())).await;
    assert!(
        error.to_string().contains("run `mcp-auth migrate`"),
        "{error}"
    );

    assert_eq!(store.migrate().await.unwrap(), ["0001_first"]);
    SqlStore::connect(database.url()).await.unwrap();

    let raw = database.raw().await;
    let latest = store.schema().await.unwrap().latest;
    let set = format!("UPDATE mcp_auth_schema SET version = {}", latest + 1);
    execute(&raw, &set).await;
    let error = refusal(SqlStore::builder(database.url()).migrate(true)).await;
    assert!(error.to_string().contains("update this program"), "{error}");
    let SqlOpenError::Schema(version) = error else {
        panic!("{error}")
    };
    assert_eq!((version.current, version.latest), (latest + 1, latest));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_migrate_at_once_one_does() {
    let database = Database::new();
    let open = || {
        SqlStore::builder(database.url())
            .create(true)
            .any_schema(true)
            .open()
    };
    let (one, other) = (open().await.unwrap(), open().await.unwrap());
    let (one, other) = tokio::join!(one.migrate(), other.migrate());
    let mut applied = [one.unwrap(), other.unwrap()].concat();
    applied.dedup();
    assert_eq!(applied, ["0001_first"]);
}

#[tokio::test]
async fn t31_the_schema_refuses_a_token_without_an_end_and_whatever_else_none_has() {
    let database = Database::new();
    let _store = database.create().await;
    let raw = database.raw().await;
    let good = [
        ("id", "'AAAAAAAAAAAAAAAA'"),
        ("kind", "'personal'"),
        ("organization", "'acme'"),
        ("owner", "'ada'"),
        ("email", "'ada@x.io'"),
        ("name", "''"),
        ("created_by", "'ada'"),
        ("verifier", "zeroblob(32)"),
        ("pepper", "'2026'"),
        ("scopes", "'read'"),
        ("networks", "'[]'"),
        ("tenants", "'[]'"),
        ("created_at", "1000"),
        ("expires_at", "1000 + 365 * 86400"),
        ("owner_active", "1"),
        ("version", "1"),
        ("previous_verifier", "NULL"),
    ];
    let insert = |column: &str, value: &str| {
        let values: Vec<_> = good
            .iter()
            .map(|(name, good)| if *name == column { value } else { good })
            .collect();
        let names: Vec<_> = good.iter().map(|(name, _)| *name).collect();
        let text = format!(
            "INSERT INTO mcp_auth_tokens ({}) VALUES ({})",
            names.join(", "),
            values.join(", ")
        );
        let raw = raw.clone();
        async move { sqlx::raw_sql(&text).execute(&raw).await.map(|_| ()) }
    };
    for (column, value) in [
        ("expires_at", "NULL"),
        ("expires_at", "1000 + 365 * 86400 + 1"),
        ("expires_at", "9223372036854775807"),
        ("expires_at", "1000"),
        ("expires_at", "'never'"),
        ("id", "NULL"),
        ("id", "'short'"),
        ("kind", "'admin'"),
        ("email", "NULL"),
        ("kind", "'service_account'"),
        ("verifier", "zeroblob(31)"),
        ("previous_verifier", "zeroblob(32)"),
        ("owner_active", "2"),
        ("version", "0"),
    ] {
        let refused = insert(column, value).await;
        assert!(refused.is_err(), "{column} = {value} was taken");
    }
    insert("", "").await.expect("the rest of the row is good");
    assert!(insert("", "").await.is_err(), "an id is taken once");
}
