use std::time::Duration;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    self, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{MCP, claims, header, part};
use crate::algorithm::SigningAlgorithm;
use crate::testing::{ManualClock, TestIssuer};

const NOW: i64 = 1_800_000_000;

fn issuer() -> TestIssuer {
    TestIssuer::builder()
        .clock(ManualClock::at(NOW))
        .in_process()
}

/// Whether aws-lc-rs finds the token's signature good under the published key it names.
fn verifies(issuer: &TestIssuer, token: &str) -> bool {
    let header = header(token);
    let jwk = issuer.public_jwk(header["kid"].as_str().unwrap());
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let message = token.rsplit_once('.').unwrap().0.as_bytes();
    let signature = part(token, 2);
    let plain = |algorithm: &'static dyn VerificationAlgorithm, key: Vec<u8>| {
        let key = UnparsedPublicKey::new(algorithm, key);
        key.verify(message, &signature).is_ok()
    };
    let point = || [vec![4], bytes("x"), bytes("y")].concat();
    let rsa = |parameters| {
        let (n, e) = (bytes("n"), bytes("e"));
        let key = RsaPublicKeyComponents { n, e };
        key.verify(parameters, message, &signature).is_ok()
    };
    match header["alg"].as_str().unwrap() {
        "ES256" => plain(&signature::ECDSA_P256_SHA256_FIXED, point()),
        "ES384" => plain(&signature::ECDSA_P384_SHA384_FIXED, point()),
        "EdDSA" => plain(&signature::ED25519, bytes("x")),
        "RS256" => rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
        "RS384" => rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
        "RS512" => rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
        "PS256" => rsa(&signature::RSA_PSS_2048_8192_SHA256),
        "PS384" => rsa(&signature::RSA_PSS_2048_8192_SHA384),
        "PS512" => rsa(&signature::RSA_PSS_2048_8192_SHA512),
        other => panic!("{other}"),
    }
}

#[test]
fn a_token_is_perfect_by_default() {
    let issuer = TestIssuer::builder()
        .url("https://auth.example.com/t1/")
        .clock(ManualClock::at(NOW))
        .claim("org_id", "acme")
        .in_process();
    let token = issuer.token(MCP).sign();
    let header = header(&token);
    assert_eq!(
        header,
        json!({"typ": "at+jwt", "alg": "ES256", "kid": issuer.signing_kid()})
    );
    let mut payload = claims(&token);
    let jti = payload.as_object_mut().unwrap().remove("jti").unwrap();
    assert_eq!(
        payload,
        json!({
            "iss": "https://auth.example.com/t1/", "sub": "alice", "client_id": "test-client",
            "aud": MCP, "iat": NOW, "exp": NOW + 300, "scope": "read:issues write:issues",
            "org_id": "acme",
        })
    );
    assert_ne!(claims(&issuer.token(MCP).sign())["jti"], jti);
    assert!(verifies(&issuer, &token));
}

#[test]
fn every_algorithm_signs_verifiably() {
    let issuer = TestIssuer::builder()
        .algorithms(SigningAlgorithm::ALL)
        .in_process();
    assert_eq!(issuer.kids().len(), 9);
    for algorithm in SigningAlgorithm::ALL {
        let token = issuer.token(MCP).algorithm(algorithm).sign();
        assert_eq!(header(&token)["alg"], algorithm.name());
        assert!(verifies(&issuer, &token), "{algorithm}");
        let broken = issuer.token(MCP).algorithm(algorithm);
        let broken = broken.tamper(|signature| signature[9] ^= 1).sign();
        assert!(!verifies(&issuer, &broken), "{algorithm}");
        let kid = header(&token)["kid"].clone();
        assert_eq!(
            issuer.public_jwk(kid.as_str().unwrap())["alg"],
            algorithm.name()
        );
    }
    // An RSA key under another RSA algorithm than its own.
    let rs256 = issuer.kids()[0].clone();
    let token = issuer.token(MCP).key(&rs256);
    let token = token.algorithm(SigningAlgorithm::Ps384).sign();
    assert_eq!(header(&token)["kid"], rs256);
    assert!(verifies(&issuer, &token));
}

#[test]
fn everything_can_be_broken() {
    let token = issuer()
        .token(json!(["https://a.example", "https://b.example"]))
        .subject("bob")
        .client("robot")
        .scope("a b")
        .claim("cnf", json!({"jkt": "x"}))
        .without("jti")
        .issued_in(-10)
        .expires_in(-5)
        .header("typ", "JWT")
        .header("crit", json!(["b64"]))
        .without_header("kid")
        .sign();
    assert_eq!(
        header(&token),
        json!({"typ": "JWT", "alg": "ES256", "crit": ["b64"]})
    );
    let claims = claims(&token);
    assert_eq!(
        claims["aud"],
        json!(["https://a.example", "https://b.example"])
    );
    assert_eq!(claims["sub"], "bob");
    assert_eq!(claims["client_id"], "robot");
    assert_eq!(claims["scope"], "a b");
    assert_eq!(claims["cnf"]["jkt"], "x");
    assert_eq!(claims.get("jti"), None);
    assert_eq!(claims["iat"], NOW - 10);
    assert_eq!(claims["exp"], NOW - 5);
}

#[test]
fn later_calls_win() {
    let token = issuer().token(MCP).claim("exp", "soon").without("iat");
    assert_eq!(claims(&token.sign())["exp"], "soon");
    let claims = claims(&token.expires_in(1).issued_in(2).audience(7).sign());
    assert_eq!(claims["exp"], NOW + 1);
    assert_eq!(claims["iat"], NOW + 2);
    assert_eq!(claims["aud"], 7);
}

#[test]
fn users_bring_their_claims_and_the_clock_its_time() {
    let clock = ManualClock::at(NOW);
    let issuer = TestIssuer::builder()
        .clock(clock.clone())
        .claim("org_id", "acme")
        .user(
            "bob",
            json!({"org_id": "umbrella", "email": "bob@umbrella.example"}),
        )
        .in_process();
    let bob = issuer.token(MCP).subject("bob");
    clock.advance(Duration::from_secs(60));
    let of_bob = claims(&bob.sign());
    assert_eq!(of_bob["org_id"], "umbrella");
    assert_eq!(of_bob["email"], "bob@umbrella.example");
    assert_eq!(of_bob["iat"], NOW + 60);
    assert_eq!(claims(&issuer.token(MCP).sign())["org_id"], "acme");
    assert_eq!(
        claims(&bob.claim("org_id", Value::Null).sign())["org_id"],
        Value::Null
    );
}

#[test]
fn raw_parts_are_verbatim() {
    let payload = r#"{"sub":"a","sub":"b","n":1e400}"#;
    let head = r#"{ "alg":"ES256","alg":"none" }"#;
    let token = issuer()
        .token(MCP)
        .raw_claims(payload)
        .raw_header(head)
        .sign();
    assert_eq!(part(&token, 0), head.as_bytes());
    assert_eq!(part(&token, 1), payload.as_bytes());
    assert_eq!(part(&token, 2).len(), 64);
}

#[test]
fn headers_may_contradict_the_key() {
    let issuer = issuer();
    for alg in ["RS256", "HS256", "none", "", "es256"] {
        let token = issuer.token(MCP).header("alg", alg).header("kid", 1).sign();
        assert_eq!(header(&token)["alg"], alg);
        assert_eq!(part(&token, 2).len(), 64);
    }
    // A key that cannot do what is asked does what it can.
    let token = issuer.token(MCP).key(issuer.signing_kid());
    let token = token.algorithm(SigningAlgorithm::Rs256).sign();
    assert_eq!(header(&token)["alg"], "RS256");
    assert_eq!(part(&token, 2).len(), 64);
}

#[test]
fn the_classic_forgeries_can_be_made() {
    let issuer = issuer();
    let unsigned = issuer.token(MCP).unsigned().sign();
    assert_eq!(header(&unsigned)["alg"], "none");
    assert!(unsigned.ends_with('.'));

    let kid = issuer.signing_kid();
    let pem = issuer.public_pem(&kid);
    let confused = issuer.token(MCP).hmac(&pem).sign();
    assert_eq!(header(&confused)["alg"], "HS256");
    assert_eq!(header(&confused)["kid"], kid);
    let message = confused.rsplit_once('.').unwrap().0.as_bytes();
    let secret = hmac::Key::new(hmac::HMAC_SHA256, pem.as_bytes());
    assert!(hmac::verify(&secret, message, &part(&confused, 2)).is_ok());
}

#[test]
fn the_es256_twin_is_valid_too() {
    let issuer = issuer();
    let twin = issuer.token(MCP).es256_twin();
    for _ in 0..20 {
        assert!(verifies(&issuer, &twin.sign()));
    }
    // n − s of s = 1 ends in the order's last byte less one; both halves keep their length.
    let mut signature = vec![0; 64];
    signature[63] = 1;
    crate::testing::token::replace_by_twin(&mut signature);
    assert_eq!(signature[..32], [0; 32]);
    assert_eq!((signature[32], signature[63]), (0xff, 0x50));
}

#[test]
fn keys_can_be_exported() {
    let issuer = TestIssuer::builder()
        .algorithms([
            SigningAlgorithm::Es256,
            SigningAlgorithm::Es384,
            SigningAlgorithm::EdDsa,
            SigningAlgorithm::Rs256,
        ])
        .in_process();
    for kid in issuer.kids() {
        let der = issuer.public_der(&kid);
        let pem = issuer.public_pem(&kid);
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        assert_eq!(STANDARD.decode(body).unwrap(), der);
        assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\n"));
        assert!(pem.lines().all(|line| line.len() <= 64));

        // Every SPKI ends with the key itself; a modulus stands before its exponent.
        let jwk = issuer.public_jwk(&kid);
        let last = ["y", "x", "n"]
            .into_iter()
            .find_map(|name| jwk[name].as_str());
        let last = URL_SAFE_NO_PAD.decode(last.unwrap()).unwrap();
        assert!(der.windows(last.len()).any(|window| window == last));
    }
    let kid = issuer.signing_kid();
    let pair = signature::EcdsaKeyPair::from_pkcs8(
        &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
        &issuer.private_der(&kid),
    );
    let public = issuer.public_jwk(&kid)["x"].as_str().unwrap().to_owned();
    let pair = pair.unwrap();
    let point = signature::KeyPair::public_key(&pair).as_ref();
    assert_eq!(URL_SAFE_NO_PAD.encode(&point[1..33]), public);
}

#[test]
fn two_issuers_can_share_a_key_id_but_not_a_key() {
    let shared = || TestIssuer::builder().key_id("shared").in_process();
    let (first, second) = (shared(), shared());
    let token = first.token(MCP).sign();
    assert!(verifies(&first, &token));
    assert!(!verifies(&second, &token));
    assert_ne!(issuer().kids(), issuer().kids());
}

#[test]
#[should_panic(expected = "no RS256 key")]
fn a_missing_key_is_named() {
    let _ = issuer()
        .token(MCP)
        .algorithm(SigningAlgorithm::Rs256)
        .sign();
}
