//! What the database has of an API token.

use tower_mcp_auth::api_token::{Email, LocalPart, TokenKind, TokenRecord};
use tower_mcp_auth::context::AuthMethod;
use tower_mcp_auth::{OrganizationPolicy, Reason};

use super::read::Given;
use super::{Mark, Steps};
use crate::times;
use crate::token_list::state;

/// A record and the rules of its organization.
pub(super) struct Found {
    pub(super) record: TokenRecord,
    pub(super) policy: OrganizationPolicy,
}

pub(super) const fn method(kind: TokenKind) -> (AuthMethod, &'static str) {
    match kind {
        TokenKind::Personal => (AuthMethod::ApiToken, "personal"),
        TokenKind::ServiceAccount => (AuthMethod::ServiceAccountKey, "service-account"),
    }
}

impl Found {
    pub(super) fn tell(&self, steps: &mut Steps) {
        let (record, now) = (&self.record, times::now());
        steps.add(
            Mark::Good,
            "record",
            format!("issued {}", times::both(record.created_at())),
        );
        let state = state(record, now);
        let mark = if record.is_alive(now) {
            Mark::Good
        } else {
            Mark::Bad
        };
        let since = record
            .revoked_at()
            .map(|at| format!(" since {}", times::both(at)));
        steps.add(
            mark,
            "state",
            format!("{state}{}", since.unwrap_or_default()),
        );
        steps.add(Mark::Fact, "expires", times::both(record.expires_at()));
        if let Some(until) = record.previous_valid_until() {
            steps.add(
                Mark::Fact,
                "rolled",
                format!("the secret before that serves until {}", times::both(until)),
            );
        }
        self.tell_rights(steps);
    }

    /// For whom it is, and for what.
    fn tell_rights(&self, steps: &mut Steps) {
        let record = &self.record;
        steps.add(Mark::Fact, "owner", record.owner().subject().as_str());
        let scopes = record.scopes();
        let mark = if scopes.is_empty() {
            Mark::Bad
        } else {
            Mark::Fact
        };
        steps.add(mark, "scopes", scopes.to_string());
        let networks: Vec<_> = record.networks().iter().map(ToString::to_string).collect();
        if !networks.is_empty() {
            steps.add(Mark::Fact, "networks", networks.join(" "));
        }
        steps.add(Mark::Fact, "organization", record.organization().as_str());
    }

    /// What a server would refuse it for, whatever its secret: for want of a pepper. As `verify` and the policy have
    /// it, in their order.
    pub(super) fn refusal(&self, given: &Given) -> Option<(Reason, &'static str)> {
        let record = &self.record;
        let sent = given.email.as_deref().map(Email::new);
        let same = match (sent, record.owner().email()) {
            (Some(Some(sent)), Some(owner)) => owner.matches(&sent, LocalPart::Exact),
            (Some(_), _) => false,
            (None, _) => true,
        };
        let faults = [
            (!same, Reason::InvalidApiToken, "WrongEmail"),
            (
                record.revoked_at().is_some(),
                Reason::InvalidApiToken,
                "Revoked",
            ),
            (
                times::now() >= record.expires_at(),
                Reason::InvalidApiToken,
                "Expired",
            ),
            (
                !record.is_owner_active(),
                Reason::InvalidApiToken,
                "OwnerInactive",
            ),
            (
                !self.policy.allows_method(method(record.kind()).0),
                Reason::MethodDisabled,
                "",
            ),
            (record.scopes().is_empty(), Reason::UnscopedToken, ""),
        ];
        let found = faults.into_iter().find(|(present, ..)| *present);
        found.map(|(_, reason, note)| (reason, note))
    }
}
