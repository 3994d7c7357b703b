//! What a cache tells those who watch.

use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use super::Loader;
use crate::pulse::Vitals;
use crate::telemetry::{Cached, Call, Meter};

impl<K, V, A> Loader<K, V, A>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// How the store has answered lately, and how long facts serve while it fails.
    pub(crate) fn vitals(&self, now: Duration) -> (Vitals, Duration) {
        (self.0.pulse.vitals(now), self.0.lifetime.stale)
    }

    /// Says whom to report to, and as what.
    pub(crate) fn observe(&self, meter: &Meter, cache: Cached, call: Option<Call>) {
        self.0.reads.observe(meter, cache, call);
    }

    /// How many facts are held, roughly.
    #[cfg(feature = "metrics")]
    pub(crate) fn held(&self) -> u64 {
        self.0.known.entry_count()
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn report_entries(&self) {
        self.0.reads.entries(|| self.held());
    }
}

impl<K, V, A> fmt::Debug for Loader<K, V, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("lifetime", &self.0.lifetime)
            .finish_non_exhaustive()
    }
}
