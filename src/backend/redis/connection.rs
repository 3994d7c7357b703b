//! One connection to Redis that opens at its first use, and again after an outage.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisError};
use redis::{RedisResult, ServerErrorKind};
use tokio::time::{Instant, timeout};

use super::address;
use crate::error::{BackendError, ConfigError};

/// How long a call may take, whatever it has to do for it.
pub(super) const DEADLINE: Duration = Duration::from_millis(250);

/// How long opening a connection may take. Longer than a call, so that a far server is reached by the
/// next call rather than never.
pub(super) const OPENING: Duration = Duration::from_secs(2);

/// After a connection was lost the next one is tried at once, then after pauses that double.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A connection being opened, or open: everybody who needs it waits for the same attempt.
type Opening = Shared<BoxFuture<'static, RedisResult<MultiplexedConnection>>>;

/// A connection that all calls of one adapter share. Clones are the same one.
#[derive(Clone)]
pub(super) struct Connection(Arc<Inner>);

struct Inner {
    client: Client,
    slot: Mutex<Slot>,
}

#[derive(Default)]
struct Slot {
    opening: Option<Opening>,
    /// Which attempt `opening` is, so that nobody throws away a newer one.
    number: u64,
    /// No attempt before this.
    not_before: Option<Instant>,
    pause: Duration,
    /// An outage was logged and has not ended.
    out: bool,
}

/// What a call got hold of.
struct Attempt {
    opening: Opening,
    number: u64,
    /// It was open when the call came, so whatever closed it may have done so unnoticed.
    old: bool,
}

impl Connection {
    /// Reads the URL, and nothing else: no I/O, no runtime needed.
    pub(super) fn new(url: &str) -> Result<Self, ConfigError> {
        Ok(Self::by(address::read(url)?))
    }

    /// Another connection to the same server, if its certificate is by one of these authorities.
    pub(super) fn trusting(&self, pem: &[u8]) -> Result<Self, ConfigError> {
        Ok(Self::by(address::trusting(self.client(), pem)?))
    }

    fn by(client: Client) -> Self {
        let slot = Mutex::default();
        Self(Arc::new(Inner { client, slot }))
    }

    pub(super) fn client(&self) -> &Client {
        &self.0.client
    }

    /// Runs a command within 250 ms. It may run twice: again if a connection that was open before turns out
    /// to be closed, as after a restart, a failover, or the patience of a proxy.
    ///
    /// # Errors
    ///
    /// Redis is out of reach, late, refuses the command, or answers with another type. It may have run.
    pub(super) async fn query<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, BackendError> {
        self.query_counted(cmd).await.map(|(answer, _)| answer)
    }

    /// The same, but the command runs at most once: a connection that turns out to be closed is an error.
    pub(super) async fn query_once<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, BackendError> {
        let answer = self.query_trying(cmd, false).await;
        answer.map(|(answer, _)| answer)
    }

    /// The same, and whether it was sent twice and so may have run twice.
    pub(super) async fn query_counted<T: FromRedisValue>(
        &self,
        cmd: &Cmd,
    ) -> Result<(T, bool), BackendError> {
        self.query_trying(cmd, true).await
    }

    async fn query_trying<T: FromRedisValue>(
        &self,
        cmd: &Cmd,
        may_repeat: bool,
    ) -> Result<(T, bool), BackendError> {
        let mut used = None;
        let in_time = timeout(DEADLINE, self.run(cmd, may_repeat, &mut used)).await;
        let answer = in_time.unwrap_or_else(|_| {
            // Too late on a connection that was open: nobody may be at its other end any more.
            if let Some(number) = used {
                self.0.lost(number);
            }
            let late = format!("no answer within {} ms", DEADLINE.as_millis());
            Err(BackendError::new(self.0.says(&late)))
        });
        match &answer {
            Ok(_) => self.0.answered(),
            Err(error) => self.0.failed(error),
        }
        answer
    }

    /// `used` is the number of the connection waited on, if it was open before.
    async fn run<T: FromRedisValue>(
        &self,
        cmd: &Cmd,
        may_repeat: bool,
        used: &mut Option<u64>,
    ) -> Result<(T, bool), BackendError> {
        let mut again = false;
        loop {
            let attempt = self.0.attempt()?;
            let mut open = match attempt.opening.await {
                Ok(open) => open,
                Err(error) => {
                    self.0.lost(attempt.number);
                    return Err(self.0.error(error));
                }
            };
            *used = attempt.old.then_some(attempt.number);
            let error = match cmd.query_async(&mut open).await {
                Ok(answer) => return Ok((answer, again)),
                Err(error) => error,
            };
            let closed = error.is_unrecoverable_error();
            if closed || of_a_replica(&error) {
                self.0.lost(attempt.number);
            }
            if again || !may_repeat || !closed || !attempt.old {
                return Err(self.0.error(error));
            }
            again = true;
        }
    }
}

/// The server behind the name is no longer the one that takes writes: look the name up again.
fn of_a_replica(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
    )
}

impl Inner {
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection there is, or a new attempt, unless the last one failed a moment ago.
    fn attempt(self: &Arc<Self>) -> Result<Attempt, BackendError> {
        let mut slot = self.slot();
        if let Some(opening) = &slot.opening {
            return Ok(Attempt {
                opening: opening.clone(),
                number: slot.number,
                old: opening.peek().is_some(),
            });
        }
        if slot
            .not_before
            .is_some_and(|moment| Instant::now() < moment)
        {
            return Err(BackendError::new(self.says("out of reach a moment ago")));
        }
        slot.number += 1;
        let opening = self.open(slot.number);
        slot.opening = Some(opening.clone());
        Ok(Attempt {
            opening,
            number: slot.number,
            old: false,
        })
    }

    /// Opens in a task, because whoever asked first may not wait for as long as it takes.
    fn open(self: &Arc<Self>, number: u64) -> Opening {
        let inner = Arc::clone(self);
        let task = tokio::spawn(async move {
            address::provide_crypto(&inner.client);
            // Every call has its own deadline.
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(None)
                .set_response_timeout(None);
            let opening = inner
                .client
                .get_multiplexed_async_connection_with_config(&config);
            let opened = match timeout(OPENING, opening).await {
                Ok(opened) => opened,
                Err(_) => Err((ErrorKind::Io, "it took too long to connect").into()),
            };
            if opened.is_err() {
                inner.lost(number);
            }
            opened
        });
        let opened = task.map(|ended| match ended {
            Ok(opened) => opened,
            Err(_) => Err((ErrorKind::Client, "the attempt to connect was given up").into()),
        });
        opened.boxed().shared()
    }

    /// Gives this connection up. The next call opens another, at once or after a pause.
    fn lost(&self, number: u64) {
        let mut slot = self.slot();
        if slot.number != number || slot.opening.take().is_none() {
            return;
        }
        slot.not_before = Some(Instant::now() + slot.pause);
        slot.pause = (slot.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
    }

    fn answered(&self) {
        let mut slot = self.slot();
        slot.pause = Duration::ZERO;
        if std::mem::take(&mut slot.out) {
            drop(slot);
            tracing::info!(redis = %self.address(), "Redis answers again");
        }
    }

    /// Logs the first failure of an outage.
    fn failed(&self, error: &BackendError) {
        let known = std::mem::replace(&mut self.slot().out, true);
        if !known {
            tracing::warn!(redis = %self.address(), error = %error.report(), "Redis fails");
        }
    }

    fn error(&self, error: RedisError) -> BackendError {
        BackendError::with_source(self.says("it failed"), error)
    }

    fn says(&self, what: &str) -> String {
        format!("Redis at {}: {what}", self.address())
    }

    /// Host and port, or the path of a socket; without user and password.
    fn address(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection")
            .field(&self.0.address())
            .finish()
    }
}
