//! What a header may say, and whose key it may name (RFC 7515 §4, RFC 8725 §3).

use serde_json::json;
use tower_mcp_auth::SigningAlgorithm::{EdDsa, Rs256};

use super::forge::{Forge, Mutation, base64url, good, may, must};

pub fn all() -> Vec<Mutation> {
    [algorithms(), critical(), keys(), kids(), types(), texts()].concat()
}

fn unsigned(forge: &Forge) -> String {
    format!("{}.", forge.message())
}

fn algorithms() -> Vec<Mutation> {
    vec![
        good("good/as it should be", |f| f.sign()),
        must("alg/none", |f| {
            f.header.set("alg", "\"none\"");
            unsigned(f)
        }),
        must("alg/none in other letters", |f| {
            let alg = *f.dice.pick(&["None", "NONE", "nOnE", " none", "none ", ""]);
            f.header.set("alg", format!("\"{alg}\""));
            unsigned(f)
        }),
        must("alg/none over a true signature", |f| {
            f.member("alg", "\"none\"")
        }),
        must("alg/absent", |f| {
            f.header.remove("alg");
            f.sign()
        }),
        must("alg/no string", |f| {
            f.member_of("alg", &["null", "256", "[\"ES256\"]", "true", "{}"])
        }),
        must("alg/other letters", |f| {
            let alg = f.key().algorithm.name().to_lowercase();
            f.member("alg", format!("\"{alg}\""))
        }),
        must("alg/padded", |f| {
            let alg = f.key().algorithm.name();
            f.member("alg", format!("\"{alg} \""))
        }),
        must("alg/unknown", |f| {
            f.member_of("alg", &["\"ES256K\"", "\"RS1\"", "\"XS256\"", "\"ES257\""])
        }),
        must("alg/that of another key", |f| {
            let alg = f.other_key().algorithm.name();
            f.member("alg", format!("\"{alg}\""))
        }),
        must("alg/hmac with the key as PEM", |f| {
            let secret = f.key().pem.clone();
            f.sign_by_hmac(secret.as_bytes())
        }),
        must("alg/hmac with the key as PEM, cut", |f| {
            let secret = f.key().pem.trim_end().to_owned();
            f.sign_by_hmac(secret.as_bytes())
        }),
        must("alg/hmac with the key as DER", |f| {
            let secret = f.key().der.clone();
            f.sign_by_hmac(&secret)
        }),
        must("alg/hmac with the key as JWK", |f| {
            let secret = f.key().jwk.to_string();
            f.sign_by_hmac(secret.as_bytes())
        }),
        must("alg/hmac with its kid", |f| {
            let secret = f.key().kid.clone();
            f.sign_by_hmac(secret.as_bytes())
        }),
        must("alg/hmac with nothing", |f| f.sign_by_hmac(b"")),
        must("alg/a key's other algorithm", |f| {
            f.turn_to(Rs256);
            let alg = *f.dice.pick(&["PS256", "RS512"]);
            f.header.set("alg", format!("\"{alg}\""));
            let message = f.message();
            let signature = f.key().sign_as_other(alg, message.as_bytes());
            format!("{message}.{}", base64url(signature))
        }),
        may("alg/Ed25519 by its newer name", |f| {
            f.turn_to(EdDsa);
            f.member("alg", "\"Ed25519\"")
        }),
    ]
}

fn critical() -> Vec<Mutation> {
    vec![
        must("crit/unknown", |f| {
            f.header.set("x", "1");
            f.member_of("crit", &["[\"x\"]", "[\"x\",\"b64\"]"])
        }),
        must("crit/names what is absent", |f| f.member("crit", "[\"x\"]")),
        must("crit/names a claim", |f| f.member("crit", "[\"exp\"]")),
        must("crit/empty", |f| f.member("crit", "[]")),
        must("crit/no list", |f| {
            f.member_of("crit", &["\"exp\"", "1", "null", "{}", "true"])
        }),
        must("crit/b64 off", |f| {
            f.header.set("crit", "[\"b64\"]");
            f.member("b64", "false")
        }),
        must("crit/b64 off and the payload bare", |f| {
            f.header.set("crit", "[\"b64\"]");
            f.header.set("b64", "false");
            let message = format!("{}.{}", base64url(f.header.text()), f.claims.text());
            f.sign_message(&message)
        }),
        may("crit/b64 off without crit", |f| f.member("b64", "false")),
        may("crit/b64 on", |f| f.member("b64", "true")),
        may("crit/zip", |f| f.member("zip", "\"DEF\"")),
        may("crit/enc", |f| f.member("enc", "\"A256GCM\"")),
    ]
}

fn keys() -> Vec<Mutation> {
    vec![
        must("key/embedded jwk", |f| {
            let jwk = f.attacker().jwk.to_string();
            f.header.set("jwk", jwk);
            f.sign_by_attacker()
        }),
        must("key/embedded jwk and no kid", |f| {
            let jwk = f.attacker().jwk.to_string();
            f.header.set("jwk", jwk);
            f.header.remove("kid");
            f.sign_by_attacker()
        }),
        must("key/jku", |f| {
            f.header.set("jku", "\"https://evil.example/jwks\"");
            f.sign_by_attacker()
        }),
        must("key/x5u", |f| {
            f.header.set("x5u", "\"https://evil.example/x.pem\"");
            f.sign_by_attacker()
        }),
        must("key/x5c", |f| {
            let der = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, &f.attacker().der);
            f.header.set("x5c", json!([der]).to_string());
            f.sign_by_attacker()
        }),
        must("key/another issuer's under the same kid", |f| {
            f.sign_by_attacker()
        }),
        may("key/its own jwk over a true signature", |f| {
            let jwk = f.key().jwk.to_string();
            f.member("jwk", jwk)
        }),
        may("key/jku over a true signature", |f| {
            f.member("jku", "\"https://auth.example.com/jwks\"")
        }),
        may("key/x5t over a true signature", |f| {
            f.member("x5t", "\"AAAA\"")
        }),
    ]
}

fn kids() -> Vec<Mutation> {
    vec![
        may("kid/absent", |f| {
            f.header.remove("kid");
            f.sign()
        }),
        must("kid/unknown", |f| {
            f.member_of(
                "kid",
                &[
                    "\"nobody\"",
                    "\"\"",
                    "\"../../../dev/null\"",
                    "\"' OR 1=1 --\"",
                    "\"0\"",
                    "\"/etc/passwd\"",
                    "\"|id\"",
                    "\"__proto__\"",
                    "\"constructor\"",
                    "\"https://evil.example/k\"",
                    "\"a\\u0000b\"",
                    "\"é\"",
                ],
            )
        }),
        must("kid/no string", |f| {
            f.member_of("kid", &["1", "true", "[]", "{}", "[\"a\"]", "0.5"])
        }),
        must("kid/that of another key", |f| {
            let kid = f.other_key().kid.clone();
            f.member("kid", format!("\"{kid}\""))
        }),
        must("kid/nearly right", |f| {
            let kid = f.key().kid.clone();
            let nearly = match f.dice.below(4) {
                0 => format!("{kid} "),
                1 => format!(" {kid}"),
                2 => kid[..kid.len() - 1].to_owned(),
                _ => format!("{kid}\\u0000"),
            };
            f.member("kid", format!("\"{nearly}\""))
        }),
        must("kid/very long", |f| {
            f.member("kid", format!("\"{}\"", "k".repeat(2000)))
        }),
        may("kid/escaped", |f| {
            let first = f.key().kid.bytes().next().unwrap();
            let rest = f.key().kid[1..].to_owned();
            f.member("kid", format!("\"\\u00{first:02x}{rest}\""))
        }),
    ]
}

fn types() -> Vec<Mutation> {
    vec![
        must("typ/another kind", |f| {
            f.member_of(
                "typ",
                &[
                    "\"JWT\"",
                    "\"dpop+jwt\"",
                    "\"logout+jwt\"",
                    "\"secevent+jwt\"",
                    "\"JOSE\"",
                    "\"oauth-id-jag+jwt\"",
                    "\"token-introspection+jwt\"",
                    "\"\"",
                    "\"at\"",
                ],
            )
        }),
        must("typ/absent", |f| {
            f.header.remove("typ");
            f.sign()
        }),
        must("typ/no string", |f| {
            f.member_of("typ", &["1", "null", "[\"at+jwt\"]", "{}", "true"])
        }),
        must("typ/nearly right", |f| {
            f.member_of(
                "typ",
                &[
                    "\" at+jwt\"",
                    "\"at+jwt \"",
                    "\"at+jwt;v=1\"",
                    "\"text/at+jwt\"",
                    "\"at jwt\"",
                ],
            )
        }),
        may("typ/a media type in full", |f| {
            f.member_of(
                "typ",
                &[
                    "\"application/at+jwt\"",
                    "\"AT+JWT\"",
                    "\"Application/At+Jwt\"",
                ],
            )
        }),
    ]
}

fn texts() -> Vec<Mutation> {
    vec![
        must("header/no object", |f| {
            let header = *f
                .dice
                .pick(&["[]", "\"x\"", "1", "null", "", " ", "{", "{}x", "x"]);
            f.sign_header(header)
        }),
        must("header/empty object", |f| f.sign_header("{}")),
        must("header/not UTF-8", |f| {
            let mut text = f.header.text().into_bytes();
            text.splice(1..1, *b"\"x\":\"\xff\xfe\",");
            f.sign_header(text)
        }),
        must("header/not quite JSON", |f| {
            let text = f.header.text();
            let text = match f.dice.below(4) {
                0 => text.replace('"', "'"),
                1 => text.replace('}', ",}"),
                2 => format!("{text}//x"),
                _ => text.replace("\"typ\"", "typ"),
            };
            f.sign_header(text)
        }),
        must("header/alg twice, none last", |f| {
            f.header.add("alg", "\"none\"");
            unsigned(f)
        }),
        may("header/alg twice, none first", |f| {
            let text = f.header.text();
            let text = format!("{{\"alg\":\"none\",{}", &text[1..]);
            f.sign_header(text)
        }),
        may("header/kid twice", |f| {
            let kid = f.key().kid.clone();
            f.header.add("kid", format!("\"{kid}\""));
            f.sign()
        }),
        may("header/byte order mark", |f| {
            let text = format!("\u{feff}{}", f.header.text());
            f.sign_header(text)
        }),
        may("header/white space", |f| {
            let text = f.header.text().replace(',', " ,\n\t").replace(':', " :\r ");
            f.sign_header(format!(" {text}\n"))
        }),
        may("header/members nobody knows", |f| {
            f.header.set("__proto__", "{\"alg\":\"none\"}");
            f.member("x", "{\"alg\":\"none\",\"b\":[1,2,3]}")
        }),
        may("header/deep", |f| {
            let depth = 9 + f.dice.below(60);
            f.member("x", format!("{}{}", "[".repeat(depth), "]".repeat(depth)))
        }),
        may("header/cty", |f| f.member("cty", "\"JWT\"")),
    ]
}
