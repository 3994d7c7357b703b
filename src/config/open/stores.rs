//! The database: tokens, policies and the log.

use super::super::Config;
use super::super::kinds::Either;
use super::super::parts::Settings;
use super::super::read::Reader;
use crate::authenticator::AuthenticatorBuilder;
#[cfg(all(feature = "redis", any(feature = "sqlite", feature = "postgres")))]
use crate::backend::RedisHints;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use crate::backend::{SqlOpenError, SqlStore, SqlStoreBuilder};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use crate::error::ConfigError;

/// What is to be opened.
pub(super) struct Opening {
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    database: Option<SqlStoreBuilder>,
}

/// What was opened.
pub(super) struct Opened {
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    database: Option<SqlStore>,
}

/// A path in the file, and what is wrong there.
pub(super) type Closed = (&'static str, String);

#[cfg(any(feature = "sqlite", feature = "postgres"))]
impl Opening {
    pub(super) async fn connect(self) -> Result<Opened, Closed> {
        let Some(builder) = self.database else {
            return Ok(Opened { database: None });
        };
        let opened = builder.open().await;
        let database = opened.map_err(|error| match error {
            SqlOpenError::Config(error) => ("database", words(&error)),
            SqlOpenError::Schema(version) => ("database", version.to_string()),
            SqlOpenError::Backend(error) => ("database.url", error.report()),
        })?;
        let database = Some(database);
        Ok(Opened { database })
    }
}

#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
impl Opening {
    pub(super) async fn connect(self) -> Result<Opened, Closed> {
        std::future::ready(Ok(Opened {})).await
    }
}

/// The advice alone: the paths in it are not of the file.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
fn words(error: &ConfigError) -> String {
    let problems = error.problems().iter();
    let words: Vec<_> = problems.map(|problem| problem.remedy.as_str()).collect();
    words.join("; ")
}

impl Opening {
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(super) fn of(settings: &Settings, reader: &mut Reader<'_>) -> Option<Self> {
        let Some(database) = &settings.database else {
            return Some(Self { database: None });
        };
        let mut builder = SqlStore::builder(database.url.expose())
            .create(database.create)
            .migrate(database.migrate);
        if let Some(connections) = &database.max_connections {
            let connections = u32::try_from(connections.0).unwrap_or(u32::MAX);
            builder = builder.max_connections(connections);
        }
        let database = Some(with_hints(settings, builder, reader)?);
        Some(Self { database })
    }

    #[cfg(not(any(feature = "sqlite", feature = "postgres")))]
    #[expect(
        clippy::unnecessary_wraps,
        reason = "the other half of a pair chosen by feature"
    )]
    pub(super) fn of(_: &Settings, _: &mut Reader<'_>) -> Option<Self> {
        Some(Self {})
    }
}

impl Config {
    #[cfg_attr(
        not(any(feature = "sqlite", feature = "postgres")),
        expect(clippy::needless_pass_by_value, reason = "there is nothing in it")
    )]
    pub(super) fn with_stores(
        &self,
        settings: &Settings,
        mut builder: AuthenticatorBuilder,
        opened: Opened,
        reader: &mut Reader<'_>,
    ) -> Option<AuthenticatorBuilder> {
        if let Some(Either::First(_)) = settings.policies {
            if let Err(error) = self.put_policies(settings) {
                reader.adopt(&error, |problem| {
                    ("policies".to_owned(), problem.remedy.clone())
                });
                return None;
            }
            builder = builder.policies(self.policies.clone());
        }
        #[cfg(any(feature = "sqlite", feature = "postgres"))]
        if let Some(store) = opened.database {
            if let Some(Either::Second(_)) = settings.policies {
                builder = builder.policies(store.clone());
            }
            if let Some(tokens) = &settings.api_tokens {
                builder = builder.api_tokens(tokens.tokens(store.clone(), reader)?);
            }
            builder = builder.revocations(store);
        }
        #[cfg(not(any(feature = "sqlite", feature = "postgres")))]
        let _ = opened;
        Some(builder)
    }
}

#[cfg(all(feature = "redis", any(feature = "sqlite", feature = "postgres")))]
fn with_hints(
    settings: &Settings,
    builder: SqlStoreBuilder,
    reader: &mut Reader<'_>,
) -> Option<SqlStoreBuilder> {
    let wanted = settings.redis.as_ref();
    let Some(redis) = wanted.filter(|redis| redis.hints != Some(false)) else {
        return Some(builder);
    };
    let hints = redis.adapter(RedisHints::new, RedisHints::root_certificates_pem, reader)?;
    Some(builder.hints(match &redis.channel {
        Some(channel) => hints.channel(&channel.0),
        None => hints,
    }))
}

#[cfg(all(not(feature = "redis"), any(feature = "sqlite", feature = "postgres")))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "the other half of a pair chosen by feature"
)]
fn with_hints(
    _: &Settings,
    builder: SqlStoreBuilder,
    _: &mut Reader<'_>,
) -> Option<SqlStoreBuilder> {
    Some(builder)
}
