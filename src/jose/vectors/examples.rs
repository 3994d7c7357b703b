//! The examples of the RFCs, value for value.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::key_set::KeySet;
use super::{judge, published};
use crate::algorithm::SigningAlgorithm;

/// A token, the key or keys its reader has (public members), and what is to come of it.
#[derive(Deserialize)]
struct Token {
    from: String,
    key: Value,
    jws: String,
    /// `signed`, or the code of the refusal.
    outcome: String,
}

/// A key set, what is left out of it, and how many (key, algorithm) pairs are not.
#[derive(Deserialize)]
struct Published {
    from: String,
    keys: Value,
    usable: usize,
    dropped: Vec<String>,
}

#[test]
fn g01_tokens_of_the_rfcs() {
    let tokens = include_str!("../../../tests/fixtures/vectors/examples.json");
    let tokens: Vec<Token> = serde_json::from_str(tokens).unwrap();
    assert_eq!(tokens.len(), 26);
    let signed = tokens.iter().filter(|token| token.outcome == "signed");
    assert_eq!(signed.count(), 5);
    for Token {
        from,
        key,
        jws,
        outcome,
    } in tokens
    {
        let came = judge(&published(&key), &jws);
        let came = came.map_or_else(|code| code, |()| "signed".to_owned());
        assert_eq!(came, outcome, "{from}");
        if outcome == "signed" {
            // One bit of the header, the payload and the signature each.
            for (at, byte) in jws
                .bytes()
                .enumerate()
                .filter(|(_, byte)| *byte == b'A' || *byte == b'Q')
            {
                let mut other = jws.clone().into_bytes();
                other[at] = byte ^ 0x10;
                let other = String::from_utf8(other).unwrap();
                assert!(judge(&published(&key), &other).is_err(), "{from}, at {at}");
            }
        }
    }
}

#[test]
fn g01_t20_keys_of_the_rfcs() {
    let sets = include_str!("../../../tests/fixtures/vectors/example_keys.json");
    let sets: Vec<Published> = serde_json::from_str(sets).unwrap();
    assert_eq!(sets.len(), 10);
    for set in sets {
        let body = json!({ "keys": set.keys }).to_string();
        let parsed = KeySet::parse(body.as_bytes(), &SigningAlgorithm::ALL);
        match parsed {
            Ok(parsed) => {
                assert_eq!(parsed.keys.len(), set.usable, "{}", set.from);
                let dropped = parsed.dropped.iter().map(|one| one.defect.reason);
                assert_eq!(dropped.collect::<Vec<_>>(), set.dropped, "{}", set.from);
            }
            Err(error) => {
                assert_eq!(set.usable, 0, "{}: {error}", set.from);
                let entries = set.dropped.iter().enumerate();
                let entries = entries.map(|(index, reason)| format!("entry {index}: {reason}"));
                let all = entries.collect::<Vec<_>>().join("; ");
                assert!(error.to_string().contains(&all), "{}: {error}", set.from);
            }
        }
    }
}
