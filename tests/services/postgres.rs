//! `SqlStore` on PostgreSQL.

use std::time::Duration;

use futures_util::future::join_all;
use sqlx::postgres::PgListener;
use sqlx::{Connection, PgConnection};
use tower_mcp_auth::api_token::{
    ApiTokenStore, ApiTokens, NewToken, Peppers, TokenId, TokenQuery, Written,
};
use tower_mcp_auth::backend::{SqlEngine, SqlOpenError, SqlStore};
use tower_mcp_auth::clock::UnixTime;
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::{OrganizationPolicy, PolicyStore, PutError};
use tower_mcp_auth::revocation::{KEPT, RevocationEntry, RevocationLog, RevocationTarget};

use crate::support::{Database, postgres_url};

const NOW: i64 = 1_800_000_000;

/// A database of one test, dropped by [`Own::drop_it`] or with the server.
struct Own {
    name: String,
    url: String,
}

impl Own {
    async fn new() -> Self {
        let Database { url } = Database::create().await;
        let name = url::Url::parse(&url).unwrap().path()[1..].to_owned();
        Self { name, url }
    }

    async fn create(&self) -> SqlStore {
        let builder = SqlStore::builder(&self.url).migrate(true);
        builder.open().await.unwrap()
    }

    /// The address as this role.
    fn as_role(&self, role: &str, password: &str) -> String {
        let mut url = url::Url::parse(&self.url).unwrap();
        url.set_username(role).unwrap();
        url.set_password(Some(password)).unwrap();
        url.to_string()
    }

    async fn drop_it(self) {
        execute(
            &postgres_url(),
            &format!("DROP DATABASE {} WITH (FORCE)", self.name),
        )
        .await;
    }
}

async fn attempt(url: &str, text: &str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(text).execute(&mut connection).await?;
    connection.close().await
}

async fn execute(url: &str, text: &str) {
    attempt(url, text).await.unwrap();
}

async fn fresh() -> SqlStore {
    Own::new().await.create().await
}

mod tokens {
    tower_mcp_auth::api_token_store_contract!(super::fresh().await);
}

mod policies {
    tower_mcp_auth::policy_store_contract!(super::fresh());
}

mod log {
    tower_mcp_auth::revocation_log_contract!(super::fresh().await);
}

fn organization(name: &str) -> OrganizationId {
    OrganizationId::new(name).unwrap()
}

fn policy(name: &str) -> OrganizationPolicy {
    OrganizationPolicy::new(organization(name))
}

fn revocation(id: &str) -> RevocationEntry {
    let issuer = "https://auth.example.com/t1".to_owned();
    let id = id.to_owned();
    RevocationEntry::new(
        &RevocationTarget::Token { issuer, id },
        UnixTime::from_secs(NOW),
    )
}

async fn token(store: &SqlStore) -> TokenId {
    let tokens = ApiTokens::new(store.clone(), Peppers::generate().unwrap());
    let new = NewToken::personal("acme", "ada", "ada@x.io").scopes(["read:issues"]);
    *tokens.issue(new).await.unwrap().record.id()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r22_numbers_have_no_gaps_with_writers_in_two_pools() {
    let own = Own::new().await;
    let stores = [own.create().await, own.create().await];
    let writers = (0..8).map(|writer| {
        let store = stores[writer % 2].clone();
        tokio::spawn(async move {
            let mut given = Vec::new();
            for entry in 0..20 {
                let entry = revocation(&format!("{writer}-{entry}"));
                let id = entry.id.clone();
                // A busy machine may keep a writer waiting; it is told so, and nothing is lost.
                if let Ok(number) = store.append(entry).await {
                    given.push((number, id));
                    // Whoever is given a number finds every lower one in place.
                    if let Ok(log) = store.read_since(0, 1000).await {
                        let seen = u64::try_from(log.len()).unwrap();
                        assert!(log.iter().map(|(number, _)| *number).eq(1..=seen));
                        assert!(seen >= number);
                    }
                }
            }
            given
        })
    });
    let given: Vec<_> = join_all(writers)
        .await
        .into_iter()
        .flat_map(Result::unwrap)
        .collect();
    assert!(!given.is_empty());
    let log = stores[0].read_since(0, 1000).await.unwrap();
    assert!(
        log.iter()
            .map(|(number, _)| *number)
            .eq(1..=u64::try_from(log.len()).unwrap())
    );
    for (number, id) in given {
        assert_eq!(log[usize::try_from(number).unwrap() - 1].1.id, id);
    }
    own.drop_it().await;
}

#[tokio::test]
async fn r22_a_conflict_or_a_refused_write_leaves_no_gap() {
    let own = Own::new().await;
    let store = own.create().await;
    let id = token(&store).await;
    store.append(revocation("1")).await.unwrap();
    let record = store.find(&id).await.unwrap().unwrap();
    assert_eq!(store.update(&record).await.unwrap(), Written::Conflict);
    let put = store.put(policy("acme"), 7).await;
    assert!(matches!(put, Err(PutError::Conflict { current: 0 })));
    // PostgreSQL takes no NUL in text: refused after the number was taken.
    assert!(store.append(revocation("a\0b")).await.is_err());
    assert_eq!(store.append(revocation("2")).await.unwrap(), 2);
    own.drop_it().await;
}

#[tokio::test]
async fn r20_a_server_that_is_read_only_still_serves() {
    let own = Own::new().await;
    let store = own.create().await;
    let id = token(&store).await;
    store.put(policy("acme"), 0).await.unwrap();
    let set = format!(
        "ALTER DATABASE {} SET default_transaction_read_only = on",
        own.name
    );
    execute(&own.url, &set).await;
    let reader = SqlStore::connect(&own.url).await.unwrap();
    assert!(reader.find(&id).await.unwrap().is_some());
    assert!(reader.load(&organization("acme")).await.unwrap().is_some());
    assert_eq!(reader.read_since(0, 10).await.unwrap().len(), 1);
    assert!(reader.touch(&[(id, UnixTime::from_secs(1))]).await.is_err());
    assert!(reader.append(revocation("j")).await.is_err());
    own.drop_it().await;
}

#[tokio::test]
async fn r19_a_statement_that_waits_for_a_lock_ends() {
    let own = Own::new().await;
    let store = own.create().await;
    let mut other = PgConnection::connect(&own.url).await.unwrap();
    let lock = "BEGIN; LOCK TABLE mcp_auth_log IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
    for _ in 0..5 {
        let error = store.read_since(0, 1).await.unwrap_err();
        assert!(error.report().starts_with("reading the log: "), "{error}");
    }
    assert_eq!(store.load(&organization("acme")).await.unwrap(), None);
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(store.read_since(0, 1).await.unwrap(), []);
    own.drop_it().await;
}

#[tokio::test]
async fn r19_connections_that_the_server_ended_are_replaced() {
    let own = Own::new().await;
    let store = own.create().await;
    join_all((0..4).map(|_| store.read_since(0, 1))).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for _ in 0..3 {
        sqlx::query(end)
            .execute(&mut PgConnection::connect(&own.url).await.unwrap())
            .await
            .unwrap();
        assert_eq!(store.read_since(0, 1).await.unwrap(), []);
    }
    own.drop_it().await;
}

#[tokio::test]
async fn a_reader_serves_and_changes_nothing_and_a_writer_revokes() {
    let own = Own::new().await;
    let store = own.create().await;
    let id = token(&store).await;
    store.put(policy("acme"), 0).await.unwrap();
    // Names that only a quoted identifier can be.
    let (reader, writer) = (format!("{} \"r\"; --", own.name), format!("{} w", own.name));
    for role in [&reader, &writer] {
        let quoted = role.replace('"', "\"\"");
        let create = format!("CREATE ROLE \"{quoted}\" LOGIN PASSWORD 'hunter2'");
        execute(&own.url, &create).await;
    }
    store.grant_reader(&reader).await.unwrap();
    store.grant_writer(&writer).await.unwrap();
    assert!(store.grant_reader("public").await.is_err());
    assert!(store.grant_reader("nobody knows").await.is_err());

    let url = own.as_role(&reader, "hunter2");
    let serving = SqlStore::connect(&url).await.unwrap();
    assert!(serving.find(&id).await.unwrap().is_some());
    assert!(serving.load(&organization("acme")).await.unwrap().is_some());
    assert_eq!(serving.read_since(0, 10).await.unwrap().len(), 1);
    let used = [(id, UnixTime::from_secs(NOW))];
    serving.touch(&used).await.unwrap();
    serving.touch(&used).await.unwrap();
    assert!(serving.append(revocation("j")).await.is_err());
    assert!(serving.put(policy("acme"), 1).await.is_err());
    for refused in [
        "UPDATE mcp_auth_tokens SET revoked_at = NULL",
        "DELETE FROM mcp_auth_tokens",
        "UPDATE mcp_auth_policies SET document = ''",
        "DELETE FROM mcp_auth_policies",
        "INSERT INTO mcp_auth_policies VALUES ('x', 1, '')",
        "DELETE FROM mcp_auth_policy_history",
        "UPDATE mcp_auth_log SET id = ''",
        "DELETE FROM mcp_auth_log",
        "UPDATE mcp_auth_log_sequence SET last = 0",
        "UPDATE mcp_auth_schema SET version = 9",
        "DELETE FROM mcp_auth_token_uses",
        "TRUNCATE mcp_auth_tokens CASCADE",
        "DROP TABLE mcp_auth_tokens CASCADE",
    ] {
        let error = attempt(&url, refused).await.expect_err(refused).to_string();
        assert!(
            error.contains("permission denied") || error.contains("must be owner"),
            "{refused}: {error}"
        );
    }

    let url = own.as_role(&writer, "hunter2");
    let writing = SqlStore::connect(&url).await.unwrap();
    let tokens = ApiTokens::new(writing.clone(), Peppers::generate().unwrap());
    assert!(tokens.revoke(&id).await.unwrap().is_some());
    writing.put(policy("acme"), 1).await.unwrap();
    writing.append(revocation("j")).await.unwrap();
    token(&writing).await;
    for refused in [
        "DELETE FROM mcp_auth_log",
        "UPDATE mcp_auth_log SET id = ''",
    ] {
        let error = attempt(&url, refused).await.expect_err(refused).to_string();
        assert!(error.contains("permission denied"), "{refused}: {error}");
    }
    own.drop_it().await;
}

/// Ends by the answer of a hint; a hint that never comes is a test that never ends, so it is cut.
async fn heard(store: &SqlStore) {
    tokio::time::timeout(Duration::from_secs(60), store.hinted())
        .await
        .expect("no hint came");
}

/// Until `LISTEN` stands, which is itself a hint.
async fn listening(store: &SqlStore, own: &Own) {
    heard(store).await;
    assert_eq!(listeners(own).await, 1);
}

async fn listeners(own: &Own) -> i64 {
    let count = "SELECT COUNT(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND query ILIKE 'LISTEN%'";
    let mut connection = PgConnection::connect(&own.url).await.unwrap();
    sqlx::query_scalar(count)
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

#[tokio::test]
async fn r21_another_process_hears_of_a_write() {
    let own = Own::new().await;
    let (one, other) = (own.create().await, own.create().await);
    assert_eq!(listeners(&own).await, 0, "none before it is asked for");
    listening(&other, &own).await;
    one.append(revocation("j")).await.unwrap();
    heard(&other).await;
    one.put(policy("acme"), 0).await.unwrap();
    heard(&other).await;

    // The connection that listens is ended by the server.
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND query ILIKE 'LISTEN%'";
    execute(&own.url, end).await;
    heard(&other).await;
    one.append(revocation("k")).await.unwrap();
    heard(&other).await;
    own.drop_it().await;
}

#[tokio::test]
async fn r22_notifications_are_few_however_much_is_written() {
    let own = Own::new().await;
    let store = own.create().await;
    let mut listener = PgListener::connect(&own.url).await.unwrap();
    listener.listen("mcp_auth").await.unwrap();
    let begun = std::time::Instant::now();
    for _ in 0..1000 {
        store.append(revocation("j")).await.unwrap();
    }
    // The last one comes after the last write.
    execute(&own.url, "SELECT pg_sleep(0.2); NOTIFY mcp_auth, 'end'").await;
    let mut sent = 0;
    while listener.recv().await.unwrap().payload() != "end" {
        sent += 1;
    }
    let most = begun.elapsed().as_millis() / 100 + 2;
    assert!((1..=most).contains(&sent), "{sent} of {most}");
    own.drop_it().await;
}

#[tokio::test]
async fn a_schema_that_is_missing_or_newer_is_refused_and_no_password_shown() {
    let own = Own::new().await;
    let role = format!("{}_p", own.name);
    execute(
        &own.url,
        &format!("CREATE ROLE {role} LOGIN PASSWORD 'hunter2'"),
    )
    .await;
    let url = own.as_role(&role, "hunter2");
    let error = SqlStore::connect(&url).await.unwrap_err();
    assert!(
        error.to_string().contains("run `mcp-auth migrate`"),
        "{error}"
    );
    assert!(!format!("{error:?} {error}").contains("hunter2"));
    let error = SqlStore::builder(&url)
        .migrate(true)
        .open()
        .await
        .unwrap_err();
    assert!(
        !format!("{error:?} {error}").contains("hunter2"),
        "may not create tables"
    );

    let store = own.create().await;
    assert_eq!(store.engine(), SqlEngine::Postgres);
    assert!(!format!("{store:?}").contains("127.0.0.1"));
    execute(&own.url, "UPDATE mcp_auth_schema SET version = 99").await;
    let error = SqlStore::connect(&own.url).await.unwrap_err();
    assert!(matches!(error, SqlOpenError::Schema(_)), "{error}");

    let mut nowhere = url::Url::parse(&url).unwrap();
    nowhere.set_path("no_such_database");
    let error = SqlStore::connect(nowhere.as_str()).await.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("hunter2"));
    own.drop_it().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_migrate_at_once_one_does() {
    let own = Own::new().await;
    let open = || SqlStore::builder(&own.url).any_schema(true).open();
    let stores = join_all((0..4).map(|_| open())).await;
    let migrations = stores.iter().map(|store| store.as_ref().unwrap().migrate());
    let applied = join_all(migrations).await.into_iter().map(Result::unwrap);
    assert_eq!(applied.collect::<Vec<_>>().concat(), ["0001_first"]);
    own.drop_it().await;
}

#[tokio::test]
async fn t31_the_schema_refuses_a_token_without_an_end() {
    let own = Own::new().await;
    let store = own.create().await;
    token(&store).await;
    for set in [
        "expires_at = NULL",
        "expires_at = created_at",
        "expires_at = created_at + 365 * 86400 + 1",
        "expires_at = 9223372036854775807",
        "kind = 'admin'",
        "kind = 'service_account'",
        "email = NULL",
        "version = 0",
        "verifier = '\\x00'",
        "previous_until = 1",
        "previous_verifier = verifier",
        "id = 'short'",
    ] {
        let update = format!("UPDATE mcp_auth_tokens SET {set}");
        assert!(attempt(&own.url, &update).await.is_err(), "{set}");
    }
    let good = "UPDATE mcp_auth_tokens SET expires_at = created_at + 365 * 86400";
    execute(&own.url, good).await;
    own.drop_it().await;
}

#[tokio::test]
async fn pruning_takes_what_is_old_and_keeps_the_numbers() {
    let own = Own::new().await;
    let store = own.create().await;
    let id = token(&store).await;
    store.touch(&[(id, UnixTime::from_secs(1))]).await.unwrap();
    for version in 0..3 {
        store.put(policy("acme"), version).await.unwrap();
    }
    let now = UnixTime::from_secs(NOW * 2);
    let pruned = store.prune(now).await.unwrap();
    assert_eq!(
        (pruned.revocations, pruned.policy_revisions, pruned.tokens),
        (2, 2, 1)
    );
    assert_eq!(store.find(&id).await.unwrap(), None);
    assert_eq!(store.append(revocation("j")).await.unwrap(), 4);
    let fresh = UnixTime::from_secs(NOW / 2 + i64::try_from(KEPT.as_secs()).unwrap());
    assert_eq!(store.prune(fresh).await.unwrap().revocations, 0);
    own.drop_it().await;
}

#[tokio::test]
async fn lists_and_histories_come_back() {
    let own = Own::new().await;
    let store = own.create().await;
    for name in ["b", "a", "B", "%"] {
        store.by("admin").put(policy(name), 0).await.unwrap();
    }
    let names: Vec<_> = store
        .policies(Some(&organization("%")), 10)
        .await
        .unwrap()
        .iter()
        .map(|one| one.organization().to_string())
        .collect();
    assert_eq!(names, ["B", "a", "b"]);
    let history = store.policy_history(&organization("a"), 10).await.unwrap();
    assert_eq!(history[0].author.as_deref(), Some("admin"));
    let many: Vec<_> = join_all((0..5).map(|_| token(&store))).await;
    let used: Vec<_> = many
        .iter()
        .map(|id| (*id, UnixTime::from_secs(NOW)))
        .collect();
    store.touch(&[used.clone(), used].concat()).await.unwrap();
    let listed = store
        .list(&TokenQuery::new(organization("acme")))
        .await
        .unwrap();
    assert_eq!(listed.len(), 5);
    assert!(listed.iter().all(|one| one.last_used().is_some()));
    own.drop_it().await;
}
