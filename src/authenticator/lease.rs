//! What ties a response that goes on to the credential that opened it (MCP-20).
//!
//! A request is judged once. A stream is looked at again whenever something is said to have changed
//! that may concern it, and once a minute for what nobody says: the write of another process that no log
//! tells of, a clock that was set, a credential that has become too old for its organization.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::FutureExt;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use pin_project_lite::pin_project;
use tokio::runtime::Handle;
use tokio::time::Sleep;

use super::carried::StillGood;
use super::decide::Proven;
use super::need::{Need, Waited, settle};
use super::sender::{Arrival, Sender};
use super::slot::Slot;
use super::{Authenticator, Current};
use crate::clock::UnixTime;
use crate::context::AuthContext;
use crate::jose::compact::is_token_shaped;
use crate::principal::Principal;
use crate::rejection::{Reason, Rejection};
use crate::secret::SecretText;
use crate::signal::{Causes, Watch};
use crate::wire::authorization::access_token;
use crate::wire::only_line;

/// How often a stream is looked at again when nothing is heard: with the freshness of a record it is
/// at most so much longer than a request that a stream outlives a change made elsewhere.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Wall time comes in whole seconds: in the last one a lease is looked at this often.
const LAST_SECOND: Duration = Duration::from_millis(250);

/// A party that was let in, and from where: what it takes to ask again.
#[derive(Clone)]
pub(crate) struct Opening {
    current: Current,
    /// Where newer settings will be: a reload makes none for a mount without an owner.
    _slot: Option<Arc<Slot>>,
    context: AuthContext,
    /// Whose response it is, as the newest settings, or the last answer about an opaque token, have it.
    principal: Principal,
    /// The token, if its issuer has to be asked about it again.
    opaque: Option<Arc<SecretText>>,
    sender: Sender,
    /// The generation of the signal before the party was judged.
    seen: u64,
}

impl Authenticator {
    /// Counts changes of anybody's standing, reloads among them. Read before judging what is to be
    /// leased, and before the settings are taken by which it is judged.
    pub(crate) fn changes(&self) -> u64 {
        self.0.ground.signal.generation()
    }

    /// How many responses are open that will end with the credential that opened them
    /// ([which](crate::middleware::auth#open-streams)): a gauge. One counts from the first time it
    /// has nothing to send.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        self.0.ground.signal.listeners()
    }
}

impl Current {
    /// Whether nothing can have changed since a party was let in: it is the same second, and nobody
    /// raised the signal.
    pub(crate) fn is_current(&self, context: &AuthContext, seen: u64) -> bool {
        let same_second = || self.0.ground.clock.now() == context.admitted_at();
        // The clock is the user's and may panic (R15): judging again says so.
        let same_second = catch_unwind(AssertUnwindSafe(same_second));
        self.changes() == seen && same_second.unwrap_or(false)
    }

    /// Counts changes, as [`Authenticator::changes`] does.
    pub(crate) fn changes(&self) -> u64 {
        self.0.ground.signal.generation()
    }

    /// The credential to be kept while the inner service works, for a response that goes on and has
    /// to ask about it again. Only what may be an opaque token: all others know their end themselves.
    pub(crate) fn keeps(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let asks = self.0.shared.close_streams && self.0.trust.introspectors().next().is_some();
        let mut line = asks
            .then(|| only_line(headers, &AUTHORIZATION).ok())??
            .cloned()?;
        line.set_sensitive(true);
        Some(line)
    }

    /// What a lease starts from; `None` if streams are left alone.
    pub(crate) fn opening(
        &self,
        arrival: Arrival,
        context: &AuthContext,
        kept: Option<&HeaderValue>,
        seen: u64,
    ) -> Option<Opening> {
        // Without a sender nobody was let in.
        let sender = arrival.sender.filter(|_| self.0.shared.close_streams)?;
        let opaque = kept.filter(|_| context.token().is_none());
        let opaque = opaque
            .and_then(access_token)
            .filter(|text| !is_token_shaped(text));
        Some(Opening {
            current: self.clone(),
            _slot: self.0.slot.upgrade(),
            context: context.clone(),
            principal: context.principal().clone(),
            opaque: opaque.map(|text| Arc::new(SecretText::new(text))),
            sender,
            seen,
        })
    }
}

impl Opening {
    fn ends_at(&self) -> UnixTime {
        if let Some(token) = self.context.token() {
            return token.ends_at();
        }
        self.current.0.ends_at(&self.principal)
    }

    /// Takes the newest settings, and judges by them what earlier ones let in. If there are any, says
    /// when the party ends by them.
    fn catch_up(&mut self, now: UnixTime) -> Result<Option<UnixTime>, Rejection> {
        let Some(newer) = self.current.newer() else {
            return Ok(None);
        };
        let mut party = Proven::of(&self.context, &self.principal);
        let accepted = newer.0.accept(&mut party, self.opaque.is_some(), now);
        accepted.map_err(|rejection| self.context.refused(rejection))?;
        self.principal = party.principal;
        let before = &self.current.0.shared.senders;
        self.sender = newer.0.shared.senders.again(self.sender, before);
        self.current = newer;
        Ok(Some(self.ends_at()))
    }

    /// Judged again, or what is needed for it.
    fn judge(&self, causes: Causes, waited: Waited) -> Result<StillGood, Need> {
        let asked = self.current.0.asked(&self.sender, waited);
        let party = Proven::of(&self.context, &self.principal);
        let opaque = self.opaque.as_deref();
        self.current.0.readmit((party, opaque), causes, asked)
    }
}

type Judged = Result<StillGood, Rejection>;

/// Judging again, while something is read for it.
struct Judging {
    causes: Causes,
    /// Whether nothing may pass until it is done: something is known to have changed.
    holds: bool,
    /// Never locked: the lock makes it `Sync`, and so the response bodies that hold it.
    future: Mutex<Pin<Box<dyn Future<Output = Judged> + Send>>>,
}

/// How a stream stands.
pub(crate) enum Verdict {
    /// It may go on.
    Good,
    /// Something has changed that may end it; nothing may pass before that is known.
    Undecided,
    Lapsed(Box<Rejection>),
}

pin_project! {
    /// The right to go on with a response. Dropping it is giving it back.
    pub(crate) struct Lease {
        opening: Opening,
        ends_at: UnixTime,
        watch: Watch,
        // When it was last looked at, by both clocks; the second only when everything was.
        now: UnixTime,
        looked_at: Option<Duration>,
        judging: Option<Judging>,
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl Lease {
    pub(crate) fn new(opening: Opening) -> Pin<Box<Self>> {
        let signal = &opening.current.0.ground.signal;
        let context = &opening.context;
        let topics = [
            Some(signal.topic(context.organization())),
            context
                .token()
                .and_then(|token| Some(signal.topic(token.id()?))),
        ];
        Box::pin(Self {
            ends_at: opening.ends_at(),
            watch: Watch::new(signal.clone(), topics, opening.seen),
            now: UnixTime::from_secs(0),
            looked_at: None,
            judging: None,
            sleep: None,
            opening,
        })
    }

    /// Whether the stream may go on. Never waits; what it lacks is being read when it answers
    /// [`Verdict::Undecided`], and wakes the task.
    pub(crate) fn look(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Verdict {
        // A clock or a store of the user's may panic (R15).
        let looked = catch_unwind(AssertUnwindSafe(|| self.as_mut().judge(cx)));
        match looked.unwrap_or_else(|_| Err(Reason::Internal.into())) {
            Ok(true) => Verdict::Good,
            Ok(false) => Verdict::Undecided,
            Err(rejection) => {
                self.record(&rejection);
                Verdict::Lapsed(Box::new(rejection))
            }
        }
    }

    /// Ready when it is to be looked at again. Called when there is nothing else to do, and so the
    /// first to set a timer.
    pub(crate) fn poll_change(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        this.watch.listen(cx.waker());
        if this.watch.has_news() {
            return Poll::Ready(());
        }
        if this.sleep.is_none() {
            // A timer needs tokio. Elsewhere time is looked at with every frame only.
            if Handle::try_current().is_err() {
                return Poll::Pending;
            }
            let wait = next_look(this.ends_at.since(*this.now));
            this.sleep.set(Some(tokio::time::sleep(wait)));
        }
        if let Some(sleep) = this.sleep.as_mut().as_pin_mut() {
            ready!(sleep.poll(cx));
        }
        this.sleep.set(None);
        Poll::Ready(())
    }

    /// Whether anything may pass.
    fn judge(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Result<bool, Rejection> {
        let mut this = self.as_mut().project();
        let clock = &this.opening.current.0.ground.clock;
        *this.now = clock.now();
        let since_start = clock.monotonic();
        let looked_at = *this.looked_at.get_or_insert(since_start);
        check_expiry(this.opening, *this.ends_at, *this.now)?;
        let mut causes = this.watch.news();
        let mut holds = !causes.is_empty();
        if since_start.saturating_sub(looked_at) >= LOOK_AGAIN {
            *this.looked_at = Some(since_start);
            causes |= Causes::ALL;
        }
        if !causes.is_empty() {
            if let Some(ends_at) = this.opening.catch_up(*this.now)? {
                *this.ends_at = ends_at;
                this.sleep.set(None);
            }
            if let Some(judging) = this.judging.take() {
                causes |= judging.causes;
                holds |= judging.holds;
            }
            match begin(this.opening, causes, holds)? {
                Begun::Judged(good) => self.as_mut().renew(good)?,
                Begun::Judging(judging) => *this.judging = Some(judging),
            }
        }
        self.finish(cx)
    }

    /// Ends what [`begin`] began.
    fn finish(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Result<bool, Rejection> {
        let this = self.as_mut().project();
        let Some(judging) = this.judging else {
            return Ok(true);
        };
        let future = judging
            .future
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let Poll::Ready(judged) = future.as_mut().poll(cx) else {
            return Ok(!judging.holds);
        };
        *this.judging = None;
        self.renew(judged?)?;
        Ok(true)
    }

    /// Goes on, perhaps not as long as before.
    fn renew(self: Pin<&mut Self>, good: StillGood) -> Result<(), Rejection> {
        let mut this = self.project();
        this.opening.principal = good.principal;
        if let Some(until) = good.until.filter(|until| until != this.ends_at) {
            *this.ends_at = until;
            this.sleep.set(None);
        }
        check_expiry(this.opening, *this.ends_at, *this.now)
    }

    fn record(&self, rejection: &Rejection) {
        let (reason, note) = (rejection.reason().code(), rejection.note());
        tracing::debug!(target: "tower_mcp_auth::stream", reason, note, "a response stream was ended");
        let Opening {
            current,
            context,
            sender,
            ..
        } = &self.opening;
        current
            .0
            .ground
            .audit_end(context, sender, rejection, self.now);
    }
}

fn check_expiry(opening: &Opening, ends_at: UnixTime, now: UnixTime) -> Result<(), Rejection> {
    if now < ends_at {
        return Ok(());
    }
    Err(match opening.context.token() {
        None => Reason::Expired.into(),
        Some(_) => Rejection::new(Reason::InvalidApiToken).with_note("expired or rolled away"),
    })
}

enum Begun {
    Judged(StillGood),
    Judging(Judging),
}

fn begin(opening: &Opening, causes: Causes, holds: bool) -> Result<Begun, Rejection> {
    let mut waited = Waited::default();
    let need = match opening.judge(causes, waited) {
        Ok(good) => return Ok(Begun::Judged(good)),
        Err(need) => need,
    };
    let wait = need.wait(&mut waited)?;
    let opening = opening.clone();
    let judged = settle(wait, waited, move |waited| opening.judge(causes, waited));
    let guarded = AssertUnwindSafe(judged).catch_unwind();
    let future = guarded.map(|judged| judged.unwrap_or_else(|_| Err(Reason::Internal.into())));
    Ok(Begun::Judging(Judging {
        causes,
        holds,
        future: Mutex::new(Box::pin(future)),
    }))
}

/// When to look again: in time for the end, and never too far off, because the wall clock may be set
/// and the machine may sleep.
fn next_look(remaining: Duration) -> Duration {
    let last = Duration::from_secs(1);
    if remaining <= last {
        LAST_SECOND
    } else {
        remaining.saturating_sub(last).min(LOOK_AGAIN)
    }
}
