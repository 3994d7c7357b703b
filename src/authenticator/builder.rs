//! From configuration to [`Authenticator`], with every mistake reported at once.

use std::fmt;
use std::sync::Arc;

use super::{Authenticator, Inner};
use crate::clock::{Clock, SystemClock};
use crate::error::{ConfigError, Problems};
use crate::fetch::{DynFetch, Fetch};
use crate::jose::{CRYPTO, known_answers};
use crate::oauth::jwt::{Trust, TrustedIssuer};
use crate::oauth::keys::KeySource;
use crate::resource::{ProtectedResource, Resource};
use crate::scope::ScopeSet;

/// The bounds of `max_credential_bytes`: below, real tokens are cut off; above, servers in front
/// refuse the header anyway.
const CREDENTIAL_BYTES: std::ops::RangeInclusive<usize> = 1024..=16 * 1024;

/// Configures an [`Authenticator`]. Nothing is checked before [`build`](Self::build).
pub struct AuthenticatorBuilder {
    resource: ProtectedResource,
    required_scopes: Vec<String>,
    credential_limit: usize,
    forward_credential: bool,
    clock: Arc<dyn Clock>,
    fetch: Option<DynFetch>,
}

impl AuthenticatorBuilder {
    pub(super) fn new(resource: ProtectedResource) -> Self {
        Self {
            resource,
            required_scopes: Vec::new(),
            credential_limit: 8 * 1024,
            forward_credential: false,
            clock: Arc::new(SystemClock::new()),
            fetch: None,
        }
    }

    /// Scopes every request needs, whatever it asks for. A token without them is answered with 403
    /// and a challenge that names them. Default: none.
    #[must_use]
    pub fn require_scopes<I>(mut self, scopes: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.required_scopes
            .extend(scopes.into_iter().map(Into::into));
        self
    }

    /// How metadata and keys are fetched: any Tower service that answers HTTP requests. Default:
    /// [`HttpClient`](crate::HttpClient) (feature `client`).
    #[must_use]
    pub fn fetch(mut self, fetch: impl Fetch) -> Self {
        self.fetch = Some(DynFetch::new(fetch));
        self
    }

    /// Where the time comes from. Default: the machine's clocks.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The longest `Authorization` value looked at, in bytes. Default 8,192; 1,024 to 16,384.
    #[must_use]
    pub fn max_credential_bytes(mut self, bytes: usize) -> Self {
        self.credential_limit = bytes;
        self
    }

    /// Leaves `Authorization` in the request given to the inner service, marked sensitive.
    ///
    /// An attacker gains: every service behind this one, and every log it writes, may hold a live
    /// credential. MCP forbids passing a client's token on to another service.
    #[must_use]
    pub fn insecure_forward_credential(mut self) -> Self {
        self.forward_credential = true;
        self
    }

    /// Checks everything and builds. Does no I/O and needs no runtime: keys are fetched at the
    /// first request, or by [`Authenticator::warm_up`].
    ///
    /// # Errors
    ///
    /// Every mistake found, each with its setting, its value and what to do about it.
    pub fn build(self) -> Result<Authenticator, ConfigError> {
        let mut problems = Problems::default();
        let resource = self.resource.examine(&mut problems);
        let required_scopes = self.examine_scopes(&mut problems);
        self.examine_limits(&mut problems);
        let fetch = self.examine_fetch(&mut problems);
        if let Err(algorithm) = known_answers() {
            problems.add(
                "crypto provider",
                format!("{CRYPTO}, {algorithm}"),
                "gives a wrong answer to a known signature: this build must not judge tokens",
            );
        }
        let (resource, fetch): (Resource, DynFetch) = problems.or(resource.zip(fetch))?;
        let trusted = self
            .resource
            .issuers
            .into_iter()
            .map(|config| TrustedIssuer {
                name: Arc::from(config.identifier.as_str()),
                keys: KeySource::new(&config, fetch.clone(), self.clock.clone()),
                config,
            });
        Ok(Authenticator(Arc::new(Inner {
            trust: Arc::new(Trust::new(trusted)),
            resource,
            required_scopes,
            credential_limit: self.credential_limit,
            forward_credential: self.forward_credential,
            clock: self.clock,
        })))
    }

    fn examine_scopes(&self, problems: &mut Problems) -> ScopeSet {
        let mut words = Vec::new();
        for scope in &self.required_scopes {
            if ScopeSet::from_words([scope]).is_some() {
                words.push(scope);
            } else {
                problems.add(
                    "require_scopes",
                    scope,
                    "not a scope: one word of printable ASCII without quote and backslash (RFC 6749 §3.3)",
                );
            }
        }
        ScopeSet::from_words(words).unwrap_or_default()
    }

    fn examine_limits(&self, problems: &mut Problems) {
        if !CREDENTIAL_BYTES.contains(&self.credential_limit) {
            problems.add(
                "max_credential_bytes",
                self.credential_limit,
                "use 1,024 to 16,384 bytes; 8,192 is the default",
            );
        }
    }

    fn examine_fetch(&self, problems: &mut Problems) -> Option<DynFetch> {
        let fetch = self.fetch.clone().or_else(default_fetch);
        if fetch.is_none() {
            problems.add(
                "fetch",
                "none",
                "nothing can fetch the issuers' keys; enable the feature `client`, or pass a service to .fetch(…)",
            );
        }
        fetch
    }
}

#[cfg(feature = "client")]
#[expect(
    clippy::unnecessary_wraps,
    reason = "the other half of a pair chosen by feature"
)]
fn default_fetch() -> Option<DynFetch> {
    Some(DynFetch::new(crate::backend::HttpClient::new()))
}

#[cfg(not(feature = "client"))]
fn default_fetch() -> Option<DynFetch> {
    None
}

impl fmt::Debug for AuthenticatorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticatorBuilder")
            .field("resource", &self.resource)
            .field("required_scopes", &self.required_scopes)
            .finish_non_exhaustive()
    }
}
