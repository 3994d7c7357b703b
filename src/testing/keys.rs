//! Signing keys, made and used with aws-lc-rs alone: a second opinion on the verifier, which uses
//! another library.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding,
};
use serde_json::{Value, json};

use super::encoding::base64url;
use crate::algorithm::SigningAlgorithm;

const MADE: &str = "aws-lc-rs makes a key";
const EXPORTED: &str = "aws-lc-rs exports a key it made";
const SIGNED: &str = "aws-lc-rs signs with a key it made";

/// One key pair under its key id.
pub(super) struct SigningKey {
    kid: String,
    algorithm: SigningAlgorithm,
    pair: Pair,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(rsa::KeyPair),
}

impl SigningKey {
    pub(super) fn generate(algorithm: SigningAlgorithm, kid: String) -> Self {
        use SigningAlgorithm::{EdDsa, Es256, Es384};
        let pair = match algorithm {
            Es256 => {
                Pair::Ecdsa(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect(MADE))
            }
            Es384 => {
                Pair::Ecdsa(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect(MADE))
            }
            EdDsa => Pair::Ed25519(Ed25519KeyPair::generate().expect(MADE)),
            _ => Pair::Rsa(rsa::KeyPair::generate(KeySize::Rsa2048).expect(MADE)),
        };
        Self {
            kid,
            algorithm,
            pair,
        }
    }

    pub(super) fn kid(&self) -> &str {
        &self.kid
    }

    pub(super) fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    /// The signature in the form of RFC 7518 §3. An RSA key signs under any RSA algorithm; for the
    /// rest `algorithm` changes nothing, because the key can do only one thing.
    pub(super) fn sign(&self, algorithm: SigningAlgorithm, message: &[u8]) -> Vec<u8> {
        let rng = SystemRandom::new();
        match &self.pair {
            Pair::Ecdsa(pair) => pair.sign(&rng, message).expect(SIGNED).as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let encoding = rsa_encoding(algorithm)
                    .or_else(|| rsa_encoding(self.algorithm))
                    .unwrap_or(&RSA_PKCS1_SHA256);
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &rng, message, &mut signature)
                    .expect(SIGNED);
                signature
            }
        }
    }

    /// The public half as a JWK with `kid`, `alg` and `use` (RFC 7517 §4).
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Ecdsa(pair) => {
                // An uncompressed point (SEC 1 §2.3.3): 4, x, y.
                let point = pair.public_key().as_ref();
                let (x, y) = point.split_at(point.len().div_ceil(2));
                let x = x.strip_prefix(&[4]).unwrap_or(x);
                let curve = if y.len() == 32 { "P-256" } else { "P-384" };
                json!({"kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y)})
            }
            Pair::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(pair.public_key())})
            }
            Pair::Rsa(pair) => {
                let public = pair.public_key();
                json!({
                    "kty": "RSA",
                    "n": base64url(public.modulus().big_endian_without_leading_zero()),
                    "e": base64url(public.exponent().big_endian_without_leading_zero()),
                })
            }
        };
        if let Value::Object(members) = &mut jwk {
            members.insert("kid".into(), self.kid.as_str().into());
            members.insert("alg".into(), self.algorithm.name().into());
            members.insert("use".into(), "sig".into());
        }
        jwk
    }

    /// The public half as a DER `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7).
    pub(super) fn public_der(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = match &self.pair {
            Pair::Ecdsa(pair) => pair.public_key().as_der(),
            Pair::Ed25519(pair) => pair.public_key().as_der(),
            Pair::Rsa(pair) => pair.public_key().as_der(),
        }
        .expect(EXPORTED);
        der.as_ref().to_vec()
    }

    /// The private half as DER PKCS#8 version 1 (RFC 5208).
    pub(super) fn private_der(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Ecdsa(pair) => pair.to_pkcs8v1().expect(EXPORTED).as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.to_pkcs8v1().expect(EXPORTED).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let der: Pkcs8V1Der<'_> = pair.as_der().expect(EXPORTED);
                der.as_ref().to_vec()
            }
        }
    }
}

fn rsa_encoding(algorithm: SigningAlgorithm) -> Option<&'static dyn RsaEncoding> {
    Some(match algorithm {
        SigningAlgorithm::Rs256 => &RSA_PKCS1_SHA256,
        SigningAlgorithm::Rs384 => &RSA_PKCS1_SHA384,
        SigningAlgorithm::Rs512 => &RSA_PKCS1_SHA512,
        SigningAlgorithm::Ps256 => &RSA_PSS_SHA256,
        SigningAlgorithm::Ps384 => &RSA_PSS_SHA384,
        SigningAlgorithm::Ps512 => &RSA_PSS_SHA512,
        _ => return None,
    })
}
