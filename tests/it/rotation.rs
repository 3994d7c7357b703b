//! Keys that come and go, and clocks that jump (requirements KEY, threats R10-R17), from outside.

use std::time::Duration;

use futures_util::future::{FutureExt, join_all};
use http::StatusCode;
use http_body_util::Empty;
use tokio::time::Instant;
use tower::ServiceExt;
use tower_mcp_auth::SigningAlgorithm;
use tower_mcp_auth::testing::Fault;

use crate::outage::{MINUTE, Server, assert_unavailable};
use crate::support::{Answer, R, World, post};

#[tokio::test(start_paused = true)]
async fn r11_a_flood_of_unknown_keys_neither_floods_the_issuer_nor_hurts_good_requests() {
    let server = Server::new().warmed().await;
    tokio::time::sleep(MINUTE).await;
    server.issuer.reset_hits();
    let flood: Vec<String> = (0..50)
        .map(|n| server.issuer.token(R).header("kid", format!("k{n}")).sign())
        .collect();
    let start = Instant::now();
    while start.elapsed() < MINUTE {
        let answers = join_all(flood.iter().map(|token| server.bearer(token))).await;
        for answer in answers {
            answer.assert_invalid_token("unknown_key");
        }
        let before = Instant::now();
        assert_eq!(server.valid().await.status, StatusCode::OK);
        assert_eq!(before.elapsed(), Duration::ZERO);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let hits = server.issuer.hits();
    assert!((1..=7).contains(&hits.jwks), "{} fetches", hits.jwks);
    assert!(hits.metadata <= 7);
}

#[tokio::test(start_paused = true)]
async fn r10_an_unannounced_key_works_within_ten_seconds() {
    let server = Server::new().warmed().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let old = server.issuer.token(R).expires_in(3600).sign();
    server.issuer.rotate_abruptly(SigningAlgorithm::Es256);
    let start = Instant::now();
    loop {
        let answer = server.valid().await;
        if answer.status == StatusCode::OK {
            break;
        }
        answer.assert_invalid_token("unknown_key");
        assert!(start.elapsed() < Duration::from_secs(10), "still unknown");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // And the withdrawn one stopped with the same fetch.
    server
        .bearer(&old)
        .await
        .assert_invalid_token("unknown_key");
}

#[tokio::test(start_paused = true)]
async fn key_05_r12_a_withdrawn_key_is_refused_within_its_lifetime() {
    for idle in [10, 600] {
        let server = Server::new().warmed().await;
        let withdrawn = server.issuer.signing_kid();
        let token = server
            .issuer
            .token(R)
            .key(&withdrawn)
            .expires_in(3600)
            .sign();
        server.issuer.rotate(SigningAlgorithm::Es256);
        assert_eq!(server.bearer(&token).await.status, StatusCode::OK);
        server.issuer.withdraw(&withdrawn);
        let start = Instant::now();
        loop {
            tokio::time::sleep(Duration::from_secs(idle)).await;
            let answer = server.bearer(&token).await;
            if answer.status != StatusCode::OK {
                answer.assert_invalid_token("unknown_key");
                break;
            }
            assert!(start.elapsed() < Duration::from_secs(300), "still in use");
        }
        assert_eq!(server.valid().await.status, StatusCode::OK, "the other key");
    }
}

#[tokio::test]
async fn r16_a_wall_clock_that_jumps_decides_on_tokens_and_not_on_keys() {
    let world = World::warm().await;
    world.issuer.fail_all(Fault::Refuse);
    for (years, code) in [(1, "expired"), (40, "expired"), (-30, "lifetime_too_long")] {
        let old = world.token().sign();
        world.clock.jump_wall(years * 365 * 24 * 3600);
        world.bearer(&world.token().sign()).await.assert_let_in();
        let answer = world.bearer(&old).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.code(), code, "after {years} years");
    }
    assert_eq!(world.issuer.hits().jwks, 1);
}

#[test]
fn r14_a_runtime_that_ends_during_a_fetch_leaves_no_trace() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
    };
    let world = World::cold();
    world.issuer.fail_all(Fault::Hang);
    let first = runtime();
    let token = world.token().sign();
    assert_unavailable(&first.block_on(world.bearer(&token)));
    drop(first);
    world.issuer.heal();
    world.clock.advance(Duration::from_secs(31));
    let next = runtime().block_on(world.bearer(&token));
    next.assert_let_in();
}

#[test]
fn r01_outside_a_tokio_runtime_keys_at_hand_are_enough_and_without_them_it_is_503() {
    let world = World::cold();
    let outside = || {
        let token = format!("Bearer {}", world.token().sign());
        let request = post().header("authorization", token).body(Empty::new());
        let response = world.service().oneshot(request.unwrap()).now_or_never();
        let response = response.expect("decided at once").unwrap();
        Answer::read(response).now_or_never().unwrap()
    };
    assert_unavailable(&outside());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(world.auth.warm_up(MINUTE)).unwrap();
    drop(runtime);
    outside().assert_let_in();
}
