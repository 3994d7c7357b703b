//! The one table that says how a client hears of each reason.

use http::StatusCode;

use super::answer::{
    Answer, ChallengeKind, GrpcCode, bad_message, bad_proof, bad_request, forbidden, invalid_token,
    login_required, unavailable,
};
use super::reason::Reason;

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
            Self::MissingCredential => login_required(
                "Send an OAuth 2.1 access token in the Authorization header, as a Bearer credential.",
            ),
            Self::UnsupportedScheme => login_required(
                "The Authorization header begins with no scheme that this server takes. Write Bearer, a space, and an OAuth 2.1 access token.",
            ),
            Self::DuplicateAuthorization => {
                bad_request("The request has more than one Authorization header line: send one.")
            }
            Self::DuplicateCredential => bad_request(
                "The request has more than one credential: send one Authorization header line or one API key header line, not both.",
            ),
            Self::HopByHopAuthorization => bad_request(
                "The request lists Authorization in its Connection header: take it out of there.",
            ),
            Self::CredentialTooLarge => Answer {
                status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                error: "credential_too_large",
                challenge: ChallengeKind::None,
                grpc: GrpcCode::ResourceExhausted,
                message: "The credential is longer than this server accepts. Get one with fewer claims, or ask whoever runs this server for a higher limit.",
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
                "The access token names no organization known to this server. Log in with an account of an organization, or tell whoever runs this server.",
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
            Self::CredentialLifetimeTooLong => forbidden(
                "credential_lifetime_too_long",
                "The credential was issued for longer than your organization allows. Make a shorter-lived one.",
            ),
            _ => self.answer_to_operation(),
        }
    }

    /// The rows of what a good credential may not do.
    const fn answer_to_operation(self) -> Answer {
        match self {
            Self::OperationNotAllowed => forbidden(
                "operation_not_allowed",
                "This server has no rule that allows this operation. Check its name, or ask whoever runs this server for one.",
            ),
            Self::AuthMethodNotAllowed => forbidden(
                "auth_method_not_allowed",
                "This operation is not available to this kind of credential. Use one of another kind.",
            ),
            Self::PermissionGroupDisabled => forbidden(
                "permission_group_disabled",
                "Your organization has switched this permission off. Ask your admin.",
            ),
            Self::TenantMismatch => forbidden(
                "tenant_mismatch",
                "The credential is for another site than the one asked for. Use one for that site.",
            ),
            Self::TenantRequired => forbidden("tenant_required", "Name the site to act on."),
            Self::UserNotPermitted => forbidden(
                "user_not_permitted",
                "Your account has no permission for this. Ask your admin.",
            ),
            Self::ClaimNotMet => forbidden(
                "claim_not_met",
                "The credential does not meet a condition of this operation. Ask whoever runs this server.",
            ),
            Self::LoginImpossible => forbidden(
                "user_login_required",
                "This operation needs a person to log in again; an API token or a client without a user cannot.",
            ),
            Self::LoginTooWeak => Answer {
                status: StatusCode::UNAUTHORIZED,
                error: "insufficient_user_authentication",
                challenge: ChallengeKind::Error("insufficient_user_authentication"),
                grpc: GrpcCode::Unauthenticated,
                message: "A different or more recent login is required",
            },
            Self::MalformedMessage => bad_message(
                StatusCode::BAD_REQUEST,
                "malformed_message",
                "The request body is not one unambiguous JSON-RPC message.",
            ),
            Self::HeaderMismatch => bad_message(
                StatusCode::BAD_REQUEST,
                "header_mismatch",
                "The MCP headers are missing, doubled, or do not agree with the request body.",
            ),
            Self::MessageTooLarge => bad_message(
                StatusCode::PAYLOAD_TOO_LARGE,
                "message_too_large",
                "The request body is longer than this server accepts.",
            ),
            Self::UnknownSession => bad_message(
                StatusCode::NOT_FOUND,
                "unknown_session",
                "There is no such session. Start a new one with initialize.",
            ),
            _ => self.answer_for_outage(),
        }
    }

    /// The rows of our own trouble; all other reasons are about the token itself.
    const fn answer_for_outage(self) -> Answer {
        match self {
            Self::IssuerUnavailable
            | Self::StoreUnavailable
            | Self::RevocationsUnavailable
            | Self::PolicyUnavailable => unavailable(
                "The credential cannot be checked right now. It may be good: keep it and try again.",
            ),
            Self::EnrichmentUnavailable => unavailable(
                "Facts about the user cannot be read right now. The credential may be good: keep it and try again.",
            ),
            Self::AuditUnavailable => unavailable(
                "The server cannot take requests right now. Keep the credential and try again.",
            ),
            Self::Internal => Answer {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                error: "server_error",
                challenge: ChallengeKind::None,
                grpc: GrpcCode::Internal,
                message: "The server failed while checking the credential. Tell whoever runs it the request id.",
            },
            Self::MissingDpopProof => bad_proof(
                "invalid_dpop_proof",
                "A DPoP proof is required: send one in the DPoP header",
            ),
            Self::InvalidDpopProof => bad_proof(
                "invalid_dpop_proof",
                "The DPoP proof is not a good one for this request",
            ),
            Self::DpopReplayed => bad_proof(
                "invalid_dpop_proof",
                "The DPoP proof has been used before: make a new one for every request",
            ),
            Self::DpopNonceNeeded => {
                bad_proof("use_dpop_nonce", "A nonce is required in the DPoP proof")
            }
            _ => invalid_token(self.token_class()),
        }
    }

    /// What a client is told about a bad token: the class, never the detail (JWT-19).
    const fn token_class(self) -> &'static str {
        match self {
            Self::MalformedCredential => {
                "The Bearer credential is malformed; send one access token, without quotes"
            }
            Self::UnrecognizedCredential => {
                "The credential is not an access token of this server; log in for one"
            }
            Self::EncryptedToken => {
                "Encrypted access tokens are not accepted; have the issuer sign them only"
            }
            Self::WrongTokenType => {
                "The token is not an access token; of those that a login brings, send access_token"
            }
            Self::AlgorithmNotAllowed => {
                "The signature algorithm of the access token is not accepted; tell whoever runs this server"
            }
            Self::UnknownIssuer => {
                "The access token comes from an issuer this server does not trust; log in at one that its metadata names"
            }
            Self::WrongAudience => {
                "The access token is for another resource; ask its issuer for one with this server as the resource"
            }
            Self::Expired => "The access token expired; refresh it or log in again",
            Self::Revoked => "The access token was revoked; log in again",
            Self::InactiveToken => {
                "The access token is expired, revoked or unknown to its issuer; log in again"
            }
            Self::NotYetValid | Self::IssuedInFuture => {
                "The access token is not valid yet; try again later"
            }
            Self::LifetimeTooLong => {
                "The access token is valid for longer than this server accepts; have the issuer shorten it"
            }
            Self::MissingClaim => {
                "The access token lacks a required claim; tell whoever runs this server"
            }
            Self::UnknownKey | Self::AmbiguousKey | Self::BadSignature => {
                "The signature of the access token could not be verified; log in again"
            }
            Self::SenderConstrained => {
                "The access token is bound to a key and cannot be used as a plain Bearer token"
            }
            Self::UnboundToken => {
                "The access token is not bound to a key and cannot be used with the scheme DPoP"
            }
            Self::DpopRequired => "This server accepts access tokens with a DPoP proof only",
            Self::DpopKeyMismatch => "The access token is bound to another key than the DPoP proof",
            Self::ClientCertificateMismatch => {
                "The access token is bound to another client certificate"
            }
            _ => "The access token is malformed; send it as its issuer gave it, or log in again",
        }
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
                    | Reason::MalformedMessage
                    | Reason::HeaderMismatch
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
    fn auth_08_another_scheme_is_not_answered_as_if_nothing_had_come() {
        let [nothing, other] = [Reason::MissingCredential, Reason::UnsupportedScheme]
            .map(|reason| reason.answer().message);
        assert_ne!(nothing, other);
        assert!(other.contains("Write Bearer"), "{other}");
    }

    #[test]
    fn codes_are_distinct() {
        let mut codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reason::ALL.len());
    }
}
