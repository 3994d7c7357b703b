//! Which database, its connections, and how long a call may take.

use std::future::Future;
use std::iter;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, Connection};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

use crate::error::BackendError;

/// How long one call may take, waiting for its connection included (R19).
pub(super) const DEADLINE: Duration = Duration::from_millis(500);
/// How long a call waits for a connection when all are lent.
const WAIT: Duration = Duration::from_millis(200);
/// How long opening a connection may take where no request waits for it.
pub(super) const CONNECT: Duration = Duration::from_secs(10);

/// The databases a [`SqlStore`](super::SqlStore) can be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SqlEngine {
    /// One file, or memory; for the processes of one machine.
    Sqlite,
    /// A server, for any number of processes.
    Postgres,
}

/// What went wrong in a call, before it says which call that was.
#[derive(Debug)]
pub(super) enum Fault {
    Sql(sqlx::Error),
    /// All connections are lent, and none came back in time.
    Busy,
    /// It says already what it has to say.
    Said(BackendError),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<BackendError> for Fault {
    fn from(error: BackendError) -> Self {
        Self::Said(error)
    }
}

impl Fault {
    fn during(self, what: &str) -> BackendError {
        match self {
            // It quotes what it does not understand, which may be any part of the URL.
            Self::Sql(sqlx::Error::Configuration(_)) => BackendError::new(format!(
                "{what}: the URL of the database has a setting that cannot be used"
            )),
            // As text: the details of a database's error quote whole rows.
            Self::Sql(error) => {
                BackendError::with_source(format!("{what}: the database failed"), error.to_string())
            }
            Self::Busy => BackendError::new(format!(
                "{what}: no connection to the database came free within {} ms",
                WAIT.as_millis()
            )),
            Self::Said(error) => error,
        }
    }
}

/// The pool, which is the bounded queue of R19, and what differs between the databases.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) kind: SqlEngine,
    pub(super) pool: AnyPool,
    /// SQLite has one writer at a time and no queue: those of this process line up here.
    turn: Mutex<()>,
    opening: Arc<AtomicBool>,
}

impl Engine {
    pub(super) fn new(kind: SqlEngine, pool: AnyPool) -> Self {
        Self {
            kind,
            pool,
            turn: Mutex::new(()),
            opening: Arc::default(),
        }
    }

    /// Runs the work of one call within [`DEADLINE`]. `what` says what was asked, for the error.
    pub(super) async fn call<T>(
        &self,
        what: &str,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, BackendError> {
        Self::within(DEADLINE, what, work).await
    }

    /// The same with another deadline.
    pub(super) async fn within<T>(
        deadline: Duration,
        what: &str,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, BackendError> {
        match timeout(deadline, work).await {
            Ok(done) => done.map_err(|fault| fault.during(what)),
            Err(_) => Err(BackendError::new(format!(
                "{what}: the database did not answer within {} ms",
                deadline.as_millis()
            ))),
        }
    }

    /// A connection, lent until it is dropped.
    pub(super) async fn lend(&self) -> Result<Lent, Fault> {
        let is_full = self.pool.size() >= self.pool.options().get_max_connections();
        if is_full && self.pool.num_idle() == 0 {
            let connection = timeout(WAIT, self.pool.acquire()).await;
            return Ok(self.lent(connection.map_err(|_| Fault::Busy)??));
        }
        let opener = Opener { engine: self };
        let connection = self.pool.acquire().await?;
        mem::forget(opener);
        Ok(self.lent(connection))
    }

    fn lent(&self, connection: PoolConnection<Any>) -> Lent {
        Lent {
            connection,
            is_midway: self.kind == SqlEngine::Postgres,
        }
    }

    /// This process's turn to write: at once, unless the database has one writer at a time.
    pub(super) async fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        match self.kind {
            SqlEngine::Sqlite => Some(self.turn.lock().await),
            SqlEngine::Postgres => None,
        }
    }
}

/// A connection of the pool.
///
/// Where a call ends in the middle, by its deadline or an error, nobody knows what still comes in on
/// the connection of a server: it is closed then, and another one opened.
pub(super) struct Lent {
    connection: PoolConnection<Any>,
    is_midway: bool,
}

impl Lent {
    /// Back into the pool.
    pub(super) fn done(mut self) {
        self.is_midway = false;
    }
}

impl Deref for Lent {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.connection
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.is_midway {
            self.connection.close_on_drop();
        }
    }
}

/// Dropped when a call ends before it had a connection: goes on opening one, for later calls. A server
/// that takes longer than a call may take would else never be reached. And where one idle connection has
/// turned out to be dead, the others are asked too, or each would cost a call its time.
struct Opener<'e> {
    engine: &'e Engine,
}

impl Drop for Opener<'_> {
    fn drop(&mut self) {
        let (pool, opening) = (self.engine.pool.clone(), self.engine.opening.clone());
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        if self.engine.kind == SqlEngine::Postgres && !opening.swap(true, Ordering::AcqRel) {
            runtime.spawn(async move {
                let idle: Vec<_> = iter::from_fn(|| pool.try_acquire()).collect();
                join_all(idle.into_iter().map(close_if_dead)).await;
                let _ = timeout(CONNECT, pool.acquire()).await;
                opening.store(false, Ordering::Release);
            });
        }
    }
}

async fn close_if_dead(mut connection: PoolConnection<Any>) {
    if !matches!(timeout(DEADLINE, connection.ping()).await, Ok(Ok(()))) {
        connection.close_on_drop();
    }
}
