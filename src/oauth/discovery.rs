//! Where an issuer's keys are: authorization server metadata (RFC 8414, OpenID Connect Discovery).

mod search;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use url::Url;

use crate::error::BackendError;
use crate::fetch::{DynFetch, FetchFailure};
use crate::issuer::Issuer;
use crate::scope::ScopeSet;
use crate::telemetry::{FetchKind, Fetches, Meter};
use search::{Read, no_keys, usable_url, wrong};

/// How long an answer is used without asking again.
const FRESH: Duration = Duration::from_secs(3600);
/// How long it is used while the issuer does not give a better one.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// How long a search for keys may take; whoever waits for it has a shorter deadline.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a question about a token waits for one while a place to ask at is known: half its time.
const SHORT_PATIENCE: Duration = Duration::from_secs(1);
/// How long it then asks at that place without a search.
const SPARED: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
struct Located {
    /// Always, unless the issuer is asked about its tokens.
    jwks_uri: Option<Url>,
    introspection: Option<Url>,
    /// The scopes the issuer lists, if it lists any and not too many.
    listed: Option<Arc<[Box<str>]>>,
    at: Duration,
}

impl Located {
    fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.at)
    }
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
    /// When one of those began a search that has found nothing.
    searched_at: Mutex<Option<Duration>>,
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
            searched_at: Mutex::default(),
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
        let located = self.locate(fetch, now, PATIENCE).await?;
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
        let known = self.known().filter(|known| known.age(now) < STALE);
        let located = match known {
            Some(known) if self.serves(&known, now) => known,
            known => {
                *self.searched_at() = Some(now);
                let patience = known.map_or(PATIENCE, |_| SHORT_PATIENCE);
                self.locate(fetch, now, patience).await?
            }
        };
        drop(turn);
        located.introspection.ok_or_else(|| {
            wrong(BackendError::new(
                "the issuer's metadata has no usable introspection_endpoint; configure one with Introspection::endpoint",
            ))
        })
    }

    /// Whether the place to ask at is taken for known: nothing says that it is wrong, and it was found
    /// lately, or could not be found again a moment ago.
    fn serves(&self, known: &Located, now: Duration) -> bool {
        let searched_at = *self.searched_at();
        let spared = searched_at.is_some_and(|at| now.saturating_sub(at) < SPARED);
        (known.age(now) < FRESH || spared) && !self.suspect.load(Ordering::Relaxed)
    }

    async fn locate(
        &self,
        fetch: &DynFetch,
        now: Duration,
        patience: Duration,
    ) -> Result<Located, FetchFailure> {
        let known = self.known();
        let age = known.as_ref().map_or(Duration::MAX, |known| known.age(now));
        let suspect = self.suspect.load(Ordering::Relaxed);
        match known {
            Some(known) if age < FRESH && !suspect => Ok(known),
            known => match self
                .fetches
                .timed(FetchKind::Metadata, self.search_for(patience, fetch))
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

    fn searched_at(&self) -> MutexGuard<'_, Option<Duration>> {
        self.searched_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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
        *self.searched_at() = None;
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
