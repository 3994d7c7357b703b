//! The issuer everyone trusts, and the requests everyone gets.

use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::Empty;
use serde_json::{Value, json};
use tower_mcp_auth::SigningAlgorithm;
use tower_mcp_auth::testing::{TestIssuer, TokenBuilder};

use crate::Failure;
use crate::case::Case;

/// The audience of every token.
pub const RESOURCE: &str = "https://mcp.example.com/mcp";
/// How long a token is good for, in seconds: longer than any run.
const LIFETIME: i64 = 80_000;
/// The algorithms of the issuer's keys, one key each.
const ALGORITHMS: [SigningAlgorithm; 3] = [
    SigningAlgorithm::Rs256,
    SigningAlgorithm::Es256,
    SigningAlgorithm::EdDsa,
];

/// What all layers share: one issuer on loopback.
pub struct World {
    issuer: TestIssuer,
    ring: usize,
}

impl World {
    /// Starts the issuer. `ring` is how many tokens a first-sight row goes round.
    ///
    /// # Errors
    /// If no port of loopback can be listened on.
    pub async fn start(ring: usize) -> Result<Self, Failure> {
        let issuer = TestIssuer::builder().algorithms(ALGORITHMS).start().await?;
        Ok(Self { issuer, ring })
    }

    /// The issuer.
    #[must_use]
    pub fn issuer(&self) -> &TestIssuer {
        &self.issuer
    }

    /// Where the key set is served.
    #[must_use]
    pub fn jwks_url(&self) -> String {
        self.issuer.endpoint("/jwks")
    }

    /// The key set's RSA keys alone, for peers whose key sets must hold no others.
    #[must_use]
    pub fn rsa_jwks(&self) -> Value {
        let kids = self.issuer.kids().into_iter();
        let keys: Vec<Value> = kids
            .map(|kid| self.issuer.public_jwk(&kid))
            .filter(|key| key["kty"] == "RSA")
            .collect();
        json!({ "keys": keys })
    }

    /// The public key of this algorithm, as DER `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// If the issuer has no key of the algorithm.
    pub fn public_der(&self, algorithm: SigningAlgorithm) -> Result<Vec<u8>, Failure> {
        let kids = self.issuer.kids().into_iter();
        kids.map(|kid| (self.issuer.public_jwk(&kid), kid))
            .find(|(key, _)| key["alg"] == algorithm.name())
            .map(|(_, kid)| self.issuer.public_der(&kid))
            .ok_or_else(|| format!("the issuer has no {algorithm} key").into())
    }

    /// A token of the size real issuers make (about 895 bytes with RS256).
    pub fn token(&self, algorithm: SigningAlgorithm) -> TokenBuilder {
        self.issuer
            .token(RESOURCE)
            .algorithm(algorithm)
            .expires_in(LIFETIME)
            .scope("read:issues write:issues")
            .claim("org_id", "org_0123456789")
            .claim("name", "Alice Liddell")
            .claim("email", "alice@acme.example")
            .claim("sid", "5f1c9a3e8b7d4f02a6c1d0e4b7f29a")
            .claim("roles", json!(["engineering", "on-call"]))
    }

    /// The `Authorization` values of a case, to be sent in turn.
    #[must_use]
    pub fn credentials(&self, case: Case) -> Vec<Option<HeaderValue>> {
        let rs256 = || self.token(SigningAlgorithm::Rs256);
        match case {
            Case::Missing => vec![None],
            Case::Garbage => vec![bearer("garbage")],
            Case::Rs256 => vec![bearer(&rs256().sign())],
            Case::Es256 => vec![bearer(&self.token(SigningAlgorithm::Es256).sign())],
            Case::EdDsa => vec![bearer(&self.token(SigningAlgorithm::EdDsa).sign())],
            Case::FirstSight => self.ring(SigningAlgorithm::Rs256),
            Case::FirstSightEs256 => self.ring(SigningAlgorithm::Es256),
            Case::FirstSightEdDsa => self.ring(SigningAlgorithm::EdDsa),
            Case::Expired => vec![bearer(&rs256().expires_in(-3_600).sign())],
            Case::UnknownKid => vec![bearer(&rs256().header("kid", "nobody").sign())],
            Case::BadSignature => vec![bearer(&rs256().tamper(turn_a_bit).sign())],
        }
    }

    fn ring(&self, algorithm: SigningAlgorithm) -> Vec<Option<HeaderValue>> {
        let token = self.token(algorithm);
        (0..self.ring).map(|_| bearer(&token.sign())).collect()
    }
}

#[expect(clippy::ptr_arg, reason = "what a tamper is")]
fn turn_a_bit(signature: &mut Vec<u8>) {
    if let Some(byte) = signature.get_mut(5) {
        *byte ^= 1;
    }
}

fn bearer(token: &str) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("Bearer {token}")).ok()
}

/// The request every row makes anew for every call, as a server would.
#[must_use]
pub fn request(authorization: Option<&HeaderValue>) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = http::Uri::from_static("/mcp");
    let headers = request.headers_mut();
    headers.insert("host", HeaderValue::from_static("mcp.example.com"));
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    if let Some(value) = authorization {
        headers.insert("authorization", value.clone());
    }
    request
}
