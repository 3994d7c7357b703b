//! Good tokens, and what a fuzzer does to their members.

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

/// A good token of one of the issuers with a few members set, repeated or left out.
#[must_use]
pub fn changed(input: &mut Input<'_>) -> String {
    let issuer = *input.pick(&ISSUERS);
    let ecdsa = input.yes();
    let (alg, kid) = if ecdsa { ("ES256", "es") } else { ("EdDSA", "ed") };
    let own = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        let pairs = pairs.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        pairs.collect()
    };
    let mut header = own(&[("alg", &format!("\"{alg}\"")), ("kid", &format!("\"{kid}\"")), ("typ", "\"at+jwt\"")]);
    let mut claims = own(&[
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
    while !input.is_empty() {
        let place = if input.below(4) == 0 { &mut header } else { &mut claims };
        let name = *input.pick(MEMBERS);
        let known = place.iter().position(|(known, _)| known == name);
        let value = match input.below(8) {
            0 => (NOW + i64::from(input.byte().cast_signed())).to_string(),
            1 => (NOW + 86_400 + i64::from(input.byte().cast_signed())).to_string(),
            2 => format!("{:?}", input.text()),
            3 => input.text(),
            _ => (*input.pick(VALUES)).to_owned(),
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
