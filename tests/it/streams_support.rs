//! Responses that go on, fed by hand.

use std::convert::Infallible;
use std::future::ready;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty};
use serde_json::Value;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tower::{Layer, ServiceExt, service_fn};
use tower_mcp_auth::middleware::RequestBody;
use tower_mcp_auth::middleware::ResponseBody;
use tower_mcp_auth::{Authenticator, McpAuthLayer};

use crate::support::post;
use crate::tokens_support::TokenWorld;

pub const EVENTS: &str = "text/event-stream";
pub const GRPC: &str = "application/grpc+proto";

/// A body whose frames are sent by the test.
#[derive(Debug)]
pub struct Fed(UnboundedReceiver<Frame<Bytes>>);

impl Body for Fed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}

pub fn fed() -> (UnboundedSender<Frame<Bytes>>, Fed) {
    let (feed, frames) = mpsc::unbounded_channel();
    (feed, Fed(frames))
}

/// A response as its server sends it.
pub struct Open {
    feed: Option<UnboundedSender<Frame<Bytes>>>,
    pub body: ResponseBody<Fed>,
}

impl Open {
    /// A response of this type that goes on, to a request that is let in.
    pub async fn by(
        auth: &Authenticator,
        request: http::request::Builder,
        kind: &'static str,
    ) -> Self {
        let (feed, body) = fed();
        let body = Arc::new(Mutex::new(Some(body)));
        let service = service_fn(move |_: http::Request<RequestBody<Empty<Bytes>>>| {
            let body = body.lock().unwrap().take().expect("one request");
            let response = Response::builder().header("content-type", kind);
            ready(Ok::<_, Infallible>(response.body(body).unwrap()))
        });
        let service = McpAuthLayer::new(auth.clone()).layer(service);
        let response = service.oneshot(request.body(Empty::new()).unwrap()).await;
        let response = response.unwrap();
        assert_eq!(response.status(), 200);
        Open {
            feed: Some(feed),
            body: response.into_body(),
        }
    }

    pub fn feed(&self, bytes: impl Into<Bytes>) {
        self.feed_frame(Frame::data(bytes.into()));
    }

    pub fn feed_frame(&self, frame: Frame<Bytes>) {
        self.feed.as_ref().unwrap().send(frame).unwrap();
    }

    pub fn hang_up(&mut self) {
        self.feed = None;
    }

    /// Whether the inner body is gone, and its producer knows.
    pub fn is_dropped(&self) -> bool {
        self.feed.as_ref().unwrap().is_closed()
    }

    pub async fn next(&mut self) -> Option<Frame<Bytes>> {
        self.body.frame().await.map(Result::unwrap)
    }

    /// What there is without waiting.
    #[track_caller]
    pub fn now(&mut self) -> Poll<Option<Bytes>> {
        match self.body.frame().now_or_never() {
            Some(frame) => Poll::Ready(frame.map(|frame| frame.unwrap().into_data().unwrap())),
            None => Poll::Pending,
        }
    }

    /// It is open and has nothing to say.
    #[track_caller]
    pub fn assert_open(&mut self) {
        assert_eq!(self.now(), Poll::Pending);
        assert!(!self.body.is_end_stream() && !self.is_dropped());
    }

    #[track_caller]
    pub fn assert_passes(&mut self, bytes: &'static str) {
        self.feed(bytes);
        assert_eq!(
            self.now(),
            Poll::Ready(Some(Bytes::from_static(bytes.as_bytes())))
        );
    }

    /// It ends with this event, which it waits for, and then is over.
    pub async fn ended(&mut self) -> Value {
        let event = self.next().await.expect("a last event");
        let event = String::from_utf8(event.into_data().unwrap().to_vec()).unwrap();
        let json = event
            .trim_start()
            .strip_prefix("event: authorization_ended\ndata: ")
            .and_then(|rest| rest.strip_suffix("\n\n"))
            .unwrap_or_else(|| panic!("{event:?}"));
        assert!(!json.contains('\n'));
        self.assert_over();
        serde_json::from_str(json).unwrap()
    }

    pub async fn ended_for(&mut self, reason: &str) {
        assert_eq!(self.ended().await["reason"], reason);
    }

    /// It ends with these gRPC trailers.
    pub async fn status(&mut self) -> HeaderMap {
        let trailers = self.next().await.expect("trailers");
        let trailers = trailers.into_trailers().expect("trailers");
        self.assert_over();
        trailers
    }

    #[track_caller]
    fn assert_over(&mut self) {
        assert!(self.body.is_end_stream() && self.is_dropped());
        assert_eq!(self.body.size_hint().exact(), Some(0));
        assert_eq!(self.now(), Poll::Ready(None));
    }
}

impl TokenWorld {
    /// A response of this type that goes on.
    pub async fn open(&self, authorization: &str, kind: &'static str) -> Open {
        self.open_as(post().header("authorization", authorization), kind)
            .await
    }

    pub async fn open_as(&self, request: http::request::Builder, kind: &'static str) -> Open {
        Open::by(&self.auth, request, kind).await
    }

    /// An event stream opened with an access token of this subject of `acme`.
    pub async fn events_of(&self, subject: &str) -> Open {
        let token = self.access_token().subject(subject);
        self.events(&format!("Bearer {}", token.sign())).await
    }

    /// An event stream that has nothing to say yet.
    pub async fn events(&self, authorization: &str) -> Open {
        let mut open = self.open(authorization, EVENTS).await;
        open.assert_open();
        open
    }

    /// Lets time pass on every clock.
    pub async fn pass(&self, seconds: u64) {
        let by = Duration::from_secs(seconds);
        self.clock.advance(by);
        tokio::time::advance(by).await;
    }
}
