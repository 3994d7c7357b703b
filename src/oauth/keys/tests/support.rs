//! A key source, its issuer, and one clock for both.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::algorithm::SigningAlgorithm;
use crate::clock::{Clock, UnixTime};
use crate::fetch::DynFetch;
use crate::issuer::Issuer;
use crate::oauth::keys::{KeySource, Lookup};
use crate::testing::TestIssuer;

pub(super) const ES256: SigningAlgorithm = SigningAlgorithm::Es256;

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Lets simulated time pass, timer by timer.
pub(super) async fn pass(seconds: u64) {
    tokio::time::sleep(secs(seconds)).await;
}

/// Follows tokio's paused clock, so that timers and ages agree.
#[derive(Debug)]
pub(super) struct PausedClock(Instant);

impl PausedClock {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for PausedClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(1_800_000_000 + i64::try_from(self.0.elapsed().as_secs()).unwrap())
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

pub(super) struct World {
    pub(super) issuer: TestIssuer,
    pub(super) source: Arc<KeySource>,
}

impl World {
    pub(super) fn new() -> Self {
        Self::at("https://auth.example.com/t1", |issuer| issuer)
    }

    pub(super) fn at(url: &str, configure: impl FnOnce(Issuer) -> Issuer) -> Self {
        let issuer = TestIssuer::builder().url(url).in_process();
        let configured = configure(Issuer::new(url));
        let fetch = DynFetch::new(issuer.fetch());
        let source = KeySource::new(
            &configured,
            crate::scope::ScopeSet::empty(),
            fetch,
            Arc::new(PausedClock::new()),
        );
        Self { issuer, source }
    }

    /// One with keys at hand, and a request log that is empty.
    pub(super) async fn warm() -> Self {
        let world = Self::new();
        world.source.warm_up().await.unwrap();
        world.issuer.reset_hits();
        world
    }

    pub(super) fn kid(&self) -> String {
        self.issuer.signing_kid()
    }

    /// What a request does: look up, wait once, look up again.
    pub(super) async fn ask(&self, kid: &str) -> Answer {
        ask(&self.source, Some(kid)).await
    }

    /// The same for a request that is not willing to wait.
    pub(super) fn ask_now(&self, kid: &str) -> Answer {
        Answer::from(self.source.lookup(Some(kid), ES256, false))
    }

    pub(super) fn last_error(&self) -> String {
        let error = self.source.status().last_error;
        error.map_or_else(String::new, |error| error.report())
    }
}

pub(super) async fn ask(source: &Arc<KeySource>, kid: Option<&str>) -> Answer {
    match source.lookup(kid, ES256, false) {
        Lookup::Wait(wait) => {
            wait.done().await;
            Answer::from(source.lookup(kid, ES256, true))
        }
        other => Answer::from(other),
    }
}

/// A [`Lookup`] that can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Keys,
    Unknown,
    Ambiguous,
    Wait,
    /// With the seconds of `retry_after`, rounded up.
    Unavailable(u64),
}

impl From<Lookup> for Answer {
    fn from(lookup: Lookup) -> Self {
        match lookup {
            Lookup::Keys(_) => Self::Keys,
            Lookup::Unknown => Self::Unknown,
            Lookup::Ambiguous => Self::Ambiguous,
            Lookup::Wait(_) => Self::Wait,
            Lookup::Unavailable { retry_after, .. } => {
                Self::Unavailable(u64::try_from(retry_after.as_millis().div_ceil(1000)).unwrap())
            }
        }
    }
}

impl Answer {
    /// A 503 with a `Retry-After` within its bounds (KEY-6).
    pub(super) fn is_outage(self) -> bool {
        matches!(self, Self::Unavailable(1..=30))
    }
}

/// What this thread logs while it lives.
pub(super) struct Log {
    lines: Lines,
    _guard: tracing::subscriber::DefaultGuard,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub(super) fn start() -> Self {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || writer.clone())
            .finish();
        Self {
            lines,
            _guard: tracing::subscriber::set_default(subscriber),
        }
    }

    pub(super) fn lines_with(&self, word: &str) -> Vec<String> {
        let bytes = self.lines.0.lock().unwrap();
        String::from_utf8_lossy(&bytes)
            .lines()
            .filter(|line| line.contains(word) && line.contains(crate::oauth::keys::TARGET))
            .map(str::to_owned)
            .collect()
    }
}
