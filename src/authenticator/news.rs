//! Records that other processes wrote, and who remembers them in this one.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::api_token::{Announcer, ApiTokens, TokenId};
use crate::ident::OrganizationId;
use crate::policy::{DynPolicyStore, PolicyChanges, PolicyStore};
use crate::revocation::{RecordChange, RevocationEntry};

/// Who hears of changed records. What they are told they forget, here and in open streams, before the
/// call returns.
pub(super) struct Audience {
    tokens: Option<Announcer>,
    policies: Option<PolicyChanges>,
}

/// What has changed, once each: a policy that was put a thousand times is read again once.
#[derive(Default)]
pub(super) struct News {
    tokens: HashSet<TokenId>,
    policies: HashSet<OrganizationId>,
}

impl News {
    /// Whether the entry is news of a record, which is then taken down.
    pub(super) fn take(&mut self, entry: &RevocationEntry) -> bool {
        match entry.change() {
            Some(RecordChange::ApiToken(id)) => {
                // What is no id of ours nobody here remembers.
                self.tokens.extend(TokenId::new(&id));
                true
            }
            Some(RecordChange::Policy(organization)) => {
                self.policies.insert(organization);
                true
            }
            None => false,
        }
    }
}

impl Audience {
    pub(super) fn new(tokens: Option<&ApiTokens>, policies: Option<&DynPolicyStore>) -> Self {
        Self {
            tokens: tokens.map(|tokens| tokens.announcer().clone()),
            policies: policies.map(|store| store.changes().clone()),
        }
    }

    pub(super) fn tell(&self, news: &News) {
        if let Some(tokens) = &self.tokens {
            for id in &news.tokens {
                guarded(|| tokens.announce(*id));
            }
        }
        if let Some(policies) = &self.policies {
            for organization in &news.policies {
                guarded(|| policies.announce(organization));
            }
        }
    }

    /// Something was missed, and nobody knows what.
    pub(super) fn tell_everything(&self) {
        if let Some(tokens) = &self.tokens {
            guarded(|| tokens.announce_all());
        }
        if let Some(policies) = &self.policies {
            guarded(|| policies.announce_all());
        }
    }
}

/// Listeners and the tasks they wake are others' code: a panic of theirs must not end the one task that
/// tells of revocations (R15).
fn guarded(announce: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(announce)).is_err() {
        tracing::warn!(
            target: "tower_mcp_auth::revocation",
            "somebody who was told of a changed record panicked"
        );
    }
}
