//! Tokens that are bound to a key, and proofs that prove nothing (RFC 9449).

use super::request::Hostile;
use super::site::Site;

#[cfg(not(feature = "dpop"))]
pub async fn dpop(site: &Site) -> Vec<Hostile> {
    use super::request::Batch;
    use serde_json::json;

    let mut batch = Batch(super::places::switched_off(site).await);
    // Bound to something this server cannot check.
    for cnf in [
        json!({"jkt": "x"}),
        json!({"x5t#S256": "x"}),
        json!({}),
        json!({"kid": "x"}),
    ] {
        batch.token(
            format!("cnf {cnf}"),
            site.token().claim("cnf", cnf.clone()).sign(),
        );
    }
    batch.0
}

#[cfg(feature = "dpop")]
pub async fn dpop(site: &Site) -> Vec<Hostile> {
    use serde_json::json;
    use tower_mcp_auth::clock::Clock;
    use tower_mcp_auth::testing::{DpopKey, ProofBuilder};

    use super::request::{Batch, Crafted, UNAUTHORIZED};
    use super::site::RESOURCE;

    let mut batch = Batch(super::places::switched_off(site).await);
    let (key, other) = (DpopKey::generate(), DpopKey::generate());
    let token = site.token().dpop_key(&key).sign();
    let now = site.clock.now();
    let good = || key.proof("POST", RESOURCE, &token).at(now);
    let bound = |proof: &str| {
        Crafted::default()
            .with("authorization", format!("DPoP {token}"))
            .with("dpop", proof)
    };
    site.let_in(&bound(&good().sign())).await;
    let mut add =
        |what: String, proof: ProofBuilder| batch.request(what, bound(&proof.sign()), &[400, 401]);
    for url in [
        "",
        "http://mcp.example.com/mcp",
        "https://evil.example/mcp",
        "https://mcp.example.com/other",
        "https://mcp.example.com",
        "/mcp",
        "https://mcp.example.com:8443/mcp",
        "https://mcp.example.com/mcp/../admin",
        "x",
    ] {
        add(format!("htu {url}"), key.proof("POST", url, &token).at(now));
    }
    for method in ["GET", "post", "Post", "", "POST ", "*", "PUT"] {
        add(
            format!("htm {method}"),
            key.proof(method, RESOURCE, &token).at(now),
        );
    }
    for seconds in [-86_400, -3600, -600, 600, 3600, 86_400] {
        add(
            format!("{seconds} s off"),
            good().at(now.plus_secs(seconds)),
        );
    }
    for claim in ["htm", "htu", "iat", "jti", "ath"] {
        add(format!("no {claim}"), good().without(claim));
        for value in [
            json!(null),
            json!(7.5),
            json!([]),
            json!({}),
            json!(""),
            json!(true),
            json!("x"),
        ] {
            if claim == "jti" && value == "x" {
                continue;
            }
            add(format!("{claim} {value}"), good().claim(claim, value));
        }
    }
    for parameter in ["typ", "alg", "jwk"] {
        add(format!("no {parameter}"), good().without_header(parameter));
        for value in [
            json!(null),
            json!("none"),
            json!("HS256"),
            json!("JWT"),
            json!({}),
            json!([]),
            json!(7),
            other.public_jwk(),
        ] {
            add(
                format!("{parameter} {value}"),
                good().header(parameter, value),
            );
        }
    }
    for (name, value) in [("crit", json!(["x"])), ("b64", json!(false))] {
        if name == "crit" {
            add(name.into(), good().header(name, value));
        } else {
            add(
                name.into(),
                good().header(name, value).header("crit", json!(["b64"])),
            );
        }
    }
    add(
        "another token's".into(),
        key.proof("POST", RESOURCE, site.token().dpop_key(&key).sign())
            .at(now),
    );
    add(
        "another key's".into(),
        other.proof("POST", RESOURCE, &token).at(now),
    );
    add("tampered".into(), good().tamper());
    for secret in ["", "secret", &key.thumbprint()] {
        add(format!("hmac {secret}"), good().hmac(secret));
    }
    for text in ["", "null", "[]", "{", "{}"] {
        add(format!("header {text}"), good().raw_header(text));
        add(format!("claims {text}"), good().raw_claims(text));
    }
    let used = good().sign();
    site.let_in(&bound(&used)).await;
    for number in 0..5 {
        batch.request(format!("used before, {number}"), bound(&used), UNAUTHORIZED);
    }
    for junk in [
        "",
        "x",
        "a.b.c",
        "..",
        "null",
        "eyJ.eyJ.x",
        &token,
        &"A".repeat(9000),
    ] {
        batch.request(format!("junk {junk:.12}"), bound(junk), &[400, 401, 431]);
    }
    batch.request(
        "two proofs",
        bound(&good().sign()).with("dpop", good().sign()),
        &[400, 401],
    );
    batch.request("no proof", bound("x").without("dpop"), &[400, 401]);
    batch.token("as Bearer", &token);
    batch.request(
        "as Bearer with its proof",
        Crafted::bearer(&token).with("dpop", good().sign()),
        UNAUTHORIZED,
    );
    let unbound = site.token().sign();
    let plain = Crafted::default().with("authorization", format!("DPoP {unbound}"));
    batch.request(
        "unbound with a proof",
        plain.with("dpop", key.proof("POST", RESOURCE, &unbound).at(now).sign()),
        UNAUTHORIZED,
    );
    for cnf in [
        json!({}),
        json!({"jkt": ""}),
        json!({"jkt": 7}),
        json!({"jkt": key.thumbprint(), "x5t#S256": "x"}),
        json!({"kid": "x"}),
        json!({"jwk": key.public_jwk()}),
        json!([]),
        json!("x"),
    ] {
        batch.token(format!("cnf {cnf}"), site.token().claim("cnf", cnf).sign());
    }
    batch.0
}
