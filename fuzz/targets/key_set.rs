//! Key sets: what is used, what is dropped, and that a signature needs its key.
//!
//! The input is a document, where `@1` and `@2` stand for the numbers of a real key of each curve.
#![no_main]

use serde_json::Value;
use tower_mcp_auth::SigningAlgorithm;
use tower_mcp_auth::fuzzing::key_set;
use tower_mcp_auth_fuzz::fuzz_target;
use tower_mcp_auth_fuzz::letters::url_safe;
use tower_mcp_auth_fuzz::world::{EC_X, EC_Y, KEYS, encode};

const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// How many bytes the number has, if it is written as it must be.
fn length(entry: &Value, name: &str) -> Option<usize> {
    url_safe(entry[name].as_str()?).map(|bytes| bytes.len())
}

/// Whether an entry must be left out, whatever the numbers are.
fn must_go(entry: &Value) -> bool {
    let Some(members) = entry.as_object() else {
        return true;
    };
    let text = |name: &str| members.get(name).map(|value| value.as_str());
    let bad_kid = match text("kid") {
        None => false,
        Some(Some(kid)) => kid.is_empty() || kid.len() > 256 || !kid.chars().all(|c| (' '..='~').contains(&c)),
        Some(None) => true,
    };
    let bad_use = text("use").is_some_and(|usage| usage != Some("sig"));
    let bad_ops = members
        .get("key_ops")
        .is_some_and(|ops| !ops.as_array().is_some_and(|ops| ops.iter().any(|one| one == "verify")));
    let kind = (text("kty").flatten(), text("crv").flatten());
    let (algorithms, numbers): (&[&str], bool) = match kind {
        (Some("RSA"), _) => (
            &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
            length(entry, "n").is_some_and(|n| n >= 256) && length(entry, "e").is_some_and(|e| e > 0),
        ),
        (Some("EC"), Some("P-256")) => (&["ES256"], ["x", "y"].iter().all(|c| length(entry, c) == Some(32))),
        (Some("EC"), Some("P-384")) => (&["ES384"], ["x", "y"].iter().all(|c| length(entry, c) == Some(48))),
        (Some("OKP"), Some("Ed25519")) => (&["EdDSA"], length(entry, "x") == Some(32)),
        _ => return true,
    };
    let bad_alg = text("alg").is_some_and(|alg| !alg.is_some_and(|alg| algorithms.contains(&alg)));
    let private = PRIVATE.iter().any(|name| members.contains_key(*name));
    private || bad_kid || bad_use || bad_ops || bad_alg || !numbers
}

fuzz_target!(|data: &[u8]| {
    let ed = encode(aws_lc_rs::signature::KeyPair::public_key(&KEYS.ed));
    let text = String::from_utf8_lossy(data);
    let text = text.replace("@1", &format!("\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"{ed}\""));
    let text = text.replace("@2", &format!("\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"{EC_X}\",\"y\":\"{EC_Y}\""));
    let Ok(keys) = key_set(text.as_bytes(), &SigningAlgorithm::ALL) else {
        return;
    };
    let whole: Value = serde_json::from_str(&text).expect("what is used is JSON");
    let entries = whole["keys"].as_array().expect("with an array of keys");
    assert!(entries.len() <= 100 && keys.dropped.len() < entries.len());
    let used = |index: usize| keys.dropped.iter().all(|(dropped, _)| *dropped != index);
    for (index, entry) in entries.iter().enumerate() {
        assert!(!used(index) || !must_go(entry), "{entry} is used");
    }
    // Each entry is one key, but an RSA key may serve six algorithms.
    let kept = entries.len() - keys.dropped.len();
    assert!((kept..=kept * 6).contains(&keys.count()), "{} of {kept}", keys.count());
    let real = |x: &str, kid: Option<&str>| {
        let mut same = entries.iter().enumerate().filter(|(index, _)| used(*index)).map(|(_, entry)| entry);
        same.any(|entry| entry["x"] == x && (kid.is_none() || entry["kid"].as_str() == kid))
    };
    let mut kids: Vec<_> = entries.iter().take(8).map(|entry| entry["kid"].as_str()).collect();
    kids.push(Some("nobody's"));
    let token = KEYS.sign(b"{}", data, false);
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let signature = url_safe(signature).expect("written here");
    for kid in kids {
        let good = keys.verify(kid, SigningAlgorithm::EdDsa, signed.as_bytes(), &signature);
        assert!(good != Some(true) || real(&ed, kid), "a key that is not there");
        assert!(good != Some(false) || kid.is_none() || !real(&ed, kid), "a key that is there");
        let other = keys.verify(kid, SigningAlgorithm::Es256, signed.as_bytes(), &signature);
        assert!(other != Some(true), "another algorithm");
    }
});
