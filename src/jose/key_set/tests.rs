use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::jose::known_answers::{COOKBOOK_RSA, OUR_RSA};

use SigningAlgorithm::{EdDsa, Es256, Es384, Ps256, Ps512, Rs256, Rs384};

const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

fn ec(kid: &str) -> Value {
    json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": X, "y": Y})
}

fn rsa(kid: &str) -> Value {
    json!({"kty": "RSA", "kid": kid, "n": COOKBOOK_RSA, "e": "AQAB"})
}

fn ed(kid: &str) -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "kid": kid,
           "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
}

fn p384(kid: &str) -> Value {
    json!({"kty": "EC", "crv": "P-384", "kid": kid,
           "x": "JkL2Mr303MJfTh8vPIY_bZSuigwQFJsPfK10WaU_X5zObycJKPIwFGwWwDNaS6kF",
           "y": "f2LzxI6n3MW_9h3Xmuzja2pgYxXwqPYnMBKyO93VMa77PywyGceEXWe-TE2qy3cv"})
}

/// `key` with one member set; `null` takes it away.
fn with(mut key: Value, name: &str, value: Value) -> Value {
    let members = key.as_object_mut().unwrap();
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
    key
}

fn parse(keys: &Value) -> Result<ParsedKeys, BackendError> {
    let body = json!({ "keys": keys }).to_string();
    KeySet::parse(body.as_bytes(), &SigningAlgorithm::ALL)
}

fn found(keys: &KeySet, kid: Option<&str>, algorithm: SigningAlgorithm) -> usize {
    match keys.candidates(kid, algorithm) {
        Found::Keys(candidates) => candidates.iter().count(),
        Found::Unknown => 0,
        Found::Ambiguous => usize::MAX,
    }
}

/// The defect of the one bad entry, which must not have cost its neighbours.
fn defect(bad: &Value) -> Defect {
    let shown = bad.to_string();
    let parsed = parse(&json!([ec("before"), bad, ed("after")])).unwrap();
    assert_eq!(found(&parsed.keys, Some("before"), Es256), 1);
    assert_eq!(found(&parsed.keys, Some("after"), EdDsa), 1);
    assert_eq!(parsed.keys.len(), 2, "{shown}");
    let [dropped] = parsed.dropped.as_slice() else {
        panic!("{shown}: {:?}", parsed.dropped)
    };
    assert_eq!(dropped.index, 1);
    dropped.defect
}

#[test]
fn t20_one_bad_entry_costs_only_itself() {
    for (bad, reason) in [
        (json!(null), "not an object"),
        (json!("a key"), "not an object"),
        (json!([]), "not an object"),
        (json!({}), "no kty"),
        (with(ec("k"), "kid", json!(7)), "kid"),
        (with(ec("k"), "kid", json!("k".repeat(257))), "kid"),
        (with(ec("k"), "kid", json!("a\nb")), "kid"),
        (with(ec("k"), "kid", json!("ключ")), "kid"),
        (with(ec("k"), "kty", json!("ec")), "unknown kty"),
        (with(ec("k"), "kty", json!(1)), "must be a string"),
        (with(ec("k"), "crv", json!("P-521")), "unknown crv"),
        (with(ec("k"), "crv", json!("secp256k1")), "unknown crv"),
        (with(ec("k"), "crv", json!("Ed25519")), "unknown crv"),
        (with(ed("k"), "crv", json!("X25519")), "unknown crv"),
        (with(ed("k"), "crv", json!("P-256")), "unknown crv"),
        (with(ec("k"), "crv", Value::Null), "unknown crv"),
        (with(ec("k"), "use", json!("enc")), "use"),
        (with(ec("k"), "use", json!(["sig"])), "must be a string"),
        (with(ec("k"), "key_ops", json!(["sign"])), "key_ops"),
        (with(ec("k"), "key_ops", json!([])), "key_ops"),
        (with(ec("k"), "key_ops", json!("verify")), "key_ops"),
        (with(ec("k"), "x", Value::Null), "missing"),
        (with(ec("k"), "x", json!(5)), "must be a string"),
        (with(ec("k"), "x", json!(X.get(4..))), "length"),
        (with(ec("k"), "y", json!(format!("AAAA{Y}"))), "length"),
        (with(ec("k"), "y", json!(format!("{Y}="))), "base64url"),
        (
            with(ec("k"), "y", json!(Y.replace("a0", "a1"))),
            "base64url",
        ),
        (with(ec("k"), "y", json!(Y.replace('_', "/"))), "base64url"),
        (with(ec("k"), "y", json!(format!(" {Y}"))), "base64url"),
        (
            with(ed("k"), "x", json!("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMl")),
            "length",
        ),
        (with(rsa("k"), "n", Value::Null), "missing"),
        (with(rsa("k"), "e", json!("AAAB")), "real key"),
        (with(rsa("k"), "e", json!("AQ")), "real key"),
        (with(rsa("k"), "e", json!("AQAC")), "real key"),
        (with(rsa("k"), "e", json!("")), "real key"),
        (with(rsa("k"), "e", json!("AgAAAAE")), "real key"),
        (
            with(rsa("k"), "n", json!(COOKBOOK_RSA.replace("5zw", "5zg"))),
            "real key",
        ),
    ] {
        let shown = bad.to_string();
        let defect = defect(&bad);
        assert!(defect.reason.contains(reason), "{shown}: {defect:?}");
        assert!(!defect.alert, "{shown}");
    }
}

#[test]
fn t20_secrets_in_a_key_set_raise_an_alert() {
    for bad in [
        json!({"kty": "oct", "kid": "k", "k": "c2VjcmV0", "alg": "HS256"}),
        json!({"kty": "oct"}),
        with(ec("k"), "d", json!(X)),
        with(rsa("k"), "d", json!("AQAB")),
        with(rsa("k"), "p", json!("AQAB")),
        with(rsa("k"), "qi", json!(7)),
        with(ed("k"), "d", json!("")),
        with(rsa("k"), "k", json!("c2VjcmV0")),
    ] {
        let shown = bad.to_string();
        assert!(defect(&bad).alert, "{shown}");
    }
}

#[test]
fn t02_a_symmetric_algorithm_on_a_public_key_is_dropped() {
    for algorithm in [
        "HS256", "HS384", "HS512", "none", "None", "rs256", "RSA-OAEP", "ES512", "",
    ] {
        for key in [rsa("k"), ec("k"), ed("k")] {
            let reason = defect(&with(key, "alg", json!(algorithm))).reason;
            assert!(reason.contains("alg"), "{algorithm}: {reason}");
        }
    }
}

#[test]
fn jwt_24_rsa_keys_outside_2048_to_8192_bits_are_dropped() {
    let modulus = |bits: usize| {
        let mut number = vec![0xff; bits.div_ceil(8)];
        number[0] = u8::try_from(0xff_u32 >> ((8 - bits % 8) % 8)).unwrap();
        json!(URL_SAFE_NO_PAD.encode(number))
    };
    for bits in [512, 1024, 2047, 8193, 16_384] {
        let reason = defect(&with(rsa("k"), "n", modulus(bits))).reason;
        assert!(reason.contains("2048"), "{bits}: {reason}");
    }
    for bits in [2048, 3072, 4096] {
        let parsed = parse(&json!([with(rsa("k"), "n", modulus(bits))])).unwrap();
        assert_eq!(found(&parsed.keys, Some("k"), Rs256), 1, "{bits}");
    }
}

#[test]
fn jwt_24_leading_zeros_make_no_key_longer() {
    let plain = URL_SAFE_NO_PAD.decode(COOKBOOK_RSA).unwrap();
    let padded = [&[0, 0], plain.as_slice()].concat();
    let padded = with(rsa("k"), "n", json!(URL_SAFE_NO_PAD.encode(padded)));
    let keys = parse(&json!([padded, rsa("plain")])).unwrap().keys;
    assert!(keys.entries[0].key.is_same_as(&keys.entries[6].key));

    let short = [&[0; 128], &plain[..128]].concat();
    let short = with(rsa("k"), "n", json!(URL_SAFE_NO_PAD.encode(short)));
    assert!(defect(&short).reason.contains("2048"));
}

#[test]
fn t04_a_point_off_the_curve_verifies_nothing() {
    let off = with(ec("k"), "y", json!(X));
    // The implementation sees it now, or at the signature.
    let keys = match parse(&json!([off])) {
        Ok(parsed) => parsed.keys,
        Err(_) => return,
    };
    let Found::Keys(candidates) = keys.candidates(Some("k"), Es256) else {
        panic!("no key")
    };
    for signature in [[0; 64], [1; 64]] {
        assert!(candidates.verify(b"message", &signature).is_none());
    }
}

#[test]
fn jwt_07_a_key_serves_only_its_own_algorithms() {
    let keys = parse(&json!([
        rsa("any"),
        with(rsa("ps"), "alg", json!("PS256")),
        ec("p256"),
        p384("p384"),
        ed("ed"),
    ]))
    .unwrap()
    .keys;
    let serves = |kid: &str| {
        let one = |algorithm: &SigningAlgorithm| found(&keys, Some(kid), *algorithm) == 1;
        SigningAlgorithm::ALL
            .into_iter()
            .filter(one)
            .collect::<Vec<_>>()
    };
    assert_eq!(serves("any"), &SigningAlgorithm::ALL[..6]);
    assert_eq!(serves("ps"), [Ps256]);
    assert_eq!(serves("p256"), [Es256]);
    assert_eq!(serves("p384"), [Es384]);
    assert_eq!(serves("ed"), [EdDsa]);

    for (key, algorithm) in [
        (ec("k"), "ES384"),
        (p384("k"), "ES256"),
        (ed("k"), "ES256"),
        (ec("k"), "RS256"),
        (rsa("k"), "EdDSA"),
    ] {
        assert_eq!(
            defect(&with(key, "alg", json!(algorithm))).reason,
            "alg contradicts kty or crv"
        );
    }
}

#[test]
fn jwt_06_only_the_issuers_algorithms_count() {
    let body = json!({"keys": [rsa("r"), ec("e"), with(rsa("s"), "alg", json!("RS384"))]});
    let parsed = KeySet::parse(body.to_string().as_bytes(), &[Rs256, Ps512]).unwrap();
    assert_eq!(parsed.keys.len(), 2);
    assert_eq!(parsed.dropped.len(), 2);
    assert_eq!(found(&parsed.keys, Some("r"), Rs256), 1);
    assert_eq!(found(&parsed.keys, Some("r"), Ps512), 1);
    assert_eq!(found(&parsed.keys, Some("r"), Rs384), 0);
    assert_eq!(found(&parsed.keys, Some("e"), Es256), 0);
}

#[test]
fn r06_a_set_without_a_usable_key_is_an_error() {
    assert!(parse(&json!([])).unwrap_err().to_string().contains("empty"));
    let error = parse(&json!([null, {"kty": "oct"}]))
        .unwrap_err()
        .to_string();
    assert!(error.contains("no usable key"), "{error}");
    assert!(
        error.contains("entry 1: a symmetric key is published"),
        "{error}"
    );
}

#[test]
fn r05_a_document_that_is_no_key_set_is_an_error() {
    for body in [
        "",
        "null",
        "[]",
        "{}",
        "[[]]",
        r#"[[{"kty":"EC"}]]"#,
        "\"keys\"",
        r#"{"keys":{}}"#,
        r#"{"keys":null}"#,
        r#"{"keys":"#,
        r#"{"keys":[],"keys":[]}"#,
        "<html>",
        r#"{"keys":[]} x"#,
        "\u{feff}{\"keys\":[]}",
    ] {
        let error = KeySet::parse(body.as_bytes(), &SigningAlgorithm::ALL).unwrap_err();
        assert!(!error.to_string().contains("empty"), "{body}: {error}");
    }
    assert!(KeySet::parse(&[0xff, 0xfe], &SigningAlgorithm::ALL).is_err());
}

#[test]
fn r07_more_than_a_hundred_entries_are_refused() {
    let many = |count: usize| {
        let keys: Vec<_> = (0..count).map(|index| ec(&format!("k{index}"))).collect();
        parse(&json!(keys))
    };
    assert_eq!(many(100).unwrap().keys.len(), 100);
    let error = many(101).unwrap_err().to_string();
    assert!(error.contains("101 entries"), "{error}");
}

#[test]
fn r08_four_keys_of_one_kid_are_tried_and_five_are_refused() {
    let keys = |count| parse(&json!(vec![ec("same"); count])).unwrap().keys;
    assert_eq!(found(&keys(4), Some("same"), Es256), 4);
    assert_eq!(found(&keys(5), Some("same"), Es256), usize::MAX);
    assert_eq!(found(&keys(5), Some("other"), Es256), 0);
}

#[test]
fn key_07_no_kid_needs_exactly_one_fitting_key() {
    let keys = parse(&json!([ec("one"), ed("two"), rsa("three"), rsa("four")]))
        .unwrap()
        .keys;
    assert_eq!(found(&keys, None, Es256), 1);
    assert_eq!(found(&keys, None, EdDsa), 1);
    assert_eq!(found(&keys, None, Rs256), usize::MAX);
    assert_eq!(found(&keys, None, Es384), 0);

    let nameless = parse(&json!([with(ec(""), "kid", Value::Null)]))
        .unwrap()
        .keys;
    assert_eq!(found(&nameless, None, Es256), 1);
    assert_eq!(found(&nameless, Some("x"), Es256), 0);
    assert_eq!(found(&nameless, Some(""), Es256), 0);
}

#[test]
fn t13_a_kid_is_printable_and_short() {
    for good in [
        "a",
        "../../etc/passwd",
        "' OR 1=1 --",
        "https://a/b?c=d e",
        &"k".repeat(256),
    ] {
        assert!(is_key_id(good), "{good}");
    }
    for bad in [
        "",
        "a\0",
        "a\r\nb",
        "\t",
        "\u{7f}",
        "é",
        "\u{202e}",
        &"k".repeat(257),
    ] {
        assert!(!is_key_id(bad), "{bad:?}");
    }
}

#[test]
fn r12_a_lost_key_counts_only_if_it_was_used() {
    let old = parse(&json!([ec("used"), ed("idle")])).unwrap().keys;
    let mut new = parse(&json!([rsa("other")])).unwrap().keys;
    assert_eq!(old.lost_in_use(&new), Vec::<&str>::new());
    found(&old, Some("used"), Es256);
    assert_eq!(old.lost_in_use(&new), ["used"]);

    new = parse(&json!([rsa("other"), ec("used")])).unwrap().keys;
    assert_eq!(old.lost_in_use(&new), Vec::<&str>::new());
}

#[test]
fn t20_the_same_kid_with_other_numbers_is_another_key() {
    let old = parse(&json!([rsa("k")])).unwrap().keys;
    found(&old, Some("k"), Rs256);
    let new = parse(&json!([with(rsa("k"), "n", json!(OUR_RSA))]))
        .unwrap()
        .keys;
    assert_eq!(old.lost_in_use(&new), ["k"]);
}
