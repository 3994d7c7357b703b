//! Encryption, serializations, size and depth.

use serde_json::json;

use super::request::{Batch, Crafted, Hostile, base64url, compact, parts};
use super::site::{KID, Site};

pub fn t15(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let good = site.token().sign();
    let unsigned = site.token().unsigned().sign();
    let bomb = "A".repeat(4000);
    for alg in [
        "RSA-OAEP-256",
        "RSA-OAEP",
        "RSA1_5",
        "dir",
        "A128KW",
        "ECDH-ES",
        "ECDH-ES+A256KW",
        "PBES2-HS256+A128KW",
        "A256GCMKW",
        "none",
    ] {
        for enc in ["A256GCM", "A128CBC-HS256", "none"] {
            let header = json!({"alg": alg, "enc": enc, "cty": "JWT", "typ": "at+jwt", "kid": KID, "p2c": 2_147_483_647}).to_string();
            let header = base64url(header);
            for (what, rest) in [
                (
                    "a good token within",
                    format!("AA.AA.{}.AA", base64url(&good)),
                ),
                (
                    "an unsigned one within",
                    format!("AA.AA.{}.AA", base64url(&unsigned)),
                ),
                ("nothing within", "...".to_owned()),
                ("a lot within", format!("AA.AA.{bomb}.AA")),
                ("three parts", format!("{}.AA", base64url(&good))),
            ] {
                batch.token(format!("{alg} {enc}, {what}"), format!("{header}.{rest}"));
            }
        }
    }
    for (name, value) in [
        ("zip", "DEF"),
        ("zip", "none"),
        ("enc", "A256GCM"),
        ("enc", ""),
    ] {
        batch.token(
            format!("{name} {value}"),
            site.token().header(name, value).sign(),
        );
    }
    for dots in 3..12 {
        batch.token(
            format!("{dots} dots"),
            format!("{good}{}", ".AA".repeat(dots - 2)),
        );
    }
    // A good token within an unsigned one.
    for alg in ["none", "ES256", "HS256"] {
        let header = json!({"alg": alg, "typ": "at+jwt", "cty": "JWT", "kid": KID}).to_string();
        batch.token(format!("nested in {alg}"), compact(&header, &good, b""));
        batch.token(
            format!("nested and quoted in {alg}"),
            compact(&header, json!(good).to_string(), b""),
        );
    }
    batch.token(
        "nested and signed",
        site.token()
            .header("cty", "JWT")
            .raw_claims(good.clone())
            .sign(),
    );
    batch.0
}

pub fn t16(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let good = site.token().sign();
    let split: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = [split[0], split[1], split[2]];
    let flat = json!({"protected": header, "payload": payload, "signature": signature});
    let forged = base64url(r#"{"sub":"root"}"#);
    let texts = [
        flat.to_string(),
        json!({"payload": payload, "signatures": [{"protected": header, "signature": signature}]})
            .to_string(),
        json!({"payload": payload, "signatures": []}).to_string(),
        json!({"header": {"alg": "none"}, "payload": payload, "signature": ""}).to_string(),
        format!(
            r#"{{"  {header}.{forged}.":"","protected":"{header}","payload":"{payload}","signature":"{signature}"}}"#
        ),
        json!([good]).to_string(),
        json!(good).to_string(),
        json!({"access_token": good}).to_string(),
        format!("access_token={good}"),
    ];
    for text in &texts {
        let coded = base64url(text);
        let rests = [
            text.clone(),
            coded.clone(),
            format!("{coded}.{payload}.{signature}"),
            format!("{coded}.."),
            format!("{header}.{coded}.{signature}"),
            format!("{header}.{payload}.{coded}"),
        ];
        for credential in rests {
            batch.token(format!("{credential:.40}"), credential.clone());
            batch.request(
                format!("DPoP {credential:.40}"),
                Crafted::default().with("authorization", format!("DPoP {credential}")),
                &[401],
            );
        }
    }
    batch.0
}

pub fn t17(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    const TOO_MUCH: &[u16] = &[401, 431];
    let said = String::from_utf8(parts(&site.token().sign())[1].clone()).unwrap();
    let inside = &said[1..said.len() - 1];
    for depth in [17, 18, 33, 64, 128, 1000, 2000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":[", "]}]")] {
            let nested = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let claims = format!("{{{inside},\"deep\":{nested}}}");
            batch.request(
                format!("{depth} of {open}"),
                Crafted::bearer(site.token().raw_claims(claims).sign()),
                TOO_MUCH,
            );
            let header =
                format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{KID}","deep":{nested}}}"#);
            batch.request(
                format!("{depth} of {open} in the header"),
                Crafted::bearer(site.token().raw_header(header).sign()),
                TOO_MUCH,
            );
            let unclosed = site.token().raw_claims(open.repeat(depth)).sign();
            batch.request(
                format!("{depth} of {open}, never closed"),
                Crafted::bearer(unclosed),
                TOO_MUCH,
            );
        }
    }
    for count in [300, 500, 1000] {
        let many: Vec<String> = (0..count).map(|at| format!("\"m{at}\":1")).collect();
        let claims = format!("{{{inside},{}}}", many.join(","));
        batch.request(
            format!("{count} members"),
            Crafted::bearer(site.token().raw_claims(claims).sign()),
            TOO_MUCH,
        );
        let list = format!("{{{inside},\"l\":[{}1]}}", "1,".repeat(count));
        batch.request(
            format!("{count} elements"),
            Crafted::bearer(site.token().raw_claims(list).sign()),
            TOO_MUCH,
        );
    }
    for size in [100, 1000, 8000, 8192, 9000, 12_000, 14_000] {
        for byte in [".", "A", "eyJ", "=", "A.", "-", "mcps_", "{"] {
            let text = byte.repeat(size / byte.len());
            batch.request(
                format!("{size} bytes of {byte}"),
                Crafted::bearer(&text),
                TOO_MUCH,
            );
            batch.request(
                format!("{size} bytes of {byte} in Basic"),
                Crafted::default().with("authorization", format!("Basic {text}")),
                TOO_MUCH,
            );
        }
    }
    let long = site.token().claim("pad", "x".repeat(9000)).sign();
    batch.request(
        "a good token that is too long",
        Crafted::bearer(long),
        &[431],
    );
    for digits in [
        "9".repeat(400),
        "1".repeat(4000),
        format!("1e{}", "9".repeat(300)),
    ] {
        let claims = said.replacen("\"iat\":1800000000", &format!("\"iat\":{digits}"), 1);
        batch.request(
            format!("iat {digits:.20}"),
            Crafted::bearer(site.token().raw_claims(claims).sign()),
            TOO_MUCH,
        );
    }
    batch.0
}
