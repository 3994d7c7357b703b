//! How a test issuer is set up.

use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::net::TcpListener;
use url::Url;

use super::clients::{Client, Clients};
use super::documents::{Discovery, Documents};
use super::issuer::TestIssuer;
use super::keyring::Keyring;
use super::server::Server;
use super::state::{Consent, Settings, State, User};
use crate::algorithm::SigningAlgorithm;
use crate::clock::{Clock, SystemClock};

/// Sets up a [`TestIssuer`]; every setting has a default.
///
/// ```
/// # use tower_mcp_auth::testing::{Consent, TestIssuer};
/// # use serde_json::json;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let issuer = TestIssuer::builder()
///     .path("/t1")
///     .consent(Consent::Page)
///     .user("alice", json!({"org_id": "acme"}))
///     .scopes(["read:issues", "write:issues"])
///     .client("ci", "a secret")
///     .start()
///     .await?;
/// assert!(issuer.url().ends_with("/t1"));
/// # Ok(())
/// # }
/// ```
#[must_use = "an issuer is made by `start` or `in_process`"]
pub struct TestIssuerBuilder {
    path: String,
    port: u16,
    url: Option<String>,
    clock: Arc<dyn Clock>,
    algorithms: Vec<SigningAlgorithm>,
    key_id: Option<String>,
    consent: Consent,
    users: Vec<User>,
    claims: Map<String, Value>,
    scopes: Vec<String>,
    baseline_scopes: Option<Vec<String>>,
    token_lifetime: Duration,
    default_resource: Option<String>,
    clients: Clients,
    discovery: Vec<Discovery>,
}

impl TestIssuerBuilder {
    pub(super) fn new() -> Self {
        Self {
            path: String::new(),
            port: 0,
            url: None,
            clock: Arc::new(SystemClock::new()),
            algorithms: vec![SigningAlgorithm::Es256],
            key_id: None,
            consent: Consent::default(),
            users: Vec::new(),
            claims: Map::new(),
            scopes: vec!["read:issues".into(), "write:issues".into()],
            baseline_scopes: None,
            token_lifetime: Duration::from_secs(300),
            default_resource: None,
            clients: Clients::default(),
            discovery: Discovery::ALL.to_vec(),
        }
    }

    /// The path of the issuer identifier, such as `/t1`. Default: none.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// The port to listen on, on 127.0.0.1. Default 0: any free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The whole issuer identifier, in place of the address listened on (or, in process, of
    /// `https://auth.example.com`) and [`path`](Self::path). It is used character for character.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// The clock that dates tokens and ends codes. Default: the machine's. Pauses made by
    /// [`Fault`](super::Fault)s follow tokio's clock instead.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Makes and publishes one key for each algorithm; the first one signs. Default: ES256.
    ///
    /// An RSA key takes about a tenth of a second to make, the others less than a millisecond.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = SigningAlgorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// The `kid` of the first key. Default: random. Give two issuers the same one to test that a
    /// key is looked up under its issuer.
    pub fn key_id(mut self, kid: impl Into<String>) -> Self {
        self.key_id = Some(kid.into());
        self
    }

    /// Who consents. Default: [`Consent::Automatic`].
    pub fn consent(mut self, consent: Consent) -> Self {
        self.consent = consent;
        self
    }

    /// Adds a user with the claims all tokens with that `sub` carry. The first one added consents
    /// when consent is automatic. Default: `alice` without claims.
    ///
    /// # Panics
    /// If `claims` is not a JSON object.
    pub fn user(mut self, subject: impl Into<String>, claims: impl Into<Value>) -> Self {
        let Value::Object(claims) = claims.into() else {
            panic!("the claims of a user are a JSON object");
        };
        let subject = subject.into();
        self.users.push(User { subject, claims });
        self
    }

    /// Adds a claim to every token, such as the organization.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// The scopes that exist. Default: `read:issues` and `write:issues`.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// The scopes of a token nobody asked particular scopes for. Default: all that exist.
    pub fn baseline_scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.baseline_scopes = Some(scopes.into_iter().map(Into::into).collect());
        self
    }

    /// How long tokens from the token endpoint are good for, in whole seconds. Default: 300 s.
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_lifetime = lifetime;
        self
    }

    /// The audience of tokens requested without `resource`. Default: none, and such a request is
    /// refused with `invalid_target`, because MCP clients must name the server (RFC 8707 §2).
    pub fn default_resource(mut self, resource: impl Into<String>) -> Self {
        self.default_resource = Some(resource.into());
        self
    }

    /// Adds a client that authenticates by assertions at the introspection endpoint
    /// (`private_key_jwt`). The key is DER `SubjectPublicKeyInfo` (RFC 5280 §4.1).
    pub fn client_key(mut self, id: impl Into<String>, public_der: impl Into<Vec<u8>>) -> Self {
        self.clients
            .add(Client::keyed(id.into(), public_der.into()));
        self
    }

    /// Adds a confidential client for the client credentials grant and for introspection.
    pub fn client(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.clients
            .add(Client::confidential(id.into(), secret.into()));
        self
    }

    /// Adds a public client for codes and refresh tokens. The port of a loopback redirect URI is
    /// free (RFC 8252 §7.3).
    pub fn public_client<S: Into<String>>(
        mut self,
        id: impl Into<String>,
        redirect_uris: impl IntoIterator<Item = S>,
    ) -> Self {
        let redirect_uris = redirect_uris.into_iter().map(Into::into).collect();
        self.clients.add(Client::public(id.into(), redirect_uris));
        self
    }

    /// Where the metadata document is served. Default: all three places.
    pub fn serve_discovery(mut self, places: impl IntoIterator<Item = Discovery>) -> Self {
        self.discovery = places.into_iter().collect();
        self
    }

    /// Listens on 127.0.0.1 and serves until the last handle is dropped. Needs a tokio runtime.
    ///
    /// # Errors
    /// If the port cannot be listened on.
    ///
    /// # Panics
    /// If [`url`](Self::url) is not a URL.
    pub async fn start(mut self) -> io::Result<TestIssuer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(self.state(&origin));
        let server = Server::spawn(Arc::clone(&state), listener)?;
        Ok(TestIssuer::new(state, Some(server)))
    }

    /// Opens no socket: the issuer is reached through [`TestIssuer::fetch`] alone. For tests on
    /// tokio's paused clock, and for issuers with an `https` identifier.
    ///
    /// # Panics
    /// If [`url`](Self::url) is not a URL.
    #[must_use]
    pub fn in_process(mut self) -> TestIssuer {
        let state = self.state("https://auth.example.com");
        TestIssuer::new(Arc::new(state), None)
    }

    fn state(&mut self, origin: &str) -> State {
        let url = self
            .url
            .take()
            .unwrap_or_else(|| format!("{origin}{}", self.path));
        let parsed = Url::parse(&url).expect("the issuer identifier is a URL");
        let baseline_scopes = self.baseline_scopes.take();
        if self.users.is_empty() {
            self.users.push(User {
                subject: "alice".into(),
                claims: Map::new(),
            });
        }
        let settings = Settings {
            clock: Arc::clone(&self.clock),
            consent: self.consent,
            users: std::mem::take(&mut self.users),
            claims: std::mem::take(&mut self.claims),
            baseline_scopes: baseline_scopes.unwrap_or_else(|| self.scopes.clone()),
            scopes: std::mem::take(&mut self.scopes),
            token_lifetime: self.token_lifetime,
            default_resource: self.default_resource.take(),
        };
        State::new(
            (url, parsed),
            settings,
            Keyring::new(&self.algorithms, self.key_id.as_deref()),
            Documents::new(std::mem::take(&mut self.discovery)),
            std::mem::take(&mut self.clients),
        )
    }
}

impl fmt::Debug for TestIssuerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestIssuerBuilder")
            .field("url", &self.url)
            .field("path", &self.path)
            .field("port", &self.port)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}
