//! The place of a key, kept by somebody who asks about it again and again.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::cell::Cell;

/// Where to find what is known about one key, without looking it up.
///
/// It is a live place: what is loaded or forgotten through anyone is seen through all. A place may
/// have been pushed out of the cache meanwhile, and then an invalidation cannot find it; so a place
/// counts only until the next invalidation of any key.
pub(crate) struct Pinned<V>(ArcSwapOption<Place<V>>);

struct Place<V> {
    cell: Arc<Cell<V>>,
    generation: u64,
}

impl<V> Default for Pinned<V> {
    fn default() -> Self {
        Self(ArcSwapOption::empty())
    }
}

impl<V> Pinned<V> {
    /// Uses the place, looked up if the one at hand is of another generation. That must have been
    /// read before: what is invalidated during the search makes its result void.
    pub(super) fn with<T>(
        &self,
        generation: u64,
        find: impl FnOnce() -> Arc<Cell<V>>,
        use_it: impl FnOnce(&Arc<Cell<V>>) -> T,
    ) -> T {
        let place = self.0.load();
        if let Some(place) = place
            .as_ref()
            .filter(|place| place.generation == generation)
        {
            return use_it(&place.cell);
        }
        let cell = find();
        let used = use_it(&cell);
        self.0.store(Some(Arc::new(Place { cell, generation })));
        used
    }
}
