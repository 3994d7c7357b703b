//! What a token's header says: algorithms, critical extensions, keys and their ids.

use serde_json::{Value, json};

use super::request::{Batch, Hostile, compact, parts};
use super::site::{KID, Site};

pub fn t01(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let good = site.token().sign();
    let [_, payload, signature] = parts(&good);
    let cases = (0..16).map(|bits: u8| {
        let letters = "none".chars().enumerate();
        let cased = letters.map(|(at, letter)| match bits >> at & 1 {
            0 => letter,
            _ => letter.to_ascii_uppercase(),
        });
        Value::from(cased.collect::<String>())
    });
    let others = [
        json!(""),
        json!(" none"),
        json!("none "),
        json!("none\0"),
        json!("n\u{43e}ne"),
        json!("null"),
        json!("undefined"),
        json!("es256"),
        json!("Es256"),
        json!(" ES256"),
        json!("ES256 "),
        json!("ES256\0"),
        json!("ES256K"),
        json!("ES512"),
        json!("RSA1_5"),
        json!("RS1"),
        json!("dir"),
        json!("Ed448"),
        json!("HS256/none"),
        json!("ES256,none"),
        json!(null),
        json!(true),
        json!(0),
        json!(["ES256"]),
        json!(["none"]),
        json!({"alg": "ES256"}),
        json!("Ｅ\u{ff33}256"),
    ];
    for alg in cases.chain(others) {
        let header = json!({"typ": "at+jwt", "alg": alg, "kid": KID}).to_string();
        for signed in [&b""[..], b"\0", &[0; 64], &signature] {
            batch.token(
                format!("alg {alg}, {} bytes signed", signed.len()),
                compact(&header, &payload, signed),
            );
        }
    }
    let bare = json!({"typ": "at+jwt", "kid": KID}).to_string();
    batch.token("no alg", compact(bare, &payload, &signature));
    batch.token("unsigned", site.token().unsigned().sign());
    batch.0
}

pub fn t07(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let values = [
        json!(["exp"]),
        json!(["b64"]),
        json!(["alg"]),
        json!(["kid"]),
        json!(["http://example.com/UNDEFINED"]),
        json!([]),
        json!(null),
        json!(false),
        json!(true),
        json!(0),
        json!(""),
        json!("b64"),
        json!({}),
        json!({"b64": true}),
        json!(["b64", "b64"]),
        json!([null]),
        json!([1]),
        json!([[]]),
        json!([""]),
        json!(["crit"]),
        json!(["b64", "exp"]),
    ];
    for value in values {
        batch.token(
            format!("crit {value}"),
            site.token().header("crit", value.clone()).sign(),
        );
        let named = site
            .token()
            .header("crit", value.clone())
            .header("b64", false)
            .header("exp", 1);
        batch.token(format!("crit {value}, b64 false"), named.sign());
    }
    for (name, value) in [
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("zip", json!("DEF")),
        ("zip", json!("")),
        ("zip", json!(null)),
    ] {
        if name == "zip" || value == false {
            batch.token(
                format!("{name} {value}"),
                site.token()
                    .header(name, value)
                    .header("crit", json!([name]))
                    .sign(),
            );
        }
    }
    for twice in [
        r#""crit":[],"crit":["b64"]"#,
        r#""crit":["b64"],"\u0063rit":[]"#,
        r#""cr\u0069t":["x"]"#,
    ] {
        let header = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{KID}",{twice}}}"#);
        batch.token(twice, site.token().raw_header(header).sign());
    }
    batch.0
}
