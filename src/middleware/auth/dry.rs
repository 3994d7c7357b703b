//! What the layer would do with a request, and nothing of it done: the same decisions in the same order.

use http::request::Parts;
use http::{Response, StatusCode};

use super::body::Unread;
use super::edge::{self, Edge};
use super::operation::{Caller, Decision, Next, by_body, unread};
use super::visit::{Stages, Visit, head_of};
use crate::authenticator::{Current, Head};
use crate::context::AuthContext;
use crate::rejection::Rejection;
use crate::response::{Alternatives, RequestFacts, render};
use crate::stage::{Stage, Track, Way};

/// What would become of a request.
#[derive(Debug)]
pub(crate) enum Foreseen {
    /// The layer itself would answer: with the metadata, or a preflight.
    Answered(StatusCode),
    Refused(Box<Rejection>, StatusCode),
    /// It would pass, as this party or as nobody.
    LetIn(Option<AuthContext>),
    /// Its message decides, which is not at hand. Of nobody: the refusal that is due unless the message
    /// asks for something public.
    Unread(Result<AuthContext, Box<Rejection>>),
}

/// All decisions of [`McpAuthLayer`](crate::McpAuthLayer), told to `track`.
pub(crate) async fn foresee(
    auth: &Current,
    parts: &Parts,
    message: Option<&[u8]>,
    track: &Track,
) -> Foreseen {
    let head = head_of(parts);
    let stages = Stages {
        edge: true,
        credential: true,
        operation: true,
    };
    let visit = Visit::by(auth.clone(), auth.changes(), stages, head);
    let way = Way::told_to(track);
    way.reach(Stage::Edge);
    match edge::judge(auth.resource(), head, &parts.uri) {
        None => {}
        Some(Edge::Document(document)) => return Foreseen::Answered(document.status()),
        Some(Edge::Preflight) => return Foreseen::Answered(StatusCode::NO_CONTENT),
        Some(Edge::Refused(rejection)) => return refused(auth, head, rejection),
    }
    let credential = auth.trace(head, visit.arrival, track).await;
    let (caller, next) = match visit.next(head, credential, way) {
        Ok(next) => next,
        Err(rejection) => return refused(auth, head, rejection),
    };
    let decision = match (next, message) {
        (Next::Decided(decision), _) => decision,
        (Next::Read(_), None) => return Foreseen::Unread(party(caller)),
        (Next::Read(limit), Some(message)) if message.len() > limit => {
            unread(Unread::TooLarge(limit), &caller)
        }
        (Next::Read(_), Some(message)) => by_body(auth, head.headers, message, &caller),
    };
    settled(auth, head, caller, decision)
}

fn party(caller: Caller) -> Result<AuthContext, Box<Rejection>> {
    match caller {
        Caller::Party(context) => Ok(context),
        Caller::Nobody(rejection) => Err(rejection),
    }
}

fn settled(auth: &Current, head: Head<'_>, caller: Caller, decision: Decision) -> Foreseen {
    if let Err(rejection) = decision.allowed {
        return refused(auth, head, *rejection);
    }
    let context = party(caller).ok();
    match auth.foresee_record(context.as_ref()) {
        Ok(()) => Foreseen::LetIn(context),
        Err(rejection) => refused(auth, head, rejection),
    }
}

/// A refusal with the status that it is rendered with.
fn refused(auth: &Current, head: Head<'_>, rejection: Rejection) -> Foreseen {
    let mut facts = RequestFacts::of(head.method, head.headers);
    facts.dpop = auth.tries_dpop(head);
    let alternatives = Alternatives::default();
    let answer: Response<_> = render(&rejection, auth.resource(), alternatives, &facts);
    Foreseen::Refused(Box::new(rejection), answer.status())
}
