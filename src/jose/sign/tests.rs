//! Keys in every form they come in, made and checked with aws-lc-rs alone.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA512, RsaKeyPair, UnparsedPublicKey,
    VerificationAlgorithm,
};
use serde_json::{Value, json};

use super::super::der::INTEGER;
use super::*;

/// RFC 7517 §A.2.
const EC_JWK: &str = r#"{"kty":"EC","crv":"P-256","kid":"1",
    "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    "d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}"#;

/// RFC 8037 §A.1.
const ED_JWK: &str = r#"{"kty":"OKP","crv":"Ed25519",
    "d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

const MESSAGE: &[u8] = b"tower-mcp-auth";

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    format!("\n-----BEGIN {label}-----\r\n{text}\n-----END {label}-----\n")
}

#[track_caller]
fn assert_signs(
    text: &str,
    algorithm: SigningAlgorithm,
    verifier: &'static dyn VerificationAlgorithm,
    public: &[u8],
) -> SigningKey {
    let key = SigningKey::read(text, algorithm).unwrap();
    let signature = key.sign(MESSAGE).unwrap();
    let public = UnparsedPublicKey::new(verifier, public);
    public.verify(MESSAGE, &signature).unwrap();
    key
}

fn members(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn bytes(jwk: &Value, name: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap()
}

#[test]
fn opq_01_a_jwk_signs_by_its_curve() {
    let jwk = members(EC_JWK);
    let point = [vec![4], bytes(&jwk, "x"), bytes(&jwk, "y")].concat();
    let es256 = SigningAlgorithm::Es256;
    let key = assert_signs(EC_JWK, es256, &ECDSA_P256_SHA256_FIXED, &point);
    assert_eq!(key.key_id(), Some("1"));
    assert_eq!(key.algorithm(), es256);
    let public = bytes(&members(ED_JWK), "x");
    let key = assert_signs(ED_JWK, SigningAlgorithm::EdDsa, &ED25519, &public);
    assert_eq!(key.key_id(), None);
    assert_eq!(format!("{key:?}"), "SigningKey(EdDsa)");
}

#[test]
fn opq_01_pem_signs_on_both_curves_and_ed25519() {
    let cases: [(_, _, &'static dyn VerificationAlgorithm); 2] = [
        (
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            SigningAlgorithm::Es256,
            &ECDSA_P256_SHA256_FIXED,
        ),
        (
            &ECDSA_P384_SHA384_FIXED_SIGNING,
            SigningAlgorithm::Es384,
            &ECDSA_P384_SHA384_FIXED,
        ),
    ];
    for (curve, algorithm, verifier) in cases {
        let pair = EcdsaKeyPair::generate(curve).unwrap();
        let text = pem("PRIVATE KEY", pair.to_pkcs8v1().unwrap().as_ref());
        assert_signs(&text, algorithm, verifier, pair.public_key().as_ref());
    }
    let pair = Ed25519KeyPair::generate().unwrap();
    let text = pem("PRIVATE KEY", pair.to_pkcs8v1().unwrap().as_ref());
    let public = pair.public_key().as_ref();
    assert_signs(&text, SigningAlgorithm::EdDsa, &ED25519, public);
}

#[test]
fn opq_01_rsa_signs_from_both_kinds_of_pem_and_a_jwk() {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let pkcs8: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let pkcs1 = inner_key(pkcs8.as_ref()).unwrap();
    let mut inside = pkcs1.as_slice();
    let mut inside = take(&mut inside, SEQUENCE).unwrap();
    let mut numbers = Vec::new();
    while let Some(number) = take(&mut inside, INTEGER) {
        let digits = number.strip_prefix(&[0]).unwrap_or(number);
        numbers.push(URL_SAFE_NO_PAD.encode(digits));
    }
    let names = ["version", "n", "e", "d", "p", "q", "dp", "dq", "qi"];
    let parts = names.into_iter().zip(numbers.iter().map(|n| json!(n)));
    let mut jwk: serde_json::Map<_, _> = parts.map(|(name, n)| (name.to_owned(), n)).collect();
    jwk.remove("version");
    jwk.insert("kty".into(), "RSA".into());
    jwk.insert("alg".into(), "RS256".into());
    let public = pair.public_key().as_ref();
    let forms = [
        pem("PRIVATE KEY", pkcs8.as_ref()),
        pem("RSA PRIVATE KEY", &pkcs1),
        Value::Object(jwk.clone()).to_string(),
    ];
    for text in &forms {
        let verifier = &RSA_PKCS1_2048_8192_SHA256;
        assert_signs(text, SigningAlgorithm::Rs256, verifier, public);
    }
    let verifier = &RSA_PSS_2048_8192_SHA512;
    assert_signs(&forms[0], SigningAlgorithm::Ps512, verifier, public);
    let other = SigningKey::read(&forms[2], SigningAlgorithm::Ps512).unwrap_err();
    assert_eq!(other, "the JWK names another `alg`");
}

#[test]
fn opq_01_what_is_no_key_for_its_algorithm_says_what_to_do() {
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let ec = ec.to_pkcs8v1().unwrap();
    let refused = |text: &str, algorithm| SigningKey::read(text, algorithm).unwrap_err();
    let es256 = SigningAlgorithm::Es256;
    assert_eq!(refused(&pem("EC PRIVATE KEY", ec.as_ref()), es256), CONVERT);
    assert_eq!(
        refused(&pem("ENCRYPTED PRIVATE KEY", b"x"), es256),
        ENCRYPTED
    );
    let plain = pem("PRIVATE KEY", ec.as_ref());
    let public = pem("PUBLIC KEY", ec.as_ref());
    let cut = plain.replace("-----END", "----END");
    for (text, algorithm) in [
        ("", es256),
        ("secret", es256),
        ("{}", es256),
        ("{", es256),
        (r#"{"kty":"oct","k":"AAAA"}"#, es256),
        (
            r#"{"kty":"EC","crv":"P-256","d":"AA","x":"AA","y":"AA"}"#,
            es256,
        ),
        (
            r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#,
            SigningAlgorithm::Rs256,
        ),
        (ED_JWK, es256),
        (EC_JWK, SigningAlgorithm::Es384),
        (&plain, SigningAlgorithm::Rs256),
        (&plain, SigningAlgorithm::EdDsa),
        (&plain, SigningAlgorithm::Es384),
        (&public, es256),
        (&cut, es256),
        (&pem("PRIVATE KEY", b"\x30\x84\xff\xff\xff\xff"), es256),
        (&pem("PRIVATE KEY", b"\x30\x89"), SigningAlgorithm::Rs256),
    ] {
        assert_eq!(refused(text, algorithm), NOT_A_KEY, "{algorithm} {text}");
    }
}
