//! Stores that fail: 503 with a time to come back, never 401 (R19, R20, R24).

use std::time::Duration;

use tower_mcp_auth::api_token::ApiTokenStore;
use tower_mcp_auth::clock::Clock;

use crate::tokens_support::{Mood, OUTAGES, TokenWorld, assert_outage};

#[tokio::test(start_paused = true)]
async fn r19_without_the_token_store_nobody_can_know() {
    for mood in OUTAGES {
        let world = TokenWorld::new().await;
        world.store.faults.set(mood);
        for _ in 0..3 {
            assert_outage(&world.ada().await, "store_unavailable");
            assert_outage(&world.robot().await, "store_unavailable");
        }
        // While it fails it is not asked by every request.
        assert_eq!(world.store.faults.calls(), 2);
        assert_eq!(world.probe.calls(), 0);
        world.store.faults.set(Mood::Well);
        world.clock.advance(Duration::from_secs(1));
        world.ada().await.assert_let_in();
        world.robot().await.assert_let_in();
    }
}

#[tokio::test(start_paused = true)]
async fn r19_a_known_token_works_for_a_minute_and_not_longer() {
    for mood in OUTAGES {
        let world = TokenWorld::new().await;
        world.ada().await.assert_let_in();
        world.store.faults.set(mood);
        for _ in 0..3 {
            world.clock.advance(Duration::from_millis(19_999));
            world.ada().await.assert_let_in();
        }
        world.clock.advance(Duration::from_millis(3));
        assert_outage(&world.ada().await, "store_unavailable");
        world.store.faults.set(Mood::Well);
        world.clock.advance(Duration::from_secs(2));
        world.ada().await.assert_let_in();
    }
}

#[tokio::test(start_paused = true)]
async fn r19_what_was_known_to_be_bad_stays_bad_in_an_outage() {
    let world = TokenWorld::new().await;
    world
        .tokens
        .revoke(world.acme_key.record.id())
        .await
        .unwrap();
    assert_eq!(world.robot().await.code(), "invalid_api_token");
    world.store.faults.set(Mood::Down);
    world.clock.advance(Duration::from_secs(45));
    assert_eq!(world.robot().await.code(), "invalid_api_token");
}

/// Noting when tokens were used is the only write of requests. Nobody waits for it, it is lost where it
/// fails, it comes once a minute for a token, and once a second for all that were used meanwhile.
#[tokio::test(start_paused = true)]
async fn r20_a_store_that_takes_no_writes_lets_everybody_in() {
    for mood in [Mood::Well, Mood::Down, Mood::Hangs, Mood::Panics] {
        let world = TokenWorld::new().await;
        world.store.notes.set(mood);
        for _ in 0..10 {
            world.ada().await.assert_let_in();
            world.robot().await.assert_let_in();
        }
        assert_eq!(world.store.notes.calls(), 0, "{mood:?}");
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(world.store.notes.calls(), 1, "{mood:?}");
        let id = world.acme_user.record.id();
        let record = world.store.inner.find(id).await.unwrap().unwrap();
        let noted = matches!(mood, Mood::Well).then(|| world.clock.now());
        assert_eq!(record.last_used(), noted, "{mood:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn r24_without_the_policy_nobody_is_let_in() {
    for mood in OUTAGES {
        let world = TokenWorld::new().await;
        world.policies.faults.set(mood);
        assert_outage(&world.ada().await, "policy_unavailable");
        let oauth = format!("Bearer {}", world.access_token().sign());
        assert_outage(&world.present(&oauth).await, "policy_unavailable");
        world.policies.faults.set(Mood::Well);
        world.clock.advance(Duration::from_secs(2));
        world.ada().await.assert_let_in();
        world.present(&oauth).await.assert_let_in();
    }
}

#[tokio::test(start_paused = true)]
async fn r24_a_known_policy_serves_five_minutes_beyond_its_freshness() {
    let world = TokenWorld::new().await;
    world.robot().await.assert_let_in();
    world.policies.faults.set(Mood::Down);
    world.clock.advance(Duration::from_secs(329));
    world.robot().await.assert_let_in();
    world.clock.advance(Duration::from_secs(2));
    assert_outage(&world.robot().await, "policy_unavailable");
}

#[tokio::test]
async fn r14_many_requests_make_one_look_up() {
    let world = TokenWorld::new().await;
    let all = futures_util::future::join_all((0..200).map(|_| world.ada())).await;
    for answer in all {
        answer.assert_let_in();
    }
    assert_eq!(world.store.faults.calls(), 1);
    assert_eq!(world.policies.faults.calls(), 1);
}
