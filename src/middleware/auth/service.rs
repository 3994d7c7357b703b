//! The service both layers make.

use std::mem;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use tower_service::Service;

use super::future::{ResponseFuture, Waiting};
use crate::authenticator::{Authenticator, Begin, Head, Opening};
use crate::context::AuthContext;
use crate::middleware::{metadata, origin};
use crate::rejection::Rejection;
use crate::resource::Resource;
use crate::response::{RequestFacts, ResponseBody, render};

/// A proof of possession (RFC 9449 §4.1): part of the credential.
const DPOP: HeaderName = HeaderName::from_static("dpop");

/// The service of [`McpAuthLayer`](crate::McpAuthLayer) and
/// [`AuthenticateLayer`](crate::AuthenticateLayer).
///
/// Its error type is the inner service's: every refusal is a response. When everything needed is
/// in memory it decides in `call` and calls the inner service directly, without a box and without
/// cloning it.
#[derive(Clone, Debug)]
pub struct McpAuth<S> {
    inner: S,
    auth: Authenticator,
    /// Whether metadata, preflight, origin and host are handled here too.
    edge: bool,
}

impl<S> McpAuth<S> {
    pub(super) fn new(inner: S, auth: Authenticator, edge: bool) -> Self {
        Self { inner, auth, edge }
    }

    /// What is answered before any credential is looked at.
    fn answer_at_edge<B>(&self, request: &Request<B>) -> Option<Response<Bytes>> {
        if !self.edge {
            return None;
        }
        let resource = self.auth.resource();
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        if let Some(document) =
            metadata::answer(std::slice::from_ref(resource), method, uri, headers)
        {
            return Some(document);
        }
        if origin::is_preflight(method, headers) {
            return Some(answer_preflight());
        }
        let rejection = origin::judge(resource, uri, headers).err()?;
        Some(refuse_request(
            request,
            &rejection,
            &self.auth,
            self.auth.started(),
        ))
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for McpAuth<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ResBody: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, ReqBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        if let Some(answer) = self.answer_at_edge(&request) {
            return ResponseFuture::answered(answer);
        }
        let begun = Begun::now(&self.auth);
        match self.auth.begin(head(&request)) {
            Begin::Decided(Ok(context)) => {
                let opening = admit(&mut request, context, &self.auth, begun);
                ResponseFuture::inner(self.inner.call(request), opening)
            }
            Begin::Decided(Err(rejection)) => {
                let started = begun.started;
                ResponseFuture::answered(refuse_request(&request, &rejection, &self.auth, started))
            }
            Begin::Pending(decision) => {
                // The clone takes this service's place; the one that was polled ready goes with
                // the request (https://docs.rs/tower-service, "Be careful when cloning inner
                // services").
                let clone = self.inner.clone();
                let ready = mem::replace(&mut self.inner, clone);
                let waiting = Waiting {
                    service: ready,
                    request,
                    auth: self.auth.clone(),
                    begun,
                };
                ResponseFuture::deciding(decision, waiting)
            }
        }
    }
}

/// What a decision looks at.
fn head<B>(request: &Request<B>) -> Head<'_> {
    Head {
        method: request.method(),
        path: request.uri().path(),
        headers: request.headers(),
        extensions: request.extensions(),
    }
}

/// Where things stood when a decision began.
#[derive(Clone, Copy)]
pub(super) struct Begun {
    pub(super) started: Duration,
    /// Changes up to then are in the decision.
    generation: u64,
}

impl Begun {
    fn now(auth: &Authenticator) -> Self {
        Self {
            started: auth.started(),
            generation: auth.generation(),
        }
    }
}

/// Puts the evidence in and takes the credential out (MCP-21). What it returns ties the response to
/// the credential, should it go on.
pub(super) fn admit<B>(
    request: &mut Request<B>,
    context: AuthContext,
    auth: &Authenticator,
    begun: Begun,
) -> Option<Opening> {
    let opening = auth.opening(head(request), &context, begun.generation);
    let id = auth
        .audits()
        .then(|| RequestFacts::of(request.method(), request.headers()).request_id);
    auth.audit(head(request), Ok(&context), id.as_deref(), begun.started);
    for name in [
        Some(AUTHORIZATION),
        Some(DPOP),
        auth.api_key_header().cloned(),
    ]
    .into_iter()
    .flatten()
    {
        if !auth.forwards_credential() {
            request.headers_mut().remove(name);
        } else if let header::Entry::Occupied(mut lines) = request.headers_mut().entry(name) {
            lines.iter_mut().for_each(|line| line.set_sensitive(true));
        }
    }
    // Replaces whatever an outer layer may have put there under our type.
    request.extensions_mut().insert(context);
    opening
}

/// A request refused by its credential: on record, in the log, and as a response.
pub(super) fn refuse_request<B>(
    request: &Request<B>,
    rejection: &Rejection,
    auth: &Authenticator,
    started: Duration,
) -> Response<Bytes> {
    let facts = RequestFacts::of(request.method(), request.headers());
    auth.audit(
        head(request),
        Err(rejection),
        Some(&facts.request_id),
        started,
    );
    refuse(rejection, auth.resource(), &facts)
}

/// Logs a refusal for the operator and renders it for the client.
fn refuse(rejection: &Rejection, resource: &Resource, facts: &RequestFacts) -> Response<Bytes> {
    let (reason, note) = (rejection.reason().code(), rejection.note());
    let request_id = &facts.request_id;
    if let Some(cause) = rejection.cause() {
        tracing::warn!(reason, %request_id, cause = cause.report(), "request refused: a backend is out of reach");
    } else if rejection.status().is_server_error() {
        tracing::error!(reason, %request_id, note, "request refused: internal failure");
    } else {
        tracing::debug!(reason, %request_id, note, "request refused");
    }
    render(rejection, resource, facts)
}

/// A preflight asks about headers, never for data, and carries no credential (Fetch). It is
/// answered here rather than passed on, so that no inner service can be made to run by one. The
/// browser gets its permission from a CORS layer outside; without one it reports a CORS error.
fn answer_preflight() -> Response<Bytes> {
    tracing::debug!(
        "a CORS preflight reached McpAuthLayer: put cors() outside it for browser clients"
    );
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let methods = [
        Method::GET,
        Method::POST,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
    ];
    let allow = methods.map(|method| method.to_string()).join(", ");
    if let Ok(allow) = HeaderValue::try_from(allow) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}
