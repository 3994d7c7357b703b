//! Keys that a token brings or names, and issuers that want to be asked.

use serde_json::json;

use super::request::{Batch, Crafted, Hostile, UNAUTHORIZED, base64url};
use super::site::{ISSUER, KID, RESOURCE, Site};

/// Addresses somebody else answers at.
fn places(site: &Site) -> Vec<String> {
    let evil = site.stranger.endpoint("/jwks");
    let mut places: Vec<String> = [
        "http://127.0.0.1:9/jwks",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "https://auth.example.com/t1/jwks",
        "//evil.example/k",
        "http://[::1]/k",
        "data:application/json,%7B%7D",
        "",
    ]
    .map(str::to_owned)
    .into();
    places.push(evil);
    places
}

pub fn t12(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let forged = || {
        site.stranger
            .token(RESOURCE)
            .claim("iss", ISSUER)
            .scope("read:issues")
    };
    for place in places(site) {
        for name in ["jku", "x5u", "jwks_uri", "iss", "url"] {
            batch.token(
                format!("{name} {place}"),
                forged().header(name, place.clone()).sign(),
            );
            batch.token(
                format!("{name} {place}, other kid"),
                forged()
                    .header(name, place.clone())
                    .header("kid", "other")
                    .sign(),
            );
        }
        for name in ["jku", "x5u"] {
            batch.token(
                format!("good, {name} {place}"),
                site.token().header(name, place.clone()).sign(),
            );
        }
    }
    let own = site.stranger.public_jwk(KID);
    let ours = site.issuer.public_jwk(KID);
    for jwk in [
        own.clone(),
        ours,
        json!({}),
        json!(null),
        json!("x"),
        json!([own]),
    ] {
        batch.token(
            format!("jwk {jwk}"),
            forged().header("jwk", jwk.clone()).sign(),
        );
        batch.token(
            format!("jwk {jwk} without kid"),
            forged()
                .header("jwk", jwk.clone())
                .without_header("kid")
                .sign(),
        );
        batch.token(
            format!("good, jwk {jwk}"),
            site.token().header("jwk", jwk).sign(),
        );
    }
    let der = base64url(site.stranger.public_der(KID));
    for name in ["x5c", "x5t", "x5t#S256"] {
        batch.token(name, forged().header(name, json!([der])).sign());
        batch.token(
            format!("{name} text"),
            forged().header(name, der.clone()).sign(),
        );
    }
    batch.0
}

pub fn t13(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let long = "k".repeat(257);
    let kids = [
        "",
        " ",
        ".",
        "..",
        "../../../../dev/null",
        "..\\..\\nul",
        "/dev/null",
        "/etc/passwd",
        "file:///dev/null",
        "%2e%2e%2f",
        "' OR '1'='1",
        "'; DROP TABLE keys;--",
        "\" OR \"\"=\"",
        "1 UNION SELECT 'AA'",
        "*",
        "?",
        "%",
        "_",
        "{{7*7}}",
        "${jndi:ldap://evil}",
        "$(id)",
        "`id`",
        "|id",
        "x\r\nSET k v",
        "x\nDEL k",
        "x\0",
        "\0",
        "shared-kid\0",
        "shared-kid ",
        " shared-kid",
        "shared-kid\n",
        "SHARED-KID",
        "shared-kid/",
        "shared-kid#1",
        "shared\u{2d}\u{200b}kid",
        "\u{202e}dik-derahs",
        "sh\u{430}red-kid",
        "\u{7f}",
        "\u{1b}[2J",
        "undefined",
        "null",
        "0",
        "-1",
        "__proto__",
        "constructor",
        "keys[0]",
        "$ne",
        "*)(kid=*",
        "http://evil.example/k",
        &long,
    ];
    for kid in kids {
        batch.token(
            format!("good, kid {kid:?}"),
            site.token().header("kid", kid).sign(),
        );
        batch.token(
            format!("empty HMAC, kid {kid:?}"),
            site.token().hmac("").header("kid", kid).sign(),
        );
        batch.token(
            format!("forged, kid {kid:?}"),
            site.stranger
                .token(RESOURCE)
                .claim("iss", ISSUER)
                .header("kid", kid)
                .sign(),
        );
    }
    for kid in [
        json!(null),
        json!(7),
        json!(true),
        json!([KID]),
        json!({"kid": KID}),
        json!([]),
        json!(1.5),
    ] {
        batch.token(format!("kid {kid}"), site.token().header("kid", kid).sign());
    }
    // The same texts where an API token's id or an opaque token would stand.
    for kid in kids
        .iter()
        .filter(|kid| kid.bytes().all(|byte| (0x20..0x7f).contains(&byte)))
    {
        batch.request(format!("Bearer {kid}"), Crafted::bearer(kid), UNAUTHORIZED);
        batch.request(
            format!("Bearer mcps_{kid}"),
            Crafted::bearer(format!("mcps_{kid}")),
            UNAUTHORIZED,
        );
        batch.request(
            format!("Basic {kid}"),
            Crafted::basic(format!("{kid}:mcpu_{kid}")),
            UNAUTHORIZED,
        );
    }
    batch.0
}

/// Issuers that somebody wants to be asked.
pub fn t43(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let issuers = [
        "http://127.0.0.1/",
        "http://127.0.0.1:6379/",
        "https://127.0.0.1/t1",
        "http://localhost/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://169.254.169.254/",
        "http://metadata.google.internal/",
        "http://10.0.0.1/",
        "http://192.168.0.1/",
        "http://0.0.0.0/",
        "gopher://127.0.0.1:6379/_x",
        "file:///etc/passwd",
        "ftp://evil.example/",
        "https://evil.example/t9",
        "https://auth.example.com@evil.example/t1",
        "https://evil.example#https://auth.example.com/t1",
        "https://evil.example?https://auth.example.com/t1",
        "https://auth.example.com.evil.example/t1",
        "unix:/run/docker.sock",
        "ldap://evil.example/",
    ];
    for issuer in issuers {
        batch.token(
            format!("iss {issuer}"),
            site.stranger.token(RESOURCE).claim("iss", issuer).sign(),
        );
        batch.token(
            format!("signed by ours, iss {issuer}"),
            site.token().claim("iss", issuer).sign(),
        );
    }
    batch.0
}
