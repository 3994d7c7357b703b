//! The API-token half of a decision.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use http::HeaderName;
use tokio::runtime::Handle;

use super::need::{Asked, Need};
use super::sender::Sender;
use crate::api_token::{
    ApiTokens, SecretAge, TokenChange, TokenChanges, TokenFault, TokenId, TokenKind, TokenListener,
    TokenRecord,
};
use crate::cache::{Known, Lifetime, Loader};
use crate::clock::{Clock, UnixTime};
use crate::method::AuthMethod;
use crate::principal::{Facts, Principal, PrincipalKind};
use crate::rejection::{Reason, Rejection};
use crate::signal::{Causes, Signal};
use crate::throttle::{Throttle, Throttled};
use crate::wire::basic::read_basic;

/// A record serves this long without asking the store again; an unknown id for less, so that a new
/// token works soon everywhere (threats §3.4).
const FRESH: Duration = Duration::from_secs(30);
const FRESH_UNKNOWN: Duration = Duration::from_secs(2);

/// With [`FRESH`], the 60 s for which a token outlives the last proof that its store agrees (R19).
const STALE: Duration = Duration::from_secs(30);
const DEADLINE: Duration = Duration::from_millis(500);
const CAPACITY: u64 = 50_000;

/// A record as it is cached: the facts, and the principal made of them once.
pub(crate) struct Held {
    pub(super) record: TokenRecord,
    pub(super) principal: Principal,
}

/// An API token as it was when it was presented.
#[derive(Clone)]
pub(crate) struct UsedToken {
    pub(super) held: Arc<Held>,
    /// Which of its secrets it was: a roll ends them at different times.
    age: SecretAge,
}

type Record = Option<Arc<Held>>;

/// What is needed to judge API tokens.
pub(super) struct Tokens {
    issued: ApiTokens,
    records: Loader<TokenId, Record>,
    changes: Mutex<TokenChanges>,
    /// The writes seen so far, compared with the writes announced.
    seen: AtomicU64,
    /// Tokens whose use was noted within the last minute.
    noted: moka::sync::Cache<TokenId, ()>,
    pub(super) throttle: Throttle,
    pub(super) header: Option<HeaderName>,
    _listener: TokenListener,
}

impl UsedToken {
    pub(super) fn id(&self) -> &TokenId {
        self.held.record.id()
    }

    /// When it ends, as far as known when it was presented.
    pub(super) fn ends_at(&self) -> UnixTime {
        let record = &self.held.record;
        record.ends_at(self.age).unwrap_or(record.expires_at())
    }
}

impl Held {
    pub(super) fn method(&self) -> AuthMethod {
        match self.record.kind() {
            TokenKind::Personal => AuthMethod::ApiToken,
            TokenKind::ServiceAccount => AuthMethod::ServiceAccountKey,
        }
    }
}

impl Tokens {
    pub(super) fn new(
        tokens: ApiTokens,
        throttle: Throttle,
        header: Option<HeaderName>,
        clock: Arc<dyn Clock>,
        signal: &Arc<Signal>,
    ) -> Self {
        let lifetime = Lifetime {
            fresh: FRESH,
            stale: STALE,
            deadline: DEADLINE,
            capacity: CAPACITY,
        };
        let store = tokens.clone();
        let signal = signal.clone();
        let listener = tokens.on_change(move |id| {
            signal.raise(Causes::TOKEN, Some(signal.topic(id)));
        });
        // "There is none" is not repeated while the store fails: it may have been created since.
        let serves = |record: &Record, lifetime: Lifetime| match record {
            Some(_) => (lifetime.fresh, lifetime.stale),
            None => (FRESH_UNKNOWN, Duration::ZERO),
        };
        Self {
            records: Loader::new(lifetime, serves, clock, move |id: TokenId| {
                let store = store.clone();
                async move {
                    let record = store.find(&id).await?;
                    Ok(record.map(|record| Arc::new(held(record, store.issuer()))))
                }
            }),
            changes: Mutex::new(tokens.subscribe()),
            seen: AtomicU64::new(tokens.writes()),
            noted: moka::sync::Cache::builder()
                .max_capacity(CAPACITY)
                .time_to_live(Duration::from_secs(60))
                .build(),
            issued: tokens,
            throttle,
            header,
            _listener: listener,
        }
    }

    pub(super) fn flush(&self) {
        self.records.invalidate_all();
    }

    /// Which kind of API token a Bearer credential is, by its prefix alone (JWT-1).
    pub(super) fn recognise(&self, credential: &str) -> Option<TokenKind> {
        self.issued.format().recognise(credential)
    }

    /// A personal API token: `Basic base64(email:api_token)`.
    pub(super) fn basic(&self, credential: &str, asked: Asked<'_>) -> Result<UsedToken, Need> {
        // Guessing is slowed down before anything is decoded.
        self.check_throttle(asked.sender, None)?;
        let basic = read_basic(credential).map_err(|fault| {
            self.throttle.record_failure(asked.sender.address, None);
            Rejection::new(Reason::MalformedBasic)
                .with_note(fault.code())
                .with_message(fault.hint())
        })?;
        let secret = basic.secret();
        if self.recognise(secret) == Some(TokenKind::ServiceAccount) {
            return Err(wrong_scheme(
                "This is a service-account API key: send it as Bearer, without an email.",
            ));
        }
        self.token(secret, Some(basic.email()), asked)
    }

    /// A service-account key, as Bearer or in the header an operator allows.
    pub(super) fn key(&self, credential: &str, asked: Asked<'_>) -> Result<UsedToken, Need> {
        // Damaged keys are failures that never reach the check by id.
        self.check_throttle(asked.sender, None)?;
        if self.recognise(credential) == Some(TokenKind::Personal) {
            return Err(wrong_scheme(
                "This is a personal API token: send it as Basic, base64(email:api_token), not as Bearer.",
            ));
        }
        self.token(credential, None, asked)
    }

    fn token(&self, text: &str, email: Option<&str>, asked: Asked<'_>) -> Result<UsedToken, Need> {
        let sender = asked.sender;
        if sender.in_the_clear {
            return Err(Rejection::new(Reason::InsecureTransport).into());
        }
        let presented = self.issued.format().parse(text).map_err(|error| {
            // A damaged token never reaches the store; saying so tells nothing about any token.
            self.throttle.record_failure(sender.address, None);
            let rejection = Rejection::new(Reason::InvalidApiToken).with_note(error.to_string());
            if error.is_ours() {
                rejection
            } else {
                rejection.with_detail("hint", NOT_OURS)
            }
        })?;
        self.check_throttle(sender, Some(presented.id().as_str()))?;
        let record = self.record(presented.id(), asked)?;
        let age = self
            .issued
            .judge(
                record.as_deref().map(|held| &held.record),
                &presented,
                email,
                asked.now,
            )
            .map_err(|fault| self.refused(fault, sender, presented.id()))?;
        // `judge` says yes only to a record.
        let held = record.ok_or_else(|| Rejection::new(Reason::Internal))?;
        self.note_use(&held.record, asked.now);
        Ok(UsedToken { held, age })
    }

    /// Until when a token serves that was presented before, by its record as it is now.
    pub(super) fn still_serves(
        &self,
        used: &UsedToken,
        asked: Asked<'_>,
    ) -> Result<UnixTime, Need> {
        let before = &used.held.record;
        self.record(before.id(), asked)?
            .and_then(|held| held.record.still_serves(before, used.age, asked.now))
            .ok_or_else(|| {
                Rejection::new(Reason::InvalidApiToken)
                    .with_note("revoked, expired or rolled away")
                    .into()
            })
    }

    fn record(&self, id: &TokenId, asked: Asked<'_>) -> Result<Record, Need> {
        self.forget_changed();
        match self.records.get(id, asked.waited.record) {
            Known::Value(record) => Ok(record),
            Known::Wait(wait) => Err(Need::Record(wait)),
            Known::Unavailable { retry_after, cause } => {
                Err(Rejection::unavailable(Reason::StoreUnavailable, retry_after, cause).into())
            }
        }
    }

    /// `last_used`, at most once a minute for a token, in a task of its own, and lost if the store
    /// does not answer: authentication needs no write (R20).
    fn note_use(&self, record: &TokenRecord, now: UnixTime) {
        let id = *record.id();
        if self.noted.contains_key(&id) {
            return;
        }
        self.noted.insert(id, ());
        if let Ok(runtime) = Handle::try_current() {
            let tokens = self.issued.clone();
            runtime.spawn(async move {
                let touched = tokio::time::timeout(DEADLINE, tokens.touch(&[(id, now)])).await;
                if !matches!(touched, Ok(Ok(()))) {
                    tracing::debug!(target: "tower_mcp_auth::store", token = %id, "last use not noted");
                }
            });
        }
    }

    fn refused(&self, fault: TokenFault, sender: &Sender, id: &TokenId) -> Rejection {
        self.throttle
            .record_failure(sender.address, Some(id.as_str()));
        Rejection::new(Reason::InvalidApiToken).with_note(format!("{fault:?}"))
    }

    fn check_throttle(&self, sender: &Sender, id: Option<&str>) -> Result<(), Need> {
        self.throttle
            .check(sender.address, id)
            .map_err(|throttled| throttled_rejection(&throttled).into())
    }

    /// Every write through `ApiTokens` of this process has been forgotten here when it returned.
    fn forget_changed(&self) {
        let writes = self.issued.writes();
        if self.seen.load(Ordering::Acquire) == writes {
            return;
        }
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(change) = changes.try_next() {
            match change {
                TokenChange::Token(id) => self.records.invalidate(&id),
                TokenChange::Everything => self.records.invalidate_all(),
            }
        }
        self.seen.store(writes, Ordering::Release);
    }
}

fn held(record: TokenRecord, authority: &Arc<str>) -> Held {
    let owner = record.owner();
    let principal = Principal::new(Facts {
        kind: match record.kind() {
            TokenKind::Personal => PrincipalKind::User,
            TokenKind::ServiceAccount => PrincipalKind::ServiceAccount,
        },
        issuer: authority.clone(),
        subject: owner.subject().clone(),
        client: None,
        tenant: None,
        scopes: record.scopes().clone(),
        expires_at: record.expires_at(),
        issued_at: Some(record.created_at()),
        authenticated_at: None,
        authentication_class: None,
        token_id: Some(record.id().as_str().into()),
        email: owner.email().map(|email| email.as_str().into()),
        created_by: Some(record.created_by().clone()),
        roles: Box::default(),
        groups: Box::default(),
        entitlements: Box::default(),
        payload: Vec::new(),
        claims: OnceLock::new(),
    });
    Held { record, principal }
}

const NOT_OURS: &str = "This is not an API token of this server. Make one in your account settings, or connect with OAuth 2.1.";

fn wrong_scheme(message: &'static str) -> Need {
    Rejection::new(Reason::WrongSchemeForToken)
        .with_message(message)
        .into()
}

fn throttled_rejection(throttled: &Throttled) -> Rejection {
    Rejection::new(Reason::TooManyFailures)
        .with_retry_after(throttled.retry_after)
        .with_detail("limit", throttled.limit)
        .with_detail("limit_scope", throttled.scope)
        .with_detail("limit_allowance", throttled.allowance)
        .with_detail("limit_window_seconds", throttled.window.as_secs())
}
