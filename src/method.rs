//! The ways a request can authenticate.

use std::fmt;

/// How a request authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AuthMethod {
    /// An OAuth 2.1 access token (`Authorization: Bearer`).
    OAuth,
    /// A person's API token, for machines that act on their behalf (`Authorization: Basic`).
    ApiToken,
    /// The API key of a service account (`Authorization: Bearer`).
    ServiceAccountKey,
}

impl AuthMethod {
    /// Every method, the preferred one first.
    pub const ALL: [Self; 3] = [Self::OAuth, Self::ApiToken, Self::ServiceAccountKey];

    /// The stable name: `oauth2`, `api_token` or `service_account_key`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OAuth => "oauth2",
            Self::ApiToken => "api_token",
            Self::ServiceAccountKey => "service_account_key",
        }
    }
}

impl fmt::Display for AuthMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
