//! What the server's own directory adds, and what happens without it.

use std::time::Duration;

use http::StatusCode;
use tower_mcp_auth::OrganizationPolicy;
use tower_mcp_auth::enrich::EnrichmentMode;
use tower_mcp_auth::policy::PolicyStore;

use crate::tokens_support::{
    ADA, Mood, OUTAGES, Profile, TokenWorld, assert_outage, basic, bearer, organization,
};

async fn world(mode: EnrichmentMode) -> TokenWorld {
    TokenWorld::with(|builder, directory| builder.enrich(directory.clone(), mode)).await
}

#[tokio::test]
async fn enrich_every_method_finds_the_typed_value() {
    let world = world(EnrichmentMode::Required).await;
    let oauth = format!("Bearer {}", world.access_token().sign());
    for (authorization, who) in [
        (basic(ADA, &world.acme_user), "ada"),
        (bearer(&world.acme_key), "robot"),
        (oauth, "alice"),
    ] {
        let context = world.context(authorization).await.unwrap();
        let profile = context.user::<Profile>().unwrap();
        assert_eq!(
            (profile.who.as_str(), profile.organization.as_str()),
            (who, "acme")
        );
        assert!(context.user::<String>().is_none());
        let user = context.enrichment().unwrap().user_facts().unwrap();
        assert_eq!(user.account_id, format!("account of {who}"));
    }
    assert_eq!(world.directory.faults.calls(), 3);
}

#[tokio::test]
async fn enrich_the_answer_is_kept_for_thirty_seconds() {
    let world = world(EnrichmentMode::Required).await;
    for _ in 0..10 {
        world.ada().await.assert_let_in();
    }
    assert_eq!(world.directory.faults.calls(), 1);
    world.clock.advance(Duration::from_secs(29));
    world.ada().await.assert_let_in();
    assert_eq!(world.directory.faults.calls(), 1);
    world.clock.advance(Duration::from_secs(1));
    world.ada().await.assert_let_in();
    assert_eq!(world.directory.faults.calls(), 2);
}

#[tokio::test]
async fn enrich_one_person_in_two_organizations_is_asked_twice() {
    let world = world(EnrichmentMode::Required).await;
    let on = OrganizationPolicy::new(organization("globex")).api_tokens(true);
    world.policies.put(on, 0).await.unwrap();
    // Both keys are of an account called robot.
    for (key, name) in [(&world.acme_key, "acme"), (&world.globex_key, "globex")] {
        let context = world.context(bearer(key)).await.unwrap();
        assert_eq!(context.principal().subject().as_str(), "robot");
        assert_eq!(context.user::<Profile>().unwrap().organization, name);
    }
    assert_eq!(world.directory.faults.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn enrich_required_and_out_of_reach_is_503() {
    for mood in OUTAGES {
        let world = world(EnrichmentMode::Required).await;
        world.directory.faults.set(mood);
        assert_outage(&world.ada().await, "enrichment_unavailable");
        assert_eq!(world.probe.calls(), 0);
        world.directory.faults.set(Mood::Well);
        world.clock.advance(Duration::from_secs(2));
        world.ada().await.assert_let_in();
    }
}

#[tokio::test(start_paused = true)]
async fn enrich_required_serves_what_it_knew_for_five_minutes_more() {
    let world = world(EnrichmentMode::Required).await;
    world.robot().await.assert_let_in();
    world.directory.faults.set(Mood::Down);
    world.clock.advance(Duration::from_secs(329));
    world.robot().await.assert_let_in();
    world.clock.advance(Duration::from_secs(2));
    assert_outage(&world.robot().await, "enrichment_unavailable");
}

#[tokio::test(start_paused = true)]
async fn enrich_optional_and_out_of_reach_goes_on_without() {
    for mood in OUTAGES {
        let world = world(EnrichmentMode::Optional).await;
        world.directory.faults.set(mood);
        let context = world.context(basic(ADA, &world.acme_user)).await.unwrap();
        assert!(context.enrichment().is_none() && context.user::<Profile>().is_none());
        world.ada().await.assert_let_in();
    }
}

#[tokio::test]
async fn enrich_somebody_deactivated_is_refused_in_either_mode() {
    for mode in [EnrichmentMode::Required, EnrichmentMode::Optional] {
        let world = world(mode).await;
        *world.directory.deactivated.lock().unwrap() = Some("ada".into());
        let answer = world.ada().await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::FORBIDDEN, "account_inactive")
        );
        assert_eq!(answer.json()["error"], "account_inactive");
        assert_eq!(answer.header("www-authenticate"), None);
        assert_eq!(world.probe.calls(), 0);
        world.robot().await.assert_let_in();
        // Flushed, the next request learns that she is back.
        *world.directory.deactivated.lock().unwrap() = None;
        world.auth.handle().flush();
        world.ada().await.assert_let_in();
    }
}

#[tokio::test]
async fn enrich_nobody_is_looked_up_before_everything_else_said_yes() {
    let world = world(EnrichmentMode::Required).await;
    for authorization in [
        basic("eve@acme.example", &world.acme_user),
        bearer(&world.globex_key),
        "Bearer a.b.c".to_owned(),
    ] {
        assert_eq!(
            world.present(authorization).await.status,
            StatusCode::UNAUTHORIZED
        );
    }
    assert_eq!(world.directory.faults.calls(), 0);
}
