//! Sessions of others, and made-up ones.

use super::caches::changed;
use super::request::{Batch, Crafted, Hostile};
use super::site::{ADA, Site};

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
        Crafted::bearer(
            site.token()
                .subject("alice")
                .claim("org_id", "globex")
                .sign(),
        ),
        Crafted::bearer(site.robot.token.expose()),
        Crafted::basic(format!("{ADA}:{}", site.ada.token.expose())),
    ];
    for (number, other) in others.iter().enumerate() {
        for method in ["POST", "GET", "DELETE"] {
            let sent = other
                .clone()
                .method(method)
                .with("mcp-session-id", session.as_str());
            let sent = if method == "POST" {
                sent
            } else {
                sent.body("")
            };
            batch.request(format!("{method} by another, {number}"), sent, REFUSED);
        }
    }
    let (inner, seal) = session.split_once('.').unwrap();
    let mut made_up: Vec<String> = vec![
        inner.into(),
        format!("{inner}."),
        format!("{inner}.{}", "A".repeat(22)),
        format!(".{seal}"),
        seal.into(),
        format!("{session}x"),
        format!("{session}."),
        format!("{session}.{seal}"),
        format!("x{session}"),
        session.to_uppercase(),
        format!("{session}, {session}"),
        format!("{inner}..{seal}"),
        "*".into(),
        format!("other.{seal}"),
        format!("{session}="),
        format!("\"{session}\""),
        "../x".into(),
        "x'--".into(),
        "a".repeat(4000),
        "0".into(),
        "null".into(),
    ];
    made_up.extend((0..seal.len() - 1).map(|at| format!("{inner}.{}", changed(seal, at))));
    for id in made_up {
        for method in ["POST", "DELETE"] {
            let sent = alice
                .clone()
                .method(method)
                .with("mcp-session-id", id.as_str());
            let sent = if method == "POST" {
                sent
            } else {
                sent.body("")
            };
            batch.request(format!("{method} {id:.30}"), sent, REFUSED);
        }
    }
    let twice = alice
        .with("mcp-session-id", session.as_str())
        .with("mcp-session-id", session.as_str());
    batch.request("two sessions", twice, REFUSED);
    batch.0
}
