//! From description to [`Resource`]: every check, and what is derived from it.

use bytes::Bytes;
use serde_json::{Value, json};
use url::{Position, Url};

use super::ProtectedResource;
use super::checked::{Derived, Resource};
use crate::error::Problems;
use crate::issuer::examine_url;
use crate::rejection::PreparedAnswers;
use crate::scope::ScopeSet;

impl ProtectedResource {
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
        Some(Resource::new(Derived {
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
            answers: PreparedAnswers::new(),
        }))
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
        const DERIVED: [&str; 9] = [
            "resource",
            "authorization_servers",
            "scopes_supported",
            "bearer_methods_supported",
            "resource_name",
            "signed_metadata",
            "dpop_signing_alg_values_supported",
            "dpop_bound_access_tokens_required",
            "tls_client_certificate_bound_access_tokens",
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
        document.extend(self.derived.clone());
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
    url.set_path(&format!("{}{path}", Resource::ROOT_METADATA_PATH));
    url
}
