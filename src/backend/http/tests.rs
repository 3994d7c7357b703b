mod guard;
mod server;

use std::time::Duration;

use http::StatusCode;
use tokio::net::TcpSocket;
use tower::ServiceExt;
use url::Url;

use self::server::{Identity, Server};
use super::*;
use crate::error::BackendError;
use crate::fetch::{DynFetch, FetchFailure, Limits, get};

fn trusting(identity: &Identity) -> HttpClientBuilder {
    HttpClient::builder()
        .without_default_roots()
        .add_root_certificate(&identity.certificate)
}

async fn document(client: &HttpClient, url: &str) -> Result<Bytes, FetchFailure> {
    let fetch = DynFetch::new(client.clone());
    let document = get(&fetch, &Url::parse(url).unwrap(), Limits::default()).await?;
    Ok(document.body)
}

async fn failure(client: &HttpClient, url: &str) -> String {
    let failure = document(client, url).await.unwrap_err();
    failure.error.report()
}

/// Sends to a URI as it stands, without the rules of a document.
async fn raw(client: &HttpClient, uri: &str) -> Result<Response<FetchBody>, String> {
    let request = Request::get(uri).body(Full::default()).unwrap();
    let answer = client.clone().oneshot(request).await;
    answer.map_err(|error| BackendError::with_source("raw", error).report())
}

#[tokio::test]
async fn key_03_https_with_an_added_root() {
    let identity = Identity::of(&["localhost", "127.0.0.1"]);
    for alpn in [&[][..], &["http/1.1"], &["h2"]] {
        let server = Server::https(&identity, alpn, StatusCode::OK).await;
        let client = trusting(&identity).build().unwrap();
        for host in ["127.0.0.1", "localhost"] {
            let url = format!("https://{host}:{}/jwks", server.address.port());
            let document = document(&client, &url).await.unwrap();
            assert_eq!(document, "{\"path\":\"/jwks\"}", "{alpn:?}");
        }
    }
}

#[tokio::test]
async fn key_03_an_added_root_in_pem() {
    let identity = Identity::of(&["127.0.0.1"]);
    let server = Server::https(&identity, &[], StatusCode::OK).await;
    let client = HttpClient::builder()
        .add_root_certificates_pem(identity.pem.as_bytes())
        .build()
        .unwrap();
    assert!(document(&client, &server.url("https")).await.is_ok());
}

#[tokio::test]
async fn key_03_a_server_of_another_root_is_refused() {
    let identity = Identity::of(&["127.0.0.1"]);
    let server = Server::https(&identity, &[], StatusCode::OK).await;
    let other = trusting(&Identity::of(&["127.0.0.1"])).build().unwrap();
    for client in [HttpClient::new(), other] {
        let said = failure(&client, &server.url("https")).await;
        assert!(said.contains("invalid peer certificate"), "{said}");
    }
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn key_03_a_certificate_for_another_name_is_refused() {
    let identity = Identity::of(&["auth.example.com"]);
    let server = Server::https(&identity, &[], StatusCode::OK).await;
    let client = trusting(&identity).build().unwrap();
    let said = failure(&client, &server.url("https")).await;
    assert!(said.contains("not valid for name"), "{said}");
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn key_03_plain_http_is_for_loopback_only() {
    let server = Server::http(StatusCode::OK).await;
    let client = HttpClient::new();
    assert!(document(&client, &server.url("http")).await.is_ok());

    // The client refuses by itself too, whoever drives it.
    for uri in [
        "http://auth.example.com/",
        "http://8.8.8.8/",
        "http://localhost.example.com/",
    ] {
        let said = raw(&client, uri).await.unwrap_err();
        assert!(
            said.contains("plain http, which is for loopback only"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn key_03_a_redirect_is_handed_on_not_followed() {
    let server = Server::http(StatusCode::FOUND).await;
    let client = HttpClient::new();
    let answer = raw(&client, &server.url("http")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::FOUND);
    let said = failure(&client, &server.url("http")).await;
    assert!(
        said.contains("answered 302; redirects are never followed"),
        "{said}"
    );
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn r03_a_server_that_never_answers_is_cut_by_the_deadline() {
    let server = Server::silent().await;
    let url = server.url("http");
    let asked = tokio::spawn(async move { failure(&HttpClient::new(), &url).await });
    server.accepted().await;
    tokio::time::pause();
    let said = asked.await.unwrap();
    assert!(said.contains("no complete answer within 5s"), "{said}");
}

#[tokio::test]
async fn r03_a_tls_handshake_that_hangs_is_cut_by_the_connect_timeout() {
    let server = Server::silent().await;
    let url = server.url("https");
    let asked = tokio::spawn(async move { failure(&HttpClient::new(), &url).await });
    server.accepted().await;
    tokio::time::pause();
    let said = asked.await.unwrap();
    assert!(
        said.contains("no connection to 127.0.0.1 within 2s"),
        "{said}"
    );
}

#[tokio::test]
async fn r05_a_refused_connection_is_an_error() {
    // Bound but not listening: nobody else gets the port meanwhile.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let url = format!("http://{}/", socket.local_addr().unwrap());
    let said = failure(&HttpClient::new(), &url).await;
    assert!(
        said.contains("no connection to 127.0.0.1: tcp connect error"),
        "{said}"
    );
}

#[tokio::test]
async fn r05_a_body_cut_short_on_the_wire_is_an_error() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    for rest in [
        "content-length: 9\r\n\r\n{",
        "transfer-encoding: chunked\r\n\r\n9\r\n{",
    ] {
        let server = Server::raw(format!("{head}{rest}")).await;
        let said = failure(&HttpClient::new(), &server.url("http")).await;
        assert!(said.contains("broke off before its end"), "{said}");
    }
}

#[tokio::test]
async fn r07_a_huge_head_is_cut() {
    let server = Server::raw(format!(
        "HTTP/1.1 200 OK\r\nx: {}\r\n\r\n",
        "a".repeat(128 * 1024)
    ))
    .await;
    let said = failure(&HttpClient::new(), &server.url("http")).await;
    assert!(said.contains("request not sent or not answered"), "{said}");
}

#[tokio::test]
async fn key_03_a_proxy_is_used_and_told_our_credentials() {
    let identity = Identity::of(&["issuer.test"]);
    let server = Server::https(&identity, &[], StatusCode::OK).await;
    let proxy = Server::proxy(server.address).await;
    let client = trusting(&identity)
        .proxy(format!("http://me:hunter2@{}", proxy.address))
        .build()
        .unwrap();
    let document = document(&client, "https://issuer.test/jwks").await.unwrap();
    assert_eq!(document, "{\"path\":\"/jwks\"}");
    let heads = proxy.heads();
    assert_eq!(heads.len(), 1);
    assert!(
        heads[0].starts_with("CONNECT issuer.test:443 HTTP/1.1\r\n"),
        "{heads:?}"
    );
    // base64("me:hunter2")
    assert!(
        heads[0].contains("Proxy-Authorization: Basic bWU6aHVudGVyMg==\r\n"),
        "{heads:?}"
    );
}

#[tokio::test]
async fn key_03_loopback_is_not_asked_through_the_proxy() {
    let identity = Identity::of(&["127.0.0.1"]);
    let server = Server::https(&identity, &[], StatusCode::OK).await;
    let proxy = Server::proxy(server.address).await;
    let builder = trusting(&identity).proxy(format!("http://{}", proxy.address));
    let client = builder.build().unwrap();
    assert!(document(&client, &server.url("https")).await.is_ok());
    assert_eq!(proxy.connections(), 0);
}

#[tokio::test]
async fn r05_a_proxy_that_refuses_is_an_error_without_its_password() {
    let proxy = Server::raw("HTTP/1.1 407 No\r\n\r\n".to_owned()).await;
    let client = HttpClient::builder()
        .proxy(format!("http://me:hunter2@{}", proxy.address))
        .build()
        .unwrap();
    let said = failure(&client, "https://issuer.test/jwks").await;
    assert!(said.contains("proxy authorization required"), "{said}");
    assert!(
        !said.contains("hunter2") && !said.contains("bWU6"),
        "{said}"
    );
}

#[test]
fn every_mistake_is_reported_at_once_and_no_secret_is_shown() {
    let builder = HttpClient::builder()
        .without_default_roots()
        .add_root_certificate(b"not a certificate")
        .add_root_certificates_pem(b"not pem")
        .connect_timeout(Duration::ZERO)
        .proxy("https://me:hunter2@proxy.example.com");
    assert!(!format!("{builder:?}").contains("hunter2"));
    let error = builder.build().unwrap_err();
    let fields: Vec<_> = error
        .problems()
        .iter()
        .map(|problem| problem.field.as_str())
        .collect();
    assert_eq!(
        fields,
        [
            "root_certificate[0]",
            "root_certificate[1]",
            "connect_timeout",
            "proxy"
        ]
    );
    assert!(!error.to_string().contains("hunter2"), "{error}");

    let error = HttpClient::builder()
        .without_default_roots()
        .build()
        .unwrap_err();
    assert_eq!(error.problems()[0].field, "root_certificate");
}
