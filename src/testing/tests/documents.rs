use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::{Subject, Wire, both};
use crate::algorithm::SigningAlgorithm;
use crate::fetch::Fetch;
use crate::testing::{Discovery, TestIssuer};

/// The URL of a well-known document, from the root of the issuer's host.
fn well_known(subject: &Subject, path: &str) -> String {
    let url = url::Url::parse(subject.issuer.url()).unwrap();
    url.join(path).unwrap().to_string()
}

const PLACES: [&str; 3] = [
    "/.well-known/oauth-authorization-server/t1",
    "/.well-known/openid-configuration/t1",
    "/t1/.well-known/openid-configuration",
];

#[tokio::test]
async fn metadata_is_at_all_three_places() {
    for subject in both(|b| b.path("/t1")).await {
        for place in PLACES {
            let answer = subject.wire.get(&well_known(&subject, place)).await;
            assert_eq!(answer.header(ACCESS_CONTROL_ALLOW_ORIGIN), "*");
            let metadata = answer.json();
            assert_eq!(metadata["issuer"], subject.issuer.url());
            assert_eq!(metadata["jwks_uri"], subject.url("/jwks"));
            assert_eq!(
                metadata["code_challenge_methods_supported"],
                json!(["S256"])
            );
            assert_eq!(
                metadata["authorization_response_iss_parameter_supported"],
                true
            );
        }
        assert_eq!(subject.issuer.requests(), PLACES);
        assert_eq!(subject.issuer.hits().metadata, 3);
    }
}

#[tokio::test]
async fn discovery_can_be_narrowed() {
    for subject in both(|b| b.path("/t1").serve_discovery([Discovery::OidcAppended])).await {
        let mut statuses = Vec::new();
        for place in PLACES {
            let answer = subject.wire.get(&well_known(&subject, place)).await;
            statuses.push(answer.status().as_u16());
        }
        assert_eq!(statuses, [404, 404, 200]);
        subject.issuer.serve_discovery([Discovery::OAuth]);
        let answer = subject.wire.get(&well_known(&subject, PLACES[0])).await;
        assert_eq!(answer.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn an_issuer_without_a_path_has_two_places() {
    let at = "/.well-known/openid-configuration";
    for subject in both(|b| b.serve_discovery([Discovery::OidcAppended])).await {
        let answer = subject.wire.get(&well_known(&subject, at)).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let oauth = "/.well-known/oauth-authorization-server";
        let answer = subject.wire.get(&well_known(&subject, oauth)).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn documents_can_be_replaced_in_part_or_whole() {
    for subject in both(|b| b).await {
        let issuer = &subject.issuer;
        let place = well_known(&subject, "/.well-known/oauth-authorization-server");
        issuer.set_metadata_field("jwks_uri", "http://169.254.169.254/");
        issuer.remove_metadata_field("issuer");
        let metadata = subject.wire.get(&place).await.json();
        assert_eq!(metadata["jwks_uri"], "http://169.254.169.254/");
        assert_eq!(metadata.get("issuer"), None);

        issuer.set_metadata(json!({"issuer": 7}));
        assert_eq!(subject.wire.get(&place).await.text(), r#"{"issuer":7}"#);

        issuer.set_jwks_text("{");
        issuer.set_jwks_header("cache-control", "max-age=1");
        let answer = subject.wire.get(&subject.url("/jwks")).await;
        assert_eq!(answer.text(), "{");
        assert_eq!(answer.header(CACHE_CONTROL), "max-age=1");

        issuer.reset_documents();
        let metadata = subject.wire.get(&place).await.json();
        assert_eq!(metadata["issuer"], issuer.url());
        assert_eq!(subject.jwks().await["keys"][0]["kid"], issuer.signing_kid());
    }
}

fn kids(jwks: &Value) -> Vec<&str> {
    let keys = jwks["keys"].as_array().unwrap();
    keys.iter()
        .map(|key| key["kid"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn keys_rotate_overlapping_abruptly_and_hidden() {
    for subject in both(|b| b.key_id("shared")).await {
        let issuer = &subject.issuer;
        let second = issuer.rotate(SigningAlgorithm::Es256);
        assert_eq!(kids(&subject.jwks().await), ["shared", &second]);

        let third = issuer.rotate_hidden(SigningAlgorithm::EdDsa);
        assert_eq!(issuer.signing_kid(), third);
        assert_eq!(kids(&subject.jwks().await), ["shared", &second]);
        issuer.publish(&third);
        assert_eq!(kids(&subject.jwks().await), ["shared", &second, &third]);

        let fourth = issuer.rotate_abruptly(SigningAlgorithm::Es256);
        assert_eq!(kids(&subject.jwks().await), [&third, &fourth]);
        issuer.withdraw(&third);
        assert_eq!(kids(&subject.jwks().await), [&fourth]);
        assert_eq!(issuer.kids(), [fourth.as_str()]);
        assert_eq!(subject.jwks().await["keys"][0], issuer.public_jwk(&fourth));
        assert_eq!(issuer.hits().jwks, 6);
        issuer.reset_hits();
        assert_eq!(issuer.hits().total(), 0);
    }
}

#[tokio::test]
async fn preflights_pass_and_are_not_counted() {
    for subject in both(|b| b).await {
        for path in ["/jwks", "/token", "/register"] {
            let request = Request::options(subject.url(path));
            let request = request.body(Full::default()).unwrap();
            let answer = subject.wire.send(request).await.unwrap();
            assert_eq!(answer.status(), StatusCode::NO_CONTENT);
            assert_eq!(answer.header(ACCESS_CONTROL_ALLOW_ORIGIN), "*");
        }
        // The consent page is not for scripts.
        let request = Request::options(subject.url("/authorize"));
        let request = request.body(Full::default()).unwrap();
        let answer = subject.wire.send(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.header(ACCESS_CONTROL_ALLOW_ORIGIN), "");
        assert_eq!(subject.issuer.hits().total(), 1);
    }
}

#[tokio::test]
async fn wrong_methods_paths_and_sizes_are_refused() {
    for subject in both(|b| b.path("/t1")).await {
        let request = |method: Method, path: &str, body: String| {
            let request = Request::builder().method(method).uri(subject.url(path));
            subject.wire.send(request.body(Full::from(body)).unwrap())
        };
        let wrong_method = request(Method::PUT, "/jwks", String::new()).await.unwrap();
        assert_eq!(wrong_method.status(), StatusCode::METHOD_NOT_ALLOWED);
        let nowhere = request(Method::GET, "/t2", String::new()).await.unwrap();
        assert_eq!(nowhere.status(), StatusCode::NOT_FOUND);
        let huge = "x".repeat(65 * 1024);
        let huge = request(Method::POST, "/register", huge).await.unwrap();
        assert_eq!(huge.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(subject.issuer.hits().other, 1);
    }
}

#[tokio::test]
async fn in_process_issuers_share_a_network() {
    let first = TestIssuer::builder().path("/t1").in_process();
    let second = TestIssuer::builder().path("/t2").in_process();
    let wire = Wire::Process(first.fetch().and(second.fetch()));
    wire.get(&second.endpoint("/jwks")).await;
    wire.get("https://auth.example.com:443/.well-known/openid-configuration/t1")
        .await;
    assert_eq!((first.hits().metadata, first.hits().jwks), (1, 0));
    assert_eq!((second.hits().metadata, second.hits().jwks), (0, 1));

    for elsewhere in [
        "http://auth.example.com/t1/jwks",
        "https://evil.example/t1/jwks",
    ] {
        assert!(wire.try_get(elsewhere).await.is_err());
    }
    assert_eq!(first.hits().total() + second.hits().total(), 2);
}

#[tokio::test]
async fn the_service_is_a_fetch() {
    let issuer = TestIssuer::builder().in_process();
    let request = || Request::get(issuer.endpoint("/jwks")).body(Full::default());
    let answer = Fetch::fetch(&issuer.fetch(), request().unwrap()).await;
    assert_eq!(answer.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn the_last_handle_ends_the_server() {
    let issuer = TestIssuer::start().await.unwrap();
    let address = issuer.local_addr().unwrap();
    let clone = issuer.clone();
    drop(issuer);
    assert!(TcpStream::connect(address).await.is_ok());
    drop(clone);
    for _ in 0..1000 {
        if TcpStream::connect(address).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{address} is still open");
}

#[tokio::test]
async fn an_issuer_can_come_back_on_its_port() {
    let issuer = TestIssuer::start().await.unwrap();
    let (url, port) = (issuer.url().to_owned(), issuer.local_addr().unwrap().port());
    let taken = TestIssuer::builder().port(port).start().await;
    assert_eq!(taken.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    drop(issuer);
    for _ in 0..1000 {
        if let Ok(again) = TestIssuer::builder().port(port).start().await {
            assert_eq!(again.url(), url);
            let answer = Wire::socket().get(&again.endpoint("/jwks")).await;
            assert_eq!(answer.status(), StatusCode::OK);
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("port {port} never came free");
}
