//! Whether a sink takes records.

use serde::{Serialize, Serializer};

/// How an [`AuditSink`](super::AuditSink) stands.
///
/// ```
/// use tower_mcp_auth::audit::SinkState;
///
/// assert_eq!(SinkState::Failing.name(), "failing");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SinkState {
    /// It takes records.
    #[default]
    Ready,
    /// It has no room for records of requests that are let in. There may be some for others.
    Full,
    /// It takes records and cannot write them, as far as it knows: they would be lost.
    Failing,
    /// Nobody listens: what it is given goes nowhere.
    Unheard,
    /// It has come to its end, and takes nothing more in this process.
    Closed,
}

impl SinkState {
    /// The stable name: `ready`, `full`, `failing`, `unheard` or `closed`.
    ///
    /// ```
    /// # use tower_mcp_auth::audit::SinkState;
    /// assert_eq!(SinkState::Ready.name(), "ready");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Full => "full",
            Self::Failing => "failing",
            Self::Unheard => "unheard",
            Self::Closed => "closed",
        }
    }
}

impl Serialize for SinkState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
