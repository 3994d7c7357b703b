//! One request on its way through the layer: what was decided, and what that means for it.

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};

use super::after::After;
use super::body::{Read, RequestBody, Unread};
use super::operation::{Caller, Decision, Next, by_body, by_head, unread};
use super::refusal::refuse;
use crate::audit::AuditOperation;
use crate::authenticator::{Arrival, Authenticator, Begin, Current, Head, Observation, Opening};
use crate::context::AuthContext;
use crate::rejection::{Reason, Rejection};
use crate::response::{RequestFacts, RequestMarks};
use crate::rpc::{BodyForm, body_form};
use crate::stage::{Stage, Way};

/// A proof of possession (RFC 9449 §4.1): part of the credential.
const DPOP: HeaderName = HeaderName::from_static("dpop");

/// What proxies say of a client's certificate (RFC 9440 §2).
const CLIENT_CERTIFICATES: [HeaderName; 2] = [
    HeaderName::from_static("client-cert"),
    HeaderName::from_static("client-cert-chain"),
];

/// Which decisions a layer makes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stages {
    /// Metadata, preflight, origin and host.
    pub(super) edge: bool,
    pub(super) credential: bool,
    pub(super) operation: bool,
}

/// What the decisions about one request have in common.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) auth: Current,
    pub(super) stages: Stages,
    pub(super) arrival: Arrival,
    /// Changes of anybody's standing up to then are in the decision.
    pub(super) changes: u64,
    pub(super) observation: Observation,
}

/// What to do next with a request.
pub(super) enum Step {
    Settled(Settled),
    /// Its body has to be read first, up to this many bytes.
    Read(Caller, usize),
}

/// The end of the decisions about a request.
pub(super) enum Settled {
    Answer(Response<Bytes>),
    /// It is let in, as this party or as nobody, and that is on record.
    Call(Option<AuthContext>, RequestMarks),
}

impl Visit {
    pub(super) fn new(auth: &Authenticator, stages: Stages, head: Head<'_>) -> Self {
        // In this order: a reload after it is a change.
        let changes = auth.changes();
        let auth = if stages.credential {
            auth.latest()
        } else {
            auth.as_outside(head.extensions.get())
        };
        Self::by(auth, changes, stages, head)
    }

    /// By these settings, whatever the newest are.
    pub(super) fn by(auth: Current, changes: u64, stages: Stages, head: Head<'_>) -> Self {
        Self {
            changes,
            arrival: auth.arrival(head),
            auth,
            stages,
            observation: Observation::default(),
        }
    }

    /// Judges the credential, or finds the party that was let in outside.
    pub(super) fn begin(&mut self, head: Head<'_>) -> Begin {
        if self.stages.credential {
            let begin = || self.auth.begin(head, self.arrival);
            return self.auth.watch(head.method, &mut self.observation, begin);
        }
        Begin::Decided(Self::admitted_outside(head))
    }

    /// The client went away before it had said what it asks for.
    pub(super) fn abandoned(&self, head: Head<'_>, caller: &Caller) {
        let context = match caller {
            Caller::Party(context) => Some(context),
            Caller::Nobody(_) => None,
        };
        if self.stages.credential {
            self.auth.audit_abandoned(head, context, self.arrival);
        }
    }

    /// What ties a response that goes on to the credential. Of an outer layer's party that layer
    /// takes care.
    pub(super) fn opening(
        &self,
        context: &AuthContext,
        kept: Option<&HeaderValue>,
    ) -> Option<Opening> {
        let opening = self.auth.opening(self.arrival, context, kept, self.changes);
        opening.filter(|_| self.stages.credential)
    }

    /// The party an outer [`AuthenticateLayer`](crate::AuthenticateLayer) let in.
    fn admitted_outside(head: Head<'_>) -> Result<AuthContext, Rejection> {
        let context = head.extensions.get::<AuthContext>().cloned();
        context.ok_or_else(|| {
            Rejection::new(Reason::Internal)
                .with_note("AuthorizeToolLayer is not inside AuthenticateLayer")
        })
    }

    /// Who asks, by the decision about the credential.
    pub(super) fn caller(credential: Result<AuthContext, Rejection>) -> Result<Caller, Rejection> {
        match credential {
            Ok(context) => Ok(Caller::Party(context)),
            // Whoever sends a bad credential learns that, even where none is needed.
            Err(rejection) if rejection.reason() == Reason::MissingCredential => {
                Ok(Caller::Nobody(Box::new(rejection)))
            }
            Err(rejection) => Err(rejection),
        }
    }

    /// From the decision about the credential to the next step.
    pub(super) fn step<B>(
        &mut self,
        request: &Request<B>,
        credential: Result<AuthContext, Rejection>,
    ) -> Step {
        let head = head(request);
        match self.next(head, credential, Way::default()) {
            Err(rejection) => Step::Settled(self.refused(head, &rejection)),
            Ok((caller, Next::Read(limit))) => Step::Read(caller, limit),
            Ok((caller, Next::Decided(decision))) => {
                Step::Settled(self.settle(head, caller, decision))
            }
        }
    }

    /// Who asks, and what is left to do; or why that does not matter.
    pub(super) fn next(
        &self,
        head: Head<'_>,
        credential: Result<AuthContext, Rejection>,
        way: Way<'_>,
    ) -> Result<(Caller, Next), Rejection> {
        let caller = Self::caller(credential)?;
        way.reach(Stage::Session);
        self.check_session(head.headers, &caller)?;
        way.reach(Stage::Operation);
        let next = if self.stages.operation {
            by_head(&self.auth, head.method, head.headers, &caller)
        } else {
            Next::Decided(Decision::of(&caller))
        };
        Ok((caller, next))
    }

    /// Judges the operation by the whole body.
    pub(super) fn decide_by_body(
        &self,
        parts: &Parts,
        read: &Result<Read, Unread>,
        caller: &Caller,
    ) -> Decision {
        match read {
            Ok(read) => by_body(&self.auth, &parts.headers, read.bytes(), caller),
            Err(fault) => unread(*fault, caller),
        }
    }

    /// Puts the decision on record, and says what the outcome is.
    pub(super) fn settle(&mut self, head: Head<'_>, caller: Caller, decision: Decision) -> Settled {
        if let Err(rejection) = decision.allowed {
            return Settled::Answer(self.refuse(head, &rejection, decision.operation));
        }
        let context = match caller {
            Caller::Party(context) => Some(context),
            Caller::Nobody(_) => None,
        };
        let mut marks =
            RequestMarks::of(head.method, head.headers).with_dpop(self.auth.tries_dpop(head));
        // Where only the operation is judged, an outer layer has recorded that the party is let in.
        if self.stages.credential
            && let Err(rejection) = self.admit(
                head,
                context.as_ref(),
                decision.operation.as_ref(),
                &mut marks,
            )
        {
            return Settled::Answer(refuse(&rejection, &self.auth, &marks.facts()));
        }
        Settled::Call(context, marks)
    }

    fn refused(&mut self, head: Head<'_>, rejection: &Rejection) -> Settled {
        Settled::Answer(self.refuse(head, rejection, None))
    }

    /// A refusal on record, in the log, and as a response.
    pub(super) fn refuse(
        &mut self,
        head: Head<'_>,
        rejection: &Rejection,
        operation: Option<AuditOperation>,
    ) -> Response<Bytes> {
        let mut facts = RequestFacts::of(head.method, head.headers);
        facts.dpop = self.auth.tries_dpop(head);
        let span = self.conclude(head, Err(rejection), operation.as_ref());
        let request_id = Some(facts.request_id.as_str());
        span.in_scope(|| {
            self.auth
                .audit(head, rejection, operation, request_id, self.arrival);
            refuse(rejection, &self.auth, &facts)
        })
    }

    /// A handler asked for more than the credential has: on record, and as the challenge.
    pub(super) fn step_up(
        &self,
        context: Option<&AuthContext>,
        rejection: &Rejection,
        facts: &RequestFacts,
    ) -> Response<Bytes> {
        self.auth.conclude_withdrawn(context, rejection);
        self.auth
            .audit_withdrawn(rejection, &facts.request_id, self.arrival);
        refuse(rejection, &self.auth, facts)
    }

    /// The request as it came. What was taken for no message must not turn out to be one.
    pub(super) fn pass<B>(&self, request: Request<B>) -> Request<RequestBody<B>> {
        let judged = self.judges_operations();
        let form = || body_form(request.method(), request.headers());
        if judged && form() == Ok(BodyForm::Other) {
            request.map(RequestBody::other)
        } else {
            request.map(RequestBody::untouched)
        }
    }

    fn judges_operations(&self) -> bool {
        self.stages.operation && self.auth.tool_rules().is_some()
    }

    /// Puts the evidence in, and takes the credential out (MCP-21).
    pub(super) fn enter<B>(
        self,
        request: &mut Request<B>,
        context: Option<AuthContext>,
        marks: RequestMarks,
    ) -> After {
        let kept = self.auth.keeps(request.headers());
        let key_header = self.auth.api_key_header();
        let by_key_header = key_header.is_some_and(|name| request.headers().contains_key(name));
        self.take_credential(request.headers_mut());
        self.unseal_session(request.headers_mut(), context.as_ref());
        // What would be said in another protocol is no message that could be judged (T36).
        if self.judges_operations() {
            request.headers_mut().remove(header::UPGRADE);
        }
        // Replaces whatever an outer layer may have put there under our type.
        match &context {
            Some(context) => drop(request.extensions_mut().insert(context.clone())),
            None => drop(request.extensions_mut().remove::<AuthContext>()),
        }
        // For a layer inside that judges the operation.
        if self.stages.credential && !self.stages.operation {
            request.extensions_mut().insert(self.auth.let_in_by());
        }
        After::new(self, context, marks, (kept, by_key_header))
    }

    fn take_credential(&self, headers: &mut HeaderMap) {
        if self.auth.drops_client_cert(self.arrival) {
            for name in CLIENT_CERTIFICATES {
                headers.remove(name);
            }
        }
        for name in [
            Some(AUTHORIZATION),
            Some(DPOP),
            self.auth.api_key_header().cloned(),
        ]
        .into_iter()
        .flatten()
        {
            if !self.auth.forwards_credential() {
                headers.remove(name);
            } else if let header::Entry::Occupied(mut lines) = headers.entry(name) {
                lines.iter_mut().for_each(|line| line.set_sensitive(true));
            }
        }
    }
}

/// What a decision looks at.
pub(super) fn head<B>(request: &Request<B>) -> Head<'_> {
    Head {
        method: request.method(),
        path: request.uri().path(),
        headers: request.headers(),
        extensions: request.extensions(),
    }
}

/// The same, of a request whose body has been taken out.
pub(super) fn head_of(parts: &Parts) -> Head<'_> {
    Head {
        method: &parts.method,
        path: parts.uri.path(),
        headers: &parts.headers,
        extensions: &parts.extensions,
    }
}
