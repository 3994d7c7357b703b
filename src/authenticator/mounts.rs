//! Further mounts of a server.

use std::sync::{Arc, OnceLock, Weak};

use super::operations::known_scopes;
use super::slot::{Mounted, Slot};
use super::{Authenticator, Inner};
use crate::context::Operations;
use crate::error::{ConfigError, Problems};
use crate::oauth::jwt::{Trust, TrustedIssuer};
use crate::resource::ProtectedResource;

impl Authenticator {
    /// The same keys for another mount of the same server, such as `/v2/mcp` beside `/mcp`. The
    /// other resource gets its own audience, document and challenge.
    ///
    /// If it lists no issuer it inherits all of this authenticator's. Those it lists must be among
    /// them, and only they are then trusted. Listing one only names it: its settings are those it
    /// has here. A [reload](Self::reload) makes the mount again from the same description.
    ///
    /// # Errors
    ///
    /// Every problem of the other resource's configuration.
    pub fn mount(&self, resource: ProtectedResource) -> Result<Self, ConfigError> {
        let ground = &self.0.ground;
        // Held to the end: a reload sees the mount, or the mount sees the reload.
        let mut slots = ground.slots();
        let on = self.0.newest.load_full();
        let mut problems = Problems::default();
        let inner = on.mounted(&resource, &mut problems);
        let inner = problems.or(inner)?;
        let mounted = Mounted {
            on: self.0.clone(),
            resource,
        };
        let slot = Slot::new(ground.clone(), Some(mounted), |slot| Inner {
            slot,
            ..inner
        });
        slots.retain(|known| known.strong_count() > 0);
        slots.push(Arc::downgrade(&slot));
        Ok(Self(slot))
    }
}

impl Inner {
    /// These settings for another resource; `None` with problems. Its slot is still to be named.
    pub(super) fn mounted(
        &self,
        resource: &ProtectedResource,
        problems: &mut Problems,
    ) -> Option<Self> {
        let mut resource = resource.clone();
        if resource.issuers.is_empty() {
            let known = self.trust.issuers().map(|known| known.config.clone());
            resource.issuers = known.collect();
            resource
                .issuers
                .sort_by(|a, b| a.identifier.cmp(&b.identifier));
        }
        resource.derived = self.shared.bindings.members();
        let checked = resource.examine(problems);
        let mut trusted = Vec::new();
        for (index, config) in resource.issuers.into_iter().enumerate() {
            match self.trust.get(&config.identifier) {
                Some(known) => trusted.push(TrustedIssuer::clone(known)),
                None => problems.add(
                    format!("issuer[{index}]"),
                    config.identifier,
                    "not an issuer of the first mount; add it there, or build a second authenticator",
                ),
            }
        }
        let resource = checked?;
        let required_scopes = self.required_scopes.clone();
        let rules = self.operations.as_ref().map(|operations| &operations.rules);
        let known_scopes = known_scopes(&resource, &required_scopes, rules);
        let operations = rules.map(|rules| Operations {
            rules: rules.clone(),
            known: known_scopes.clone(),
        });
        Some(Self {
            resource,
            required_scopes,
            known_scopes,
            credential_limit: self.credential_limit,
            forward_credential: self.forward_credential,
            trust: Trust::new(trusted),
            mount: self.ground.next_mount(),
            operations: operations.map(Arc::new),
            challenge_scopes: self.challenge_scopes.clone(),
            asks: OnceLock::new(),
            shared: self.shared.clone(),
            ground: self.ground.clone(),
            slot: Weak::new(),
        })
    }
}
