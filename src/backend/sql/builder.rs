//! How to open a store.

use std::fmt;
use std::sync::Arc;

use url::Url;

use super::engine::SqlEngine;
use crate::clock::{Clock, SystemClock};
use crate::error::{ConfigError, Problems};
use crate::revocation::{DynHints, Hints};

/// The settings of a [`SqlStore`](super::SqlStore). Nothing happens before [`open`](Self::open).
pub struct SqlStoreBuilder {
    pub(super) url: String,
    pub(super) max_connections: u32,
    pub(super) create: bool,
    pub(super) migrate: bool,
    pub(super) any_schema: bool,
    pub(super) hints: Vec<DynHints>,
    pub(super) clock: Arc<dyn Clock>,
}

/// A URL that can be opened.
pub(super) struct Place {
    pub(super) engine: SqlEngine,
    pub(super) is_memory: bool,
}

impl SqlStoreBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            max_connections: 16,
            create: false,
            migrate: false,
            any_schema: false,
            hints: Vec::new(),
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// How many connections to hold at most, 1 to 1,000; default 16. A call that finds all of them lent
    /// waits 200 ms and then fails. A database in memory has one.
    #[must_use]
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.max_connections = connections;
        self
    }

    /// Whether to create the file of an SQLite database that does not exist, readable and writable by
    /// its owner only (mode 0600) on Unix. Default no: a misspelt path must not become an empty
    /// database. Needs [`migrate`](Self::migrate). Databases of a server are created there.
    #[must_use]
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Whether to bring the schema up to date. Default no: it takes a role that may create tables, and
    /// programs of an older version refuse the new schema. `mcp-auth migrate` does the same.
    #[must_use]
    pub fn migrate(mut self, migrate: bool) -> Self {
        self.migrate = migrate;
        self
    }

    /// Whether to open a database whatever its schema, for tools that ask
    /// [`schema`](super::SqlStore::schema) or [`migrate`](super::SqlStore::migrate) afterwards. Other
    /// calls may fail then. Default no.
    #[must_use]
    pub fn any_schema(mut self, any: bool) -> Self {
        self.any_schema = any;
        self
    }

    /// One more way to tell other processes of what was written, and to hear it from them. Default:
    /// `LISTEN` and `NOTIFY` on PostgreSQL, none on SQLite; others read within two seconds anyway.
    #[must_use]
    pub fn hints(mut self, hints: impl Hints) -> Self {
        self.hints.push(DynHints::new(hints));
        self
    }

    /// The clock that dates what is written. Default: the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Every mistake in the settings.
    pub(super) fn examine(&self) -> Result<Place, ConfigError> {
        let mut problems = Problems::default();
        if !(1..=1000).contains(&self.max_connections) {
            problems.add("max_connections", self.max_connections, "use 1 to 1000");
        }
        if self.create && !self.migrate && !self.any_schema {
            problems.add(
                "create",
                true,
                "a new database has no schema: set migrate(true) as well",
            );
        }
        let place = self.place(&mut problems);
        problems.or(place)
    }

    fn place(&self, problems: &mut Problems) -> Option<Place> {
        let url = Url::parse(&self.url).ok();
        // The rest of it may be a secret, whatever it looks like.
        let scheme = url.as_ref().map_or("", Url::scheme);
        let engine = match scheme {
            "sqlite" => SqlEngine::Sqlite,
            "postgres" | "postgresql" => SqlEngine::Postgres,
            _ => {
                problems.add(
                    "url",
                    scheme,
                    "write sqlite:FILE, sqlite::memory: or postgres://USER@HOST/DATABASE",
                );
                return None;
            }
        };
        let (is_there, feature) = match engine {
            SqlEngine::Sqlite => (cfg!(feature = "sqlite"), "sqlite"),
            SqlEngine::Postgres => (cfg!(feature = "postgres"), "postgres"),
        };
        if !is_there {
            let remedy = format!("enable the feature `{feature}` of tower-mcp-auth");
            problems.add("url", scheme, remedy);
            return None;
        }
        let mode = url.as_ref().and_then(|url| {
            let mut pairs = url.query_pairs();
            let mode = pairs.find(|(name, _)| name == "mode");
            mode.map(|(_, mode)| mode.into_owned())
        });
        if engine == SqlEngine::Sqlite && mode.as_deref() == Some("rwc") {
            problems.add("url", "mode=rwc", "leave it out and set create(true)");
            return None;
        }
        let is_memory = engine == SqlEngine::Sqlite
            && (mode.as_deref() == Some("memory") || self.url.contains(":memory:"));
        Some(Place { engine, is_memory })
    }
}

impl fmt::Debug for SqlStoreBuilder {
    /// Never the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStoreBuilder")
            .field("max_connections", &self.max_connections)
            .field("create", &self.create)
            .field("migrate", &self.migrate)
            .field("any_schema", &self.any_schema)
            .finish_non_exhaustive()
    }
}
