//! What can be revoked before it ends.

use crate::clock::UnixTime;
use crate::ident::{ClientId, OrganizationId, Subject};
use crate::principal::{Principal, PrincipalKey, PrincipalKind};

/// What a revocation covers.
///
/// Credentials are named by what their issuer says of them, never by their bytes: a signature has
/// other spellings that verify as well, and a token that was revoked by its bytes would come back in
/// one of them (T5).
///
/// ```
/// use tower_mcp_auth::revocation::RevocationTarget;
///
/// let stolen = RevocationTarget::Key {
///     issuer: "https://auth.example.com/t1".into(),
///     key_id: "2026-11".into(),
/// };
/// assert_eq!(stolen.kind(), "key");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RevocationTarget {
    /// One access token, or one API token of a foreign format, by its issuer and its id (`jti`).
    Token {
        /// `iss`.
        issuer: String,
        /// `jti`.
        id: String,
    },
    /// The access tokens of one subject that were issued in one second: for tokens without an id.
    TokenOf {
        /// `iss`.
        issuer: String,
        /// `sub`.
        subject: Subject,
        /// `iat`.
        issued_at: UnixTime,
    },
    /// Everything issued to a principal up to the moment of the revocation.
    Principal(PrincipalKey),
    /// Everything issued up to that moment to a person of an organization, whoever vouches for them:
    /// access tokens of every issuer with this subject, and the API tokens they own. Not service
    /// accounts and not clients, whatever they are called.
    User {
        /// Where the person is a member: the same subject of another organization may be somebody
        /// else.
        organization: OrganizationId,
        /// `sub`, and the owner of API tokens.
        subject: Subject,
    },
    /// Everything issued up to that moment to an OAuth client, for whomever it acts.
    Client {
        /// `iss`.
        issuer: String,
        /// `client_id`.
        client: ClientId,
    },
    /// Everything a key verified, whenever it says it was issued: who has a stolen key writes any
    /// time.
    Key {
        /// `iss`.
        issuer: String,
        /// `kid`, as in the issuer's key set.
        key_id: String,
    },
    /// Everything of an organization issued up to that moment.
    Organization(OrganizationId),
    /// Everything an issuer issued up to that moment.
    Issuer(String),
}

impl RevocationTarget {
    /// The one credential behind a principal: by (`iss`, `jti`); without an id, by (`iss`, `sub`,
    /// `iat`); with neither, everything of the principal.
    #[must_use]
    pub fn credential_of(principal: &Principal) -> Self {
        let issuer = principal.issuer().to_owned();
        match (principal.token_id(), principal.issued_at()) {
            (Some(id), _) => Self::Token {
                issuer,
                id: id.to_owned(),
            },
            (None, Some(issued_at)) => Self::TokenOf {
                issuer,
                subject: principal.subject().clone(),
                issued_at,
            },
            (None, None) => Self::Principal(principal.key()),
        }
    }

    /// Its kind, as in records and logs: `token`, `token_of`, `principal`, `user`, `client`, `key`,
    /// `organization` or `issuer`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.probe().kind()
    }

    pub(super) fn probe(&self) -> Probe<'_> {
        match self {
            Self::Token { issuer, id } => Probe::Token(issuer, id),
            Self::TokenOf {
                issuer,
                subject,
                issued_at,
            } => Probe::TokenOf(issuer, subject.as_str(), issued_at.as_secs()),
            Self::Principal(key) => {
                let (service_account, issuer, subject) = key.parts();
                Probe::Principal(service_account, issuer, subject)
            }
            Self::User {
                organization,
                subject,
            } => Probe::User(organization.as_str(), subject.as_str()),
            Self::Client { issuer, client } => Probe::Client(issuer, client.as_str()),
            Self::Key { issuer, key_id } => Probe::Key(issuer, key_id),
            Self::Organization(organization) => Probe::Organization(organization.as_str()),
            Self::Issuer(issuer) => Probe::Issuer(issuer),
        }
    }
}

/// A target in borrowed parts: what the table is asked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Probe<'t> {
    Token(&'t str, &'t str),
    TokenOf(&'t str, &'t str, i64),
    Principal(bool, &'t str, &'t str),
    User(&'t str, &'t str),
    Client(&'t str, &'t str),
    Key(&'t str, &'t str),
    Organization(&'t str),
    Issuer(&'t str),
}

impl<'t> Probe<'t> {
    /// Everything a credential could be revoked by.
    pub(super) fn all(
        principal: &'t Principal,
        organization: &'t OrganizationId,
    ) -> [Option<Self>; 8] {
        let (issuer, subject) = (principal.issuer(), principal.subject().as_str());
        let kind = principal.kind();
        let service_account = kind == PrincipalKind::ServiceAccount;
        let organization = organization.as_str();
        let issued_at = principal.issued_at().map(UnixTime::as_secs);
        [
            principal.token_id().map(|id| Self::Token(issuer, id)),
            issued_at.map(|issued_at| Self::TokenOf(issuer, subject, issued_at)),
            Some(Self::Principal(service_account, issuer, subject)),
            (kind == PrincipalKind::User).then_some(Self::User(organization, subject)),
            principal
                .client()
                .map(|client| Self::Client(issuer, client.as_str())),
            principal.key_id().map(|key_id| Self::Key(issuer, key_id)),
            Some(Self::Organization(organization)),
            Some(Self::Issuer(issuer)),
        ]
    }

    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Token(..) => "token",
            Self::TokenOf(..) => "token_of",
            Self::Principal(..) => "principal",
            Self::User(..) => "user",
            Self::Client(..) => "client",
            Self::Key(..) => "key",
            Self::Organization(_) => "organization",
            Self::Issuer(_) => "issuer",
        }
    }

    /// One bit for each kind.
    pub(super) fn bit(self) -> u16 {
        match self {
            Self::Token(..) => 1,
            Self::TokenOf(..) => 1 << 1,
            Self::Principal(..) => 1 << 2,
            Self::User(..) => 1 << 3,
            Self::Client(..) => 1 << 4,
            Self::Key(..) => 1 << 5,
            Self::Organization(_) => 1 << 6,
            Self::Issuer(_) => 1 << 7,
        }
    }

    /// Whether the time a credential was issued does not matter.
    pub(super) fn is_for_good(self) -> bool {
        matches!(self, Self::Token(..) | Self::TokenOf(..) | Self::Key(..))
    }
}
