//! Credentials that ended while they were remembered.

use std::time::Duration;

use tower_mcp_auth::api_token::NewToken;
use tower_mcp_auth::clock::Clock;

use super::caches::jti;
use super::request::{Batch, Crafted, Hostile, UNAUTHORIZED};
use super::site::{ADA, KID, RESOURCE, SECOND, Site, robot};

pub async fn t22(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let short = |number: usize| {
        site.token()
            .expires_in(10)
            .claim("jti", jti("short", number))
    };
    let mut tokens: Vec<String> = (0..20).map(|number| short(number).sign()).collect();
    tokens.extend((0..10).map(|_| {
        site.second
            .token(RESOURCE)
            .scope("read:issues")
            .expires_in(5)
            .sign()
    }));
    let lifetime = Duration::from_secs(20);
    let key = site.issue(robot("acme").expires_in(lifetime)).await;
    let personal = site
        .issue(NewToken::personal("acme", "ada", ADA).expires_in(lifetime))
        .await;
    let rolled = site.issue(robot("acme")).await;
    let dropped = site.issue(robot("acme")).await;
    let pair = format!("{ADA}:{}", personal.token.expose());
    for token in &tokens {
        site.let_in(&Crafted::bearer(token)).await;
    }
    for issued in [&key, &rolled, &dropped] {
        site.let_in(&Crafted::bearer(issued.token.expose())).await;
    }
    site.let_in(&Crafted::basic(&pair)).await;
    let hidden = site.second.rotate(tower_mcp_auth::SigningAlgorithm::Es256);
    let withdrawn = site
        .second
        .token(RESOURCE)
        .key(KID)
        .scope("read:issues")
        .sign();
    site.let_in(&Crafted::bearer(&withdrawn)).await;
    site.tokens
        .roll(rolled.record.id(), Duration::ZERO)
        .await
        .unwrap();
    site.tokens.revoke(dropped.record.id()).await.unwrap();
    for auth in [&site.direct, &site.proxied] {
        auth.handle().revoke_key(SECOND, KID).await.unwrap();
    }
    site.clock.advance(Duration::from_secs(41));
    assert!(site.clock.now().as_secs() > 1_800_000_000 && !hidden.is_empty());
    for (number, token) in tokens.iter().enumerate() {
        batch.token(format!("expired {number}"), token);
        batch.request(
            format!("expired {number}, proxied"),
            Crafted::bearer(token).proxied(),
            UNAUTHORIZED,
        );
    }
    for issued in [&key, &rolled, &dropped] {
        batch.token(format!("key {}", issued.record.id()), issued.token.expose());
    }
    batch.request("expired pair", Crafted::basic(&pair), UNAUTHORIZED);
    batch.token("by a key that was stolen", &withdrawn);
    batch.0
}
