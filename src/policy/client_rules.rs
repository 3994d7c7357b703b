//! Which OAuth clients an organization lets in (POL-9 to POL-11).

use serde::{Deserialize, Serialize};

use super::client_pattern::ClientPattern;
use super::examine::at_most;
use crate::error::Problems;

/// Which OAuth clients may be used, as a list that is on or off as a whole.
///
/// All a resource server sees of a client is its `client_id`. Where that is the URL of a metadata
/// document, as MCP clients have it, patterns are compared with it; other ids are listed one by
/// one. Redirect addresses are for the authorization server to check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientRules {
    // Without the member a list is in force: whoever writes one down means it.
    #[serde(default = "yes")]
    enforced: bool,
    #[serde(default = "yes")]
    supported: bool,
    #[serde(default)]
    patterns: Vec<ClientPattern>,
    #[serde(default)]
    ids: Vec<String>,
}

const fn yes() -> bool {
    true
}

impl ClientRules {
    /// Any client, also one the token does not name.
    #[must_use]
    pub const fn any() -> Self {
        Self {
            enforced: false,
            supported: true,
            patterns: Vec::new(),
            ids: Vec::new(),
        }
    }

    /// Only clients on the list: those the server's operator supports, and those added here.
    #[must_use]
    pub const fn only() -> Self {
        Self {
            enforced: true,
            supported: true,
            patterns: Vec::new(),
            ids: Vec::new(),
        }
    }

    /// One more pattern over clients' URLs, such as `https://*.example.com/**`.
    #[must_use]
    pub fn pattern(mut self, pattern: impl AsRef<str>) -> Self {
        self.patterns.push(ClientPattern::new(pattern));
        self
    }

    /// One more client by its exact `client_id`.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.ids.push(id.into());
        self
    }

    /// Whether the list counts. Off, it is kept for later.
    #[must_use]
    pub fn enforced(mut self, enforced: bool) -> Self {
        self.enforced = enforced;
        self
    }

    /// Whether the clients that the server's operator supports
    /// ([`PolicySubject::supported_clients`](super::PolicySubject::supported_clients)) are on the
    /// list, all of them or none. Default yes.
    #[must_use]
    pub fn supported(mut self, supported: bool) -> Self {
        self.supported = supported;
        self
    }

    /// Whether the list counts.
    #[must_use]
    pub fn is_enforced(&self) -> bool {
        self.enforced
    }

    /// Every pattern a client is compared with, the organization's own first.
    pub(super) fn patterns<'a>(
        &'a self,
        supported: &'a [ClientPattern],
    ) -> impl Iterator<Item = &'a ClientPattern> {
        let supported = if self.supported { supported } else { &[] };
        self.patterns.iter().chain(supported)
    }

    /// Whether `client` is let in. A client without a name is not, once the list counts.
    pub(super) fn allows(&self, client: Option<&str>, supported: &[ClientPattern]) -> bool {
        if !self.enforced {
            return true;
        }
        client.is_some_and(|client| {
            self.ids.iter().any(|id| id == client)
                || ClientPattern::any_matches(self.patterns(supported), client)
        })
    }

    pub(super) fn examine(&self, field: &str, problems: &mut Problems) {
        at_most(&format!("{field}.patterns"), &self.patterns, 500, problems);
        at_most(&format!("{field}.ids"), &self.ids, 1000, problems);
        for (index, pattern) in self.patterns.iter().enumerate() {
            if let Some(remedy) = pattern.problem() {
                problems.add(format!("{field}.patterns[{index}]"), pattern, remedy);
            }
        }
        for (index, id) in self.ids.iter().enumerate() {
            if crate::ident::ClientId::new(id).is_none() {
                problems.add(
                    format!("{field}.ids[{index}]"),
                    id,
                    "write a client_id: 1 to 2048 bytes without control characters",
                );
            } else if id.contains('*') {
                problems.add(
                    format!("{field}.ids[{index}]"),
                    id,
                    "ids are compared exactly; use a pattern for *",
                );
            }
        }
    }
}

impl Default for ClientRules {
    fn default() -> Self {
        Self::any()
    }
}
