//! Every setting of an [`AuthenticatorBuilder`] looked at, and every mistake found.

use http::{HeaderName, HeaderValue};

use super::{AuthenticatorBuilder, default_fetch, introspections};
use crate::api_token::foreign::Marker;
use crate::authenticator::binding::Bindings;
use crate::authenticator::foreign;
use crate::authenticator::ground::Ground;
use crate::authenticator::operations::known_scopes;
use crate::authenticator::remembered::Memory;
use crate::authenticator::tokens::key_header;
use crate::error::{ConfigError, Problems};
use crate::fetch::DynFetch;
use crate::jose::{CRYPTO, known_answers};
use crate::oauth::introspection;
use crate::resource::Resource;
use crate::scope::ScopeSet;
use crate::session::Sessions;

/// The bounds of `max_credential_bytes`: below, real tokens are cut off; above, servers in front
/// refuse the header anyway.
const CREDENTIAL_BYTES: std::ops::RangeInclusive<usize> = 1024..=16 * 1024;

/// The most issuers (R27). Each one costs what its keys and metadata take once a token of its own
/// comes, and is asked for them; more are a list that somebody else writes.
const ISSUERS: usize = 1000;

/// The most of `verified_token_bytes`.
const VERIFIED_BYTES: u64 = 16 * 1024 * 1024 * 1024;

/// What came of looking at every setting.
pub(super) struct Examined {
    pub(super) resource: Resource,
    pub(super) fetch: DynFetch,
    pub(super) required_scopes: ScopeSet,
    /// The scopes that mean something here: the resource's, those of every request, those of rules.
    pub(super) known_scopes: ScopeSet,
    pub(super) marker: Option<Marker>,
    pub(super) api_key_header: Option<HeaderName>,
    pub(super) basic_challenge: Option<HeaderValue>,
    pub(super) sessions: Option<Sessions>,
    pub(super) memory: Option<Memory>,
    /// By the place of their issuers; those that are asked about tokens.
    pub(super) introspections: Vec<Option<introspection::Examined>>,
    pub(super) bindings: Bindings,
}

impl AuthenticatorBuilder {
    /// Adds to what was found before. `running` is what the settings are said again for.
    pub(super) fn examine(
        &self,
        mut problems: Problems,
        running: Option<&Ground>,
    ) -> Result<Examined, ConfigError> {
        let bindings = self.bindings.examine(&self.proxies, &mut problems);
        let resource = self.resource.clone().with_derived(bindings.members());
        let resource = resource.examine(&mut problems);
        let required_scopes = self.examine_scopes(&mut problems);
        self.examine_limits(&mut problems);
        let (formats, tokens) = (&self.ports.foreign, self.ports.tokens.as_ref());
        let marker = foreign::examine(formats, tokens, &mut problems);
        let api_key_header = self.examine_tokens(&mut problems);
        self.options.examine_audit(running, &mut problems);
        let takes_tokens = self.ports.take_tokens();
        let basic_challenge = self.options.examine_realm(takes_tokens, &mut problems);
        let fetch = self.examine_fetch(&mut problems);
        let sessions = self.messages.examine(running, &mut problems);
        let memory = self.examine_memory(&mut problems);
        let introspections = introspections::examine(&self.resource.issuers, &mut problems);
        examine_crypto(&mut problems);
        let (resource, fetch) = problems.or(resource.zip(fetch))?;
        let rules = self.messages.tools.as_ref();
        Ok(Examined {
            known_scopes: known_scopes(&resource, &required_scopes, rules),
            resource,
            fetch,
            required_scopes,
            marker,
            api_key_header,
            basic_challenge,
            sessions,
            memory,
            introspections,
            bindings,
        })
    }

    fn examine_fetch(&self, problems: &mut Problems) -> Option<DynFetch> {
        let fetch = self.ports.fetch.clone().or_else(default_fetch);
        if fetch.is_none() {
            problems.add(
                "fetch",
                "none",
                "nothing can fetch the issuers' keys; enable the feature `client`, or pass a service to .fetch(…)",
            );
        }
        fetch
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

    fn examine_tokens(&self, problems: &mut Problems) -> Option<HeaderName> {
        self.throttle.examine(problems);
        for pattern in &self.supported_clients {
            if let Some(problem) = pattern.problem() {
                problems.add("supported_clients", pattern, problem);
            }
        }
        if !self.ports.take_tokens() {
            if let Some(name) = &self.api_key_header {
                problems.add(
                    "api_key_header",
                    name,
                    "there are no API tokens; call api_tokens(…) or foreign_tokens(…)",
                );
            }
            return None;
        }
        if let Some(tokens) = &self.ports.tokens {
            tokens.examine(problems);
        }
        if self.ports.policies.is_none() {
            problems.add(
                "policies",
                "none",
                "no organization could switch API tokens on; call policies(…), e.g. with a MemoryPolicyStore",
            );
        }
        key_header(self.api_key_header.as_ref()?, problems)
    }

    /// `None` with a problem, or where nothing is to be remembered.
    fn examine_memory(&self, problems: &mut Problems) -> Option<Memory> {
        if self.verified_bytes == 0 {
            return None;
        }
        if self.verified_bytes > VERIFIED_BYTES {
            problems.add(
                "verified_token_bytes",
                self.verified_bytes,
                "use at most 17,179,869,184 (16 GiB), or 0 to verify every time; 33,554,432 is the default",
            );
            return None;
        }
        let memory = Memory::new(self.verified_bytes).map_err(|error| {
            problems.add(
                "verified_token_bytes",
                error,
                "the operating system gives no random bytes",
            );
        });
        memory.ok()
    }

    fn examine_limits(&self, problems: &mut Problems) {
        let issuers = self.resource.issuers.len();
        if issuers > ISSUERS {
            problems.add(
                "issuer",
                format!("{issuers} issuers"),
                "use at most 1,000; share more among several authenticators, each with its own resource",
            );
        }
        if !CREDENTIAL_BYTES.contains(&self.credential_limit) {
            problems.add(
                "max_credential_bytes",
                self.credential_limit,
                "use 1,024 to 16,384 bytes; 8,192 is the default",
            );
        }
    }
}

fn examine_crypto(problems: &mut Problems) {
    if let Err(algorithm) = known_answers() {
        problems.add(
            "crypto provider",
            format!("{CRYPTO}, {algorithm}"),
            "gives a wrong answer to a known signature: this build must not judge tokens",
        );
    }
}
