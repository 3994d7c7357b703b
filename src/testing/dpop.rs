//! The client's side of DPoP (RFC 9449): a key, and proofs that are good or broken in one place.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::{digest, hmac};
use serde_json::{Map, Value, json};

use super::encoding::{base64url, random};
use super::keys::SigningKey;
use crate::algorithm::SigningAlgorithm;
use crate::clock::{Clock, SystemClock, UnixTime};

type Changes = BTreeMap<String, Option<Value>>;

/// A client's key pair, for tokens bound to it and for proofs by it.
///
/// ```
/// use tower_mcp_auth::testing::{DpopKey, TestIssuer};
///
/// const MCP: &str = "https://mcp.example.com/mcp";
/// let issuer = TestIssuer::builder().in_process();
/// let key = DpopKey::generate();
/// let token = issuer.token(MCP).dpop_key(&key).sign();
/// let request = http::Request::post("/mcp")
///     .header("authorization", format!("DPoP {token}"))
///     .header("dpop", key.proof("POST", MCP, &token).sign());
/// # assert!(request.body(()).is_ok());
/// ```
#[derive(Clone)]
pub struct DpopKey(Arc<SigningKey>);

impl DpopKey {
    /// A new key for ES256.
    #[must_use]
    pub fn generate() -> Self {
        Self::with_algorithm(SigningAlgorithm::Es256)
    }

    /// A new key for this algorithm.
    #[must_use]
    pub fn with_algorithm(algorithm: SigningAlgorithm) -> Self {
        Self(Arc::new(SigningKey::generate(algorithm, String::new())))
    }

    /// The public half (RFC 7517), without `kid`, `alg` and `use`.
    #[must_use]
    pub fn public_jwk(&self) -> Value {
        let mut jwk = self.0.jwk();
        if let Value::Object(members) = &mut jwk {
            members.retain(|name, _| !["kid", "alg", "use"].contains(&name.as_str()));
        }
        jwk
    }

    /// The thumbprint that stands in `cnf.jkt` (RFC 7638, RFC 9449 §6.1).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        // Members of a map are in the order of their names, as the RFC wants them.
        base64url(digest::digest(
            &digest::SHA256,
            self.public_jwk().to_string().as_bytes(),
        ))
    }

    /// A proof for a request with this token, perfect unless you break it.
    pub fn proof(
        &self,
        method: impl Into<String>,
        url: impl Into<String>,
        token: impl AsRef<[u8]>,
    ) -> ProofBuilder {
        let ath = base64url(digest::digest(&digest::SHA256, token.as_ref()));
        ProofBuilder {
            key: self.clone(),
            claims: BTreeMap::new(),
            header: BTreeMap::new(),
            about: json!({"htm": method.into(), "htu": url.into(), "ath": ath}),
            at: None,
            raw: [None, None],
            hmac: None,
            tampered: false,
        }
    }
}

impl fmt::Debug for DpopKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DpopKey").field(&self.thumbprint()).finish()
    }
}

/// A proof about to be signed, from [`DpopKey::proof`].
///
/// Left alone it is as RFC 9449 §4.2 wants it: header `typ`, `alg`, `jwk`; claims `jti` (new in every
/// proof), `htm`, `htu`, `iat` (now) and `ath`. Each method changes one thing; later calls win.
#[derive(Clone)]
#[must_use = "a proof is made by `sign`"]
pub struct ProofBuilder {
    key: DpopKey,
    claims: Changes,
    header: Changes,
    about: Value,
    at: Option<UnixTime>,
    /// Header and payload.
    raw: [Option<String>; 2],
    hmac: Option<Vec<u8>>,
    tampered: bool,
}

impl ProofBuilder {
    /// Sets `iat`. Default: the machine's clock.
    pub fn at(mut self, time: UnixTime) -> Self {
        self.at = Some(time);
        self
    }

    /// Sets `nonce`.
    pub fn nonce(self, nonce: impl Into<String>) -> Self {
        self.claim("nonce", nonce.into())
    }

    /// Sets a claim, also one of the registered ones.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), Some(value.into()));
        self
    }

    /// Takes a claim away.
    pub fn without(mut self, name: impl Into<String>) -> Self {
        self.claims.insert(name.into(), None);
        self
    }

    /// Sets a header parameter. The signature stays that of the key.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.header.insert(name.into(), Some(value.into()));
        self
    }

    /// Takes a header parameter away.
    pub fn without_header(mut self, name: impl Into<String>) -> Self {
        self.header.insert(name.into(), None);
        self
    }

    /// Takes this text as the header, byte for byte.
    pub fn raw_header(mut self, text: impl Into<String>) -> Self {
        self.raw[0] = Some(text.into());
        self
    }

    /// Takes this text as the payload, byte for byte.
    pub fn raw_claims(mut self, text: impl Into<String>) -> Self {
        self.raw[1] = Some(text.into());
        self
    }

    /// Signs by HS256 with this secret instead, and says so in `alg`.
    pub fn hmac(mut self, secret: impl AsRef<[u8]>) -> Self {
        self.hmac = Some(secret.as_ref().to_vec());
        self.header("alg", "HS256")
    }

    /// Changes one byte of the signature.
    pub fn tamper(mut self) -> Self {
        self.tampered = true;
        self
    }

    /// The payload as it would be signed now, with a new `jti`.
    #[must_use]
    pub fn claims_text(&self) -> String {
        let now = || SystemClock::new().now();
        let mut claims = Map::new();
        claims.insert("jti".into(), random::<16>().into());
        claims.insert("iat".into(), self.at.unwrap_or_else(now).as_secs().into());
        if let Value::Object(about) = &self.about {
            claims.extend(about.clone());
        }
        changed(claims, &self.claims)
    }

    /// The header as it would be signed.
    #[must_use]
    pub fn header_text(&self) -> String {
        let mut header = Map::new();
        header.insert("typ".into(), "dpop+jwt".into());
        header.insert("alg".into(), self.key.0.algorithm().name().into());
        header.insert("jwk".into(), self.key.public_jwk());
        changed(header, &self.header)
    }

    /// The proof in compact form.
    #[must_use]
    pub fn sign(&self) -> String {
        let [header, claims] = &self.raw;
        let header = header.clone().unwrap_or_else(|| self.header_text());
        let claims = claims.clone().unwrap_or_else(|| self.claims_text());
        let message = format!("{}.{}", base64url(header), base64url(claims));
        let key = &self.key.0;
        let mut signature = match &self.hmac {
            None => key.sign(key.algorithm(), message.as_bytes()),
            Some(secret) => {
                let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&secret, message.as_bytes()).as_ref().to_vec()
            }
        };
        if self.tampered {
            signature[5] ^= 1;
        }
        format!("{message}.{}", base64url(signature))
    }
}

impl fmt::Debug for ProofBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProofBuilder")
            .field("about", &self.about)
            .field("claims", &self.claims)
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

fn changed(mut members: Map<String, Value>, changes: &Changes) -> String {
    for (name, value) in changes {
        match value {
            Some(value) => members.insert(name.clone(), value.clone()),
            None => members.remove(name),
        };
    }
    Value::Object(members).to_string()
}
