//! Why a request is refused, and the one table that says how a client hears of it.

use std::fmt;

use http::StatusCode;

use super::answer::{
    Answer, ChallengeKind, GrpcCode, bad_request, forbidden, invalid_token, unavailable,
};

/// Writes the enum, its codes and the list of all from one table, so that they cannot drift apart.
macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $code:literal,)*) => {
        /// Why a request was refused, precisely. Stable: names are never reused, new ones may be added.
        ///
        /// The operator sees it in logs and audit records. A client sees [`Reason::error`], and of tokens
        /// only the class of what is wrong with them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $($(#[$doc])* $variant,)*
        }

        impl Reason {
            /// Every reason, for documentation and tests.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable code for logs and audit records: `expired`, `wrong_audience`.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }
        }
    };
}

reasons! {
    /// No `Authorization` header line.
    MissingCredential = "missing_credential",
    /// An authentication scheme this server does not take, such as `Digest`.
    UnsupportedScheme = "unsupported_scheme",
    /// More than one `Authorization` header line (AUTH-11).
    DuplicateAuthorization = "duplicate_authorization",
    /// A credential in `Authorization` and one in the API key header, or two API key headers (T39).
    DuplicateCredential = "duplicate_credential",
    /// `Authorization` is listed in `Connection`, so that a proxy would drop it (T40).
    HopByHopAuthorization = "hop_by_hop_authorization",
    /// The credential is longer than the configured limit (AUTH-17).
    CredentialTooLarge = "credential_too_large",
    /// The credential is not one `token68` after the scheme (AUTH-10).
    MalformedCredential = "malformed_credential",
    /// A Bearer credential of no shape this server knows (JWT-1).
    UnrecognizedCredential = "unrecognized_credential",
    /// Not a compact JWS, or its parts are not canonical base64url of the right JSON.
    MalformedToken = "malformed_token",
    /// An encrypted token (five parts), or one that asks for compression.
    EncryptedToken = "encrypted_token",
    /// `typ` says the token is not an access token (RFC 9068 §4), or it has the marks of an ID token.
    WrongTokenType = "wrong_token_type",
    /// `alg` is missing, unknown, symmetric, `none`, or not allowed for this issuer.
    AlgorithmNotAllowed = "algorithm_not_allowed",
    /// `crit` is present; this server understands no extension (RFC 7515 §4.1.11).
    CriticalExtension = "critical_extension",
    /// The header carries a key or the address of one (`jwk`, `jku`, `x5u`).
    EmbeddedKey = "embedded_key",
    /// `iss` is not exactly one of the configured issuers.
    UnknownIssuer = "unknown_issuer",
    /// `aud` does not name this resource.
    WrongAudience = "wrong_audience",
    /// `exp` has passed.
    Expired = "expired",
    /// `nbf` lies in the future.
    NotYetValid = "not_yet_valid",
    /// `iat` lies in the future.
    IssuedInFuture = "issued_in_future",
    /// `exp` lies further ahead than the issuer's maximum token lifetime.
    LifetimeTooLong = "lifetime_too_long",
    /// A claim the issuer's profile requires is absent.
    MissingClaim = "missing_claim",
    /// A claim has the wrong JSON type or an unusable value.
    MalformedClaim = "malformed_claim",
    /// The issuer publishes no key with this `kid` for this algorithm.
    UnknownKey = "unknown_key",
    /// The token names no key, or too many keys answer to its `kid`.
    AmbiguousKey = "ambiguous_key",
    /// No candidate key verifies the signature.
    BadSignature = "bad_signature",
    /// The token is bound to a sender (`cnf`) and no proof of possession can be accepted here.
    SenderConstrained = "sender_constrained",
    /// The token names no organization, or not one this server knows (T19).
    UnknownOrganization = "unknown_organization",
    /// The token lacks a scope that is needed.
    InsufficientScope = "insufficient_scope",
    /// The token, its principal, its organization or its issuer was revoked after it was issued.
    Revoked = "revoked",
    /// A Basic credential that is not `base64(email:api_token)`; the message says what is wrong.
    MalformedBasic = "malformed_basic",
    /// A personal API token sent as Bearer, or a service-account key sent as Basic.
    WrongSchemeForToken = "wrong_scheme_for_token",
    /// An API token that is unknown, wrong, expired, revoked, or not of the email it came with: one
    /// answer for all (BAS-7).
    InvalidApiToken = "invalid_api_token",
    /// The organization's administrator has switched this authentication method off (POL-1).
    MethodDisabled = "method_disabled",
    /// An API token sent over plain HTTP (BAS-14).
    InsecureTransport = "insecure_transport",
    /// An API token without any scope (BAS-13).
    UnscopedToken = "unscoped_token",
    /// The API token lacks a scope that is needed (SCP-8).
    ApiTokenLacksScope = "api_token_lacks_scope",
    /// The client's address is on none of the allowed networks (POL-7).
    NetworkNotAllowed = "network_not_allowed",
    /// The organization does not allow this OAuth client (POL-10).
    ClientNotAllowed = "client_not_allowed",
    /// The organization does not allow this issuer.
    IssuerNotAllowed = "issuer_not_allowed",
    /// The credential acts for a site the organization does not allow (POL-15).
    TenantNotAllowed = "tenant_not_allowed",
    /// The credential is older than the organization allows.
    CredentialTooOld = "credential_too_old",
    /// The person or service account behind the credential is deactivated.
    AccountInactive = "account_inactive",
    /// Too many failed credentials from this address (EDGE-6).
    TooManyFailures = "too_many_failures",
    /// The store of API tokens cannot be asked (R19).
    StoreUnavailable = "store_unavailable",
    /// The organization's policy cannot be read (POL-6).
    PolicyUnavailable = "policy_unavailable",
    /// The user's facts cannot be read, and they are required.
    EnrichmentUnavailable = "enrichment_unavailable",
    /// `Origin` is not on the list (EDGE-1).
    OriginNotAllowed = "origin_not_allowed",
    /// `Host` is not on the list (T41).
    HostNotAllowed = "host_not_allowed",
    /// The issuer's keys cannot be had and none usable is held (KEY-6).
    IssuerUnavailable = "issuer_unavailable",
    /// A component of this server failed while deciding (R15).
    Internal = "internal",
}

impl Reason {
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
            Self::InsufficientScope => Answer {
                status: StatusCode::FORBIDDEN,
                error: "insufficient_scope",
                challenge: ChallengeKind::Error("insufficient_scope"),
                grpc: GrpcCode::PermissionDenied,
                message: "The access token lacks a scope that this request needs.",
            },
            Self::MalformedBasic | Self::WrongSchemeForToken | Self::InvalidApiToken => Answer {
                status: StatusCode::UNAUTHORIZED,
                error: "invalid_credentials",
                challenge: ChallengeKind::Plain,
                grpc: GrpcCode::Unauthenticated,
                message: "The API token or the email is wrong, or the token has expired or was revoked.",
            },
            Self::MethodDisabled => Answer {
                status: StatusCode::UNAUTHORIZED,
                error: "auth_method_disabled",
                challenge: ChallengeKind::Described,
                grpc: GrpcCode::Unauthenticated,
                message: "API token authentication is disabled for this organization; connect with OAuth 2.1 or ask an organization admin to enable it",
            },
            Self::TooManyFailures => Answer {
                status: StatusCode::TOO_MANY_REQUESTS,
                error: "too_many_failures",
                challenge: ChallengeKind::None,
                grpc: GrpcCode::ResourceExhausted,
                message: "Too many failed credentials from here. Wait, and check the credential before trying again.",
            },
            _ => self.answer_after_proof(),
        }
    }

    /// The rows of rules about a good credential: 403, which a new one would not change.
    const fn answer_after_proof(self) -> Answer {
        match self {
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
            Self::InsecureTransport => forbidden(
                "insecure_transport",
                "API tokens are accepted over HTTPS only. This one was sent in the clear: revoke it and make a new one.",
            ),
            Self::UnscopedToken => forbidden(
                "insufficient_scope",
                "This API token has no scopes, so it can do nothing here. Make a new token with scopes.",
            ),
            Self::ApiTokenLacksScope => forbidden(
                "insufficient_scope",
                "The API token lacks a scope that this request needs.",
            ),
            Self::NetworkNotAllowed => forbidden(
                "ip_not_allowed",
                "This network is not on your organization's IP allowlist. Ask your admin for access.",
            ),
            Self::ClientNotAllowed => forbidden(
                "client_not_allowed",
                "Your organization does not allow this client. Ask your admin to add it.",
            ),
            Self::IssuerNotAllowed => forbidden(
                "issuer_not_allowed",
                "Your organization does not allow logins from this issuer. Ask your admin.",
            ),
            Self::TenantNotAllowed => forbidden(
                "tenant_not_allowed",
                "Your organization does not allow this site here. Ask your admin.",
            ),
            Self::CredentialTooOld => forbidden(
                "credential_too_old",
                "The credential is older than your organization allows. Log in again or make a new one.",
            ),
            Self::AccountInactive => forbidden(
                "account_inactive",
                "This account is deactivated. Ask your admin.",
            ),
            _ => self.answer_for_outage(),
        }
    }

    /// The rows of our own trouble; all other reasons are about the token itself.
    const fn answer_for_outage(self) -> Answer {
        match self {
            Self::IssuerUnavailable | Self::StoreUnavailable | Self::PolicyUnavailable => {
                unavailable(
                    "The credential cannot be checked right now. It may be good: keep it and try again.",
                )
            }
            Self::EnrichmentUnavailable => unavailable(
                "Facts about the user cannot be read right now. The credential may be good: keep it and try again.",
            ),
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
            Self::Revoked => "The access token was revoked",
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
        for &reason in Reason::ALL {
            let message = reason.answer().message;
            for word in ["scope=", "error=", "resource_metadata=", "\"", "\\"] {
                assert!(!message.contains(word), "{reason}: {message}");
            }
        }
    }

    #[test]
    fn auth_19_only_framing_is_400_and_outages_are_never_401() {
        for &reason in Reason::ALL {
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
