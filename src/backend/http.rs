//! The default [`Fetch`](crate::fetch::Fetch): HTTPS over hyper and rustls.

mod address;
mod builder;
mod dial;
mod proxy;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, ResponseFuture};
use tower_service::Service;

pub use self::builder::HttpClientBuilder;
use self::dial::Dial;
use crate::error::BoxError;
use crate::fetch::FetchBody;

/// Sends requests to issuers over HTTPS. Clones share one connection pool.
///
/// A Tower service, so limits, retries or tracing are layers around it. By itself it
///
/// - speaks `https`, and plain `http` to a loopback host only (`localhost`, `127.0.0.0/8`, `[::1]`);
/// - trusts the Mozilla root certificates and verifies with aws-lc-rs, whatever crypto provider
///   the process has installed;
/// - dials public addresses only. The check is made on the address that is dialled, so a name that
///   resolves differently a moment later gains nothing. Loopback is dialled only for a URL that
///   says so; see [`HttpClientBuilder::allow_addresses`] for an issuer in your own network;
/// - follows no redirect, decompresses nothing, keeps no cookies, and ignores `HTTPS_PROXY` and the
///   like: see [`HttpClientBuilder::proxy`].
///
/// It does not bound the answer: the fetches of this crate do that for every
/// [`Fetch`](crate::fetch::Fetch).
///
/// ```
/// use tower_mcp_auth::HttpClient;
///
/// let client = HttpClient::builder()
///     .allow_addresses(["10.20.0.0/16".parse()?])
///     .build()?;
/// # let _ = client;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct HttpClient {
    inner: Client<Dial, Full<Bytes>>,
}

impl HttpClient {
    /// A client with the defaults above.
    #[must_use]
    pub fn new() -> Self {
        HttpClientBuilder::new().with_defaults()
    }

    /// A client to be configured.
    pub fn builder() -> HttpClientBuilder {
        HttpClientBuilder::new()
    }
}

impl Default for HttpClient {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").finish_non_exhaustive()
    }
}

impl Service<Request<Full<Bytes>>> for HttpClient {
    type Response = Response<FetchBody>;
    type Error = BoxError;
    type Future = HttpResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        HttpResponseFuture {
            inner: self.inner.request(request),
        }
    }
}

/// The answer to come of an [`HttpClient`].
#[must_use = "futures do nothing unless polled"]
pub struct HttpResponseFuture {
    inner: ResponseFuture,
}

impl fmt::Debug for HttpResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponseFuture").finish_non_exhaustive()
    }
}

impl Future for HttpResponseFuture {
    type Output = Result<Response<FetchBody>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.inner)
            .poll(cx)
            .map(|answer| match answer {
                Ok(response) => Ok(response.map(|body| body.map_err(Into::into).boxed_unsync())),
                Err(error) => Err(error.into()),
            })
    }
}

#[cfg(test)]
mod tests;
