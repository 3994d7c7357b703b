//! What the example and its short run in `tests/services` share.

pub(crate) mod change;
pub(crate) mod disturb;
pub(crate) mod ledger;
pub(crate) mod place;
pub(crate) mod push;
pub(crate) mod report;
pub(crate) mod server;
pub(crate) mod soak;
mod watch;
pub(crate) mod world;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
