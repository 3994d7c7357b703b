//! What processes share: a database, and a Redis.

#[cfg(feature = "redis")]
use std::path::Path;

use crate::config::kinds::{Text, Whole};
use crate::config::read::{Reader, table};
use crate::config::secret::Secret;
#[cfg(feature = "redis")]
use crate::config::secret::read_certificates;
#[cfg(feature = "redis")]
use crate::error::{ConfigError, Problems};

table! {
    /// Tokens, policies and revocations in one SQL database. Features `sqlite`, `postgres`.
    struct Database {
        /// `sqlite:/var/lib/mcp/auth.db`, or `postgres://user@host/database?sslmode=verify-full`. A secret, because a
        /// password stands in it.
        [restart] url: Secret,
        /// How many connections to hold at most.
        [restart] max_connections: Option<Whole<1, 1000>> = 16,
        /// Whether to create the file of an SQLite database that does not exist. Needs `migrate`.
        [restart] create: bool,
        /// Whether to bring the schema up to date at the start; `mcp-auth migrate` does the same.
        [restart] migrate: bool,
    }
}

table! {
    /// Hints, failures and proofs through Redis. Feature `redis`.
    struct Redis {
        /// `redis://user:password@host:6379/0`, `rediss://` for TLS. A secret, because a password stands in it.
        [restart] url: Secret,
        /// A file of certificates (PEM) of the authorities that may vouch for the server, instead of Mozilla's.
        [restart] root_certificates: Option<Text>,
        /// Tells other processes of changes at once, instead of within two seconds. Needs a `database`.
        [restart] hints: Option<bool> = true,
        /// The channel of hints, for a Redis that several servers share.
        [restart] channel: Option<Text> = "mcp_auth",
        /// Counts failed API tokens together with the other processes.
        [restart] shared_failures: Option<bool> = true,
        /// Keeps used DPoP proofs, so that one serves once in all processes.
        [restart] replay_store: Option<bool> = true,
        /// What keys begin with.
        [restart] key_prefix: Option<Text> = "mcp_auth",
    }
}

#[cfg(feature = "redis")]
impl Redis {
    /// An adapter of this Redis, with the roots of the file if there are any; else a problem.
    pub(in crate::config) fn adapter<T>(
        &self,
        new: fn(&str) -> Result<T, ConfigError>,
        trusting: fn(T, &[u8]) -> Result<T, ConfigError>,
        reader: &mut Reader<'_>,
    ) -> Option<T> {
        let adapter = new(self.url.expose());
        let adapter = match &self.root_certificates {
            None => adapter,
            Some(file) => adapter.and_then(|adapter| trusting(adapter, &roots(&file.0)?)),
        };
        let problem = |error: ConfigError| {
            reader.adopt(&error, |problem| {
                (problem.field.clone(), problem.remedy.clone())
            });
        };
        adapter.map_err(problem).ok()
    }
}

#[cfg(feature = "redis")]
fn roots(file: &str) -> Result<Vec<u8>, ConfigError> {
    let mut problems = Problems::default();
    let pem = read_certificates(Path::new(file));
    let pem = pem.map_err(|problem| {
        problems.add(
            "redis.root_certificates",
            file,
            format!("the file {problem}"),
        );
    });
    problems.or(pem.ok())
}

impl Redis {
    pub(in crate::config) fn examine(&self, reader: &mut Reader<'_>) {
        if let Some(wanted) = self.replay_store.filter(|_| !cfg!(feature = "dpop")) {
            let remedy = "enable the feature `dpop` of tower-mcp-auth, or leave it out";
            reader.add("redis.replay_store", wanted, remedy);
        }
    }
}

impl Database {
    pub(in crate::config) fn examine(&self, reader: &mut Reader<'_>) {
        let scheme = self.url.expose().split(':').next().unwrap_or_default();
        let feature = match scheme {
            "sqlite" => (!cfg!(feature = "sqlite")).then_some("sqlite"),
            "postgres" | "postgresql" => (!cfg!(feature = "postgres")).then_some("postgres"),
            _ => {
                let remedy = "write sqlite:FILE, sqlite::memory: or postgres://USER@HOST/DATABASE";
                return reader.add("database.url", "…", remedy);
            }
        };
        if let Some(feature) = feature {
            let remedy = format!("enable the feature `{feature}` of tower-mcp-auth");
            reader.add("database.url", scheme, remedy);
        }
        if self.create && !self.migrate {
            let remedy = "a new database has no schema; set `migrate = true` as well";
            reader.add("database.create", true, remedy);
        }
    }
}
