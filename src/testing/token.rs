//! Access tokens, perfect by default and breakable in every part.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::{digest, hmac};
use serde_json::{Map, Value, json};

use super::dpop::DpopKey;
use super::encoding::{base64url, random};
use super::keys::SigningKey;
use super::state::State;
use crate::algorithm::SigningAlgorithm;

type Tamper = Arc<dyn Fn(&mut Vec<u8>) + Send + Sync>;

/// Set to a value, or taken away.
type Changes = BTreeMap<String, Option<Value>>;

/// An access token about to be signed, from [`TestIssuer::token`](super::TestIssuer::token).
///
/// Left alone it is a token as RFC 9068 §2 wants it: header `typ` `at+jwt`, `alg`, `kid`; claims
/// `iss`, `sub` (`alice`), `client_id` (`test-client`), `aud`, `iat`, `exp` (300 s later), `jti`
/// (new in every token) and `scope` (the issuer's baseline), and the claims given to the builder
/// for every token and for this subject. Each method changes one thing; later calls win.
///
/// [`sign`](Self::sign) may be called more than once: times and `jti` are those of the call.
#[derive(Clone)]
#[must_use = "a token is made by `sign`"]
pub struct TokenBuilder {
    issuer: Arc<State>,
    claims: Changes,
    header: Changes,
    issued_in: i64,
    expires_in: i64,
    raw_claims: Option<String>,
    raw_header: Option<String>,
    algorithm: Option<SigningAlgorithm>,
    kid: Option<String>,
    signature: Signature,
    twin: bool,
    tampers: Vec<Tamper>,
}

#[derive(Clone)]
enum Signature {
    Key,
    Hmac(Vec<u8>),
    Absent,
}

impl TokenBuilder {
    pub(super) fn new(issuer: Arc<State>, audience: Value) -> Self {
        Self {
            issuer,
            claims: BTreeMap::from([("aud".to_owned(), Some(audience))]),
            header: BTreeMap::new(),
            issued_in: 0,
            expires_in: 300,
            raw_claims: None,
            raw_header: None,
            algorithm: None,
            kid: None,
            signature: Signature::Key,
            twin: false,
            tampers: Vec::new(),
        }
    }

    /// Sets `sub`, and with it the claims of that user of the issuer, if it is one.
    pub fn subject(self, subject: impl Into<String>) -> Self {
        self.claim("sub", subject.into())
    }

    /// Sets `client_id`.
    pub fn client(self, client_id: impl Into<String>) -> Self {
        self.claim("client_id", client_id.into())
    }

    /// Sets `scope`: names separated by spaces (RFC 8693 §4.2).
    pub fn scope(self, scope: impl Into<String>) -> Self {
        self.claim("scope", scope.into())
    }

    /// Sets `aud`: a string, or with `json!` an array or anything else.
    pub fn audience(self, audience: impl Into<Value>) -> Self {
        self.claim("aud", audience)
    }

    /// Sets a claim, also one of the registered ones.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), Some(value.into()));
        self
    }

    /// Binds the token to a client's key (`cnf.jkt`, RFC 9449 §6.1), besides what it is bound to.
    pub fn dpop_key(self, key: &DpopKey) -> Self {
        self.bound_by("jkt", key.thumbprint())
    }

    /// Binds the token to a client certificate in DER (`cnf.x5t#S256`, RFC 8705 §3.1), besides what it
    /// is bound to.
    pub fn certificate(self, der: impl AsRef<[u8]>) -> Self {
        let hash = digest::digest(&digest::SHA256, der.as_ref());
        self.bound_by("x5t#S256", base64url(hash))
    }

    fn bound_by(mut self, member: &str, thumbprint: String) -> Self {
        let bound = self.claims.remove("cnf").flatten();
        let mut bound = bound.unwrap_or_else(|| json!({}));
        if let Value::Object(members) = &mut bound {
            members.insert(member.into(), thumbprint.into());
        }
        self.claim("cnf", bound)
    }

    /// Takes a claim away.
    pub fn without(mut self, name: impl Into<String>) -> Self {
        self.claims.insert(name.into(), None);
        self
    }

    /// Sets a header parameter. It may contradict the key: the signature stays that of the key.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.header.insert(name.into(), Some(value.into()));
        self
    }

    /// Takes a header parameter away.
    pub fn without_header(mut self, name: impl Into<String>) -> Self {
        self.header.insert(name.into(), None);
        self
    }

    /// Signs with the issuer's newest key of this algorithm, and names it in `alg`.
    pub fn algorithm(mut self, algorithm: SigningAlgorithm) -> Self {
        self.algorithm = Some(algorithm);
        self
    }

    /// Signs with this key, published or not, and names it in `kid`.
    ///
    /// With an RSA key, [`algorithm`](Self::algorithm) may choose any RSA algorithm.
    pub fn key(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into());
        self
    }

    /// Sets `exp`, in seconds from the issuer's now; negative is in the past.
    pub fn expires_in(mut self, seconds: i64) -> Self {
        self.expires_in = seconds;
        self.claims.remove("exp");
        self
    }

    /// Sets `iat`, in seconds from the issuer's now; negative is in the past.
    pub fn issued_in(mut self, seconds: i64) -> Self {
        self.issued_in = seconds;
        self.claims.remove("iat");
        self
    }

    /// Takes this text as the payload, byte for byte: for duplicate members, `1e400`, or no JSON.
    pub fn raw_claims(mut self, text: impl Into<String>) -> Self {
        self.raw_claims = Some(text.into());
        self
    }

    /// Takes this text as the header, byte for byte.
    pub fn raw_header(mut self, text: impl Into<String>) -> Self {
        self.raw_header = Some(text.into());
        self
    }

    /// Changes the finished signature's bytes, before they are encoded.
    pub fn tamper(mut self, change: impl Fn(&mut Vec<u8>) + Send + Sync + 'static) -> Self {
        self.tampers.push(Arc::new(change));
        self
    }

    /// Makes an unsecured token: `alg` `none`, no signature (RFC 7519 §6).
    pub fn unsigned(mut self) -> Self {
        self.signature = Signature::Absent;
        self
    }

    /// Signs by HS256 with this secret, such as an issuer's public key in PEM: the key confusion
    /// of RFC 8725 §2.1. `kid` stays that of the key it pretends to be.
    pub fn hmac(mut self, secret: impl AsRef<[u8]>) -> Self {
        self.signature = Signature::Hmac(secret.as_ref().to_vec());
        self
    }

    /// Signs by ES256 and replaces the signature (r, s) by its twin (r, n − s), which is valid as
    /// well: other bytes, same token. For tests of what identifies a token.
    pub fn es256_twin(mut self) -> Self {
        self.twin = true;
        self.algorithm(SigningAlgorithm::Es256)
    }

    /// The token in compact form (RFC 7515 §7.1).
    ///
    /// # Panics
    /// If the issuer has no key of the id or the algorithm asked for. A custom header never causes
    /// a panic.
    #[must_use]
    pub fn sign(&self) -> String {
        let key = self.signing_key();
        let algorithm = self.algorithm.unwrap_or(key.algorithm());
        let header = match &self.raw_header {
            Some(text) => text.clone(),
            None => Value::Object(self.headers(&key, algorithm)).to_string(),
        };
        let claims = match &self.raw_claims {
            Some(text) => text.clone(),
            None => Value::Object(self.claims()).to_string(),
        };
        let message = format!("{}.{}", base64url(header), base64url(claims));
        let mut signature = match &self.signature {
            Signature::Key => key.sign(algorithm, message.as_bytes()),
            Signature::Hmac(secret) => {
                let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&secret, message.as_bytes()).as_ref().to_vec()
            }
            Signature::Absent => Vec::new(),
        };
        if self.twin {
            replace_by_twin(&mut signature);
        }
        self.tampers
            .iter()
            .for_each(|tamper| tamper(&mut signature));
        format!("{message}.{}", base64url(signature))
    }

    /// A token without any content, which the introspection endpoint knows: active until `exp`,
    /// and what was set here is said about it (RFC 7662 §2.2). Header and signature do not count.
    /// [`raw_claims`](Self::raw_claims) are the answer, byte for byte.
    #[must_use]
    pub fn opaque(&self) -> String {
        let said = self.raw_claims.clone().unwrap_or_else(|| {
            let mut said = Map::new();
            said.insert("active".into(), true.into());
            said.insert("token_type".into(), "Bearer".into());
            said.extend(self.claims());
            apply(&self.claims, &mut said);
            Value::Object(said).to_string()
        });
        self.issuer.introspections().issue(said)
    }

    fn signing_key(&self) -> Arc<SigningKey> {
        let keys = self.issuer.keys();
        match (&self.kid, self.algorithm) {
            (Some(kid), _) => keys
                .by_id(kid)
                .unwrap_or_else(|| panic!("the test issuer has no key {kid:?}")),
            (None, Some(algorithm)) => keys.by_algorithm(algorithm).unwrap_or_else(|| {
                panic!("the test issuer has no {algorithm} key: name it in `algorithms`")
            }),
            (None, None) => keys.signer(),
        }
    }

    fn headers(&self, key: &SigningKey, algorithm: SigningAlgorithm) -> Map<String, Value> {
        let alg = match self.signature {
            Signature::Key => algorithm.name(),
            Signature::Hmac(_) => "HS256",
            Signature::Absent => "none",
        };
        let mut header = Map::new();
        header.insert("typ".into(), "at+jwt".into());
        header.insert("alg".into(), alg.into());
        header.insert("kid".into(), key.kid().into());
        apply(&self.header, &mut header);
        header
    }

    fn claims(&self) -> Map<String, Value> {
        let settings = self.issuer.settings();
        let now = settings.clock.now();
        let mut claims = Map::new();
        let defaults = json!({
            "iss": self.issuer.url(),
            "sub": "alice",
            "client_id": "test-client",
            "iat": now.plus_secs(self.issued_in).as_secs(),
            "exp": now.plus_secs(self.expires_in).as_secs(),
            "jti": random::<16>(),
            "scope": settings.baseline_scopes.join(" "),
        });
        if let Value::Object(defaults) = defaults {
            claims.extend(defaults);
        }
        if settings.baseline_scopes.is_empty() {
            claims.remove("scope");
        }
        claims.extend(settings.claims.clone());
        let subject = match self.claims.get("sub") {
            Some(Some(Value::String(subject))) => subject,
            _ => "alice",
        };
        if let Some(user) = settings.users.iter().find(|user| user.subject == subject) {
            claims.extend(user.claims.clone());
        }
        apply(&self.claims, &mut claims);
        claims
    }
}

impl fmt::Debug for TokenBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenBuilder")
            .field("header", &self.header)
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}

fn apply(changes: &Changes, members: &mut Map<String, Value>) {
    for (name, value) in changes {
        match value {
            Some(value) => members.insert(name.clone(), value.clone()),
            None => members.remove(name),
        };
    }
}

/// The order of the P-256 group (FIPS 186-5, SP 800-186 §3.2.1.3), big-endian.
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// Subtracts s, the second half of a P-256 signature, from the group's order.
pub(super) fn replace_by_twin(signature: &mut [u8]) {
    let Some((_, s)) = signature.split_at_mut_checked(32) else {
        return;
    };
    let mut borrow = false;
    for (digit, order) in s.iter_mut().zip(P256_ORDER).rev() {
        let (difference, first) = order.overflowing_sub(*digit);
        let (difference, second) = difference.overflowing_sub(u8::from(borrow));
        *digit = difference;
        borrow = first || second;
    }
}
