//! The search for a metadata document, and what is read in one.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::timeout;
use url::Url;

use super::Discovery;
use crate::address::{check_url, is_loopback_host};
use crate::error::BackendError;
use crate::fetch::{DynFetch, FetchFailure, Limits, get};
use crate::jose::read;

/// The members we read. Everything else an issuer announces narrows nothing we enforce ourselves.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: Option<String>,
    #[serde(default)]
    introspection_endpoint: serde_json::Value,
    /// Read as anything, because a fault in it must not cost us the keys.
    #[serde(default)]
    scopes_supported: serde_json::Value,
}

/// What one metadata document says.
pub(super) struct Read {
    pub(super) jwks_uri: Option<Url>,
    pub(super) introspection: Option<Url>,
    pub(super) listed: Option<Arc<[Box<str>]>>,
}

impl Discovery {
    pub(super) async fn search_for(
        &self,
        patience: Duration,
        fetch: &DynFetch,
    ) -> Result<Read, FetchFailure> {
        let found = timeout(patience, self.search(fetch)).await;
        found.unwrap_or_else(|_| {
            let problem = format!("no metadata within {patience:?}");
            Err(wrong(BackendError::new(problem)))
        })
    }

    /// Asks the standard places in order (KEY-1). A place that does not have the document, or has
    /// another one, is passed over; an issuer that does not answer is not asked again elsewhere.
    async fn search(&self, fetch: &DynFetch) -> Result<Read, FetchFailure> {
        let issuer = usable_url(&self.identifier).map_err(wrong)?;
        let mut first_problem = None;
        for place in places(&issuer) {
            let problem = match get(fetch, &place, Limits::default()).await {
                Ok(document) => match self.read(&document.body) {
                    Ok(read) => return Ok(read),
                    Err(problem) => wrong(BackendError::with_source(
                        format!("the metadata at {place} cannot be used"),
                        problem,
                    )),
                },
                Err(failure) if !is_elsewhere(&failure) => return Err(failure),
                Err(failure) => failure,
            };
            // A document that is there but wrong tells more than one that is not there.
            match &first_problem {
                Some(FetchFailure { status: None, .. }) => {}
                Some(_) if problem.status.is_some() => {}
                _ => first_problem = Some(problem),
            }
        }
        Err(first_problem.unwrap_or_else(|| wrong(BackendError::new("no place to ask"))))
    }

    pub(super) fn read(&self, body: &[u8]) -> Result<Read, BackendError> {
        let metadata: Metadata = read(body)?;
        if metadata.issuer != self.identifier {
            let named: String = metadata.issuer.chars().take(200).collect();
            return Err(BackendError::new(format!(
                "it is for the issuer {named:?}, but {:?} is configured; they must be identical (RFC 8414 §3.3)",
                self.identifier
            )));
        }
        let word = |scope: &serde_json::Value| scope.as_str().map(Box::from);
        let all = metadata.scopes_supported.as_array();
        // Of more nothing is said: a document must not take much more room than its text, nor every look
        // at its issuer time.
        let few = all.filter(|all| all.len() <= 1000);
        let listed = few.map(|few| few.iter().filter_map(word).collect());
        // Keys found elsewhere, and tokens that need none, do without.
        let needs_keys = self.configured.is_none() && !self.introspects;
        let jwks_uri = match metadata.jwks_uri {
            Some(uri) => Some(usable_url(&uri)?),
            None if needs_keys => return Err(no_keys()),
            None => None,
        };
        if jwks_uri.as_ref().is_some_and(|uri| self.leads_home(uri)) {
            return Err(BackendError::new(
                "its jwks_uri is on loopback, but the issuer is not; configure it with Issuer::jwks_uri if that is meant",
            ));
        }
        // A fault in it must not cost us the keys.
        let endpoint = metadata.introspection_endpoint.as_str();
        let endpoint = endpoint.and_then(|text| usable_url(text).ok());
        Ok(Read {
            jwks_uri,
            introspection: endpoint.filter(|url| !self.leads_home(url)),
            listed,
        })
    }

    /// A fetch to this machine is for an issuer on this machine: the metadata of another one would
    /// choose what we ask of services that listen here only (T43).
    fn leads_home(&self, url: &Url) -> bool {
        is_on_loopback(url) && !Url::parse(&self.identifier).is_ok_and(|url| is_on_loopback(&url))
    }
}

fn is_on_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(is_loopback_host)
}

pub(super) fn no_keys() -> BackendError {
    BackendError::new("it has no jwks_uri; configure one with Issuer::jwks_uri")
}

pub(super) fn wrong(error: BackendError) -> FetchFailure {
    FetchFailure {
        error,
        status: None,
        retry_after: None,
    }
}

/// Whether the answer says that the document is not at this place. "Too busy" does not.
fn is_elsewhere(failure: &FetchFailure) -> bool {
    failure.status.is_some_and(|status| {
        status.is_client_error() && !matches!(status.as_u16(), 408 | 425 | 429)
    })
}

pub(super) fn usable_url(text: &str) -> Result<Url, BackendError> {
    let url = Url::parse(text)
        .map_err(|error| BackendError::with_source(format!("{text:?} is not a URL"), error))?;
    check_url(&url).map_err(|problem| BackendError::new(format!("{text:?}: {problem}")))?;
    Ok(url)
}

/// The well-known places for an issuer, in the order MCP prescribes.
fn places(issuer: &Url) -> Vec<Url> {
    // RFC 8414 §3.1: a terminating slash is removed before anything is inserted or appended.
    let path = issuer.path().trim_end_matches('/').to_owned();
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url.set_query(None);
        url
    };
    let mut places = vec![
        at(format!("/.well-known/oauth-authorization-server{path}")),
        at(format!("/.well-known/openid-configuration{path}")),
    ];
    if !path.is_empty() {
        places.push(at(format!("{path}/.well-known/openid-configuration")));
    }
    places
}
