//! Settings of the builder about challenges.

use http::HeaderValue;

use super::AuthenticatorBuilder;
use crate::error::Problems;
use crate::wire::challenge::basic_challenge;

/// What these settings hold until `build()` looks at them.
#[derive(Default)]
pub(super) struct Options {
    basic_realm: Option<String>,
}

impl AuthenticatorBuilder {
    /// Adds `Basic realm="…", charset="UTF-8"` (RFC 7617 §2) as a second challenge to every 401
    /// that asks for a credential or for a better API token. Bearer stays the first line, because
    /// MCP clients read only that one. Never where the organization has switched API tokens off.
    ///
    /// Default: no such challenge. It is for command-line clients that send a password only after
    /// being asked for one; a browser that gets it pops up a password box.
    ///
    /// `realm` names the server to people: 1 to 128 bytes of printable ASCII without quote and
    /// backslash, and without `scope=`, `error=` and `resource_metadata=`, which client libraries
    /// look for anywhere in the header. It needs [`api_tokens`](Self::api_tokens).
    #[must_use]
    pub fn basic_challenge(mut self, realm: impl Into<String>) -> Self {
        self.options.basic_realm = Some(realm.into());
        self
    }
}

impl Options {
    pub(super) fn examine_realm(
        &self,
        has_tokens: bool,
        problems: &mut Problems,
    ) -> Option<HeaderValue> {
        let realm = self.basic_realm.as_deref()?;
        let challenge = basic_challenge(realm);
        if challenge.is_none() {
            problems.add(
                "basic_challenge",
                realm,
                "use 1 to 128 bytes of printable ASCII without quote, backslash, scope=, error= and resource_metadata=",
            );
        } else if !has_tokens {
            let remedy = "there are no API tokens to ask for; call api_tokens(…)";
            problems.add("basic_challenge", realm, remedy);
        }
        challenge
    }
}
