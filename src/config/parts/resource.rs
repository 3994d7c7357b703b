//! The resource, and its scopes.

use serde_json::{Map, Value};

use crate::authenticator::ChallengeScopes;
use crate::config::kinds::{List, Text, UrlText, words};
use crate::config::read::{Path, Reader, Setting, table};
use crate::config::shape::Shape;
use crate::resource::ProtectedResource;

table! {
    /// The MCP endpoint as OAuth sees it: audience, metadata document and challenge derive from it.
    struct Resource {
        /// The exact URL clients connect to (RFC 8707 §2). HTTPS, except on loopback; no fragment.
        identifier: UrlText,
        /// The name shown to people (`resource_name`).
        name: Option<Text>,
        /// Other values of `aud` that mean this resource, from any issuer: an older URL of it, say. Compared
        /// exactly.
        audiences: List<Text>,
        /// Web origins whose pages may call the resource, such as `https://ide.example`. Its own origin always may.
        allowed_origins: List<Text>,
        /// Other `Host`s under which requests arrive, such as `mcp.internal:8080` behind a proxy that rewrites it.
        allowed_hosts: List<Text>,
        /// Accepts any `Host`. An attacker gains: a web page that has its own name resolve to this server's address
        /// (DNS rebinding) reaches it, held back only by the credential and by `Origin`.
        insecure_any_host: bool,
        /// Further members of the metadata document, such as `resource_documentation` (RFC 9728 §2).
        metadata: Metadata,
    }
}

table! {
    /// Scopes that do not depend on what is asked for.
    struct Scopes {
        /// The scopes a client should ask for first: `scopes_supported`, and the challenge of a request without a
        /// credential. Keep it minimal.
        baseline: List<Text>,
        /// Scopes every request needs, whatever it asks for.
        required: List<Text>,
        /// Which scopes the challenge of a first 401 names: the baseline; those of the attempted operation too; or
        /// all that any tool rule asks for.
        challenge: Option<Challenge> = "operation",
    }
}

words! {
    /// See [`ChallengeScopes`].
    enum Challenge { Baseline = "baseline", Operation = "operation", Everything = "everything" }
}

impl From<Challenge> for ChallengeScopes {
    fn from(challenge: Challenge) -> Self {
        match challenge {
            Challenge::Baseline => Self::Baseline,
            Challenge::Operation => Self::Operation,
            Challenge::Everything => Self::Everything,
        }
    }
}

/// Members of the metadata document, as they are.
pub(in crate::config) struct Metadata(Map<String, Value>);

impl Setting for Metadata {
    const REQUIRED: bool = false;

    fn shape() -> Shape {
        Shape::Map(Box::new(Shape::Free))
    }

    fn read(value: &Value, at: &Path, reader: &mut Reader<'_>) -> Option<Self> {
        let members = value.as_object().cloned().map(Self);
        if members.is_none() {
            reader.wrong(at, value, &Self::shape());
        }
        members
    }

    fn absent() -> Option<Self> {
        Some(Self(Map::new()))
    }
}

impl Resource {
    pub(in crate::config) fn resource(&self) -> ProtectedResource {
        let mut resource = ProtectedResource::new(&self.identifier.0);
        if let Some(name) = &self.name {
            resource = resource.name(&name.0);
        }
        for audience in self.audiences.iter() {
            resource = resource.audience(&audience.0);
        }
        for origin in self.allowed_origins.iter() {
            resource = resource.allow_origin(&origin.0);
        }
        for host in self.allowed_hosts.iter() {
            resource = resource.allow_host(&host.0);
        }
        for (name, value) in &self.metadata.0 {
            resource = resource.metadata(name, value.clone());
        }
        if self.insecure_any_host {
            resource = resource.insecure_any_host();
        }
        resource
    }
}
