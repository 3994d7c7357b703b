//! The future of [`McpAuth`](super::McpAuth).

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::after::After;
use super::body::{Read, Reading, RequestBody, Unread};
use super::operation::Caller;
use super::refusal::{closing, without_body};
use super::visit::{Settled, Step, Visit, head_of};
use crate::authenticator::Begin;
use crate::context::AuthContext;
use crate::rejection::Rejection;
use crate::response::ResponseBody;

type Decision = Pin<Box<dyn Future<Output = Result<AuthContext, Rejection>> + Send>>;

pin_project! {
    /// The response of [`McpAuth`](super::McpAuth): a refusal, or the inner service's.
    pub struct ResponseFuture<S, ReqBody>
    where
        S: Service<Request<RequestBody<ReqBody>>>,
    {
        #[pin]
        state: State<S, ReqBody, S::Future>,
    }

    impl<S, ReqBody> PinnedDrop for ResponseFuture<S, ReqBody>
    where
        S: Service<Request<RequestBody<ReqBody>>>,
    {
        fn drop(this: Pin<&mut Self>) {
            if let StateProj::Reading { waiting: Some(waiting), .. } =
                this.project().state.project()
            {
                let (waiting, caller) = &**waiting;
                waiting.visit.abandoned(head_of(&waiting.request), caller);
            }
        }
    }
}

pin_project! {
    // What waits is boxed: a future is moved several times, and most never wait.
    #[project = StateProj]
    enum State<S, ReqBody, F> {
        // Known already; taken when polled.
        Answered { answer: Option<Response<Bytes>> },
        // Let in.
        Inner { #[pin] future: F, after: Option<After> },
        // Waiting for keys or records.
        Deciding { decision: Decision, waiting: Option<Box<Waiting<S, Request<ReqBody>>>> },
        // Waiting for the body.
        Reading { #[pin] reading: Reading<ReqBody>, waiting: Option<Box<(Waiting<S, Parts>, Caller)>> },
        // The body took its time: waiting for keys or records once more.
        Again { decision: Decision, waiting: Option<Box<(Waiting<S, Parts>, Result<Read, Unread>)>> },
    }
}

/// A request that waits, with the service that was polled ready for it.
struct Waiting<S, R> {
    visit: Visit,
    request: R,
    service: S,
}

impl<S, ReqBody> ResponseFuture<S, ReqBody>
where
    S: Service<Request<RequestBody<ReqBody>>>,
{
    fn new(state: State<S, ReqBody, S::Future>) -> Self {
        Self { state }
    }

    pub(super) fn answered(answer: Response<Bytes>) -> Self {
        Self::new(State::answered(answer))
    }

    pub(super) fn inner(future: S::Future, after: After) -> Self {
        Self::new(State::inner(future, after))
    }

    pub(super) fn deciding(
        decision: Decision,
        visit: Visit,
        request: Request<ReqBody>,
        service: S,
    ) -> Self {
        let waiting = Waiting {
            visit,
            request,
            service,
        };
        Self::new(State::Deciding {
            decision,
            waiting: Some(Box::new(waiting)),
        })
    }

    pub(super) fn reading(
        reading: Reading<ReqBody>,
        caller: Caller,
        visit: Visit,
        request: Parts,
        service: S,
    ) -> Self {
        let waiting = Waiting {
            visit,
            request,
            service,
        };
        Self::new(State::reading(reading, caller, waiting))
    }
}

impl<S, ReqBody, F> State<S, ReqBody, F> {
    fn answered(answer: Response<Bytes>) -> Self {
        Self::Answered {
            answer: Some(answer),
        }
    }

    fn inner(future: F, after: After) -> Self {
        Self::Inner {
            future,
            after: Some(after),
        }
    }

    fn reading(reading: Reading<ReqBody>, caller: Caller, mut waiting: Waiting<S, Parts>) -> Self {
        waiting.visit.reads_body();
        Self::Reading {
            reading,
            waiting: Some(Box::new((waiting, caller))),
        }
    }
}

impl<S, ReqBody, ResBody> Future for ResponseFuture<S, ReqBody>
where
    S: Service<Request<RequestBody<ReqBody>>, Response = Response<ResBody>>,
    ReqBody: Body<Data = Bytes>,
    ResBody: Body<Data = Bytes>,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                // In every state: polled again after completion, nothing is left to say.
                StateProj::Answered { answer } => {
                    let Some(answer) = answer.take() else {
                        return Poll::Pending;
                    };
                    return Poll::Ready(Ok(answer.map(ResponseBody::own)));
                }
                StateProj::Inner { future, after } => {
                    let response = ready!(future.poll(cx))?;
                    let Some(after) = after.take() else {
                        return Poll::Pending;
                    };
                    return Poll::Ready(Ok(after.finish(response)));
                }
                StateProj::Deciding { decision, waiting } => {
                    let credential = ready!(decision.as_mut().poll(cx));
                    let Some(waiting) = waiting.take() else {
                        return Poll::Pending;
                    };
                    waiting.decided(credential)
                }
                StateProj::Reading { reading, waiting } => {
                    let read = ready!(reading.poll_read(cx));
                    let Some((waiting, caller)) = waiting.take().map(|waiting| *waiting) else {
                        return Poll::Pending;
                    };
                    waiting.read(read, caller)
                }
                StateProj::Again { decision, waiting } => {
                    let credential = ready!(decision.as_mut().poll(cx));
                    let Some((waiting, read)) = waiting.take().map(|waiting| *waiting) else {
                        return Poll::Pending;
                    };
                    waiting.decided_again(credential, read)
                }
            };
            state.set(next);
        }
    }
}

impl<S, ReqBody> Waiting<S, Request<ReqBody>>
where
    S: Service<Request<RequestBody<ReqBody>>>,
    ReqBody: Body<Data = Bytes>,
{
    /// The credential is known to be good or bad.
    fn decided(
        mut self,
        credential: Result<AuthContext, Rejection>,
    ) -> State<S, ReqBody, S::Future> {
        match self.visit.step(&self.request, credential) {
            Step::Settled(Settled::Answer(answer)) => {
                State::answered(without_body(answer, &self.request))
            }
            Step::Settled(Settled::Call(context, marks)) => {
                let mut request = self.visit.pass(self.request);
                let after = self.visit.enter(&mut request, context, marks);
                State::inner(self.service.call(request), after)
            }
            Step::Read(caller, limit) => {
                let (request, body) = self.request.into_parts();
                let waiting = Waiting {
                    visit: self.visit,
                    request,
                    service: self.service,
                };
                State::reading(Reading::new(body, limit), caller, waiting)
            }
        }
    }
}

impl<S> Waiting<S, Parts> {
    /// The body is at hand, or never will be.
    fn read<ReqBody>(
        mut self,
        read: Result<Read, Unread>,
        caller: Caller,
    ) -> State<S, ReqBody, S::Future>
    where
        S: Service<Request<RequestBody<ReqBody>>>,
    {
        self.visit.has_body();
        match self.visit.begin_again(&self.request, &caller) {
            None => self.decide(read, caller),
            Some(Begin::Decided(credential)) => self.decided_again(credential, read),
            Some(Begin::Pending(decision)) => State::Again {
                decision,
                waiting: Some(Box::new((self, read))),
            },
        }
    }

    /// The credential is still good, or no longer.
    fn decided_again<ReqBody>(
        mut self,
        credential: Result<AuthContext, Rejection>,
        read: Result<Read, Unread>,
    ) -> State<S, ReqBody, S::Future>
    where
        S: Service<Request<RequestBody<ReqBody>>>,
    {
        match Visit::caller(credential) {
            Ok(caller) => self.decide(read, caller),
            Err(rejection) => {
                let head = head_of(&self.request);
                let answer = self.visit.refuse(head, &rejection, None);
                State::answered(match read {
                    Ok(_) => answer,
                    Err(_) => closing(answer, self.request.version),
                })
            }
        }
    }

    /// Judges the operation.
    fn decide<ReqBody>(
        mut self,
        read: Result<Read, Unread>,
        caller: Caller,
    ) -> State<S, ReqBody, S::Future>
    where
        S: Service<Request<RequestBody<ReqBody>>>,
    {
        let decision = self.visit.decide_by_body(&self.request, &read, &caller);
        match self.visit.settle(head_of(&self.request), caller, decision) {
            Settled::Call(context, marks) => {
                let body = RequestBody::read(read.unwrap_or_default());
                let mut request = Request::from_parts(self.request, body);
                let after = self.visit.enter(&mut request, context, marks);
                State::inner(self.service.call(request), after)
            }
            Settled::Answer(answer) if read.is_err() => {
                State::answered(closing(answer, self.request.version))
            }
            Settled::Answer(answer) => State::answered(answer),
        }
    }
}

impl<S, ReqBody> fmt::Debug for ResponseFuture<S, ReqBody>
where
    S: Service<Request<RequestBody<ReqBody>>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Answered { .. } => "answered",
            State::Inner { .. } => "inner",
            State::Deciding { .. } => "deciding",
            State::Reading { .. } => "reading",
            State::Again { .. } => "deciding again",
        };
        f.debug_struct("ResponseFuture")
            .field("state", &state)
            .finish()
    }
}
