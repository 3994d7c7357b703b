//! Where metrics go, as the builder takes it.

use std::fmt;
use std::sync::Arc;

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, SharedString, Unit,
};

use super::catalogue::{self, MetricDescription, MetricKind};

static METADATA: Metadata<'static> =
    Metadata::new("tower_mcp_auth", Level::INFO, Some(module_path!()));

/// Counts and measures through a recorder of the [`metrics`] facade, which exporters of Prometheus,
/// `StatsD` and OpenTelemetry are.
///
/// ```
/// use tower_mcp_auth::telemetry::Metrics;
/// # use tower_mcp_auth::{Authenticator, Issuer, ProtectedResource};
///
/// # fn main() -> Result<(), tower_mcp_auth::ConfigError> {
/// // First install an exporter, such as metrics-exporter-prometheus, then build.
/// let auth = Authenticator::builder(
///     ProtectedResource::new("https://mcp.example.com/mcp")
///         .issuer(Issuer::new("https://auth.example.com/t1")),
/// )
/// .metrics(Metrics::new())
/// .build()?;
///
/// // Gauges are set by this, every ten seconds or before each scrape:
/// auth.update_gauges();
/// # Ok(())
/// # }
/// ```
///
/// Every label has a closed list of values, and issuers are those configured: [`Metrics::max_series`]
/// says how many series there can be, whatever clients send.
///
/// Two authenticators that report to one recorder add up their counters and overwrite each other's
/// gauges; tell them apart with [`Metrics::label`]. Mounts of one server report together.
#[derive(Clone)]
pub struct Metrics {
    recorder: Arc<dyn Recorder + Send + Sync>,
    labels: Vec<Label>,
}

impl Metrics {
    /// Bounds of histogram buckets that fit every histogram here, in seconds: from a decision in memory,
    /// about a microsecond, to the longest wait for an issuer. Exporters of Prometheus have to be told
    /// buckets; without, they make summaries, and the dashboard shows no durations.
    pub const BUCKETS: [f64; 16] = [
        0.000_001,
        0.000_002_5,
        0.000_005,
        0.000_01,
        0.000_025,
        0.000_1,
        0.000_5,
        0.002_5,
        0.01,
        0.025,
        0.1,
        0.25,
        0.5,
        1.0,
        2.5,
        10.0,
    ];

    /// Through the recorder of the process, which has to be installed before
    /// [`build`](crate::authenticator::AuthenticatorBuilder::build): what is registered earlier is lost.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Installed)
    }

    /// Through this recorder.
    ///
    /// ```
    /// # use tower_mcp_auth::telemetry::Metrics;
    /// let metrics = Metrics::with(metrics::NoopRecorder);
    /// # let _ = metrics;
    /// ```
    #[must_use]
    pub fn with(recorder: impl Recorder + Send + Sync + 'static) -> Self {
        Self {
            recorder: Arc::new(recorder),
            labels: Vec::new(),
        }
    }

    /// Adds a label to every metric, such as the name of a server that shares its process with others.
    /// The value must be one of a few that you choose: it multiplies the number of series.
    #[must_use]
    pub fn label(mut self, name: impl Into<SharedString>, value: impl Into<SharedString>) -> Self {
        self.labels.push(Label::new(name, value));
        self
    }

    /// Every metric there is, in the order of `docs/telemetry.md`.
    ///
    /// ```
    /// # use tower_mcp_auth::telemetry::Metrics;
    /// assert!(Metrics::catalogue().iter().all(|metric| metric.name.starts_with("mcp_auth_")));
    /// ```
    #[must_use]
    pub fn catalogue() -> &'static [MetricDescription] {
        catalogue::ALL
    }

    /// The most series one process has with so many issuers, a histogram counted once: no request,
    /// whatever is in it, makes more.
    ///
    /// ```
    /// # use tower_mcp_auth::telemetry::Metrics;
    /// // Ten more for each issuer, and those that there are anyway:
    /// let one = Metrics::max_series(1);
    /// assert_eq!(Metrics::max_series(11) - one, 10 * 10);
    /// assert!(one < 1_000);
    /// ```
    #[must_use]
    pub fn max_series(issuers: usize) -> usize {
        let all = Self::catalogue().iter();
        all.map(|metric| metric.max_series(issuers)).sum()
    }

    pub(super) fn describe(&self) {
        for metric in Self::catalogue() {
            let (name, unit, help) = (metric.name.into(), Some(metric.unit()), metric.help.into());
            match metric.kind {
                MetricKind::Counter => self.recorder.describe_counter(name, unit, help),
                MetricKind::Gauge => self.recorder.describe_gauge(name, unit, help),
                MetricKind::Histogram => self.recorder.describe_histogram(name, unit, help),
            }
        }
    }

    pub(super) fn counter(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Counter {
        self.recorder
            .register_counter(&self.key(name, labels), &METADATA)
    }

    pub(super) fn gauge(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Gauge {
        self.recorder
            .register_gauge(&self.key(name, labels), &METADATA)
    }

    pub(super) fn histogram(
        &self,
        name: &'static str,
        labels: &[(&'static str, &str)],
    ) -> Histogram {
        self.recorder
            .register_histogram(&self.key(name, labels), &METADATA)
    }

    fn key(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Key {
        let own = labels
            .iter()
            .map(|(name, value)| Label::new(*name, (*value).to_owned()));
        let labels: Vec<Label> = self.labels.iter().cloned().chain(own).collect();
        Key::from_parts(name, labels)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("labels", &self.labels)
            .finish_non_exhaustive()
    }
}

/// Whatever recorder the process has installed by then.
struct Installed;

impl Recorder for Installed {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        metrics::with_recorder(|recorder| recorder.describe_counter(key, unit, description));
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        metrics::with_recorder(|recorder| recorder.describe_gauge(key, unit, description));
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        metrics::with_recorder(|recorder| recorder.describe_histogram(key, unit, description));
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        metrics::with_recorder(|recorder| recorder.register_counter(key, metadata))
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        metrics::with_recorder(|recorder| recorder.register_gauge(key, metadata))
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        metrics::with_recorder(|recorder| recorder.register_histogram(key, metadata))
    }
}
