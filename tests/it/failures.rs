//! Who fails has to wait, and nobody else (EDGE-6, EDGE-7, T28, T29).

use std::time::Duration;

use http::StatusCode;
use tower_mcp_auth::api_token::NewToken;
use tower_mcp_auth::policy::TrustedProxies;
use tower_mcp_auth::throttle::ThrottleSettings;

use crate::support::Answer;
use crate::tokens_support::{ADA, TokenWorld, basic, bearer, damaged, encoded, from, stranger};

const ATTACKER: &str = "203.0.113.66";
const VICTIM: &str = "198.51.100.7";

#[track_caller]
fn assert_throttled(answer: &Answer) {
    assert_eq!(answer.code(), "too_many_failures", "{:?}", answer.status);
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.header("www-authenticate"), None);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
}

#[tokio::test]
async fn edge_06_failures_of_one_address_and_only_of_it() {
    let world = TokenWorld::new().await;
    for _ in 0..20 {
        let answer = world.present_from(ATTACKER, "Basic %%%").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    assert_throttled(&world.present_from(ATTACKER, "Basic %%%").await);
    // The good one from there waits too, from elsewhere it does not.
    let good = basic(ADA, &world.acme_user);
    assert_throttled(&world.present_from(ATTACKER, &good).await);
    assert_throttled(&world.present_from(ATTACKER, bearer(&world.acme_key)).await);
    world.present_from(VICTIM, &good).await.assert_let_in();
    world.clock.advance(Duration::from_secs(60));
    world.present_from(ATTACKER, &good).await.assert_let_in();
}

#[tokio::test]
async fn edge_07_the_answer_says_which_limit_it_is() {
    let world = TokenWorld::new().await;
    for _ in 0..5 {
        let wrong = basic("eve@acme.example", &world.acme_user);
        world.present_from(ATTACKER, wrong).await;
    }
    let answer = world
        .present_from(ATTACKER, basic(ADA, &world.acme_user))
        .await;
    assert_throttled(&answer);
    let body = answer.json();
    assert_eq!(body["error"], "too_many_failures");
    assert_eq!(body["limit"], "failed_credentials_per_token");
    assert_eq!(body["limit_scope"], "one API token from one client address");
    assert_eq!(body["limit_allowance"], 5);
    assert_eq!(body["limit_window_seconds"], 60);
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert_eq!(body["retry_after_seconds"], wait);
    // When it says so, it is over.
    world.clock.advance(Duration::from_secs(wait));
    world
        .present_from(ATTACKER, basic(ADA, &world.acme_user))
        .await
        .assert_let_in();
}

#[tokio::test]
async fn t28_damaged_keys_run_into_the_limit_too() {
    let world = TokenWorld::new().await;
    let text = damaged(&world.acme_key);
    for _ in 0..20 {
        let answer = world.present_from(ATTACKER, format!("Bearer {text}")).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    assert_throttled(&world.present_from(ATTACKER, format!("Bearer {text}")).await);
    assert_eq!(world.store.faults.calls(), 0);
}

#[tokio::test]
async fn t28_guessing_asks_the_store_as_often_as_the_limit_allows() {
    let world = TokenWorld::new().await;
    for _ in 0..40 {
        let guess = stranger(NewToken::personal("acme", "ada", ADA)).await;
        world.present_from(ATTACKER, basic(ADA, &guess)).await;
    }
    assert_eq!(world.store.faults.calls(), 20);
}

#[tokio::test]
async fn t29_an_attacker_locks_nobody_out() {
    let world = TokenWorld::new().await;
    let wrong = basic("eve@acme.example", &world.acme_user);
    for round in 0..200 {
        world.present_from(ATTACKER, &wrong).await;
        if round % 50 == 0 {
            world
                .present_from(VICTIM, basic(ADA, &world.acme_user))
                .await
                .assert_let_in();
        }
    }
    assert_throttled(&world.present_from(ATTACKER, &wrong).await);
    world
        .present_from(VICTIM, basic(ADA, &world.acme_user))
        .await
        .assert_let_in();
}

#[tokio::test]
async fn edge_06_success_costs_nothing_and_forgives_nothing() {
    let world = TokenWorld::new().await;
    let good = basic(ADA, &world.acme_user);
    for _ in 0..100 {
        world.present_from(ATTACKER, &good).await.assert_let_in();
    }
    for _ in 0..20 {
        let answer = world.present_from(ATTACKER, encoded("a@x.io:b")).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        if world.probe.calls() < 105 {
            world.present_from(ATTACKER, &good).await.assert_let_in();
        }
    }
    assert_throttled(&world.present_from(ATTACKER, &good).await);
}

#[tokio::test]
async fn edge_06_access_tokens_are_not_counted_and_not_slowed() {
    let world = TokenWorld::new().await;
    let bad = world.access_token().without("exp").sign();
    for _ in 0..50 {
        let answer = world.present_from(ATTACKER, format!("Bearer {bad}")).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    world
        .present_from(ATTACKER, basic(ADA, &world.acme_user))
        .await
        .assert_let_in();
    for _ in 0..21 {
        world.present_from(ATTACKER, "Basic %%%").await;
    }
    let good = format!("Bearer {}", world.access_token().sign());
    world.present_from(ATTACKER, good).await.assert_let_in();
}

#[tokio::test]
async fn edge_06_an_outage_of_ours_is_nobodys_failure() {
    let world = TokenWorld::new().await;
    world.store.faults.set(crate::tokens_support::Mood::Down);
    let good = basic(ADA, &world.acme_user);
    for _ in 0..50 {
        let answer = world.present_from(VICTIM, &good).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    }
    world.store.faults.set(crate::tokens_support::Mood::Well);
    world.clock.advance(Duration::from_secs(2));
    world.present_from(VICTIM, &good).await.assert_let_in();
}

#[tokio::test]
async fn edge_06_it_can_be_switched_off() {
    let world = TokenWorld::with(|builder, _| builder.throttle(ThrottleSettings::off())).await;
    let wrong = basic("eve@acme.example", &world.acme_user);
    for _ in 0..50 {
        let answer = world.present_from(ATTACKER, &wrong).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn edge_06_behind_a_trusted_proxy_the_client_counts() {
    let proxies = TrustedProxies::new(["10.0.0.0/8"]).unwrap();
    let world = TokenWorld::with(|builder, _| builder.trusted_proxies(proxies)).await;
    let via = |peer: &str, client: &str, authorization: &str| {
        let request = from(peer).header("x-forwarded-for", client);
        world.send(request.header("authorization", authorization))
    };
    for round in 0..21 {
        // What a client writes there itself does not help it.
        let line = format!("192.0.2.{round}, {ATTACKER}");
        via("10.0.0.1", &line, "Basic %%%").await;
    }
    let good = basic(ADA, &world.acme_user);
    assert_throttled(&via("10.0.0.1", ATTACKER, &good).await);
    assert_throttled(&via("10.0.0.2", ATTACKER, &good).await);
    via("10.0.0.1", VICTIM, &good).await.assert_let_in();
    // Nobody believes the header of a stranger.
    via(VICTIM, ATTACKER, &good).await.assert_let_in();
}
