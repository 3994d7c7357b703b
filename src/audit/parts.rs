//! What an audit record says about one side of a request.

use std::net::IpAddr;

use serde::Serialize;

use super::text::AuditText;
use crate::operation::{Operation, Target};

/// Who was let in, or refused after proof.
///
/// ```
/// use tower_mcp_auth::audit::AuditPrincipal;
///
/// let alice = AuditPrincipal::new("user", "https://auth.example.com/t1", "alice");
/// assert_eq!(alice.subject, "alice");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditPrincipal {
    /// `user`, `client` or `service_account`.
    pub kind: &'static str,
    /// Who vouches for it.
    pub issuer: AuditText,
    /// Its name there.
    pub subject: AuditText,
}

impl AuditPrincipal {
    /// A principal.
    ///
    /// ```
    /// # use tower_mcp_auth::audit::AuditPrincipal;
    /// let ci = AuditPrincipal::new("client", "https://auth.example.com/t1", "ci");
    /// assert_eq!(ci.kind, "client");
    /// ```
    #[must_use]
    pub fn new(kind: &'static str, issuer: &str, subject: &str) -> Self {
        Self {
            kind,
            issuer: issuer.into(),
            subject: subject.into(),
        }
    }
}

/// A credential by its public names, never itself.
///
/// ```
/// use tower_mcp_auth::audit::AuditCredential;
///
/// let mut credential = AuditCredential::default();
/// credential.id = Some("q0ZcR8".into());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditCredential {
    /// The id of an API token, or the `jti` of an access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<AuditText>,
    /// Who issued it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<AuditText>,
    /// The OAuth client it was issued to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<AuditText>,
    /// Whether it crossed a network in the clear, so that its owner needs a new one (BAS-14).
    #[serde(skip_serializing_if = "is_false")]
    pub exposed: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// What a revocation covers.
///
/// ```
/// use tower_mcp_auth::audit::AuditRevocation;
///
/// let all_of_acme = AuditRevocation::new("organization", "acme");
/// assert_eq!(all_of_acme.id, "acme");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditRevocation {
    /// `token`, `token_of`, `principal`, `user`, `client`, `key`, `organization` or `issuer`; see
    /// [`RevocationTarget`](crate::revocation::RevocationTarget).
    pub kind: &'static str,
    /// The `jti`, the [`PrincipalKey`](crate::principal::PrincipalKey), or the name of the other
    /// kinds.
    pub id: AuditText,
    /// Whose `jti`, subject, client or key it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<AuditText>,
}

impl AuditRevocation {
    /// A revocation of everything under one name.
    ///
    /// ```
    /// # use tower_mcp_auth::audit::AuditRevocation;
    /// assert_eq!(AuditRevocation::new("issuer", "https://auth.example.com/t1").kind, "issuer");
    /// ```
    #[must_use]
    pub fn new(kind: &'static str, id: &str) -> Self {
        Self {
            kind,
            id: id.into(),
            issuer: None,
        }
    }
}

/// What was asked for.
///
/// ```
/// use tower_mcp_auth::audit::AuditTarget;
///
/// let target = AuditTarget::new("https://mcp.example.com/mcp", "POST", "/mcp?access_token=abc");
/// assert_eq!(target.path, "/mcp"); // the query may hold anything
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditTarget {
    /// The identifier of the protected resource.
    pub resource: AuditText,
    /// The HTTP method.
    pub method: AuditText,
    /// The path, without the query.
    pub path: AuditText,
    /// The MCP method, such as `tools/call`, where operations are judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcp_method: Option<AuditText>,
    /// The tool, prompt, resource or task it names; of a URI without the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcp_name: Option<AuditText>,
}

impl AuditTarget {
    /// A target. Of `path` everything from the first `?` or `#` on is left out: people do put
    /// tokens there.
    ///
    /// ```
    /// # use tower_mcp_auth::audit::AuditTarget;
    /// let target = AuditTarget::new("https://mcp.example.com/mcp", "POST", "/mcp");
    /// assert_eq!(target.method, "POST");
    /// ```
    #[must_use]
    pub fn new(resource: &str, method: &str, path: &str) -> Self {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        Self {
            resource: resource.into(),
            method: method.into(),
            path: path.into(),
            mcp_method: None,
            mcp_name: None,
        }
    }

    /// The same, with what the message asks to do.
    pub(crate) fn asking(mut self, operation: Option<AuditOperation>) -> Self {
        if let Some(operation) = operation {
            self.mcp_method = Some(operation.method);
            self.mcp_name = operation.name;
        }
        self
    }
}

/// What a message asks to do, kept for the record.
#[derive(Clone, Debug)]
pub(crate) struct AuditOperation {
    method: AuditText,
    name: Option<AuditText>,
}

impl AuditOperation {
    pub(crate) fn new(operation: Operation<'_>) -> Self {
        let name = operation.target().map(|target| match target {
            Target::Resource(uri) => uri.split(['?', '#']).next().unwrap_or_default(),
            other => other.name(),
        });
        Self {
            method: operation.method().into(),
            name: name.map(AuditText::from),
        }
    }

    pub(crate) fn method(&self) -> &str {
        self.method.as_str()
    }
}

/// Where a request came from.
///
/// ```
/// use tower_mcp_auth::audit::AuditNet;
///
/// let mut net = AuditNet::default();
/// net.peer = Some([10, 0, 0, 7].into());
/// net.client = Some([192, 0, 2, 1].into());
/// net.via_trusted_proxy = true;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditNet {
    /// The other end of the connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<IpAddr>,
    /// The client, as far as known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
    /// Whether `client` is the word of a proxy the operator trusts.
    pub via_trusted_proxy: bool,
}

/// The rule that decided.
///
/// ```
/// use tower_mcp_auth::audit::AuditPolicy;
///
/// let policy = AuditPolicy::new("42", "allowed_networks");
/// assert_eq!(policy.rule, "allowed_networks");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditPolicy {
    /// The version of the organization's policy.
    pub version: AuditText,
    /// The rule's name.
    pub rule: AuditText,
}

impl AuditPolicy {
    /// A rule of one version of a policy.
    ///
    /// ```
    /// # use tower_mcp_auth::audit::AuditPolicy;
    /// assert_eq!(AuditPolicy::new("42", "methods").version, "42");
    /// ```
    #[must_use]
    pub fn new(version: &str, rule: &str) -> Self {
        Self {
            version: version.into(),
            rule: rule.into(),
        }
    }
}
