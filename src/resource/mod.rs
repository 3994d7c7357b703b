//! The protected resource: one value from which audience, metadata document and challenge derive,
//! so that the three cannot drift apart.

mod checked;
mod examine;

use serde_json::{Map, Value};

use crate::error::{ConfigError, Problems};
use crate::issuer::Issuer;

pub use checked::Resource;

/// The MCP endpoint as OAuth sees it, as you describe it.
///
/// ```
/// use tower_mcp_auth::{Issuer, ProtectedResource};
///
/// let resource = ProtectedResource::new("https://mcp.example.com/mcp")
///     .issuer(Issuer::new("https://auth.example.com/t1").organization_claim("org_id"))
///     .baseline_scopes(["read:issues"])
///     .name("Example MCP");
/// ```
///
/// Nothing is checked here: every mistake is reported, together with all others, when the
/// [`Authenticator`](crate::Authenticator) is built.
#[derive(Clone, Debug)]
pub struct ProtectedResource {
    pub(crate) identifier: String,
    pub(crate) issuers: Vec<Issuer>,
    baseline_scopes: Vec<String>,
    audiences: Vec<String>,
    origins: Vec<String>,
    hosts: Vec<String>,
    any_host: bool,
    name: Option<String>,
    extra: Map<String, Value>,
    /// What other settings add to the metadata document.
    pub(crate) derived: Map<String, Value>,
}

impl ProtectedResource {
    /// The resource with this identifier: the exact URL clients connect to (RFC 8707 §2). HTTPS,
    /// except on loopback; no fragment.
    #[must_use]
    pub fn new(identifier: impl Into<String>) -> Self {
        Self {
            identifier: identifier.into(),
            issuers: Vec::new(),
            baseline_scopes: Vec::new(),
            audiences: Vec::new(),
            origins: Vec::new(),
            hosts: Vec::new(),
            any_host: false,
            name: None,
            extra: Map::new(),
            derived: Map::new(),
        }
    }

    /// An authorization server whose access tokens are accepted. May be called several times.
    #[must_use]
    pub fn issuer(mut self, issuer: Issuer) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// The scopes a client should ask for first: published as `scopes_supported`, and named in the
    /// challenge of a request without a credential. Keep it minimal (PRM-11); `offline_access` is
    /// left out with a warning, since it is no permission of this resource (PRM-12).
    #[must_use]
    pub fn baseline_scopes<I>(mut self, scopes: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.baseline_scopes
            .extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Another value of `aud` that means this resource, from any issuer: an older URL of it, say.
    /// Compared exactly; never a prefix. For one issuer only, see [`Issuer::audience`].
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// A web origin whose pages may call the resource, such as `https://ide.example`. The
    /// resource's own origin always may. Requests without an `Origin` are not affected.
    #[must_use]
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Another `Host` under which requests arrive, such as `mcp.internal:8080` behind a proxy that
    /// rewrites it. The host of the identifier is always accepted.
    #[must_use]
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into());
        self
    }

    /// Accepts any `Host`.
    ///
    /// An attacker gains: a web page that has its own name resolve to this server's address (DNS
    /// rebinding) reaches it, held back only by the credential and by `Origin`. Use it where a
    /// proxy in front already checks the host.
    #[must_use]
    pub fn insecure_any_host(mut self) -> Self {
        self.any_host = true;
        self
    }

    /// The name shown to people (`resource_name`).
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Any further member of the metadata document, such as `resource_documentation` or
    /// `resource_policy_uri` (RFC 9728 §2). Empty values are left out. Members this crate derives
    /// itself cannot be set.
    #[must_use]
    pub fn metadata(mut self, member: impl Into<String>, value: Value) -> Self {
        self.extra.insert(member.into(), value);
        self
    }

    /// With members of the metadata document that other settings derive.
    pub(crate) fn with_derived(mut self, members: Map<String, Value>) -> Self {
        self.derived = members;
        self
    }

    /// The resource after every check, for a server that mounts only
    /// [`ResourceMetadataLayer`](crate::ResourceMetadataLayer) or
    /// [`OriginLayer`](crate::OriginLayer). The authenticator does this by itself.
    ///
    /// # Errors
    ///
    /// Every mistake in the configuration at once, as a [`ConfigError`].
    pub fn build(self) -> Result<Resource, ConfigError> {
        let mut problems = Problems::default();
        let resource = self.examine(&mut problems);
        problems.or(resource)
    }
}
