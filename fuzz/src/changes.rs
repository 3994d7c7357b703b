//! Good tokens, and what a fuzzer does to their members.

use crate::answer::PLAIN;
use crate::input::Input;
use crate::world::{ISSUERS, KEYS, NOW, RESOURCE};

const MEMBERS: &[&str] = &[
    "alg",
    "kid",
    "typ",
    "crit",
    "b64",
    "jwk",
    "jku",
    "x5u",
    "x5c",
    "zip",
    "enc",
    "cty",
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "scope",
    "scp",
    "client_id",
    "cid",
    "azp",
    "act",
    "amr",
    "acr",
    "auth_time",
    "cnf",
    "roles",
    "groups",
    "entitlements",
    "org_id",
    "site",
    "realm_access",
    "cognito:groups",
    "nonce",
    "at_hash",
    "c_hash",
    "events",
    "token_use",
    "https://id.atlassian.com/atl_token_type",
    "\\u0061ud",
    "\\u0065xp",
    "x",
];

const VALUES: &[&str] = &[
    "null",
    "true",
    "0",
    "-0",
    "-1",
    "1e18",
    "1.7e9",
    "1700000030.9",
    "1700086431",
    "253402300799",
    "1e400",
    "\"\"",
    "\"x\"",
    "\"a b\"",
    "\"a\\u0000b\"",
    "\"\\ud800\"",
    "[]",
    "{}",
    "[1]",
    "[\"a\",\"b\"]",
    "\"https://mcp.example.com/mcp\"",
    "[\"https://mcp.example.com/mcp\"]",
    "[\"https://mcp.example.com/mcp\",5]",
    "\"https://mcp.example.com/mcp/\"",
    "\"other-name\"",
    "\"none\"",
    "\"HS256\"",
    "\"ES256\"",
    "\"EdDSA\"",
    "\"RS256\"",
    "\"at+jwt\"",
    "\"JWT\"",
    "\"application/at+jwt\"",
    "\"logout+jwt\"",
    "\"ed\"",
    "\"es\"",
    "\"access\"",
    "\"id\"",
    "\"Refresh\"",
    "\"app-1\"",
    "\"app-3\"",
    "\"default\"",
    "\"spiffe://x/y\"",
    "{\"sub\":\"a\"}",
    "{\"id\":\"s\"}",
    "{\"sub\":\"a\",\"act\":{\"client_id\":\"b\",\"act\":{\"sub\":\"c\",\"act\":{\"sub\":\"d\"}}}}",
    "{\"roles\":[\"r\",1]}",
    "{\"jkt\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
    "{\"x5t#S256\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
    "{\"a\":1,\"\\u0061\":2}",
    "[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]",
];

const ANSWER_MEMBERS: &[&str] = &[
    "alg",
    "kid",
    "typ",
    "crit",
    "b64",
    "jwk",
    "iss",
    "aud",
    "iat",
    "exp",
    "token_introspection",
    "\\u0069ss",
    "active",
    "sub",
];

const ANSWER_VALUES: &[&str] = &[
    "null",
    "true",
    "-1",
    "1.7e9",
    "1e400",
    "\"\"",
    "[]",
    "{}",
    "\"us\"",
    "[\"https://mcp.example.com/mcp\",5]",
    "\"https://MCP.example.com/mcp\"",
    "[\"other-name\"]",
    "\"https://okta.example.com\"",
    "\"JWT\"",
    "\"application/token-introspection+jwt\"",
    "\"at+jwt\"",
    "\"ES256\"",
    "\"EdDSA\"",
    "\"none\"",
    "\"es\"",
    "\"ed\"",
    "\"who\"",
    "{\"active\":true}",
    "{\"active\":\"true\"}",
    "{\"active\":true,\"sub\":\"b\",\"client_id\":\"c\",\"org_id\":\"acme\",\"aud\":\"other-name\"}",
    "{\"active\":true,\"active\":true}",
];

/// A text of three parts, as the first byte says: any text, any header and payload signed, or changes to a good one.
#[must_use]
pub fn compact(input: &mut Input<'_>, changed: fn(&mut Input<'_>) -> String) -> String {
    match input.byte() % 4 {
        0 => String::from_utf8_lossy(input.0).into_owned(),
        1 => {
            let (header, payload) = (input.chunk(), input.0);
            KEYS.sign(header, payload, header.windows(5).any(|part| part == b"ES256"))
        }
        _ => changed(input),
    }
}

/// A good token of one of the issuers with a few members set, repeated or left out.
#[must_use]
pub fn changed(input: &mut Input<'_>) -> String {
    let issuer = *input.pick(&ISSUERS);
    let ecdsa = input.yes();
    let (alg, kid) = if ecdsa { ("ES256", "es") } else { ("EdDSA", "ed") };
    let header = own(&[("alg", &format!("\"{alg}\"")), ("kid", &format!("\"{kid}\"")), ("typ", "\"at+jwt\"")]);
    let claims = own(&[
        ("iss", &format!("\"{issuer}\"")),
        ("sub", "\"user-1\""),
        ("aud", &format!("\"{RESOURCE}\"")),
        ("exp", &(NOW + 300).to_string()),
        ("iat", &(NOW - 5).to_string()),
        ("jti", "\"id-1\""),
        ("client_id", "\"app-1\""),
        ("scope", "\"read write\""),
        ("org_id", "\"acme\""),
        ("token_use", "\"access\""),
    ]);
    signed_with_changes((header, claims), (MEMBERS, VALUES), ecdsa, input)
}

/// A good answer about a token, signed by the issuer that is asked, likewise.
#[must_use]
pub fn changed_answer(input: &mut Input<'_>) -> String {
    let ecdsa = input.yes();
    let (alg, kid) = if ecdsa { ("ES256", "es") } else { ("EdDSA", "ed") };
    let typ = "\"token-introspection+jwt\"";
    let header = own(&[("alg", &format!("\"{alg}\"")), ("kid", &format!("\"{kid}\"")), ("typ", typ)]);
    let claims = own(&[
        ("iss", &format!("\"{}\"", ISSUERS[0])),
        ("aud", &format!("\"{RESOURCE}\"")),
        ("iat", &(NOW - 5).to_string()),
        ("token_introspection", PLAIN),
    ]);
    signed_with_changes((header, claims), (ANSWER_MEMBERS, ANSWER_VALUES), ecdsa, input)
}

type Members = Vec<(String, String)>;

fn own(pairs: &[(&str, &str)]) -> Members {
    let pairs = pairs.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    pairs.collect()
}

fn signed_with_changes(
    (mut header, mut claims): (Members, Members),
    (names, values): (&[&str], &[&str]),
    ecdsa: bool,
    input: &mut Input<'_>,
) -> String {
    while !input.is_empty() {
        let place = if input.below(4) == 0 { &mut header } else { &mut claims };
        let name = *input.pick(names);
        let known = place.iter().position(|(known, _)| known == name);
        let value = match input.below(8) {
            0 => (NOW + i64::from(input.byte().cast_signed())).to_string(),
            1 => (NOW + 86_400 + i64::from(input.byte().cast_signed())).to_string(),
            2 => format!("{:?}", input.text()),
            3 => input.text(),
            _ => (*input.pick(values)).to_owned(),
        };
        match (input.below(8), known) {
            (0, Some(index)) => drop(place.remove(index)),
            (1, _) | (_, None) => place.push((name.to_owned(), value)),
            (_, Some(index)) => place[index].1 = value,
        }
    }
    let json = |members: &[(String, String)]| {
        let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    };
    KEYS.sign(json(&header).as_bytes(), json(&claims).as_bytes(), ecdsa)
}
