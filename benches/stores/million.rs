//! A million tokens of 100,000 organizations in Postgres, and 100,000 of them asked for by the whole
//! layer, each once and in no order: what the first request with a token waits for, and what the caches
//! hold when they are full. Every token is real: any of them could have been asked for. With `BENCH_QUICK` a
//! tenth of everything, which fills no cache.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use http::HeaderValue;
use serde_json::{Value, json};
use sqlx::Executor;
use sqlx::postgres::PgConnection;
use tower_mcp_auth::api_token::{
    ApiTokenStore, ApiTokens, NewToken, Peppers, StoredToken, TokenId, TokenQuery, TokenRecord,
    Written,
};
use tower_mcp_auth::backend::SqlStore;
use tower_mcp_auth::clock::UnixTime;
use tower_mcp_auth::{BackendError, OrganizationPolicy};

use crate::database::Database;
use crate::layer::{Door, Stores};
use crate::micros;
use crate::shared::figures::{self, float, percentile};
use crate::shared::fixture::{basic, bearer, organization};

/// How many records are kept, and how many policies.
const KEPT: usize = 50_000;
/// Rows in one `COPY`.
const CHUNK: u64 = 20_000;

/// One in so many tokens is asked for.
const ONE_IN: u64 = 10;

fn all_tokens() -> u64 {
    1_000_000 / u64::from(tenth())
}

fn organizations() -> u64 {
    100_000 / u64::from(tenth())
}

/// By what everything is divided.
fn tenth() -> u8 {
    if figures::quick() { 10 } else { 1 }
}

pub(crate) async fn measure() -> Value {
    let database = Database::create().await;
    let database = database.expect("STORES_MILLION needs a Postgres: scripts/services run …");
    let store = SqlStore::builder(&database.url).migrate(true);
    let store = store.open().await.unwrap();
    let start = Instant::now();
    let peppers = Peppers::generate().unwrap();
    let mut connection = database.connect().await;
    let asked = load(&mut connection, &peppers).await;
    policies(&mut connection).await;
    // Not the table of uses: known to be empty it would be read from end to end until the next ANALYZE.
    let vacuum = "VACUUM ANALYZE mcp_auth_tokens, mcp_auth_policies";
    connection.execute(vacuum).await.unwrap();
    println!("loaded in {:.0} s", start.elapsed().as_secs_f64());

    let tokens = ApiTokens::new(store.clone(), peppers);
    let door = Door::new(&Stores::of(&store), &tokens).await;
    let (first, rest) = asked.split_first().unwrap();
    door.ask(first).await; // opens connections
    let mut resident = vec![(0, rss())];
    let (mut parts, mut from, mut rows) = (rest, 0, Vec::new());
    for (at_a_time, many) in [(1, 20_000), (16, 20_000), (64, KEPT - 40_000), (16, KEPT)] {
        let (part, others) = parts.split_at((many / usize::from(tenth())).min(parts.len()));
        parts = others;
        from += part.len();
        rows.push(row(&door, part, at_a_time).await);
        resident.push((from, rss()));
    }
    store.close().await;
    database.remove().await;
    json!({"tokens": all_tokens(), "organizations": organizations(), "lookups": rows, "memory": memory(&resident)})
}

/// So many at a time, each for the first time.
async fn row(door: &Door, part: &[HeaderValue], at_a_time: usize) -> Value {
    let start = Instant::now();
    let (nanos, refused) = door.ask_all(part, at_a_time).await;
    let seconds = start.elapsed().as_secs_f64();
    let per_second = float(u64::try_from(part.len()).unwrap_or(0)) / seconds;
    let [p50, p99, max] = [500, 990, 1000].map(|at| micros(percentile(&nanos, at)));
    println!(
        "{:6} tokens, {at_a_time:2} at a time: p50 {p50:.0} µs, p99 {p99:.0} µs, max {max:.0} µs, {per_second:.0}/s, {refused} refused",
        part.len()
    );
    json!({"at_a_time": at_a_time, "times": part.len(), "p50_us": p50, "p99_us": p99, "max_us": max,
        "per_second": per_second, "refused": refused})
}

/// What a record costs until the caches are full, and whether they grow beyond.
fn memory(resident: &[(usize, u64)]) -> Value {
    for (records, bytes) in resident {
        println!("{records:6} asked for: {} KiB resident", bytes / 1024);
    }
    let at = |many| {
        resident
            .iter()
            .find(|(records, _)| *records == many)
            .unwrap()
            .1
    };
    let many = KEPT / usize::from(tenth());
    let (empty, full) = (at(0), at(many));
    let last = resident.last().unwrap();
    let kept = float(u64::try_from(many).unwrap_or(1));
    let each = float(full.saturating_sub(empty)) / kept;
    let over = float(last.1) / float(full.max(1));
    println!("{each:.0} bytes for a record, its policy and what is remembered of the token");
    println!("{} asked for: {over:.2} of {many}", last.0);
    json!({"records": many, "empty_bytes": empty, "full_bytes": full, "bytes_per_record": each,
        "asked": last.0, "asked_bytes": last.1, "asked_over_full": over})
}

/// Resident bytes of this process; 0 where the system does not say.
fn rss() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0) * 1024
}

/// Issues the tokens, as a server does, and copies their rows; what to send of those asked for.
async fn load(connection: &mut PgConnection, peppers: &Peppers) -> Vec<HeaderValue> {
    let rows = Rows::default();
    let tokens = ApiTokens::new(rows.clone(), peppers.clone());
    // By where a hash puts them, so that neither database nor caches see an order.
    let mut asked = BTreeSet::new();
    for number in 0..all_tokens() {
        let place = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (organization, email) = (name(number % organizations()), "ada@example.com");
        let is_person = number % 2 == 0;
        let new = if is_person {
            NewToken::personal(&organization, format!("user-{number}"), email)
        } else {
            NewToken::service_account(&organization, "bot").created_by("ada")
        };
        let issued = tokens
            .issue(new.scopes(["read:issues", "write:issues"]))
            .await;
        let issued = issued.unwrap();
        if (place >> 32) % ONE_IN == 0 {
            asked.insert((place, is_person, issued.token.expose().to_owned()));
        }
        if (number + 1) % CHUNK == 0 {
            copy(connection, TOKEN_COLUMNS, &rows.take()).await;
        }
    }
    let header = |(_, is_person, token): (u64, bool, String)| {
        if is_person {
            basic("ada@example.com", &token)
        } else {
            bearer(token)
        }
    };
    asked.into_iter().map(header).collect()
}

fn name(number: u64) -> String {
    format!("org-{number:06}")
}

const TOKEN_COLUMNS: &str = "mcp_auth_tokens (id, kind, organization, owner, email, name, created_by, verifier, \
    pepper, scopes, networks, tenants, created_at, expires_at, owner_active, version)";

async fn copy(connection: &mut PgConnection, into: &str, rows: &str) {
    let mut copy = connection
        .copy_in_raw(&format!("COPY {into} FROM STDIN"))
        .await
        .unwrap();
    copy.send(rows.as_bytes()).await.unwrap();
    copy.finish().await.unwrap();
}

async fn policies(connection: &mut PgConnection) {
    let mut rows = String::new();
    for number in 0..organizations() {
        let name = name(number);
        let policy = OrganizationPolicy::new(organization(&name)).api_tokens(true);
        let mut document = serde_json::to_value(policy).unwrap();
        document["version"] = json!(1);
        let _ = writeln!(rows, "{name}\t1\t{document}");
    }
    copy(
        connection,
        "mcp_auth_policies (organization, version, document)",
        &rows,
    )
    .await;
}

/// A store that nothing is read from: rows as `COPY` takes them. None of the values here needs escaping.
#[derive(Clone, Default)]
struct Rows(Arc<std::sync::Mutex<String>>);

impl Rows {
    fn take(&self) -> String {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl ApiTokenStore for Rows {
    async fn find(&self, _: &TokenId) -> Result<Option<TokenRecord>, BackendError> {
        Ok(None)
    }

    async fn insert(&self, record: &TokenRecord) -> Result<Written, BackendError> {
        let row = StoredToken::from(record);
        let verifier = row.verifier.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        let email = row.email.as_deref().unwrap_or("\\N");
        let mut rows = self.0.lock().unwrap();
        let _ = writeln!(
            rows,
            "{}\t{}\t{}\t{}\t{email}\t{}\t{}\t\\\\x{verifier}\t{}\t{}\t[]\t[]\t{}\t{}\tt\t{}",
            row.id,
            row.kind,
            row.organization,
            row.owner,
            row.name,
            row.created_by,
            row.pepper,
            row.scopes,
            row.created_at,
            row.expires_at,
            row.version
        );
        Ok(Written::Done)
    }

    async fn update(&self, _: &TokenRecord) -> Result<Written, BackendError> {
        Ok(Written::Conflict)
    }

    async fn list(&self, _: &TokenQuery) -> Result<Vec<TokenRecord>, BackendError> {
        Ok(Vec::new())
    }

    async fn touch(&self, _: &[(TokenId, UnixTime)]) -> Result<(), BackendError> {
        Ok(())
    }
}
