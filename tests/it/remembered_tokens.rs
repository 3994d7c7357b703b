//! API tokens that were found good are remembered, and every request is judged all the same
//! (T21–T24, T28).

use std::time::Duration;

use http::StatusCode;
use tower_mcp_auth::OrganizationPolicy;
use tower_mcp_auth::api_token::NewToken;
use tower_mcp_auth::authenticator::PeerAddress;
use tower_mcp_auth::policy::{PolicyStore, TrustedProxies};

use crate::support::post;
use crate::tokens_support::{
    ADA, GIL, Mood, TokenWorld, assert_outage, basic, bearer, damaged, encoded, issue, organization,
};

const WARM: usize = 3;

/// A world in which both tokens of `acme` were used before.
async fn warm() -> TokenWorld {
    let world = TokenWorld::with(|builder, _| builder.verified_token_bytes(1 << 20)).await;
    for _ in 0..WARM {
        world.ada().await.assert_let_in();
        world.robot().await.assert_let_in();
    }
    assert_eq!(world.auth.verified_tokens(), 2);
    world
}

#[tokio::test]
async fn t23_a_remembered_token_is_looked_up_no_more_and_judged_every_time() {
    let world = warm().await;
    let context = world.context(bearer(&world.acme_key)).await.unwrap();
    assert_eq!(
        context.principal().token_id(),
        Some(world.acme_key.record.id().as_str())
    );
    world
        .policies
        .put(OrganizationPolicy::new(organization("acme")), 1)
        .await
        .unwrap();
    for answer in [world.ada().await, world.robot().await] {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.code(), "method_disabled");
    }
}

#[tokio::test]
async fn t22_a_revoked_token_is_refused_though_it_is_remembered() {
    let world = warm().await;
    world
        .tokens
        .revoke(world.acme_key.record.id())
        .await
        .unwrap();
    assert_eq!(world.robot().await.code(), "invalid_api_token");
    world.ada().await.assert_let_in();
    world
        .auth
        .handle()
        .revoke_organization(&organization("acme"))
        .await
        .unwrap();
    assert_eq!(world.ada().await.code(), "revoked");
}

#[tokio::test]
async fn t22_a_roll_ends_the_remembered_text_and_starts_another() {
    let world = warm().await;
    let id = *world.acme_key.record.id();
    let rolled = world
        .tokens
        .roll(&id, Duration::from_secs(60))
        .await
        .unwrap();
    for _ in 0..WARM {
        world.present(bearer(&rolled)).await.assert_let_in();
        world.robot().await.assert_let_in();
    }
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.robot().await.code(), "invalid_api_token");
    world.present(bearer(&rolled)).await.assert_let_in();
}

#[tokio::test]
async fn t22_a_remembered_token_expires_to_the_second() {
    let world = TokenWorld::new().await;
    let short = NewToken::service_account("acme", "brief").created_by("ada");
    let short = issue(&world.tokens, short.expires_in(Duration::from_secs(100))).await;
    for _ in 0..WARM {
        world.present(bearer(&short)).await.assert_let_in();
    }
    world.clock.advance(Duration::from_secs(99));
    world.present(bearer(&short)).await.assert_let_in();
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(
        world.present(bearer(&short)).await.code(),
        "invalid_api_token"
    );
}

#[tokio::test]
async fn r19_a_remembered_token_serves_no_longer_than_its_record() {
    let world = warm().await;
    world.store.faults.set(Mood::Down);
    world.clock.advance(Duration::from_secs(31));
    // The first to find the store failing waits for it; then the record serves on.
    for _ in 0..WARM {
        world.robot().await.assert_let_in();
    }
    world.clock.advance(Duration::from_secs(30));
    assert_outage(&world.robot().await, "store_unavailable");
    world.store.faults.set(Mood::Well);
    world.clock.advance(Duration::from_secs(2));
    world.robot().await.assert_let_in();
}

#[tokio::test]
async fn t21_the_same_bytes_are_another_credential_with_another_scheme_or_address() {
    let world = warm().await;
    let user = &world.acme_user;
    let refused = [
        // A personal token as Bearer, a key as Basic, somebody else's address, none.
        bearer(user),
        basic(ADA, &world.acme_key),
        basic(GIL, user),
        encoded(format!(":{}", user.token.expose())),
    ];
    for credential in refused {
        for _ in 0..2 {
            let answer = world.present(&credential).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        }
    }
    world.ada().await.assert_let_in();
    assert_eq!(world.auth.verified_tokens(), 2, "no bad one was kept (T24)");
}

#[tokio::test]
async fn t28_whoever_guesses_is_slowed_down_with_a_remembered_token_too() {
    let world = TokenWorld::new().await;
    let from = |credential: String| {
        let world = &world;
        async move { world.present_from("192.0.2.7", credential).await }
    };
    from(bearer(&world.acme_key)).await.assert_let_in();
    for _ in 0..30 {
        from(format!("Bearer {}", damaged(&world.acme_key))).await;
    }
    let slowed = from(bearer(&world.acme_key)).await;
    assert_eq!(slowed.status, StatusCode::TOO_MANY_REQUESTS);
    // Elsewhere nobody notices (T29).
    let elsewhere = world
        .present_from("192.0.2.8", bearer(&world.acme_key))
        .await;
    elsewhere.assert_let_in();
}

#[tokio::test]
async fn bas_14_a_remembered_token_in_the_clear_is_refused() {
    let world = TokenWorld::with(|builder, _| {
        builder.trusted_proxies(TrustedProxies::new(["192.0.2.0/24"]).unwrap())
    })
    .await;
    let send = |proto: &'static str| {
        let request = post()
            .extension(PeerAddress("192.0.2.1".parse().unwrap()))
            .header("x-forwarded-for", "198.51.100.3")
            .header("x-forwarded-proto", proto)
            .header("authorization", bearer(&world.acme_key));
        world.send(request)
    };
    for _ in 0..WARM {
        send("https").await.assert_let_in();
    }
    assert_eq!(send("http").await.code(), "insecure_transport");
}

#[tokio::test]
async fn a_flush_forgets_api_tokens_too() {
    let world = warm().await;
    world.auth.handle().flush();
    assert_eq!(world.auth.verified_tokens(), 0);
    let asked = world.store.faults.calls();
    world.robot().await.assert_let_in();
    assert!(world.store.faults.calls() > asked);
}
