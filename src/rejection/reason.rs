//! Why a request is refused, and the one table that says how a client hears of it.

use std::fmt;

use http::StatusCode;

/// Why a request was refused, precisely. Stable: names are never reused, new ones may be added.
///
/// The operator sees it in logs and audit records. A client sees [`Reason::error`], and of tokens
/// only the class of what is wrong with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// No `Authorization` header line.
    MissingCredential,
    /// An authentication scheme this server does not take, such as `Digest`.
    UnsupportedScheme,
    /// More than one `Authorization` header line (AUTH-11).
    DuplicateAuthorization,
    /// A credential in `Authorization` and one in the API key header, or two API key headers (T39).
    DuplicateCredential,
    /// `Authorization` is listed in `Connection`, so that a proxy would drop it (T40).
    HopByHopAuthorization,
    /// The credential is longer than the configured limit (AUTH-17).
    CredentialTooLarge,
    /// The credential is not one `token68` after the scheme (AUTH-10).
    MalformedCredential,
    /// A Bearer credential of no shape this server knows (JWT-1).
    UnrecognizedCredential,
    /// Not a compact JWS, or its parts are not canonical base64url of the right JSON.
    MalformedToken,
    /// An encrypted token (five parts), or one that asks for compression.
    EncryptedToken,
    /// `typ` says the token is not an access token (RFC 9068 §4), or it has the marks of an ID token.
    WrongTokenType,
    /// `alg` is missing, unknown, symmetric, `none`, or not allowed for this issuer.
    AlgorithmNotAllowed,
    /// `crit` is present; this server understands no extension (RFC 7515 §4.1.11).
    CriticalExtension,
    /// The header carries a key or the address of one (`jwk`, `jku`, `x5u`).
    EmbeddedKey,
    /// `iss` is not exactly one of the configured issuers.
    UnknownIssuer,
    /// `aud` does not name this resource.
    WrongAudience,
    /// `exp` has passed.
    Expired,
    /// `nbf` lies in the future.
    NotYetValid,
    /// `iat` lies in the future.
    IssuedInFuture,
    /// `exp` lies further ahead than the issuer's maximum token lifetime.
    LifetimeTooLong,
    /// A claim the issuer's profile requires is absent.
    MissingClaim,
    /// A claim has the wrong JSON type or an unusable value.
    MalformedClaim,
    /// The issuer publishes no key with this `kid` for this algorithm.
    UnknownKey,
    /// The token names no key, or too many keys answer to its `kid`.
    AmbiguousKey,
    /// No candidate key verifies the signature.
    BadSignature,
    /// The token is bound to a sender (`cnf`) and no proof of possession can be accepted here.
    SenderConstrained,
    /// The token names no organization, or not one this server knows (T19).
    UnknownOrganization,
    /// The token lacks a scope that is needed.
    InsufficientScope,
    /// `Origin` is not on the list (EDGE-1).
    OriginNotAllowed,
    /// `Host` is not on the list (T41).
    HostNotAllowed,
    /// The issuer's keys cannot be had and none usable is held (KEY-6).
    IssuerUnavailable,
    /// A component of this server failed while deciding (R15).
    Internal,
}

/// How a [`Reason`] is answered. One row of the table of answers.
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

impl Reason {
    /// Every reason, for documentation and tests.
    pub const ALL: [Self; 32] = [
        Self::MissingCredential,
        Self::UnsupportedScheme,
        Self::DuplicateAuthorization,
        Self::DuplicateCredential,
        Self::HopByHopAuthorization,
        Self::CredentialTooLarge,
        Self::MalformedCredential,
        Self::UnrecognizedCredential,
        Self::MalformedToken,
        Self::EncryptedToken,
        Self::WrongTokenType,
        Self::AlgorithmNotAllowed,
        Self::CriticalExtension,
        Self::EmbeddedKey,
        Self::UnknownIssuer,
        Self::WrongAudience,
        Self::Expired,
        Self::NotYetValid,
        Self::IssuedInFuture,
        Self::LifetimeTooLong,
        Self::MissingClaim,
        Self::MalformedClaim,
        Self::UnknownKey,
        Self::AmbiguousKey,
        Self::BadSignature,
        Self::SenderConstrained,
        Self::UnknownOrganization,
        Self::InsufficientScope,
        Self::OriginNotAllowed,
        Self::HostNotAllowed,
        Self::IssuerUnavailable,
        Self::Internal,
    ];

    /// The stable code for logs and audit records: `expired`, `wrong_audience`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::MissingCredential => "missing_credential",
            Self::UnsupportedScheme => "unsupported_scheme",
            Self::DuplicateAuthorization => "duplicate_authorization",
            Self::DuplicateCredential => "duplicate_credential",
            Self::HopByHopAuthorization => "hop_by_hop_authorization",
            Self::CredentialTooLarge => "credential_too_large",
            Self::MalformedCredential => "malformed_credential",
            Self::UnrecognizedCredential => "unrecognized_credential",
            Self::MalformedToken => "malformed_token",
            Self::EncryptedToken => "encrypted_token",
            Self::WrongTokenType => "wrong_token_type",
            Self::AlgorithmNotAllowed => "algorithm_not_allowed",
            Self::CriticalExtension => "critical_extension",
            Self::EmbeddedKey => "embedded_key",
            Self::UnknownIssuer => "unknown_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::IssuedInFuture => "issued_in_future",
            Self::LifetimeTooLong => "lifetime_too_long",
            Self::MissingClaim => "missing_claim",
            Self::MalformedClaim => "malformed_claim",
            Self::UnknownKey => "unknown_key",
            Self::AmbiguousKey => "ambiguous_key",
            Self::BadSignature => "bad_signature",
            Self::SenderConstrained => "sender_constrained",
            Self::UnknownOrganization => "unknown_organization",
            Self::InsufficientScope => "insufficient_scope",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::HostNotAllowed => "host_not_allowed",
            Self::IssuerUnavailable => "issuer_unavailable",
            Self::Internal => "internal",
        }
    }

    /// The `error` member of the body a client receives. Several reasons share one.
    #[must_use]
    pub fn error(self) -> &'static str {
        self.answer().error
    }

    /// The HTTP status of the answer.
    #[must_use]
    pub fn status(self) -> StatusCode {
        self.answer().status
    }

    /// The table of answers (DESIGN.md). Messages avoid `scope=`, `error=` and
    /// `resource_metadata=`: client libraries search the whole header for those (AUTH-8).
    pub(crate) const fn answer(self) -> Answer {
        match self {
            Self::MissingCredential | Self::UnsupportedScheme => Answer {
                status: StatusCode::UNAUTHORIZED,
                error: "authentication_required",
                challenge: ChallengeKind::Plain,
                grpc: GrpcCode::Unauthenticated,
                message: "Send an OAuth 2.1 access token in the Authorization header, as a Bearer credential.",
            },
            Self::DuplicateAuthorization => {
                bad_request("The request has more than one Authorization header line.")
            }
            Self::DuplicateCredential => bad_request(
                "The request has more than one credential: send one Authorization header line or one API key header line, not both.",
            ),
            Self::HopByHopAuthorization => {
                bad_request("The request lists Authorization in its Connection header.")
            }
            Self::CredentialTooLarge => Answer {
                status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                error: "credential_too_large",
                challenge: ChallengeKind::None,
                grpc: GrpcCode::ResourceExhausted,
                message: "The credential is longer than this server accepts.",
            },
            Self::UnknownOrganization => forbidden(
                "organization_unknown",
                "The access token names no organization known to this server.",
            ),
            Self::OriginNotAllowed => forbidden(
                "origin_not_allowed",
                "This server does not accept browser requests from this origin.",
            ),
            Self::HostNotAllowed => forbidden(
                "host_not_allowed",
                "This server does not answer to the host name of the request.",
            ),
            Self::InsufficientScope => Answer {
                status: StatusCode::FORBIDDEN,
                error: "insufficient_scope",
                challenge: ChallengeKind::Error("insufficient_scope"),
                grpc: GrpcCode::PermissionDenied,
                message: "The access token lacks a scope that this request needs.",
            },
            Self::IssuerUnavailable => Answer {
                status: StatusCode::SERVICE_UNAVAILABLE,
                error: "temporarily_unavailable",
                challenge: ChallengeKind::None,
                grpc: GrpcCode::Unavailable,
                message: "The credential cannot be checked right now. It may be good: keep it and try again.",
            },
            Self::Internal => Answer {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                error: "server_error",
                challenge: ChallengeKind::None,
                grpc: GrpcCode::Internal,
                message: "The server failed while checking the credential.",
            },
            _ => invalid_token(self.token_class()),
        }
    }

    /// What a client is told about a bad token: the class, never the detail (JWT-19).
    const fn token_class(self) -> &'static str {
        match self {
            Self::MalformedCredential => "The Bearer credential is malformed",
            Self::UnrecognizedCredential => "The credential is not an access token of this server",
            Self::EncryptedToken => "Encrypted access tokens are not accepted",
            Self::WrongTokenType => "The token is not an access token",
            Self::AlgorithmNotAllowed => {
                "The signature algorithm of the access token is not accepted"
            }
            Self::UnknownIssuer => {
                "The access token comes from an issuer this server does not trust"
            }
            Self::WrongAudience => "The access token is for another resource",
            Self::Expired => "The access token expired",
            Self::NotYetValid | Self::IssuedInFuture => "The access token is not valid yet",
            Self::LifetimeTooLong => {
                "The access token is valid for longer than this server accepts"
            }
            Self::MissingClaim => "The access token lacks a required claim",
            Self::UnknownKey | Self::AmbiguousKey | Self::BadSignature => {
                "The signature of the access token could not be verified"
            }
            Self::SenderConstrained => {
                "The access token is bound to a key and cannot be used as a plain Bearer token"
            }
            _ => "The access token is malformed",
        }
    }
}

const fn bad_request(message: &'static str) -> Answer {
    Answer {
        status: StatusCode::BAD_REQUEST,
        error: "invalid_request",
        challenge: ChallengeKind::Error("invalid_request"),
        grpc: GrpcCode::InvalidArgument,
        message,
    }
}

const fn forbidden(error: &'static str, message: &'static str) -> Answer {
    Answer {
        status: StatusCode::FORBIDDEN,
        error,
        challenge: ChallengeKind::None,
        grpc: GrpcCode::PermissionDenied,
        message,
    }
}

const fn invalid_token(message: &'static str) -> Answer {
    Answer {
        status: StatusCode::UNAUTHORIZED,
        error: "invalid_token",
        challenge: ChallengeKind::Error("invalid_token"),
        grpc: GrpcCode::Unauthenticated,
        message,
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auth_08_no_message_contains_what_clients_search_for() {
        for reason in Reason::ALL {
            let message = reason.answer().message;
            for word in ["scope=", "error=", "resource_metadata=", "\"", "\\"] {
                assert!(!message.contains(word), "{reason}: {message}");
            }
        }
    }

    #[test]
    fn auth_19_only_framing_is_400_and_outages_are_never_401() {
        for reason in Reason::ALL {
            let answer = reason.answer();
            let framing = matches!(
                reason,
                Reason::DuplicateAuthorization
                    | Reason::DuplicateCredential
                    | Reason::HopByHopAuthorization
            );
            assert_eq!(
                answer.status == StatusCode::BAD_REQUEST,
                framing,
                "{reason}"
            );
            if answer.status == StatusCode::UNAUTHORIZED {
                assert_ne!(answer.challenge, ChallengeKind::None, "{reason}: AUTH-1");
            }
        }
        assert_eq!(
            Reason::IssuerUnavailable.status(),
            StatusCode::SERVICE_UNAVAILABLE
        );
    }

    #[test]
    fn codes_are_distinct() {
        let mut codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reason::ALL.len());
    }
}
