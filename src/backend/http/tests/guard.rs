//! What is dialled and what is not (T43).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{StatusCode, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use ipnet::IpNet;
use tower::{ServiceExt, service_fn};

use super::server::{Identity, Server};
use super::{HttpClient, document, failure, trusting};
use crate::backend::http::dial::{AddressRules, GuardedResolver};
use crate::error::BackendError;

/// Connects to `host` with a resolver that answers `found`, under the guard.
async fn connect(host: &str, found: &[SocketAddr], allow: &str) -> Result<SocketAddr, String> {
    let found = found.to_vec();
    let resolver = service_fn(move |_: Name| {
        let found = found.clone();
        async move { Ok::<_, Infallible>(found.into_iter()) }
    });
    let rules = AddressRules {
        allowed: allow.parse().into_iter().collect(),
    };
    let mut connector = HttpConnector::new_with_resolver(GuardedResolver::new(resolver, rules));
    connector.enforce_http(false);
    match connector
        .ready()
        .await
        .unwrap()
        .clone()
        .oneshot(Uri::from_str(host).unwrap())
        .await
    {
        Ok(stream) => Ok(stream.inner().peer_addr().unwrap()),
        Err(error) => Err(BackendError::with_source("dial", error).report()),
    }
}

#[tokio::test]
async fn t43_private_addresses_in_the_url_are_refused() {
    let client = HttpClient::builder()
        .proxy("http://127.0.0.1:9")
        .build()
        .unwrap();
    for client in [HttpClient::new(), client] {
        for host in [
            "10.0.0.7",
            "169.254.169.254",
            "0.0.0.0",
            "[::]",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "[::ffff:127.0.0.1]",
            "[64:ff9b::a9fe:a9fe]",
        ] {
            let said = failure(&client, &format!("https://{host}/")).await;
            assert!(said.contains("a private address; allow it with"), "{said}");
            assert!(
                said.contains("HttpClientBuilder::allow_addresses"),
                "{said}"
            );
        }
    }
}

#[tokio::test]
async fn t43_an_address_only_the_resolver_understands_is_refused() {
    let canary = Server::http(StatusCode::OK).await;
    let guard = GuardedResolver::new(GaiResolver::new(), AddressRules::default());
    let connector = HttpConnector::new_with_resolver(guard);
    // 127.0.0.1 as one number.
    let uri = format!("http://2130706433:{}/", canary.address.port());
    let error = connector.oneshot(uri.parse().unwrap()).await.unwrap_err();
    let said = BackendError::with_source("dial", error).report();
    assert!(
        said.contains("resolves to 127.0.0.1, a private address"),
        "{said}"
    );
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn t43_a_name_that_resolves_to_a_private_address_is_not_dialled() {
    let canary = Server::http(StatusCode::OK).await;
    let said = connect(&canary.named("issuer.test"), &[canary.address], "").await;
    assert_eq!(
        said.unwrap_err(),
        "dial: dns error: issuer host issuer.test resolves to 127.0.0.1, a private address; \
         allow it with HttpClientBuilder::allow_addresses"
    );
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn t43_allowed_addresses_and_localhost_are_dialled() {
    let server = Server::http(StatusCode::OK).await;
    let port = server.address.port();
    let dialled = connect(
        &server.named("issuer.test"),
        &[server.address],
        "127.0.0.0/8",
    )
    .await;
    assert_eq!(dialled, Ok(server.address));
    // The other address is public only for a resolver that lies about localhost.
    let found = [SocketAddr::from(([8, 8, 8, 8], port)), server.address];
    let dialled = connect(&server.named("localhost"), &found, "").await;
    assert_eq!(dialled, Ok(server.address));
    let said = connect(&server.named("localhost"), &found[..1], "0.0.0.0/0").await;
    assert!(
        said.unwrap_err()
            .contains("localhost resolves to 8.8.8.8, not to loopback")
    );
}

#[tokio::test]
async fn t43_only_the_permitted_of_several_addresses_are_handed_on() {
    let found =
        ["10.0.0.7:0", "8.8.8.8:0", "[::1]:0", "[2606:4700::1]:0"].map(|a| a.parse().unwrap());
    let resolver = service_fn(move |_: Name| async move { Ok::<_, Infallible>(found.into_iter()) });
    let guard = GuardedResolver::new(resolver, AddressRules::default());
    let permitted: Vec<_> = guard
        .oneshot(Name::from_str("issuer.test").unwrap())
        .await
        .unwrap()
        .collect();
    assert_eq!(permitted, [found[1], found[3]]);
}

#[tokio::test]
async fn t43_a_rebinding_name_is_looked_up_once_per_dial() {
    let server = Server::http(StatusCode::OK).await;
    let good = server.address;
    let lookups = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&lookups);
    // Permitted when first asked, private ever after.
    let resolver = service_fn(move |_: Name| {
        let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        let ip = if first {
            good.ip()
        } else {
            [10, 0, 0, 7].into()
        };
        async move { Ok::<_, Infallible>([SocketAddr::new(ip, 0)].into_iter()) }
    });
    let rules = AddressRules {
        allowed: [IpNet::from(good.ip())].into(),
    };
    let mut connector = HttpConnector::new_with_resolver(GuardedResolver::new(resolver, rules));
    connector.enforce_http(false);
    let uri: Uri = server.named("issuer.test").parse().unwrap();
    let stream = connector.clone().oneshot(uri.clone()).await.unwrap();
    assert_eq!(stream.inner().peer_addr().unwrap(), good);
    assert_eq!(lookups.load(Ordering::SeqCst), 1);
    let error = connector.oneshot(uri).await.unwrap_err();
    let said = BackendError::with_source("dial", error).report();
    assert!(
        said.contains("resolves to 10.0.0.7, a private address"),
        "{said}"
    );
}

#[tokio::test]
async fn t43_the_builder_hands_allowed_addresses_to_the_dial() {
    // "This host" reaches a loopback listener, and is no loopback address.
    let identity = Identity::of(&["0.0.0.0"]);
    let server = Server::https(&identity, &[], StatusCode::OK).await;
    let url = format!("https://0.0.0.0:{}/", server.address.port());
    let strict = trusting(&identity).build().unwrap();
    assert!(document(&strict, &url).await.is_err());
    assert_eq!(server.connections(), 0);
    let network = IpNet::from_str("0.0.0.0/32").unwrap();
    let client = trusting(&identity)
        .allow_addresses([network])
        .build()
        .unwrap();
    assert!(document(&client, &url).await.is_ok());
}
