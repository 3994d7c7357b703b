//! Claims other than times, and the text they stand in (RFC 7519 §4, RFC 9068 §2.2, RFC 8259).

use super::R_SPELLED;
use super::forge::{Mutation, good, may, must};
use crate::support::{I, NOW, R};

pub fn all() -> Vec<Mutation> {
    [issuer(), audience(), others(), doubled(), texts()].concat()
}

const NO_STRING: [&str; 8] = [
    "null",
    "1",
    "true",
    "[]",
    "{}",
    "0.5",
    "[null]",
    "{\"a\":1}",
];

fn issuer() -> Vec<Mutation> {
    vec![
        must("iss/absent", |f| {
            f.claims.remove("iss");
            f.sign()
        }),
        must("iss/no string", |f| f.claim_of("iss", &NO_STRING)),
        must("iss/in a list", |f| f.claim("iss", format!("[\"{I}\"]"))),
        must("iss/nearly right", |f| {
            let near = match f.dice.below(9) {
                0 => format!("{I}/"),
                1 => I.to_uppercase(),
                2 => I.replace("auth.", "Auth."),
                3 => I.replace("https", "http"),
                4 => format!("{I} "),
                5 => format!(" {I}"),
                6 => I[..I.len() - 1].to_owned(),
                7 => format!("{I}\\u0000"),
                _ => I.replace(".com", ".com:443"),
            };
            f.claim("iss", format!("\"{near}\""))
        }),
        must("iss/somebody else", |f| {
            f.claim_of(
                "iss",
                &[
                    "\"https://evil.example\"",
                    "\"\"",
                    "\"https://auth.example.com\"",
                    "\"https://auth.example.com.evil.example/t1\"",
                    "\"null\"",
                ],
            )
        }),
    ]
}

fn audience() -> Vec<Mutation> {
    vec![
        good("good/aud in a list", |f| {
            f.claim("aud", format!("[\"{R}\"]"))
        }),
        good("good/aud among others", |f| {
            f.claim("aud", format!("[\"https://other.example\",\"{R}\"]"))
        }),
        must("aud/absent", |f| {
            f.claims.remove("aud");
            f.sign()
        }),
        must("aud/empty", |f| {
            f.claim_of("aud", &["[]", "\"\"", "[\"\"]"])
        }),
        must("aud/no string", |f| {
            f.claim_of(
                "aud",
                &["null", "1", "true", "{}", "0.5", "[null]", "[1]", "[{}]"],
            )
        }),
        must("aud/nearly right", |f| {
            let near = match f.dice.below(9) {
                0 => format!("{R}/"),
                1 => format!("{R}?a=1"),
                2 => R[..R.len() - 1].to_owned(),
                3 => format!("{R}x"),
                4 => R.replace("/mcp", "/MCP"),
                5 => R.replace("/mcp", ""),
                6 => R.replace("https", "http"),
                7 => format!("{R} https://other.example"),
                _ => format!("{R}\\u0000"),
            };
            let near = format!("\"{near}\"");
            let listed = f.dice.below(2) == 0;
            f.claim("aud", if listed { format!("[{near}]") } else { near })
        }),
        must("aud/somebody else", |f| {
            f.claim_of(
                "aud",
                &[
                    "\"https://other.example\"",
                    "\"*\"",
                    "\"test-client\"",
                    "[\"https://a.example\",\"https://b.example\"]",
                ],
            )
        }),
        must("aud/in an object", |f| {
            let place = *f
                .dice
                .pick(&["0", "aud", "https://mcp.example.com/mcp", "length"]);
            f.claim("aud", format!("{{\"{place}\":\"{R}\"}}"))
        }),
        must("aud/in a list in a list", |f| {
            f.claim("aud", format!("[[\"{R}\"]]"))
        }),
        may("aud/beside what is no string", |f| {
            let other = *f.dice.pick(&["1", "null", "{}", "[]", "true"]);
            f.claim("aud", format!("[\"{R}\",{other}]"))
        }),
        may("aud/scheme and host in other letters", |f| {
            f.claim("aud", format!("\"{R_SPELLED}\""))
        }),
        may("aud/escaped", |f| {
            f.claim(
                "aud",
                format!("\"{}\"", R.replace('/', "\\/").replace('m', "\\u006d")),
            )
        }),
    ]
}

fn others() -> Vec<Mutation> {
    vec![
        must("sub/absent", |f| {
            f.claims.remove("sub");
            f.sign()
        }),
        must("sub/no string", |f| f.claim_of("sub", &NO_STRING)),
        may("sub/empty", |f| f.claim("sub", "\"\"")),
        may("sub/control characters", |f| {
            f.claim_of("sub", &["\"a\\u0000b\"", "\"a\\nb\"", "\"\\u007f\""])
        }),
        may("sub/half a surrogate pair", |f| {
            f.claim_of(
                "sub",
                &["\"\\ud800\"", "\"\\udc00x\"", "\"\\ud800\\u0041\""],
            )
        }),
        may("sub/very long", |f| {
            let length = 2049 + f.dice.below(500);
            f.claim("sub", format!("\"{}\"", "s".repeat(length)))
        }),
        must("jti/absent", |f| {
            f.claims.remove("jti");
            f.sign()
        }),
        must("jti/no string", |f| f.claim_of("jti", &NO_STRING)),
        may("jti/empty", |f| f.claim("jti", "\"\"")),
        must("client_id/absent", |f| {
            f.claims.remove("client_id");
            f.sign()
        }),
        must("client_id/no string", |f| {
            f.claim_of("client_id", &NO_STRING)
        }),
        may("scope/no string", |f| f.claim_of("scope", &NO_STRING)),
        may("scope/in a list", |f| {
            f.claim("scope", "[\"read:issues\",\"admin\"]")
        }),
        may("scope/absent", |f| {
            f.claims.remove("scope");
            f.sign()
        }),
        may("kind/an ID token's claims", |f| {
            let name = *f.dice.pick(&["nonce", "at_hash", "c_hash"]);
            f.claim(name, "\"x\"")
        }),
        may("kind/an event's claims", |f| {
            f.claim(
                "events",
                "{\"http://schemas.openid.net/event/backchannel-logout\":{}}",
            )
        }),
        may("kind/another use", |f| {
            f.claim_of("token_use", &["\"id\"", "\"refresh\"", "1"])
        }),
        may("kind/another type in the payload", |f| {
            f.claim_of("typ", &["\"ID\"", "\"Refresh\"", "\"Logout\""])
        }),
        must("cnf/bound to a sender", |f| {
            f.claim_of(
                "cnf",
                &[
                    "{\"jkt\":\"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I\"}",
                    "{\"x5t#S256\":\"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2\"}",
                ],
            )
        }),
        may("cnf/nonsense", |f| {
            f.claim_of("cnf", &["null", "{}", "1", "\"x\""])
        }),
        may("more/members of prototypes", |f| {
            f.claims.set("__proto__", "{\"aud\":\"x\"}");
            f.claim("constructor", "{\"prototype\":{\"admin\":true}}")
        }),
        may("more/deep", |f| {
            let depth = 5 + f.dice.below(60);
            f.claim(
                "x",
                format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth)),
            )
        }),
        may("more/wide", |f| {
            let width = 200 + f.dice.below(150);
            f.claim("x", format!("[{}]", vec!["1"; width].join(",")))
        }),
        may("more/numbers beyond a float", |f| {
            f.claim_of("x", &["1e400", "-1e400", "123456789012345678901234567890"])
        }),
    ]
}

fn doubled() -> Vec<Mutation> {
    vec![
        may("twice/aud, ours last", |f| {
            f.claims.set("aud", "\"https://other.example\"");
            f.claims.add("aud", format!("\"{R}\""));
            f.sign()
        }),
        must("twice/aud, ours first", |f| {
            f.claims.add("aud", "\"https://other.example\"");
            f.sign()
        }),
        must("twice/aud, ours first, the other escaped", |f| {
            f.claims.add("\\u0061ud", "\"https://other.example\"");
            f.sign()
        }),
        may("twice/exp, good one last", |f| {
            f.claims.set("exp", (NOW - 3600).to_string());
            f.claims.add("exp", (NOW + 300).to_string());
            f.sign()
        }),
        must("twice/exp, good one first", |f| {
            f.claims.add("exp", (NOW - 3600).to_string());
            f.sign()
        }),
        must("twice/iss, ours first", |f| {
            f.claims.add("iss", "\"https://evil.example\"");
            f.sign()
        }),
        may("twice/sub", |f| {
            let name = *f.dice.pick(&["sub", "su\\u0062", "\\u0073ub"]);
            f.claims.add(name, "\"admin\"");
            f.sign()
        }),
        may("twice/deep inside", |f| {
            f.claim("x", "{\"y\":[{\"z\":1,\"z\":2}]}")
        }),
    ]
}

/// A byte of nothing, an overlong slash, a surrogate, a plane too high, a letter cut short.
const NO_UTF8: [&[u8]; 5] = [
    b"\xff",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xf5\x80\x80\x80",
    b"\xe2\x82",
];

fn texts() -> Vec<Mutation> {
    vec![
        must("payload/no object", |f| {
            let payload = *f.dice.pick(&[
                "[]", "\"x\"", "1", "null", "true", " ", "{", "x", "{}", "[{}]",
            ]);
            f.sign_payload(payload)
        }),
        must("payload/in a list", |f| {
            f.sign_payload(format!("[{}]", f.claims.text()))
        }),
        must("payload/as a string", |f| {
            f.sign_payload(serde_json::Value::from(f.claims.text()).to_string())
        }),
        must("payload/something after it", |f| {
            let tail = *f.dice.pick(&["x", "{}", "}", ",", "null", "\u{0}"]);
            f.sign_payload(format!("{}{tail}", f.claims.text()))
        }),
        must("payload/not quite JSON", |f| {
            let text = f.claims.text();
            let text = match f.dice.below(5) {
                0 => text.replace('"', "'"),
                1 => text.replace('}', ",}"),
                2 => format!("/*x*/{text}"),
                3 => text.replace("\"iat\":", "\"iat\":+"),
                _ => text.replace("\"sub\"", "sub"),
            };
            f.sign_payload(text)
        }),
        must("payload/not UTF-8", |f| {
            let bad = *f.dice.pick(&NO_UTF8);
            let mut text = f.claims.text().into_bytes();
            let note = [b"\"x\":\"", bad, b"\","].concat();
            text.splice(1..1, note);
            f.sign_payload(text)
        }),
        must("payload/UTF-16", |f| {
            let text: Vec<u8> = f
                .claims
                .text()
                .encode_utf16()
                .flat_map(u16::to_be_bytes)
                .collect();
            f.sign_payload(text)
        }),
        may("payload/byte order mark", |f| {
            f.sign_payload(format!("\u{feff}{}", f.claims.text()))
        }),
        must("payload/a bare control character", |f| {
            let bare = *f.dice.pick(&["\n", "\t", "\u{0}", "\u{1f}"]);
            f.claim("x", format!("\"a{bare}b\""))
        }),
        must("payload/numbers that are none", |f| {
            f.claim_of(
                "x",
                &[
                    "NaN",
                    "Infinity",
                    "-Infinity",
                    "0x10",
                    "01",
                    ".5",
                    "1.",
                    "1_000",
                ],
            )
        }),
        may("payload/white space", |f| {
            let text = f.claims.text().replace(",\"", " ,\n\t\"");
            f.sign_payload(format!("\r\n {text} "))
        }),
        may("payload/escapes", |f| {
            f.claim("sub", "\"\\u0075ser\\/\\ud83d\\ude00\"")
        }),
    ]
}
