//! What a token's payload says: types, duplicates, times, kinds of token, organizations.

use serde_json::{Value, json};

use super::request::{Batch, Crafted, Hostile, parts};
use super::site::{ISSUER, KID, RESOURCE, SECOND, Site};

/// Refused as a bad token or as one of nobody here.
const OUTSIDE: &[u16] = &[401, 403];

fn payload(site: &Site) -> Value {
    serde_json::from_slice(&parts(&site.token().sign())[1]).unwrap()
}

pub fn t08(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let shapes = [
        "null", "true", "false", "0", "-1", "1.5", "1e400", "1e18", "\"\"", "\" \"", "\"x\\u0000\"", "[]", "[null]", "[7]", "[[]]", "{}",
        "{\"a\":1}", "[\"\"]", "\"\\ud800\"",
    ];
    let claims = [
        "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "scope", "cnf", "act", "org_id", "auth_time", "acr", "amr",
    ];
    let past = ["nbf", "iat", "auth_time"];
    for claim in claims {
        for shape in shapes {
            let legal = match claim {
                _ if past.contains(&claim) => ["0", "1.5"].contains(&shape),
                "amr" => ["[]"].contains(&shape),
                // An issuer's own words: any text.
                "jti" | "acr" | "client_id" | "sub" => shape == "\" \"",
                _ => false,
            };
            if legal {
                continue;
            }
            let mut said = payload(site);
            said[claim] = "@".into();
            let text = said.to_string().replace(&format!("\"{claim}\":\"@\""), &format!("\"{claim}\":{shape}"));
            let token = site.token().raw_claims(text).sign();
            batch.request(format!("{claim} {shape}"), Crafted::bearer(token), OUTSIDE);
        }
    }
    for claim in ["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "org_id"] {
        batch.request(format!("no {claim}"), Crafted::bearer(site.token().without(claim).sign()), OUTSIDE);
    }
    for text in ["", "null", "[]", "7", "\"x\"", "{", "{}", "{}{}", " ", "\u{feff}{}", "{\"a\":}", "true", "[{}]", "{}x"] {
        batch.token(format!("payload {text}"), site.token().raw_claims(text).sign());
    }
    for text in ["", "null", "[]", "7", "{", "{}", "{}{}", "\u{feff}{}", "\"ES256\""] {
        batch.token(format!("header {text}"), site.token().raw_header(text).sign());
    }
    batch.0
}

pub fn t11(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let types = [
        "JWT", "jwt", "", " at+jwt", "at+jwt ", "at+jwt\0", "at+jwt;v=1", "application/jwt", "id_token", "id+jwt", "logout+jwt",
        "application/logout+jwt", "secevent+jwt", "dpop+jwt", "rt+jwt", "refresh+jwt", "oauth-authz-req+jwt", "token-introspection+jwt",
        "oauth-id-jag+jwt", "authorization-grant+jwt", "client-authentication+jwt", "JOSE", "JOSE+JSON", "JWE", "kb+jwt", "dc+sd-jwt",
        "vc+jwt", "at+jwt,JWT", "application/at+jwt+x", "text/at+jwt", "at jwt", "at%2Bjwt", "wimse-id+jwt", "entity-statement+jwt",
    ];
    for typ in types {
        batch.token(format!("typ {typ:?}"), site.token().header("typ", typ).sign());
    }
    for typ in [json!(null), json!(7), json!(["at+jwt"]), json!({"typ": "at+jwt"}), json!(true)] {
        batch.token(format!("typ {typ}"), site.token().header("typ", typ).sign());
    }
    batch.token("no typ", site.token().without_header("typ").sign());
    let logout = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    for (claim, value) in [
        ("nonce", json!("n")), ("nonce", json!(null)), ("at_hash", json!("x")), ("c_hash", json!("x")), ("events", logout), ("events", json!({})),
        ("token_use", json!("id")), ("token_use", json!("refresh")), ("token_use", json!(7)), ("typ", json!("ID")), ("typ", json!("Refresh")),
        ("typ", json!("Offline")), ("typ", json!("Logout")), ("https://id.atlassian.com/atl_token_type", json!("AUTH_CODE")),
        ("https://id.atlassian.com/atl_token_type", json!("ROTATING_REFRESH")),
    ] {
        batch.token(format!("{claim} {value}"), site.token().claim(claim, value.clone()).sign());
        let named = site.token().header("typ", "application/at+jwt").claim(claim, value.clone());
        batch.token(format!("{claim} {value} in full"), named.sign());
    }
    batch.0
}

pub fn t14(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let said = payload(site).to_string();
    let inside = &said[1..said.len() - 1];
    let escaped = |name: &str| format!("\\u{:04x}{}", name.as_bytes()[0], &name[1..]);
    let names = ["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "org_id"];
    for name in names {
        let own = payload(site)[name].to_string();
        for value in [own.as_str(), "\"x\"", "null", "0", "[]", "\"admin:all\""] {
            for again in [name.to_owned(), escaped(name)] {
                let member = format!("\"{again}\":{value}");
                batch.token(format!("{member} behind"), site.token().raw_claims(format!("{{{inside},{member}}}")).sign());
                batch.token(format!("{member} before"), site.token().raw_claims(format!("{{{member},{inside}}}")).sign());
            }
        }
    }
    for deep in [r#""a":{"b":1,"b":1}"#, r#""a":[{"b":1,"\u0062":2}]"#, r#""x":1,"x":1"#, r#""act":{"sub":"a","sub":"b"}"#,
        r#""a":{"b":{"c":{"d":1,"d":2}}}"#, r#""":1,"":2"#, r#""cnf":{"jkt":"a","jkt":"b"}"#] {
        batch.token(deep, site.token().raw_claims(format!("{{{inside},{deep}}}")).sign());
    }
    let header = format!(r#""typ":"at+jwt","alg":"ES256","kid":"{KID}""#);
    for twice in [r#""alg":"ES256""#, r#""alg":"none""#, r#""\u0061lg":"ES256""#, r#""kid":"shared-kid""#, r#""kid":"x""#, r#""\u006bid":"x""#,
        r#""typ":"at+jwt""#, r#""t\u0079p":"JWT""#, r#""x":1,"x":2"#] {
        batch.token(format!("{twice} behind"), site.token().raw_header(format!("{{{header},{twice}}}")).sign());
        batch.token(format!("{twice} before"), site.token().raw_header(format!("{{{twice},{header}}}")).sign());
    }
    batch.0
}

pub fn t18(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let day = 24 * 3600;
    // A leeway of 30 s is still accepted on either side, and nothing beyond.
    for late in [31, 32, 60, 300, 3600, day, 365 * day, 1_700_000_000] {
        batch.token(format!("expired {late} s ago"), site.token().issued_in(-late - 300).expires_in(-late).sign());
        let now = 1_800_000_000 + late;
        batch.token(format!("not before {late} s from now"), site.token().claim("nbf", now + 60).sign());
        batch.token(format!("issued {late} s from now"), site.token().issued_in(late + 60).expires_in(late + 600).sign());
    }
    for beyond in [61, 600, day, 365 * day] {
        batch.token(format!("a day and {beyond} s"), site.token().expires_in(day + beyond).sign());
    }
    for exp in ["1e18", "9223372036854775807", "253402300800", "99999999999999999999", "1e309", "253402300799", "4102444800", "4102444800.9",
        "\"1800000300\"", "-1", "-0.5", "0", "1e3", "0x7fffffff", "1800000300s", "NaN", "Infinity", "[1800000300]", "18e8", "1799999969.9"] {
        let mut said = payload(site);
        said["exp"] = "@".into();
        let text = said.to_string().replace("\"exp\":\"@\"", &format!("\"exp\":{exp}"));
        batch.token(format!("exp {exp}"), site.token().raw_claims(text).sign());
    }
    for iat in ["1e18", "4000000000", "9223372036854775807", "\"1800000000\"", "-1", "1e309"] {
        let mut said = payload(site);
        said["iat"] = "@".into();
        let text = said.to_string().replace("\"iat\":\"@\"", &format!("\"iat\":{iat}"));
        batch.token(format!("iat {iat}"), site.token().raw_claims(text).sign());
    }
    batch.0
}

pub fn t19(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let issuers = [(&site.issuer, ISSUER), (&site.second, SECOND), (&site.stranger, "https://evil.example/t9")];
    for (signer, own) in issuers {
        for claimed in [ISSUER, SECOND, "https://auth.example.com/t3", "https://evil.example/t9"] {
            if claimed == own && own != "https://evil.example/t9" {
                continue;
            }
            for kid in [KID, "good", "other"] {
                let token = signer.token(RESOURCE).claim("iss", claimed).scope("read:issues").header("kid", kid).sign();
                batch.token(format!("{own} signs for {claimed} as {kid}"), token);
            }
            let without = signer.token(RESOURCE).claim("iss", claimed).without_header("kid").sign();
            batch.token(format!("{own} signs for {claimed} without kid"), without);
        }
    }
    for org in ["default", "", " ", " acme", "acme ", "acme\0", "ac\u{200b}me", "acme\n", "../acme", "acme/../globex", "\u{202e}emca"] {
        let token = site.token().claim("org_id", org).sign();
        batch.request(format!("organization {org:?}"), Crafted::bearer(token), OUTSIDE);
    }
    // An organization that allows another issuer only.
    for subject in ["alice", "ada", "root", "admin"] {
        let token = site.token().subject(subject).claim("org_id", "hooli").sign();
        batch.request(format!("{subject} of hooli by the wrong issuer"), Crafted::bearer(token), &[403]);
    }
    batch.0
}
