//! What a cache tells those who watch.

use std::hash::Hash;

use super::Loader;
use crate::telemetry::{Cached, Call, Meter};

impl<K, V, A> Loader<K, V, A>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
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
