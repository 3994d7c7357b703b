//! Decisions as operators see them: counted, measured, and each in its span (DESIGN.md, "Telemetry").

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;
use tracing::{Instrument, Span};

use super::slot::Current;
use super::{Arrival, Begin, Head};
use crate::audit::{AuditOperation, AuditText};
use crate::clock::Clock;
use crate::context::AuthContext;
use crate::method::AuthMethod;
use crate::rejection::{Reason, Rejection};
use crate::telemetry::{Decided, Limit, Meter, Outcome, span};

/// What is remembered of a decision for those who watch. Nothing for one that is made at once, unless a
/// subscriber takes level `DEBUG`.
#[derive(Debug, Default)]
pub(crate) struct Observation(Option<Box<Watched>>);

#[derive(Debug, Default)]
struct Watched {
    span: Option<Span>,
    waited: bool,
    /// Whom to tell if whoever asked goes away.
    left: Option<Left>,
    body_since: Option<Duration>,
    /// The client's time, not ours.
    body: Duration,
}

#[derive(Debug)]
struct Left {
    meter: Meter,
    clock: Arc<dyn Clock>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(left) = self.left.take() {
            left.meter.decided(Decided {
                method: None,
                outcome: Outcome::Abandoned,
                reason: None,
                took: None,
            });
        }
        // Taken out by a conclusion. The subscriber is foreign code (R15).
        if let Some(span) = self.span.take() {
            let record = || span.record("mcp_auth.outcome", Outcome::Abandoned.name());
            let _ = catch_unwind(AssertUnwindSafe(record));
        }
    }
}

impl Observation {
    fn watched(&mut self) -> &mut Watched {
        self.0.get_or_insert_default()
    }

    fn span(&self) -> Option<Span> {
        self.0.as_ref()?.span.clone()
    }

    /// Does something within the span, if there is one already.
    pub(crate) fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        match self.span() {
            Some(span) => span.in_scope(work),
            None => work(),
        }
    }

    fn keep(&mut self, span: Option<Span>) {
        if span.is_some() {
            self.watched().span = span;
        }
    }

    /// From now on the client's time is spent.
    pub(crate) fn body_begins(&mut self, auth: &Current) {
        if auth.0.ground.meter.is_on() {
            let watched = self.watched();
            watched.left.get_or_insert_with(|| auth.left());
            watched.body_since = watched.now();
        }
    }

    /// Until now.
    pub(crate) fn body_ends(&mut self) {
        if let Some(watched) = &mut self.0
            && let (Some(since), Some(now)) = (watched.body_since.take(), watched.now())
        {
            watched.body = watched.body.saturating_add(now.saturating_sub(since));
        }
    }
}

impl Watched {
    fn now(&self) -> Option<Duration> {
        monotonic(&*self.left.as_ref()?.clock)
    }
}

/// The clock is the user's and may panic (R15): then nothing is measured.
fn monotonic(clock: &dyn Clock) -> Option<Duration> {
    catch_unwind(AssertUnwindSafe(|| clock.monotonic())).ok()
}

/// How a decision ended, and about what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conclusion<'d> {
    pub(crate) head: Head<'d>,
    pub(crate) decision: Result<Option<&'d AuthContext>, &'d Rejection>,
    pub(crate) operation: Option<&'d AuditOperation>,
    pub(crate) arrival: Arrival,
}

impl Current {
    fn left(&self) -> Left {
        let ground = &self.0.ground;
        Left {
            meter: ground.meter.clone(),
            clock: ground.clock.clone(),
        }
    }

    /// Makes a decision in its span, and notes that it waits if it does.
    pub(crate) fn watch(
        &self,
        method: &http::Method,
        observation: &mut Observation,
        begin: impl FnOnce() -> Begin,
    ) -> Begin {
        let (answer, span) = span::deciding(method, observation.span(), begin);
        let Begin::Pending(decision) = answer else {
            observation.keep(span);
            return answer;
        };
        let span = span.or_else(|| span::late(method));
        observation.keep(span.clone());
        if self.0.ground.meter.is_on() || span.is_some() {
            let watched = observation.watched();
            watched.waited = true;
            if self.0.ground.meter.is_on() {
                watched.left.get_or_insert_with(|| self.left());
            }
        }
        match span {
            Some(span) => Begin::Pending(Box::pin(decision.instrument(span))),
            None => Begin::Pending(decision),
        }
    }

    /// Counts and measures a decision. What is left to say about it belongs into the span.
    pub(crate) fn conclude(&self, end: Conclusion<'_>, observation: &mut Observation) -> Span {
        let ground = &self.0.ground;
        let mut watched = observation.0.take();
        if let Some(watched) = &mut watched {
            watched.left = None;
        }
        let waited = watched.as_ref().is_some_and(|watched| watched.waited);
        if ground.meter.is_on() {
            let now = monotonic(&*ground.clock).unwrap_or(end.arrival.at);
            let body = watched.as_ref().map_or(Duration::ZERO, |some| some.body);
            let took = now.saturating_sub(end.arrival.at).saturating_sub(body);
            self.count(&end, (waited, took));
        }
        let span = watched.and_then(|mut watched| watched.span.take());
        let refused = end.decision.is_err();
        let span = span.or_else(|| refused.then(|| span::late(end.head.method)).flatten());
        match span {
            Some(span) => {
                self.describe(&span, &end, waited);
                span
            }
            None => Span::none(),
        }
    }

    fn count(&self, end: &Conclusion<'_>, took: (bool, Duration)) {
        let meter = &self.0.ground.meter;
        meter.decided(Decided {
            method: method_of(end),
            outcome: outcome_of(end.decision),
            reason: end.decision.err().map(Rejection::reason),
            took: Some(took),
        });
        let limit = end.decision.err().and_then(limit_of);
        if let Some(limit) = limit {
            meter.throttled(limit);
        }
    }

    fn describe(&self, span: &Span, end: &Conclusion<'_>, waited: bool) {
        span.record("mcp_auth.outcome", outcome_of(end.decision).name());
        span.record("mcp_auth.waited", waited);
        if let Some(method) = method_of(end) {
            span.record("mcp_auth.method", method.name());
        }
        if let Err(rejection) = end.decision {
            span.record("error.type", rejection.reason().code());
        }
        if let Some(operation) = end.operation {
            let method = span::known_mcp_method(operation.method());
            span.record("mcp.method.name", method);
        }
        if self.0.shared.span_user_data {
            describe_user(span, end);
        }
    }

    /// Counts a request that was let in and refused after all.
    pub(crate) fn conclude_withdrawn(&self, context: Option<&AuthContext>, rejection: &Rejection) {
        self.0.ground.meter.decided(Decided {
            method: context.map(AuthContext::method),
            outcome: Outcome::Withdrawn,
            reason: Some(rejection.reason()),
            took: None,
        });
    }
}

/// Safe to write, whatever an issuer has let people call themselves (T49).
fn describe_user(span: &Span, end: &Conclusion<'_>) {
    let party = match end.decision {
        Ok(context) => context.map(|context| (context.principal(), context.organization())),
        Err(rejection) => rejection
            .proven()
            .map(|(principal, organization, _)| (principal, organization)),
    };
    if let Some((principal, organization)) = party {
        let subject = AuditText::new(principal.subject());
        span.record("enduser.id", subject.as_str());
        let organization = AuditText::new(organization);
        span.record("mcp_auth.organization", organization.as_str());
    }
    let address = end.arrival.sender.and_then(|sender| sender.address);
    if let Some(address) = address {
        span.record("client.address", tracing::field::display(address));
    }
}

fn outcome_of(decision: Result<Option<&AuthContext>, &Rejection>) -> Outcome {
    match decision {
        Ok(_) => Outcome::Allowed,
        Err(rejection) if rejection.status().is_server_error() => Outcome::Unavailable,
        Err(_) => Outcome::Refused,
    }
}

/// How a request authenticated, or tried to as far as its form says.
fn method_of(end: &Conclusion<'_>) -> Option<AuthMethod> {
    let rejection = match end.decision {
        Ok(context) => return context.map(AuthContext::method),
        Err(rejection) => rejection,
    };
    if let Some((_, _, method)) = rejection.proven() {
        return Some(*method);
    }
    match rejection.reason() {
        Reason::MissingCredential | Reason::OriginNotAllowed | Reason::HostNotAllowed => None,
        reason => tried(reason, end.head),
    }
}

/// By the scheme, and where that is not enough by what is wrong.
fn tried(reason: Reason, head: Head<'_>) -> Option<AuthMethod> {
    let mut lines = head.headers.get_all(AUTHORIZATION).iter();
    let line = lines.next();
    let scheme = line.map(|line| line.as_bytes().split(|byte| *byte == b' ').next());
    let Some(scheme) = scheme.map(Option::unwrap_or_default) else {
        // Behind a layer that took the credential out, its party is who was refused.
        let party = head.extensions.get::<AuthContext>();
        return party.map(AuthContext::method);
    };
    let of_api_tokens = matches!(
        reason,
        Reason::InvalidApiToken
            | Reason::InsecureTransport
            | Reason::UnscopedToken
            | Reason::ApiTokenLacksScope
            | Reason::WrongSchemeForToken
            | Reason::TooManyFailures
            | Reason::StoreUnavailable
    );
    if scheme.eq_ignore_ascii_case(b"basic") {
        Some(AuthMethod::ApiToken)
    } else if scheme.eq_ignore_ascii_case(b"dpop") {
        Some(AuthMethod::OAuth)
    } else if scheme.eq_ignore_ascii_case(b"bearer") {
        Some(if of_api_tokens {
            AuthMethod::ServiceAccountKey
        } else {
            AuthMethod::OAuth
        })
    } else {
        None
    }
}

fn limit_of(rejection: &Rejection) -> Option<Limit> {
    if rejection.reason() != Reason::TooManyFailures {
        return None;
    }
    let limit = rejection.details().get("limit")?.as_str()?;
    Some(if limit.ends_with("_address") {
        Limit::Address
    } else {
        Limit::Credential
    })
}
