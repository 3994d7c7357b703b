//! The issuer is down, slow or wrong (KEY-6, R1 to R6).

use std::sync::Arc;

use super::support::*;
use crate::issuer::Freshness;
use crate::oauth::keys::KeyState;
use crate::testing::{Endpoint, Fault};

const DAY: u64 = 24 * 3600;

/// Every fault that lasts, as far as keys go.
fn faults() -> Vec<Fault> {
    vec![
        Fault::Refuse,
        Fault::Hang,
        Fault::Slow(secs(60)),
        Fault::Status(500),
        Fault::Status(401),
        Fault::Status(404),
        Fault::Status(204),
        Fault::RetryAfter(429, "7".to_owned()),
        Fault::RetryAfter(503, "Wed, 21 Oct 2026 07:28:00 GMT".to_owned()),
        Fault::Html,
        Fault::Truncated,
        Fault::Cut,
        Fault::Drip(secs(1)),
        Fault::Huge(1024 * 1024),
        Fault::Empty,
        Fault::Redirect("https://169.254.169.254/".to_owned()),
        Fault::WrongType,
        Fault::Compressed,
    ]
}

#[tokio::test(start_paused = true)]
async fn key_06_no_keys_and_no_issuer_is_an_outage_whatever_the_fault() {
    for endpoint in [Endpoint::Metadata, Endpoint::Jwks] {
        for fault in faults() {
            let world = World::new();
            world.issuer.fail(endpoint, fault.clone());
            for _ in 0..3 {
                assert!(
                    world.ask(&world.kid()).await.is_outage(),
                    "{endpoint:?} {fault:?}"
                );
                pass(20).await;
            }
            assert!(!world.source.is_ready());
            assert_ne!(world.last_error(), "", "{endpoint:?} {fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r05_every_fault_leaves_the_old_keys_in_use() {
    for fault in faults() {
        let world = World::warm().await;
        world.issuer.fail(Endpoint::Jwks, fault.clone());
        for _ in 0..120 {
            pass(5).await;
            assert_eq!(world.ask_now(&world.kid()), Answer::Keys, "{fault:?}");
        }
        assert_eq!(world.source.status().state, KeyState::Stale, "{fault:?}");
        assert_ne!(world.last_error(), "", "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn r01_an_issuer_that_returns_is_found_without_a_request() {
    let log = Log::start();
    let world = World::new();
    world.issuer.fail_all(Fault::Refuse);
    for _ in 0..12 {
        assert!(world.ask(&world.kid()).await.is_outage());
        pass(10).await;
    }
    world.issuer.heal();
    pass(61).await;
    assert!(world.source.is_ready());
    assert_eq!(world.last_error(), "");
    assert_eq!(log.lines_with("recovered").len(), 1);
    assert_eq!(world.ask_now(&world.kid()), Answer::Keys);
}

#[tokio::test(start_paused = true)]
async fn r01_nobody_asks_so_nobody_retries() {
    let world = World::new();
    world.issuer.fail_all(Fault::Status(500));
    assert!(world.ask(&world.kid()).await.is_outage());
    pass(600).await;
    let hits = world.issuer.hits().total();
    assert!((8..=60).contains(&hits), "{hits}");
    pass(DAY).await;
    assert_eq!(world.issuer.hits().total(), hits);
    world.issuer.heal();
    assert_eq!(world.ask(&world.kid()).await, Answer::Keys, "asked anew");
}

#[tokio::test(start_paused = true)]
async fn r01_warm_up_waits_for_the_first_success() {
    let world = World::new();
    world.issuer.fail_all(Fault::Refuse);
    let source = Arc::clone(&world.source);
    let warm = tokio::spawn(async move { source.warm_up().await });
    pass(1800).await;
    assert!(!warm.is_finished());
    world.issuer.heal();
    pass(61).await;
    assert!(warm.is_finished());
    warm.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn r02_a_day_of_outage_fails_no_request_and_then_all() {
    let log = Log::start();
    let world = World::warm().await;
    let kid = world.kid();
    world.issuer.fail_all(Fault::Status(503));
    for _ in 0..(DAY + 300) / 10 - 1 {
        pass(10).await;
        assert_eq!(world.ask_now(&kid), Answer::Keys);
    }
    assert_eq!(world.source.status().state, KeyState::Stale);
    let attempts = log.lines_with("keys not refreshed").len();
    assert!(attempts > 1000, "{attempts}");

    pass(10).await;
    assert!(world.ask(&kid).await.is_outage(), "the hard stop");
    assert!(!world.source.is_ready());
    world.issuer.heal();
    pass(61).await;
    assert_eq!(world.ask_now(&kid), Answer::Keys);
}

#[tokio::test(start_paused = true)]
async fn r02_no_stale_time_means_none() {
    let freshness = Freshness::default().stale(secs(0));
    let world = World::at("https://auth.example.com", |issuer| {
        issuer.freshness(freshness)
    });
    world.source.warm_up().await.unwrap();
    world.issuer.fail_all(Fault::Status(500));
    pass(299).await;
    assert_eq!(world.ask(&world.kid()).await, Answer::Keys);
    pass(1).await;
    assert!(world.ask(&world.kid()).await.is_outage());
}

#[tokio::test(start_paused = true)]
async fn r02_after_an_idle_night_a_dead_issuer_costs_one_wait() {
    let world = World::warm().await;
    let kid = world.kid();
    world.issuer.fail_all(Fault::Hang);
    pass(8 * 3600).await;
    let before = tokio::time::Instant::now();
    assert_eq!(world.ask(&kid).await, Answer::Keys);
    assert_eq!(before.elapsed(), secs(2));
    for _ in 0..100 {
        assert_eq!(world.ask_now(&kid), Answer::Keys, "and no further one");
        pass(1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn r03_a_slow_issuer_holds_a_request_for_two_seconds_at_most() {
    let world = World::new();
    world.issuer.fail_all(Fault::Hang);
    for _ in 0..20 {
        let before = tokio::time::Instant::now();
        assert!(world.ask(&world.kid()).await.is_outage());
        assert!(before.elapsed() <= secs(2), "{:?}", before.elapsed());
        pass(3).await;
    }
    assert!(
        world.last_error().contains("within"),
        "{}",
        world.last_error()
    );
}

#[tokio::test(start_paused = true)]
async fn r04_an_issuer_that_flaps_is_not_noticed() {
    let world = World::warm().await;
    world.issuer.fail_all(Fault::Alternate);
    for _ in 0..6 * 3600 / 5 {
        pass(5).await;
        assert_eq!(world.ask_now(&world.kid()), Answer::Keys);
        assert_eq!(world.source.status().state, KeyState::Fresh);
    }
}

#[tokio::test(start_paused = true)]
async fn r05_retry_after_is_honoured() {
    let world = World::new();
    world
        .issuer
        .fail_all(Fault::RetryAfter(429, "120".to_owned()));
    assert_eq!(world.ask(&world.kid()).await, Answer::Unavailable(30));
    let hits = world.issuer.hits().total();
    for _ in 0..119 {
        pass(1).await;
        assert!(world.ask_now(&world.kid()).is_outage());
    }
    assert_eq!(world.issuer.hits().total(), hits);
    world.issuer.heal();
    pass(2).await;
    assert_eq!(world.ask_now(&world.kid()), Answer::Keys);
}

#[tokio::test(start_paused = true)]
async fn r06_an_emptied_key_set_revokes_nothing_and_is_reported() {
    let log = Log::start();
    let world = World::warm().await;
    world.issuer.fail(Endpoint::Jwks, Fault::Empty);
    pass(299).await;
    assert_eq!(world.ask(&world.kid()).await, Answer::Keys);
    pass(60).await;
    assert_eq!(world.ask_now(&world.kid()), Answer::Keys);
    let events = log.lines_with("the key set is empty");
    assert!(events[0].contains("WARN"), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn key_06_an_unknown_kid_is_an_outage_while_the_issuer_is_down() {
    let world = World::warm().await;
    world.issuer.fail_all(Fault::Status(500));
    pass(11).await;
    assert!(world.ask("new").await.is_outage());
    assert!(world.ask_now("new").is_outage(), "within the back-off");
    assert_eq!(world.ask_now(&world.kid()), Answer::Keys);
    world.issuer.heal();
    pass(61).await;
    assert_eq!(world.ask("new").await, Answer::Unknown);
}
