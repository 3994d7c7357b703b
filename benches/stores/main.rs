//! What stores cost where nothing is remembered: a request with a token that was never seen, by the
//! whole layer, and the calls of a store alone; in memory, in a SQLite file and in Postgres.
//!
//! Postgres only with `MCP_AUTH_TEST_POSTGRES` in the environment, as `scripts/services run` puts it
//! there. With `STORES_MILLION=1` nothing but a million tokens in Postgres: see `million.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench stops loudly and prints its figures"
)]

#[cfg(feature = "postgres")]
mod database;
mod layer;
#[cfg(feature = "postgres")]
mod million;
mod rows;
#[path = "../shared/mod.rs"]
mod shared;

use serde_json::{Map, Value, json};
use tokio::runtime::{Builder, Runtime};
use tower_mcp_auth::api_token::MemoryStore;
use tower_mcp_auth::backend::SqlStore;
use tower_mcp_auth::policy::MemoryPolicyStore;
use tower_mcp_auth::revocation::MemoryRevocationLog;

use layer::Stores;
use rows::Figures;
use shared::figures;

/// As servers have it: what waits for a store does not keep others from running.
fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

fn main() {
    let runtime = runtime();
    if std::env::var_os("STORES_MILLION").is_some() {
        #[cfg(feature = "postgres")]
        return figures::write("stores_million", &runtime.block_on(million::measure()));
        #[cfg(not(feature = "postgres"))]
        panic!("STORES_MILLION needs the feature `postgres`");
    }
    let mut all = Map::new();
    let mut add = |name: &str, figures: Figures| {
        for (row, nanos) in figures {
            let [p50, p99] = [500, 990].map(|at| micros(figures::percentile(&nanos, at)));
            println!(
                "{row:20} {name:10} p50 {p50:9.1} µs   p99 {p99:9.1} µs   of {}",
                nanos.len()
            );
            let place = all.entry(row).or_insert_with(|| json!({}));
            place[name] = json!({"p50_us": p50, "p99_us": p99, "times": nanos.len()});
        }
    };
    let memory = Stores {
        tokens: MemoryStore::new(),
        policies: MemoryPolicyStore::new(),
        log: MemoryRevocationLog::new(),
    };
    add("memory", runtime.block_on(rows::measure(memory)));
    add("SQLite", runtime.block_on(sqlite()));
    if let Some(figures) = runtime.block_on(postgres()) {
        add("Postgres", figures);
    } else {
        println!("Postgres is left out: it needs --features postgres, and scripts/services run");
    }
    figures::write("stores", &Value::Object(all));
}

async fn sqlite() -> Figures {
    let folder = std::env::temp_dir().join(format!("mcp-auth-stores-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let url = format!("sqlite:{}", folder.join("stores.db").display());
    let store = SqlStore::builder(url).create(true).migrate(true);
    let store = store.open().await.unwrap();
    let figures = rows::measure(Stores::of(&store)).await;
    store.close().await;
    let _ = std::fs::remove_dir_all(&folder);
    figures
}

#[cfg(feature = "postgres")]
async fn postgres() -> Option<Figures> {
    let database = database::Database::create().await?;
    let store = SqlStore::builder(&database.url).migrate(true);
    let store = store.open().await.unwrap();
    let figures = rows::measure(Stores::of(&store)).await;
    store.close().await;
    database.remove().await;
    Some(figures)
}

#[cfg(not(feature = "postgres"))]
#[expect(clippy::unused_async, reason = "as the one above")]
async fn postgres() -> Option<Figures> {
    None
}

fn micros(nanos: u64) -> f64 {
    figures::float(nanos) / 1e3
}
