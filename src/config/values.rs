//! From settings to the builder: all that holds no connection.

use super::kinds::{List, Text};
use super::parts::Settings;
use super::parts::edge::{Limits, Sessions};
use super::parts::tokens::ApiTokens;
use super::read::Reader;
use crate::authenticator::{Authenticator, AuthenticatorBuilder};
use crate::policy::{ClientPattern, TrustedProxies};
use crate::resource::ProtectedResource;

/// A setting that cannot be used is a problem, and left out.
pub(super) fn values(settings: &Settings, reader: &mut Reader<'_>) -> AuthenticatorBuilder {
    let mut builder = Authenticator::builder(resource(settings));
    if let Some(scopes) = &settings.scopes {
        builder = builder.require_scopes(texts(&scopes.required));
        if let Some(challenge) = scopes.challenge {
            builder = builder.challenge_scopes(challenge.into());
        }
    }
    if let Some(tools) = &settings.tools {
        builder = builder.tools(tools.0.clone());
    }
    if let Some(tokens) = &settings.api_tokens {
        builder = with_tokens(tokens, builder);
    }
    if let Some(throttle) = &settings.throttle {
        builder = builder.throttle(throttle.settings());
    }
    let clients = settings.supported_clients.iter().map(ClientPattern::new);
    builder = builder.supported_clients(clients);
    if let Some(sessions) = &settings.sessions {
        builder = with_sessions(sessions, builder, reader);
    }
    if let Some(close) = settings.streams.as_ref().and_then(|streams| streams.close) {
        builder = builder.close_streams(close);
    }
    if let Some(limits) = &settings.limits {
        builder = with_limits(limits, builder);
    }
    if settings.audit.as_ref().is_some_and(|audit| audit.required) {
        builder = builder.audit_required();
    }
    if let Some(telemetry) = &settings.telemetry {
        builder = builder.span_user_data(telemetry.span_user_data);
    }
    if settings.insecure_forward_credential {
        builder = builder.insecure_forward_credential();
    }
    builder = with_network(settings, builder, reader);
    with_bindings(settings, builder, reader)
}

fn texts(list: &List<Text>) -> impl Iterator<Item = &str> {
    list.iter().map(AsRef::as_ref)
}

fn resource(settings: &Settings) -> ProtectedResource {
    let mut resource = settings.resource.resource();
    for issuer in settings.issuers.iter() {
        resource = resource.issuer(issuer.issuer());
    }
    match &settings.scopes {
        Some(scopes) => resource.baseline_scopes(texts(&scopes.baseline)),
        None => resource,
    }
}

fn with_tokens(tokens: &ApiTokens, mut builder: AuthenticatorBuilder) -> AuthenticatorBuilder {
    if let Some(header) = &tokens.api_key_header {
        builder = builder.api_key_header(&header.0);
    }
    if let Some(realm) = &tokens.basic_challenge {
        builder = builder.basic_challenge(&realm.0);
    }
    if tokens.disabled_method_is_forbidden {
        builder = builder.disabled_method_is_forbidden();
    }
    builder
}

fn with_sessions(
    sessions: &Sessions,
    mut builder: AuthenticatorBuilder,
    reader: &mut Reader<'_>,
) -> AuthenticatorBuilder {
    if let Some(key) = &sessions.key
        && let Some(key) = key.key("sessions.key", reader)
    {
        builder = builder.session_key(&*key);
    }
    if !sessions.insecure_unbound_sessions {
        return builder;
    }
    if sessions.key.is_some() {
        let remedy = "session ids are sealed with `key`, or left alone; write one of the two";
        reader.add("sessions.insecure_unbound_sessions", true, remedy);
    }
    builder.insecure_unbound_sessions()
}

fn with_limits(limits: &Limits, mut builder: AuthenticatorBuilder) -> AuthenticatorBuilder {
    if let Some(bytes) = &limits.max_credential_bytes {
        builder = builder.max_credential_bytes(usize::try_from(bytes.0).unwrap_or(usize::MAX));
    }
    match &limits.verified_token_bytes {
        Some(bytes) => builder.verified_token_bytes(bytes.0),
        None => builder,
    }
}

fn with_network(
    settings: &Settings,
    builder: AuthenticatorBuilder,
    reader: &mut Reader<'_>,
) -> AuthenticatorBuilder {
    let Some(network) = &settings.network else {
        return builder;
    };
    match TrustedProxies::new(texts(&network.trusted_proxies)) {
        Ok(proxies) => builder.trusted_proxies(proxies),
        Err(error) => {
            let proxies = &network.trusted_proxies.0;
            let places: Vec<usize> = proxies.iter().map(|(index, _)| *index).collect();
            reader.adopt(&error, |problem| {
                let at = super::translate::item("network.trusted_proxies", &problem.field, &places);
                (at, problem.remedy.clone())
            });
            builder
        }
    }
}

fn with_bindings(
    settings: &Settings,
    builder: AuthenticatorBuilder,
    reader: &mut Reader<'_>,
) -> AuthenticatorBuilder {
    let builder = super::open::with_dpop(settings, builder, reader);
    super::open::with_certificates(settings, builder, reader)
}
