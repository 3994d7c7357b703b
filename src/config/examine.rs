//! Everything looked at together, as if it were opened.

use super::kinds::Either;
use super::parts::Settings;
use super::parts::issuer::Issuer;
use super::read::Reader;
use super::{Config, open, translate, values};
use crate::api_token::MemoryStore;
use crate::audit::{AuditRecord, AuditSink};
use crate::authenticator::AuthenticatorBuilder;
use crate::error::ConfigError;
use crate::policy::MemoryPolicyStore;

impl Config {
    /// The values of every setting: what [`Authenticator::reload`](crate::Authenticator::reload) takes. No store, no
    /// log and no sink is in it; [`open`](Self::open) adds them. Reads the files that secrets are in.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn settings(&self) -> Result<AuthenticatorBuilder, ConfigError> {
        self.with_reader(|settings, reader| {
            examine(settings, reader);
            reader.is_clean().then(|| values::values(settings, reader))
        })
    }

    pub(super) fn examined(&self) -> Result<(), ConfigError> {
        self.with_reader(|settings, reader| {
            examine(settings, reader);
            Some(())
        })
    }
}

/// Adds what is wrong with settings that were read, and what a builder would say of them.
fn examine(settings: &Settings, reader: &mut Reader<'_>) {
    for (index, issuer) in &settings.issuers.0 {
        examine_issuer(*index, issuer, reader);
    }
    if let Some(database) = &settings.database {
        database.examine(reader);
    }
    if let Some(redis) = &settings.redis {
        redis.examine(reader);
    }
    if let Some(audit) = &settings.audit {
        audit.examine(reader);
    }
    examine_stores(settings, reader);
    examine_features(settings, reader);
    let places: Vec<usize> = settings.issuers.0.iter().map(|(index, _)| *index).collect();
    let builder = values::values(settings, reader);
    // What follows from a broken section is known by its path, and not told again.
    if let Err(error) = with_stand_ins(settings, builder, reader).build() {
        reader.adopt(&error, |problem| translate::builder(problem, &places));
    }
}

fn examine_issuer(index: usize, issuer: &Issuer, reader: &mut Reader<'_>) {
    if let Some(introspection) = &issuer.introspection {
        introspection.examine(&format!("issuers[{index}].introspection"), reader);
    }
}

fn examine_stores(settings: &Settings, reader: &mut Reader<'_>) {
    let is_there = settings.database.is_some() || reader.is_broken("database");
    if settings.api_tokens.is_some() && !is_there {
        let remedy = "API tokens are kept in a database; write a `[database]` section";
        reader.add("api_tokens", "no database", remedy);
    }
    if matches!(settings.policies, Some(Either::Second(_))) && !is_there {
        let remedy = "write a `[database]` section, or the policies here as `[[policies]]`";
        reader.add("policies.store", "database", remedy);
    }
    if let Some(Either::First(policies)) = &settings.policies {
        for (place, (index, policy)) in policies.0.iter().enumerate() {
            let organization = policy.0.organization();
            let mut earlier = policies.iter().take(place);
            if earlier.any(|other| other.0.organization() == organization) {
                let remedy = "this organization has a policy already; merge the two";
                reader.add(
                    &format!("policies[{index}].organization"),
                    organization,
                    remedy,
                );
            }
        }
    }
}

/// A section that this build cannot have must not be passed over in silence.
fn examine_features(settings: &Settings, reader: &mut Reader<'_>) {
    let sections = [
        (
            "redis",
            settings.redis.is_some(),
            cfg!(feature = "redis"),
            "redis",
        ),
        (
            "dpop",
            settings.dpop.is_some(),
            cfg!(feature = "dpop"),
            "dpop",
        ),
        (
            "client_certificates",
            settings.client_certificates.is_some(),
            cfg!(feature = "mtls"),
            "mtls",
        ),
        (
            "http",
            settings.http.is_some(),
            cfg!(feature = "client"),
            "client",
        ),
    ];
    for (section, is_there, is_built, feature) in sections {
        if is_there && !is_built {
            let remedy = format!("enable the feature `{feature}` of tower-mcp-auth");
            reader.add(section, "(a table)", remedy);
        }
    }
}

/// What holds connections, replaced by what holds none: so that everything else is looked at as it will be.
fn with_stand_ins(
    settings: &Settings,
    mut builder: AuthenticatorBuilder,
    reader: &mut Reader<'_>,
) -> AuthenticatorBuilder {
    let tokens = settings.api_tokens.as_ref();
    if let Some(tokens) = tokens.and_then(|tokens| tokens.tokens(MemoryStore::new(), reader)) {
        builder = builder.api_tokens(tokens);
    }
    if settings.policies.is_some() {
        builder = builder.policies(MemoryPolicyStore::new());
    }
    if let Some(audit) = &settings.audit {
        builder = open::with_sink(audit, builder.audit(Nowhere), reader);
    }
    open::with_clients(settings, builder, reader)
}

struct Nowhere;

impl AuditSink for Nowhere {
    fn record(&self, _: &AuditRecord) {}
}
