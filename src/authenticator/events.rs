//! What the receiver of security events shares with an authenticator.

use std::sync::Arc;

use super::Authenticator;
use crate::clock::Clock;
use crate::issuer::Issuer;
use crate::oauth::jwt::TrustedIssuer;
use crate::oauth::keys::KeySource;
use crate::revocation::RevocationTarget;
use crate::scope::ScopeSet;

impl Authenticator {
    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.ground.clock
    }

    /// Whether a key is known to be stolen.
    pub(crate) fn distrusts_key(&self, issuer: &str, key_id: &str) -> bool {
        let (issuer, key_id) = (issuer.to_owned(), key_id.to_owned());
        let key = RevocationTarget::Key { issuer, key_id };
        self.0.ground.revocations.has(&key)
    }

    /// An issuer of other tokens than access tokens. One whose access tokens are accepted has its
    /// keys in one place only, unless those of the others are said to be elsewhere.
    pub(crate) fn other_issuer(&self, config: Issuer) -> TrustedIssuer {
        let name: Arc<str> = config.identifier.as_str().into();
        let current = self.latest();
        let known = current.0.trust.get(&name);
        let known = known.filter(|_| config.jwks_uri.is_none());
        let keys = known.map_or_else(
            || {
                let ground = &self.0.ground;
                let (fetch, clock) = (ground.fetch.clone(), ground.clock.clone());
                KeySource::new(&config, ScopeSet::empty(), fetch, clock)
            },
            |known| known.keys.clone(),
        );
        TrustedIssuer {
            config,
            name,
            keys,
            introspector: None,
        }
    }
}
