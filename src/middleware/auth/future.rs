//! The future of [`McpAuth`](super::McpAuth).

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::service::{Begun, admit, refuse_request};
use crate::authenticator::{Authenticator, Opening};
use crate::context::AuthContext;
use crate::rejection::Rejection;
use crate::response::{Framing, ResponseBody};

type Decision = Pin<Box<dyn Future<Output = Result<AuthContext, Rejection>> + Send>>;

pin_project! {
    /// The response of [`McpAuth`](super::McpAuth): a refusal, or the inner service's.
    pub struct ResponseFuture<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, ReqBody, S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, ReqBody, F> {
        // Known already; taken when polled.
        Answered { answer: Option<Response<Bytes>> },
        // Let in.
        Inner { #[pin] future: F, opening: Option<Opening> },
        // Waiting for keys, holding the readied service and the request.
        Deciding { decision: Decision, waiting: Option<Waiting<S, ReqBody>> },
    }
}

/// What a request needs once it has been decided.
pub(super) struct Waiting<S, ReqBody> {
    pub(super) service: S,
    pub(super) request: Request<ReqBody>,
    pub(super) auth: Authenticator,
    pub(super) begun: Begun,
}

impl<S, ReqBody> ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(super) fn answered(answer: Response<Bytes>) -> Self {
        Self {
            state: State::Answered {
                answer: Some(answer),
            },
        }
    }

    pub(super) fn inner(future: S::Future, opening: Option<Opening>) -> Self {
        Self {
            state: State::Inner { future, opening },
        }
    }

    pub(super) fn deciding(decision: Decision, waiting: Waiting<S, ReqBody>) -> Self {
        Self {
            state: State::Deciding {
                decision,
                waiting: Some(waiting),
            },
        }
    }
}

impl<S, ReqBody, ResBody> Future for ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body<Data = Bytes>,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::Answered { answer } => {
                    // Polled again after completion: nothing is left to say.
                    let Some(answer) = answer.take() else {
                        return Poll::Pending;
                    };
                    return Poll::Ready(Ok(answer.map(ResponseBody::own)));
                }
                StateProj::Inner { future, opening } => {
                    let response = ready!(future.poll(cx))?;
                    return Poll::Ready(Ok(lease(response, opening.take())));
                }
                StateProj::Deciding { decision, waiting } => {
                    let decided = ready!(decision.as_mut().poll(cx));
                    let Some(waiting) = waiting.take() else {
                        return Poll::Pending;
                    };
                    state.set(waiting.proceed(decided));
                }
            }
        }
    }
}

/// A response that goes on ends with the credential that opened it (MCP-20); others pass untouched.
fn lease<B: Body<Data = Bytes>>(
    response: Response<B>,
    opening: Option<Opening>,
) -> Response<ResponseBody<B>> {
    match opening.zip(Framing::of(response.headers())) {
        Some((opening, framing)) => {
            response.map(|body| ResponseBody::leased(body, framing, opening))
        }
        None => response.map(ResponseBody::inner),
    }
}

impl<S, ReqBody> Waiting<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    fn proceed(mut self, decided: Result<AuthContext, Rejection>) -> State<S, ReqBody, S::Future> {
        match decided {
            Ok(context) => {
                let opening = admit(&mut self.request, context, &self.auth, self.begun);
                State::Inner {
                    future: self.service.call(self.request),
                    opening,
                }
            }
            Err(rejection) => {
                let answer =
                    refuse_request(&self.request, &rejection, &self.auth, self.begun.started);
                State::Answered {
                    answer: Some(answer),
                }
            }
        }
    }
}

impl<S, ReqBody> fmt::Debug for ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Answered { .. } => "answered",
            State::Inner { .. } => "inner",
            State::Deciding { .. } => "deciding",
        };
        f.debug_struct("ResponseFuture")
            .field("state", &state)
            .finish()
    }
}
