//! Small servers on loopback, ended when dropped.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tower::service_fn;

/// A self-signed server certificate.
pub(super) struct Identity {
    pub(super) certificate: Vec<u8>,
    pub(super) pem: String,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    pub(super) fn of(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let der = made.cert.der().to_vec();
        let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &der);
        Self {
            pem: format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n"),
            certificate: der,
            key: PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap(),
        }
    }

    fn acceptor(&self, alpn: &[&str]) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone().into()], self.key.clone_key())
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: AtomicUsize,
    heads: Mutex<Vec<String>>,
    accepted: Notify,
}

pub(super) struct Server {
    pub(super) address: SocketAddr,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start<F>(serve: impl Fn(TcpStream, Arc<Seen>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let counted = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            // Ends its connections with the server.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counted.connections.fetch_add(1, Ordering::SeqCst);
                counted.accepted.notify_one();
                connections.spawn(serve(stream, Arc::clone(&counted)));
            }
        });
        Self {
            address,
            seen,
            task,
        }
    }

    /// Answers every request with `status`, JSON that repeats the path, and a `Location`.
    pub(super) async fn http(status: StatusCode) -> Self {
        Self::start(move |stream, seen| answer(stream, seen, status)).await
    }

    /// The same over TLS. Without `alpn` it speaks what the client begins with.
    pub(super) async fn https(identity: &Identity, alpn: &[&str], status: StatusCode) -> Self {
        let acceptor = identity.acceptor(alpn);
        Self::start(move |stream, seen| {
            let acceptor = acceptor.clone();
            async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    answer(stream, seen, status).await;
                }
            }
        })
        .await
    }

    /// Accepts and says nothing.
    pub(super) async fn silent() -> Self {
        Self::start(|stream, _| async move {
            std::future::pending::<()>().await;
            drop(stream);
        })
        .await
    }

    /// Answers the first request of a connection with these bytes, then closes it.
    pub(super) async fn raw(answer: String) -> Self {
        Self::start(move |mut stream, seen| {
            let answer = answer.clone();
            async move {
                read_head(&mut stream, &seen).await;
                // The client may hang up early; that is its right.
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        })
        .await
    }

    /// A CONNECT proxy that knows one way.
    pub(super) async fn proxy(target: SocketAddr) -> Self {
        Self::start(move |mut stream, seen| async move {
            read_head(&mut stream, &seen).await;
            let mut onward = TcpStream::connect(target).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let _ = copy_bidirectional(&mut stream, &mut onward).await;
        })
        .await
    }

    pub(super) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}/jwks", self.address)
    }

    /// A URI with this server's port under another name.
    pub(super) fn named(&self, host: &str) -> String {
        format!("https://{host}:{}/", self.address.port())
    }

    pub(super) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    pub(super) fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::SeqCst)
    }

    pub(super) fn heads(&self) -> Vec<String> {
        self.seen.heads.lock().unwrap().clone()
    }

    /// Waits for one connection.
    pub(super) async fn accepted(&self) {
        self.seen.accepted.notified().await;
    }
}

async fn answer<S>(stream: S, seen: Arc<Seen>, status: StatusCode)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        seen.requests.fetch_add(1, Ordering::SeqCst);
        let body = format!("{{\"path\":\"{}\"}}", request.uri().path());
        let response = Response::builder()
            .status(status)
            .header("content-type", "application/json")
            .header("location", "/elsewhere")
            .body(Full::<Bytes>::from(body));
        async move { response }
    });
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .await;
}

async fn read_head(stream: &mut TcpStream, seen: &Seen) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    seen.heads.lock().unwrap().push(head);
}
