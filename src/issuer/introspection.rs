//! How an issuer is asked about tokens that say nothing themselves (RFC 7662).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::examine_url;
use crate::algorithm::SigningAlgorithm;
use crate::error::Problems;
use crate::secret::SecretText;

/// The longest an answer serves.
const LONGEST: Duration = Duration::from_secs(30);

/// Opaque access tokens: the issuer is asked what each one is worth (RFC 7662).
///
/// ```
/// use tower_mcp_auth::{Introspection, Issuer};
///
/// let issuer = Issuer::new("https://auth.example.com/t1").introspection(
///     Introspection::new()
///         .client_secret_basic("mcp-server", std::env::var("SECRET").unwrap_or_default())
///         .token_prefix("ory_at_"),
/// );
/// ```
///
/// # Which tokens
///
/// A Bearer credential that is no API token of this server and has not the shape of a JWT: two dots,
/// or four. JWTs of the issuer are judged by its keys as before, and never shown to anybody. Where several issuers
/// are asked, each must say which tokens are its own ([`token_prefix`](Self::token_prefix),
/// [`recognises`](Self::recognises)): a token is shown to the one issuer that has it, and to nobody
/// if two claim it.
///
/// # What is believed
///
/// `active` must be the JSON value `true`; a token of which anything else is said is refused. `iss`,
/// `exp` and `nbf` count if they are there, `aud` must name this resource
/// ([`answers_only_for_this_resource`](Self::answers_only_for_this_resource) for endpoints that
/// write none), and everything else is judged as in a JWT. A token without `sub` is its client's
/// own, unless a `username` says that somebody stands behind it. A token bound to a key (`cnf`,
/// `token_type` `DPoP`) is refused as a plain Bearer token.
///
/// # How often it is asked
///
/// A good answer serves for [`lifetime`](Self::lifetime) and never beyond the token's `exp`; that a
/// token is not active, for 5 s. Requests with the same token share one call. What is in use is
/// asked again ahead of time, so that no request waits for it. At most 64 calls are under way, 256
/// more wait, and a call takes 2 s at most. After five failures of the endpoint in a row it is left
/// alone for 1 to 25 s between attempts. Where nobody can say whether a token is good, the client gets
/// 503 and keeps it. Tokens are found again by an HMAC-SHA-256 under a key of this process; none is
/// kept, but for the time that a call or a response stream of it goes on.
///
/// Nothing is checked here: every mistake is reported, together with all others, when the
/// [`Authenticator`](crate::Authenticator) is built.
#[derive(Clone)]
pub struct Introspection {
    pub(crate) endpoint: Option<String>,
    /// One; more is a mistake.
    pub(crate) clients: Vec<Client>,
    pub(crate) only_for_us: bool,
    pub(crate) recognisers: Vec<Recogniser>,
    pub(crate) signed: bool,
    pub(crate) lifetime: Duration,
}

/// Who this server is to the issuer.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) proof: Proof,
}

/// How it shows that.
#[derive(Clone)]
pub(crate) enum Proof {
    /// RFC 6749 §2.3.1, in `Authorization`.
    Basic(Arc<SecretText>),
    /// The same in the form.
    Post(Arc<SecretText>),
    /// RFC 7523 §2.2: the text of a private key.
    Key(Arc<SecretText>, SigningAlgorithm, Option<String>),
    /// By the connection (RFC 8705 §2).
    Connection,
}

/// Tells tokens of an issuer by their shape.
#[derive(Clone)]
pub(crate) enum Recogniser {
    Prefix(String),
    Function(Arc<dyn Fn(&str) -> bool + Send + Sync>),
}

impl Default for Introspection {
    fn default() -> Self {
        Self::new()
    }
}

impl Introspection {
    /// Asks the `introspection_endpoint` of the issuer's metadata (RFC 8414 §2). Needs one way for
    /// this server to authenticate.
    #[must_use]
    pub fn new() -> Self {
        Self {
            endpoint: None,
            clients: Vec::new(),
            only_for_us: false,
            recognisers: Vec::new(),
            signed: false,
            lifetime: LONGEST,
        }
    }

    /// Where to ask, for an issuer whose metadata does not say. HTTPS, except on loopback.
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// Authenticates by a secret in `Authorization: Basic`, id and secret form-encoded as RFC 6749
    /// §2.3.1 says.
    #[must_use]
    pub fn client_secret_basic(self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.client(id, Proof::Basic(kept(secret)))
    }

    /// Authenticates by a secret in the form, for issuers that take no other way (RFC 6749 §2.3.1).
    #[must_use]
    pub fn client_secret_post(self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.client(id, Proof::Post(kept(secret)))
    }

    /// Authenticates by a signed assertion (`private_key_jwt`, RFC 7523 §2.2), made for each call,
    /// addressed to the issuer's identifier and good for 60 s. The key is a private JWK, or PEM:
    /// PKCS#8 (`BEGIN PRIVATE KEY`) or, for RSA, PKCS#1. The `kid` of a JWK is named in the header;
    /// of a PEM see [`key_id`](Self::key_id).
    #[must_use]
    pub fn private_key_jwt(
        self,
        id: impl Into<String>,
        key: impl Into<String>,
        algorithm: SigningAlgorithm,
    ) -> Self {
        self.client(id, Proof::Key(kept(key), algorithm, None))
    }

    /// The `kid` that the assertions of the [`private_key_jwt`](Self::private_key_jwt) before this
    /// name.
    #[must_use]
    pub fn key_id(mut self, kid: impl Into<String>) -> Self {
        if let Some(Client {
            proof: Proof::Key(_, _, named),
            ..
        }) = self.clients.last_mut()
        {
            *named = Some(kid.into());
        }
        self
    }

    /// Says who it is and nothing more (`client_id` in the form): for issuers that know this server
    /// by its TLS certificate (RFC 8705 §2). The certificate is your
    /// [`fetch`](crate::authenticator::AuthenticatorBuilder::fetch)'s.
    #[must_use]
    pub fn client_id(self, id: impl Into<String>) -> Self {
        self.client(id, Proof::Connection)
    }

    fn client(mut self, id: impl Into<String>, proof: Proof) -> Self {
        let id = id.into();
        self.clients.push(Client { id, proof });
        self
    }

    /// Takes answers without `aud` (absent, `null` or `[]`), if they say what kind of token it is
    /// (`token_type` or `token_use`): issuers answer about refresh tokens too.
    ///
    /// An attacker gains: if the endpoint answers for tokens of other resources too, whoever runs
    /// one of those can use the tokens it is sent here. Say this only of an endpoint that calls
    /// every token inactive that was not issued for this resource.
    #[must_use]
    pub fn answers_only_for_this_resource(mut self) -> Self {
        self.only_for_us = true;
        self
    }

    /// Tokens with this beginning are this issuer's, such as `ory_at_`. May be called several times.
    /// Default, for the only issuer that is asked: every token.
    #[must_use]
    pub fn token_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.recognisers.push(Recogniser::Prefix(prefix.into()));
        self
    }

    /// Tokens of which this is true are this issuer's. By the shape alone: called on the thread of
    /// the request, it must be quick and must not block.
    #[must_use]
    pub fn recognises(mut self, own: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.recognisers.push(Recogniser::Function(Arc::new(own)));
        self
    }

    /// Asks for signed answers and takes no others (RFC 9701): `typ` `token-introspection+jwt`,
    /// verified by the issuer's keys and [algorithms](crate::Issuer::algorithms), `aud` this
    /// server's client id or resource. So nobody between can say that a token is good. Encrypted
    /// answers are not taken.
    #[must_use]
    pub fn signed_responses(mut self) -> Self {
        self.signed = true;
        self
    }

    /// How long a good answer serves, and so how long a token outlives its revocation at the issuer.
    /// 1 to 30 s. Default 30 s.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Whether a credential is this issuer's, by its shape.
    pub(crate) fn claims(&self, credential: &str) -> bool {
        self.recognisers.is_empty()
            || self.recognisers.iter().any(|recogniser| match recogniser {
                Recogniser::Prefix(prefix) => credential.starts_with(prefix),
                Recogniser::Function(own) => own(credential),
            })
    }

    /// Adds every mistake to `problems` but those of a private key; `field` names this setting.
    pub(super) fn examine(&self, field: &str, problems: &mut Problems) {
        if let Some(endpoint) = &self.endpoint {
            examine_url(&format!("{field}.endpoint"), endpoint, problems);
        }
        self.examine_client(field, problems);
        let empty = |recogniser: &Recogniser| matches!(recogniser, Recogniser::Prefix(prefix) if prefix.is_empty());
        if self.recognisers.iter().any(empty) {
            let remedy = "write the beginning of this issuer's tokens, e.g. \"ory_at_\"";
            problems.add(format!("{field}.token_prefix"), "", remedy);
        }
        if !(Duration::from_secs(1)..=LONGEST).contains(&self.lifetime) {
            let remedy = "use 1 to 30 seconds; 30 is the default";
            let found = format!("{:?}", self.lifetime);
            problems.add(format!("{field}.lifetime"), found, remedy);
        }
    }

    fn examine_client(&self, field: &str, problems: &mut Problems) {
        let [client] = self.clients.as_slice() else {
            let remedy = "call exactly one of client_secret_basic(…), client_secret_post(…), private_key_jwt(…), client_id(…): an endpoint that answers anybody lets anybody guess tokens (RFC 7662 §4)";
            let count = format!("{} ways to authenticate", self.clients.len());
            problems.add(field, count, remedy);
            return;
        };
        if client.id.is_empty() || client.id.chars().any(char::is_control) {
            let remedy = "write the client id that the issuer gave this server";
            problems.add(format!("{field}.client"), &client.id, remedy);
        }
        let (Proof::Basic(secret) | Proof::Post(secret)) = &client.proof else {
            return;
        };
        if secret.expose().is_empty() {
            let remedy = "the secret is empty; was its environment variable set?";
            problems.add(format!("{field}.client_secret"), "", remedy);
        }
    }
}

fn kept(secret: impl Into<String>) -> Arc<SecretText> {
    Arc::new(SecretText::of(secret.into()))
}

impl fmt::Debug for Introspection {
    /// No secret, and nothing of what a recogniser knows; of the endpoint neither user nor query.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection")
            .field("endpoint", &self.endpoint.as_deref().map(bare))
            .field("client", &self.clients.first().map(|client| &client.id))
            .field("only_for_us", &self.only_for_us)
            .field("signed", &self.signed)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

/// A URL up to its query, without its user: what an operator wrote there may be a secret.
fn bare(url: &str) -> &str {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (url, _) = url.split_at(end);
    url.rsplit('@').next().unwrap_or_default()
}
