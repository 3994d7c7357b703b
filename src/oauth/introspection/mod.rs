//! Opaque access tokens: what their issuer says about them (RFC 7662).

mod answer;
mod breaker;
mod client;

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tracing::Instrument;
use url::Url;

use super::claims::{self, Answered};
use super::jwt::TrustedIssuer;
use super::keys::KeySource;
use crate::cache::{Known, Lifetime, Loader, Pinned, When};
use crate::clock::{Clock, UnixTime};
use crate::error::BackendError;
use crate::fetch::{DynFetch, FetchFailure, Limits, post};
use crate::ident::OrganizationId;
use crate::issuer::{Introspection, Issuer};
use crate::keyed_hash::KeyedHash;
use crate::principal::Principal;
use crate::pulse::{Fault, Pulse, Vitals};
use crate::rejection::{Reason, Rejection};
use crate::resource::Resource;
use crate::secret::SecretText;
use crate::telemetry::{Cached, FetchKind, Fetches, Meter, span};
use answer::object;
use breaker::Breaker;

pub(crate) use answer::{Answer, Said};
pub(crate) use client::Identity;

/// The longest a call takes, the search for the endpoint included.
const DEADLINE: Duration = Duration::from_secs(2);

/// How long it is believed that a token is not active.
const INACTIVE: Duration = Duration::from_secs(5);

/// Tokens about which something is known; and as many more that are not active.
const CAPACITY: u64 = 10_000;

/// Target of every event about introspection.
const TARGET: &str = "tower_mcp_auth::introspection";

/// A token once its text is gone: nobody outside this process can get here, and nobody can go back.
type Mark = [u8; 32];

/// What is known about the tokens of one issuer.
pub(crate) struct Introspector {
    recognises: Introspection,
    marks: KeyedHash,
    name: Arc<str>,
    answers: Loader<Mark, Said, Arc<SecretText>>,
    asker: Arc<Asker>,
    fetches: Arc<Fetches>,
}

/// What it takes to ask.
struct Asker {
    issuer: Issuer,
    introspection: Introspection,
    identity: Identity,
    /// Who a signed answer may be for.
    names: Vec<String>,
    keys: Arc<KeySource>,
    fetch: DynFetch,
    clock: Arc<dyn Clock>,
    breaker: Mutex<Breaker>,
    pulse: Pulse,
    fetches: Arc<Fetches>,
}

/// What was found good when the configuration was examined.
pub(crate) struct Examined {
    pub(crate) identity: Identity,
    pub(crate) marks: KeyedHash,
}

impl Examined {
    /// Marks are made under a key that ends with the process.
    pub(crate) fn new(identity: Identity) -> Result<Self, getrandom::Error> {
        let marks = KeyedHash::random("tower-mcp-auth opaque token v1")?;
        Ok(Self { identity, marks })
    }
}

impl Introspector {
    /// `None` if the issuer is not asked about tokens.
    pub(crate) fn new(
        issuer: &Issuer,
        examined: Examined,
        resource: &Resource,
        keys: &Arc<KeySource>,
        (fetch, clock): (DynFetch, Arc<dyn Clock>),
    ) -> Option<Arc<Self>> {
        let introspection = issuer.introspection.clone()?;
        let Examined { identity, marks } = examined;
        let own = [identity.id().to_owned(), resource.identifier().to_owned()];
        let lifetime = Lifetime {
            fresh: introspection.lifetime,
            stale: Duration::ZERO,
            deadline: DEADLINE,
            capacity: CAPACITY,
        };
        let fetches = Arc::new(Fetches::default());
        let asker = Arc::new(Asker {
            fetches: fetches.clone(),
            issuer: issuer.clone(),
            introspection: introspection.clone(),
            identity,
            names: own.into_iter().chain(issuer.audiences.clone()).collect(),
            keys: keys.clone(),
            fetch,
            clock: clock.clone(),
            breaker: Mutex::default(),
            pulse: Pulse::default(),
        });
        let asking = asker.clone();
        let load = move |_, token: Arc<SecretText>| {
            let asker = asking.clone();
            async move { asker.ask(token.expose()).await }
        };
        Some(Arc::new(Self {
            recognises: introspection,
            marks,
            name: issuer.identifier.as_str().into(),
            answers: Loader::asking(lifetime, serves, clock, load),
            asker,
            fetches,
        }))
    }

    /// Whether a credential is this issuer's, by its shape.
    pub(crate) fn claims(&self, credential: &str) -> bool {
        self.recognises.claims(credential)
    }

    /// What is known about a token.
    pub(crate) fn about(
        &self,
        token: &str,
        pinned: Option<&Pinned<Said>>,
        when: When,
    ) -> Known<Said> {
        let mark = || self.marks.of(&[self.name.as_bytes(), token.as_bytes()]);
        let text = || Arc::new(SecretText::new(token));
        match pinned {
            Some(pinned) => self.answers.ask_at(pinned, mark, text, when),
            None => self.answers.ask(&mark(), text, when),
        }
    }

    /// How the endpoint has answered lately, and how long answers serve while it fails.
    pub(crate) fn vitals(&self, now: Duration) -> (Vitals, Duration) {
        (
            self.asker.pulse.vitals(now),
            self.asker.introspection.lifetime,
        )
    }

    pub(crate) fn observe(&self, meter: &Meter) {
        // The call is a fetch, and is counted as one.
        self.answers.observe(meter, Cached::Introspection, None);
        self.fetches.observe(meter, &self.name);
    }

    /// How many answers are held, roughly.
    #[cfg(feature = "metrics")]
    pub(crate) fn held(&self) -> u64 {
        self.answers.held()
    }

    pub(crate) fn flush(&self) {
        self.answers.invalidate_all();
    }
}

/// An answer serves to its bound and no longer. It is asked for again in the last fifth of that, and
/// used to the end where this fails.
fn serves(said: &Said, _: Lifetime) -> (Duration, Duration) {
    match said {
        Some(answer) => (answer.serves * 4 / 5, answer.serves / 5),
        None => (INACTIVE, Duration::ZERO),
    }
}

/// The party of an active token, if it is good here.
pub(crate) fn judge(
    answer: &Answer,
    issuer: &TrustedIssuer,
    resource: &Resource,
    now: UnixTime,
) -> Result<(Principal, OrganizationId), Rejection> {
    let malformed = |_| Rejection::from(Reason::MalformedToken);
    let said = object(&answer.payload).map_err(malformed)?;
    let config = &issuer.config;
    if said.has("iss") && claims::issuer_of(&said)? != config.identifier {
        return Err(Rejection::new(Reason::UnknownIssuer).with_note("iss of the answer"));
    }
    let introspection = config.introspection.as_ref();
    let answered = Answered {
        until: answer.until,
        only_for_us: introspection.is_some_and(|introspection| introspection.only_for_us),
    };
    let unverified = claims::judge(&said, config, resource, now, Some(answered))?;
    let (name, key_id) = (issuer.name.clone(), answer.key_id.clone());
    unverified.verified(config, name, key_id, answer.payload.clone())
}

/// What an attempt means for those after it.
enum Failure {
    /// The endpoint fails.
    Endpoint(FetchFailure),
    /// This token has no answer; others may have.
    Token(BackendError),
}

impl Asker {
    async fn ask(&self, token: &str) -> Result<Said, BackendError> {
        let now = self.clock.monotonic();
        if !self.breaker().admit(now) {
            let name = &self.issuer.identifier;
            return Err(BackendError::new(format!(
                "the introspection endpoint of {name} failed several times in a row and is left alone for a while"
            )));
        }
        let mut attempt = Attempt {
            asker: self,
            started: now,
            ended: false,
        };
        match self.exchange(token).await {
            Ok(said) => {
                attempt.ended = true;
                self.pulse.beat(self.clock.monotonic(), Ok(()));
                if self.breaker().succeed() {
                    let issuer = self.issuer.identifier.as_str();
                    tracing::info!(target: TARGET, issuer, "the introspection endpoint answers again");
                }
                Ok(said)
            }
            Err(Failure::Token(error)) => {
                attempt.ended = true;
                self.breaker().decline();
                Err(error)
            }
            Err(Failure::Endpoint(failure)) => {
                let now = self.clock.monotonic();
                attempt.ended = true;
                self.failed(now, failure.retry_after);
                Err(failure.error)
            }
        }
    }

    async fn exchange(&self, token: &str) -> Result<Said, Failure> {
        let endpoint = self.endpoint().await.map_err(Failure::Endpoint)?;
        let (signed, issuer) = (self.introspection.signed, &self.issuer.identifier);
        let form = self.identity.form(token, signed, issuer, self.clock.now());
        let form = form.map_err(Failure::Token)?;
        let limits = Limits {
            deadline: DEADLINE,
            body: 64 * 1024,
        };
        let asked = post(&self.fetch, &endpoint, form, limits);
        let asked = self.fetches.timed(FetchKind::Introspection, asked);
        let span = span::fetch(FetchKind::Introspection, issuer);
        let document = asked.instrument(span).await;
        let document = document.map_err(|failure| {
            // Whoever sends nonsense must not be able to lock everybody else out.
            let about_the_token = |status: StatusCode| {
                status.is_client_error()
                    && !matches!(status.as_u16(), 401 | 403 | 404 | 405 | 408 | 410 | 429)
            };
            match failure.status {
                // Too long: the endpoint does answer.
                Some(StatusCode::OK) => Failure::Token(failure.error),
                Some(status) if about_the_token(status) => Failure::Token(failure.error),
                Some(StatusCode::NOT_FOUND | StatusCode::GONE) => {
                    self.keys.doubt_metadata();
                    Failure::Endpoint(failure)
                }
                _ => Failure::Endpoint(failure),
            }
        })?;
        // People can have a say in what is said about them: no more than their token is unreadable.
        self.read(&document.body).await.map_err(Failure::Token)
    }

    async fn endpoint(&self) -> Result<Url, FetchFailure> {
        let Some(configured) = &self.introspection.endpoint else {
            return self.keys.introspection_endpoint().await;
        };
        Url::parse(configured).map_err(|error| FetchFailure {
            error: BackendError::with_source("the introspection endpoint is not a URL", error),
            status: None,
            retry_after: None,
        })
    }

    fn failed(&self, now: Duration, asked: Option<Duration>) {
        // For spreading load, not for secrets.
        let random = RandomState::new().hash_one(0_u8);
        self.pulse.beat(now, Err(Fault::Failed));
        if self.breaker().fail(now, asked, random) {
            let issuer = self.issuer.identifier.as_str();
            tracing::warn!(target: TARGET, issuer, "the introspection endpoint failed five times in a row: answers serve to their end, then requests get 503");
        }
    }

    /// Locked for a few instructions, never across an await.
    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt under way. One that is cut off has failed, by the deadline.
struct Attempt<'a> {
    asker: &'a Asker,
    started: Duration,
    ended: bool,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.ended {
            // The clock is the user's and may be why this ends (R15).
            let ended = self.started.saturating_add(DEADLINE);
            self.asker.failed(ended, None);
        }
    }
}

impl fmt::Debug for Introspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspector")
            .field("issuer", &self.name)
            .finish_non_exhaustive()
    }
}
