//! Tokens bound to a client certificate (MTLS-1..3).

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::poll;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{Empty, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tower::{Layer, ServiceExt, service_fn};
use tower_mcp_auth::authenticator::PeerAddress;
use tower_mcp_auth::middleware::RequestBody;
use tower_mcp_auth::mtls::{ClientCertificates, PeerCertificate};
use tower_mcp_auth::policy::TrustedProxies;
use tower_mcp_auth::{Authenticator, Issuer, McpAuthLayer, ToolRules};

use crate::streams_support::fed;
use crate::support::{Answer, I, World, described, post};

const ALICE: &[u8] = b"the certificate of alice in DER";
const MALLORY: &[u8] = b"the certificate of mallory in DER";
const PROXY: &str = "10.0.0.7";
const STRANGER: &str = "203.0.113.66";

async fn world(certificates: ClientCertificates) -> World {
    let configure = |builder: tower_mcp_auth::authenticator::AuthenticatorBuilder| {
        builder
            .client_certificates(certificates)
            .trusted_proxies(TrustedProxies::new(["10.0.0.0/8"]).unwrap())
    };
    World::cold().rebuilt(configure).warmed().await
}

/// A request with this token, from this address.
fn request(token: &str, address: &str) -> http::request::Builder {
    post()
        .header("authorization", format!("Bearer {token}"))
        .extension(PeerAddress(address.parse::<IpAddr>().unwrap()))
}

fn header(der: &[u8]) -> String {
    format!(":{}:", STANDARD.encode(der))
}

#[track_caller]
fn assert_mismatch(answer: &Answer, note: &str) {
    answer.assert_invalid_token("client_certificate_mismatch");
    assert_eq!(answer.rejection.as_ref().unwrap().note(), Some(note));
}

#[tokio::test]
async fn mtls_01_the_certificate_of_the_connection_is_that_of_the_token() {
    let world = world(ClientCertificates::from_connection()).await;
    let token = world.token().certificate(ALICE).sign();
    for _ in 0..2 {
        let shown = |der| request(&token, STRANGER).extension(PeerCertificate::from_der(der));
        world.send(shown(ALICE)).await.assert_let_in();
        assert_mismatch(
            &world.send(shown(MALLORY)).await,
            "another client certificate",
        );
        assert_mismatch(
            &world.send(request(&token, STRANGER)).await,
            "no client certificate",
        );
    }
    assert_eq!(world.probe.calls(), 2);
    // A plain token needs none.
    world.bearer(&world.token().sign()).await.assert_let_in();
}

#[tokio::test]
async fn mtls_02_only_a_trusted_proxy_speaks_for_its_clients() {
    let world = world(ClientCertificates::from_connection().or_from_proxy()).await;
    let token = world.token().certificate(ALICE).sign();
    let from = |address| request(&token, address);
    let told = from(PROXY).header("client-cert", header(ALICE));
    world.send(told).await.assert_let_in();
    // The proxy has a certificate of its own.
    let both = from(PROXY)
        .header("client-cert", header(ALICE))
        .extension(PeerCertificate::from_der(MALLORY));
    world.send(both).await.assert_let_in();
    let own = from(PROXY).extension(PeerCertificate::from_der(ALICE));
    assert_mismatch(&world.send(own).await, "no client certificate");
    let spoofed = from(STRANGER).header("client-cert", header(ALICE));
    assert_mismatch(&world.send(spoofed).await, "no client certificate");
    let spoofed = post()
        .header("authorization", format!("Bearer {token}"))
        .header("client-cert", header(ALICE));
    assert_mismatch(&world.send(spoofed).await, "no client certificate");
    let spoofed = from(STRANGER)
        .header("client-cert", header(ALICE))
        .extension(PeerCertificate::from_der(MALLORY));
    assert_mismatch(&world.send(spoofed).await, "another client certificate");
    let twice = from(PROXY)
        .header("client-cert", header(ALICE))
        .header("client-cert", header(ALICE));
    assert_mismatch(&world.send(twice).await, "two Client-Cert lines");
    for bad in ["", "alice", ":a:", ":YQ==:, :YQ==:"] {
        let bad = from(PROXY).header("client-cert", bad);
        assert_mismatch(&world.send(bad).await, "malformed Client-Cert");
    }
}

#[tokio::test]
async fn mtls_02_the_header_is_not_looked_at_where_it_is_not_configured() {
    let world = world(ClientCertificates::from_connection()).await;
    let token = world.token().certificate(ALICE).sign();
    let told = request(&token, PROXY).header("client-cert", header(ALICE));
    assert_mismatch(&world.send(told).await, "no client certificate");
}

#[tokio::test]
async fn mtls_02_the_inner_service_sees_no_invention() {
    let world = world(ClientCertificates::from_proxy()).await;
    for (address, kept) in [(PROXY, true), (STRANGER, false)] {
        let (told, mut hear) = mpsc::unbounded_channel::<HeaderMap>();
        let inner = service_fn(move |request: Request<RequestBody<Empty<Bytes>>>| {
            told.send(request.headers().clone()).unwrap();
            async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) }
        });
        let request = request(&world.token().sign(), address)
            .header("client-cert", header(ALICE))
            .header("client-cert-chain", header(ALICE));
        let service = McpAuthLayer::new(world.auth.clone()).layer(inner);
        service
            .oneshot(request.body(Empty::new()).unwrap())
            .await
            .unwrap();
        let seen = hear.recv().await.unwrap();
        for name in ["client-cert", "client-cert-chain"] {
            assert_eq!(seen.contains_key(name), kept, "{name} from {address}");
        }
    }
}

/// A proxy that is trusted no more does not get by with a request it has begun.
#[tokio::test]
async fn mtls_02_a_reload_during_the_body_judges_the_certificate_again() {
    const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list"}}"#;
    let settings = |proxies: &str| {
        Authenticator::builder(described(Issuer::new(I)))
            .tools(ToolRules::new().tool("list", ["read:issues"]))
            .client_certificates(ClientCertificates::from_proxy())
            .trusted_proxies(TrustedProxies::new([proxies]).unwrap())
    };
    for (proxies, code) in [
        ("10.0.0.0/8", ""),
        ("10.0.0.8/32", "client_certificate_mismatch"),
    ] {
        let world = world(ClientCertificates::from_proxy()).await;
        world.auth.reload(settings("10.0.0.0/8")).unwrap();
        let token = world.token().certificate(ALICE).sign();
        let (feed, body) = fed();
        let request = request(&token, PROXY).header("client-cert", header(ALICE));
        let inner = service_fn(|_: Request<RequestBody<_>>| async {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        });
        let service = McpAuthLayer::new(world.auth.clone()).layer(inner);
        let request = request.header("content-type", "application/json");
        let mut answer = pin!(service.oneshot(request.body(body).unwrap()));
        assert!(poll!(&mut answer).is_pending());
        world.auth.reload(settings(proxies)).unwrap();
        feed.send(Frame::data(CALL.into())).unwrap();
        drop(feed);
        let answer = Answer::read(answer.await.unwrap()).await;
        assert_eq!(answer.code(), code, "{proxies}");
    }
}

#[tokio::test]
async fn mtls_02_a_request_that_waits_keeps_its_certificate() {
    let certificates = ClientCertificates::from_connection();
    let world = World::cold().rebuilt(|builder| builder.client_certificates(certificates));
    let token = world.token().certificate(ALICE).sign();
    let shown = request(&token, STRANGER).extension(PeerCertificate::from_der(ALICE));
    world.send(shown).await.assert_let_in();
    assert_eq!(world.issuer.hits().jwks, 1, "it waited for keys");
}

#[tokio::test]
async fn mtls_02_a_header_that_nobody_may_send_is_a_mistake() {
    let builder = Authenticator::builder(described(Issuer::new(I)))
        .client_certificates(ClientCertificates::from_proxy());
    let error = builder.build().unwrap_err().to_string();
    assert!(
        error.contains("client_certificates") && error.contains("trusted_proxies"),
        "{error}"
    );
}

#[tokio::test]
async fn mtls_03_a_confirmation_that_is_not_understood_refuses() {
    let world = world(ClientCertificates::from_connection()).await;
    for cnf in [json!({"x": 1}), json!({"x5t": "x"}), json!({}), Value::Null] {
        let token = world.token().claim("cnf", cnf).sign();
        let shown = request(&token, STRANGER).extension(PeerCertificate::from_der(ALICE));
        world
            .send(shown)
            .await
            .assert_invalid_token("sender_constrained");
    }
}

#[tokio::test]
async fn prm_14_the_document_says_that_certificates_bind() {
    let world = world(ClientCertificates::from_connection()).await;
    let document: Value = serde_json::from_slice(world.auth.resource().document()).unwrap();
    assert_eq!(document["tls_client_certificate_bound_access_tokens"], true);
}

/// A token may be bound to a key and to a certificate: both have to be shown.
#[cfg(feature = "dpop")]
#[tokio::test]
async fn mtls_01_dpop_06_both_bindings_hold_at_once() {
    use tower_mcp_auth::clock::Clock;
    use tower_mcp_auth::dpop::Dpop;
    use tower_mcp_auth::testing::DpopKey;

    use crate::support::R;

    let world = World::cold()
        .rebuilt(|builder| {
            let certificates = ClientCertificates::from_connection();
            builder.client_certificates(certificates).dpop(Dpop::new())
        })
        .warmed()
        .await;
    let key = DpopKey::generate();
    let token = world.token().certificate(ALICE).dpop_key(&key).sign();
    let proof = |key: &DpopKey| key.proof("POST", R, &token).at(world.clock.now()).sign();
    let shown = |scheme: &str, der: &[u8], proof: Option<String>| {
        let request = post().header("authorization", format!("{scheme} {token}"));
        let request = request.extension(PeerCertificate::from_der(der));
        match proof {
            Some(proof) => request.header("dpop", proof),
            None => request,
        }
    };
    world
        .send(shown("DPoP", ALICE, Some(proof(&key))))
        .await
        .assert_let_in();
    for (request, reason) in [
        (
            shown("DPoP", MALLORY, Some(proof(&key))),
            "client_certificate_mismatch",
        ),
        (shown("DPoP", ALICE, None), "missing_dpop_proof"),
        (
            shown("DPoP", ALICE, Some(proof(&DpopKey::generate()))),
            "dpop_key_mismatch",
        ),
        (
            shown("Bearer", ALICE, Some(proof(&key))),
            "sender_constrained",
        ),
    ] {
        assert_eq!(world.send(request).await.code(), reason);
    }
    // Bound to the certificate alone it is no DPoP token.
    let token = world.token().certificate(ALICE).sign();
    let request = post().header("authorization", format!("DPoP {token}"));
    let proof = key.proof("POST", R, &token).at(world.clock.now()).sign();
    let request = request
        .header("dpop", proof)
        .extension(PeerCertificate::from_der(ALICE));
    assert_eq!(world.send(request).await.code(), "unbound_token");
}

/// A self-signed certificate and its key.
fn identity(name: &str) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    (made.cert.der().clone(), key)
}

fn roots(certificates: &[&CertificateDer<'static>]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add((*certificate).clone()).unwrap();
    }
    roots
}

/// One request over a TLS connection in which both sides show a certificate, as a server would
/// serve it.
async fn over_tls(
    world: &World,
    token: &str,
    acceptor: &TlsAcceptor,
    connector: &TlsConnector,
) -> StatusCode {
    let (near, far) = tokio::io::duplex(16 * 1024);
    let auth = world.auth.clone();
    let acceptor = acceptor.clone();
    let serving = async move {
        let stream = acceptor.accept(far).await.unwrap();
        let shown = stream.get_ref().1.peer_certificates();
        let shown = shown.and_then(|chain| Some(PeerCertificate::from_der(chain.first()?)));
        let layer = McpAuthLayer::new(auth);
        let service = service_fn(move |mut request: Request<Incoming>| {
            if let Some(certificate) = shown {
                request.extensions_mut().insert(certificate);
            }
            let inner = service_fn(|_: Request<RequestBody<Incoming>>| async {
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
            });
            layer.layer(inner).oneshot(request)
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let _ = connection.await;
    };
    let asking = async {
        let name = ServerName::try_from("mcp.example.com").unwrap();
        let stream = connector.connect(name, near).await.unwrap();
        let (mut send, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        let request = post().header("authorization", format!("Bearer {token}"));
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let answer = async move { send.send_request(request).await.unwrap().status() };
        tokio::join!(answer, connection).0
    };
    tokio::join!(serving, asking).1
}

#[tokio::test]
async fn mtls_01_over_a_real_connection() {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let (server, alice, mallory) = (
        identity("mcp.example.com"),
        identity("alice"),
        identity("mallory"),
    );
    let clients = Arc::new(roots(&[&alice.0, &mallory.0]));
    let verifier = WebPkiClientVerifier::builder_with_provider(clients, provider.clone());
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.allow_unauthenticated().build().unwrap())
        .with_single_cert(vec![server.0.clone()], server.1)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let connector = |who: Option<&(CertificateDer<'static>, PrivateKeyDer<'static>)>| {
        let config = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots(&[&server.0]));
        let config = match who {
            Some((certificate, key)) => config
                .with_client_auth_cert(vec![certificate.clone()], key.clone_key())
                .unwrap(),
            None => config.with_no_client_auth(),
        };
        TlsConnector::from(Arc::new(config))
    };
    let world = world(ClientCertificates::from_connection()).await;
    let token = world.token().certificate(&alice.0).sign();
    for (who, status) in [(Some(&alice), 200), (Some(&mallory), 401), (None, 401)] {
        let answer = over_tls(&world, &token, &acceptor, &connector(who)).await;
        assert_eq!(answer, status);
    }
}
