//! Signatures that prove nothing, and keys that are none.

use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::{Sha256, Sha384, Sha512};
use tower_mcp_auth::SigningAlgorithm;
use tower_mcp_auth::testing::TestIssuer;

use super::request::{Batch, Hostile, Random, base64url, compact, parts};
use super::site::{HOSTILE, KID, RESOURCE, Site};

fn hmac(algorithm: &str, secret: &[u8], message: &str) -> Vec<u8> {
    macro_rules! by {
        ($hash:ty) => {{
            let mut mac = Hmac::<$hash>::new_from_slice(secret).unwrap();
            mac.update(message.as_bytes());
            mac.finalize().into_bytes().to_vec()
        }};
    }
    match algorithm {
        "HS256" => by!(Sha256),
        "HS384" => by!(Sha384),
        _ => by!(Sha512),
    }
}

/// Good claims, signed with a secret.
fn by_secret(site: &Site, algorithm: &str, kid: &str, secret: &[u8]) -> String {
    let [_, payload, _] = parts(&site.token().sign());
    let header = json!({"typ": "at+jwt", "alg": algorithm, "kid": kid}).to_string();
    let message = format!("{}.{}", base64url(&header), base64url(&payload));
    let signature = hmac(algorithm, secret, &message);
    format!("{message}.{}", base64url(signature))
}

const SYMMETRIC: [&str; 3] = ["HS256", "HS384", "HS512"];

pub fn t02(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    for kid in site.issuer.kids() {
        let (pem, der) = (site.issuer.public_pem(&kid), site.issuer.public_der(&kid));
        let jwk = site.issuer.public_jwk(&kid);
        let mut secrets = vec![
            ("PEM", pem.clone().into_bytes()),
            ("PEM, trimmed", pem.trim().as_bytes().to_vec()),
            ("PEM behind a space", format!(" {pem}").into_bytes()),
            ("PEM behind a line", format!("\n{pem}").into_bytes()),
            ("PEM with CRLF", pem.replace('\n', "\r\n").into_bytes()),
            ("PEM in one line", pem.replace('\n', "").into_bytes()),
            ("PEM and NUL", format!("{pem}\0").into_bytes()),
            ("DER", der.clone()),
            ("DER in base64", base64url(&der).into_bytes()),
            ("JWK", jwk.to_string().into_bytes()),
            ("key set", json!({"keys": [jwk]}).to_string().into_bytes()),
            ("kid", kid.clone().into_bytes()),
        ];
        for name in ["x", "y", "n", "e"] {
            if let Some(number) = jwk[name].as_str() {
                secrets.push((name, number.as_bytes().to_vec()));
                let [bytes, ..] = parts(&format!("{number}.."));
                secrets.push(("number", bytes));
            }
        }
        for algorithm in SYMMETRIC {
            for (name, secret) in &secrets {
                batch.token(
                    format!("{algorithm} by {name} of {kid}"),
                    by_secret(site, algorithm, &kid, secret),
                );
            }
        }
        for named in ["RS256", "ES256", "EdDSA", "PS256", "ES384"] {
            if jwk["alg"] != named {
                batch.token(
                    format!("{kid} says {named}"),
                    site.token().key(&kid).header("alg", named).sign(),
                );
            }
        }
    }
    batch.0
}

pub fn t03(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let zeros = [0; 64];
    let secrets: [&[u8]; 16] = [
        b"",
        b"\0",
        b" ",
        b"0",
        b"a",
        b"secret",
        b"password",
        b"changeme",
        b"null",
        b"undefined",
        b"None",
        b"your-256-bit-secret",
        b"test",
        &zeros[..32],
        &zeros,
        b"mcp",
    ];
    for secret in secrets {
        for algorithm in SYMMETRIC {
            for kid in [KID, "", "other"] {
                let token = by_secret(site, algorithm, kid, secret);
                batch.token(format!("{algorithm} by {secret:?}, kid {kid:?}"), token);
            }
        }
    }
    batch.0
}

/// The order of the P-256 group.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
    0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

pub fn t04(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let mut random = Random(4);
    let zero = [0; 32];
    let mut one = zero;
    one[31] = 1;
    for algorithm in [
        SigningAlgorithm::Es256,
        SigningAlgorithm::Rs256,
        SigningAlgorithm::EdDsa,
    ] {
        let [header, payload, good] = parts(&site.token().algorithm(algorithm).sign());
        let mut add = |what: String, signature: &[u8]| {
            batch.token(
                format!("{algorithm}: {what}"),
                compact(&header, &payload, signature),
            );
        };
        let numbers = [zero, one, ORDER, [0xff; 32], [0x80; 32]];
        for (at, r) in numbers.iter().enumerate() {
            for (other, s) in numbers.iter().enumerate() {
                add(format!("numbers {at} and {other}"), &[*r, *s].concat());
            }
            add(format!("r is number {at}"), &[&r[..], &good[32..]].concat());
            add(format!("s is number {at}"), &[&good[..32], &r[..]].concat());
        }
        for length in [
            0, 1, 31, 32, 33, 63, 65, 66, 70, 71, 72, 96, 127, 128, 132, 255, 256, 257, 512,
        ] {
            for byte in [0, 1, 0xff] {
                add(format!("{length} times {byte}"), &vec![byte; length]);
            }
            if length < good.len() {
                add(format!("cut at {length}"), &good[..length]);
                add(format!("cut until {length}"), &good[good.len() - length..]);
            }
        }
        add("one byte more".into(), &[&good[..], &[0]].concat());
        add("one byte before".into(), &[&[0], &good[..]].concat());
        add("twice".into(), &[&good[..], &good[..]].concat());
        add(
            "backwards".into(),
            &good.iter().rev().copied().collect::<Vec<_>>(),
        );
        for _ in 0..48 {
            let (at, bit) = (random.below(good.len()), random.below(8));
            let mut flipped = good.clone();
            flipped[at] ^= 1 << bit;
            add(format!("bit {bit} of byte {at}"), &flipped);
        }
    }
    batch.0
}

/// Publishes what no key set should hold, and one good key of another name.
pub fn spoil_keys(issuer: &TestIssuer) {
    let secret = base64url([7; 32]);
    let mut good = issuer.public_jwk(KID);
    good["kid"] = "good".into();
    let mut off_curve = good.clone();
    off_curve["kid"] = "off-curve".into();
    off_curve["x"] = base64url([1; 32]).into();
    issuer.set_jwks(json!({"keys": [
        null, 7, "x", [], {},
        {"kty": "oct", "kid": KID, "alg": "HS256", "k": secret},
        {"kty": "oct", "kid": "oct", "k": secret},
        {"kty": "oct", "kid": "empty", "k": ""},
        {"kty": "RSA", "kid": "tiny", "alg": "RS256", "n": base64url([0xc1; 64]), "e": "AQAB"},
        {"kty": "RSA", "kid": "one", "alg": "RS256", "n": base64url([0xc1; 256]), "e": "AQ"},
        {"kty": "RSA", "kid": "zero", "alg": "RS256", "n": "AA", "e": "AA"},
        {"kty": "EC", "crv": "P-256", "kid": "infinity", "x": base64url([0; 32]), "y": base64url([0; 32])},
        {"kty": "OKP", "crv": "Ed25519", "kid": "small", "x": base64url([0; 32])},
        {"kty": "EC", "crv": "P-256", "kid": 7, "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "secp256k1", "kid": "k1", "x": base64url([1; 32]), "y": base64url([1; 32])},
        off_curve, good,
    ]}));
}

/// Tokens of a trusted issuer by keys it should not have published.
pub fn t20(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let claims = String::from_utf8(parts(&site.hostile.token(RESOURCE).sign())[1].clone()).unwrap();
    assert!(claims.contains(HOSTILE));
    let kids = [
        "oct",
        "empty",
        "tiny",
        "one",
        "zero",
        "infinity",
        "small",
        "7",
        "k1",
        "off-curve",
        KID,
        "",
    ];
    for kid in kids {
        for alg in SYMMETRIC {
            for secret in [&[7; 32][..], base64url([7; 32]).as_bytes(), b""] {
                let header = json!({"typ": "at+jwt", "alg": alg, "kid": kid}).to_string();
                let message = format!("{}.{}", base64url(&header), base64url(&claims));
                let signature = base64url(hmac(alg, secret, &message));
                batch.token(
                    format!("{alg} by {kid:?}"),
                    format!("{message}.{signature}"),
                );
            }
        }
        for (alg, length) in [
            ("RS256", 64),
            ("RS256", 256),
            ("ES256", 64),
            ("EdDSA", 64),
            ("none", 0),
        ] {
            for byte in [0, 1] {
                let header = json!({"typ": "at+jwt", "alg": alg, "kid": kid}).to_string();
                let token = compact(header, &claims, &vec![byte; length]);
                batch.token(format!("{alg} by {kid:?}, {length} times {byte}"), token);
            }
        }
    }
    // Made without a private key, right for a point of order four and every fourth message.
    let mut nobody = [0; 64];
    nobody[0] = 1;
    for round in 0..32 {
        let header = json!({"typ": "at+jwt", "alg": "EdDSA", "kid": "small", "round": round});
        let token = compact(header.to_string(), &claims, &nobody);
        batch.token(format!("signed by nobody for \"small\", {round}"), token);
    }
    batch.0
}
