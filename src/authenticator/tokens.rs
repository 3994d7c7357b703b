//! The API-token half of a decision.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use http::HeaderName;
use tokio::runtime::Handle;

use super::decide::Need;
use super::sender::Sender;
use crate::api_token::{
    ApiTokens, TokenChange, TokenChanges, TokenFault, TokenId, TokenKind, TokenRecord,
};
use crate::cache::{Known, Lifetime, Loader};
use crate::clock::{Clock, UnixTime};
use crate::ident::OrganizationId;
use crate::method::AuthMethod;
use crate::principal::{Facts, Principal, PrincipalKind};
use crate::rejection::{Reason, Rejection};
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

type Record = Option<Arc<TokenRecord>>;

/// What is needed to judge API tokens.
pub(super) struct Tokens {
    tokens: ApiTokens,
    records: Loader<TokenId, Record>,
    changes: Mutex<TokenChanges>,
    /// The writes seen so far, compared with the writes announced.
    seen: AtomicU64,
    /// Tokens whose use was noted within the last minute.
    noted: moka::sync::Cache<TokenId, ()>,
    pub(super) throttle: Throttle,
    pub(super) header: Option<HeaderName>,
}

/// A good API token.
pub(super) struct Verified {
    pub(super) principal: Principal,
    pub(super) organization: OrganizationId,
    pub(super) method: AuthMethod,
    pub(super) record: Arc<TokenRecord>,
}

impl Tokens {
    pub(super) fn new(
        tokens: ApiTokens,
        throttle: Throttle,
        header: Option<HeaderName>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let lifetime = Lifetime {
            fresh: FRESH,
            stale: STALE,
            deadline: DEADLINE,
            capacity: CAPACITY,
        };
        let store = tokens.clone();
        let fresh_for = |record: &Record, fresh| {
            if record.is_some() {
                fresh
            } else {
                FRESH_UNKNOWN
            }
        };
        Self {
            records: Loader::new(lifetime, fresh_for, clock, move |id: TokenId| {
                let store = store.clone();
                async move { Ok(store.find(&id).await?.map(Arc::new)) }
            }),
            changes: Mutex::new(tokens.subscribe()),
            seen: AtomicU64::new(tokens.writes()),
            noted: moka::sync::Cache::builder()
                .max_capacity(CAPACITY)
                .time_to_live(Duration::from_secs(60))
                .build(),
            tokens,
            throttle,
            header,
        }
    }

    pub(super) fn flush(&self) {
        self.records.invalidate_all();
    }

    /// Which kind of API token a Bearer credential is, by its prefix alone (JWT-1).
    pub(super) fn recognise(&self, credential: &str) -> Option<TokenKind> {
        self.tokens.format().recognise(credential)
    }

    /// A personal API token: `Basic base64(email:api_token)`.
    pub(super) fn basic(
        &self,
        credential: &str,
        sender: &Sender,
        now: UnixTime,
        waited: bool,
    ) -> Result<Verified, Need> {
        // Guessing is slowed down before anything is decoded.
        self.check_throttle(sender, None)?;
        let basic = read_basic(credential).map_err(|fault| {
            self.throttle.record_failure(sender.address, None);
            Rejection::new(Reason::MalformedBasic)
                .with_note(fault.code())
                .with_message(fault.hint())
        })?;
        let secret = basic.secret.expose();
        if self.recognise(secret) == Some(TokenKind::ServiceAccount) {
            return Err(wrong_scheme(
                "This is a service-account API key: send it as Bearer, without an email.",
            ));
        }
        self.token(secret, Some(basic.email.expose()), sender, (now, waited))
    }

    /// A service-account key, as Bearer or in the header an operator allows.
    pub(super) fn key(
        &self,
        credential: &str,
        sender: &Sender,
        now: UnixTime,
        waited: bool,
    ) -> Result<Verified, Need> {
        // Damaged keys are failures that never reach the check by id.
        self.check_throttle(sender, None)?;
        if self.recognise(credential) == Some(TokenKind::Personal) {
            return Err(wrong_scheme(
                "This is a personal API token: send it as Basic, base64(email:api_token), not as Bearer.",
            ));
        }
        self.token(credential, None, sender, (now, waited))
    }

    fn token(
        &self,
        text: &str,
        email: Option<&str>,
        sender: &Sender,
        (now, waited): (UnixTime, bool),
    ) -> Result<Verified, Need> {
        if sender.in_the_clear {
            return Err(Rejection::new(Reason::InsecureTransport).into());
        }
        let presented = self.tokens.format().parse(text).map_err(|error| {
            // A damaged token never reaches the store; saying so tells nothing about any token.
            self.throttle.record_failure(sender.address, None);
            let rejection = Rejection::new(Reason::InvalidApiToken).with_note(error.to_string());
            if error.is_ours() {
                rejection
            } else {
                rejection.with_detail("hint", not_ours_hint())
            }
        })?;
        self.check_throttle(sender, Some(presented.id().as_str()))?;
        self.forget_changed();
        let record = match self.records.get(presented.id(), waited) {
            Known::Value(record) => record,
            Known::Wait(wait) => return Err(Need::Record(wait)),
            Known::Unavailable { retry_after, cause } => {
                return Err(unavailable(Reason::StoreUnavailable, retry_after, cause).into());
            }
        };
        self.tokens
            .judge(record.as_deref(), &presented, email, now)
            .map_err(|fault| self.refused(fault, sender, presented.id()))?;
        // ``judge` says yes only to a record.
        let record = record.ok_or_else(|| Rejection::new(Reason::Internal))?;
        self.note_use(&record, now);
        Ok(self.verified(record))
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
            let tokens = self.tokens.clone();
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
        let writes = self.tokens.writes();
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

    fn verified(&self, record: Arc<TokenRecord>) -> Verified {
        let owner = record.owner();
        let (kind, method) = match record.kind() {
            TokenKind::Personal => (PrincipalKind::User, AuthMethod::ApiToken),
            TokenKind::ServiceAccount => {
                (PrincipalKind::ServiceAccount, AuthMethod::ServiceAccountKey)
            }
        };
        let principal = Principal::new(Facts {
            kind,
            issuer: self.tokens.issuer().clone(),
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
        Verified {
            principal,
            organization: record.organization().clone(),
            method,
            record,
        }
    }
}

fn not_ours_hint() -> &'static str {
    "This is not an API token of this server. Make one in your account settings, or connect with OAuth 2.1."
}

fn wrong_scheme(message: &'static str) -> Need {
    Rejection::new(Reason::WrongSchemeForToken)
        .with_message(message)
        .into()
}

pub(super) fn unavailable(
    reason: Reason,
    retry_after: Duration,
    cause: Option<Arc<crate::error::BackendError>>,
) -> Rejection {
    let rejection = Rejection::new(reason).with_retry_after(retry_after);
    match cause {
        Some(cause) => rejection.with_cause(cause),
        None => rejection,
    }
}

fn throttled_rejection(throttled: &Throttled) -> Rejection {
    Rejection::new(Reason::TooManyFailures)
        .with_retry_after(throttled.retry_after)
        .with_detail("limit", throttled.limit)
        .with_detail("limit_scope", throttled.scope)
        .with_detail("limit_allowance", throttled.allowance)
        .with_detail("limit_window_seconds", throttled.window.as_secs())
}
