//! Signatures alone, each by the key of a published set: Wycheproof's ECDSA, Ed25519 and RSA sets.
//!
//! The key is made of its numbers: some groups bring no JWK, and those that do say the same.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use wycheproof_ng_core::TestResult;
use wycheproof_ng_ecdsa as ecdsa;
use wycheproof_ng_eddsa as eddsa;
use wycheproof_ng_rsa_signature::{rsa_pkcs1_verify as pkcs1, rsa_pss_verify as pss};

use super::judge_raw;
use super::ledger::Run;
use crate::algorithm::SigningAlgorithm::{
    self, EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512,
};

fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A coordinate in full length (RFC 7518 §6.2.1.2), from a number of any.
fn coordinate(number: &[u8], length: usize) -> String {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let number = &number[zeros..];
    base64url(&[&vec![0; length - number.len()], number].concat())
}

fn rsa(n: &[u8], e: &[u8]) -> Value {
    json!({"kty": "RSA", "n": base64url(n), "e": base64url(e)})
}

fn run_ecdsa(set: &'static str, algorithm: SigningAlgorithm) -> Run {
    let (curve, length) = if algorithm == Es256 {
        ("P-256", 32)
    } else {
        ("P-384", 48)
    };
    let mut run = Run::new(set);
    for group in ecdsa::TestSet::load(set.parse().unwrap())
        .unwrap()
        .test_groups
    {
        let (x, y) = (&group.key.affine_x, &group.key.affine_y);
        let key = json!({"kty": "EC", "crv": curve, "x": coordinate(x, length), "y": coordinate(y, length)});
        for test in group.tests {
            let outcome = judge_raw(&key, algorithm, &test.msg, &test.sig);
            run.record(test.tc_id, test.result.into(), outcome);
        }
    }
    run
}

fn run_pkcs1(set: &'static str, algorithm: SigningAlgorithm) -> Run {
    let mut run = Run::new(set);
    for group in pkcs1::TestSet::load(set.parse().unwrap())
        .unwrap()
        .test_groups
    {
        let key = rsa(&group.key.n, &group.key.e);
        for test in group.tests {
            let outcome = judge_raw(&key, algorithm, &test.msg, &test.sig);
            run.record(test.tc_id, test.result.into(), outcome);
        }
    }
    run
}

fn run_pss(set: &'static str, algorithm: SigningAlgorithm) -> Run {
    let mut run = Run::new(set);
    for group in pss::TestSet::load(set.parse().unwrap())
        .unwrap()
        .test_groups
    {
        let key = rsa(&group.key.n, &group.key.e);
        for test in group.tests {
            let outcome = judge_raw(&key, algorithm, &test.msg, &test.sig);
            run.record(test.tc_id, test.result.into(), outcome);
        }
    }
    run
}

#[test]
fn g01_t04_ecdsa_on_p256() {
    run_ecdsa("ecdsa_secp256r1_sha256_p1363", Es256).assert_as_recorded(262, 89);
}

#[test]
fn g01_t04_ecdsa_on_p384() {
    run_ecdsa("ecdsa_secp384r1_sha384_p1363", Es384).assert_as_recorded(280, 87);
}

#[test]
fn g01_t04_ed25519() {
    let mut run = Run::new("ed25519");
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    for group in set.test_groups {
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(&group.key.pk)});
        for test in group.tests {
            let outcome = judge_raw(&key, EdDsa, &test.msg, &test.sig);
            run.record(test.tc_id, test.result.into(), outcome);
        }
    }
    run.assert_as_recorded(151, 63);
}

#[test]
fn g01_t04_rsa_pkcs1_2048() {
    run_pkcs1("rsa_signature_2048_sha256", Rs256).assert_as_recorded(259, 249);
    run_pkcs1("rsa_signature_2048_sha384", Rs384).assert_as_recorded(258, 250);
    run_pkcs1("rsa_signature_2048_sha512", Rs512).assert_as_recorded(259, 250);
}

#[test]
fn g01_t04_rsa_pkcs1_3072() {
    run_pkcs1("rsa_signature_3072_sha256", Rs256).assert_as_recorded(259, 250);
    run_pkcs1("rsa_signature_3072_sha384", Rs384).assert_as_recorded(259, 251);
    run_pkcs1("rsa_signature_3072_sha512", Rs512).assert_as_recorded(260, 251);
}

#[test]
fn g01_t04_rsa_pkcs1_4096() {
    run_pkcs1("rsa_signature_4096_sha256", Rs256).assert_as_recorded(258, 250);
    run_pkcs1("rsa_signature_4096_sha384", Rs384).assert_as_recorded(259, 251);
    run_pkcs1("rsa_signature_4096_sha512", Rs512).assert_as_recorded(259, 251);
}

#[test]
fn g01_t04_rsa_pkcs1_8192() {
    run_pkcs1("rsa_signature_8192_sha256", Rs256).assert_as_recorded(258, 250);
    run_pkcs1("rsa_signature_8192_sha384", Rs384).assert_as_recorded(259, 251);
    run_pkcs1("rsa_signature_8192_sha512", Rs512).assert_as_recorded(259, 251);
}

#[test]
fn g01_t04_rsa_pss() {
    run_pss("rsa_pss_2048_sha256_mgf1_32", Ps256).assert_as_recorded(108, 45);
    run_pss("rsa_pss_3072_sha256_mgf1_32", Ps256).assert_as_recorded(108, 45);
    run_pss("rsa_pss_4096_sha256_mgf1_32", Ps256).assert_as_recorded(108, 45);
    run_pss("rsa_pss_2048_sha384_mgf1_48", Ps384).assert_as_recorded(141, 46);
    run_pss("rsa_pss_4096_sha384_mgf1_48", Ps384).assert_as_recorded(141, 46);
    run_pss("rsa_pss_4096_sha512_mgf1_64", Ps512).assert_as_recorded(179, 47);
}

/// RFC 7518 §3.5 fixes the salt's length and the mask's hash: what is valid elsewhere is no JWS. Of
/// these sets only the valid vectors are of use, one of the invalid ones has the salt of a JWS.
#[test]
fn g01_t04_rsa_pss_of_other_parameters_is_no_jws() {
    for (set, algorithm, valid) in [
        ("rsa_pss_2048_sha256_mgf1_0", Ps256, 61),
        ("rsa_pss_2048_sha256_mgf1sha1_20", Ps256, 63),
        ("rsa_pss_4096_sha512_mgf1_32", Ps512, 132),
    ] {
        let mut refused = 0;
        for group in pss::TestSet::load(set.parse().unwrap())
            .unwrap()
            .test_groups
        {
            let key = rsa(&group.key.n, &group.key.e);
            let tests = group.tests.iter();
            for test in tests.filter(|test| test.result == TestResult::Valid) {
                let outcome = judge_raw(&key, algorithm, &test.msg, &test.sig);
                assert_eq!(
                    outcome,
                    Err("bad signature".to_owned()),
                    "{set} {}",
                    test.tc_id
                );
                refused += 1;
            }
        }
        assert_eq!(refused, valid, "{set}");
    }
}
