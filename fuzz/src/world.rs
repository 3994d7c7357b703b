//! An authenticator whose issuers, keys and clock are in this process.

use std::cell::Cell;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use tower_mcp_auth::authenticator::Authenticator;
use tower_mcp_auth::clock::{Clock, UnixTime};
use tower_mcp_auth::fuzzing::Tokens;
use tower_mcp_auth::{AuthContext, Introspection, Issuer, Profile, ProtectedResource, Rejection};

pub const NOW: i64 = 1_700_000_000;
pub const RESOURCE: &str = "https://mcp.example.com/mcp";
pub const ISSUERS: [&str; 4] = [
    "https://strict.example.com",
    "https://okta.example.com",
    "https://cognito.example.com",
    "https://keycloak.example.com",
];
pub const CLIENTS: [&str; 2] = ["app-1", "app-2"];

/// Time stands still.
#[derive(Debug)]
pub struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(NOW)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(1)
    }
}

#[must_use]
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The same keys in every run, so that inputs mean the same.
pub struct Keys {
    pub ed: Ed25519KeyPair,
    pub es: EcdsaKeyPair,
}

/// RFC 8032 §7.1 test 1, and the P-256 key of RFC 7515 A.3.
pub static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let seed = crate::letters::url_safe("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
    let d = crate::letters::url_safe("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI").unwrap();
    let point = [&[4][..], &coordinate(EC_X), &coordinate(EC_Y)].concat();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    Keys {
        ed: Ed25519KeyPair::from_seed_unchecked(&seed).unwrap(),
        es: EcdsaKeyPair::from_private_key_and_public_key(algorithm, &d, &point).unwrap(),
    }
});
pub const EC_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
pub const EC_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

fn coordinate(text: &str) -> Vec<u8> {
    crate::letters::url_safe(text).unwrap()
}

impl Keys {
    #[must_use]
    pub fn jwk_set(&self) -> String {
        let x = encode(self.ed.public_key());
        format!(
            r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"ed","x":"{x}"}},{{"kty":"EC","crv":"P-256","kid":"es","x":"{EC_X}","y":"{EC_Y}"}}]}}"#
        )
    }

    /// `header.payload` with its signature.
    #[must_use]
    pub fn sign(&self, header: &[u8], payload: &[u8], ecdsa: bool) -> String {
        let signed = format!("{}.{}", encode(header), encode(payload));
        let signature = if ecdsa {
            let random = SystemRandom::new();
            encode(self.es.sign(&random, signed.as_bytes()).unwrap())
        } else {
            encode(self.ed.sign(signed.as_bytes()))
        };
        format!("{signed}.{signature}")
    }

    /// Whether the key of this name, or the one there is for the algorithm, made a signature.
    #[must_use]
    pub fn verify(&self, kid: Option<&str>, alg: &str, signed: &[u8], signature: &[u8]) -> Option<bool> {
        match (kid.unwrap_or(if alg == "EdDSA" { "ed" } else { "es" }), alg) {
            ("ed", "EdDSA") => {
                let key = UnparsedPublicKey::new(&ED25519, self.ed.public_key().as_ref());
                Some(key.verify(signed, signature).is_ok())
            }
            ("es", "ES256") => {
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.es.public_key().as_ref());
                Some(key.verify(signed, signature).is_ok())
            }
            _ => None,
        }
    }
}

/// What the introspection endpoint answers next.
static ANSWER: Mutex<Vec<u8>> = Mutex::new(Vec::new());

async fn answer(request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let host = request.uri().host().unwrap_or_default();
    let body = match request.uri().path() {
        "/introspect" => {
            let next = ANSWER.lock().unwrap_or_else(PoisonError::into_inner);
            next.clone().into()
        }
        "/keys" => KEYS.jwk_set().into(),
        _ => format!(r#"{{"issuer":"https://{host}","jwks_uri":"https://{host}/keys"}}"#).into(),
    };
    // What was asked for: a signed answer has a type of its own (RFC 9701 §4).
    let kind = request.headers().get("accept").cloned();
    let kind = kind.unwrap_or(HeaderValue::from_static("application/json"));
    let answer = Response::builder().header("content-type", kind);
    Ok(answer.body(Full::new(body)).unwrap())
}

#[must_use]
pub fn issuers() -> Vec<Issuer> {
    let profiles = [Profile::rfc9068(), Profile::okta(), Profile::cognito(CLIENTS), Profile::keycloak()];
    let all = ISSUERS.into_iter().zip(profiles);
    let all = all.map(|(name, profile)| Issuer::new(name).profile(profile));
    let mut all: Vec<_> = all.collect();
    all[0] = all[0].clone().organization_claim("org_id").audience("other-name");
    all[3] = all[3].clone().tenant_claim("/site/id");
    all
}

/// How the first issuer answers about opaque tokens.
#[derive(Clone, Copy, PartialEq)]
pub enum Answers {
    /// It has none.
    None,
    Plain,
    Signed,
}

#[must_use]
pub fn authenticator(answers: Answers) -> Authenticator {
    let mut resource = ProtectedResource::new(RESOURCE);
    for (index, issuer) in issuers().into_iter().enumerate() {
        let introspection =
            Introspection::new().endpoint("https://strict.example.com/introspect").client_secret_basic("us", "secret");
        resource = resource.issuer(match answers {
            Answers::Plain if index == 0 => issuer.introspection(introspection),
            Answers::Signed if index == 0 => issuer.introspection(introspection.signed_responses()),
            _ => issuer,
        });
    }
    Authenticator::builder(resource).fetch(tower::service_fn(answer)).clock(Stopped).build().unwrap()
}

thread_local! {
    static RUNTIME: tokio::runtime::Runtime = runtime();
    static TOKENS: Cell<u64> = const { Cell::new(0) };
}

/// What becomes of an opaque token about which its issuer answers this.
pub fn ask_about_one(auth: &Authenticator, answer: Vec<u8>) -> Result<AuthContext, Rejection> {
    // A token that nothing is known about yet; the tables that remember tokens are bounded.
    let number = TOKENS.with(|tokens| tokens.replace(tokens.get() + 1));
    *ANSWER.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    let request = Request::builder().header("authorization", format!("Bearer opaque-{number}"));
    let (parts, ()) = request.body(()).expect("a request").into_parts();
    RUNTIME.with(|runtime| runtime.block_on(auth.authenticate(&parts)))
}

/// Access and event tokens of the issuers, with keys at hand.
#[must_use]
pub fn tokens() -> Tokens {
    let auth = authenticator(Answers::None);
    let tokens = Tokens::new(&auth, issuers());
    runtime().block_on(tokens.warm_up()).unwrap();
    tokens
}

#[must_use]
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}
