//! `SqlStore` on SQLite.

mod leak;
mod refused;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::SqlitePool;
use tower_mcp_auth::BackendError;
use tower_mcp_auth::api_token::{ApiTokenStore, ApiTokens, NewToken, Peppers, TokenQuery, Written};
use tower_mcp_auth::backend::{SqlEngine, SqlStore};
use tower_mcp_auth::clock::UnixTime;
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::{OrganizationPolicy, PolicyStore, PutError};
use tower_mcp_auth::revocation::{
    Hints, KEPT, RecordChange, RevocationEntry, RevocationLog, RevocationTarget,
};
use tower_mcp_auth::testing::ManualClock;

const NOW: i64 = 1_800_000_000;

/// A file that is gone when the test is.
struct Database {
    folder: PathBuf,
}

impl Database {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "mcp-auth-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let folder = std::env::temp_dir().join(name);
        // Of a process that was killed, and had the same number.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self { folder }
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.folder.join("mcp auth.db").display())
    }

    async fn create(&self) -> SqlStore {
        let builder = SqlStore::builder(self.url()).create(true).migrate(true);
        builder.open().await.unwrap()
    }

    /// The database as an administrator with a shell has it.
    async fn raw(&self) -> SqlitePool {
        SqlitePool::connect(&self.url()).await.unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A new file for a contract, which outlives the macro's expression. The system clears its folder of
/// temporary files.
async fn fresh() -> SqlStore {
    let database = Database::new();
    let store = database.create().await;
    std::mem::forget(database);
    store
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

mod memory {
    use tower_mcp_auth::backend::SqlStore;

    async fn fresh() -> SqlStore {
        let builder = SqlStore::builder("sqlite::memory:").migrate(true);
        builder.open().await.unwrap()
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

async fn numbers(store: &SqlStore) -> Vec<u64> {
    let log = store.read_since(0, 100_000).await.unwrap();
    log.into_iter().map(|(number, _)| number).collect()
}

async fn execute(raw: &SqlitePool, text: &str) {
    sqlx::raw_sql(text).execute(raw).await.unwrap();
}

/// A store with a token of `acme`, and its administration.
async fn with_token(database: &Database) -> (SqlStore, ApiTokens, NewTokenId) {
    let store = database.create().await;
    let tokens = ApiTokens::new(store.clone(), Peppers::generate().unwrap());
    let new = NewToken::personal("acme", "ada", "ada@x.io").scopes(["read:issues"]);
    let id = *tokens.issue(new).await.unwrap().record.id();
    (store, tokens, id)
}

type NewTokenId = tower_mcp_auth::api_token::TokenId;

#[tokio::test]
async fn r22_a_change_is_news_in_the_same_log() {
    let database = Database::new();
    let (store, tokens, id) = with_token(&database).await;
    assert!(numbers(&store).await.is_empty(), "issuing is no news");
    store.put(policy("acme"), 0).await.unwrap();
    assert_eq!(store.append(revocation("j")).await.unwrap(), 2);
    tokens.revoke(&id).await.unwrap();
    store
        .touch(&[(id, UnixTime::from_secs(NOW))])
        .await
        .unwrap();
    let log = store.read_since(0, 10).await.unwrap();
    let changes: Vec<_> = log.iter().map(|(_, entry)| entry.change()).collect();
    let expected = [
        Some(RecordChange::Policy(organization("acme"))),
        None,
        Some(RecordChange::ApiToken(id.to_string())),
    ];
    assert_eq!(changes, expected);
}

#[tokio::test]
async fn r22_a_conflict_or_a_refused_write_leaves_no_gap() {
    let database = Database::new();
    let (store, _, id) = with_token(&database).await;
    store.append(revocation("1")).await.unwrap();
    let record = store.find(&id).await.unwrap().unwrap();
    assert_eq!(store.update(&record).await.unwrap(), Written::Conflict);
    let put = store.put(policy("acme"), 7).await;
    assert!(matches!(put, Err(PutError::Conflict { current: 0 })));
    // The log refuses the row after the number was taken.
    let raw = database.raw().await;
    let refuse =
        "CREATE TRIGGER refuse BEFORE INSERT ON mcp_auth_log BEGIN SELECT RAISE(ABORT, 'no'); END";
    execute(&raw, refuse).await;
    assert!(store.append(revocation("refused")).await.is_err());
    assert!(matches!(
        store.put(policy("acme"), 0).await,
        Err(PutError::Backend(_))
    ));
    assert_eq!(store.load(&organization("acme")).await.unwrap(), None);
    execute(&raw, "DROP TRIGGER refuse").await;
    assert_eq!(store.append(revocation("2")).await.unwrap(), 2);
    assert_eq!(numbers(&store).await, [1, 2]);
}

/// Two pools on one file see each other as two processes do: through the file and its locks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r22_numbers_have_no_gaps_with_writers_in_two_pools() {
    let database = Database::new();
    let stores = [
        database.create().await,
        SqlStore::connect(database.url()).await.unwrap(),
    ];
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let store = stores[writer % 2].clone();
            tokio::spawn(async move {
                let mut given = Vec::new();
                for entry in 0..10 {
                    let entry = revocation(&format!("{writer}-{entry}"));
                    let id = entry.id.clone();
                    // A writer that waited 500 ms for the disk is told so, and nothing is lost.
                    if let Ok(number) = store.append(entry).await {
                        given.push((number, id));
                    }
                }
                given
            })
        })
        .collect();
    let mut given = Vec::new();
    for writer in writers {
        given.extend(writer.await.unwrap());
    }
    assert!(!given.is_empty());
    for store in &stores {
        let log = store.read_since(0, 1000).await.unwrap();
        assert!(
            log.iter()
                .map(|(number, _)| *number)
                .eq(1..=u64::try_from(log.len()).unwrap())
        );
        for (number, id) in &given {
            let (_, entry) = &log[usize::try_from(*number).unwrap() - 1];
            assert_eq!(entry.id, *id);
        }
    }
}

#[tokio::test]
async fn r20_a_read_only_database_still_serves() {
    let database = Database::new();
    let (store, tokens, id) = with_token(&database).await;
    store.put(policy("acme"), 0).await.unwrap();
    let url = format!("{}?mode=ro", database.url());
    let reader = SqlStore::connect(url).await.unwrap();
    assert!(reader.find(&id).await.unwrap().is_some());
    assert!(reader.load(&organization("acme")).await.unwrap().is_some());
    let query = TokenQuery::new(organization("acme"));
    assert_eq!(reader.list(&query).await.unwrap().len(), 1);
    tokens.revoke(&id).await.unwrap();
    assert_eq!(numbers(&reader).await, [1, 2]);
    assert!(reader.append(revocation("j")).await.is_err());
    assert!(reader.touch(&[(id, UnixTime::from_secs(1))]).await.is_err());
    assert!(reader.put(policy("acme"), 1).await.is_err());
}

#[tokio::test]
async fn r19_a_locked_database_is_an_error_that_says_what_was_asked() {
    let database = Database::new();
    let (store, _, id) = with_token(&database).await;
    let raw = database.raw().await;
    let _lock = raw.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let error = store.append(revocation("j")).await.unwrap_err();
    assert!(error.report().starts_with("adding to the log: "), "{error}");
    assert!(store.find(&id).await.unwrap().is_some(), "readers go on");
}

#[tokio::test]
async fn r19_a_pool_whose_connections_are_all_lent_is_an_error() {
    let database = Database::new();
    database.create().await;
    let builder = SqlStore::builder(database.url()).max_connections(1);
    let store = builder.open().await.unwrap();
    let raw = database.raw().await;
    let _lock = raw.begin_with("BEGIN IMMEDIATE").await.unwrap();
    // The writer holds the only connection while it waits for the lock.
    let acme = organization("acme");
    let (writer, reader) = tokio::join!(store.append(revocation("j")), store.load(&acme));
    assert!(writer.is_err());
    let error = reader.unwrap_err().report();
    assert!(
        error.starts_with("reading a policy: no connection"),
        "{error}"
    );
}

#[tokio::test]
async fn a_closed_store_answers_with_errors() {
    let builder = SqlStore::builder("sqlite::memory:").migrate(true);
    let store = builder.open().await.unwrap();
    store.close().await;
    let error = store.load(&organization("acme")).await.unwrap_err();
    assert!(error.report().starts_with("reading a policy: "), "{error}");
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let database = Database::new();
    let (store, tokens, id) = with_token(&database).await;
    store
        .touch(&[(id, UnixTime::from_secs(NOW))])
        .await
        .unwrap();
    let put = store.put(policy("acme").contact("it"), 0).await.unwrap();
    store.append(revocation("j")).await.unwrap();
    tokens.revoke(&id).await.unwrap();
    let before = store.find(&id).await.unwrap().unwrap();
    let log = store.read_since(0, 10).await.unwrap();
    store.close().await;

    let again = SqlStore::connect(database.url()).await.unwrap();
    assert_eq!(again.find(&id).await.unwrap(), Some(before));
    assert_eq!(again.load(&organization("acme")).await.unwrap(), Some(put));
    assert_eq!(again.read_since(0, 10).await.unwrap(), log);
    assert_eq!(again.append(revocation("k")).await.unwrap(), 4);
}

#[tokio::test]
async fn pruning_takes_what_is_old_and_keeps_the_numbers() {
    let database = Database::new();
    let clock = ManualClock::at(NOW);
    let builder = SqlStore::builder(database.url()).create(true).migrate(true);
    let store = builder.clock(clock.clone()).open().await.unwrap();
    let tokens = ApiTokens::new(store.clone(), Peppers::generate().unwrap()).clock(clock.clone());
    let new = NewToken::service_account("acme", "robot").scopes(["read"]);
    let old = *tokens
        .issue(new.clone().created_by("ada"))
        .await
        .unwrap()
        .record
        .id();
    for version in 0..3 {
        store.put(policy("acme"), version).await.unwrap();
    }
    store.append(revocation("old")).await.unwrap();
    clock.advance(KEPT / 2);
    let kept = store.append(revocation("kept")).await.unwrap();
    clock.advance(KEPT / 2 + Duration::from_secs(1));
    let now = UnixTime::from_secs(NOW + 367 * 86_400 + 1);

    let pruned = store.prune(now).await.unwrap();
    assert_eq!(
        (pruned.revocations, pruned.policy_revisions, pruned.tokens),
        (4, 2, 0),
        "the token expired 90 days after it was issued, less than 367 days ago"
    );
    assert_eq!(numbers(&store).await, [kept]);
    let history = store.policy_history(&organization("acme"), 10).await;
    assert_eq!(history.unwrap().len(), 1);
    assert_eq!(store.append(revocation("new")).await.unwrap(), kept + 1);

    let later = UnixTime::from_secs(NOW + 3 * 367 * 86_400);
    let pruned = store.prune(later).await.unwrap();
    assert_eq!((pruned.revocations, pruned.tokens), (1, 1));
    assert_eq!(numbers(&store).await, [kept + 1], "never the last one");
    assert_eq!(store.find(&old).await.unwrap(), None);
    assert_eq!(store.prune(later).await.unwrap().revocations, 0);
}

#[tokio::test]
async fn a_policy_has_a_history_with_authors() {
    let database = Database::new();
    let clock = ManualClock::at(NOW);
    let builder = SqlStore::builder(database.url()).create(true).migrate(true);
    let store = builder.clock(clock.clone()).open().await.unwrap();
    let admin = store.by("admin@acme");
    admin.put(policy("acme").contact("a"), 0).await.unwrap();
    clock.advance(Duration::from_secs(5));
    store.put(policy("acme").contact("b"), 1).await.unwrap();
    store.put(policy("globex"), 0).await.unwrap();
    let history = store.policy_history(&organization("acme"), 10).await;
    let history: Vec<_> = history
        .unwrap()
        .into_iter()
        .map(|one| {
            let contact = one.policy.contact_person().unwrap().to_owned();
            (one.policy.version(), contact, one.author, one.at.as_secs())
        })
        .collect();
    assert_eq!(
        history,
        [
            (2, "b".into(), None, NOW + 5),
            (1, "a".into(), Some("admin@acme".into()), NOW),
        ]
    );
    let newest = store.policy_history(&organization("acme"), 1).await;
    assert_eq!(newest.unwrap().len(), 1);
}

#[tokio::test]
async fn policies_are_paged_in_the_order_of_bytes() {
    let database = Database::new();
    let store = database.create().await;
    for name in ["b", "a", "B", "%"] {
        store.put(policy(name), 0).await.unwrap();
    }
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = store.policies(after.as_ref(), 3).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.organization().clone());
        names.extend(page.iter().map(|one| one.organization().to_string()));
    }
    assert_eq!(names, ["%", "B", "a", "b"]);
}

#[tokio::test]
async fn a_row_that_somebody_edited_is_an_error_that_names_it() {
    let database = Database::new();
    let (store, _, id) = with_token(&database).await;
    store.put(policy("acme"), 0).await.unwrap();
    let raw = database.raw().await;
    for (set, field) in [
        ("networks = 'anywhere'", "networks"),
        ("networks = '[\"anywhere\"]'", "networks"),
        ("tenants = '{}'", "tenants"),
        ("scopes = 'a\"b'", "scopes"),
        ("email = 'nobody'", "email"),
    ] {
        execute(&raw, "CREATE TABLE kept AS SELECT * FROM mcp_auth_tokens").await;
        execute(&raw, &format!("UPDATE mcp_auth_tokens SET {set}")).await;
        let error = store.find(&id).await.unwrap_err().report();
        assert!(
            error.contains(id.as_str()) && error.contains(field),
            "{error}"
        );
        let query = TokenQuery::new(organization("acme"));
        assert!(store.list(&query).await.is_err());
        let back = "DELETE FROM mcp_auth_tokens; INSERT INTO mcp_auth_tokens SELECT * FROM kept; DROP TABLE kept";
        execute(&raw, back).await;
        assert!(store.find(&id).await.unwrap().is_some());
    }
    for set in [
        "document = '{'",
        "document = '{\"organization\":\"globex\",\"version\":1}'",
        "document = '{\"organization\":\"acme\",\"version\":1,\"future\":true}'",
        "document = '{\"organization\":\"acme\",\"version\":1,\"networks\":[\"x\"]}'",
        "version = 2",
    ] {
        execute(&raw, &format!("UPDATE mcp_auth_policies SET {set}")).await;
        let error = store
            .load(&organization("acme"))
            .await
            .unwrap_err()
            .report();
        assert!(
            error.contains("acme") && error.contains("unusable"),
            "{error}"
        );
    }
}

#[derive(Clone, Default)]
struct Counted(Arc<AtomicU32>);

impl Hints for Counted {
    async fn send(&self) -> Result<(), BackendError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(BackendError::new("the channel is away"))
    }

    async fn received(&self) {
        std::future::pending::<()>().await;
    }
}

#[tokio::test]
async fn r22_hints_are_few_however_much_is_written() {
    let hints = Counted::default();
    let builder = SqlStore::builder("sqlite::memory:").migrate(true);
    let store = builder.hints(hints.clone()).open().await.unwrap();
    let other = store.clone();
    let begun = std::time::Instant::now();
    for _ in 0..1000 {
        store.append(revocation("j")).await.unwrap();
    }
    other.hinted().await;
    store.hinted().await;
    let most = begun.elapsed().as_millis() / 100 + 2;
    let sent = hints.0.load(Ordering::Relaxed);
    assert!((1..=most).contains(&u128::from(sent)), "{sent} of {most}");
}

#[tokio::test]
async fn it_says_which_database_it_is_in() {
    let builder = SqlStore::builder("sqlite::memory:").migrate(true);
    let store = builder.open().await.unwrap();
    assert_eq!(store.engine(), SqlEngine::Sqlite);
    assert!(store.schema().await.unwrap().is_current());
    assert_eq!(store.migrate().await.unwrap(), [""; 0]);
    let error = store.grant_reader("reader").await.unwrap_err();
    assert!(error.report().contains("no roles"), "{error}");
}
