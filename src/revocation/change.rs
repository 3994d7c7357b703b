//! News of a record that another process wrote, in the log that also carries revocations.

use super::RevocationEntry;
use crate::clock::UnixTime;
use crate::ident::OrganizationId;

/// A record that was changed in the store, so that whoever remembers it must read it again.
///
/// A store that several processes share appends one in the same transaction as the change. It revokes
/// nothing by itself, and what is new is only in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordChange {
    /// The API token with this id was rolled, revoked or otherwise changed. Issuing one is no news.
    ApiToken(String),
    /// The policy of this organization was put.
    Policy(OrganizationId),
}

const API_TOKEN: &str = "api_token_changed";
const POLICY: &str = "policy_changed";

impl RevocationEntry {
    /// The entry of a changed record.
    ///
    /// ```
    /// use tower_mcp_auth::clock::UnixTime;
    /// use tower_mcp_auth::revocation::{RecordChange, RevocationEntry};
    ///
    /// let change = RecordChange::ApiToken("AAAAAAAAAAAAAAAA".into());
    /// let entry = RevocationEntry::changed(&change, UnixTime::from_secs(1_800_000_000));
    /// assert_eq!((entry.kind.as_str(), entry.target()), ("api_token_changed", None));
    /// assert_eq!(entry.change(), Some(change));
    /// ```
    #[must_use]
    pub fn changed(change: &RecordChange, at: UnixTime) -> Self {
        let (kind, id) = match change {
            RecordChange::ApiToken(id) => (API_TOKEN, id.as_str()),
            RecordChange::Policy(organization) => (POLICY, organization.as_str()),
        };
        Self {
            kind: kind.to_owned(),
            scope: String::new(),
            id: id.to_owned(),
            issued_at: None,
            revoked_at: at.as_secs(),
            expires_at: at.as_secs(),
            reason: None,
        }
    }

    /// The changed record it is about; `None` if it is a revocation, or nothing this version knows.
    #[must_use]
    pub fn change(&self) -> Option<RecordChange> {
        match self.kind.as_str() {
            API_TOKEN => Some(RecordChange::ApiToken(self.id.clone())),
            POLICY => OrganizationId::new(&self.id).map(RecordChange::Policy),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r22_a_change_comes_back_from_its_entry_and_revokes_nothing() {
        let acme = OrganizationId::new("acme").unwrap();
        for change in [
            RecordChange::ApiToken("AAAAAAAAAAAAAAAA".into()),
            RecordChange::Policy(acme),
        ] {
            let entry = RevocationEntry::changed(&change, UnixTime::from_secs(9));
            assert_eq!((entry.change(), entry.target()), (Some(change), None));
        }
        let entry = RevocationEntry {
            kind: POLICY.into(),
            id: "a\nb".into(),
            ..RevocationEntry::changed(
                &RecordChange::ApiToken(String::new()),
                UnixTime::from_secs(9),
            )
        };
        assert_eq!(entry.change(), None);
    }
}
