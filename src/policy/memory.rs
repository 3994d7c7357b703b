//! Policies in this process, for servers that configure them in code, and for tests.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::{OrganizationPolicy, PolicyChanges, PolicyStore, PutError};
use crate::error::{BackendError, ConfigError};
use crate::ident::OrganizationId;

/// Keeps policies in memory, gone with the process. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct MemoryPolicyStore {
    policies: Arc<RwLock<HashMap<OrganizationId, OrganizationPolicy>>>,
    changes: PolicyChanges,
}

impl MemoryPolicyStore {
    /// An empty store: every organization is OAuth only.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a policy, for start-up, in place of any other of its organization. Keeps its version,
    /// or gives it 1.
    ///
    /// # Errors
    ///
    /// Every mistake in the policy.
    pub fn with(self, policy: OrganizationPolicy) -> Result<Self, ConfigError> {
        policy.examine()?;
        let version = policy.version().max(1);
        self.insert(policy.with_version(version));
        Ok(self)
    }

    fn insert(&self, policy: OrganizationPolicy) {
        let organization = policy.organization().clone();
        self.policies
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(organization.clone(), policy);
        self.changes.announce(&organization);
    }

    fn swap(
        &self,
        policy: OrganizationPolicy,
        expected: u64,
    ) -> Result<OrganizationPolicy, PutError> {
        let mut policies = self
            .policies
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let current = policies
            .get(policy.organization())
            .map_or(0, OrganizationPolicy::version);
        let next = current.checked_add(1).filter(|_| current == expected);
        let Some(next) = next else {
            return Err(PutError::Conflict { current });
        };
        let stored = policy.with_version(next);
        policies.insert(stored.organization().clone(), stored.clone());
        Ok(stored)
    }
}

impl PolicyStore for MemoryPolicyStore {
    async fn load(
        &self,
        organization: &OrganizationId,
    ) -> Result<Option<OrganizationPolicy>, BackendError> {
        let policies = self.policies.read().unwrap_or_else(PoisonError::into_inner);
        Ok(policies.get(organization).cloned())
    }

    async fn put(
        &self,
        policy: OrganizationPolicy,
        expected: u64,
    ) -> Result<OrganizationPolicy, PutError> {
        policy.examine()?;
        let stored = self.swap(policy, expected)?;
        self.changes.announce(stored.organization());
        Ok(stored)
    }

    fn changes(&self) -> &PolicyChanges {
        &self.changes
    }
}
