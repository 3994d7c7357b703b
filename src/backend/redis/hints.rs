//! Hints by publish and subscribe.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Client, ErrorKind, RedisResult};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::address;
use super::connection::{Connection, OPENING};
use crate::error::{BackendError, ConfigError};
use crate::revocation::Hints;

/// Pauses between attempts to listen again double from one to the other.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How often a connection on which nothing comes is asked whether it is one, and how long it may take to
/// say so.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(5);

/// [`Hints`] through Redis: `PUBLISH` and `SUBSCRIBE` on one channel. Feature `redis`.
///
/// It carries nothing but "read the log now", so it needs no protection of its own: whoever can publish
/// on the channel can make the processes read their log, which they do every two seconds anyway. Without
/// Redis, revocations take that long and are as sure.
///
/// Sending connects at the first hint, takes at most 250 ms, and fails while Redis is away. Listening is a
/// task that starts with the first [`received`](Hints::received) and ends with the last clone; it connects
/// again after pauses of 100 ms to 5 s, and asks a silent connection every 15 s whether it is still there. A
/// new connection counts as a hint, the first one too: something may have come before it.
///
/// Clones share both connections. Each hears of every hint; two that wait on the same clone are both told.
///
/// ```
/// use tower_mcp_auth::backend::RedisHints;
///
/// let hints = RedisHints::new("rediss://mcp:secret@cache.example.com:6379")?.channel("mcp_auth_eu");
/// # let _ = hints; // nothing is connected yet
/// # Ok::<(), tower_mcp_auth::ConfigError>(())
/// ```
pub struct RedisHints {
    line: Arc<Line>,
    /// The last hint that a `received` of this clone told.
    told: AtomicU64,
}

/// What clones share.
struct Line {
    connection: Connection,
    channel: Arc<str>,
    /// The number of the last hint.
    heard: watch::Sender<u64>,
    listener: Mutex<Option<AbortHandle>>,
}

impl RedisHints {
    /// Hints on the channel `mcp_auth` of this Redis: `redis://[user:password@]host[:port]`, `rediss://` for
    /// TLS (with the Mozilla roots), `unix://` for a socket. Channels are the same in all databases of a Redis. No I/O, and no
    /// runtime needed.
    ///
    /// # Errors
    ///
    /// The URL cannot be used. The error does not repeat it.
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        Ok(Self::on(Connection::new(url)?, "mcp_auth"))
    }

    /// Trusts the authorities in this PEM file (RFC 7468) and not Mozilla's, for a `rediss://` whose
    /// certificate is by your own.
    ///
    /// # Errors
    ///
    /// A certificate cannot be read, there is none, or the URL is not `rediss://`.
    pub fn root_certificates_pem(self, pem: &[u8]) -> Result<Self, ConfigError> {
        let connection = self.line.connection.trusting(pem)?;
        Ok(Self::on(connection, &self.line.channel))
    }

    /// Another channel, for a Redis that several servers share.
    #[must_use]
    pub fn channel(self, name: &str) -> Self {
        Self::on(self.line.connection.clone(), name)
    }

    fn on(connection: Connection, channel: &str) -> Self {
        Self {
            line: Arc::new(Line {
                connection,
                channel: channel.into(),
                heard: watch::Sender::new(0),
                listener: Mutex::default(),
            }),
            told: AtomicU64::new(0),
        }
    }
}

impl Line {
    /// Starts the task, or another one where its runtime has ended.
    fn listen(&self) {
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        if listener.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let listening = Listener {
            client: self.connection.client().clone(),
            channel: self.channel.clone(),
            heard: self.heard.clone(),
        };
        *listener = Some(tokio::spawn(listening.run()).abort_handle());
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let listener = self.listener.get_mut();
        if let Some(task) = listener.unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

impl Hints for RedisHints {
    async fn send(&self) -> Result<(), BackendError> {
        let mut publish = redis::cmd("PUBLISH");
        publish.arg(&*self.line.channel).arg("");
        // Sent twice it is heard twice, which means nothing.
        self.line.connection.query(&publish).await
    }

    async fn received(&self) {
        self.line.listen();
        let told = self.told.load(Ordering::Relaxed);
        let mut heard = self.line.heard.subscribe();
        // The sender is ours, so this ends with a hint only.
        let number = match heard.wait_for(|number| *number != told).await {
            Ok(number) => *number,
            Err(_) => return,
        };
        self.told.fetch_max(number, Ordering::Relaxed);
    }
}

impl Clone for RedisHints {
    fn clone(&self) -> Self {
        Self {
            line: self.line.clone(),
            told: AtomicU64::new(self.told.load(Ordering::Relaxed)),
        }
    }
}

impl fmt::Debug for RedisHints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisHints")
            .field("connection", &self.line.connection)
            .field("channel", &self.line.channel)
            .finish_non_exhaustive()
    }
}

/// The task that listens.
struct Listener {
    client: Client,
    channel: Arc<str>,
    heard: watch::Sender<u64>,
}

impl Listener {
    async fn run(self) {
        let mut pause = FIRST_PAUSE;
        let mut away = false;
        loop {
            let ended = match self.subscribe().await {
                Ok((sink, stream)) => {
                    if std::mem::take(&mut away) {
                        tracing::info!(channel = &*self.channel, "hints are heard again");
                    }
                    pause = FIRST_PAUSE;
                    self.hear(sink, stream).await
                }
                Err(error) => error.to_string(),
            };
            if !std::mem::replace(&mut away, true) {
                tracing::warn!(
                    channel = &*self.channel,
                    error = ended,
                    "hints are not heard: logs are read every two seconds"
                );
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn subscribe(&self) -> RedisResult<(PubSubSink, PubSubStream)> {
        address::provide_crypto(&self.client);
        let subscribing = async {
            let (mut sink, stream) = self.client.get_async_pubsub().await?.split();
            sink.subscribe(&*self.channel).await?;
            Ok((sink, stream))
        };
        let subscribed = timeout(OPENING, subscribing).await;
        subscribed.unwrap_or_else(|_| Err((ErrorKind::Io, "it took too long to connect").into()))
    }

    /// Counts hints until the connection ends, and says why it did.
    async fn hear(&self, mut sink: PubSubSink, mut stream: PubSubStream) -> String {
        self.count();
        loop {
            match timeout(KEEPALIVE, stream.next()).await {
                Ok(Some(_)) => self.count(),
                Ok(None) => return "the connection ended".into(),
                Err(_) => {
                    let asked = timeout(KEEPALIVE_ANSWER, sink.ping::<redis::Value>()).await;
                    match asked {
                        Ok(Ok(_)) => {}
                        Ok(Err(error)) => return error.to_string(),
                        Err(_) => return "the connection is dead".into(),
                    }
                }
            }
        }
    }

    fn count(&self) {
        self.heard
            .send_modify(|number| *number = number.wrapping_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shows_the_password() {
        let hints = RedisHints::new("rediss://mcp:hunter2@cache:6380").unwrap();
        let shown = format!("{:?}", hints.channel("eu"));
        assert!(shown.contains("cache:6380"), "{shown}");
        assert!(shown.contains("\"eu\""), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
