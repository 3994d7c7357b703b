//! A real Redis behind real TLS, whose certificate is by an authority that nobody else trusts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tower_mcp_auth::backend::{RedisFailures, RedisHints, RedisReplayStore};
use tower_mcp_auth::clock::{Clock, SystemClock};
use tower_mcp_auth::dpop::{Claim, ProofId, ReplayStore};
use tower_mcp_auth::revocation::Hints;
use tower_mcp_auth::throttle::{Bucket, Failures, SharedFailures};

use crate::support::{redis_url, unique};

/// On a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// What ends TLS in front of the Redis that all tests share.
struct Terminator {
    /// By the name in the certificate.
    url: String,
    roots: String,
}

impl Terminator {
    async fn start() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.unwrap())
            .unwrap();
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await;
        let listener = listener.unwrap();
        let port = listener.local_addr().unwrap().port();
        // Ends with the runtime of the test.
        tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config))));
        Self {
            url: format!("rediss://localhost:{port}"),
            roots: pem(made.cert.der()),
        }
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor) {
    let url = redis_url();
    let redis = url.strip_prefix("redis://").unwrap();
    let redis = redis.split('/').next().unwrap().to_owned();
    while let Ok((from, _)) = listener.accept().await {
        let (acceptor, redis) = (acceptor.clone(), redis.clone());
        tokio::spawn(async move {
            // Those who do not trust it go away.
            let Ok(mut from) = acceptor.accept(from).await else {
                return;
            };
            let mut to = TcpStream::connect(redis).await.unwrap();
            let _ = copy_bidirectional(&mut from, &mut to).await;
        });
    }
}

fn pem(der: &[u8]) -> String {
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
    format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n")
}

#[tokio::test]
async fn every_adapter_speaks_tls_to_a_server_of_our_own_authority() {
    let Terminator { url, roots } = Terminator::start().await;
    let roots = roots.as_bytes();

    let failures = RedisFailures::new(&url).unwrap();
    let failures = failures.root_certificates_pem(roots).unwrap();
    let failures = failures.key_prefix(&unique("tls"));
    let told = Failures {
        bucket: Bucket::from_bytes([1; 16]),
        count: 3,
    };
    let sums = failures.exchange(1, vec![told]).await.unwrap();
    assert_eq!(sums[0].count, 3);

    let store = RedisReplayStore::new(&url).unwrap();
    let store = store.root_certificates_pem(roots).unwrap();
    let store = store.key_prefix(&unique("tls"));
    let until = SystemClock::new().now().plus_secs(60);
    for expected in [Claim::First, Claim::Again] {
        let claim = store.claim(ProofId::from([1; 32]), until).await.unwrap();
        assert_eq!(claim, expected);
    }

    // The order of the two does not matter.
    let channel = unique("tls");
    let hints = RedisHints::new(&url).unwrap().channel(&channel);
    let hints = hints.root_certificates_pem(roots).unwrap();
    let heard = async || tokio::time::timeout(SOON, hints.received()).await.unwrap();
    heard().await; // the new connection
    let plain = RedisHints::new(&redis_url()).unwrap().channel(&channel);
    plain.send().await.unwrap();
    heard().await;
    hints.send().await.unwrap();
    heard().await;
}

/// Mozilla's roots, another authority, and another name than that in the certificate.
#[tokio::test]
async fn a_server_that_nobody_vouches_for_is_not_spoken_to() {
    let Terminator { url, roots } = Terminator::start().await;
    let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let stranger = pem(stranger.cert.der());
    let by_address = url.replace("localhost", "127.0.0.1");
    let store = |url: &str| RedisReplayStore::new(url).unwrap();
    let with = |url: &str, roots: &str| store(url).root_certificates_pem(roots.as_bytes());
    for (store, why) in [
        (store(&url), "UnknownIssuer"),
        (with(&url, &stranger).unwrap(), "invalid peer certificate"),
        (
            with(&by_address, &roots).unwrap(),
            "invalid peer certificate",
        ),
    ] {
        let until = SystemClock::new().now().plus_secs(60);
        let error = store
            .claim(ProofId::from([2; 32]), until)
            .await
            .unwrap_err();
        assert!(error.report().contains(why), "{}", error.report());
    }
}
