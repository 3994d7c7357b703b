//! From settings that were found good to an [`Authenticator`].

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use super::AuthenticatorBuilder;
use super::examine::Examined;
use crate::authenticator::foreign::Foreign;
use crate::authenticator::issued::Issued;
use crate::authenticator::news::Audience;
use crate::authenticator::revocation::Revocations;
use crate::authenticator::revoked::Table;
use crate::authenticator::rules::Rules;
use crate::authenticator::tokens::{Guard, Tokens};
use crate::authenticator::trail::Audit;
use crate::authenticator::{Authenticator, Inner, Shared};
use crate::context::Operations;
use crate::oauth::introspection::Introspector;
use crate::oauth::jwt::{Trust, TrustedIssuer};
use crate::oauth::keys::KeySource;
use crate::revocation::Epochs;
use crate::signal::Signal;
use crate::throttle::Throttle;

pub(super) fn assemble(builder: AuthenticatorBuilder, examined: Examined) -> Authenticator {
    let clock = builder.clock;
    let signal = Arc::new(Signal::new());
    let issuers = builder.resource.issuers.into_iter();
    let trusted = issuers.zip(examined.introspections).map(|(config, asked)| {
        let (wanted, fetch) = (examined.known_scopes.clone(), examined.fetch.clone());
        let keys = KeySource::new(&config, wanted, fetch.clone(), clock.clone());
        let introspector = asked.and_then(|asked| {
            let ports = (fetch, clock.clone());
            Introspector::new(&config, asked, &examined.resource, &keys, ports)
        });
        TrustedIssuer {
            name: Arc::from(config.identifier.as_str()),
            keys,
            config,
            introspector,
        }
    });
    let trust = Trust::new(trusted);
    let introspectors = trust
        .issuers()
        .filter_map(|issuer| issuer.introspector.clone());
    let introspectors = introspectors.collect();
    let audit = builder.options.into_trail().map(|trail| {
        let (tokens, policies) = (builder.tokens.as_ref(), builder.policies.as_ref());
        Audit::new(trail, tokens, policies, &clock)
    });
    let audience = Audience::new(builder.tokens.as_ref(), builder.policies.as_ref());
    let throttle = Throttle::new(&builder.throttle, clock.clone(), builder.shared_failures);
    let (issued, marker) = (builder.tokens, examined.marker);
    let tokens = (issued.is_some() || marker.is_some()).then(|| Tokens {
        issued: issued.map(|tokens| Issued::new(tokens, clock.clone(), &signal)),
        foreign: marker.map(|marker| Foreign::new(builder.foreign, marker, clock.clone())),
        guard: Guard(Arc::new(throttle)),
        header: examined.api_key_header,
    });
    let table = Table {
        epochs: Epochs::new(),
        clock: clock.clone(),
        signal: signal.clone(),
        trail: audit.as_ref().map(|audit| audit.trail.clone()),
    };
    let shared = Shared {
        memory: examined.memory,
        bindings: examined.bindings,
        mounts: AtomicU64::new(1),
        sessions: examined.sessions,
        tokens,
        introspectors,
        rules: Rules::new(builder.policies, builder.enricher, &clock, &signal),
        revocations: Revocations::new(table, builder.revocations, audience),
        senders: builder.senders,
        supported_clients: builder.supported_clients,
        disabled_is_forbidden: builder.disabled_is_forbidden,
        basic_challenge: examined.basic_challenge,
        audit,
        clock,
        #[cfg(feature = "events")]
        fetch: examined.fetch,
        close_streams: builder.close_streams,
        signal,
        span_user_data: builder.telemetry.span_user_data,
        meter: builder.telemetry.meter(),
    };
    let known_scopes = examined.known_scopes;
    let operations = builder.messages.tools.map(|rules| {
        let known = known_scopes.clone();
        Arc::new(Operations { rules, known })
    });
    let auth = Authenticator(Arc::new(Inner {
        trust,
        resource: examined.resource,
        required_scopes: examined.required_scopes,
        credential_limit: builder.credential_limit,
        forward_credential: builder.forward_credential,
        known_scopes,
        operations,
        challenge_scopes: builder.messages.challenge_scopes,
        asks: OnceLock::new(),
        mount: 0,
        shared: Arc::new(shared),
    }));
    auth.report_to_meter();
    auth
}
