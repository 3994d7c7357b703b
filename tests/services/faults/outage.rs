//! The faults, and how each begins and ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sqlx::{ConnectOptions, Connection, Executor, PgConnection};
use tokio::task::JoinHandle;
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::PolicyStore;

use super::scene::{RECOVERY, Scene};
use crate::support::{Which, eventually};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGSTOP: connections stay open, and nothing is answered.
    PostgresFrozen,
    PostgresKilled,
    /// Once.
    ConnectionsEnded,
    /// As of a standby.
    ReadOnly,
    /// By calls that wait for a lock.
    PoolExhausted,
    /// `max_connections` of the server.
    NoConnections,
    RedisFrozen,
    RedisKilled,
}

/// A fault that lasts.
pub struct Outage {
    fault: Fault,
    connections: Vec<PgConnection>,
    over: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Outage {
    pub async fn begin(fault: Fault, scene: &Scene) -> Self {
        let mut outage = Self {
            fault,
            connections: Vec::new(),
            over: Arc::default(),
            tasks: Vec::new(),
        };
        match fault {
            Fault::PostgresFrozen => scene.servers.freeze(Which::Postgres),
            Fault::PostgresKilled => {
                // These servers answer before they have written (synchronous_commit is off).
                connect(scene).await.execute("CHECKPOINT").await.unwrap();
                scene.servers.kill(Which::Postgres);
            }
            Fault::RedisFrozen => scene.servers.freeze(Which::Redis),
            Fault::RedisKilled => scene.servers.kill(Which::Redis),
            Fault::ConnectionsEnded => {
                assert!(terminate(&mut connect(scene).await, scene).await > 0);
            }
            Fault::ReadOnly => read_only(scene, true).await,
            Fault::PoolExhausted => outage.exhaust(scene).await,
            Fault::NoConnections => outage.take_all(scene).await,
        }
        outage
    }

    pub async fn end(mut self, scene: &Scene) {
        self.over.store(true, Ordering::Release);
        match self.fault {
            Fault::PostgresFrozen => scene.servers.thaw(Which::Postgres),
            Fault::PostgresKilled => scene.servers.restart(Which::Postgres),
            Fault::RedisFrozen => scene.servers.thaw(Which::Redis),
            Fault::RedisKilled => scene.servers.restart(Which::Redis),
            Fault::ReadOnly => read_only(scene, false).await,
            Fault::ConnectionsEnded | Fault::PoolExhausted | Fault::NoConnections => {}
        }
        for connection in self.connections.drain(..) {
            connection.close().await.unwrap();
        }
        for task in self.tasks.drain(..) {
            task.await.unwrap();
        }
    }

    /// More calls than the pool has connections, each of which waits for a lock as long as it may.
    async fn exhaust(&mut self, scene: &Scene) {
        let options: sqlx::postgres::PgConnectOptions = scene.database.url.parse().unwrap();
        let mut holder = options.connect().await.unwrap();
        let lock = "BEGIN; LOCK TABLE mcp_auth_policies IN ACCESS EXCLUSIVE MODE";
        holder.execute(lock).await.unwrap();
        self.connections.push(holder);
        let failed = Arc::new(AtomicUsize::new(0));
        for number in 0..32 {
            let (store, over, failed) = (scene.store.clone(), self.over.clone(), failed.clone());
            self.tasks.push(tokio::spawn(async move {
                let organization = OrganizationId::new(format!("org-{number}")).unwrap();
                while !over.load(Ordering::Acquire) {
                    if store.load(&organization).await.is_err() {
                        failed.fetch_add(1, Ordering::AcqRel);
                    }
                }
            }));
        }
        let stuck = async || (failed.load(Ordering::Acquire) >= 32).then_some(());
        eventually("the pool is exhausted", RECOVERY, stuck).await;
    }

    /// Every connection that the server gives, those of the processes included.
    async fn take_all(&mut self, scene: &Scene) {
        let options: sqlx::postgres::PgConnectOptions = scene.servers.postgres_url.parse().unwrap();
        let mut admin = connect(scene).await;
        for _ in 0..1000 {
            // Until it refuses.
            while let Ok(connection) = options.connect().await {
                self.connections.push(connection);
            }
            if terminate(&mut admin, scene).await == 0 {
                self.connections.push(admin);
                return;
            }
        }
        panic!("the processes keep their connections");
    }
}

/// To another database than that of the processes.
async fn connect(scene: &Scene) -> PgConnection {
    let options: sqlx::postgres::PgConnectOptions = scene.servers.postgres_url.parse().unwrap();
    options.connect().await.unwrap()
}

/// Ends the connections to the database of the processes; says how many there were.
async fn terminate(admin: &mut PgConnection, scene: &Scene) -> usize {
    let (_, name) = scene.database.url.rsplit_once('/').unwrap();
    let ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
    let ended = sqlx::query(ended).bind(name).fetch_all(admin).await;
    ended.unwrap().len()
}

async fn read_only(scene: &Scene, on: bool) {
    let (_, name) = scene.database.url.rsplit_once('/').unwrap();
    let mut admin = connect(scene).await;
    let setting = if on { "on" } else { "off" };
    let alter = format!("ALTER DATABASE {name} SET default_transaction_read_only = {setting}");
    admin.execute(alter.as_str()).await.unwrap();
    terminate(&mut admin, scene).await;
    admin.close().await.unwrap();
}
