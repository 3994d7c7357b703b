//! Why a request is refused: the names.

use std::fmt;

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

            /// Where it stands in [`Reason::ALL`].
            #[cfg(feature = "metrics")]
            #[expect(clippy::as_conversions, reason = "the place of a variant in its own list")]
            pub(crate) const fn place(self) -> usize {
                self as usize
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
    /// The token is bound to a sender (`cnf`), and the request shows nothing by which this server
    /// could tell (DPOP-7, MTLS-3).
    SenderConstrained = "sender_constrained",
    /// The issuer says that the opaque token is not active: expired, revoked, or none of its own
    /// (RFC 7662).
    InactiveToken = "inactive_token",
    /// A token that is bound to no key was sent with the scheme `DPoP` (DPOP-8).
    UnboundToken = "unbound_token",
    /// This server takes access tokens only with a DPoP proof, and this one came without (DPOP-13).
    DpopRequired = "dpop_required",
    /// A token sent with the scheme `DPoP`, and no `DPoP` header (DPOP-1).
    MissingDpopProof = "missing_dpop_proof",
    /// The `DPoP` header is not one good proof for this request and this token (RFC 9449 §4.3).
    InvalidDpopProof = "invalid_dpop_proof",
    /// The proof is good but for the nonce, which is absent or too old (RFC 9449 §9).
    DpopNonceNeeded = "dpop_nonce_needed",
    /// The proof has been used before (DPOP-9).
    DpopReplayed = "dpop_replayed",
    /// The proof is by another key than the one the token is bound to (DPOP-6).
    DpopKeyMismatch = "dpop_key_mismatch",
    /// The token is bound to another client certificate than the request came with, or it came with
    /// none (MTLS-1).
    ClientCertificateMismatch = "client_certificate_mismatch",
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
    /// The credential was issued for longer than the organization allows.
    CredentialLifetimeTooLong = "credential_lifetime_too_long",
    /// No rule of this server lets anybody do this: a tool or method it does not know (MCP-9).
    OperationNotAllowed = "operation_not_allowed",
    /// The operation is not for this authentication method (POL-14).
    AuthMethodNotAllowed = "auth_method_not_allowed",
    /// The organization has switched the operation's permission group off (POL-13).
    PermissionGroupDisabled = "permission_group_disabled",
    /// The call names another site than the one the credential is bound to (POL-15).
    TenantMismatch = "tenant_mismatch",
    /// The call has to name the site it acts on, and does not (POL-15).
    TenantRequired = "tenant_required",
    /// The directory gives this user no permission for the operation (POL-16).
    UserNotPermitted = "user_not_permitted",
    /// The operation needs a claim with a value that the credential does not have.
    ClaimNotMet = "claim_not_met",
    /// The login is too old or too weak for the operation (RFC 9470).
    LoginTooWeak = "login_too_weak",
    /// The operation needs a person who can log in again, and there is none behind the credential
    /// (STEP-3).
    LoginImpossible = "login_impossible",
    /// The body is not one JSON-RPC message that everybody reads alike (T36).
    MalformedMessage = "malformed_message",
    /// The body is longer than this server reads to decide.
    MessageTooLarge = "message_too_large",
    /// `Mcp-Method`, `Mcp-Name` or `MCP-Protocol-Version` is missing, doubled, unreadable or not what
    /// the body says (MCP-1..6).
    HeaderMismatch = "header_mismatch",
    /// The id of the session, or of the event to go on from, was not given to this principal, or to
    /// anybody (T44).
    UnknownSession = "unknown_session",
    /// Too many failed credentials from this address (EDGE-6).
    TooManyFailures = "too_many_failures",
    /// The store of API tokens cannot be asked (R19).
    StoreUnavailable = "store_unavailable",
    /// What other processes revoked cannot be read (R23).
    RevocationsUnavailable = "revocations_unavailable",
    /// The organization's policy cannot be read (POL-6).
    PolicyUnavailable = "policy_unavailable",
    /// The user's facts cannot be read, and they are required.
    EnrichmentUnavailable = "enrichment_unavailable",
    /// The record of the request cannot be kept, and records are required (R26).
    AuditUnavailable = "audit_unavailable",
    /// `Origin` is not on the list (EDGE-1).
    OriginNotAllowed = "origin_not_allowed",
    /// `Host` is not on the list (T41).
    HostNotAllowed = "host_not_allowed",
    /// The issuer's keys cannot be had and none usable is held (KEY-6), or it cannot be asked about an
    /// opaque token (OPQ-6).
    IssuerUnavailable = "issuer_unavailable",
    /// A component of this server failed while deciding (R15).
    Internal = "internal",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
