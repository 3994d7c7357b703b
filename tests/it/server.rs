//! A Tower service on a loopback socket, and a connection to it.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower::Service;

use crate::support::Answer;

/// Serves HTTP/1.1 and HTTP/2 until dropped.
pub struct Loopback {
    pub address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Loopback {
    pub fn serve<S, B>(service: S) -> Self
    where
        S: Service<Request<Incoming>, Response = http::Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let service = TowerToHyperService::new(service.clone());
                connections.spawn(async move {
                    // How a connection ends is the client's business.
                    let _ = auto::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self {
            address,
            _tasks: tasks,
        }
    }

    async fn connect(&self) -> TokioIo<TcpStream> {
        TokioIo::new(TcpStream::connect(self.address).await.unwrap())
    }

    pub async fn http1(&self) -> Connection {
        let (sender, connection) = http1::handshake(self.connect().await).await.unwrap();
        Connection::new(Sender::Http1(sender), async move { drop(connection.await) })
    }

    pub async fn http2(&self) -> Connection {
        let (sender, connection) = http2::handshake(TokioExecutor::new(), self.connect().await)
            .await
            .unwrap();
        Connection::new(Sender::Http2(sender), async move { drop(connection.await) })
    }
}

/// One connection, reused for every request.
pub struct Connection {
    sender: Sender,
    _task: JoinSet<()>,
}

enum Sender {
    Http1(http1::SendRequest<Empty<Bytes>>),
    Http2(http2::SendRequest<Empty<Bytes>>),
}

impl Connection {
    fn new(sender: Sender, connection: impl Future<Output = ()> + Send + 'static) -> Self {
        let mut task = JoinSet::new();
        task.spawn(connection);
        Self {
            sender,
            _task: task,
        }
    }

    pub async fn send(&mut self, request: http::request::Builder) -> Answer {
        let request = request.body(Empty::new()).unwrap();
        let response = match &mut self.sender {
            Sender::Http1(sender) => sender.send_request(request).await,
            Sender::Http2(sender) => sender.send_request(request).await,
        };
        Answer::read(response.unwrap()).await
    }
}
