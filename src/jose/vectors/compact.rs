//! Whole tokens with the keys they come with: Wycheproof's JWS, JWK and JWC sets.

use serde_json::Value;
use wycheproof_ng_kdf_jose::json_web::{Test, TestGroup, TestSet};

use super::ledger::Run;
use super::{judge, published};

/// What the issuer of these tokens publishes. Where there is no public half, it publishes its secret.
fn keys(group: &TestGroup) -> String {
    let public = group.public_key.as_ref();
    published(public.or(group.private_key.as_ref()).unwrap())
}

/// The credential as a client would send it: JSON serializations are their text.
fn credential(vector: &Test) -> String {
    match vector.jws.as_ref().or(vector.jwe.as_ref()).unwrap() {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn run(set: &'static str) -> Run {
    let mut run = Run::new(set);
    for group in TestSet::load(set.parse().unwrap()).unwrap().test_groups {
        let keys = keys(&group);
        for test in &group.tests {
            run.record(
                test.tc_id,
                test.result.into(),
                judge(&keys, &credential(test)),
            );
        }
    }
    run
}

#[test]
fn g01_t06_t15_t16_signed_tokens() {
    run("json_web_signature").assert_as_recorded(401, 355);
}

#[test]
fn g01_t20_hostile_key_sets() {
    run("json_web_key").assert_as_recorded(26, 21);
}

#[test]
fn g01_t15_signed_and_encrypted_tokens() {
    run("json_web_crypto").assert_as_recorded(83, 77);
}
