//! `SqlStore` on SQLite.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use tower_mcp_auth::backend::SqlStore;

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
