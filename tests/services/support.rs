//! The servers that `scripts/services` starts, and a place of its own in them for every test.

use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::{ConnectOptions, Connection, Executor};

/// The Postgres that all tests share. A test creates its own [`Database`] in it.
pub fn postgres_url() -> String {
    from_environment("MCP_AUTH_TEST_POSTGRES")
}

/// The Redis that all tests share. A test uses a [`unique`] prefix in it.
pub fn redis_url() -> String {
    from_environment("MCP_AUTH_TEST_REDIS")
}

fn from_environment(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} is not set: run these tests with `scripts/test services`, or with \
             `scripts/services run cargo test --all-features --test services`"
        )
    })
}

/// A name that no other test has, of small letters, digits and `_`.
pub fn unique(purpose: &str) -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{purpose}_{}_{number}", process::id())
}

/// A database of one test. It ends with its server.
pub struct Database {
    pub url: String,
}

impl Database {
    /// An empty one in the shared Postgres.
    pub async fn create() -> Self {
        Self::create_in(&postgres_url()).await
    }

    /// An empty one in this Postgres.
    pub async fn create_in(server: &str) -> Self {
        let name = unique("test");
        let options: sqlx::postgres::PgConnectOptions = server.parse().unwrap();
        let mut connection = options.connect().await.unwrap();
        // A template nobody connects to, so that tests can create theirs at the same time.
        let create = format!("CREATE DATABASE {name} TEMPLATE template0");
        connection.execute(create.as_str()).await.unwrap();
        connection.close().await.unwrap();
        let (address, _) = server.rsplit_once('/').unwrap();
        Self {
            url: format!("{address}/{name}"),
        }
    }
}

/// Which server of a [`Private`] is meant.
#[derive(Clone, Copy, Debug)]
pub enum Which {
    Postgres,
    Redis,
}

/// A Postgres and a Redis of one test, which may hurt them. Stopped when dropped.
pub struct Private {
    name: String,
    pub postgres_url: String,
    pub redis_url: String,
}

impl Private {
    /// Starts both. Takes about a second.
    pub fn start() -> Self {
        let name = unique("private");
        // Even if what follows panics.
        let mut started = Self {
            name,
            postgres_url: String::new(),
            redis_url: String::new(),
        };
        let exports = services(&["start", &started.name]);
        let value = |variable: &str| {
            let line = exports.lines().find_map(|line| {
                line.strip_prefix("export ")?
                    .strip_prefix(variable)?
                    .strip_prefix('=')
            });
            line.unwrap_or_else(|| panic!("no {variable} in {exports:?}"))
                .to_owned()
        };
        started.postgres_url = value("MCP_AUTH_TEST_POSTGRES");
        started.redis_url = value("MCP_AUTH_TEST_REDIS");
        started
    }

    /// It holds its connections and answers nothing.
    pub fn freeze(&self, which: Which) {
        self.signal("freeze", which);
    }

    pub fn thaw(&self, which: Which) {
        self.signal("thaw", which);
    }

    /// It is gone at once.
    pub fn kill(&self, which: Which) {
        self.signal("kill", which);
    }

    /// It is there again, on the same port, when this returns.
    pub fn restart(&self, which: Which) {
        self.signal("restart", which);
    }

    fn signal(&self, command: &str, which: Which) {
        let which = match which {
            Which::Postgres => "postgres",
            Which::Redis => "redis",
        };
        services(&[command, &self.name, which]);
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // A second panic would hide the first.
        let _ = Command::new(script()).args(["stop", &self.name]).output();
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/services")
}

fn services(arguments: &[&str]) -> String {
    let output = Command::new(script()).args(arguments).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}

/// Tries until it comes true; for what happens by itself after an outage. Fails after `most`.
pub async fn eventually<T>(
    what: &str,
    most: Duration,
    mut attempt: impl AsyncFnMut() -> Option<T>,
) -> T {
    let trying = async {
        loop {
            if let Some(answer) = attempt().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let tried = tokio::time::timeout(most, trying).await;
    tried.unwrap_or_else(|_| panic!("{what}: not within {most:?}"))
}
