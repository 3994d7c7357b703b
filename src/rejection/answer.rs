//! The rows of the table of answers.

use http::StatusCode;

/// How a [`Reason`](super::Reason) is answered. One row of the table of answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The `error` member of the body.
    pub(crate) error: &'static str,
    pub(crate) challenge: ChallengeKind,
    pub(crate) grpc: GrpcCode,
    /// What a person reads, in body and (where allowed) challenge.
    pub(crate) message: &'static str,
}

/// Whether an answer carries a Bearer challenge, and with which `error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChallengeKind {
    /// None: a new token could not help (SCP-7).
    None,
    /// `resource_metadata` and `scope`, no `error` (AUTH-7).
    Plain,
    /// `resource_metadata` and `error_description`, no `error`: for clients that never show a body,
    /// the deliberate exception to AUTH-7.
    Described,
    /// With this `error` and an `error_description`.
    Error(&'static str),
}

/// A gRPC status code (<https://grpc.io/docs/guides/status-codes/>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrpcCode {
    InvalidArgument,
    PermissionDenied,
    ResourceExhausted,
    Internal,
    Unavailable,
    Unauthenticated,
}

impl GrpcCode {
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::InvalidArgument => 3,
            Self::PermissionDenied => 7,
            Self::ResourceExhausted => 8,
            Self::Internal => 13,
            Self::Unavailable => 14,
            Self::Unauthenticated => 16,
        }
    }
}

/// A request that has yet to say who sends it.
pub(super) const fn login_required(message: &'static str) -> Answer {
    Answer {
        status: StatusCode::UNAUTHORIZED,
        error: "authentication_required",
        challenge: ChallengeKind::Plain,
        grpc: GrpcCode::Unauthenticated,
        message,
    }
}

pub(super) const fn bad_request(message: &'static str) -> Answer {
    Answer {
        status: StatusCode::BAD_REQUEST,
        error: "invalid_request",
        challenge: ChallengeKind::Error("invalid_request"),
        grpc: GrpcCode::InvalidArgument,
        message,
    }
}

/// A request whose credential is good and whose message is not.
pub(super) const fn bad_message(
    status: StatusCode,
    error: &'static str,
    message: &'static str,
) -> Answer {
    Answer {
        status,
        error,
        challenge: ChallengeKind::None,
        grpc: GrpcCode::InvalidArgument,
        message,
    }
}

pub(super) const fn unavailable(message: &'static str) -> Answer {
    Answer {
        status: StatusCode::SERVICE_UNAVAILABLE,
        error: "temporarily_unavailable",
        challenge: ChallengeKind::None,
        grpc: GrpcCode::Unavailable,
        message,
    }
}

pub(super) const fn forbidden(error: &'static str, message: &'static str) -> Answer {
    Answer {
        status: StatusCode::FORBIDDEN,
        error,
        challenge: ChallengeKind::None,
        grpc: GrpcCode::PermissionDenied,
        message,
    }
}

pub(super) const fn invalid_token(message: &'static str) -> Answer {
    Answer {
        status: StatusCode::UNAUTHORIZED,
        error: "invalid_token",
        challenge: ChallengeKind::Error("invalid_token"),
        grpc: GrpcCode::Unauthenticated,
        message,
    }
}

/// A good token, and a bad proof that it is its sender's (RFC 9449 §7.1, §9).
pub(super) const fn bad_proof(error: &'static str, message: &'static str) -> Answer {
    Answer {
        error,
        challenge: ChallengeKind::Error(error),
        ..invalid_token(message)
    }
}
