//! What tonic's code generator makes of this file, by hand and shorter, so that the example needs no
//! protoc. Nothing in here knows about authentication.
//!
//! ```proto
//! package issues;
//!
//! service Reader {
//!   rpc Whoami (Text) returns (Text);
//!   rpc Watch (Text) returns (stream Text);
//! }
//!
//! service Writer {
//!   rpc Create (Text) returns (Text);
//! }
//! ```

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut};
use futures_util::stream::BoxStream;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, NamedService};
use tonic::{Request, Response, Status, async_trait};
use tower::{Service, service_fn};

pub(crate) type Texts = BoxStream<'static, Result<String, Status>>;

#[async_trait]
pub(crate) trait Reader: Send + Sync + 'static {
    async fn whoami(&self, request: Request<String>) -> Result<Response<String>, Status>;
    async fn watch(&self, request: Request<String>) -> Result<Response<Texts>, Status>;
}

#[async_trait]
pub(crate) trait Writer: Send + Sync + 'static {
    async fn create(&self, request: Request<String>) -> Result<Response<String>, Status>;
}

#[derive(Clone)]
pub(crate) struct ReaderServer(Arc<dyn Reader>);

impl ReaderServer {
    pub(crate) fn new(inner: impl Reader) -> Self {
        Self(Arc::new(inner))
    }
}

#[derive(Clone)]
pub(crate) struct WriterServer(Arc<dyn Writer>);

impl WriterServer {
    pub(crate) fn new(inner: impl Writer) -> Self {
        Self(Arc::new(inner))
    }
}

impl NamedService for ReaderServer {
    const NAME: &'static str = "issues.Reader";
}

impl NamedService for WriterServer {
    const NAME: &'static str = "issues.Writer";
}

type Answer = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

impl Service<http::Request<Body>> for ReaderServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Answer {
        let inner = self.0.clone();
        Box::pin(async move {
            let mut grpc = Grpc::new(Text);
            Ok(match request.uri().path() {
                "/issues.Reader/Whoami" => {
                    let method = service_fn(|request| {
                        let inner = inner.clone();
                        async move { inner.whoami(request).await }
                    });
                    grpc.unary(method, request).await
                }
                "/issues.Reader/Watch" => {
                    let method = service_fn(|request| {
                        let inner = inner.clone();
                        async move { inner.watch(request).await }
                    });
                    grpc.server_streaming(method, request).await
                }
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

impl Service<http::Request<Body>> for WriterServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Answer {
        let inner = self.0.clone();
        Box::pin(async move {
            if request.uri().path() != "/issues.Writer/Create" {
                return Ok(Status::unimplemented("").into_http());
            }
            let method = service_fn(|request| {
                let inner = inner.clone();
                async move { inner.create(request).await }
            });
            Ok(Grpc::new(Text).unary(method, request).await)
        })
    }
}

/// Messages that are their own text.
pub(crate) struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, item: String, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(item.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = from.copy_to_bytes(from.remaining());
        let text = String::from_utf8(bytes.into());
        text.map(Some).map_err(|_| Status::internal("not UTF-8"))
    }
}
