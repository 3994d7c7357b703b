//! The service that nobody hostile may reach, and the way to it without a socket.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt};
use tower_mcp_auth::McpAuthLayer;
use tower_mcp_auth::authenticator::PeerAddress;
use tower_mcp_auth::middleware::ResponseBody;

use super::request::Crafted;
use super::site::{CANARY, Site};

/// Counts who reaches it, and says so.
#[derive(Clone, Default)]
pub struct Inner(Arc<AtomicUsize>);

impl Inner {
    pub fn calls(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl<B> Service<Request<B>> for Inner
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.0.fetch_add(1, Ordering::SeqCst);
        let credential = request.headers().contains_key("authorization");
        let read = request.into_body().collect();
        Box::pin(async move {
            // How the body ends is the client's business.
            let _ = read.await;
            let response = Response::builder().header("mcp-session-id", "inner-session");
            let response = response.header("x-credential-seen", credential.to_string());
            Ok(response.body(Full::from(CANARY)).unwrap())
        })
    }
}

impl Crafted {
    /// The request as an HTTP server would make it, or `None` if that is not possible.
    pub fn request(&self) -> Option<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(self.method.as_bytes())
            .uri(&*self.target);
        for (name, value) in &self.headers {
            request = request.header(name, &value[..]);
        }
        let loopback = PeerAddress(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let body = Full::from(self.body.clone());
        request.extension(loopback).body(body).ok()
    }
}

impl Site {
    pub async fn answer(
        &self,
        request: Request<Full<Bytes>>,
        crafted: &Crafted,
        inner: &Inner,
    ) -> Response<ResponseBody<Full<Bytes>>> {
        let layer = McpAuthLayer::new(self.auth(crafted.door).clone());
        layer.layer(inner.clone()).oneshot(request).await.unwrap()
    }

    /// Uses a good credential, so that it is remembered. The session it was given.
    pub async fn let_in(&self, crafted: &Crafted) -> String {
        let request = crafted.request().unwrap();
        let response = self.answer(request, crafted, &Inner::default()).await;
        assert_eq!(response.status(), 200, "{crafted:?}");
        let session = response.headers().get_all("mcp-session-id").iter().next();
        session
            .map(|line| line.to_str().unwrap().to_owned())
            .unwrap_or_default()
    }
}
