//! The handle a test holds.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::builder::TestIssuerBuilder;
use super::documents::Discovery;
use super::encoding::pem;
use super::faults::{Endpoint, Fault};
use super::introspect::IntrospectionRequest;
use super::keyring::Rotation;
use super::keys::SigningKey;
use super::server::{Server, TestFetch};
use super::state::{Hits, State};
use super::token::TokenBuilder;
use crate::algorithm::SigningAlgorithm;

/// A small authorization server for tests, with faults on demand. **Never use it in production.**
///
/// It signs real tokens, serves real metadata and keys, runs the authorization code flow with
/// PKCE, refresh tokens, client credentials and dynamic registration, and counts what it is
/// asked. Clones are handles to the same issuer; when the last one is dropped, its socket closes.
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, StatusCode};
/// use http_body_util::Full;
/// use tower::ServiceExt;
/// use tower_mcp_auth::testing::{Endpoint, Fault, TestIssuer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = TestIssuer::builder()
///     .url("https://auth.example.com/t1")
///     .claim("org_id", "acme")
///     .in_process();
///
/// // A good token, and one that is good but for a single thing.
/// let good = issuer.token("https://mcp.example.com/mcp").scope("read:issues").sign();
/// let late = issuer.token("https://mcp.example.com/mcp").expires_in(-61).sign();
/// assert_ne!(good, late);
///
/// // The keys to verify them, until the issuer is down.
/// let keys = || Request::get("https://auth.example.com/t1/jwks").body(Full::<Bytes>::default());
/// assert_eq!(issuer.fetch().oneshot(keys()?).await?.status(), StatusCode::OK);
/// issuer.fail(Endpoint::Jwks, Fault::Status(503));
/// assert_eq!(issuer.fetch().oneshot(keys()?).await?.status(), StatusCode::SERVICE_UNAVAILABLE);
/// assert_eq!(issuer.hits().jwks, 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TestIssuer {
    state: Arc<State>,
    server: Option<Arc<Server>>,
}

impl TestIssuer {
    pub(super) fn new(state: Arc<State>, server: Option<Server>) -> Self {
        Self {
            state,
            server: server.map(Arc::new),
        }
    }

    /// Starts an issuer with the default settings on any free port of 127.0.0.1.
    ///
    /// # Errors
    /// If no port can be listened on.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// An issuer with settings of your own.
    pub fn builder() -> TestIssuerBuilder {
        TestIssuerBuilder::new()
    }

    /// The issuer identifier (RFC 8414 §2), character for character as in `iss`.
    #[must_use]
    pub fn url(&self) -> &str {
        self.state.url()
    }

    /// The URL of something below the issuer: `endpoint("/token")`, `endpoint("/jwks")`.
    #[must_use]
    pub fn endpoint(&self, path: &str) -> String {
        self.state.below(path)
    }

    /// The address listened on; none in process.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(|server| server.address())
    }

    /// The issuer as a Tower service, without a socket: use it as the crate's
    /// [`Fetch`](crate::fetch::Fetch). Faults and counters are the same as over the socket.
    #[must_use]
    pub fn fetch(&self) -> TestFetch {
        TestFetch::new(Arc::clone(&self.state))
    }

    /// A token for this audience, perfect unless you break it.
    pub fn token(&self, audience: impl Into<Value>) -> TokenBuilder {
        TokenBuilder::new(Arc::clone(&self.state), audience.into())
    }
}

/// Keys.
impl TestIssuer {
    /// Makes and publishes a new key, signs with it from now on, keeps the old ones published.
    /// Returns its `kid`.
    #[expect(clippy::must_use_candidate, reason = "called for its effect")]
    pub fn rotate(&self, algorithm: SigningAlgorithm) -> String {
        self.state.keys().rotate(algorithm, Rotation::Overlapping)
    }

    /// As [`rotate`](Self::rotate), but withdraws every earlier key of the algorithm at once.
    #[expect(clippy::must_use_candidate, reason = "called for its effect")]
    pub fn rotate_abruptly(&self, algorithm: SigningAlgorithm) -> String {
        self.state.keys().rotate(algorithm, Rotation::Abrupt)
    }

    /// As [`rotate`](Self::rotate), but does not publish the new key: [`publish`](Self::publish)
    /// does. So behaves an issuer whose key set lies in a cache.
    #[expect(clippy::must_use_candidate, reason = "called for its effect")]
    pub fn rotate_hidden(&self, algorithm: SigningAlgorithm) -> String {
        self.state.keys().rotate(algorithm, Rotation::Hidden)
    }

    /// Takes a key out of the key set. Tokens can still be signed with it.
    ///
    /// # Panics
    /// If there is no such key.
    pub fn withdraw(&self, kid: &str) {
        self.set_published(kid, false);
    }

    /// Puts a key into the key set (again).
    ///
    /// # Panics
    /// If there is no such key.
    pub fn publish(&self, kid: &str) {
        self.set_published(kid, true);
    }

    fn set_published(&self, kid: &str, published: bool) {
        let found = self.state.keys().set_published(kid, published);
        assert!(found, "the test issuer has no key {kid:?}");
    }

    /// The ids of the published keys, oldest first.
    #[must_use]
    pub fn kids(&self) -> Vec<String> {
        self.state.keys().published()
    }

    /// The `kid` of the key that signs now, published or not.
    #[must_use]
    pub fn signing_kid(&self) -> String {
        self.state.keys().signer().kid().to_owned()
    }

    /// The public key as a JWK (RFC 7517 §4) with `kid`, `alg` and `use`.
    ///
    /// # Panics
    /// If there is no such key.
    #[must_use]
    pub fn public_jwk(&self, kid: &str) -> Value {
        self.key(kid).jwk()
    }

    /// The public key as DER `SubjectPublicKeyInfo` (RFC 5280 §4.1).
    ///
    /// # Panics
    /// If there is no such key.
    #[must_use]
    pub fn public_der(&self, kid: &str) -> Vec<u8> {
        self.key(kid).public_der()
    }

    /// The public key as PEM, with a newline at the end (RFC 7468 §13).
    ///
    /// # Panics
    /// If there is no such key.
    #[must_use]
    pub fn public_pem(&self, kid: &str) -> String {
        pem("PUBLIC KEY", &self.public_der(kid))
    }

    /// The private key as DER PKCS#8 (RFC 5208), to sign what [`TokenBuilder`] cannot.
    ///
    /// # Panics
    /// If there is no such key.
    #[must_use]
    pub fn private_der(&self, kid: &str) -> Vec<u8> {
        self.key(kid).private_der()
    }

    fn key(&self, kid: &str) -> Arc<SigningKey> {
        let key = self.state.keys().by_id(kid);
        key.unwrap_or_else(|| panic!("the test issuer has no key {kid:?}"))
    }
}

/// Documents. Changes count from the next request on.
impl TestIssuer {
    /// Serves the metadata document at these places and no others.
    pub fn serve_discovery(&self, places: impl IntoIterator<Item = Discovery>) {
        self.state.documents().discovery = places.into_iter().collect();
    }

    /// Serves this as the metadata document.
    pub fn set_metadata(&self, document: impl Into<Value>) {
        self.set_metadata_text(document.into().to_string());
    }

    /// Serves this text as the metadata document, JSON or not.
    pub fn set_metadata_text(&self, text: impl Into<String>) {
        self.state.documents().metadata.set_text(text.into());
    }

    /// Changes one member of the issuer's own metadata document.
    pub fn set_metadata_field(&self, name: impl Into<String>, value: impl Into<Value>) {
        let mut documents = self.state.documents();
        documents.metadata.set_member(name.into(), value.into());
    }

    /// Leaves one member out of the issuer's own metadata document.
    pub fn remove_metadata_field(&self, name: impl Into<String>) {
        self.state.documents().metadata.remove_member(name.into());
    }

    /// Serves the metadata with this header.
    ///
    /// # Panics
    /// If the name or the value is not one a header can have.
    pub fn set_metadata_header(&self, name: &str, value: &str) {
        let (name, value) = header(name, value);
        self.state.documents().metadata.set_header(name, value);
    }

    /// Serves this as the key set.
    pub fn set_jwks(&self, document: impl Into<Value>) {
        self.set_jwks_text(document.into().to_string());
    }

    /// Serves this text as the key set, JSON or not.
    pub fn set_jwks_text(&self, text: impl Into<String>) {
        self.state.documents().jwks.set_text(text.into());
    }

    /// Serves the key set with this header, such as `Cache-Control`.
    ///
    /// # Panics
    /// If the name or the value is not one a header can have.
    pub fn set_jwks_header(&self, name: &str, value: &str) {
        let (name, value) = header(name, value);
        self.state.documents().jwks.set_header(name, value);
    }

    /// Undoes every change to metadata and key set but [`serve_discovery`](Self::serve_discovery).
    pub fn reset_documents(&self) {
        let mut documents = self.state.documents();
        documents.metadata = super::documents::Document::default();
        documents.jwks = super::documents::Document::default();
    }
}

/// Introspection. Opaque tokens come from [`TokenBuilder::opaque`].
impl TestIssuer {
    /// Ends an opaque token: from now on it is not active.
    ///
    /// # Panics
    /// If there is no such token.
    pub fn deactivate(&self, token: &str) {
        let known = self.state.introspections().forget(token);
        assert!(known, "the test issuer has no such opaque token");
    }

    /// Answers every introspection request of an authenticated client with this, whatever the token.
    ///
    /// # Panics
    /// When asked, if the type is not one a header can have.
    pub fn answer_introspection(&self, content_type: &str, text: impl Into<String>) {
        let answer = (content_type.to_owned(), text.into());
        self.state.introspections().fix(Some(answer));
    }

    /// Undoes [`answer_introspection`](Self::answer_introspection).
    pub fn reset_introspection(&self) {
        self.state.introspections().fix(None);
    }

    /// What the introspection endpoint was asked, in order, faults included.
    #[must_use]
    pub fn introspections(&self) -> Vec<IntrospectionRequest> {
        self.state.introspections().asked()
    }
}

/// Faults and counters.
impl TestIssuer {
    /// Makes an endpoint misbehave from the next request on. Replaces an earlier fault there.
    pub fn fail(&self, endpoint: Endpoint, fault: Fault) {
        self.state.faults().set(endpoint, fault);
    }

    /// Makes every endpoint misbehave.
    #[expect(clippy::needless_pass_by_value, reason = "reads like `fail`")]
    pub fn fail_all(&self, fault: Fault) {
        for endpoint in Endpoint::ALL {
            self.fail(endpoint, fault.clone());
        }
    }

    /// Ends every fault. Requests that hang keep hanging.
    pub fn heal(&self) {
        for endpoint in Endpoint::ALL {
            self.heal_endpoint(endpoint);
        }
    }

    /// Ends the fault of one endpoint.
    pub fn heal_endpoint(&self, endpoint: Endpoint) {
        self.state.faults().clear(endpoint);
    }

    /// How many requests came, by endpoint.
    #[must_use]
    pub fn hits(&self) -> Hits {
        self.state.hits()
    }

    /// The paths of all requests in the order they came, without queries.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.state.paths()
    }

    /// Forgets the requests so far.
    pub fn reset_hits(&self) {
        self.state.reset_log();
    }
}

impl fmt::Debug for TestIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestIssuer")
            .field("url", &self.url())
            .field("local_addr", &self.local_addr())
            .finish_non_exhaustive()
    }
}

fn header(name: &str, value: &str) -> (HeaderName, HeaderValue) {
    let name = HeaderName::try_from(name).expect("the header has a valid name");
    let value = HeaderValue::try_from(value).expect("the header has a valid value");
    (name, value)
}
