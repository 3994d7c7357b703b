//! Credentials that were good a moment ago, and what looks like one that is remembered.

use super::request::{Batch, Crafted, Hostile, Random, UNAUTHORIZED};
use super::site::{ADA, ISSUER, RESOURCE, Site};

/// An id to revoke by, of this token alone.
pub fn jti(name: &str, number: usize) -> String {
    format!("{name}-{number}")
}

/// The token with one of its good letters exchanged for the next.
pub fn changed(token: &str, at: usize) -> String {
    let mut bytes = token.as_bytes().to_vec();
    bytes[at] = match bytes[at] {
        b'A'..=b'Y' | b'a'..=b'y' | b'0'..=b'8' => bytes[at] + 1,
        b'.' => b'-',
        _ => b'A',
    };
    String::from_utf8(bytes).unwrap()
}

pub async fn t05(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    for number in 0..12 {
        let id = jti("dead", number);
        let token = site.token().claim("jti", id.clone());
        let first = token.sign();
        if number % 2 == 0 {
            site.let_in(&Crafted::bearer(&first)).await;
        }
        for auth in [&site.direct, &site.proxied] {
            auth.handle().revoke_token(ISSUER, &id).await.unwrap();
        }
        batch.token(format!("revoked {number}"), &first);
        batch.token(format!("signed again {number}"), token.sign());
        batch.token(
            format!("its twin {number}"),
            token.clone().es256_twin().sign(),
        );
        batch.token(
            format!("by another key {number}"),
            token
                .clone()
                .algorithm(tower_mcp_auth::SigningAlgorithm::Rs256)
                .sign(),
        );
        batch.token(
            format!("with more scopes {number}"),
            token.clone().scope("read:issues admin:all").sign(),
        );
        for scheme in ["bearer", "BEARER", "Bearer ", "bEaReR   "] {
            let line = format!("{scheme} {first}");
            batch.request(
                format!("{scheme} {number}"),
                Crafted::default().with("authorization", line),
                UNAUTHORIZED,
            );
        }
        batch.request(
            format!("proxied {number}"),
            Crafted::bearer(&first).proxied(),
            UNAUTHORIZED,
        );
    }
    batch.0
}

pub async fn t21(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let token = site.token().sign();
    site.let_in(&Crafted::bearer(&token)).await;
    let key = site.robot.token.expose();
    site.let_in(&Crafted::bearer(key)).await;
    let pair = format!("{ADA}:{}", site.ada.token.expose());
    site.let_in(&Crafted::basic(&pair)).await;
    // The last characters but one of a part carry no spare bits; a change of any other is a change.
    for at in (0..token.len() - 1)
        .step_by(5)
        .filter(|at| changed(&token, *at) != token)
    {
        batch.token(format!("letter {at} changed"), changed(&token, at));
    }
    for at in 0..key.len() {
        batch.token(format!("letter {at} of a key changed"), changed(key, at));
    }
    for at in (ADA.len() + 1)..pair.len() {
        batch.request(
            format!("letter {at} of a pair changed"),
            Crafted::basic(changed(&pair, at)),
            UNAUTHORIZED,
        );
    }
    for scheme in [
        "Basic",
        "DPoP",
        "Token",
        "ApiKey",
        "Negotiate",
        "Digest",
        "OAuth",
        "MAC",
        "Bearer:",
        "JWT",
        "X-Bearer",
        "",
    ] {
        for credential in [&*token, key] {
            let line = format!("{scheme} {credential}");
            batch.request(
                format!("{scheme} {credential:.12}"),
                Crafted::default().with("authorization", line.trim()),
                UNAUTHORIZED,
            );
        }
    }
    // The same words of the other issuer, signed by neither, or with the other's parts.
    let other = site.second.token(RESOURCE).scope("read:issues").sign();
    site.let_in(&Crafted::bearer(&other)).await;
    let (one, two): (Vec<&str>, Vec<&str>) =
        (token.split('.').collect(), other.split('.').collect());
    for mask in 1..7 {
        let part = |at: usize| {
            if mask >> at & 1 == 1 {
                two[at]
            } else {
                one[at]
            }
        };
        // With both headers alike, the parts that count are payload and signature.
        if mask >> 1 & 1 != mask >> 2 & 1 {
            batch.token(
                format!("parts {mask:03b} of the other"),
                format!("{}.{}.{}", part(0), part(1), part(2)),
            );
        }
    }
    batch.0
}

pub async fn t24(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let mut random = Random(24);
    site.let_in(&Crafted::bearer(site.robot.token.expose()))
        .await;
    for number in 0..40 {
        batch.token(format!("opaque {number}"), random.text(8 + number));
        batch.token(
            format!("forged {number}"),
            site.stranger.token(RESOURCE).claim("iss", ISSUER).sign(),
        );
        let brand = format!("mcps_{}_{}", random.text(16), random.text(49));
        batch.token(format!("made up {number}"), brand);
    }
    batch.0
}
