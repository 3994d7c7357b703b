//! Where the newest settings of a mount are found, and how a request takes them.

use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;

use super::ground::Ground;
use super::{Authenticator, Inner};
use crate::resource::{ProtectedResource, Resource};

/// A mount of a server: what stays, and its settings of the moment.
///
/// It owns the newest [`Inner`], which knows its slot only weakly, so that the two do not keep each
/// other alive. Older ones live as long as the requests that are judged by them.
pub(super) struct Slot {
    pub(super) ground: Arc<Ground>,
    pub(super) newest: ArcSwap<Inner>,
    /// `None` for the first mount of a server.
    pub(super) mounted: Option<Mounted>,
}

/// How a mount came to be: it is made again from this when the settings change.
pub(super) struct Mounted {
    pub(super) on: Arc<Slot>,
    pub(super) resource: ProtectedResource,
}

/// An authenticator with the settings of one moment. A request takes it once, and everything about it
/// is decided by it: nobody is judged by a mix of old settings and new ones.
#[derive(Clone)]
pub(crate) struct Current(pub(super) Arc<Inner>);

/// Tells the layers inside by which settings a request was let in. Weak, because extensions may be
/// kept for long.
#[derive(Clone)]
pub(crate) struct LetInBy(Weak<Inner>);

impl Slot {
    /// A slot in the list of its ground.
    pub(super) fn new(
        ground: Arc<Ground>,
        mounted: Option<Mounted>,
        inner: impl FnOnce(Weak<Self>) -> Inner,
    ) -> Arc<Self> {
        Arc::new_cyclic(|slot| Self {
            newest: ArcSwap::from_pointee(inner(slot.clone())),
            ground,
            mounted,
        })
    }
}

impl Authenticator {
    /// With the newest settings.
    pub(crate) fn latest(&self) -> Current {
        Current(self.0.newest.load_full())
    }

    /// Those by which an outer layer of this mount let a request in, else the newest.
    pub(crate) fn as_outside(&self, outside: Option<&LetInBy>) -> Current {
        let known = outside.and_then(|LetInBy(inner)| inner.upgrade());
        let own = |inner: &Arc<Inner>| Weak::as_ptr(&inner.slot) == Arc::as_ptr(&self.0);
        known.filter(own).map_or_else(|| self.latest(), Current)
    }

    /// The resource this authenticator protects, as the settings of the moment describe it.
    #[must_use]
    pub fn resource(&self) -> Resource {
        self.0.newest.load().resource.clone()
    }
}

impl Current {
    /// For layers inside.
    pub(crate) fn let_in_by(&self) -> LetInBy {
        LetInBy(Arc::downgrade(&self.0))
    }

    /// The newest settings, if these are not. Without an owner left there can be none.
    pub(crate) fn newer(&self) -> Option<Self> {
        let newest = self.0.slot.upgrade()?.newest.load_full();
        (!Arc::ptr_eq(&newest, &self.0)).then_some(Self(newest))
    }

    pub(crate) fn resource(&self) -> &Resource {
        &self.0.resource
    }
}
