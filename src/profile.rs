//! What an issuer's access tokens look like: RFC 9068 by default, relaxed by name where one departs.

use std::borrow::Cow;

/// How scopes are written in a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScopeClaim {
    /// `scope`: words separated by spaces (RFC 9068 §2.2.3).
    Standard,
    /// `scp`: an array of words, or words separated by spaces.
    Scp,
}

/// How a token says for whom it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AudienceRule {
    /// `aud` names the resource, or one of its listed aliases.
    Resource,
    /// The issuer may write no audience: the client must be on this list.
    Clients(Vec<String>),
}

/// How an issuer's tokens tell a client on its own from a person, beyond the signs every token may
/// carry (JWT-21).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientMark {
    /// In no other way.
    Standard,
    /// Only tokens of persons have scopes; what an application may do is in its roles.
    NoScopes,
    /// The client has a user of its own, called `service-account-` and the client's name.
    ServiceAccount,
}

/// The rules for one issuer's access tokens.
///
/// [`Profile::rfc9068`] is the default and the strictest. Every other constructor documents what is
/// given up; prefer switching the issuer to RFC 9068 tokens where it offers them.
///
/// ```
/// use tower_mcp_auth::{Issuer, Profile};
///
/// let issuer = Issuer::new("https://tenant.auth0.example/").profile(Profile::auth0());
/// # let custom =
/// // An in-house issuer that writes no `jti` and calls the client `azp`:
/// Issuer::new("https://sso.example.com").profile(
///     Profile::rfc9068().without_token_id().client_claims(["client_id", "azp"]),
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one relaxation with a name of its own"
)]
pub struct Profile {
    pub(crate) name: &'static str,
    /// `typ` may be `JWT` or absent; ID tokens are then told apart by their claims (JWT-5).
    pub(crate) any_jwt_type: bool,
    pub(crate) requires_token_id: bool,
    pub(crate) requires_issued_at: bool,
    /// Tried in order; the first one present is the client.
    pub(crate) client_claims: Vec<Cow<'static, str>>,
    pub(crate) requires_client: bool,
    pub(crate) scope_claim: ScopeClaim,
    pub(crate) audience: AudienceRule,
    /// A claim that must have exactly this value, e.g. Cognito's `token_use`.
    pub(crate) marker: Option<(&'static str, &'static str)>,
    pub(crate) client_mark: ClientMark,
    /// Where the issuer writes roles, groups and entitlements; see [`crate::issuer`] for paths.
    pub(crate) roles: Cow<'static, str>,
    pub(crate) groups: Cow<'static, str>,
    pub(crate) entitlements: Cow<'static, str>,
}

impl Default for Profile {
    fn default() -> Self {
        Self::rfc9068()
    }
}

impl Profile {
    /// JWT access tokens as RFC 9068 defines them: `typ` is `at+jwt`; `iss`, `sub`, `aud`, `exp`,
    /// `iat`, `jti` and `client_id` are present; `scope` is a string.
    #[must_use]
    pub fn rfc9068() -> Self {
        Self {
            name: "rfc9068",
            any_jwt_type: false,
            requires_token_id: true,
            requires_issued_at: true,
            client_claims: vec!["client_id".into()],
            requires_client: true,
            scope_claim: ScopeClaim::Standard,
            audience: AudienceRule::Resource,
            marker: None,
            client_mark: ClientMark::Standard,
            roles: "roles".into(),
            groups: "groups".into(),
            entitlements: "entitlements".into(),
        }
    }

    fn relaxed(name: &'static str) -> Self {
        Self {
            name,
            any_jwt_type: true,
            ..Self::rfc9068()
        }
    }

    /// Auth0's own token dialect. Given up: `typ`, `jti` (so one token cannot be revoked alone);
    /// the client is in `azp`. Auth0 can issue RFC 9068 tokens instead: prefer that.
    #[must_use]
    pub fn auth0() -> Self {
        Self {
            requires_token_id: false,
            client_claims: vec!["client_id".into(), "azp".into()],
            entitlements: "permissions".into(),
            ..Self::relaxed("auth0")
        }
    }

    /// Okta custom authorization servers. Given up: `typ`; scopes are in `scp`, the client in `cid`.
    #[must_use]
    pub fn okta() -> Self {
        Self {
            client_claims: vec!["cid".into(), "client_id".into()],
            scope_claim: ScopeClaim::Scp,
            ..Self::relaxed("okta")
        }
    }

    /// Microsoft Entra ID, token versions 1 and 2. Given up: `typ`, `jti`; scopes are in `scp`, the
    /// client in `azp` (v2) or `appid` (v1). `aud` is the application's id, never the resource URL:
    /// list it with [`Issuer::audience`](crate::Issuer::audience). A token without `scp` is an
    /// application's: only tokens of persons have scopes. A member of more than about a hundred
    /// groups has a token beyond the default
    /// [`max_credential_bytes`](crate::authenticator::AuthenticatorBuilder::max_credential_bytes).
    #[must_use]
    pub fn entra_id() -> Self {
        Self {
            requires_token_id: false,
            client_mark: ClientMark::NoScopes,
            client_claims: vec!["azp".into(), "appid".into()],
            scope_claim: ScopeClaim::Scp,
            ..Self::relaxed("entra_id")
        }
    }

    /// Keycloak. Given up: `typ`; the client is in `azp`; realm roles are nested. A service account
    /// is recognised by its user name, so keep `preferred_username` or `clientHost` in its tokens
    /// (client scopes `profile` and `service_account`, both there by default).
    #[must_use]
    pub fn keycloak() -> Self {
        Self {
            client_mark: ClientMark::ServiceAccount,
            client_claims: vec!["client_id".into(), "azp".into()],
            roles: "/realm_access/roles".into(),
            ..Self::relaxed("keycloak")
        }
    }

    /// Amazon Cognito user pools. Given up: `typ`, and a required `aud`, which Cognito writes only
    /// if the client asked for a resource (RFC 8707): `token_use` must be `access` and the client
    /// must be one of `clients`. A token without `aud` that one of those clients obtained for
    /// another purpose is accepted here too; one whose `aud` names another resource is not.
    #[must_use]
    pub fn cognito<I>(clients: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self {
            audience: AudienceRule::Clients(clients.into_iter().map(Into::into).collect()),
            marker: Some(("token_use", "access")),
            groups: "cognito:groups".into(),
            ..Self::relaxed("cognito")
        }
    }

    /// Ory Hydra with its JWT strategy. Given up: `typ`; scopes are in `scp`.
    #[must_use]
    pub fn hydra() -> Self {
        Self {
            scope_claim: ScopeClaim::Scp,
            ..Self::relaxed("hydra")
        }
    }

    /// Atlassian's authorization server. Given up: `typ`, and the client may be in `azp` or absent.
    #[must_use]
    pub fn atlassian() -> Self {
        Self {
            client_claims: vec!["client_id".into(), "azp".into()],
            requires_client: false,
            ..Self::relaxed("atlassian")
        }
    }

    /// Accepts `typ: JWT` and an absent `typ` too. Tokens with the marks of an ID, logout or event
    /// token (`nonce`, `at_hash`, `c_hash`, `events`, `token_use: id`, a payload `typ` of `ID`) are
    /// refused.
    ///
    /// An attacker gains: any other kind of JWT this issuer signs for this audience, and that has
    /// none of those marks, passes as an access token.
    #[must_use]
    pub fn any_jwt_type(mut self) -> Self {
        self.any_jwt_type = true;
        self
    }

    /// Does not require `jti`. A single token is then revoked by subject and `iat`, with whatever its
    /// issuer issued to the subject in the same second.
    #[must_use]
    pub fn without_token_id(mut self) -> Self {
        self.requires_token_id = false;
        self
    }

    /// Does not require `iat`. Revocation by time ("issued before") then refuses the token.
    #[must_use]
    pub fn without_issued_at(mut self) -> Self {
        self.requires_issued_at = false;
        self
    }

    /// The claims that may name the client, in order of preference. Default: `client_id`.
    #[must_use]
    pub fn client_claims<I>(mut self, claims: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.client_claims = claims
            .into_iter()
            .map(|claim| Cow::Owned(claim.into()))
            .collect();
        self
    }

    /// Does not require a client: workload tokens may carry none. Rules about clients then refuse
    /// such tokens.
    #[must_use]
    pub fn without_client(mut self) -> Self {
        self.requires_client = false;
        self
    }

    /// Reads scopes from `scp` (an array or a string) instead of `scope`.
    #[must_use]
    pub fn scopes_in_scp(mut self) -> Self {
        self.scope_claim = ScopeClaim::Scp;
        self
    }

    /// Where roles are written: a claim name, or a JSON pointer such as `/realm_access/roles`.
    #[must_use]
    pub fn roles_claim(mut self, path: impl Into<String>) -> Self {
        self.roles = Cow::Owned(path.into());
        self
    }

    /// Where groups are written: a claim name, or a JSON pointer.
    #[must_use]
    pub fn groups_claim(mut self, path: impl Into<String>) -> Self {
        self.groups = Cow::Owned(path.into());
        self
    }

    /// Where entitlements are written: a claim name, or a JSON pointer.
    #[must_use]
    pub fn entitlements_claim(mut self, path: impl Into<String>) -> Self {
        self.entitlements = Cow::Owned(path.into());
        self
    }
}
