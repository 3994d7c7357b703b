//! What is checked of an [`AuthenticatorBuilder`] beside its resource.

use http::HeaderName;

use super::AuthenticatorBuilder;
use crate::error::Problems;
use crate::scope::ScopeSet;

/// The bounds of `max_credential_bytes`: below, real tokens are cut off; above, servers in front
/// refuse the header anyway.
const CREDENTIAL_BYTES: std::ops::RangeInclusive<usize> = 1024..=16 * 1024;

/// Headers that mean something else already, and so can carry no API key.
const RESERVED: [&str; 6] = [
    "authorization",
    "cookie",
    "connection",
    "host",
    "origin",
    "dpop",
];

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
        let Some(tokens) = &self.tokens else {
            if let Some(name) = &self.api_key_header {
                problems.add(
                    "api_key_header",
                    name,
                    "there are no API tokens; call api_tokens(…)",
                );
            }
            return None;
        };
        tokens.examine(problems);
        if self.policies.is_none() {
            problems.add(
                "policies",
                "none",
                "no organization could switch API tokens on; call policies(…), e.g. with a MemoryPolicyStore",
            );
        }
        let name = self.api_key_header.as_ref()?;
        match HeaderName::try_from(name) {
            Ok(header) if !RESERVED.contains(&header.as_str()) => Some(header),
            _ => {
                problems.add(
                    "api_key_header",
                    name,
                    "use a header of its own, e.g. x-api-key",
                );
                None
            }
        }
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
