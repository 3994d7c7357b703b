//! Makes tokens that are perfect but for what a mutation does to them.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tower_mcp_auth::SigningAlgorithm::{self, EdDsa, Es256, Ps256};
use tower_mcp_auth::testing::TestIssuer;

use super::dice::Dice;
use crate::support::{I, NOW, R};

/// What the RFCs say of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// A perfect token: not to accept it makes every other verdict worthless.
    Good,
    Must,
    /// May be refused.
    May,
}

impl Label {
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Must => "must refuse",
            Self::May => "may refuse",
        }
    }
}

/// One way to spoil a token, named `family/what`.
#[derive(Clone, Copy)]
pub struct Mutation {
    pub name: &'static str,
    pub label: Label,
    pub forge: fn(&mut Forge) -> String,
}

pub const fn must(name: &'static str, forge: fn(&mut Forge) -> String) -> Mutation {
    let label = Label::Must;
    Mutation { name, label, forge }
}

pub const fn may(name: &'static str, forge: fn(&mut Forge) -> String) -> Mutation {
    let label = Label::May;
    Mutation { name, label, forge }
}

pub const fn good(name: &'static str, forge: fn(&mut Forge) -> String) -> Mutation {
    let label = Label::Good;
    Mutation { name, label, forge }
}

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(rsa::KeyPair),
}

pub struct Key {
    pub kid: String,
    pub algorithm: SigningAlgorithm,
    pub jwk: Value,
    pub pem: String,
    pub der: Vec<u8>,
    pair: Pair,
}

impl Key {
    fn of(issuer: &TestIssuer, kid: &str) -> Self {
        let jwk = issuer.public_jwk(kid);
        let algorithm = SigningAlgorithm::from_name(jwk["alg"].as_str().unwrap()).unwrap();
        let private = issuer.private_der(kid);
        let pair = match algorithm {
            Es256 => Pair::Ecdsa(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &private).unwrap(),
            ),
            EdDsa => Pair::Ed25519(Ed25519KeyPair::from_pkcs8(&private).unwrap()),
            _ => Pair::Rsa(rsa::KeyPair::from_pkcs8(&private).unwrap()),
        };
        Self {
            kid: kid.to_owned(),
            algorithm,
            pem: issuer.public_pem(kid),
            der: issuer.public_der(kid),
            jwk,
            pair,
        }
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let encoding: &dyn RsaEncoding = match self.algorithm {
            Ps256 => &RSA_PSS_SHA256,
            _ => &RSA_PKCS1_SHA256,
        };
        self.sign_as(encoding, message)
    }

    /// Under another RSA algorithm than the key's own.
    pub fn sign_as_other(&self, other: &str, message: &[u8]) -> Vec<u8> {
        let encoding: &dyn RsaEncoding = match other {
            "PS256" => &RSA_PSS_SHA256,
            "RS512" => &RSA_PKCS1_SHA512,
            _ => &RSA_PKCS1_SHA256,
        };
        self.sign_as(encoding, message)
    }

    fn sign_as(&self, encoding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ecdsa(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature)
                    .unwrap();
                signature
            }
        }
    }
}

/// Members in their order, values as raw JSON: anything can be written, twice if need be.
#[derive(Clone, Debug, Default)]
pub struct Members(Vec<(String, String)>);

impl Members {
    pub fn set(&mut self, name: &str, raw: impl Into<String>) {
        self.remove(name);
        self.add(name, raw);
    }

    /// After all others, and whether there is one of that name already or not.
    pub fn add(&mut self, name: &str, raw: impl Into<String>) {
        self.0.push((name.to_owned(), raw.into()));
    }

    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(member, _)| member != name);
    }

    pub fn text(&self) -> String {
        let members: Vec<String> = self
            .0
            .iter()
            .map(|(name, raw)| format!("\"{name}\":{raw}"))
            .collect();
        format!("{{{}}}", members.join(","))
    }
}

pub struct Forge {
    pub dice: Dice,
    pub keys: Vec<Key>,
    /// Somebody else's keys, under the same ids.
    pub attackers: Vec<Key>,
    /// The key that signs this token.
    turn: usize,
    count: usize,
    pub header: Members,
    pub claims: Members,
}

impl Forge {
    pub fn new(issuer: &TestIssuer, seed: u64) -> Self {
        let keys: Vec<Key> = issuer
            .kids()
            .iter()
            .map(|kid| Key::of(issuer, kid))
            .collect();
        let attackers = keys.iter().map(|key| {
            let other = TestIssuer::builder()
                .algorithms([key.algorithm])
                .key_id(key.kid.clone())
                .in_process();
            Key::of(&other, &key.kid)
        });
        Self {
            dice: Dice::new(seed),
            attackers: attackers.collect(),
            keys,
            turn: 0,
            count: 0,
            header: Members::default(),
            claims: Members::default(),
        }
    }

    /// Begins a perfect token, for the next algorithm.
    pub fn next_token(&mut self) {
        self.turn = (self.turn + 1) % self.keys.len();
        self.count += 1;
        self.renew();
    }

    /// Goes on to a key of this algorithm.
    pub fn turn_to(&mut self, algorithm: SigningAlgorithm) {
        self.turn = self
            .keys
            .iter()
            .position(|key| key.algorithm == algorithm)
            .unwrap();
        self.renew();
    }

    fn renew(&mut self) {
        let key = &self.keys[self.turn];
        let mut header = Members::default();
        header.set("typ", "\"at+jwt\"");
        header.set("alg", format!("\"{}\"", key.algorithm.name()));
        header.set("kid", format!("\"{}\"", key.kid));
        let mut claims = Members::default();
        claims.set("iss", format!("\"{I}\""));
        claims.set("sub", format!("\"user-{}\"", self.count));
        claims.set("aud", format!("\"{R}\""));
        claims.set("client_id", "\"test-client\"");
        claims.set("iat", (NOW - 5).to_string());
        claims.set("exp", (NOW + 300).to_string());
        claims.set("jti", format!("\"token-{}\"", self.count));
        claims.set("scope", "\"read:issues\"");
        (self.header, self.claims) = (header, claims);
    }

    pub fn key(&self) -> &Key {
        &self.keys[self.turn]
    }

    /// A key of another algorithm.
    pub fn other_key(&mut self) -> &Key {
        let step = 1 + self.dice.below(self.keys.len() - 1);
        &self.keys[(self.turn + step) % self.keys.len()]
    }

    pub fn attacker(&self) -> &Key {
        &self.attackers[self.turn]
    }

    /// Header and payload as they stand, joined.
    pub fn message(&self) -> String {
        format!(
            "{}.{}",
            base64url(self.header.text()),
            base64url(self.claims.text())
        )
    }

    /// The token as it stands.
    pub fn sign(&self) -> String {
        self.sign_message(&self.message())
    }

    pub fn sign_message(&self, message: &str) -> String {
        format!(
            "{message}.{}",
            base64url(self.key().sign(message.as_bytes()))
        )
    }

    /// With these bytes as the payload.
    pub fn sign_payload(&self, payload: impl AsRef<[u8]>) -> String {
        self.sign_message(&format!(
            "{}.{}",
            base64url(self.header.text()),
            base64url(payload)
        ))
    }

    /// With these bytes as the header.
    pub fn sign_header(&self, header: impl AsRef<[u8]>) -> String {
        self.sign_message(&format!(
            "{}.{}",
            base64url(header),
            base64url(self.claims.text())
        ))
    }

    pub fn sign_by_attacker(&self) -> String {
        let message = self.message();
        format!(
            "{message}.{}",
            base64url(self.attacker().sign(message.as_bytes()))
        )
    }

    /// Signed by HMAC with this secret, as `alg` says.
    pub fn sign_by_hmac(&mut self, secret: &[u8]) -> String {
        let (name, algorithm) = *self.dice.pick(&[
            ("HS256", hmac::HMAC_SHA256),
            ("HS384", hmac::HMAC_SHA384),
            ("HS512", hmac::HMAC_SHA512),
        ]);
        self.header.set("alg", format!("\"{name}\""));
        let message = self.message();
        let tag = hmac::sign(&hmac::Key::new(algorithm, secret), message.as_bytes());
        format!("{message}.{}", base64url(tag))
    }

    /// With these bytes, made from the true signature, in its place.
    pub fn sign_and(&self, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
        let message = self.message();
        let signature = change(self.key().sign(message.as_bytes()));
        format!("{message}.{}", base64url(signature))
    }

    /// With this claim.
    pub fn claim(&mut self, name: &str, raw: impl Into<String>) -> String {
        self.claims.set(name, raw);
        self.sign()
    }

    /// With one of these values for a claim.
    pub fn claim_of(&mut self, name: &str, raw: &[&str]) -> String {
        let raw = *self.dice.pick(raw);
        self.claim(name, raw)
    }

    /// With this header member.
    pub fn member(&mut self, name: &str, raw: impl Into<String>) -> String {
        self.header.set(name, raw);
        self.sign()
    }

    /// With one of these values for a header member.
    pub fn member_of(&mut self, name: &str, raw: &[&str]) -> String {
        let raw = *self.dice.pick(raw);
        self.member(name, raw)
    }
}
