//! Where an issuer's keys are: authorization server metadata (RFC 8414, OpenID Connect Discovery).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use crate::address::{check_url, is_loopback_host};
use crate::error::BackendError;
use crate::fetch::{DynFetch, FetchFailure, Limits, get};
use crate::issuer::Issuer;
use crate::jose::read;
use crate::scope::ScopeSet;
use crate::telemetry::{FetchKind, Fetches, Meter};

/// How long an answer is used without asking again.
const FRESH: Duration = Duration::from_secs(3600);
/// How long it is used while the issuer does not give a better one.
const STALE: Duration = Duration::from_secs(24 * 3600);

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

#[derive(Clone, Debug)]
struct Located {
    /// Always, unless the issuer is asked about its tokens.
    jwks_uri: Option<Url>,
    introspection: Option<Url>,
    /// The scopes the issuer lists, if it lists any and not too many.
    listed: Option<Arc<[Box<str>]>>,
    at: Duration,
}

/// What one metadata document says.
struct Read {
    jwks_uri: Option<Url>,
    introspection: Option<Url>,
    listed: Option<Arc<[Box<str>]>>,
}

/// Finds and remembers one issuer's `jwks_uri`, and where it is asked about tokens.
#[derive(Debug)]
pub(super) struct Discovery {
    identifier: String,
    configured: Option<String>,
    /// Whether its tokens may be opaque, so that it can do without keys.
    introspects: bool,
    /// What this server may ask clients to get from the issuer (SCP-6).
    wanted: Mutex<ScopeSet>,
    located: Mutex<Option<Located>>,
    /// Held by the one of all who ask about tokens that searches.
    searching: tokio::sync::Mutex<()>,
    /// The keys could not be had from there, so the next search asks again.
    suspect: AtomicBool,
    fetches: Fetches,
}

impl Discovery {
    pub(super) fn new(issuer: &Issuer, wanted: ScopeSet) -> Self {
        Self {
            identifier: issuer.identifier.clone(),
            configured: issuer.jwks_uri.clone(),
            introspects: issuer.introspection.is_some(),
            wanted: Mutex::new(wanted),
            located: Mutex::new(None),
            searching: tokio::sync::Mutex::default(),
            suspect: false.into(),
            fetches: Fetches::default(),
        }
    }

    pub(super) fn observe(&self, meter: &Meter) {
        self.fetches.observe(meter, &self.identifier);
    }

    /// The URL of the key set. `now` is monotonic time.
    ///
    /// # Errors
    ///
    /// [`FetchFailure`] if no metadata document is right and none was within the last 24 hours.
    pub(super) async fn jwks_uri(
        &self,
        fetch: &DynFetch,
        now: Duration,
    ) -> Result<Url, FetchFailure> {
        if let Some(configured) = &self.configured {
            return usable_url(configured).map_err(wrong);
        }
        let located = self.locate(fetch, now).await?;
        located.jwks_uri.ok_or_else(|| wrong(no_keys()))
    }

    /// The URL at which the issuer is asked about its tokens.
    ///
    /// # Errors
    ///
    /// As [`jwks_uri`](Self::jwks_uri); and if the metadata names none.
    pub(super) async fn introspection(
        &self,
        fetch: &DynFetch,
        now: Duration,
    ) -> Result<Url, FetchFailure> {
        let turn = self.searching.lock().await;
        let located = self.locate(fetch, now).await?;
        drop(turn);
        located.introspection.ok_or_else(|| {
            wrong(BackendError::new(
                "the issuer's metadata has no usable introspection_endpoint; configure one with Introspection::endpoint",
            ))
        })
    }

    async fn locate(&self, fetch: &DynFetch, now: Duration) -> Result<Located, FetchFailure> {
        let known = self.known();
        let age = known
            .as_ref()
            .map_or(Duration::MAX, |known| now.saturating_sub(known.at));
        let suspect = self.suspect.load(Ordering::Relaxed);
        match known {
            Some(known) if age < FRESH && !suspect => Ok(known),
            known => match self
                .fetches
                .timed(FetchKind::Metadata, self.search(fetch))
                .await
            {
                Ok(read) => Ok(self.remember(read, known.as_ref(), now)),
                Err(failure) => known
                    .filter(|_| age < STALE)
                    .map(|known| self.fall_back(known, &failure))
                    .ok_or(failure),
            },
        }
    }

    /// The key set could not be read where the metadata said it is.
    pub(super) fn doubt(&self) {
        self.suspect.store(true, Ordering::Relaxed);
    }

    /// Whether the issuer's metadata was read and names no keys, and none are needed: its tokens are
    /// asked about.
    pub(super) fn is_keyless(&self) -> bool {
        let known = self.known();
        self.configured.is_none() && known.is_some_and(|known| known.jwks_uri.is_none())
    }

    /// The scopes this server may ask clients for that the issuer's metadata does not list; none
    /// if it lists no scopes at all, or has not been read.
    pub(super) fn unlisted_scopes(&self) -> ScopeSet {
        let known = self.known();
        known.map_or_else(ScopeSet::empty, |known| {
            self.unlisted(known.listed.as_deref())
        })
    }

    /// What this server may ask clients to get from now on.
    pub(super) fn want(&self, scopes: ScopeSet) {
        let before = self.unlisted_scopes();
        *self.wanted() = scopes;
        self.tell_unlisted(Some(&before), &self.unlisted_scopes());
    }

    fn wanted(&self) -> MutexGuard<'_, ScopeSet> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> Option<Located> {
        self.located
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn remember(&self, read: Read, before: Option<&Located>, now: Duration) -> Located {
        let host = |url: &Option<Url>| Some(url.as_ref()?.host_str()?.to_owned());
        let here = host(&read.jwks_uri);
        if let Some(before) = before
            .map(|before| host(&before.jwks_uri))
            .filter(|before| *before != here)
        {
            tracing::warn!(
                target: super::keys::TARGET,
                issuer = %self.identifier,
                before,
                now = here,
                "the issuer moved its keys to another host"
            );
        }
        let before = before.map(|before| self.unlisted(before.listed.as_deref()));
        let unlisted = self.unlisted(read.listed.as_deref());
        self.tell_unlisted(before.as_ref(), &unlisted);
        let located = Located {
            jwks_uri: read.jwks_uri,
            introspection: read.introspection,
            listed: read.listed,
            at: now,
        };
        *self.located.lock().unwrap_or_else(PoisonError::into_inner) = Some(located.clone());
        self.suspect.store(false, Ordering::Relaxed);
        located
    }

    fn fall_back(&self, known: Located, failure: &FetchFailure) -> Located {
        tracing::warn!(
            target: super::keys::TARGET,
            issuer = %self.identifier,
            cause = failure.error.report(),
            "the issuer's metadata cannot be read; its last known key location is used"
        );
        known
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

    fn read(&self, body: &[u8]) -> Result<Read, BackendError> {
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

    /// An issuer need not list its scopes (RFC 8414 §2). If it does, what is not listed is worth a
    /// word, and no more: it may leave some out.
    fn unlisted(&self, listed: Option<&[Box<str>]>) -> ScopeSet {
        let Some(listed) = listed else {
            return ScopeSet::empty();
        };
        let wanted = self.wanted().clone();
        let is_listed = |scope: &&str| listed.iter().any(|known| **known == **scope);
        let missing = wanted.iter().filter(|scope| !is_listed(scope));
        ScopeSet::from_words(missing).unwrap_or_default()
    }

    fn tell_unlisted(&self, before: Option<&ScopeSet>, unlisted: &ScopeSet) {
        if !unlisted.is_empty() && before != Some(unlisted) {
            tracing::warn!(
                target: super::keys::TARGET,
                issuer = %self.identifier,
                scopes = %unlisted,
                "this server asks clients for scopes that the issuer's metadata does not list: they may be unable to get them"
            );
        }
    }
}

/// The two addresses in a metadata document, for the targets in `fuzz/`.
#[cfg(fuzzing)]
pub(crate) fn read_metadata(
    issuer: &Issuer,
    body: &[u8],
) -> Result<(Option<String>, Option<String>), BackendError> {
    let read = Discovery::new(issuer, ScopeSet::empty()).read(body)?;
    let text = |url: Option<Url>| url.map(String::from);
    Ok((text(read.jwks_uri), text(read.introspection)))
}

fn is_on_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(is_loopback_host)
}

fn no_keys() -> BackendError {
    BackendError::new("it has no jwks_uri; configure one with Issuer::jwks_uri")
}

fn wrong(error: BackendError) -> FetchFailure {
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

fn usable_url(text: &str) -> Result<Url, BackendError> {
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
