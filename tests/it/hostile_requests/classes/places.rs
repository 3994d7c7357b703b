//! API tokens out of time, of those who left, at the wrong place.

use std::time::Duration;

use tower_mcp_auth::api_token::NewToken;

use super::api::{taken_apart, with_checksum};
use super::request::{Batch, Crafted, Hostile, UNAUTHORIZED, base64url};
use super::site::{ADA, LEE, Site, robot};

/// Tokens that were good and have ended.
pub async fn t31(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let mut issued = Vec::new();
    for seconds in [1, 10, 59, 60, 61] {
        let life = Duration::from_secs(seconds);
        issued.push(site.issue(robot("acme").expires_in(life)).await);
        issued.push(
            site.issue(NewToken::personal("acme", "ada", ADA).expires_in(life))
                .await,
        );
    }
    site.clock.advance(Duration::from_secs(62));
    for one in &issued {
        let (text, pair) = (one.token.expose(), format!("{ADA}:{}", one.token.expose()));
        for crafted in [Crafted::bearer(text), Crafted::basic(&pair)] {
            batch.request(
                format!("ended {}", one.record.id()),
                crafted.clone(),
                UNAUTHORIZED,
            );
            batch.request(
                format!("ended {}, proxied", one.record.id()),
                crafted.proxied(),
                UNAUTHORIZED,
            );
        }
    }
    batch.0
}

/// Somebody who left, by every credential of theirs.
pub fn t32(site: &Site) -> Vec<Hostile> {
    const FORBIDDEN: &[u16] = &[401, 403];
    let mut batch = Batch::default();
    for number in 0..20 {
        let token = site
            .token()
            .subject("lee")
            .client(format!("client-{number}"));
        batch.request(
            format!("access token {number}"),
            Crafted::bearer(token.sign()),
            FORBIDDEN,
        );
        let more = token.scope("read:issues write:issues admin:all").sign();
        batch.request(
            format!("with every scope {number}"),
            Crafted::bearer(more),
            FORBIDDEN,
        );
    }
    batch.request(
        "with ada's token",
        Crafted::basic(format!("{LEE}:{}", site.ada.token.expose())),
        FORBIDDEN,
    );
    batch.0
}

/// Every kind of credential with every scheme that is not its own, and where it is switched off.
pub fn t33(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let (ada, robot, jwt) = (
        site.ada.token.expose(),
        site.robot.token.expose(),
        site.token().sign(),
    );
    let bearers = [
        ("personal", ada.to_owned()),
        ("pair", format!("{ADA}:{ada}")),
        ("pair in base64", base64url(format!("{ADA}:{robot}"))),
    ];
    for (what, text) in bearers {
        for scheme in ["Bearer", "DPoP", "bearer", "BEARER"] {
            let sent = Crafted::default().with("authorization", format!("{scheme} {text}"));
            batch.request(format!("{what} by {scheme}"), sent, UNAUTHORIZED);
        }
    }
    for email in [
        ADA,
        "robot",
        "",
        "acme",
        "x",
        "token",
        "oauth2",
        "x-access-token",
    ] {
        for (what, text) in [
            ("key", robot),
            ("JWT", &*jwt),
            ("pair", ADA),
            ("id", site.ada.record.id().as_str()),
        ] {
            batch.request(
                format!("{what} as the password of {email}"),
                Crafted::basic(format!("{email}:{text}")),
                UNAUTHORIZED,
            );
            batch.request(
                format!("{what} as the name of {email}"),
                Crafted::basic(format!("{text}:{email}")),
                UNAUTHORIZED,
            );
        }
    }
    let (_, id, secret) = taken_apart(ada);
    batch.token(
        "personal as a key",
        with_checksum(&format!("mcps_{id}_{secret}")),
    );
    let (_, id, secret) = taken_apart(robot);
    batch.request(
        "key as personal",
        Crafted::basic(format!(
            "{ADA}:{}",
            with_checksum(&format!("mcpu_{id}_{secret}"))
        )),
        UNAUTHORIZED,
    );
    for scheme in ["Basic", "DPoP"] {
        for text in [robot, &*jwt] {
            batch.request(
                format!("{scheme} {text:.10}"),
                Crafted::default().with("authorization", format!("{scheme} {text}")),
                UNAUTHORIZED,
            );
        }
    }
    for name in [
        "x-api-key",
        "api-key",
        "apikey",
        "x-auth-token",
        "x-access-token",
        "x-token",
        "token",
        "proxy-authorization",
        "x-authorization",
        "cookie",
        "www-authenticate",
        "authentication",
        "x-amz-security-token",
        "private-token",
        "sec-websocket-protocol",
    ] {
        for text in [robot, &*jwt, ada] {
            batch.request(
                format!("{name}: {text:.10}"),
                Crafted::default().with(name, text),
                UNAUTHORIZED,
            );
            batch.request(
                format!("{name}: Bearer {text:.10}"),
                Crafted::default().with(name, format!("Bearer {text}")),
                UNAUTHORIZED,
            );
        }
    }
    batch.0
}

/// Tokens of organizations that do not take them.
pub async fn switched_off(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    for name in ["globex", "unheard-of", "default"] {
        let key = site.tokens.issue(robot(name).scopes(["read:issues"])).await;
        let personal = site
            .tokens
            .issue(NewToken::personal(name, "gil", "gil@globex.example").scopes(["read:issues"]))
            .await;
        if let (Ok(key), Ok(personal)) = (key, personal) {
            for _ in 0..2 {
                batch.request(
                    format!("key of {name}"),
                    Crafted::bearer(key.token.expose()),
                    &[401, 403],
                );
                batch.request(
                    format!("personal of {name}"),
                    Crafted::basic(format!("gil@globex.example:{}", personal.token.expose())),
                    &[401, 403],
                );
            }
        }
    }
    batch.0
}
