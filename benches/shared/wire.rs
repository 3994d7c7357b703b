//! A server on loopback and clients that cost it little.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tower::{Service, ServiceExt};

use super::fixture::new_runtime;

/// Keep-alive connections that ask at the same time.
const CONNECTIONS: usize = 16;

/// Reads the request and answers it, as a server would.
pub(crate) async fn answer<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible>
where
    B: Body<Data = Bytes>,
{
    let _ = request.into_body().collect().await;
    let result = Bytes::from_static(br#"{"jsonrpc":"2.0","id":7,"result":{"tools":[]}}"#);
    Ok(Response::new(Full::new(result)))
}

/// Serves on a thread of its own until the process ends.
pub(crate) fn serve<S, B>(service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        new_runtime().block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let service = service.clone();
                let service = service_fn(move |request| service.clone().oneshot(request));
                let stream = TokioIo::new(stream);
                tokio::spawn(http1::Builder::new().serve_connection(stream, service));
            }
        });
    });
    address
}

/// A request as it stands on the wire.
pub(crate) fn on_the_wire(authorization: &HeaderValue) -> Vec<u8> {
    let body = r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#;
    let authorization = authorization.to_str().unwrap();
    format!(
        "POST /mcp HTTP/1.1\r\nhost: mcp.example.com\r\ncontent-type: application/json\r\n\
         authorization: {authorization}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into()
}

/// What every connection sends; may be exchanged under load.
pub(crate) type Sent = Arc<ArcSwap<Vec<u8>>>;

/// Connections that each send the next request as soon as they have the answer to the last.
pub(crate) struct Clients {
    runtime: Runtime,
    connections: Vec<TcpStream>,
    sent: Sent,
}

impl Clients {
    pub(crate) fn connect(address: SocketAddr, sent: &Sent) -> Self {
        let runtime = new_runtime();
        let connect = || runtime.block_on(TcpStream::connect(address)).unwrap();
        let connections: Vec<TcpStream> = (0..CONNECTIONS).map(|_| connect()).collect();
        for connection in &connections {
            connection.set_nodelay(true).unwrap();
        }
        Self {
            runtime,
            connections,
            sent: sent.clone(),
        }
    }

    /// Nanoseconds of every request made in this time, from first byte sent to last byte read.
    pub(crate) fn load(&mut self, time: Duration) -> Vec<u64> {
        let until = Instant::now() + time;
        self.runtime.block_on(async {
            let connections = std::mem::take(&mut self.connections);
            let tasks: Vec<_> = connections
                .into_iter()
                .map(|stream| tokio::spawn(ask_until(until, stream, self.sent.clone())))
                .collect();
            let mut all = Vec::new();
            for task in tasks {
                let (stream, nanos) = task.await.unwrap().unwrap();
                self.connections.push(stream);
                all.extend(nanos);
            }
            all
        })
    }
}

async fn ask_until(
    until: Instant,
    mut stream: TcpStream,
    sent: Sent,
) -> io::Result<(TcpStream, Vec<u64>)> {
    let mut nanos = Vec::new();
    let mut answer = Vec::with_capacity(1024);
    let mut start = Instant::now();
    while start < until {
        let request = sent.load_full();
        stream.write_all(&request).await?;
        answer.clear();
        while !is_whole(&answer) {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let text = String::from_utf8_lossy(&answer);
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        let end = Instant::now();
        nanos.push(u64::try_from((end - start).as_nanos()).unwrap_or(u64::MAX));
        start = end;
    }
    Ok((stream, nanos))
}

/// The answers here end with the only `}}` they contain.
fn is_whole(answer: &[u8]) -> bool {
    answer.ends_with(b"}}") || answer.ends_with(b"}\n")
}
