//! Wycheproof's JWS, JWK and JWC sets against a whole server whose issuer publishes their keys (G1).
//!
//! Their payloads are no claims, and claims are judged before any signature. That every vector is
//! refused therefore says something only beside this: a token with good claims, signed by the private
//! half of the very key that was published, is let in where the set holds a valid vector that is not
//! listed, and nowhere else. The verdicts about the signatures themselves are those of
//! `src/jose/vectors`, by the functions this server calls.

use std::collections::BTreeSet;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Value, json};
use tower_mcp_auth::SigningAlgorithm;
use wycheproof_ng_core::TestResult;
use wycheproof_ng_kdf_jose::json_web::{Test, TestGroup, TestSet};

use crate::support::{I, NOW, R, World};

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The valid vectors of a set that are refused.
fn listed(set: &str) -> BTreeSet<usize> {
    let lines = include_str!("../fixtures/vectors/refused.tsv").lines();
    let cells = lines.map(|line| line.split('\t').collect::<Vec<_>>());
    let ids = cells.filter(|cells| cells[0] == set).flat_map(|cells| {
        let (first, end) = cells[1].split_once('-').unwrap_or((cells[1], cells[1]));
        first.parse().unwrap()..=end.parse::<usize>().unwrap()
    });
    ids.collect()
}

fn credential(vector: &Test) -> String {
    match vector.jws.as_ref().or(vector.jwe.as_ref()).unwrap() {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn published(key: &Value) -> Value {
    if key.get("keys").is_some() {
        key.clone()
    } else {
        json!({ "keys": [key] })
    }
}

/// As much DER as an RSA private key needs (RFC 8017 §A.1.2).
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x82], &length[..], content].concat()
}

fn rsa_key(jwk: &Value) -> Option<rsa::KeyPair> {
    let mut members = vec![2, 1, 0];
    for name in ["n", "e", "d", "p", "q", "dp", "dq", "qi"] {
        let digits = URL_SAFE_NO_PAD.decode(jwk[name].as_str()?).ok()?;
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        members.extend(number(&[&[0], &digits[zeros..]].concat()));
    }
    rsa::KeyPair::from_der(&element(0x30, &members)).ok()
}

/// DER lengths and signs are to be minimal.
fn number(digits: &[u8]) -> Vec<u8> {
    let digits = match digits {
        [0, first, ..] if *first < 0x80 => &digits[1..],
        _ => digits,
    };
    match digits.len() {
        length @ 0..0x80 => [&[2, u8::try_from(length).unwrap()], digits].concat(),
        length @ 0x80..=0xff => [&[2, 0x81, u8::try_from(length).unwrap()], digits].concat(),
        _ => element(2, digits),
    }
}

/// The signature of the group's private key, if it has one that can sign by this algorithm.
fn sign(jwk: &Value, algorithm: &str, message: &[u8]) -> Option<Vec<u8>> {
    let random = SystemRandom::new();
    let encoding: &dyn RsaEncoding = match algorithm {
        "RS256" => &RSA_PKCS1_SHA256,
        "RS384" => &RSA_PKCS1_SHA384,
        "RS512" => &RSA_PKCS1_SHA512,
        "PS256" => &RSA_PSS_SHA256,
        "PS384" => &RSA_PSS_SHA384,
        "PS512" => &RSA_PSS_SHA512,
        "ES256" => {
            let bytes = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str()?).ok();
            let point = [vec![4], bytes("x")?, bytes("y")?].concat();
            let pair = EcdsaKeyPair::from_private_key_and_public_key(
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                &bytes("d")?,
                &point,
            );
            return Some(pair.ok()?.sign(&random, message).ok()?.as_ref().to_vec());
        }
        _ => return None,
    };
    let pair = rsa_key(jwk)?;
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(encoding, &random, message, &mut signature).ok()?;
    Some(signature)
}

/// A token with good claims by the group's key, named and signed as its vectors are.
fn good_token(group: &TestGroup) -> Option<String> {
    let private = group.private_key.as_ref()?;
    let jwk = private.get("keys").map_or(private, |keys| &keys[0]);
    let headers = group.tests.iter().filter_map(|test| {
        let credential = credential(test);
        let header = URL_SAFE_NO_PAD.decode(credential.split('.').next()?).ok()?;
        let header: Value = serde_json::from_slice(&header).ok()?;
        SigningAlgorithm::from_name(header["alg"].as_str()?)?;
        Some(header)
    });
    let mut header = headers.into_iter().next()?;
    header["typ"] = json!("at+jwt");
    let algorithm = header["alg"].as_str()?.to_owned();
    let claims = json!({"iss": I, "aud": R, "sub": "ada", "client_id": "app", "jti": "1",
        "iat": NOW, "exp": NOW + 300, "scope": "read:issues"});
    let signed = [base64url(header.to_string()), base64url(claims.to_string())].join(".");
    let signature = sign(jwk, &algorithm, signed.as_bytes())?;
    Some(format!("{signed}.{}", base64url(signature)))
}

/// What came of the groups of a set.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    vectors: usize,
    invalid: usize,
    /// Groups whose key let a token with good claims in, and did not.
    let_in: usize,
    kept_out: usize,
}

async fn present(world: &World, token: &str) -> StatusCode {
    let answer = world.bearer(token).await;
    if answer.status == StatusCode::OK {
        assert_eq!(answer.json()["subject"], "ada");
    } else {
        // 503 where the issuer has no key that is one.
        let refusal = [StatusCode::UNAUTHORIZED, StatusCode::SERVICE_UNAVAILABLE];
        assert!(
            refusal.contains(&answer.status),
            "{} {:?}",
            answer.code(),
            answer.body
        );
    }
    answer.status
}

async fn run(set: &str) -> Counts {
    let mut counts = Counts::default();
    let listed = listed(set);
    for group in TestSet::load(set.parse().unwrap()).unwrap().test_groups {
        let world = World::custom(
            |resource| resource,
            |issuer| issuer.algorithms(SigningAlgorithm::ALL),
        );
        let key = group.public_key.as_ref().or(group.private_key.as_ref());
        world.issuer.set_jwks(published(key.unwrap()));
        if let Some(token) = good_token(&group) {
            let is_good =
                |test: &Test| test.result == TestResult::Valid && !listed.contains(&test.tc_id);
            let expected = group.tests.iter().any(is_good);
            let came = present(&world, &token).await == StatusCode::OK;
            assert_eq!(came, expected, "{set}, {}", group.group_comment);
            if came {
                counts.let_in += 1;
            } else {
                counts.kept_out += 1;
            }
        }
        let calls = world.probe.calls();
        for test in &group.tests {
            let status = present(&world, &credential(test)).await;
            assert_ne!(status, StatusCode::OK, "{set} {}", test.tc_id);
            counts.vectors += 1;
            counts.invalid += usize::from(test.result == TestResult::Invalid);
        }
        assert_eq!(world.probe.calls(), calls, "{set}, {}", group.group_comment);
    }
    counts
}

#[tokio::test(start_paused = true)]
async fn g01_t06_t15_t16_a_server_refuses_every_signed_token() {
    let counts = run("json_web_signature").await;
    let expected = Counts {
        vectors: 401,
        invalid: 355,
        let_in: 11,
        kept_out: 6,
    };
    assert_eq!(counts, expected);
}

#[tokio::test(start_paused = true)]
async fn g01_t20_a_server_uses_no_hostile_key() {
    let counts = run("json_web_key").await;
    let expected = Counts {
        vectors: 26,
        invalid: 21,
        let_in: 1,
        kept_out: 7,
    };
    assert_eq!(counts, expected);
}

#[tokio::test(start_paused = true)]
async fn g01_t15_a_server_refuses_every_encrypted_token() {
    let counts = run("json_web_crypto").await;
    let expected = Counts {
        vectors: 83,
        invalid: 77,
        let_in: 2,
        kept_out: 1,
    };
    assert_eq!(counts, expected);
}
