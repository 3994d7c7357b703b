//! Many callers, and callers that go away (KEY-4, R11, R13, R14).

use std::sync::Arc;

use futures_util::future::join_all;

use super::support::*;
use crate::testing::{Endpoint, Fault};

#[tokio::test(start_paused = true)]
async fn r13_ten_thousand_cold_callers_cost_one_discovery_and_one_key_fetch() {
    let world = World::new();
    world.issuer.fail_all(Fault::Slow(secs(1) / 2));
    let kid = world.kid();
    let callers = (0..10_000).map(|_| {
        let (source, kid) = (Arc::clone(&world.source), kid.clone());
        tokio::spawn(async move { ask(&source, Some(&kid)).await })
    });
    for answer in join_all(callers).await {
        assert_eq!(answer.unwrap(), Answer::Keys);
    }
    assert_eq!(world.issuer.hits().metadata, 1);
    assert_eq!(world.issuer.hits().jwks, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r13_the_same_holds_on_several_threads() {
    let world = World::new();
    let kid = world.kid();
    let callers = (0..2_000).map(|_| {
        let (source, kid) = (Arc::clone(&world.source), kid.clone());
        tokio::spawn(async move { ask(&source, Some(&kid)).await })
    });
    for answer in join_all(callers).await {
        assert_eq!(answer.unwrap(), Answer::Keys);
    }
    assert_eq!(world.issuer.hits().metadata, 1);
    assert_eq!(world.issuer.hits().jwks, 1);
}

#[tokio::test(start_paused = true)]
async fn r13_an_expired_set_is_fetched_once_for_all() {
    let world = World::warm().await;
    pass(3600).await;
    world.issuer.reset_hits();
    world.issuer.fail_all(Fault::Slow(secs(1) / 2));
    let kid = world.kid();
    let answers = join_all((0..1_000).map(|_| world.ask(&kid))).await;
    assert!(answers.iter().all(|answer| *answer == Answer::Keys));
    assert_eq!(world.issuer.hits().jwks, 1);
}

#[tokio::test(start_paused = true)]
async fn r14_the_first_caller_goes_away_and_the_others_are_served() {
    let world = World::new();
    world.issuer.fail_all(Fault::Slow(secs(1) / 2));
    let kid = world.kid();
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let (source, kid) = (Arc::clone(&world.source), kid.clone());
            tokio::spawn(async move { ask(&source, Some(&kid)).await })
        })
        .collect();
    tokio::time::sleep(secs(1) / 10).await;
    callers[0].abort();
    for answer in join_all(callers).await.into_iter().skip(1) {
        assert_eq!(answer.unwrap(), Answer::Keys);
    }
    assert_eq!(world.issuer.hits().jwks, 1);
}

#[tokio::test(start_paused = true)]
async fn r14_all_callers_go_away_and_the_fetch_goes_on() {
    let world = World::new();
    world.issuer.fail_all(Fault::Slow(secs(1)));
    let kid = world.kid();
    for _ in 0..400 {
        let impatient = tokio::time::timeout(secs(1) / 200, world.ask(&kid));
        assert!(impatient.await.is_err());
    }
    pass(1).await;
    assert_eq!(world.ask_now(&kid), Answer::Keys);
    assert_eq!(world.issuer.hits().total(), 2);
}

#[tokio::test(start_paused = true)]
async fn key_04_random_kids_cause_one_fetch_per_window() {
    let world = World::warm().await;
    pass(10).await;
    let kids: Vec<_> = (0..1000).map(|number| format!("random-{number}")).collect();
    let answers = join_all(kids.iter().map(|kid| world.ask(kid))).await;
    assert!(answers.iter().all(|answer| *answer == Answer::Unknown));
    assert_eq!(world.issuer.hits().jwks, 1);
    assert_eq!(world.ask_now("another"), Answer::Unknown, "known at once");
    assert_eq!(world.issuer.hits().total(), 1);
}

/// Asks for a random `kid` every 10 ms for five minutes, and now and then for a real one.
async fn flood(world: &World) {
    for number in 0..30_000 {
        let (source, kid) = (Arc::clone(&world.source), format!("random-{number}"));
        drop(tokio::spawn(async move { ask(&source, Some(&kid)).await }));
        if number % 10 == 0 {
            assert_eq!(world.ask_now(&world.kid()), Answer::Keys);
        }
        tokio::time::sleep(secs(1) / 100).await;
    }
}

#[tokio::test(start_paused = true)]
async fn r11_a_flood_of_unknown_kids_costs_six_fetches_a_minute() {
    let world = World::warm().await;
    flood(&world).await;
    let hits = world.issuer.hits();
    assert!((25..=31).contains(&hits.jwks), "{hits:?}");
    assert_eq!(hits.metadata, 0);
}

#[tokio::test(start_paused = true)]
async fn r11_a_flood_costs_no_more_while_every_fetch_fails() {
    for fault in [Fault::Status(500), Fault::Hang, Fault::Refuse] {
        let world = World::warm().await;
        world.issuer.fail(Endpoint::Jwks, fault.clone());
        flood(&world).await;
        let hits = world.issuer.hits().jwks;
        assert!((8..=31).contains(&hits), "{fault:?}: {hits}");
    }
}

#[tokio::test(start_paused = true)]
async fn key_04_a_slow_issuer_does_not_touch_another() {
    let slow = World::at("https://a.example.com", |issuer| issuer);
    let quick = World::at("https://b.example.com", |issuer| issuer);
    slow.source.warm_up().await.unwrap();
    quick.source.warm_up().await.unwrap();
    slow.issuer.fail_all(Fault::Hang);
    pass(11).await;
    let kids: Vec<_> = (0..1000).map(|number| format!("random-{number}")).collect();
    let stuck = join_all(kids.iter().map(|kid| slow.ask(kid)));
    let served = async {
        let before = tokio::time::Instant::now();
        for _ in 0..1000 {
            assert_eq!(quick.ask(&quick.kid()).await, Answer::Keys);
        }
        assert_eq!(before.elapsed(), secs(0));
    };
    let (stuck, ()) = futures_util::future::join(stuck, served).await;
    assert!(stuck.iter().all(|answer| answer.is_outage()));
}
