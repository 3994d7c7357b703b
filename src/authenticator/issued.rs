//! API tokens of our own: their records, and what was last heard of them.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::held::Held;
use super::need::{Asked, Need};
use super::remembered::Pins;
use super::tokens::{Guard, LIFETIME, UsedToken, serves};
use super::uses::Uses;
use crate::api_token::{
    ApiTokens, SecretAge, TokenChange, TokenChanges, TokenFault, TokenFormat, TokenId,
    TokenListener, TokenRecord,
};
use crate::audit::AuditEvent;
use crate::cache::{Known, Loader, Pinned};
use crate::clock::{Clock, UnixTime};
use crate::error::BackendError;
use crate::pulse::Vitals;
use crate::rejection::{Reason, Rejection};
use crate::signal::{Causes, Signal};
use crate::telemetry::{Cached, Call, Meter};
use crate::throttle::MANY;

/// Uses of a token are noted this far apart.
const NOTED: Duration = Duration::from_secs(60);

/// A record as it is cached: what a credential is compared with, and what it then stands for.
pub(super) struct Stored {
    record: TokenRecord,
    held: Arc<Held>,
    /// When its use was last thought of, in seconds of the wall clock.
    used_at: AtomicI64,
}

pub(super) type Record = Option<Arc<Stored>>;

/// The record a token was compared with, and which of its secrets it was: a roll ends them at
/// different times.
#[derive(Clone)]
pub(crate) struct UsedRecord {
    stored: Arc<Stored>,
    age: SecretAge,
}

impl UsedRecord {
    pub(super) fn id(&self) -> &TokenId {
        self.stored.record.id()
    }

    pub(super) fn ends_at(&self) -> UnixTime {
        let record = &self.stored.record;
        record.ends_at(self.age).unwrap_or(record.expires_at())
    }
}

/// What is needed to judge tokens of our own format.
pub(super) struct Issued {
    tokens: ApiTokens,
    records: Loader<TokenId, Record>,
    changes: Mutex<TokenChanges>,
    /// The writes seen so far, compared with the writes announced.
    seen: AtomicU64,
    /// Tokens whose use was noted within the last minute.
    noted: moka::sync::Cache<TokenId, ()>,
    uses: Uses,
    _listener: TokenListener,
}

impl Issued {
    pub(super) fn new(tokens: ApiTokens, clock: Arc<dyn Clock>, signal: &Arc<Signal>) -> Self {
        let store = tokens.clone();
        let signal = signal.clone();
        let listener = tokens.on_change(move |change| {
            let topic = match change {
                TokenChange::Token(id) => Some(signal.topic(id)),
                TokenChange::Everything => None,
            };
            signal.raise(Causes::TOKEN, topic);
        });
        Self {
            records: Loader::new(LIFETIME, serves, clock, move |id: TokenId| {
                let store = store.clone();
                async move {
                    let record = store.find(&id).await?;
                    // It would be refused anyhow; as an outage, because the token may be good.
                    if record.as_ref().is_some_and(|record| *record.id() != id) {
                        return Err(BackendError::new("the store answered with another token"));
                    }
                    Ok(record.map(|record| {
                        let held = Arc::new(Held::issued(&record, store.issuer()));
                        Arc::new(Stored {
                            record,
                            held,
                            used_at: AtomicI64::new(i64::MIN),
                        })
                    }))
                }
            }),
            changes: Mutex::new(tokens.subscribe()),
            seen: AtomicU64::new(tokens.writes()),
            noted: moka::sync::Cache::builder()
                .max_capacity(LIFETIME.capacity)
                .time_to_live(NOTED)
                .build(),
            uses: Uses::new(tokens.clone()),
            tokens,
            _listener: listener,
        }
    }

    /// How the store has answered lately, and how long records serve while it fails.
    pub(super) fn vitals(&self, now: Duration) -> (Vitals, Duration) {
        self.records.vitals(now)
    }

    pub(super) fn observe(&self, meter: &Meter) {
        let (cache, call) = (Cached::ApiTokens, Call::FindToken);
        self.records.observe(meter, cache, Some(call));
        self.uses.observe(meter);
    }

    #[cfg(feature = "metrics")]
    pub(super) fn report_entries(&self) {
        self.records.report_entries();
    }

    pub(super) fn flush(&self) {
        self.records.invalidate_all();
    }

    /// What the text of a token of ours looks like.
    pub(super) fn format(&self) -> &TokenFormat {
        self.tokens.format()
    }

    pub(super) fn token(
        &self,
        (text, email): (&str, Option<&str>),
        guard: &Guard,
        asked: Asked<'_>,
    ) -> Result<UsedToken, Need> {
        let sender = asked.sender;
        let presented = self.tokens.format().parse(text).map_err(|error| {
            // A damaged token never reaches the store; saying so tells nothing about any token.
            guard.failed(asked, None);
            Rejection::new(Reason::InvalidApiToken).with_note(error.to_string())
        })?;
        let id = presented.id();
        guard.check(sender, Some(id.as_str()))?;
        let record = self.record(None, id, asked)?;
        let found = record.as_deref().map(|stored| &stored.record);
        let judged = self.tokens.judge(found, &presented, email, asked.now);
        let age = judged.map_err(|fault: TokenFault| {
            guard.failed(asked, Some(id.as_str()));
            if !asked.way.is_told() {
                self.note_spread(guard, id, found);
            }
            Rejection::new(Reason::InvalidApiToken).with_note(format!("{fault:?}"))
        })?;
        // `judge` says yes only to a record.
        let stored = record.ok_or_else(|| Rejection::new(Reason::Internal))?;
        if !asked.way.is_told() {
            self.note_use(&stored, asked.now);
        }
        Ok(UsedToken {
            held: stored.held.clone(),
            issued: Some(UsedRecord { stored, age }),
        })
    }

    /// Until when a token serves that was presented before, by its record as it is now.
    pub(super) fn still_serves(
        &self,
        used: &UsedRecord,
        asked: Asked<'_>,
    ) -> Result<UnixTime, Need> {
        let before = &used.stored.record;
        self.record(None, before.id(), asked)?
            .and_then(|now| now.record.still_serves(before, used.age, asked.now))
            .ok_or_else(|| {
                Rejection::new(Reason::InvalidApiToken)
                    .with_note("revoked, expired or rolled away")
                    .into()
            })
    }

    /// Whether a token that was compared before would be found good again: by the same record, in
    /// time.
    pub(super) fn serves(
        &self,
        used: &UsedRecord,
        pins: &Pins,
        (guard, asked): (&Guard, Asked<'_>),
    ) -> Result<bool, Need> {
        let stored = &used.stored;
        guard.check(asked.sender, Some(used.id().as_str()))?;
        let record = self.record(Some(&pins.record), used.id(), asked)?;
        let same = record.is_some_and(|record| Arc::ptr_eq(&record, stored));
        let serves = same && asked.now < used.ends_at();
        if serves {
            self.note_use(stored, asked.now);
        }
        Ok(serves)
    }

    fn record(
        &self,
        pin: Option<&Pinned<Record>>,
        id: &TokenId,
        asked: Asked<'_>,
    ) -> Result<Record, Need> {
        self.forget_changed();
        let when = asked.when(asked.waited.record);
        match self.records.get(pin, || *id, when) {
            Known::Value(record) => Ok(record),
            Known::Wait(wait) => Err(Need::Record(wait)),
            Known::Unavailable { retry_after, cause } => {
                Err(Rejection::unavailable(Reason::StoreUnavailable, retry_after, cause).into())
            }
        }
    }

    /// `last_used`, at most once a minute for a token.
    fn note_use(&self, stored: &Stored, now: UnixTime) {
        let before = stored.used_at.load(Ordering::Relaxed);
        if now.as_secs().abs_diff(before) < NOTED.as_secs() {
            return;
        }
        stored.used_at.store(now.as_secs(), Ordering::Relaxed);
        let id = *stored.record.id();
        if self.noted.contains_key(&id) {
            return;
        }
        self.noted.insert(id, ());
        self.uses.note(id, now);
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

    /// Every write through `ApiTokens` of this process has been forgotten here when it returned, and
    /// every one of another process when it was read in the log.
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
