//! Outbound HTTP as a port: any Tower service that answers HTTP requests will do.
//!
//! [`Fetch`] is implemented for every suitable `tower::Service`, so timeouts, concurrency limits,
//! proxies and tracing are the ordinary Tower layers around it. `HttpClient` (feature `client`) is
//! the default. Whatever the service is, every answer passes the same rules: the whole
//! exchange within a deadline, no redirect followed, body and encoding bounded.

mod document;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use tower::ServiceExt;
use tower_service::Service;

use crate::error::{BackendError, BoxError};

pub(crate) use document::{FetchFailure, Form, Limits, get, post, shown};

/// The body of an answer, whatever the service behind the port calls it.
pub type FetchBody = UnsyncBoxBody<Bytes, BoxError>;

type FetchFuture = Pin<Box<dyn Future<Output = Result<Response<FetchBody>, BackendError>> + Send>>;

/// Sends one HTTP request to an issuer.
///
/// Implemented for every `Service<Request<Full<Bytes>>>` that is `Clone + Send + Sync`, so an
/// implementation is a Tower service and needs nothing of this crate. It is driven with
/// `oneshot`, so the service's own readiness counts.
///
/// Do not follow redirects in it, and do not decompress: a redirect is how a metadata document
/// leads a server to its own internal network.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot fetch issuer documents",
    note = "a `Fetch` is any `tower::Service<http::Request<http_body_util::Full<Bytes>>>` that is `Clone + Send + Sync + 'static`, has a `Send` future, and answers with an `http::Response`"
)]
pub trait Fetch: Clone + Send + Sync + 'static {
    /// Sends the request and returns the answer's head with its body still to be read.
    fn fetch(
        &self,
        request: Request<Full<Bytes>>,
    ) -> impl Future<Output = Result<Response<FetchBody>, BackendError>> + Send;
}

impl<S, B> Fetch for S
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    async fn fetch(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<FetchBody>, BackendError> {
        let answer = self.clone().oneshot(request).await;
        match answer {
            Ok(response) => Ok(response.map(|body| body.map_err(Into::into).boxed_unsync())),
            Err(error) => Err(BackendError::with_source(
                "request not sent or not answered",
                error,
            )),
        }
    }
}

/// The erased twin of [`Fetch`]: what the rest of the crate holds.
#[derive(Clone)]
pub(crate) struct DynFetch(Arc<dyn Fn(Request<Full<Bytes>>) -> FetchFuture + Send + Sync>);

impl DynFetch {
    pub(crate) fn new(fetch: impl Fetch) -> Self {
        Self(Arc::new(move |request| {
            let fetch = fetch.clone();
            Box::pin(async move { fetch.fetch(request).await })
        }))
    }

    pub(crate) fn send(&self, request: Request<Full<Bytes>>) -> FetchFuture {
        (self.0)(request)
    }
}

impl fmt::Debug for DynFetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DynFetch")
    }
}
