//! What is checked of an [`AuthenticatorBuilder`] beside its resource.

use http::HeaderName;

use super::AuthenticatorBuilder;
use crate::authenticator::tokens::key_header;
use crate::error::Problems;
use crate::oauth::verdicts::Verdicts;
use crate::scope::ScopeSet;

/// The bounds of `max_credential_bytes`: below, real tokens are cut off; above, servers in front
/// refuse the header anyway.
const CREDENTIAL_BYTES: std::ops::RangeInclusive<usize> = 1024..=16 * 1024;

/// The most of `verified_token_bytes`.
const VERIFIED_BYTES: u64 = 16 * 1024 * 1024 * 1024;

impl AuthenticatorBuilder {
    pub(super) fn examine_scopes(&self, problems: &mut Problems) -> ScopeSet {
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

    pub(super) fn examine_tokens(&self, problems: &mut Problems) -> Option<HeaderName> {
        self.throttle.examine(problems);
        for pattern in &self.supported_clients {
            if let Some(problem) = pattern.problem() {
                problems.add("supported_clients", pattern, problem);
            }
        }
        if self.tokens.is_none() && self.foreign.is_empty() {
            if let Some(name) = &self.api_key_header {
                problems.add(
                    "api_key_header",
                    name,
                    "there are no API tokens; call api_tokens(…) or foreign_tokens(…)",
                );
            }
            return None;
        }
        if let Some(tokens) = &self.tokens {
            tokens.examine(problems);
        }
        if self.policies.is_none() {
            problems.add(
                "policies",
                "none",
                "no organization could switch API tokens on; call policies(…), e.g. with a MemoryPolicyStore",
            );
        }
        key_header(self.api_key_header.as_ref()?, problems)
    }

    /// `None` with a problem, or where nothing is to be remembered.
    pub(super) fn examine_verdicts(&self, problems: &mut Problems) -> Option<Verdicts> {
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
        let verdicts = Verdicts::new(self.verified_bytes).map_err(|error| {
            problems.add(
                "verified_token_bytes",
                error,
                "the operating system gives no random bytes",
            );
        });
        verdicts.ok()
    }

    pub(super) fn examine_limits(&self, problems: &mut Problems) {
        if !CREDENTIAL_BYTES.contains(&self.credential_limit) {
            problems.add(
                "max_credential_bytes",
                self.credential_limit,
                "use 1,024 to 16,384 bytes; 8,192 is the default",
            );
        }
    }
}
