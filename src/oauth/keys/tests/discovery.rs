//! Where keys are looked for (KEY-1, KEY-2, KEY-3).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

use super::support::*;
use crate::fetch::DynFetch;
use crate::issuer::Issuer;
use crate::oauth::keys::KeySource;
use crate::testing::{Discovery, Endpoint, Fault};

const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OIDC: &str = "/.well-known/openid-configuration";

#[tokio::test(start_paused = true)]
async fn key_01_an_issuer_with_a_path_is_sought_at_three_places_in_order() {
    let world = World::new();
    world.issuer.serve_discovery([Discovery::OidcAppended]);
    assert_eq!(world.ask(&world.kid()).await, Answer::Keys);
    assert_eq!(
        world.issuer.requests(),
        [
            format!("{OAUTH}/t1"),
            format!("{OIDC}/t1"),
            format!("/t1{OIDC}"),
            "/t1/jwks".to_owned()
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn key_01_an_issuer_without_a_path_is_sought_at_two_places() {
    for url in ["https://auth.example.com", "https://auth.example.com/"] {
        let world = World::at(url, |issuer| issuer);
        world.issuer.serve_discovery([]);
        assert!(world.ask(&world.kid()).await.is_outage());
        assert_eq!(world.issuer.requests(), [OAUTH, OIDC], "{url}");
        assert!(world.last_error().contains("404"), "{}", world.last_error());
    }
}

#[tokio::test(start_paused = true)]
async fn key_01_a_closing_slash_of_the_path_is_not_inserted() {
    let world = World::at("https://auth.example.com/t1/", |issuer| issuer);
    assert_eq!(world.ask(&world.kid()).await, Answer::Keys);
    assert_eq!(world.issuer.requests()[0], format!("{OAUTH}/t1"));
}

#[tokio::test(start_paused = true)]
async fn key_01_the_first_right_document_ends_the_search() {
    let world = World::new();
    world.source.warm_up().await.unwrap();
    let requests = world.issuer.requests();
    assert_eq!(requests, [format!("{OAUTH}/t1"), "/t1/jwks".to_owned()]);
}

#[tokio::test(start_paused = true)]
async fn key_01_an_issuer_that_fails_is_not_asked_at_the_other_places() {
    for fault in [
        Fault::Status(500),
        Fault::Status(429),
        Fault::Refuse,
        Fault::Hang,
    ] {
        let world = World::new();
        world.issuer.fail(Endpoint::Metadata, fault.clone());
        assert!(world.ask(&world.kid()).await.is_outage(), "{fault:?}");
        assert_eq!(world.issuer.hits().metadata, 1, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn key_01_a_configured_jwks_uri_needs_no_metadata() {
    let url = "https://auth.example.com/t1";
    let world = World::at(url, |issuer| issuer.jwks_uri(format!("{url}/jwks")));
    world.source.warm_up().await.unwrap();
    assert_eq!(world.issuer.requests(), ["/t1/jwks"]);
}

#[tokio::test(start_paused = true)]
async fn key_02_metadata_of_another_issuer_is_never_used() {
    let world = World::new();
    world.issuer.fail(Endpoint::Metadata, Fault::WrongIssuer);
    assert!(world.ask(&world.kid()).await.is_outage());
    assert_eq!(world.issuer.hits().jwks, 0);
    assert!(
        world.last_error().contains("identical"),
        "{}",
        world.last_error()
    );
}

#[tokio::test(start_paused = true)]
async fn key_02_the_issuer_is_compared_byte_for_byte() {
    for near in [
        "https://auth.example.com/t1/",
        "https://AUTH.example.com/t1",
        "https://auth.example.com:443/t1",
        "https://auth.example.com/T1",
        "https://auth.example.com/t1 ",
        "http://auth.example.com/t1",
    ] {
        let world = World::new();
        world.issuer.set_metadata_field("issuer", near);
        assert!(world.ask(&world.kid()).await.is_outage(), "{near}");
        assert_eq!(world.issuer.hits().jwks, 0, "{near}");
    }
}

#[tokio::test(start_paused = true)]
async fn key_03_a_jwks_uri_must_be_https() {
    for (uri, word) in [
        (json!("http://auth.example.com/t1/jwks"), "https"),
        (json!("http://169.254.169.254/latest/meta-data"), "https"),
        (json!("file:///etc/passwd"), "no host"),
        (
            json!("https://user:pw@auth.example.com/t1/jwks"),
            "user name",
        ),
        (json!("/t1/jwks"), "not a URL"),
        (json!(7), "JSON"),
        (json!(null), "no jwks_uri"),
    ] {
        let world = World::new();
        world.issuer.set_metadata_field("jwks_uri", uri.clone());
        assert!(world.ask(&world.kid()).await.is_outage(), "{uri}");
        assert_eq!(world.issuer.hits().jwks, 0, "{uri}");
        assert!(world.last_error().contains(word), "{}", world.last_error());
    }
}

#[tokio::test(start_paused = true)]
async fn t43_metadata_of_another_machine_sends_no_request_to_this_one() {
    for uri in [
        "http://localhost:2375/t1/jwks",
        "http://127.0.0.1/t1/jwks",
        "http://127.1:8500/t1/jwks",
        "http://2130706433/t1/jwks",
        "http://[::1]/t1/jwks",
        "https://localhost/t1/jwks",
        "https://LOCALHOST/t1/jwks",
        "https://[::1]:8443/t1/jwks",
    ] {
        let world = World::new();
        world.issuer.set_metadata_field("jwks_uri", uri);
        assert!(world.ask(&world.kid()).await.is_outage(), "{uri}");
        assert_eq!(world.issuer.hits().jwks, 0, "{uri}");
        let error = world.last_error();
        assert!(error.contains("loopback"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn key_03_redirects_are_not_followed() {
    for endpoint in [Endpoint::Metadata, Endpoint::Jwks] {
        let world = World::new();
        let away = Fault::Redirect("https://auth.example.com/elsewhere".to_owned());
        world.issuer.fail(endpoint, away);
        assert!(world.ask(&world.kid()).await.is_outage());
        assert_eq!(world.issuer.hits().other, 0);
        assert!(
            world.last_error().contains("redirect"),
            "{}",
            world.last_error()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn key_01_metadata_is_asked_for_again_after_an_hour() {
    let world = World::warm().await;
    for _ in 0..55 {
        pass(60).await;
        assert_eq!(world.ask(&world.kid()).await, Answer::Keys);
    }
    assert_eq!(world.issuer.hits().metadata, 0);
    assert!(world.issuer.hits().jwks >= 10);
    for _ in 0..10 {
        pass(60).await;
        assert_eq!(world.ask(&world.kid()).await, Answer::Keys);
    }
    assert_eq!(world.issuer.hits().metadata, 1);
}

#[tokio::test(start_paused = true)]
async fn key_01_known_places_outlive_the_metadata_by_a_day() {
    let world = World::warm().await;
    world.issuer.fail(Endpoint::Metadata, Fault::Status(500));
    for _ in 0..23 * 15 {
        pass(240).await;
        assert_eq!(world.ask(&world.kid()).await, Answer::Keys);
    }
    assert_eq!(world.last_error(), "", "keys are fetched all the while");
    for _ in 0..20 {
        pass(240).await;
        world.ask(&world.kid()).await;
    }
    assert!(world.last_error().contains("500"), "{}", world.last_error());
}

#[tokio::test(start_paused = true)]
async fn key_01_a_failing_key_location_is_looked_up_again() {
    let world = World::warm().await;
    let elsewhere = world.issuer.endpoint("/nowhere");
    world.issuer.set_metadata_field("jwks_uri", elsewhere);
    world.issuer.fail(Endpoint::Jwks, Fault::Status(404));
    pass(301).await;
    assert_eq!(world.ask(&world.kid()).await, Answer::Keys, "stale");
    assert_eq!(world.issuer.hits().metadata, 0);
    pass(5).await;
    assert!(world.issuer.hits().metadata > 0);
}

#[tokio::test(start_paused = true)]
async fn key_03_moving_the_keys_to_another_host_is_accepted_and_reported() {
    let log = Log::start();
    let turn = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&turn);
    let keys = World::new().issuer;
    let jwk = keys.public_jwk(&keys.signing_kid());
    let service = tower::service_fn(move |request: Request<Full<Bytes>>| {
        let body = if request.uri().path() == "/jwks" {
            json!({ "keys": [jwk] })
        } else {
            let number = asked.fetch_add(1, Ordering::Relaxed);
            let uri = format!("https://keys{number}.example.com/jwks");
            json!({ "issuer": "https://auth.example.com", "jwks_uri": uri })
        };
        let response = Response::builder()
            .status(StatusCode::OK)
            .header("content-type", "application/json")
            .body(Full::<Bytes>::from(body.to_string()));
        std::future::ready(response)
    });
    let issuer = Issuer::new("https://auth.example.com");
    let source = KeySource::new(
        &issuer,
        crate::scope::ScopeSet::empty(),
        DynFetch::new(service),
        Arc::new(PausedClock::new()),
    );
    source.warm_up().await.unwrap();
    assert_eq!(log.lines_with("another host"), Vec::<String>::new());
    pass(3601).await;
    assert_eq!(ask(&source, Some(&keys.signing_kid())).await, Answer::Keys);
    assert_eq!(turn.load(Ordering::Relaxed), 2);
    let reports = log.lines_with("another host");
    assert!(reports[0].contains("keys0.example.com") && reports[0].contains("keys1.example.com"));
    assert_eq!(reports.len(), 1);
}
