//! What a token's payload says: types, duplicates, times, kinds of token, organizations.

use serde_json::Value;

use super::request::{Batch, Crafted, Hostile, parts};
use super::site::{KID, Site};

/// Refused as a bad token or as one of nobody here.
pub const OUTSIDE: &[u16] = &[401, 403];

pub fn payload(site: &Site) -> Value {
    serde_json::from_slice(&parts(&site.token().sign())[1]).unwrap()
}

pub fn t08(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let shapes = [
        "null",
        "true",
        "false",
        "0",
        "-1",
        "1.5",
        "1e400",
        "1e18",
        "\"\"",
        "\" \"",
        "\"x\\u0000\"",
        "[]",
        "[null]",
        "[7]",
        "[[]]",
        "{}",
        "{\"a\":1}",
        "[\"\"]",
        "\"\\ud800\"",
    ];
    let claims = [
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "client_id",
        "scope",
        "cnf",
        "act",
        "org_id",
        "auth_time",
        "acr",
        "amr",
    ];
    let past = ["nbf", "iat", "auth_time"];
    for claim in claims {
        for shape in shapes {
            let legal = match claim {
                _ if past.contains(&claim) => ["0", "1.5"].contains(&shape),
                "amr" => ["[]", "[\"\"]"].contains(&shape),
                // An issuer's own words: any text.
                "acr" => shape.starts_with('"') && shape != "\"\\ud800\"",
                "jti" | "client_id" | "sub" | "org_id" => shape == "\" \"",
                _ => false,
            };
            if legal {
                continue;
            }
            let mut said = payload(site);
            said[claim] = "@".into();
            let text = said.to_string().replace(
                &format!("\"{claim}\":\"@\""),
                &format!("\"{claim}\":{shape}"),
            );
            let token = site.token().raw_claims(text).sign();
            batch.request(format!("{claim} {shape}"), Crafted::bearer(token), OUTSIDE);
        }
    }
    for claim in [
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "jti",
        "client_id",
        "org_id",
    ] {
        batch.request(
            format!("no {claim}"),
            Crafted::bearer(site.token().without(claim).sign()),
            OUTSIDE,
        );
    }
    for text in [
        "",
        "null",
        "[]",
        "7",
        "\"x\"",
        "{",
        "{}",
        "{}{}",
        " ",
        "\u{feff}{}",
        "{\"a\":}",
        "true",
        "[{}]",
        "{}x",
    ] {
        batch.token(
            format!("payload {text}"),
            site.token().raw_claims(text).sign(),
        );
    }
    for text in [
        "",
        "null",
        "[]",
        "7",
        "{",
        "{}",
        "{}{}",
        "\u{feff}{}",
        "\"ES256\"",
    ] {
        batch.token(
            format!("header {text}"),
            site.token().raw_header(text).sign(),
        );
    }
    batch.0
}

pub fn t14(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let said = payload(site).to_string();
    let inside = &said[1..said.len() - 1];
    let escaped = |name: &str| format!("\\u{:04x}{}", name.as_bytes()[0], &name[1..]);
    let names = [
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "jti",
        "client_id",
        "scope",
        "org_id",
    ];
    for name in names {
        let own = payload(site)[name].to_string();
        for value in [own.as_str(), "\"x\"", "null", "0", "[]", "\"admin:all\""] {
            for again in [name.to_owned(), escaped(name)] {
                let member = format!("\"{again}\":{value}");
                batch.token(
                    format!("{member} behind"),
                    site.token()
                        .raw_claims(format!("{{{inside},{member}}}"))
                        .sign(),
                );
                batch.token(
                    format!("{member} before"),
                    site.token()
                        .raw_claims(format!("{{{member},{inside}}}"))
                        .sign(),
                );
            }
        }
    }
    for deep in [
        r#""a":{"b":1,"b":1}"#,
        r#""a":[{"b":1,"\u0062":2}]"#,
        r#""x":1,"x":1"#,
        r#""act":{"sub":"a","sub":"b"}"#,
        r#""a":{"b":{"c":{"d":1,"d":2}}}"#,
        r#""":1,"":2"#,
        r#""cnf":{"jkt":"a","jkt":"b"}"#,
    ] {
        batch.token(
            deep,
            site.token()
                .raw_claims(format!("{{{inside},{deep}}}"))
                .sign(),
        );
    }
    let header = format!(r#""typ":"at+jwt","alg":"ES256","kid":"{KID}""#);
    for twice in [
        r#""alg":"ES256""#,
        r#""alg":"none""#,
        r#""\u0061lg":"ES256""#,
        r#""kid":"shared-kid""#,
        r#""kid":"x""#,
        r#""\u006bid":"x""#,
        r#""typ":"at+jwt""#,
        r#""t\u0079p":"JWT""#,
        r#""x":1,"x":2"#,
    ] {
        batch.token(
            format!("{twice} behind"),
            site.token()
                .raw_header(format!("{{{header},{twice}}}"))
                .sign(),
        );
        batch.token(
            format!("{twice} before"),
            site.token()
                .raw_header(format!("{{{twice},{header}}}"))
                .sign(),
        );
    }
    batch.0
}
