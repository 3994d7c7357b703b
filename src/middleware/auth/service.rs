//! The service all these layers make.

use std::mem;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::body::{Reading, RequestBody};
use super::edge::{self, Edge};
use super::future::ResponseFuture;
use super::refusal::{answer_preflight, without_body};
use super::visit::{Settled, Stages, Step, Visit, head};
use crate::authenticator::{Authenticator, Begin};
use crate::response::ResponseBody;

/// The service of [`McpAuthLayer`](crate::McpAuthLayer),
/// [`AuthenticateLayer`](crate::AuthenticateLayer) and
/// [`AuthorizeToolLayer`](crate::AuthorizeToolLayer).
///
/// Its error type is the inner service's: every refusal is a response. When everything needed is
/// in memory and no body has to be read, it decides in `call` and calls the inner service directly,
/// without a box and without cloning it.
#[derive(Clone, Debug)]
pub struct McpAuth<S> {
    inner: S,
    auth: Authenticator,
    stages: Stages,
}

impl<S> McpAuth<S> {
    pub(super) fn new(inner: S, auth: Authenticator, stages: Stages) -> Self {
        Self {
            inner,
            auth,
            stages,
        }
    }

    /// What is answered before any credential is looked at.
    fn answer_at_edge<B>(
        &self,
        request: &Request<B>,
        visit: &mut Visit,
    ) -> Option<Response<Bytes>> {
        if !self.stages.edge {
            return None;
        }
        Some(
            match edge::judge(visit.auth.resource(), head(request), request.uri())? {
                Edge::Document(document) => document,
                Edge::Preflight => answer_preflight(),
                Edge::Refused(rejection) => visit.refuse(head(request), &rejection, None),
            },
        )
    }

    /// The service that was polled ready, for a call to be made later. A clone takes its place
    /// (<https://docs.rs/tower-service>, "Be careful when cloning inner services").
    fn take_ready(&mut self) -> S
    where
        S: Clone,
    {
        let clone = self.inner.clone();
        mem::replace(&mut self.inner, clone)
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for McpAuth<S>
where
    S: Service<Request<RequestBody<ReqBody>>, Response = Response<ResBody>> + Clone,
    ReqBody: Body<Data = Bytes>,
    ResBody: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, ReqBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let mut visit = Visit::new(&self.auth, self.stages, head(&request));
        if let Some(answer) = self.answer_at_edge(&request, &mut visit) {
            return ResponseFuture::answered(without_body(answer, &request));
        }
        let credential = match visit.begin(head(&request)) {
            Begin::Decided(decision) => decision,
            Begin::Pending(decision) => {
                return ResponseFuture::deciding(decision, visit, request, self.take_ready());
            }
        };
        match visit.step(&request, credential) {
            Step::Settled(Settled::Answer(answer)) => {
                ResponseFuture::answered(without_body(answer, &request))
            }
            Step::Settled(Settled::Call(context, marks)) => {
                let mut request = visit.pass(request);
                let after = visit.enter(&mut request, context, marks);
                ResponseFuture::inner(self.inner.call(request), after)
            }
            Step::Read(caller, limit) => {
                let (parts, body) = request.into_parts();
                let reading = Reading::new(body, limit);
                ResponseFuture::reading(reading, caller, visit, parts, self.take_ready())
            }
        }
    }
}
