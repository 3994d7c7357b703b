//! The API-token half of a decision.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use super::foreign::{self, Foreign};
use super::held::Held;
use super::issued::{Issued, UsedRecord};
use super::need::{Asked, Need};
use super::remembered::Pins;
use super::sender::Sender;
use crate::api_token::{FormatError, TokenId, TokenKind};
use crate::cache::Lifetime;
use crate::clock::UnixTime;
use crate::error::Problems;
use crate::rejection::{Reason, Rejection};
use crate::stage::Stage;
use crate::throttle::{Throttle, Throttled};
use crate::wire::basic::read_basic;

/// A record serves 30 s without asking its store again, and 30 s more while that fails: the 60 s for
/// which a token outlives the last proof that its store agrees (R19).
pub(super) const LIFETIME: Lifetime = Lifetime {
    fresh: Duration::from_secs(30),
    stale: Duration::from_secs(30),
    deadline: Duration::from_millis(500),
    capacity: 50_000,
};

/// How long what a store said serves. That there is no such token, for less, so that a new one works
/// soon everywhere (threats §3.4); and not while the store fails: it may have been created since.
#[expect(clippy::ref_option, reason = "the signature the loader asks for")]
pub(super) fn serves<T>(found: &Option<T>, lifetime: Lifetime) -> (Duration, Duration) {
    match found {
        Some(_) => (lifetime.fresh, lifetime.stale),
        None => (Duration::from_secs(2), Duration::ZERO),
    }
}

/// Headers that mean something else already, and so can carry no API key.
const RESERVED: [&str; 6] = [
    "authorization",
    "cookie",
    "connection",
    "host",
    "origin",
    "dpop",
];

/// An API token as it was when it was presented.
#[derive(Clone)]
pub(crate) struct UsedToken {
    pub(super) held: Arc<Held>,
    /// What is known of a token of ours. A foreign one cannot be asked about again: its text is gone.
    pub(super) issued: Option<UsedRecord>,
}

impl UsedToken {
    /// When it ends, as far as known when it was presented.
    pub(super) fn ends_at(&self) -> UnixTime {
        let record = self.issued.as_ref();
        record.map_or(self.held.principal.expires_at(), UsedRecord::ends_at)
    }

    /// The token whose changes end it.
    pub(super) fn id(&self) -> Option<&TokenId> {
        self.issued.as_ref().map(UsedRecord::id)
    }
}

/// What is needed to judge API tokens, ours and foreign ones.
pub(super) struct Tokens {
    pub(super) issued: Option<Arc<Issued>>,
    pub(super) foreign: Option<Arc<Foreign>>,
    pub(super) guard: Guard,
    pub(super) header: Option<HeaderName>,
}

/// Slows down those who fail.
#[derive(Clone)]
pub(super) struct Guard(pub(super) Arc<Throttle>);

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

    /// Counts a failure, unless it is only explained.
    pub(super) fn failed(&self, asked: Asked<'_>, id: Option<&str>) {
        if !asked.way.is_told() {
            self.0.record_failure(asked.sender.address, id);
        }
    }
}

impl Tokens {
    /// Whose API token a credential is, if anybody's.
    pub(super) fn claim(&self, credential: &str) -> Result<Option<Claim<'_>>, foreign::Quarrel> {
        if let Some(issued) = &self.issued
            && let Some(kind) = issued.format().recognise(credential)
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
        let parsed = self.issued.as_ref()?.format().parse(credential);
        Some(*parsed.ok()?.id())
    }

    /// Until when a token serves that was presented before; `None` if nobody can be asked again.
    pub(super) fn still_serves(
        &self,
        used: &UsedToken,
        asked: Asked<'_>,
    ) -> Result<Option<UnixTime>, Need> {
        match (&self.issued, &used.issued) {
            (Some(issued), Some(record)) => issued.still_serves(record, asked).map(Some),
            _ => Ok(None),
        }
    }

    /// Whether a remembered token would be found good again. What comes before a look at it when it
    /// is new comes before this too.
    pub(super) fn serves(
        &self,
        used: &UsedToken,
        pins: &Pins,
        asked: Asked<'_>,
    ) -> Result<bool, Need> {
        let (Some(issued), Some(record)) = (&self.issued, &used.issued) else {
            return Ok(false);
        };
        self.guard.check(asked.sender, None)?;
        if asked.sender.in_the_clear {
            return Err(Rejection::new(Reason::InsecureTransport).into());
        }
        issued.serves(record, pins, (&self.guard, asked))
    }

    /// A personal API token: `Basic base64(email:api_token)`.
    pub(super) fn basic(&self, credential: &str, asked: Asked<'_>) -> Result<UsedToken, Need> {
        asked.way.reach(Stage::ApiToken);
        // Guessing is slowed down before anything is decoded.
        self.guard.check(asked.sender, None)?;
        let basic = read_basic(credential).map_err(|fault| {
            self.guard.failed(asked, None);
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
    ) -> Result<UsedToken, Need> {
        asked.way.reach(Stage::ApiToken);
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
    ) -> Result<UsedToken, Need> {
        if asked.sender.in_the_clear {
            return Err(Rejection::new(Reason::InsecureTransport).into());
        }
        match claim {
            Some(Claim::Ours(issued, _)) => issued.token(presented, &self.guard, asked),
            Some(Claim::Foreign(foreign, claim)) => {
                let held = foreign.token(claim, presented, &self.guard, asked)?;
                Ok(UsedToken { held, issued: None })
            }
            None => {
                self.guard.failed(asked, None);
                let rejection = Rejection::new(Reason::InvalidApiToken);
                let rejection = rejection.with_note(FormatError::NotOurs.to_string());
                Err(rejection.with_detail("hint", NOT_OURS).into())
            }
        }
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
