//! What holds connections: stores, log, hints, the client, the sink.

mod bindings;
mod stores;

use std::fs::OpenOptions;
use std::io::BufWriter;

use super::kinds::Either;
use super::parts::Settings;
use super::parts::audit::{Audit, Format};
use super::read::Reader;
use super::secret::cause;
use super::{Config, translate};
use crate::audit::{AuditFormat, JsonLinesAudit, TracingAudit};
use crate::authenticator::{Authenticator, AuthenticatorBuilder};
use crate::error::{BackendError, ConfigError};

pub(super) use bindings::{with_certificates, with_clients, with_dpop};

impl Config {
    /// Opens everything: [`settings`](Self::settings) with stores, log, hints, the client of issuers and the sink of
    /// audit records. Needs a Tokio runtime. Connecting to a database may take 10 s, and small files are read
    /// on the thread of the caller.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check); and what cannot be opened, with its cause.
    pub async fn open(&self) -> Result<AuthenticatorBuilder, ConfigError> {
        let builder = self.settings()?;
        let opening = self.with_reader(stores::Opening::of)?;
        let opened = opening.connect().await;
        let opened = self.with_reader(|_, reader| match opened {
            Ok(opened) => Some(opened),
            Err((at, problem)) => {
                reader.add(at, "…", problem);
                None
            }
        })?;
        self.with_reader(|settings, reader| {
            let builder = self.with_stores(settings, builder, opened, reader)?;
            let builder = with_audit(settings, builder, reader);
            Some(with_clients(settings, builder, reader))
        })
    }

    /// Opens everything and builds.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub async fn build(&self) -> Result<Authenticator, ConfigError> {
        let built = self.open().await?.build();
        built.or_else(|error| self.in_words_of_file(&error))
    }

    /// What a builder says, under the paths of the file.
    pub(super) fn in_words_of_file<T>(&self, error: &ConfigError) -> Result<T, ConfigError> {
        self.with_reader(|settings, reader| {
            let issuers = settings.issuers.0.iter();
            let places: Vec<usize> = issuers.map(|(index, _)| *index).collect();
            reader.adopt(error, |problem| translate::builder(problem, &places));
            None
        })
    }

    /// The policies that stand in the file, in the store that every authenticator of this configuration reads.
    pub(super) fn put_policies(&self, settings: &Settings) -> Result<(), ConfigError> {
        if let Some(Either::First(policies)) = &settings.policies {
            for policy in policies.iter() {
                self.policies.clone().with(policy.0.clone())?;
            }
        }
        Ok(())
    }
}

fn with_audit(
    settings: &Settings,
    builder: AuthenticatorBuilder,
    reader: &mut Reader<'_>,
) -> AuthenticatorBuilder {
    let Some(audit) = &settings.audit else {
        return builder;
    };
    let builder = if audit.tracing {
        builder.audit(TracingAudit::new())
    } else {
        let capacity = audit.queue.as_ref().map_or(65_536, |queue| queue.0);
        let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
        match json_lines(audit, capacity) {
            Ok(sink) => builder.audit(match audit.format {
                Some(Format::Ocsf) => sink.format(AuditFormat::Ocsf),
                Some(Format::Native) | None => sink,
            }),
            Err((at, problem)) => {
                let shown = audit.file.as_ref().map_or("stdout", |file| &file.0);
                reader.add(at, shown, problem);
                return builder;
            }
        }
    };
    with_sink(audit, builder, reader)
}

fn json_lines(audit: &Audit, capacity: usize) -> Result<JsonLinesAudit, (&'static str, String)> {
    let started = |error: BackendError| ("audit", error.report());
    let Some(file) = &audit.file else {
        let stdout = BufWriter::new(std::io::stdout());
        return JsonLinesAudit::with_capacity(stdout, capacity).map_err(started);
    };
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let opened = options.open(&file.0);
    let opened =
        opened.map_err(|error| ("audit.file", format!("cannot be opened: {}", cause(&error))))?;
    JsonLinesAudit::with_capacity(BufWriter::new(opened), capacity).map_err(started)
}

/// What goes with a sink.
pub(super) fn with_sink(
    audit: &Audit,
    mut builder: AuthenticatorBuilder,
    reader: &mut Reader<'_>,
) -> AuthenticatorBuilder {
    if let Some(instance) = &audit.instance {
        builder = builder.audit_instance(&instance.0);
    }
    if let Some(key) = &audit.key
        && let Some(key) = key.key("audit.key", reader)
    {
        builder = builder.audit_key(&*key);
    }
    builder
}
