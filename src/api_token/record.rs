//! What a store keeps of a token: everything about it except its secret.

use std::fmt;

use ipnet::IpNet;

use super::email::Email;
use super::format::{TokenId, TokenKind};
use super::pepper::{PepperId, Verifier};
use super::verify::SecretAge;
use crate::clock::UnixTime;
use crate::ident::{OrganizationId, Subject, TenantId};
use crate::scope::ScopeSet;

/// Who acts when a token is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub(crate) subject: Subject,
    pub(crate) email: Option<Email>,
}

impl Owner {
    /// The person of a personal token; the service account of a key.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The person's address, with which a personal token is presented. `None` for a service
    /// account, which is nobody.
    #[must_use]
    pub fn email(&self) -> Option<&Email> {
        self.email.as_ref()
    }
}

/// A verifier and the pepper it was computed with.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) pepper: PepperId,
    pub(crate) verifier: Verifier,
}

/// What was valid before the last roll.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Previous {
    pub(crate) sealed: Sealed,
    pub(crate) valid_until: UnixTime,
}

/// One token as a store keeps it.
///
/// It holds no secret: nothing in it can be presented as a credential, and `Debug` shows neither
/// verifiers nor addresses. [`StoredToken`](super::StoredToken) is its plain form for databases.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenRecord {
    pub(crate) id: TokenId,
    pub(crate) kind: TokenKind,
    pub(crate) organization: OrganizationId,
    pub(crate) owner: Owner,
    pub(crate) name: String,
    pub(crate) created_by: Subject,
    pub(crate) current: Sealed,
    pub(crate) previous: Option<Previous>,
    pub(crate) scopes: ScopeSet,
    pub(crate) networks: Vec<IpNet>,
    pub(crate) tenants: Vec<TenantId>,
    pub(crate) created_at: UnixTime,
    pub(crate) expires_at: UnixTime,
    pub(crate) revoked_at: Option<UnixTime>,
    pub(crate) owner_active: bool,
    pub(crate) last_used: Option<UnixTime>,
    pub(crate) version: i64,
}

impl TokenRecord {
    /// Until when one of its secrets serves; `None` if it has no such secret.
    pub(crate) fn ends_at(&self, age: SecretAge) -> Option<UnixTime> {
        match (age, &self.previous) {
            (SecretAge::Current, _) => Some(self.expires_at),
            (SecretAge::Previous, Some(previous)) => {
                Some(previous.valid_until.min(self.expires_at))
            }
            (SecretAge::Previous, None) => None,
        }
    }

    /// Until when the secret serves that this token was presented with when it was as in `before`.
    /// `None` if it does not any more: the token is revoked, expired or another, its owner is
    /// inactive, or the secret was rolled away.
    pub(crate) fn still_serves(
        &self,
        before: &Self,
        age: SecretAge,
        now: UnixTime,
    ) -> Option<UnixTime> {
        let secret = match age {
            SecretAge::Current => &before.current,
            SecretAge::Previous => &before.previous.as_ref()?.sealed,
        };
        let is_previous = |previous: &Previous| previous.sealed == *secret;
        let until = if self.current == *secret {
            self.ends_at(SecretAge::Current)
        } else {
            self.previous
                .as_ref()
                .filter(|previous| is_previous(previous))?;
            self.ends_at(SecretAge::Previous)
        };
        let same = self.id == before.id
            && self.kind == before.kind
            && self.organization == before.organization
            && self.owner.subject == before.owner.subject;
        let alive = same && self.revoked_at.is_none() && self.owner_active;
        until.filter(|until| alive && now < *until)
    }

    /// The public id.
    #[must_use]
    pub fn id(&self) -> &TokenId {
        &self.id
    }

    /// Personal, or a service account's.
    #[must_use]
    pub fn kind(&self) -> TokenKind {
        self.kind
    }

    /// The organization whose administrator rules over the token.
    #[must_use]
    pub fn organization(&self) -> &OrganizationId {
        &self.organization
    }

    /// Who acts when it is used.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// What its owner calls it. May be empty.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who issued it: the owner, or an administrator.
    #[must_use]
    pub fn created_by(&self) -> &Subject {
        &self.created_by
    }

    /// What it may be used for. At least one.
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// From where it may be used; empty means from anywhere the organization allows.
    #[must_use]
    pub fn networks(&self) -> &[IpNet] {
        &self.networks
    }

    /// The sites it may be used for; empty means every site of the organization.
    #[must_use]
    pub fn tenants(&self) -> &[TenantId] {
        &self.tenants
    }

    /// When it was issued. A roll does not change it.
    #[must_use]
    pub fn created_at(&self) -> UnixTime {
        self.created_at
    }

    /// The first moment at which it is no longer accepted. A roll does not change it.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// Since when it is revoked.
    #[must_use]
    pub fn revoked_at(&self) -> Option<UnixTime> {
        self.revoked_at
    }

    /// Until when the secret before the last roll is accepted too.
    #[must_use]
    pub fn previous_valid_until(&self) -> Option<UnixTime> {
        self.previous.as_ref().map(|previous| previous.valid_until)
    }

    /// Whether its owner may act at all; see `ApiTokens::set_owner_active`.
    #[must_use]
    pub fn is_owner_active(&self) -> bool {
        self.owner_active
    }

    /// Roughly when it was last used. Written late and sometimes lost.
    #[must_use]
    pub fn last_used(&self) -> Option<UnixTime> {
        self.last_used
    }

    /// How often it was written, beginning with 1. [`last_used`](Self::last_used) does not count.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.version
    }

    /// Which pepper the current verifier was computed with.
    #[must_use]
    pub fn pepper(&self) -> &PepperId {
        &self.current.pepper
    }

    /// Whether it can still be used at `now`: not expired, not revoked, its owner active.
    #[must_use]
    pub fn is_alive(&self, now: UnixTime) -> bool {
        now < self.expires_at && self.revoked_at.is_none() && self.owner_active
    }

    /// The same, to be written over the version that was read.
    pub(crate) fn next_version(&self) -> Self {
        Self {
            version: self.version.saturating_add(1),
            ..self.clone()
        }
    }
}

impl fmt::Debug for TokenRecord {
    /// Ids and times: neither verifiers nor personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRecord")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("organization", &self.organization)
            .field("owner", &self.owner.subject)
            .field("scopes", &self.scopes)
            .field("expires_at", &self.expires_at)
            .field("revoked_at", &self.revoked_at)
            .field("owner_active", &self.owner_active)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
