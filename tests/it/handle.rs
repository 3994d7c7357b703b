//! Revocation while the server runs: in force on the next request.

use std::time::Duration;

use http::StatusCode;
use tower_mcp_auth::ProtectedResource;
use tower_mcp_auth::api_token::NewToken;

use crate::support::{Answer, I};
use crate::tokens_support::{ADA, Faults, TokenWorld, basic, bearer, issue, organization};

#[track_caller]
fn assert_revoked(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::UNAUTHORIZED, "revoked")
    );
}

async fn oauth(world: &TokenWorld, token: &str) -> Answer {
    world.present(format!("Bearer {token}")).await
}

#[tokio::test]
async fn revoke_01_one_token_and_no_other() {
    let world = TokenWorld::new().await;
    let dead = world.access_token().claim("jti", "j-1").sign();
    let other = world.access_token().claim("jti", "j-2").sign();
    oauth(&world, &dead).await.assert_let_in();
    let handle = world.auth.handle();
    handle
        .revoke_token("https://elsewhere.example", "j-1")
        .await
        .unwrap();
    oauth(&world, &dead).await.assert_let_in();
    handle.revoke_token(I, "j-1").await.unwrap();
    assert_revoked(&oauth(&world, &dead).await);
    oauth(&world, &other).await.assert_let_in();
}

#[tokio::test]
async fn revoke_01_an_issuer_whose_clock_is_ahead_makes_no_exception() {
    let world = TokenWorld::new().await;
    let ahead = world
        .access_token()
        .claim("jti", "j-1")
        .issued_in(20)
        .sign();
    oauth(&world, &ahead).await.assert_let_in();
    world.auth.handle().revoke_token(I, "j-1").await.unwrap();
    assert_revoked(&oauth(&world, &ahead).await);
}

/// `iat` is by the issuer's clock, the revocation by ours.
#[tokio::test]
async fn revoke_09_what_was_used_before_is_covered_though_its_issuers_clock_is_ahead() {
    let world = TokenWorld::new().await;
    let ahead = |world: &TokenWorld| world.access_token().issued_in(20).sign();
    let old = ahead(&world);
    let key = world.context(format!("Bearer {old}")).await.unwrap().key();
    world.clock.advance(Duration::from_secs(5));
    world.auth.handle().revoke_principal(&key).await.unwrap();
    assert_revoked(&oauth(&world, &old).await);
    world.clock.advance(Duration::from_secs(20));
    assert_revoked(&oauth(&world, &old).await);
    // A new login works at once, by that same clock.
    oauth(&world, &ahead(&world)).await.assert_let_in();

    // And with an issuer whose clock was never seen ahead, in the next second.
    let world = TokenWorld::new().await;
    let old = world.access_token().sign();
    let key = world.context(format!("Bearer {old}")).await.unwrap().key();
    world.auth.handle().revoke_principal(&key).await.unwrap();
    assert_revoked(&oauth(&world, &old).await);
    world.clock.advance(Duration::from_secs(1));
    oauth(&world, &world.access_token().sign())
        .await
        .assert_let_in();
}

#[tokio::test]
async fn revoke_02_a_principal_until_the_next_login() {
    let world = TokenWorld::new().await;
    let old = world.access_token().sign();
    let bob = world.access_token().subject("bob").sign();
    let key = world.context(format!("Bearer {old}")).await.unwrap().key();
    world.auth.handle().revoke_principal(&key).await.unwrap();
    assert_revoked(&oauth(&world, &old).await);
    oauth(&world, &bob).await.assert_let_in();
    world.clock.advance(Duration::from_secs(1));
    oauth(&world, &world.access_token().sign())
        .await
        .assert_let_in();
    assert_revoked(&oauth(&world, &old).await);
}

#[tokio::test]
async fn revoke_03_an_organization_with_all_its_kinds() {
    let world = TokenWorld::new().await;
    let old = world.access_token().sign();
    let globex = world.access_token().claim("org_id", "globex").sign();
    world.ada().await.assert_let_in();
    world
        .auth
        .handle()
        .revoke_organization(&organization("acme"))
        .await
        .unwrap();
    assert_revoked(&world.ada().await);
    assert_revoked(&world.robot().await);
    assert_revoked(&oauth(&world, &old).await);
    oauth(&world, &globex).await.assert_let_in();
    world.clock.advance(Duration::from_secs(1));
    let new = issue(&world.tokens, NewToken::personal("acme", "ada", ADA)).await;
    world.present(basic(ADA, &new)).await.assert_let_in();
    oauth(&world, &world.access_token().sign())
        .await
        .assert_let_in();
    assert_revoked(&world.ada().await);
}

#[tokio::test]
async fn revoke_04_an_issuer_but_not_the_api_tokens() {
    let world = TokenWorld::new().await;
    let old = world.access_token().sign();
    world.auth.handle().revoke_issuer(I).await.unwrap();
    assert_revoked(&oauth(&world, &old).await);
    world.ada().await.assert_let_in();
    world.clock.advance(Duration::from_secs(1));
    oauth(&world, &world.access_token().sign())
        .await
        .assert_let_in();
}

#[tokio::test]
async fn revoke_05_flush_asks_every_store_again() {
    let world = TokenWorld::with(|builder, directory| {
        builder.enrich(
            directory.clone(),
            tower_mcp_auth::enrich::EnrichmentMode::Required,
        )
    })
    .await;
    let asked = || {
        [
            &world.store.faults,
            &world.policies.faults,
            &world.directory.faults,
        ]
        .map(Faults::calls)
    };
    world.ada().await.assert_let_in();
    world.ada().await.assert_let_in();
    assert_eq!(asked(), [1, 1, 1]);
    world.auth.handle().flush();
    world.ada().await.assert_let_in();
    assert_eq!(asked(), [2, 2, 2]);
}

#[tokio::test]
async fn revoke_06_a_revoked_api_token_is_dead_though_cached() {
    let world = TokenWorld::new().await;
    world.ada().await.assert_let_in();
    world.robot().await.assert_let_in();
    world
        .tokens
        .revoke(world.acme_user.record.id())
        .await
        .unwrap();
    assert_eq!(world.ada().await.code(), "invalid_api_token");
    world.robot().await.assert_let_in();
    let leaked = format!("key: {}", world.acme_key.token.expose());
    assert_eq!(world.tokens.revoke_leaked(&leaked).await.unwrap().len(), 1);
    assert_eq!(world.robot().await.code(), "invalid_api_token");
}

#[tokio::test]
async fn revoke_07_both_secrets_work_while_a_roll_overlaps() {
    let world = TokenWorld::new().await;
    world.robot().await.assert_let_in();
    let id = world.acme_key.record.id();
    let new = world
        .tokens
        .roll(id, Duration::from_secs(3600))
        .await
        .unwrap();
    world.robot().await.assert_let_in();
    world.present(bearer(&new)).await.assert_let_in();
    world.clock.advance(Duration::from_secs(3599));
    world.robot().await.assert_let_in();
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.robot().await.code(), "invalid_api_token");
    world.present(bearer(&new)).await.assert_let_in();
    let newest = world.tokens.roll(id, Duration::ZERO).await.unwrap();
    assert_eq!(
        world.present(bearer(&new)).await.code(),
        "invalid_api_token"
    );
    world.present(bearer(&newest)).await.assert_let_in();
}

#[tokio::test]
async fn revoke_08_every_mount_of_a_server_hears_of_it() {
    let world = TokenWorld::new().await;
    let second = ProtectedResource::new("https://mcp.example.com/v2/mcp");
    let second = world.auth.mount(second).unwrap();
    world.ada().await.assert_let_in();
    second
        .handle()
        .revoke_organization(&organization("acme"))
        .await
        .unwrap();
    assert_revoked(&world.ada().await);

    let request = http::Request::post("/v2/mcp").header("host", "mcp.example.com");
    let request = request.header("authorization", bearer(&world.acme_key));
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let refused = second.authenticate(&parts).await.unwrap_err();
    assert_eq!(refused.reason().code(), "revoked");
}
