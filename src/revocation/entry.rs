//! A revocation as it stands in a log: plain values, so that any store can keep it.

use serde::{Deserialize, Serialize};

use super::KEPT;
use super::target::RevocationTarget;
use crate::clock::UnixTime;
use crate::ident::{ClientId, OrganizationId, Subject};
use crate::principal::PrincipalKey;

/// One line of a [`RevocationLog`](super::RevocationLog). A log keeps it as it is, whatever its kind:
/// a newer version of this crate may have written it.
///
/// ```
/// use tower_mcp_auth::clock::UnixTime;
/// use tower_mcp_auth::revocation::{RevocationEntry, RevocationTarget};
///
/// let target = RevocationTarget::Issuer("https://auth.example.com/t1".into());
/// let entry = RevocationEntry::new(&target, UnixTime::from_secs(1_800_000_000));
/// assert_eq!((entry.kind.as_str(), entry.revoked_at), ("issuer", 1_800_000_000));
/// assert_eq!(entry.target(), Some(target));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationEntry {
    /// What kind of target: `token`, `token_of`, `principal`, `service_account`, `user`, `client`,
    /// `key`, `organization`, `issuer`; `api_token_changed` or `policy_changed`, which are
    /// [news](super::RecordChange); or one that this version does not know.
    pub kind: String,
    /// Within what the id names something: the issuer, of a `user` the organization; empty where the
    /// id stands alone.
    pub scope: String,
    /// The `jti`, subject, client, `kid`, organization or issuer.
    pub id: String,
    /// Of a `token_of` the `iat`, in seconds since the epoch.
    pub issued_at: Option<i64>,
    /// Up to when what was issued is dead, in seconds since the epoch.
    pub revoked_at: i64,
    /// From when on the entry means nothing any more, in seconds since the epoch: at most
    /// [`KEPT`] after `revoked_at`, and cut to that where it is applied.
    pub expires_at: i64,
    /// Why, for people. Never a secret.
    pub reason: Option<String>,
}

impl RevocationEntry {
    /// Revokes what the target covers up to `at`, for as long as anything is [kept](super::KEPT).
    #[must_use]
    pub fn new(target: &RevocationTarget, at: UnixTime) -> Self {
        let (kind, scope, id) = columns(target);
        let issued_at = match target {
            RevocationTarget::TokenOf { issued_at, .. } => Some(issued_at.as_secs()),
            _ => None,
        };
        Self {
            kind: kind.to_owned(),
            scope: scope.to_owned(),
            id: id.to_owned(),
            issued_at,
            revoked_at: at.as_secs(),
            expires_at: last(at.as_secs()),
            reason: None,
        }
    }

    /// The same, with the reason.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// What it covers; `None` if this version does not know the kind, or a part cannot be what the
    /// kind says.
    #[must_use]
    pub fn target(&self) -> Option<RevocationTarget> {
        let issuer = || (!self.scope.is_empty()).then(|| self.scope.clone());
        let id = (!self.id.is_empty()).then(|| self.id.clone())?;
        Some(match self.kind.as_str() {
            "token" => RevocationTarget::Token {
                issuer: issuer()?,
                id,
            },
            "token_of" => RevocationTarget::TokenOf {
                issuer: issuer()?,
                subject: Subject::new(id)?,
                issued_at: UnixTime::from_secs(self.issued_at?),
            },
            "principal" => RevocationTarget::Principal(PrincipalKey::of_subject(
                &issuer()?,
                &Subject::new(id)?,
            )),
            "service_account" => RevocationTarget::Principal(PrincipalKey::of_service_account(
                &issuer()?,
                &Subject::new(id)?,
            )),
            "user" => RevocationTarget::User {
                organization: OrganizationId::new(&self.scope)?,
                subject: Subject::new(id)?,
            },
            "client" => RevocationTarget::Client {
                issuer: issuer()?,
                client: ClientId::new(id)?,
            },
            "key" => RevocationTarget::Key {
                issuer: issuer()?,
                key_id: id,
            },
            "organization" => RevocationTarget::Organization(OrganizationId::new(id)?),
            "issuer" => RevocationTarget::Issuer(id),
            _ => return None,
        })
    }

    /// From when on it means nothing any more.
    pub(crate) fn until(&self) -> UnixTime {
        UnixTime::from_secs(self.expires_at.min(last(self.revoked_at)))
    }
}

fn last(revoked_at: i64) -> i64 {
    revoked_at.saturating_add(i64::try_from(KEPT.as_secs()).unwrap_or(i64::MAX))
}

fn columns(target: &RevocationTarget) -> (&'static str, &str, &str) {
    let (scope, id) = match target {
        RevocationTarget::Token { issuer, id } => (issuer.as_str(), id.as_str()),
        RevocationTarget::TokenOf {
            issuer, subject, ..
        } => (issuer.as_str(), subject.as_str()),
        RevocationTarget::Principal(key) => {
            let (service_account, issuer, subject) = key.parts();
            let kind = if service_account {
                "service_account"
            } else {
                "principal"
            };
            return (kind, issuer, subject);
        }
        RevocationTarget::User {
            organization,
            subject,
        } => (organization.as_str(), subject.as_str()),
        RevocationTarget::Client { issuer, client } => (issuer.as_str(), client.as_str()),
        RevocationTarget::Key { issuer, key_id } => (issuer.as_str(), key_id.as_str()),
        RevocationTarget::Organization(organization) => ("", organization.as_str()),
        RevocationTarget::Issuer(issuer) => ("", issuer.as_str()),
    };
    (target.kind(), scope, id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revoke_12_every_target_comes_back_from_its_entry() {
        let subject = Subject::new("spiffe://a/b").unwrap();
        let organization = OrganizationId::new("acme").unwrap();
        let issuer = "https://auth.example.com/t1".to_owned();
        let targets = [
            RevocationTarget::Token {
                issuer: issuer.clone(),
                id: "j".into(),
            },
            RevocationTarget::TokenOf {
                issuer: issuer.clone(),
                subject: subject.clone(),
                issued_at: UnixTime::from_secs(7),
            },
            RevocationTarget::Principal(PrincipalKey::of_subject(&issuer, &subject)),
            RevocationTarget::Principal(PrincipalKey::of_service_account(&issuer, &subject)),
            RevocationTarget::User {
                organization: organization.clone(),
                subject,
            },
            RevocationTarget::Client {
                issuer: issuer.clone(),
                client: ClientId::new("c").unwrap(),
            },
            RevocationTarget::Key {
                issuer: issuer.clone(),
                key_id: "k".into(),
            },
            RevocationTarget::Organization(organization),
            RevocationTarget::Issuer(issuer),
        ];
        for target in targets {
            let entry = RevocationEntry::new(&target, UnixTime::from_secs(9));
            let text = serde_json::to_string(&entry).unwrap();
            let back: RevocationEntry = serde_json::from_str(&text).unwrap();
            assert_eq!(back.target(), Some(target), "{text}");
        }
    }

    #[test]
    fn revoke_12_what_is_not_known_or_not_whole_covers_nothing() {
        let whole = RevocationEntry::new(
            &RevocationTarget::Token {
                issuer: "i".into(),
                id: "j".into(),
            },
            UnixTime::from_secs(9),
        );
        let broken = [
            RevocationEntry {
                kind: "device".into(),
                ..whole.clone()
            },
            RevocationEntry {
                scope: String::new(),
                ..whole.clone()
            },
            RevocationEntry {
                id: String::new(),
                ..whole.clone()
            },
            RevocationEntry {
                kind: "token_of".into(),
                ..whole.clone()
            },
            RevocationEntry {
                kind: "client".into(),
                id: "a\nb".into(),
                ..whole.clone()
            },
        ];
        for entry in broken {
            assert_eq!(entry.target(), None, "{entry:?}");
        }
        let endless = RevocationEntry {
            expires_at: i64::MAX,
            ..whole
        };
        assert_eq!(endless.until().as_secs(), 9 + 367 * 86_400);
    }
}
