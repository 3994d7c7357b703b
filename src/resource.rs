//! The protected resource: one value from which audience, metadata document and challenge derive,
//! so that the three cannot drift apart.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use url::{Position, Url};

use crate::error::{ConfigError, Problems};
use crate::issuer::{Issuer, examine_url};
use crate::scope::ScopeSet;

/// Where metadata documents live (RFC 9728 §3).
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

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

    /// Adds every mistake to `problems`. `Some` if the resource can be used.
    pub(crate) fn examine(&self, problems: &mut Problems) -> Option<Resource> {
        let url = examine_url("resource", &self.identifier, problems);
        self.examine_issuers(problems);
        let baseline_scopes = self.examine_scopes(problems);
        let mut origins = self.examine_origins(problems);
        let mut hosts = self.examine_hosts(problems);
        self.examine_members(problems);
        let url = url?;
        origins.push(url.origin().ascii_serialization());
        hosts.push(authority(&url));
        let metadata_url = metadata_url(&url);
        let mut audiences = self.audiences.clone();
        audiences.push(self.identifier.clone());
        Some(Resource(Arc::new(Inner {
            document: self.document(&baseline_scopes),
            identifier: self.identifier.clone(),
            metadata_path: metadata_url[Position::BeforePath..].to_owned(),
            metadata_url: metadata_url.into(),
            path: url.path().to_owned(),
            secure: url.scheme() == "https",
            audiences,
            baseline_scopes,
            origins,
            hosts: (!self.any_host).then_some(hosts),
        })))
    }

    fn examine_issuers(&self, problems: &mut Problems) {
        if self.issuers.is_empty() {
            problems.add(
                "resource.issuers",
                "[]",
                "nobody could get in; add the authorization server with .issuer(Issuer::new(\"https://…\"))",
            );
        }
        for (index, issuer) in self.issuers.iter().enumerate() {
            let field = format!("issuer[{index}]");
            issuer.examine(&field, problems);
            let earlier = self.issuers.iter().take(index);
            if earlier
                .into_iter()
                .any(|other| other.identifier == issuer.identifier)
            {
                problems.add(
                    field,
                    &issuer.identifier,
                    "listed twice; merge the two entries",
                );
            }
        }
    }

    fn examine_scopes(&self, problems: &mut Problems) -> ScopeSet {
        let mut words = Vec::new();
        for (index, scope) in self.baseline_scopes.iter().enumerate() {
            if scope == "offline_access" {
                tracing::warn!(
                    resource = %self.identifier,
                    "offline_access is left out of scopes_supported: clients ask for refresh tokens themselves"
                );
            } else if ScopeSet::from_words([scope]).is_none() {
                problems.add(
                    format!("resource.baseline_scopes[{index}]"),
                    scope,
                    "not a scope: one word of printable ASCII without quote and backslash (RFC 6749 §3.3)",
                );
            } else {
                words.push(scope);
            }
        }
        ScopeSet::from_words(words).unwrap_or_default()
    }

    fn examine_origins(&self, problems: &mut Problems) -> Vec<String> {
        let mut origins = Vec::new();
        for (index, origin) in self.origins.iter().enumerate() {
            // The URL parser takes `*` for a letter of a host name: it would match nobody.
            let parsed = Url::parse(origin)
                .ok()
                .filter(|url| url[Position::BeforePath..].len() <= 1)
                .filter(|_| !origin.contains(['*', '@']));
            match parsed {
                _ if origin == "null" => origins.push(origin.clone()),
                Some(url) if url.origin().is_tuple() => origins.push(url.origin().ascii_serialization()),
                // Editors and desktop shells send origins of their own schemes, e.g. vscode-webview://…
                Some(url) if url.has_host() => origins.push(origin.trim_end_matches('/').to_owned()),
                _ => problems.add(
                    format!("resource.allow_origin[{index}]"),
                    origin,
                    "write scheme, host and port only, e.g. https://ide.example; no path, no wildcard",
                ),
            }
        }
        origins
    }

    fn examine_hosts(&self, problems: &mut Problems) -> Vec<String> {
        let mut hosts = Vec::new();
        for (index, host) in self.hosts.iter().enumerate() {
            match Url::parse(&format!("http://{host}")) {
                Ok(url)
                    if url.path() == "/"
                        && url.query().is_none()
                        && url.fragment().is_none()
                        && !host.contains(['*', '@'])
                        && !host.ends_with('/') =>
                {
                    hosts.push(host.to_ascii_lowercase());
                }
                _ => problems.add(
                    format!("resource.allow_host[{index}]"),
                    host,
                    "write a host name with an optional port, e.g. mcp.internal:8080; no wildcard",
                ),
            }
        }
        hosts
    }

    fn examine_members(&self, problems: &mut Problems) {
        const DERIVED: [&str; 6] = [
            "resource",
            "authorization_servers",
            "scopes_supported",
            "bearer_methods_supported",
            "resource_name",
            "signed_metadata",
        ];
        for member in self
            .extra
            .keys()
            .filter(|member| DERIVED.contains(&member.as_str()))
        {
            problems.add(
                format!("resource.metadata.{member}"),
                member,
                "derived by this crate; use the setting of the same purpose instead",
            );
        }
        for audience in self
            .audiences
            .iter()
            .filter(|audience| audience.trim().is_empty())
        {
            problems.add("resource.audience", audience, "write the exact `aud` value");
        }
    }

    /// The RFC 9728 §2 document. Empty values are omitted (§3.2).
    fn document(&self, baseline: &ScopeSet) -> Bytes {
        let issuers: Vec<&str> = self
            .issuers
            .iter()
            .map(|issuer| issuer.identifier.as_str())
            .collect();
        let mut document = self.extra.clone();
        document.insert("resource".into(), json!(self.identifier));
        document.insert("authorization_servers".into(), json!(issuers));
        document.insert("scopes_supported".into(), baseline.iter().collect());
        document.insert("bearer_methods_supported".into(), json!(["header"]));
        document.insert(
            "resource_name".into(),
            json!(self.name.clone().unwrap_or_default()),
        );
        document.retain(|_, value| !is_empty(value));
        Bytes::from(Value::Object(document).to_string())
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Host and, unless it is the scheme's default, port: the form of a `Host` header.
fn authority(url: &Url) -> String {
    url[Position::BeforeHost..Position::AfterPort].to_ascii_lowercase()
}

/// The well-known string goes between host and path; a lone `/` is dropped, a query is kept
/// (RFC 9728 §3.1).
fn metadata_url(resource: &Url) -> Url {
    let mut url = resource.clone();
    let path = match resource.path() {
        "/" => "",
        path => path,
    };
    url.set_path(&format!("{WELL_KNOWN}{path}"));
    url
}

/// A [`ProtectedResource`] after every check, with what is derived from it. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Resource(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    identifier: String,
    metadata_url: String,
    metadata_path: String,
    path: String,
    secure: bool,
    document: Bytes,
    audiences: Vec<String>,
    baseline_scopes: ScopeSet,
    origins: Vec<String>,
    hosts: Option<Vec<String>>,
}

impl Resource {
    /// The root location of metadata documents, where a server with one resource answers too
    /// (PRM-3).
    pub const ROOT_METADATA_PATH: &'static str = WELL_KNOWN;

    /// The resource identifier, code point for code point as configured (RFC 9728 §3.3).
    #[must_use]
    pub fn identifier(&self) -> &str {
        &self.0.identifier
    }

    /// The path of the identifier, where the MCP endpoint is expected.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// The URL of the metadata document, as named in challenges.
    #[must_use]
    pub fn metadata_url(&self) -> &str {
        &self.0.metadata_url
    }

    /// Path and query of [`Resource::metadata_url`].
    #[must_use]
    pub fn metadata_path(&self) -> &str {
        &self.0.metadata_path
    }

    /// The metadata document (RFC 9728 §2), serialized once.
    #[must_use]
    pub fn document(&self) -> &Bytes {
        &self.0.document
    }

    /// The scopes a client should ask for first.
    #[must_use]
    pub fn baseline_scopes(&self) -> &ScopeSet {
        &self.0.baseline_scopes
    }

    /// Web origins whose pages may call the resource; its own is among them.
    #[must_use]
    pub fn allowed_origins(&self) -> &[String] {
        &self.0.origins
    }

    /// Whether clients reach the resource over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.secure
    }

    /// The `Host` values answered to, in lower case; `None` for any.
    #[must_use]
    pub fn allowed_hosts(&self) -> Option<&[String]> {
        self.0.hosts.as_deref()
    }

    /// Whether `audience`, one member of a token's `aud`, names this resource (JWT-11, JWT-12).
    #[must_use]
    pub fn is_audience(&self, audience: &str) -> bool {
        self.0
            .audiences
            .iter()
            .any(|known| same_audience(known, audience))
    }
}

/// Exact, except that scheme and host of a URL are compared without regard to case (RFC 3986
/// §6.2.2.1). Never a prefix.
fn same_audience(known: &str, presented: &str) -> bool {
    if known == presented {
        return true;
    }
    if known.len() != presented.len() {
        return false;
    }
    let Some(scheme_end) = known.find("://") else {
        return false;
    };
    let authority_start = scheme_end + 3;
    let path_start = known
        .get(authority_start..)
        .and_then(|rest| rest.find(['/', '?']))
        .map_or(known.len(), |offset| authority_start + offset);
    match (
        known.get(..path_start),
        known.get(path_start..),
        presented.get(..path_start),
        presented.get(path_start..),
    ) {
        (Some(known_head), Some(known_tail), Some(head), Some(tail)) => {
            known_head.eq_ignore_ascii_case(head) && known_tail == tail
        }
        _ => false,
    }
}
