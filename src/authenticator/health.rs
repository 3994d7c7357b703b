//! How everything a decision needs stands, from what requests and refreshes have seen.

mod examine;

use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::pulse::Fault;

/// What a decision may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// The keys of an issuer.
    Keys,
    /// The endpoint where an issuer is asked about opaque tokens.
    Introspection,
    /// The store of API tokens.
    TokenStore,
    /// The makers of API tokens of foreign formats, together.
    ForeignTokens,
    /// The store of organizations' policies.
    PolicyStore,
    /// The server's own directory of users.
    Enricher,
    /// The log of revocations shared with other processes.
    RevocationLog,
    /// The store through which processes count failures together.
    SharedFailures,
    /// The store of used DPoP proofs.
    ReplayStore,
    /// The sink of audit records.
    Audit,
}

impl Part {
    /// The stable name: `keys`, `policy_store`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Introspection => "introspection",
            Self::TokenStore => "token_store",
            Self::ForeignTokens => "foreign_tokens",
            Self::PolicyStore => "policy_store",
            Self::Enricher => "enricher",
            Self::RevocationLog => "revocation_log",
            Self::SharedFailures => "shared_failures",
            Self::ReplayStore => "replay_store",
            Self::Audit => "audit",
        }
    }
}

/// How a [`Part`] stands; worse ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Condition {
    /// Nothing is known: nobody has asked yet, or none since a failure more than a minute ago. The
    /// next request that needs it asks.
    Idle,
    /// It answered when it was last asked.
    Fresh,
    /// It fails, and what is remembered serves on for a while; or it is one that requests can do
    /// without.
    Degraded,
    /// It fails, and what was remembered is too old: requests that need it are answered with 503.
    Down,
}

impl Condition {
    /// The stable name: `idle`, `fresh`, `degraded` or `down`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Fresh => "fresh",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

/// How one part stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PartHealth {
    /// Which one.
    pub part: Part,
    /// Whose, of keys and introspection.
    #[serde(serialize_with = "as_text", skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Arc<str>>,
    /// How it stands.
    pub condition: Condition,
    /// How long ago it last answered, if ever; of keys, when they were fetched; whole milliseconds in
    /// JSON, as `age_ms`.
    #[serde(
        rename = "age_ms",
        serialize_with = "as_millis",
        skip_serializing_if = "Option::is_none"
    )]
    pub age: Option<Duration>,
    /// How the last question failed; `None` once one is answered. Never what was answered: that is
    /// in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<Fault>,
    /// What the condition means for requests.
    pub effect: &'static str,
}

/// How an [`Authenticator`](super::Authenticator) stands.
///
/// As JSON it is what a health endpoint answers. It names the issuers, which may be your customers:
/// an endpoint that anybody can ask shows its [`outline`](Self::outline).
///
/// ```
/// use tower_mcp_auth::{Authenticator, Issuer, ProtectedResource};
/// use tower_mcp_auth::authenticator::{Condition, Part};
///
/// # fn main() -> Result<(), tower_mcp_auth::ConfigError> {
/// let auth = Authenticator::builder(
///     ProtectedResource::new("https://mcp.example.com/mcp")
///         .issuer(Issuer::new("https://auth.example.com/t1")),
/// )
/// .build()?;
///
/// let health = auth.health();
/// assert!(health.ready && health.live);
/// assert_eq!(health.worst(Part::Keys), Some(Condition::Idle)); // the first token asks for them
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// Whether this process should get requests: false while it lacks something that another process
    /// of the same server may have, so that every request is answered with 503. That is: the keys of
    /// all issuers, unless there are other credentials; the log of revocations, as long as it was
    /// never read; the audit sink, if records are
    /// [required](super::AuthenticatorBuilder::audit_required).
    ///
    /// A shared store that fails does not make it false: it fails for all processes, and a load
    /// balancer without any would answer worse than they do. All that it counts is tried again
    /// without requests, except for keys that nobody has asked for within five minutes, and those
    /// are [`Idle`](Condition::Idle).
    pub ready: bool,
    /// Whether a restart is not what is needed: false once a required audit sink is
    /// [closed](crate::audit::SinkState::Closed).
    pub live: bool,
    /// Everything that is configured.
    pub parts: Vec<PartHealth>,
}

impl Health {
    /// The worst condition of this part, over all issuers; `None` if it is not configured.
    #[must_use]
    pub fn worst(&self, part: Part) -> Option<Condition> {
        let parts = self.parts.iter().filter(|one| one.part == part);
        parts.map(|one| one.condition).max()
    }

    /// The same without the names of issuers: of each part only the one that stands worst.
    #[must_use]
    pub fn outline(&self) -> Self {
        let mut parts: Vec<PartHealth> = Vec::new();
        for one in &self.parts {
            let mut one = one.clone();
            one.issuer = None;
            match parts.iter_mut().find(|kept| kept.part == one.part) {
                Some(kept) if kept.condition < one.condition => *kept = one,
                Some(_) => {}
                None => parts.push(one),
            }
        }
        Self {
            ready: self.ready,
            live: self.live,
            parts,
        }
    }
}

#[expect(clippy::ref_option, reason = "the signature serde asks for")]
fn as_text<S: Serializer>(text: &Option<Arc<str>>, serializer: S) -> Result<S::Ok, S::Error> {
    text.as_deref().serialize(serializer)
}

#[expect(clippy::ref_option, reason = "the signature serde asks for")]
fn as_millis<S: Serializer>(age: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    let millis = age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    millis.serialize(serializer)
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
