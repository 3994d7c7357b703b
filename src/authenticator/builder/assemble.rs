//! From settings that were found good to an [`Authenticator`], or to its next generation.

use std::sync::{Arc, OnceLock, Weak};

use super::AuthenticatorBuilder;
use super::examine::Examined;
use crate::authenticator::ground::{Beginning, Ground};
use crate::authenticator::sender::Senders;
use crate::authenticator::slot::Slot;
use crate::authenticator::tokens::{Guard, Tokens};
use crate::authenticator::{Authenticator, Inner, Shared};
use crate::context::Operations;
use crate::issuer::Issuer;
use crate::oauth::introspection::{self, Introspector};
use crate::oauth::jwt::{Trust, TrustedIssuer};
use crate::oauth::keys::KeySource;
use crate::resource::Resource;
use crate::scope::ScopeSet;
use crate::throttle::{Throttle, ThrottleSettings};

/// Where the parts of an issuer come from.
struct Source<'s> {
    ground: &'s Ground,
    resource: &'s Resource,
    wanted: &'s ScopeSet,
    before: Option<&'s Inner>,
}

impl AuthenticatorBuilder {
    pub(super) fn assemble(mut self, mut examined: Examined) -> Authenticator {
        let beginning = Beginning {
            fetch: examined.fetch.clone(),
            marker: examined.marker.take(),
            sessions: examined.sessions.take(),
            trail: std::mem::take(&mut self.options).into_trail(),
            meter: self.telemetry.take_meter(),
        };
        let ground = Ground::new(std::mem::take(&mut self.ports), beginning);
        let slot = Slot::new(ground.clone(), None, |slot| {
            self.settle(examined, (&ground, slot), None)
        });
        ground.slots().push(Arc::downgrade(&slot));
        slot.newest.load().report_to_meter();
        Authenticator(slot)
    }

    /// The settings of the first mount. From `before` comes what is known of issuers and failures.
    pub(super) fn settle(
        self,
        examined: Examined,
        (ground, slot): (&Arc<Ground>, Weak<Slot>),
        before: Option<&Inner>,
    ) -> Inner {
        let source = Source {
            ground,
            resource: &examined.resource,
            wanted: &examined.known_scopes,
            before,
        };
        let issuers = self.resource.issuers.into_iter();
        let trusted = issuers.zip(examined.introspections);
        let trust = Trust::new(trusted.map(|(config, asked)| source.issuer(config, asked)));
        let introspectors = trust
            .issuers()
            .filter_map(|issuer| issuer.introspector.clone());
        let guard = guard(&self.throttle, ground, before);
        let takes_tokens = ground.ports.take_tokens();
        let shared = Shared {
            generation: before.map_or(0, |before| before.shared.generation) + 1,
            memory: examined.memory,
            bindings: examined.bindings.lasting(ground),
            tokens: takes_tokens.then(|| Tokens {
                issued: ground.issued.clone(),
                foreign: ground.foreign.clone(),
                guard,
                header: examined.api_key_header,
            }),
            introspectors: introspectors.collect(),
            throttle: self.throttle,
            senders: Senders {
                peer_of: ground.peer_of.clone(),
                proxies: self.proxies,
            },
            supported_clients: self.supported_clients,
            disabled_is_forbidden: self.disabled_is_forbidden,
            basic_challenge: examined.basic_challenge,
            close_streams: self.close_streams,
            span_user_data: self.telemetry.span_user_data,
        };
        let known_scopes = examined.known_scopes;
        let operations = self.messages.tools.map(|rules| {
            let known = known_scopes.clone();
            Arc::new(Operations { rules, known })
        });
        Inner {
            trust,
            resource: examined.resource,
            required_scopes: examined.required_scopes,
            credential_limit: self.credential_limit,
            forward_credential: self.forward_credential,
            known_scopes,
            operations,
            challenge_scopes: self.messages.challenge_scopes,
            asks: OnceLock::new(),
            mount: ground.next_mount(),
            shared: Arc::new(shared),
            ground: ground.clone(),
            slot,
        }
    }
}

impl Source<'_> {
    fn issuer(&self, config: Issuer, asked: Option<introspection::Examined>) -> TrustedIssuer {
        let (fetch, clock) = (&self.ground.fetch, &self.ground.clock);
        let before = self
            .before
            .and_then(|before| before.trust.get(&config.identifier));
        let keys = match before.map(|before| &before.keys) {
            Some(known) if known.fits(&config) => known.clone(),
            known => {
                let wanted = self.wanted.clone();
                let keys = KeySource::new(&config, wanted, fetch.clone(), clock.clone());
                if let Some(known) = known {
                    keys.inherit(known);
                }
                keys
            }
        };
        let introspector = asked.and_then(|asked| {
            let ports = (fetch.clone(), clock.clone());
            Introspector::new(&config, asked, self.resource, &keys, ports)
        });
        TrustedIssuer {
            name: Arc::from(config.identifier.as_str()),
            keys,
            config,
            introspector,
        }
    }
}

/// Failures that were counted count on under the same limits.
fn guard(settings: &ThrottleSettings, ground: &Ground, before: Option<&Inner>) -> Guard {
    let before = before.map(|before| &*before.shared);
    let before = before.filter(|shared| shared.throttle == *settings);
    let known = before.and_then(|shared| Some(shared.tokens.as_ref()?.guard.clone()));
    known.unwrap_or_else(|| {
        let failures = ground.ports.shared_failures.clone();
        Guard(Arc::new(Throttle::new(
            settings,
            ground.clock.clone(),
            failures,
        )))
    })
}
