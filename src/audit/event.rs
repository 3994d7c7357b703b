//! The closed vocabulary of audit records.

use http::StatusCode;
use serde::{Serialize, Serializer};

/// What happened. Names are never reused; new ones may be added.
///
/// ```
/// use tower_mcp_auth::audit::AuditEvent;
///
/// assert_eq!(AuditEvent::AuthThrottled.name(), "auth.throttled");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuditEvent {
    /// A request was let in.
    AuthOk,
    /// A request without a usable credential or message was refused: 400, 401, 413, 431.
    AuthFail,
    /// A request was refused although its credential may be good: 403, 404.
    AuthDenied,
    /// A request was refused unseen after too many failures: 429.
    AuthThrottled,
    /// A request could not be judged, for a reason of ours: 500, 503.
    AuthUnavailable,
    /// Whoever sent a request went away before it was decided.
    AuthAbandoned,
    /// Somebody had a request [explained](crate::Authenticator::explain). The rest of the record is about that
    /// request.
    AuthExplained,
    /// An API token was issued.
    TokenCreated,
    /// An API token got a new secret.
    TokenRolled,
    /// An API token was revoked.
    TokenRevoked,
    /// The text of an API token was found where it does not belong; it is revoked.
    TokenLeaked,
    /// One API token failed 60 times within a minute, over all addresses together. Nobody is locked
    /// out by that: its id may have leaked, or programs have an old copy of it.
    TokenFailing,
    /// An organization's policy was changed.
    PolicyChanged,
    /// Credentials were revoked through [`AuthHandle`](crate::authenticator::AuthHandle), here or in
    /// another process that shares a log;
    /// [`AuditRecord::revocation`](super::AuditRecord::revocation) says which.
    RevocationApplied,
    /// New settings came into force ([`Authenticator::reload`](crate::Authenticator::reload));
    /// [`AuditRecord::generation`](super::AuditRecord::generation) counts them.
    SettingsChanged,
    /// A response that was still going on was ended, because its request would not be let in any
    /// more.
    StreamEnded,
    /// Records were lost before this one; [`AuditRecord::dropped`](super::AuditRecord::dropped) says how many.
    AuditDropped,
}

impl AuditEvent {
    /// Every event.
    ///
    /// ```
    /// # use tower_mcp_auth::audit::AuditEvent;
    /// assert!(AuditEvent::ALL.iter().all(|event| event.name().contains('.')));
    /// ```
    pub const ALL: [Self; 17] = [
        Self::AuthOk,
        Self::AuthFail,
        Self::AuthDenied,
        Self::AuthThrottled,
        Self::AuthUnavailable,
        Self::AuthAbandoned,
        Self::AuthExplained,
        Self::TokenCreated,
        Self::TokenRolled,
        Self::TokenRevoked,
        Self::TokenLeaked,
        Self::TokenFailing,
        Self::PolicyChanged,
        Self::RevocationApplied,
        Self::SettingsChanged,
        Self::StreamEnded,
        Self::AuditDropped,
    ];

    /// The stable name: `auth.ok`.
    ///
    /// ```
    /// # use tower_mcp_auth::audit::AuditEvent;
    /// assert_eq!(AuditEvent::AuthOk.name(), "auth.ok");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AuthOk => "auth.ok",
            Self::AuthFail => "auth.fail",
            Self::AuthDenied => "auth.denied",
            Self::AuthThrottled => "auth.throttled",
            Self::AuthUnavailable => "auth.unavailable",
            Self::AuthAbandoned => "auth.abandoned",
            Self::AuthExplained => "auth.explained",
            Self::TokenCreated => "token.created",
            Self::TokenRolled => "token.rolled",
            Self::TokenRevoked => "token.revoked",
            Self::TokenLeaked => "token.leaked",
            Self::TokenFailing => "token.failing",
            Self::PolicyChanged => "policy.changed",
            Self::RevocationApplied => "revocation.applied",
            Self::SettingsChanged => "settings.changed",
            Self::StreamEnded => "stream.ended",
            Self::AuditDropped => "audit.dropped",
        }
    }

    /// The event of a request refused with `status`.
    pub(super) fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            403 | 404 => Self::AuthDenied,
            429 => Self::AuthThrottled,
            500.. => Self::AuthUnavailable,
            _ => Self::AuthFail,
        }
    }

    pub(super) fn outcome(self) -> AuditOutcome {
        match self {
            Self::AuthOk => AuditOutcome::Allowed,
            Self::AuthFail
            | Self::AuthDenied
            | Self::AuthThrottled
            | Self::TokenFailing
            | Self::StreamEnded => AuditOutcome::Refused,
            Self::AuthExplained
            | Self::TokenCreated
            | Self::TokenRolled
            | Self::TokenRevoked
            | Self::TokenLeaked
            | Self::PolicyChanged
            | Self::RevocationApplied
            | Self::SettingsChanged => AuditOutcome::Done,
            Self::AuthUnavailable | Self::AuthAbandoned | Self::AuditDropped => AuditOutcome::Error,
        }
    }
}

impl Serialize for AuditEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// How it ended.
///
/// ```
/// use tower_mcp_auth::audit::AuditOutcome;
///
/// assert_eq!(AuditOutcome::Refused.name(), "refused");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuditOutcome {
    /// Let in.
    Allowed,
    /// Refused, on purpose.
    Refused,
    /// An administrator's act took effect.
    Done,
    /// None of these: something failed or went away, and the request with it.
    Error,
}

impl AuditOutcome {
    /// The stable name: `allowed`.
    ///
    /// ```
    /// # use tower_mcp_auth::audit::AuditOutcome;
    /// assert_eq!(AuditOutcome::Allowed.name(), "allowed");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
            Self::Done => "done",
            Self::Error => "error",
        }
    }
}

impl Serialize for AuditOutcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
