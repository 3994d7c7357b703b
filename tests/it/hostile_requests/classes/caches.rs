//! Credentials that were good a moment ago, and what looks like one that is remembered.

use std::time::Duration;

use tower_mcp_auth::api_token::NewToken;
use tower_mcp_auth::clock::Clock;

use super::request::{Batch, Crafted, Hostile, Random, UNAUTHORIZED};
use super::site::{ADA, ISSUER, KID, RESOURCE, SECOND, Site, robot};

/// An id to revoke by, of this token alone.
fn jti(name: &str, number: usize) -> String {
    format!("{name}-{number}")
}

/// The token with one of its good letters exchanged for the next.
fn changed(token: &str, at: usize) -> String {
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
        batch.token(format!("its twin {number}"), token.clone().es256_twin().sign());
        batch.token(format!("by another key {number}"), token.clone().algorithm(tower_mcp_auth::SigningAlgorithm::Rs256).sign());
        batch.token(format!("with more scopes {number}"), token.clone().scope("read:issues admin:all").sign());
        for scheme in ["bearer", "BEARER", "Bearer ", "bEaReR   "] {
            let line = format!("{scheme} {first}");
            batch.request(format!("{scheme} {number}"), Crafted::default().with("authorization", line), UNAUTHORIZED);
        }
        batch.request(format!("proxied {number}"), Crafted::bearer(&first).proxied(), UNAUTHORIZED);
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
    for at in (0..token.len() - 1).step_by(5).filter(|at| changed(&token, *at) != token) {
        batch.token(format!("letter {at} changed"), changed(&token, at));
    }
    for at in 0..key.len() {
        batch.token(format!("letter {at} of a key changed"), changed(key, at));
    }
    for at in (ADA.len() + 1)..pair.len() {
        batch.request(format!("letter {at} of a pair changed"), Crafted::basic(changed(&pair, at)), UNAUTHORIZED);
    }
    for scheme in ["Basic", "DPoP", "Token", "ApiKey", "Negotiate", "Digest", "OAuth", "MAC", "Bearer:", "JWT", "X-Bearer", ""] {
        for credential in [&*token, key] {
            let line = format!("{scheme} {credential}");
            batch.request(format!("{scheme} {credential:.12}"), Crafted::default().with("authorization", line.trim()), UNAUTHORIZED);
        }
    }
    // The same words of the other issuer, signed by neither, or with the other's parts.
    let other = site.second.token(RESOURCE).scope("read:issues").sign();
    site.let_in(&Crafted::bearer(&other)).await;
    let (one, two): (Vec<&str>, Vec<&str>) = (token.split('.').collect(), other.split('.').collect());
    for mask in 1..7 {
        let part = |at: usize| if mask >> at & 1 == 1 { two[at] } else { one[at] };
        // With both headers alike, the parts that count are payload and signature.
        if mask >> 1 & 1 != mask >> 2 & 1 {
            batch.token(format!("parts {mask:03b} of the other"), format!("{}.{}.{}", part(0), part(1), part(2)));
        }
    }
    batch.0
}

pub async fn t22(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let short = |number: usize| site.token().expires_in(10).claim("jti", jti("short", number));
    let mut tokens: Vec<String> = (0..20).map(|number| short(number).sign()).collect();
    tokens.extend((0..10).map(|_| site.second.token(RESOURCE).scope("read:issues").expires_in(5).sign()));
    let lifetime = Duration::from_secs(20);
    let key = site.issue(robot("acme").expires_in(lifetime)).await;
    let personal = site.issue(NewToken::personal("acme", "ada", ADA).expires_in(lifetime)).await;
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
    let withdrawn = site.second.token(RESOURCE).key(KID).scope("read:issues").sign();
    site.let_in(&Crafted::bearer(&withdrawn)).await;
    site.tokens.roll(rolled.record.id(), Duration::ZERO).await.unwrap();
    site.tokens.revoke(dropped.record.id()).await.unwrap();
    for auth in [&site.direct, &site.proxied] {
        auth.handle().revoke_key(SECOND, KID).await.unwrap();
    }
    site.clock.advance(Duration::from_secs(41));
    assert!(site.clock.now().as_secs() > 1_800_000_000 && !hidden.is_empty());
    for (number, token) in tokens.iter().enumerate() {
        batch.token(format!("expired {number}"), token);
        batch.request(format!("expired {number}, proxied"), Crafted::bearer(token).proxied(), UNAUTHORIZED);
    }
    for issued in [&key, &rolled, &dropped] {
        batch.token(format!("key {}", issued.record.id()), issued.token.expose());
    }
    batch.request("expired pair", Crafted::basic(&pair), UNAUTHORIZED);
    batch.token("by a key that was stolen", &withdrawn);
    batch.0
}

/// The same token, remembered with what it may do, asks for what it may not.
pub async fn t23(site: &Site) -> Vec<Hostile> {
    const FORBIDDEN: &[u16] = &[403];
    let mut batch = Batch::default();
    let token = site.token().sign();
    let key = site.robot.token.expose().to_owned();
    let ada = format!("{ADA}:{}", site.ada.token.expose());
    let all = [Crafted::bearer(&token), Crafted::bearer(&key), Crafted::basic(&ada)];
    for good in &all {
        site.let_in(good).await;
    }
    let ask = |method: &str, params: &str| format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{params}}}"#);
    for good in &all {
        for tool in ["createIssue", "wipe", "unknown", "getissue", "GETISSUE", "getIssue ", " getIssue", "get_issue", "getIssue/x", "getIssue\\u0000", "*", "", "get%49ssue", "getIssue\\n", "g\\u0435tIssue"] {
            let body = ask("tools/call", &format!(r#"{{"name":"{tool}","arguments":{{}}}}"#));
            batch.request(format!("tool {tool:?}"), good.clone().body(body), &[400, 403]);
        }
        for prompt in ["secret-notes", "unknown", "release-notes ", "../secret-notes"] {
            batch.request(format!("prompt {prompt}"), good.clone().body(ask("prompts/get", &format!(r#"{{"name":"{prompt}"}}"#))), FORBIDDEN);
        }
        for uri in ["file:///secret/a", "file:///projects/../secret/a", "file:///projects/%2e%2e/secret/a", "FILE:///secret/a", "file://localhost/secret/a", "file:///projects",
            "file:///projectsx/a", "file:////projects/a", "http:///projects/a", "file:///projects/..", "file:///projects/..%2fsecret/a", "file:///Projects/a", "unknown:x"] {
            for method in ["resources/read", "resources/subscribe"] {
                batch.request(format!("{method} {uri}"), good.clone().body(ask(method, &format!(r#"{{"uri":"{uri}"}}"#))), &[400, 403]);
            }
        }
        for method in ["tools/Call", "TOOLS/CALL", "admin/x", "tools/call ", "logging/setlevel", "rpc.discover", "../tools/list", "tools", "sampling/createMessage"] {
            batch.request(format!("method {method}"), good.clone().body(ask(method, "{}")), &[400, 403]);
        }
    }
    batch.0
}

pub async fn t24(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let mut random = Random(24);
    site.let_in(&Crafted::bearer(site.robot.token.expose())).await;
    for number in 0..40 {
        batch.token(format!("opaque {number}"), random.text(8 + number));
        batch.token(format!("forged {number}"), site.stranger.token(RESOURCE).claim("iss", ISSUER).sign());
        let brand = format!("mcps_{}_{}", random.text(16), random.text(49));
        batch.token(format!("made up {number}"), brand);
    }
    batch.0
}

/// Sessions of others, and made-up ones.
pub async fn t44(site: &Site) -> Vec<Hostile> {
    const REFUSED: &[u16] = &[400, 404];
    let mut batch = Batch::default();
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;
    let alice = Crafted::bearer(site.token().subject("alice").sign());
    let session = site.let_in(&alice.clone().body(body)).await;
    assert!(session.starts_with("inner-session."), "{session}");
    let others = [
        Crafted::bearer(site.token().subject("bob").sign()),
        Crafted::bearer(site.token().subject("alice").client("another").sign()),
        Crafted::bearer(site.token().subject("alice").claim("org_id", "globex").sign()),
        Crafted::bearer(site.robot.token.expose()),
        Crafted::basic(format!("{ADA}:{}", site.ada.token.expose())),
    ];
    for (number, other) in others.iter().enumerate() {
        for method in ["POST", "GET", "DELETE"] {
            let sent = other.clone().method(method).with("mcp-session-id", session.as_str());
            let sent = if method == "POST" { sent } else { sent.body("") };
            batch.request(format!("{method} by another, {number}"), sent, REFUSED);
        }
    }
    let (inner, seal) = session.split_once('.').unwrap();
    let mut made_up: Vec<String> = vec![
        inner.into(), format!("{inner}."), format!("{inner}.{}", "A".repeat(22)), format!(".{seal}"), seal.into(), format!("{session}x"), format!("{session}."),
        format!("{session}.{seal}"), format!("x{session}"), session.to_uppercase(), format!("{session}, {session}"), format!("{inner}..{seal}"), "*".into(),
        format!("other.{seal}"), format!("{session}="), format!("\"{session}\""), "../x".into(), "x'--".into(), "a".repeat(4000), "0".into(), "null".into(),
    ];
    made_up.extend((0..seal.len() - 1).map(|at| format!("{inner}.{}", changed(seal, at))));
    for id in made_up {
        for method in ["POST", "DELETE"] {
            let sent = alice.clone().method(method).with("mcp-session-id", id.as_str());
            let sent = if method == "POST" { sent } else { sent.body("") };
            batch.request(format!("{method} {id:.30}"), sent, REFUSED);
        }
    }
    let twice = alice.with("mcp-session-id", session.as_str()).with("mcp-session-id", session.as_str());
    batch.request("two sessions", twice, REFUSED);
    batch.0
}
