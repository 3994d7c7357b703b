//! The API-token half of a decision.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderName;
use tokio::runtime::Handle;

use super::decide::{Asked, Need};
use super::foreign::{self, Foreign};
use super::held::Held;
use super::sender::Sender;
use crate::api_token::{
    ApiTokens, FormatError, TokenChange, TokenChanges, TokenFault, TokenId, TokenKind, TokenRecord,
};
use crate::audit::AuditEvent;
use crate::cache::{Known, Lifetime, Loader};
use crate::clock::{Clock, UnixTime};
use crate::error::Problems;
use crate::rejection::{Reason, Rejection};
use crate::throttle::{MANY, Throttle, Throttled};
use crate::wire::basic::read_basic;

/// A record serves this long without asking the store again; an unknown id for less, so that a new
/// token works soon everywhere (threats §3.4).
pub(super) const FRESH: Duration = Duration::from_secs(30);
pub(super) const FRESH_UNKNOWN: Duration = Duration::from_secs(2);

/// With [`FRESH`], the 60 s for which a token outlives the last proof that its store agrees (R19).
pub(super) const STALE: Duration = Duration::from_secs(30);
pub(super) const DEADLINE: Duration = Duration::from_millis(500);
pub(super) const CAPACITY: u64 = 50_000;

/// Headers that mean something else already, and so can carry no API key.
const RESERVED: [&str; 6] = [
    "authorization",
    "cookie",
    "connection",
    "host",
    "origin",
    "dpop",
];

/// A record as it is cached: what a credential is compared with, and what it then stands for.
struct Stored {
    record: TokenRecord,
    held: Arc<Held>,
}

type Record = Option<Arc<Stored>>;

/// What is needed to judge API tokens, ours and foreign ones.
pub(super) struct Tokens {
    pub(super) issued: Option<Issued>,
    pub(super) foreign: Option<Foreign>,
    pub(super) guard: Guard,
    pub(super) header: Option<HeaderName>,
}

/// Slows down those who fail.
pub(super) struct Guard(pub(super) Throttle);

/// The same for tokens of our own format.
pub(super) struct Issued {
    tokens: ApiTokens,
    records: Loader<TokenId, Record>,
    changes: Mutex<TokenChanges>,
    /// The writes seen so far, compared with the writes announced.
    seen: AtomicU64,
    /// Tokens whose use was noted within the last minute.
    noted: moka::sync::Cache<TokenId, ()>,
}

/// Who judges a credential, by its shape alone (JWT-1): our prefix first.
#[derive(Clone, Copy)]
pub(super) enum Claim<'t> {
    Ours(&'t Issued, TokenKind),
    Foreign(&'t Foreign, foreign::Claim<'t>),
}

impl Claim<'_> {
    fn kind(&self) -> TokenKind {
        match self {
            Self::Ours(_, kind) => *kind,
            Self::Foreign(_, claim) => claim.kind,
        }
    }
}

impl Guard {
    pub(super) fn check(&self, sender: &Sender, id: Option<&str>) -> Result<(), Need> {
        self.0
            .check(sender.address, id)
            .map_err(|throttled| throttled_rejection(&throttled).into())
    }

    pub(super) fn failed(&self, sender: &Sender, id: Option<&str>) {
        self.0.record_failure(sender.address, id);
    }
}

impl Tokens {
    pub(super) fn flush(&self) {
        if let Some(issued) = &self.issued {
            issued.records.invalidate_all();
        }
        if let Some(foreign) = &self.foreign {
            foreign.flush();
        }
    }

    /// Whose API token a credential is, if anybody's.
    pub(super) fn claim(&self, credential: &str) -> Result<Option<Claim<'_>>, foreign::Quarrel> {
        if let Some(issued) = &self.issued
            && let Some(kind) = issued.tokens.format().recognise(credential)
        {
            return Ok(Some(Claim::Ours(issued, kind)));
        }
        let Some(foreign) = &self.foreign else {
            return Ok(None);
        };
        let claim = foreign.claim(credential)?;
        Ok(claim.map(|claim| Claim::Foreign(foreign, claim)))
    }

    /// Which kind of API token this is, by its shape.
    pub(super) fn kind_of(&self, credential: &str) -> Option<TokenKind> {
        Some(self.claim(credential).ok()??.kind())
    }

    /// The public part of a token of ours whose checksum fits. A foreign one has none that could be
    /// told without asking its maker.
    pub(super) fn id_of(&self, credential: &str) -> Option<TokenId> {
        let parsed = self.issued.as_ref()?.tokens.format().parse(credential);
        Some(*parsed.ok()?.id())
    }

    /// A personal API token: `Basic base64(email:api_token)`.
    pub(super) fn basic(&self, credential: &str, asked: Asked<'_>) -> Result<Arc<Held>, Need> {
        // Guessing is slowed down before anything is decoded.
        self.guard.check(asked.sender, None)?;
        let basic = read_basic(credential).map_err(|fault| {
            self.guard.failed(asked.sender, None);
            Rejection::new(Reason::MalformedBasic)
                .with_note(fault.code())
                .with_message(fault.hint())
        })?;
        let secret = basic.secret();
        // A failed Basic attempt shows no Bearer error (BAS-11).
        let claim = self
            .claim(secret)
            .map_err(|quarrel| Rejection::new(Reason::InvalidApiToken).with_note(quarrel.0))?;
        if claim.is_some_and(|claim| claim.kind() == TokenKind::ServiceAccount) {
            return Err(wrong_scheme(
                ("service_account_key", "Bearer"),
                "This is a service-account API key: send it as Bearer, without an email.",
            ));
        }
        self.token(claim, (secret, Some(basic.email())), asked)
    }

    /// A service-account key, as Bearer or in the header an operator allows.
    pub(super) fn key(
        &self,
        claim: Option<Claim<'_>>,
        credential: &str,
        asked: Asked<'_>,
    ) -> Result<Arc<Held>, Need> {
        // Damaged keys are failures that never reach the check by id.
        self.guard.check(asked.sender, None)?;
        if claim.is_some_and(|claim| claim.kind() == TokenKind::Personal) {
            return Err(wrong_scheme(
                ("personal_api_token", "Basic"),
                "This is a personal API token: send it as Basic, base64(email:api_token), not as Bearer.",
            ));
        }
        self.token(claim, (credential, None), asked)
    }

    fn token(
        &self,
        claim: Option<Claim<'_>>,
        presented: (&str, Option<&str>),
        asked: Asked<'_>,
    ) -> Result<Arc<Held>, Need> {
        if asked.sender.in_the_clear {
            return Err(Rejection::new(Reason::InsecureTransport).into());
        }
        match claim {
            Some(Claim::Ours(issued, _)) => issued.token(presented, &self.guard, asked),
            Some(Claim::Foreign(foreign, claim)) => {
                foreign.token(claim, presented, &self.guard, asked)
            }
            None => {
                self.guard.failed(asked.sender, None);
                let rejection = Rejection::new(Reason::InvalidApiToken);
                let rejection = rejection.with_note(FormatError::NotOurs.to_string());
                Err(rejection.with_detail("hint", NOT_OURS).into())
            }
        }
    }
}

impl Issued {
    pub(super) fn new(tokens: ApiTokens, clock: Arc<dyn Clock>) -> Self {
        let lifetime = Lifetime {
            fresh: FRESH,
            stale: STALE,
            deadline: DEADLINE,
            capacity: CAPACITY,
        };
        let store = tokens.clone();
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
                    Ok(record.map(|record| {
                        let held = Arc::new(Held::issued(&record, store.issuer()));
                        Arc::new(Stored { record, held })
                    }))
                }
            }),
            changes: Mutex::new(tokens.subscribe()),
            seen: AtomicU64::new(tokens.writes()),
            noted: moka::sync::Cache::builder()
                .max_capacity(CAPACITY)
                .time_to_live(Duration::from_secs(60))
                .build(),
            tokens,
        }
    }

    fn token(
        &self,
        (text, email): (&str, Option<&str>),
        guard: &Guard,
        asked: Asked<'_>,
    ) -> Result<Arc<Held>, Need> {
        let sender = asked.sender;
        let presented = self.tokens.format().parse(text).map_err(|error| {
            // A damaged token never reaches the store; saying so tells nothing about any token.
            guard.failed(sender, None);
            Rejection::new(Reason::InvalidApiToken).with_note(error.to_string())
        })?;
        let id = presented.id();
        guard.check(sender, Some(id.as_str()))?;
        self.forget_changed();
        let record = match self.records.get(id, asked.waited.record) {
            Known::Value(record) => record,
            Known::Wait(wait) => return Err(Need::Record(wait)),
            Known::Unavailable { retry_after, cause } => {
                return Err(
                    Rejection::unavailable(Reason::StoreUnavailable, retry_after, cause).into(),
                );
            }
        };
        let found = record.as_deref().map(|stored| &stored.record);
        let judged = self.tokens.judge(found, &presented, email, asked.now);
        judged.map_err(|fault: TokenFault| {
            guard.failed(sender, Some(id.as_str()));
            self.note_spread(guard, id, found);
            Rejection::new(Reason::InvalidApiToken).with_note(format!("{fault:?}"))
        })?;
        // `judge` says yes only to a record.
        let stored = record.ok_or_else(|| Rejection::new(Reason::Internal))?;
        self.note_use(&stored.record, asked.now);
        Ok(stored.held.clone())
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

    /// One token that fails from everywhere is news for its owner, and no reason to lock them out.
    /// Counted for ids that nobody has as well: both kinds cost the same (T27).
    fn note_spread(&self, guard: &Guard, id: &TokenId, record: Option<&TokenRecord>) {
        if let (true, Some(record)) = (guard.0.record_spread(id.as_str()), record) {
            tracing::warn!(
                target: "tower_mcp_auth::throttle",
                token = %id,
                organization = %record.organization(),
                failures = MANY,
                "one API token fails again and again, over all addresses: its id may have leaked, or \
                 programs have an old copy of it; its owner is not locked out"
            );
            self.tokens.on_record(AuditEvent::TokenFailing, record);
        }
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
}

/// The header that may carry a key.
pub(super) fn key_header(name: &str, problems: &mut Problems) -> Option<HeaderName> {
    match HeaderName::try_from(name) {
        Ok(header) if !RESERVED.contains(&header.as_str()) => Some(header),
        _ => {
            let remedy = "use a header of its own, e.g. x-api-key";
            problems.add("api_key_header", name, remedy);
            None
        }
    }
}

const NOT_OURS: &str = "This is not an API token of this server. Make one in your account settings, or connect with OAuth 2.1.";

/// Names the kind that was sent, and the scheme it is for.
fn wrong_scheme((kind, scheme): (&str, &str), message: &'static str) -> Need {
    Rejection::new(Reason::WrongSchemeForToken)
        .with_message(message)
        .with_detail("credential_kind", kind)
        .with_detail("expected_scheme", scheme)
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
