//! Times, of the right kind and not, at the border and beyond (RFC 7519 §2, §4.1.4-6).

use super::forge::{Mutation, good, may, must};
use crate::support::NOW;

const NO_NUMBER: [&str; 8] = [
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "\"soon\"",
    "[1900000000]",
    "{\"a\":1900000000}",
];

pub fn all() -> Vec<Mutation> {
    [expiry(), start(), issue()].concat()
}

fn expiry() -> Vec<Mutation> {
    vec![
        good("good/exp in a while", |f| {
            let ahead = f.dice.between(1, 86_000);
            f.claim("exp", (NOW + ahead).to_string())
        }),
        must("exp/absent", |f| {
            f.claims.remove("exp");
            f.sign()
        }),
        must("exp/no number", |f| f.claim_of("exp", &NO_NUMBER)),
        must("exp/digits in quotes", |f| {
            f.claim("exp", format!("\"{}\"", NOW + 300))
        }),
        must("exp/past", |f| {
            let behind = f.dice.between(31, 100_000);
            f.claim("exp", (NOW - behind).to_string())
        }),
        must("exp/just beyond the tolerance", |f| {
            f.claim("exp", (NOW - 31).to_string())
        }),
        may("exp/at the end of the tolerance", |f| {
            f.claim("exp", (NOW - 30).to_string())
        }),
        may("exp/within the tolerance", |f| {
            let behind = f.dice.between(0, 29);
            f.claim("exp", (NOW - behind).to_string())
        }),
        must("exp/long ago", |f| {
            f.claim_of(
                "exp",
                &["0", "-1", "-0", "1", "-1800000300", "0.5", "-1e300"],
            )
        }),
        may("exp/with a fraction", |f| {
            f.claim("exp", format!("{}.5", NOW + 300))
        }),
        may("exp/as a power", |f| f.claim("exp", "1.8000003e9")),
        may("exp/far ahead", |f| {
            f.claim_of(
                "exp",
                &[
                    "4102444800",
                    "253402300800",
                    "9007199254740993",
                    "1e18",
                    "9223372036854775808",
                    "99999999999999999999",
                ],
            )
        }),
        may("exp/beyond a float", |f| {
            f.claim_of("exp", &["1e400", "1e309", "12345e9999"])
        }),
        must("exp/far below a float", |f| f.claim("exp", "-1e400")),
        must("exp/no number of JSON", |f| {
            f.claim_of(
                "exp",
                &[
                    "NaN",
                    "-Infinity",
                    "0x7fffffff",
                    "+1800000300",
                    "01800000300",
                ],
            )
        }),
    ]
}

fn start() -> Vec<Mutation> {
    vec![
        good("good/nbf past", |f| {
            let behind = f.dice.between(0, 100_000);
            f.claim("nbf", (NOW - behind).to_string())
        }),
        must("nbf/ahead", |f| {
            let ahead = f.dice.between(31, 100_000);
            f.claim("nbf", (NOW + ahead).to_string())
        }),
        must("nbf/just beyond the tolerance", |f| {
            f.claim("nbf", (NOW + 31).to_string())
        }),
        may("nbf/within the tolerance", |f| {
            let ahead = f.dice.between(1, 30);
            f.claim("nbf", (NOW + ahead).to_string())
        }),
        must("nbf/no number", |f| f.claim_of("nbf", &NO_NUMBER)),
        must("nbf/digits in quotes", |f| {
            f.claim("nbf", format!("\"{}\"", NOW - 300))
        }),
        may("nbf/below zero", |f| {
            f.claim_of("nbf", &["-1", "-1800000000", "-0.5"])
        }),
        must("nbf/far ahead", |f| {
            f.claim_of(
                "nbf",
                &[
                    "4102444800",
                    "9007199254740993",
                    "1e18",
                    "99999999999999999999",
                    "1e400",
                ],
            )
        }),
    ]
}

fn issue() -> Vec<Mutation> {
    vec![
        must("iat/absent", |f| {
            f.claims.remove("iat");
            f.sign()
        }),
        must("iat/no number", |f| f.claim_of("iat", &NO_NUMBER)),
        must("iat/digits in quotes", |f| {
            f.claim("iat", format!("\"{}\"", NOW - 5))
        }),
        may("iat/ahead", |f| {
            let ahead = f.dice.between(31, 100_000);
            f.claim("iat", (NOW + ahead).to_string())
        }),
        may("iat/within the tolerance", |f| {
            let ahead = f.dice.between(1, 30);
            f.claim("iat", (NOW + ahead).to_string())
        }),
        may("iat/with a fraction", |f| {
            f.claim("iat", format!("{}.25", NOW - 5))
        }),
        may("iat/below zero", |f| {
            f.claim_of("iat", &["-1", "-1800000000"])
        }),
        may("iat/long ago", |f| {
            f.claim_of("iat", &["0", "1", "1000000000"])
        }),
        may("auth_time/no number", |f| {
            f.claim_of("auth_time", &NO_NUMBER)
        }),
    ]
}
