//! One handler, reached over a socket or in process.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tower_service::Service;

use super::answer;
use super::authorize;
use super::clients;
use super::documents::{self, Discovery};
use super::exchange;
use super::faults::{Endpoint, TestBody, whole};
use super::introspect;
use super::state::State;
use crate::error::BoxError;

/// No honest request is longer.
const BODY_LIMIT: usize = 64 * 1024;

/// A listening socket that closes, with all its connections, when this is dropped.
pub(super) struct Server {
    address: SocketAddr,
    task: AbortHandle,
}

impl Server {
    pub(super) fn spawn(state: Arc<State>, listener: TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let task = tokio::spawn(accept(state, listener)).abort_handle();
        Ok(Self { address, task })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(state: Arc<State>, listener: TcpListener) {
    // The set goes when the task does, and takes the connections with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(serve(Arc::clone(&state), stream));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(state: Arc<State>, stream: TcpStream) {
    let service = service_fn(move |request| answer(Arc::clone(&state), request));
    let builder = auto::Builder::new(TokioExecutor::new());
    // Broken connections are part of the game here, and the client sees them.
    let _ = builder
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// The test issuer as a Tower service in process, from [`TestIssuer::fetch`](super::TestIssuer::fetch).
///
/// It is a [`Fetch`](crate::fetch::Fetch). A request to any other server fails like a refused
/// connection; [`and`](Self::and) joins several issuers into one small network. It outlives the
/// [`TestIssuer`](super::TestIssuer) it came from.
#[derive(Clone)]
pub struct TestFetch(Vec<Arc<State>>);

impl TestFetch {
    pub(super) fn new(state: Arc<State>) -> Self {
        Self(vec![state])
    }

    /// Answers for the issuers of `other` as well.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The issuer whose URL this is; among several on one host, the one that knows the path.
    fn find<B>(&self, request: &Request<B>) -> Option<Arc<State>> {
        let uri = request.uri();
        let same_origin = |state: &&Arc<State>| {
            let url = state.parsed_url();
            let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
                // In origin form, as a server sees it.
                return uri.authority().is_none();
            };
            let port = uri.port_u16().or(match scheme {
                "https" => Some(443),
                "http" => Some(80),
                _ => None,
            });
            scheme == url.scheme()
                && url
                    .host_str()
                    .is_some_and(|own| own.eq_ignore_ascii_case(host))
                && port == url.port_or_known_default()
        };
        let mut candidates = self.0.iter().filter(same_origin);
        let first = candidates.clone().next();
        candidates
            .find(|state| Route::find(state.base(), uri.path()) != Route::Other)
            .or(first)
            .cloned()
    }
}

impl std::fmt::Debug for TestFetch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let urls = self.0.iter().map(|state| state.url());
        f.debug_tuple("TestFetch")
            .field(&urls.collect::<Vec<_>>())
            .finish()
    }
}

impl<B> Service<Request<B>> for TestFetch
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<TestBody>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Response<TestBody>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.find(&request) {
            Some(state) => Box::pin(answer(state, request)),
            None => Box::pin(std::future::ready(Err(
                io::ErrorKind::ConnectionRefused.into()
            ))),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Route {
    /// The places this path may be; two of them coincide for an issuer without a path.
    Metadata(&'static [Discovery]),
    Jwks,
    Authorize,
    Token,
    Register,
    Introspect,
    Other,
}

impl Route {
    fn find(base: &str, path: &str) -> Self {
        use Discovery::{OAuth, OidcAppended, OidcInserted};
        if path == OAuth.path(base) {
            return Self::Metadata(&[OAuth]);
        }
        let inserted = path == OidcInserted.path(base);
        let appended = path == OidcAppended.path(base);
        match (inserted, appended) {
            (true, true) => return Self::Metadata(&[OidcInserted, OidcAppended]),
            (true, false) => return Self::Metadata(&[OidcInserted]),
            (false, true) => return Self::Metadata(&[OidcAppended]),
            (false, false) => {}
        }
        match path.strip_prefix(base) {
            Some("/jwks") => Self::Jwks,
            Some("/authorize") => Self::Authorize,
            Some("/token") => Self::Token,
            Some("/register") => Self::Register,
            Some("/introspect") => Self::Introspect,
            _ => Self::Other,
        }
    }

    fn endpoint(self) -> Option<Endpoint> {
        Some(match self {
            Self::Metadata(_) => Endpoint::Metadata,
            Self::Jwks => Endpoint::Jwks,
            Self::Authorize => Endpoint::Authorize,
            Self::Token => Endpoint::Token,
            Self::Register => Endpoint::Register,
            Self::Introspect => Endpoint::Introspect,
            Self::Other => return None,
        })
    }

    /// Whether web pages of other origins may call it; the consent page is for people.
    fn is_for_scripts(self) -> bool {
        !matches!(self, Self::Authorize | Self::Introspect | Self::Other)
    }
}

async fn answer<B>(state: Arc<State>, request: Request<B>) -> io::Result<Response<TestBody>>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let route = Route::find(state.base(), request.uri().path());
    if request.method() == Method::OPTIONS && route.is_for_scripts() {
        return Ok(whole(answer::preflight()));
    }
    let endpoint = route.endpoint();
    state.record(endpoint, request.uri().path());
    let fault = endpoint.and_then(|endpoint| {
        let fault = state.faults().next(endpoint)?;
        Some((endpoint, fault))
    });
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        let mut refused = Response::new(Bytes::new());
        *refused.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return Ok(whole(refused));
    };
    let request = Request::from_parts(parts, body.to_bytes());
    if endpoint == Some(Endpoint::Introspect) {
        introspect::note(&state, request.headers(), request.body());
    }
    let healthy = || respond(&state, route, &request);
    match fault {
        Some((endpoint, fault)) => fault.answer(endpoint, healthy).await,
        None => Ok(whole(healthy())),
    }
}

fn respond(state: &Arc<State>, route: Route, request: &Request<Bytes>) -> Response<Bytes> {
    let is = |method: &Method| request.method() == method;
    let reads = is(&Method::GET) || is(&Method::HEAD);
    let response = match route {
        Route::Metadata(places) if reads => documents::metadata(state, places),
        Route::Jwks if reads => documents::jwks(state),
        Route::Authorize if is(&Method::GET) => {
            authorize::ask(state, request.uri().query().unwrap_or_default())
        }
        Route::Authorize if is(&Method::POST) => {
            authorize::decide(state, request.headers(), request.body())
        }
        Route::Token if is(&Method::POST) => {
            exchange::token(state, request.headers(), request.body())
        }
        Route::Register if is(&Method::POST) => clients::register(state, request.body()),
        Route::Introspect if is(&Method::POST) => {
            introspect::introspect(state, request.headers(), request.body())
        }
        Route::Introspect => answer::method_not_allowed("POST"),
        Route::Metadata(_) | Route::Jwks => answer::method_not_allowed("GET, HEAD, OPTIONS"),
        Route::Authorize => answer::method_not_allowed("GET, POST"),
        Route::Token | Route::Register => answer::method_not_allowed("POST, OPTIONS"),
        Route::Other => answer::not_found(),
    };
    if route.is_for_scripts() {
        answer::any_origin(response)
    } else {
        response
    }
}
