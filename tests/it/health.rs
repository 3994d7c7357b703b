//! What an operator is told of how a server stands.

use std::time::Duration;

use tower_mcp_auth::authenticator::{Condition, Fault, Part, PartHealth};
use tower_mcp_auth::enrich::EnrichmentMode;
use tower_mcp_auth::testing::Consent;
use tower_mcp_auth::{Authenticator, Issuer};

use crate::support::{I, World, described};
use crate::tokens_support::{Mood, TokenWorld};

fn find(auth: &Authenticator, part: Part) -> PartHealth {
    let parts = auth.health().parts;
    let found = parts.into_iter().find(|one| one.part == part);
    found.unwrap_or_else(|| panic!("no {part:?}"))
}

async fn world(mode: EnrichmentMode) -> TokenWorld {
    TokenWorld::with(|builder, directory| builder.enrich(directory.clone(), mode)).await
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn what_nobody_has_asked_is_idle_and_does_not_keep_requests_away() {
    let world = world(EnrichmentMode::Required).await;
    let health = world.auth.health();
    for part in [
        Part::Keys,
        Part::TokenStore,
        Part::PolicyStore,
        Part::Enricher,
    ] {
        assert_eq!(health.worst(part), Some(Condition::Idle), "{part:?}");
    }
    assert_eq!(health.worst(Part::Audit), Some(Condition::Fresh));
    for part in [
        Part::Introspection,
        Part::RevocationLog,
        Part::ReplayStore,
        Part::SharedFailures,
    ] {
        assert_eq!(health.worst(part), None, "{part:?} is not configured");
    }
    assert!(health.ready && health.live);
}

#[tokio::test]
async fn what_answers_is_fresh_and_has_an_age() {
    let world = world(EnrichmentMode::Required).await;
    world.ada().await.assert_let_in();
    world.clock.advance(seconds(7));
    for part in [Part::TokenStore, Part::PolicyStore, Part::Enricher] {
        let health = find(&world.auth, part);
        let found = (
            health.condition,
            health.age,
            health.last_error,
            health.effect,
        );
        assert_eq!(found, (Condition::Fresh, Some(seconds(7)), None, "none"));
    }
}

/// From answering over what is remembered to nothing, and back; a server all of whose stores fail still
/// gets requests, or nobody would ever ask them again.
#[tokio::test]
async fn a_store_that_fails_is_degraded_then_down_and_then_forgotten() {
    let world = world(EnrichmentMode::Required).await;
    let parts = [
        (Part::TokenStore, &world.store.faults, 30),
        (Part::PolicyStore, &world.policies.faults, 300),
        (Part::Enricher, &world.directory.faults, 300),
    ];
    for (part, faults, serves) in parts {
        world.ada().await.assert_let_in();
        faults.set(Mood::Down);
        world.clock.advance(seconds(31));
        let _ = world.ada().await;
        let health = find(&world.auth, part);
        assert_eq!(health.condition, Condition::Degraded, "{part:?}");
        assert_eq!(health.last_error, Some(Fault::Failed));
        assert_ne!(health.effect, "none");
        for _ in 0..serves / 30 {
            world.clock.advance(seconds(30));
            let _ = world.ada().await;
        }
        let answer = world.ada().await;
        assert_eq!(answer.status.as_u16(), 503, "{part:?}");
        let health = find(&world.auth, part);
        assert_eq!(health.condition, Condition::Down, "{part:?}");
        assert!(world.auth.health().ready);
        world.clock.advance(seconds(61));
        assert_eq!(
            find(&world.auth, part).condition,
            Condition::Idle,
            "{part:?}"
        );
        faults.set(Mood::Well);
        world.ada().await.assert_let_in();
        assert_eq!(find(&world.auth, part).condition, Condition::Fresh);
    }
}

#[tokio::test(start_paused = true)]
async fn the_class_of_a_failure_is_told_and_never_its_text() {
    for (mood, fault) in [
        (Mood::Down, Fault::Failed),
        (Mood::Hangs, Fault::NoAnswer),
        (Mood::Panics, Fault::Panicked),
    ] {
        let world = world(EnrichmentMode::Optional).await;
        world.policies.faults.set(mood);
        world.directory.faults.set(mood);
        let _ = world.ada().await;
        let health = find(&world.auth, Part::PolicyStore);
        assert_eq!(
            (health.condition, health.last_error),
            (Condition::Down, Some(fault))
        );
        let json = serde_json::to_string(&world.auth.health()).unwrap();
        assert!(!json.contains("db.internal"), "{json}");
        assert!(
            json.contains(&format!("\"last_error\":\"{}\"", fault.name())),
            "{json}"
        );
        // Requests can do without the directory.
        world.policies.faults.set(Mood::Well);
        world.clock.advance(seconds(2));
        world.ada().await.assert_let_in();
        assert_eq!(
            find(&world.auth, Part::Enricher).condition,
            Condition::Degraded
        );
    }
}

#[tokio::test]
async fn a_server_without_any_keys_is_not_ready_while_it_asks_for_them() {
    let world = World::cold();
    world
        .issuer
        .fail_all(tower_mcp_auth::testing::Fault::Refuse);
    let answer = world.bearer(&world.token().sign()).await;
    assert_eq!(answer.status.as_u16(), 503);
    let health = world.auth.health();
    assert_eq!(health.worst(Part::Keys), Some(Condition::Down));
    assert!(!health.ready && health.live);
    // Nobody asks any more: it must not stay out of rotation for that.
    world.clock.advance(seconds(600));
    let health = world.auth.health();
    assert_eq!(health.worst(Part::Keys), Some(Condition::Idle));
    assert!(health.ready);
    world.issuer.heal();
    world.bearer(&world.token().sign()).await.assert_let_in();
    assert_eq!(
        world.auth.health().worst(Part::Keys),
        Some(Condition::Fresh)
    );
}

#[tokio::test]
async fn an_outline_names_nobody_and_keeps_the_worst() {
    let world = World::cold();
    let resource = described(Issuer::new(I)).issuer(Issuer::new("https://customer.example.com"));
    let auth = Authenticator::builder(resource)
        .clock(world.clock.clone())
        .fetch(world.issuer.fetch())
        .build()
        .unwrap();
    let world = World { auth, ..world };
    world.bearer(&world.token().sign()).await.assert_let_in();
    let health = world.auth.health();
    let conditions: Vec<_> = health.parts.iter().map(|part| part.condition).collect();
    assert_eq!(conditions, [Condition::Fresh, Condition::Idle]);
    let outline = health.outline();
    assert_eq!(outline.parts.len(), 1);
    assert_eq!(outline.worst(Part::Keys), Some(Condition::Fresh));
    let json = serde_json::to_string(&outline).unwrap();
    assert!(!json.contains("example.com"), "{json}");
}

#[tokio::test]
async fn the_quickstart_answers_a_load_balancer_without_a_credential() {
    let quickstart = crate::clients::quickstart(Consent::Automatic).await;
    let resource = quickstart.resource.identifier();
    for probe in ["/healthz", "/readyz"] {
        let url = resource.replace("/mcp", probe);
        let response = reqwest::get(url).await.unwrap();
        assert_eq!(response.status().as_u16(), 200, "{probe}");
        let text = response.text().await.unwrap();
        let health: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&health["ready"], &health["live"]),
            (&true.into(), &true.into())
        );
        let parts: Vec<_> = health["parts"].as_array().unwrap().iter().collect();
        let names: Vec<_> = parts
            .iter()
            .map(|part| part["part"].as_str().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "keys",
                "token_store",
                "policy_store",
                "enricher",
                "revocation_log"
            ]
        );
        assert!(!text.contains(quickstart.issuer.url()), "{text}");
    }
    // The rest of the server still asks for one.
    let response = reqwest::Client::new().post(resource).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 401);
    quickstart.stop().await.unwrap();
}
