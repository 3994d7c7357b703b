//! Settings of the builder about challenges and audit records.

use http::HeaderValue;
use zeroize::Zeroizing;

use super::AuthenticatorBuilder;
use super::ground::Ground;
use super::trail::Audit;
use crate::audit::trail::AuditTrail;
use crate::audit::{AuditSink, AuditText};
use crate::error::Problems;
use crate::wire::challenge::basic_challenge;

/// What these settings hold until `build()` looks at them.
#[derive(Default)]
pub(super) struct Options {
    basic_realm: Option<String>,
    sink: Option<Box<dyn AuditSink>>,
    audit_required: bool,
    audit_instance: Option<String>,
    audit_key: Option<Zeroizing<Vec<u8>>>,
}

/// Shortest audit key, in bytes: the output length of SHA-256 (RFC 2104 §3).
const MIN_KEY: usize = 32;

/// Longest name of an instance, in bytes.
const MAX_INSTANCE: usize = 64;

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

    /// Where one record of every decision goes, and of every change to what decides: revocations
    /// through [`AuthHandle`](super::AuthHandle), policies, and API tokens written through these
    /// [`api_tokens`](Self::api_tokens) or a clone of them, unless those have a
    /// [sink of their own](crate::api_token::ApiTokens::audit). Default: nowhere.
    #[must_use]
    pub fn audit(mut self, sink: impl AuditSink) -> Self {
        self.options.sink = Some(Box::new(sink));
        self
    }

    /// Lets nobody in of whom no record can be kept: while the [sink](Self::audit) does not take
    /// records, requests that would be let in get 503 and `Retry-After` (R26). Default: they are let
    /// in, and the loss is counted.
    ///
    /// - The record is taken before the inner service is called, in one step with finding out that
    ///   there is room for it ([`AuditSink::offer`]).
    /// - A refusal stays the refusal it is, with a record or without: nobody gets in by it.
    /// - Whoever was let in stays in: a stream that is open goes on. Revocations and other acts of
    ///   administrators take effect whether or not they can be put on record.
    /// - A record that was taken can still be lost: with a process that dies, or with a writer that
    ///   fails later. What that can cost at most is what the sink holds: the queue of a
    ///   [`JsonLinesAudit`](crate::audit::JsonLinesAudit), whose
    ///   [capacity](crate::audit::JsonLinesAudit::with_capacity) you choose. From the first failed
    ///   write on nothing more is taken.
    /// - A sink of yours says what it can do in [`AuditSink::state`]. One that says nothing counts as
    ///   ready unless it panics.
    #[must_use]
    pub fn audit_required(mut self) -> Self {
        self.options.audit_required = true;
        self
    }

    /// The name of this process in its audit records, such as `web-1`: 1 to 64 bytes of printable
    /// ASCII without a space. Default: none.
    #[must_use]
    pub fn audit_instance(mut self, name: impl Into<String>) -> Self {
        self.options.audit_instance = Some(name.into());
        self
    }

    /// The key under which audit records hash the email of a Basic credential: at least 32 bytes
    /// from a cryptographic random source. Default: a random one, so that hashes of two processes,
    /// or of one before and after a restart, cannot be compared.
    ///
    /// The hash is HMAC-SHA-256 over the email as sent, its ASCII letters in lower case, cut to 16
    /// bytes. Whoever has the key can try emails; keep it where the peppers are.
    #[must_use]
    pub fn audit_key(mut self, key: impl AsRef<[u8]>) -> Self {
        self.options.audit_key = Some(Zeroizing::new(key.as_ref().to_vec()));
        self
    }
}

impl Options {
    pub(super) fn has_sink(&self) -> bool {
        self.sink.is_some()
    }

    /// Against the trail of a server that runs, name and key can only be said again.
    pub(super) fn examine_audit(&self, running: Option<&Ground>, problems: &mut Problems) {
        if let Some(ground) = running {
            self.examine_audit_again(ground.audit.as_ref(), problems);
            return;
        }
        let orphan = "there is no sink; call audit(…)";
        if self.audit_required && self.sink.is_none() {
            problems.add("audit_required", true, orphan);
        }
        if let Some(name) = &self.audit_instance {
            let fits = (1..=MAX_INSTANCE).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_graphic());
            if !fits {
                let remedy = "use 1 to 64 bytes of printable ASCII without a space, e.g. web-1";
                problems.add("audit_instance", name, remedy);
            } else if self.sink.is_none() {
                problems.add("audit_instance", name, orphan);
            }
        }
        if let Some(key) = &self.audit_key {
            // Never the key itself.
            let length = format!("{} bytes", key.len());
            if key.len() < MIN_KEY {
                problems.add("audit_key", length, "use at least 32 random bytes");
            } else if self.sink.is_none() {
                problems.add("audit_key", length, orphan);
            }
        }
    }

    fn examine_audit_again(&self, audit: Option<&Audit>, problems: &mut Problems) {
        let remedy =
            "cannot be changed while the server runs: leave it out here, or restart the server";
        let trail = audit.map(|audit| &audit.trail);
        if self.audit_required && !audit.is_some_and(|audit| audit.required) {
            problems.add("audit_required", true, remedy);
        }
        if let Some(name) = &self.audit_instance
            && !trail.is_some_and(|trail| trail.is_named(name))
        {
            problems.add("audit_instance", name, remedy);
        }
        if let Some(key) = &self.audit_key
            && !trail.is_some_and(|trail| trail.has_key(key))
        {
            // Never the key itself.
            problems.add("audit_key", format!("{} bytes", key.len()), remedy);
        }
    }

    /// Where records go, and whether nobody is let in without one.
    pub(super) fn into_trail(self) -> Option<(AuditTrail, bool)> {
        let instance = self.audit_instance.map(AuditText::new);
        let trail = AuditTrail::with(self.sink?, instance, self.audit_key);
        Some((trail, self.audit_required))
    }

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
