//! A record in plain fields, as a database or a file keeps it.

use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::email::Email;
use super::format::{TokenId, TokenKind};
use super::new_token::MAX_LIFETIME_SECS;
use super::pepper::PepperId;
use super::record::{Owner, Previous, Sealed, TokenRecord};
use crate::clock::UnixTime;
use crate::error::BackendError;
use crate::ident::{OrganizationId, Subject, TenantId};
use crate::scope::ScopeSet;

/// A [`TokenRecord`] in plain fields. The names are stable: use them as columns.
///
/// Times are seconds since 1970-01-01T00:00:00Z. Reading it back checks everything, so a row that
/// somebody edited into nonsense is an error and never a token.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredToken {
    /// 16 letters and digits; the key of the row.
    pub id: String,
    /// `personal` or `service_account`.
    pub kind: String,
    /// The organization.
    pub organization: String,
    /// The person or the service account.
    pub owner: String,
    /// The person's address; present exactly for personal tokens.
    pub email: Option<String>,
    /// What the owner calls it.
    pub name: String,
    /// Who issued it.
    pub created_by: String,
    /// HMAC-SHA-256 of the secret. Not a credential, but keep it to yourself.
    pub verifier: [u8; 32],
    /// The pepper the verifier was computed with.
    pub pepper: String,
    /// The verifier before the last roll.
    pub previous_verifier: Option<[u8; 32]>,
    /// Its pepper; present exactly if the verifier is.
    pub previous_pepper: Option<String>,
    /// Until when it counts; present exactly if the verifier is.
    pub previous_until: Option<i64>,
    /// Scopes, separated by one space.
    pub scopes: String,
    /// Address ranges in CIDR notation.
    pub networks: Vec<String>,
    /// Sites.
    pub tenants: Vec<String>,
    /// When it was issued.
    pub created_at: i64,
    /// From when it is not accepted. Never absent; more than 365 days after `created_at`, as in
    /// rows that came from elsewhere, counts as 365 days (T31).
    pub expires_at: i64,
    /// Since when it is revoked.
    pub revoked_at: Option<i64>,
    /// Whether its owner may act.
    pub owner_active: bool,
    /// Roughly when it was last used.
    pub last_used: Option<i64>,
    /// How often it was written, from 1.
    pub version: i64,
}

impl fmt::Debug for StoredToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredToken")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("organization", &self.organization)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl From<&TokenRecord> for StoredToken {
    fn from(record: &TokenRecord) -> Self {
        let previous = record.previous.as_ref();
        Self {
            id: record.id.to_string(),
            kind: record.kind.to_string(),
            organization: record.organization.to_string(),
            owner: record.owner.subject.to_string(),
            email: record
                .owner
                .email
                .as_ref()
                .map(|email| email.as_str().to_owned()),
            name: record.name.clone(),
            created_by: record.created_by.to_string(),
            verifier: record.current.verifier,
            pepper: record.current.pepper.to_string(),
            previous_verifier: previous.map(|previous| previous.sealed.verifier),
            previous_pepper: previous.map(|previous| previous.sealed.pepper.to_string()),
            previous_until: previous.map(|previous| previous.valid_until.as_secs()),
            scopes: record.scopes.to_string(),
            networks: record.networks.iter().map(ToString::to_string).collect(),
            tenants: record.tenants.iter().map(ToString::to_string).collect(),
            created_at: record.created_at.as_secs(),
            expires_at: record.expires_at.as_secs(),
            revoked_at: record.revoked_at.map(UnixTime::as_secs),
            owner_active: record.owner_active,
            last_used: record.last_used.map(UnixTime::as_secs),
            version: record.version,
        }
    }
}

impl TryFrom<StoredToken> for TokenRecord {
    type Error = BackendError;

    /// # Errors
    ///
    /// [`BackendError`] naming the field that cannot be what [`ApiTokens`](super::ApiTokens) wrote.
    fn try_from(stored: StoredToken) -> Result<Self, BackendError> {
        read(&stored).map_err(|field| {
            let id: String = stored.id.chars().take(16).collect();
            BackendError::new(format!("stored API token {id:?}: unusable `{field}`"))
        })
    }
}

/// The record, or the name of the field that cannot be.
fn read(stored: &StoredToken) -> Result<TokenRecord, &'static str> {
    let kind = TokenKind::from_name(&stored.kind).ok_or("kind")?;
    if stored.version < 1 {
        return Err("version");
    }
    if stored.expires_at <= stored.created_at {
        return Err("expires_at");
    }
    let longest = stored.created_at.saturating_add(MAX_LIFETIME_SECS);
    // None at all is readable: a token of an older program, refused by name (BAS-13), not an outage.
    let scopes = ScopeSet::parse(&stored.scopes);
    let networks = all(&stored.networks, |text| text.parse::<IpNet>().ok());
    Ok(TokenRecord {
        id: TokenId::new(&stored.id).ok_or("id")?,
        kind,
        organization: OrganizationId::new(&stored.organization).ok_or("organization")?,
        owner: owner(stored, kind)?,
        created_by: Subject::new(&stored.created_by).ok_or("created_by")?,
        current: Sealed {
            pepper: PepperId::new(&stored.pepper).ok_or("pepper")?,
            verifier: stored.verifier,
        },
        previous: previous(stored)?,
        scopes: scopes.ok_or("scopes")?,
        networks: networks.ok_or("networks")?,
        tenants: all(&stored.tenants, TenantId::new).ok_or("tenants")?,
        created_at: UnixTime::from_secs(stored.created_at),
        expires_at: UnixTime::from_secs(stored.expires_at.min(longest)),
        revoked_at: stored.revoked_at.map(UnixTime::from_secs),
        owner_active: stored.owner_active,
        last_used: stored.last_used.map(UnixTime::from_secs),
        version: stored.version,
        name: stored.name.clone(),
    })
}

/// A person with an address, or a service account without.
fn owner(stored: &StoredToken, kind: TokenKind) -> Result<Owner, &'static str> {
    let email = match (kind, stored.email.as_deref()) {
        (TokenKind::Personal, Some(text)) => Some(Email::new(text).ok_or("email")?),
        (TokenKind::ServiceAccount, None) => None,
        _ => return Err("email"),
    };
    Ok(Owner {
        subject: Subject::new(&stored.owner).ok_or("owner")?,
        email,
    })
}

/// All three columns, or none of them.
fn previous(stored: &StoredToken) -> Result<Option<Previous>, &'static str> {
    let columns = (
        stored.previous_verifier,
        stored.previous_pepper.as_deref(),
        stored.previous_until,
    );
    match columns {
        (None, None, None) => Ok(None),
        (Some(verifier), Some(pepper), Some(until)) => Ok(Some(Previous {
            sealed: Sealed {
                pepper: PepperId::new(pepper).ok_or("previous_pepper")?,
                verifier,
            },
            valid_until: UnixTime::from_secs(until),
        })),
        _ => Err("previous_verifier"),
    }
}

fn all<'a, T>(texts: &'a [String], read: impl Fn(&'a str) -> Option<T>) -> Option<Vec<T>> {
    texts.iter().map(|text| read(text)).collect()
}
