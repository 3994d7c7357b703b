//! A resource after every check.

use std::sync::Arc;

use bytes::Bytes;

use crate::rejection::PreparedAnswers;
use crate::scope::ScopeSet;

/// A [`ProtectedResource`](crate::ProtectedResource) after every check, with what is derived from it. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Resource(Arc<Derived>);

/// What is derived from a description once nothing is wrong with it.
#[derive(Debug)]
pub(super) struct Derived {
    pub(super) identifier: String,
    pub(super) metadata_url: String,
    pub(super) metadata_path: String,
    pub(super) path: String,
    pub(super) secure: bool,
    pub(super) document: Bytes,
    pub(super) audiences: Vec<String>,
    pub(super) baseline_scopes: ScopeSet,
    pub(super) origins: Vec<String>,
    pub(super) hosts: Option<Vec<String>>,
    pub(super) answers: PreparedAnswers,
}

impl Resource {
    pub(super) fn new(derived: Derived) -> Self {
        Self(Arc::new(derived))
    }

    /// The root location of metadata documents, where a server with one resource answers too
    /// (PRM-3).
    pub const ROOT_METADATA_PATH: &'static str = "/.well-known/oauth-protected-resource";

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

    /// Refusals here, as far as they are alike.
    pub(crate) fn answers(&self) -> &PreparedAnswers {
        &self.0.answers
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
