//! Signatures of our own: assertions by which this server authenticates (RFC 7523).
//!
//! The second of two files that name `jsonwebtoken`; what signs is the implementation that verifies.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::EncodingKey;
use serde::Deserialize;
use zeroize::{Zeroize, Zeroizing};

use super::der::{BIT_STRING, OBJECT_ID, OCTETS, PUBLIC_HALF, SEQUENCE, element, number, take};
use super::key_set::is_key_id;
use super::verify::{foreign, provider};
use crate::algorithm::SigningAlgorithm;

/// `id-ecPublicKey`, and the two curves (RFC 5480 §2.1.1).
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
/// `id-Ed25519` (RFC 8410 §3).
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// Said of a text that is no key, or not one for its algorithm.
const NOT_A_KEY: &str = "not a private key for this algorithm; pass a private JWK, or PEM that begins with BEGIN PRIVATE KEY (PKCS#8) or BEGIN RSA PRIVATE KEY";
const CONVERT: &str =
    "this is the older EC form; convert it with `openssl pkcs8 -topk8 -nocrypt -in key.pem`";
const ENCRYPTED: &str =
    "the key is encrypted; decrypt it first, e.g. with `openssl pkcs8 -in key.pem`";

/// A private key with the one algorithm it signs by.
pub(crate) struct SigningKey {
    algorithm: SigningAlgorithm,
    key: EncodingKey,
    key_id: Option<String>,
}

/// The members of a private JWK (RFC 7518 §6, RFC 8037 §2).
#[derive(Default, Deserialize)]
#[serde(default)]
struct Jwk {
    kty: String,
    crv: String,
    kid: Option<String>,
    alg: Option<String>,
    d: String,
    x: String,
    y: String,
    n: String,
    e: String,
    p: String,
    q: String,
    dp: String,
    dq: String,
    qi: String,
}

impl Jwk {
    fn wipe(&mut self) {
        for part in [
            &mut self.d,
            &mut self.p,
            &mut self.q,
            &mut self.dp,
            &mut self.dq,
            &mut self.qi,
        ] {
            part.zeroize();
        }
    }
}

impl SigningKey {
    /// Reads a private JWK or PEM, and signs once to see that it can.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and what to do; nothing of the key.
    pub(crate) fn read(text: &str, algorithm: SigningAlgorithm) -> Result<Self, &'static str> {
        let text = text.trim();
        let (der, key_id) = if text.starts_with('{') {
            let mut jwk: Jwk = serde_json::from_str(text).map_err(|_| NOT_A_KEY)?;
            let key = from_jwk(&jwk, algorithm);
            jwk.wipe();
            if jwk.alg.is_some_and(|alg| alg != algorithm.name()) {
                return Err("the JWK names another `alg`");
            }
            let key_id = jwk.kid.filter(|kid| is_key_id(kid));
            (key.ok_or(NOT_A_KEY)?, key_id)
        } else {
            (from_pem(text, algorithm)?, None)
        };
        let key = match algorithm {
            SigningAlgorithm::Es256 | SigningAlgorithm::Es384 => EncodingKey::from_ec_der(&der),
            SigningAlgorithm::EdDsa => EncodingKey::from_ed_der(&der),
            _ => EncodingKey::from_rsa_der(&der),
        };
        let key = Self {
            algorithm,
            key,
            key_id,
        };
        key.sign(b"").ok_or(NOT_A_KEY)?;
        Ok(key)
    }

    pub(crate) fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    /// The `kid` of the JWK it was read from.
    pub(crate) fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The signature in the form of RFC 7518 §3. `None` if the implementation fails.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let signer = (provider().signer_factory)(&foreign(self.algorithm), &self.key).ok()?;
        signer.try_sign(message).ok()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.algorithm).finish()
    }
}

/// PKCS#8, or PKCS#1 of an RSA key: what the implementations read.
fn from_pem(text: &str, algorithm: SigningAlgorithm) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let is_rsa = rsa(algorithm);
    let (label, body) = armoured(text).ok_or(NOT_A_KEY)?;
    match label {
        "RSA PRIVATE KEY" if is_rsa => Ok(body),
        "EC PRIVATE KEY" => Err(CONVERT),
        "ENCRYPTED PRIVATE KEY" => Err(ENCRYPTED),
        "PRIVATE KEY" if is_rsa => inner_key(&body).ok_or(NOT_A_KEY),
        "PRIVATE KEY" => Ok(body),
        _ => Err(NOT_A_KEY),
    }
}

/// The first block of RFC 7468, and what it is called.
fn armoured(text: &str) -> Option<(&str, Zeroizing<Vec<u8>>)> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once("-----END ")?;
    let mut plain = Zeroizing::new(String::with_capacity(body.len()));
    plain.extend(body.chars().filter(|c| !c.is_ascii_whitespace()));
    let der = STANDARD.decode(plain.as_bytes()).ok()?;
    Some((label, Zeroizing::new(der)))
}

/// The key within PKCS#8 (RFC 5208 §5): after a version and an algorithm.
fn inner_key(mut pkcs8: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut members = take(&mut pkcs8, SEQUENCE)?;
    take(&mut members, super::der::INTEGER)?;
    take(&mut members, SEQUENCE)?;
    Some(Zeroizing::new(take(&mut members, OCTETS)?.to_vec()))
}

fn rsa(algorithm: SigningAlgorithm) -> bool {
    use SigningAlgorithm::{EdDsa, Es256, Es384};
    !matches!(algorithm, Es256 | Es384 | EdDsa)
}

fn from_jwk(jwk: &Jwk, algorithm: SigningAlgorithm) -> Option<Zeroizing<Vec<u8>>> {
    match (jwk.kty.as_str(), jwk.crv.as_str(), algorithm) {
        ("EC", "P-256", SigningAlgorithm::Es256) => ec(jwk, P256),
        ("EC", "P-384", SigningAlgorithm::Es384) => ec(jwk, P384),
        ("OKP", "Ed25519", SigningAlgorithm::EdDsa) => {
            let seed = element(OCTETS, &[&decoded(&jwk.d)?]);
            Some(pkcs8(&[ED25519], &seed))
        }
        ("RSA", "", algorithm) if rsa(algorithm) => rsa_key(jwk),
        _ => None,
    }
}

/// RFC 5915 §3 within RFC 5208 §5.
fn ec(jwk: &Jwk, curve: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (d, x, y) = (decoded(&jwk.d)?, decoded(&jwk.x)?, decoded(&jwk.y)?);
    let point = element(BIT_STRING, &[&[0, 4], &x, &y]);
    let point = element(PUBLIC_HALF, &[&point]);
    let key = [number(&[1]), element(OCTETS, &[&d]), point];
    let [version, d, point] = &key;
    Some(pkcs8(
        &[EC, curve],
        &element(SEQUENCE, &[version, d, point]),
    ))
}

fn pkcs8(algorithm: &[&[u8]], key: &[u8]) -> Zeroizing<Vec<u8>> {
    let ids: Vec<_> = algorithm
        .iter()
        .map(|id| element(OBJECT_ID, &[id]))
        .collect();
    let ids: Vec<&[u8]> = ids.iter().map(|id| id.as_slice()).collect();
    let algorithm = element(SEQUENCE, &ids);
    let key = element(OCTETS, &[key]);
    element(SEQUENCE, &[&number(&[0]), &algorithm, &key])
}

/// RFC 8017 §A.1.2.
fn rsa_key(jwk: &Jwk) -> Option<Zeroizing<Vec<u8>>> {
    let parts = [
        &jwk.n, &jwk.e, &jwk.d, &jwk.p, &jwk.q, &jwk.dp, &jwk.dq, &jwk.qi,
    ];
    let mut members = vec![number(&[0])];
    for part in parts {
        members.push(number(&decoded(part).filter(|digits| !digits.is_empty())?));
    }
    let members: Vec<&[u8]> = members.iter().map(|member| member.as_slice()).collect();
    Some(element(SEQUENCE, &members))
}

fn decoded(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    URL_SAFE_NO_PAD.decode(text).ok().map(Zeroizing::new)
}

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;
