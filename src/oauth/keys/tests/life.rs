//! Keys come, live and go while the issuer answers (KEY-5, KEY-7, R4, R9, R10, R12).

use serde_json::json;

use super::support::*;
use crate::algorithm::SigningAlgorithm;
use crate::oauth::keys::{KeyState, Lookup};
use crate::testing::{Fault, TestIssuer};

#[tokio::test(start_paused = true)]
async fn key_05_a_withdrawn_key_is_not_used_once_its_lifetime_is_over() {
    let world = World::warm().await;
    let kid = world.kid();
    world.issuer.rotate_abruptly(ES256);
    assert_eq!(world.ask_now(&kid), Answer::Keys, "within the bound");
    pass(301).await;
    assert_eq!(
        world.ask_now(&kid),
        Answer::Wait,
        "not once more, after an idle night"
    );
    assert_eq!(world.ask(&kid).await, Answer::Unknown);
}

#[tokio::test(start_paused = true)]
async fn key_05_an_old_failure_does_not_revive_a_withdrawn_key() {
    let world = World::warm().await;
    let kid = world.kid();
    world.issuer.fail_all(Fault::Status(500));
    pass(290).await;
    assert_eq!(world.ask(&kid).await, Answer::Keys);
    pass(8 * 3600).await;
    world.issuer.heal();
    world.issuer.rotate_abruptly(ES256);
    assert_eq!(world.ask_now(&kid), Answer::Wait);
    assert_eq!(world.ask(&kid).await, Answer::Unknown);
}

#[tokio::test(start_paused = true)]
async fn key_05_busy_requests_drop_a_withdrawn_key_within_its_lifetime() {
    let world = World::warm().await;
    let kid = world.kid();
    world.issuer.rotate_abruptly(ES256);
    let mut uses = 0;
    while world.ask(&kid).await == Answer::Keys {
        uses += 1;
        pass(1).await;
    }
    assert!((200..=300).contains(&uses), "{uses} s");
}

#[tokio::test(start_paused = true)]
async fn key_05_an_announced_max_age_is_clamped_to_1_to_60_minutes() {
    for (header, until) in [
        ("max-age=1", 60),
        ("no-store", 60),
        ("max-age=600", 600),
        ("max-age=999999", 3600),
        ("max-age=soon", 300),
    ] {
        let world = World::new();
        world.issuer.set_jwks_header("cache-control", header);
        world.source.warm_up().await.unwrap();
        world.issuer.fail_all(Fault::Hang);
        pass(until - 1).await;
        assert_eq!(world.source.status().state, KeyState::Fresh, "{header}");
        pass(1).await;
        assert_eq!(world.source.status().state, KeyState::Stale, "{header}");
    }
}

#[tokio::test(start_paused = true)]
async fn r04_a_refresh_starts_between_72_and_88_percent_of_the_lifetime() {
    for _ in 0..50 {
        let world = World::warm().await;
        let kid = world.kid();
        pass(215).await;
        assert_eq!(world.ask_now(&kid), Answer::Keys);
        pass(0).await;
        assert_eq!(world.issuer.hits().jwks, 0);
        pass(50).await;
        assert_eq!(
            world.ask_now(&kid),
            Answer::Keys,
            "answered without waiting"
        );
        pass(1).await;
        assert_eq!(world.issuer.hits().jwks, 1);
        assert!(world.source.status().age.unwrap() < secs(2));
    }
}

#[tokio::test(start_paused = true)]
async fn r04_an_idle_source_asks_nothing() {
    let world = World::warm().await;
    pass(24 * 3600).await;
    assert_eq!(world.issuer.hits().total(), 0);
}

#[tokio::test(start_paused = true)]
async fn r09_a_key_announced_early_is_known_before_it_signs() {
    let world = World::warm().await;
    let old = world.kid();
    let new = world.issuer.rotate(ES256);
    for _ in 0..30 {
        pass(10).await;
        assert_eq!(world.ask_now(&old), Answer::Keys);
    }
    assert_eq!(world.ask_now(&new), Answer::Keys);
    assert_eq!(world.issuer.hits().jwks, 1);
}

#[tokio::test(start_paused = true)]
async fn r10_a_key_changed_without_notice_is_known_after_one_fetch() {
    let world = World::warm().await;
    pass(11).await;
    let new = world.issuer.rotate_abruptly(ES256);
    assert_eq!(world.ask(&new).await, Answer::Keys);
    assert_eq!(world.issuer.hits().jwks, 1);
}

#[tokio::test(start_paused = true)]
async fn r10_a_second_change_is_known_ten_seconds_after_the_first() {
    let world = World::warm().await;
    pass(11).await;
    world.ask(&world.issuer.rotate_abruptly(ES256)).await;
    let new = world.issuer.rotate_abruptly(ES256);
    let mut waited = 0;
    while world.ask(&new).await == Answer::Unknown {
        waited += 1;
        pass(1).await;
    }
    assert_eq!(waited, 10);
    assert_eq!(world.issuer.hits().jwks, 2);
}

#[tokio::test(start_paused = true)]
async fn r10_a_refresh_spends_the_budget_of_unknown_kids() {
    let world = World::warm().await;
    pass(299).await;
    assert_eq!(world.ask_now(&world.kid()), Answer::Keys);
    pass(1).await;
    assert_eq!(world.issuer.hits().jwks, 1);
    assert_eq!(
        world.ask(&world.issuer.rotate_hidden(ES256)).await,
        Answer::Unknown
    );
    assert_eq!(world.issuer.hits().jwks, 1);
}

#[tokio::test(start_paused = true)]
async fn r12_removing_a_key_in_use_is_reported_at_once_and_mended_by_its_return() {
    let log = Log::start();
    let world = World::warm().await;
    let kid = world.kid();
    let idle = world.issuer.rotate(SigningAlgorithm::EdDsa);
    pass(300).await;
    assert_eq!(world.ask(&kid).await, Answer::Keys);
    world.issuer.withdraw(&kid);
    world.issuer.withdraw(&idle);
    world.issuer.rotate(ES256);
    pass(300).await;
    assert_eq!(world.ask(&kid).await, Answer::Unknown);
    let events = log.lines_with("jwks.in_use_key_removed");
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].contains(&kid) && events[0].contains("WARN"));

    world.issuer.publish(&kid);
    pass(11).await;
    assert_eq!(world.ask(&kid).await, Answer::Keys);
}

#[tokio::test(start_paused = true)]
async fn key_07_without_a_kid_only_a_single_key_will_do() {
    let world = World::warm().await;
    assert_eq!(ask(&world.source, None).await, Answer::Keys);
    world.issuer.rotate(ES256);
    pass(301).await;
    assert_eq!(ask(&world.source, None).await, Answer::Ambiguous);
}

#[tokio::test(start_paused = true)]
async fn r08_more_than_four_keys_of_one_kid_are_ambiguous() {
    let world = World::new();
    let kid = world.kid();
    let jwk = world.issuer.public_jwk(&kid);
    world
        .issuer
        .set_jwks(json!({ "keys": [jwk, jwk, jwk, jwk, jwk] }));
    assert_eq!(world.ask(&kid).await, Answer::Ambiguous);
}

#[tokio::test(start_paused = true)]
async fn t02_a_symmetric_key_is_reported_and_left_out() {
    let log = Log::start();
    let world = World::new();
    let jwk = world.issuer.public_jwk(&world.kid());
    let secret = json!({"kty": "oct", "kid": "shared", "k": "c2VjcmV0", "alg": "HS256"});
    world.issuer.set_jwks(json!({ "keys": [secret, jwk] }));
    assert_eq!(world.ask(&world.kid()).await, Answer::Keys);
    assert_eq!(world.ask("shared").await, Answer::Unknown);
    let events = log.lines_with("a symmetric key is published");
    assert!(events[0].contains("ERROR") && events[0].contains("shared"));
    assert_eq!(log.lines_with("c2VjcmV0"), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn t13_a_kid_that_cannot_be_one_is_not_sought() {
    let world = World::warm().await;
    pass(11).await;
    for kid in ["a\0b", "x\r\nInjected: 1", &"k".repeat(257)] {
        assert_eq!(world.ask_now(kid), Answer::Unknown);
    }
    assert_eq!(world.issuer.hits().total(), 0);
}

#[tokio::test(start_paused = true)]
async fn jwt_06_an_algorithm_the_issuer_may_not_use_is_not_sought() {
    let world = World::new();
    let lookup = world
        .source
        .lookup(Some("k"), SigningAlgorithm::Rs512, false);
    assert_eq!(Answer::from(lookup), Answer::Unknown);
    pass(1).await;
    assert_eq!(world.issuer.hits().total(), 0);
}

/// Signing input and signature of a token.
fn split(token: &str) -> (&str, Vec<u8>) {
    use base64::Engine;
    let (message, signature) = token.rsplit_once('.').unwrap();
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    (message, engine.decode(signature).unwrap())
}

#[tokio::test(start_paused = true)]
async fn t19_three_issuers_share_a_kid_and_no_key() {
    let urls = ["a", "b", "c"].map(|host| format!("https://{host}.example.com"));
    let worlds = urls.map(|url| World {
        issuer: TestIssuer::builder().url(&url).key_id("1").in_process(),
        ..World::at(&url, |issuer| issuer)
    });
    for (index, mine) in worlds.iter().enumerate() {
        let token = mine.issuer.token("https://mcp.example.com").sign();
        let (message, signature) = split(&token);
        for (other, world) in worlds.iter().enumerate() {
            let url = world.issuer.url();
            let source = crate::oauth::keys::KeySource::new(
                &crate::issuer::Issuer::new(url),
                crate::scope::ScopeSet::empty(),
                crate::fetch::DynFetch::new(world.issuer.fetch()),
                std::sync::Arc::new(PausedClock::new()),
            );
            source.warm_up().await.unwrap();
            let Lookup::Keys(keys) = source.lookup(Some("1"), ES256, false) else {
                panic!("no key")
            };
            let key = keys.verify(message.as_bytes(), &signature);
            assert_eq!(key.is_some(), index == other);
        }
    }
}
