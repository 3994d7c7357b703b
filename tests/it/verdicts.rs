//! Verified access tokens are remembered, and every request is judged all the same (T21–T24).

use std::time::Duration;

use http::StatusCode;
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::{AuthContext, Issuer, ProtectedResource, SigningAlgorithm};

use crate::support::{NOW, World, described, post};

/// Who the token is for this authenticator, or why not.
async fn ask(auth: &tower_mcp_auth::Authenticator, token: &str) -> Result<AuthContext, String> {
    let request = post().header("authorization", format!("Bearer {token}"));
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let asked = auth.authenticate(&parts).await;
    asked.map_err(|rejection| rejection.reason().code().to_owned())
}

/// A world that remembers, whatever the default of this run.
async fn remembering() -> World {
    World::cold()
        .rebuilt(|builder| builder.verified_token_bytes(1 << 20))
        .warmed()
        .await
}

#[tokio::test]
async fn t23_facts_are_remembered_and_nothing_else() {
    let world = remembering().await;
    let token = world.token().sign();
    assert_eq!(world.auth.verified_tokens(), 0);
    for _ in 0..3 {
        world.bearer(&token).await.assert_let_in();
        assert_eq!(world.auth.verified_tokens(), 1);
    }
    world
        .bearer(&world.token().scope("none").sign())
        .await
        .assert_let_in();
    assert_eq!(world.auth.verified_tokens(), 2);
}

#[tokio::test]
async fn t24_a_bad_token_is_not_remembered_and_displaces_nothing() {
    let world = remembering().await;
    let good = world.token().sign();
    world.bearer(&good).await.assert_let_in();
    for number in 0..200 {
        let bad = world
            .token()
            .claim("n", number)
            .tamper(|signature| signature[5] ^= 1)
            .sign();
        world
            .bearer(&bad)
            .await
            .assert_invalid_token("bad_signature");
    }
    assert_eq!(world.auth.verified_tokens(), 1);
    // One byte off a token that is remembered is another token.
    let mut off = good.clone().into_bytes();
    let last = off.len() - 3;
    off[last] = if off[last] == b'A' { b'B' } else { b'A' };
    let off = String::from_utf8(off).unwrap();
    assert_eq!(world.bearer(&off).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn t24_what_is_remembered_is_bounded_by_bytes() {
    let world = World::cold()
        .rebuilt(|builder| builder.verified_token_bytes(64 * 1024))
        .warmed()
        .await;
    for number in 0..300 {
        let token = world.token().claim("n", number).sign();
        world.bearer(&token).await.assert_let_in();
    }
    let held = world.auth.verified_tokens();
    assert!((1..=100).contains(&held), "{held}");
}

#[tokio::test]
async fn t22_a_remembered_token_expires_to_the_second() {
    let world = remembering().await;
    let token = world.token().expires_in(60).sign();
    world.bearer(&token).await.assert_let_in();
    world.clock.advance(Duration::from_secs(90)); // the leeway is 30 s
    world.bearer(&token).await.assert_let_in();
    world.clock.advance(Duration::from_secs(1));
    world.bearer(&token).await.assert_invalid_token("expired");
    assert_eq!(world.auth.verified_tokens(), 0);
}

#[tokio::test]
async fn t22_a_clock_set_back_is_noticed() {
    let world = remembering().await;
    let token = world.token().claim("nbf", NOW).sign();
    world.bearer(&token).await.assert_let_in();
    world.clock.jump_wall(-3600);
    assert_eq!(world.bearer(&token).await.code(), "not_yet_valid");
}

#[tokio::test]
async fn t22_a_withdrawn_key_ends_what_it_verified() {
    let world = remembering().await;
    let token = world.token().sign();
    world.bearer(&token).await.assert_let_in();
    world.issuer.rotate_abruptly(SigningAlgorithm::Es256);
    world.clock.advance(Duration::from_secs(301));
    let answer = world.bearer(&token).await;
    answer.assert_invalid_token("unknown_key");
    let fresh = world.token().sign();
    world.bearer(&fresh).await.assert_let_in();
}

#[tokio::test]
async fn t22_revocation_reaches_what_is_remembered() {
    let world = remembering().await;
    let token = world.token().sign();
    let context = ask(&world.auth, &token).await.unwrap();
    world
        .auth
        .handle()
        .revoke_principal(&context.key())
        .await
        .unwrap();
    assert_eq!(ask(&world.auth, &token).await.unwrap_err(), "revoked");
    world.auth.handle().flush();
    assert_eq!(world.auth.verified_tokens(), 0);
    assert_eq!(ask(&world.auth, &token).await.unwrap_err(), "revoked");
}

#[tokio::test]
async fn t21_a_token_remembered_at_one_mount_is_unknown_at_another() {
    let world = remembering().await;
    let other = world
        .auth
        .mount(ProtectedResource::new("https://mcp.example.com/v2/mcp"))
        .unwrap();
    let token = world.token().sign();
    ask(&world.auth, &token).await.unwrap();
    for _ in 0..2 {
        assert_eq!(ask(&other, &token).await.unwrap_err(), "wrong_audience");
    }
    ask(&world.auth, &token).await.unwrap();
}

#[tokio::test]
async fn t23_with_and_without_memory_the_answers_are_the_same() {
    let with = remembering().await;
    let without = World::cold()
        .rebuilt(|builder| builder.verified_token_bytes(0))
        .warmed()
        .await;
    let require = |builder: AuthenticatorBuilder| builder.require_scopes(["write:issues"]);
    let strict = World::cold().rebuilt(require).warmed().await;
    for world in [&with, &without] {
        let good = world.token().sign();
        let expired = world.token().expires_in(-3600).sign();
        for _ in 0..3 {
            world.bearer(&good).await.assert_let_in();
            world.bearer(&expired).await.assert_invalid_token("expired");
        }
    }
    assert_eq!(without.auth.verified_tokens(), 0);
    let poor = strict.token().scope("read:issues").sign();
    for _ in 0..3 {
        assert_eq!(strict.bearer(&poor).await.code(), "insufficient_scope");
    }
}

#[test]
fn too_much_memory_is_a_mistake() {
    let issuer = Issuer::new(crate::support::I);
    let built = tower_mcp_auth::Authenticator::builder(described(issuer))
        .verified_token_bytes(1 << 40)
        .build();
    let text = built.unwrap_err().to_string();
    assert!(
        text.contains("verified_token_bytes") && text.contains("16 GiB"),
        "{text}"
    );
}
