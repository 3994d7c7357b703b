//! How processes tell each other to read their log now instead of within two seconds.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::BackendError;

/// A way to say "read the log now" to the other processes of a server: a channel of Redis or NATS, a
/// multicast.
///
/// Hints say nothing else, so nothing depends on them: one that gets lost, comes twice or late costs
/// time and never correctness (R22). Stores that write a [log](super::RevocationLog) send one after each
/// write; whoever reads it waits for them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot carry hints",
    note = "implement `tower_mcp_auth::revocation::Hints`: send, received"
)]
pub trait Hints: Send + Sync + 'static {
    /// Tells every process, this one included or not, that the log has grown.
    ///
    /// # Errors
    ///
    /// It was not sent, as far as known. Nobody needs to try again.
    fn send(&self) -> impl Future<Output = Result<(), BackendError>> + Send;

    /// Ends when a hint came, or may have come unheard since the last call: after a lost connection,
    /// for instance. Connects by itself, and again after an outage, without haste. Dropped while it
    /// waits, it loses no hint.
    fn received(&self) -> impl Future<Output = ()> + Send;
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

trait Erased: Send + Sync {
    fn send(&self) -> Boxed<'_, Result<(), BackendError>>;
    fn received(&self) -> Boxed<'_, ()>;
}

impl<H: Hints> Erased for H {
    fn send(&self) -> Boxed<'_, Result<(), BackendError>> {
        Box::pin(Hints::send(self))
    }

    fn received(&self) -> Boxed<'_, ()> {
        Box::pin(Hints::received(self))
    }
}

/// The erased twin of [`Hints`]: any way of sending them, in a type without parameters.
#[derive(Clone)]
pub struct DynHints(Arc<dyn Erased>);

impl DynHints {
    /// Erases them.
    #[must_use]
    pub fn new(hints: impl Hints) -> Self {
        Self(Arc::new(hints))
    }
}

impl Hints for DynHints {
    async fn send(&self) -> Result<(), BackendError> {
        self.0.send().await
    }

    async fn received(&self) {
        self.0.received().await;
    }
}

impl fmt::Debug for DynHints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DynHints")
    }
}
