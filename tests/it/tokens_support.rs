//! Two organizations with API tokens, stores that can fail, and a directory: the fixture of the
//! tests about API tokens.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Empty;
use tower::{Layer, ServiceExt};
use tower_mcp_auth::api_token::{
    ApiTokenStore, ApiTokens, IssuedToken, MemoryStore, NewToken, Peppers, TokenId, TokenQuery,
    TokenRecord, Written,
};
use tower_mcp_auth::authenticator::{AuthenticatorBuilder, PeerAddress};
use tower_mcp_auth::clock::UnixTime;
use tower_mcp_auth::enrich::{ContextEnricher, Enrichment, UserFacts};
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::{MemoryPolicyStore, PolicyChanges, PolicyStore, PutError};
use tower_mcp_auth::testing::{ManualClock, MemoryAudit, TestIssuer, TokenBuilder};
use tower_mcp_auth::{
    AuthContext, Authenticator, BackendError, Issuer, McpAuthLayer, OrganizationPolicy, Principal,
    Rejection, SigningAlgorithm,
};

use crate::support::{Answer, I, NOW, Probe, R, described, post};

pub const ADA: &str = "ada@acme.example";
pub const GIL: &str = "gil@globex.example";

/// What a store does when it is asked.
#[derive(Clone, Copy, Debug, Default)]
pub enum Mood {
    #[default]
    Well,
    Down,
    Hangs,
    Panics,
}

pub const OUTAGES: [Mood; 3] = [Mood::Down, Mood::Hangs, Mood::Panics];

/// Counts the questions to a store, and decides how they end. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<(Mutex<Mood>, AtomicUsize)>);

impl Faults {
    pub fn set(&self, mood: Mood) {
        *self.0.0.lock().unwrap() = mood;
    }

    pub fn calls(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }

    pub async fn meet(&self) -> Result<(), BackendError> {
        self.0.1.fetch_add(1, Ordering::SeqCst);
        let mood = *self.0.0.lock().unwrap();
        match mood {
            Mood::Well => Ok(()),
            Mood::Down => Err(BackendError::new("connection refused by db.internal")),
            Mood::Hangs => std::future::pending().await,
            Mood::Panics => panic!("a fault of the store"),
        }
    }
}

/// A token store whose look-ups can fail, and its notes of when tokens were used. Other writes cannot.
#[derive(Clone, Default)]
pub struct Tokens {
    pub inner: MemoryStore,
    pub faults: Faults,
    pub notes: Faults,
}

impl ApiTokenStore for Tokens {
    async fn find(&self, id: &TokenId) -> Result<Option<TokenRecord>, BackendError> {
        self.faults.meet().await?;
        self.inner.find(id).await
    }

    async fn insert(&self, record: &TokenRecord) -> Result<Written, BackendError> {
        self.inner.insert(record).await
    }

    async fn update(&self, record: &TokenRecord) -> Result<Written, BackendError> {
        self.inner.update(record).await
    }

    async fn list(&self, query: &TokenQuery) -> Result<Vec<TokenRecord>, BackendError> {
        self.inner.list(query).await
    }

    async fn touch(&self, used: &[(TokenId, UnixTime)]) -> Result<(), BackendError> {
        self.notes.meet().await?;
        self.inner.touch(used).await
    }
}

/// A policy store whose look-ups can fail.
#[derive(Clone, Default)]
pub struct Policies {
    pub inner: MemoryPolicyStore,
    pub faults: Faults,
}

impl PolicyStore for Policies {
    async fn load(
        &self,
        organization: &OrganizationId,
    ) -> Result<Option<OrganizationPolicy>, BackendError> {
        self.faults.meet().await?;
        self.inner.load(organization).await
    }

    async fn put(
        &self,
        policy: OrganizationPolicy,
        expected: u64,
    ) -> Result<OrganizationPolicy, PutError> {
        self.inner.put(policy, expected).await
    }

    fn changes(&self) -> &PolicyChanges {
        self.inner.changes()
    }
}

/// What the directory of the tests adds for handlers.
#[derive(Debug, PartialEq, Eq)]
pub struct Profile {
    pub who: String,
    pub organization: String,
}

/// A directory that knows everybody, and can fail.
#[derive(Clone, Default)]
pub struct Directory {
    pub faults: Faults,
    /// The subject that may not work here any more.
    pub deactivated: Arc<Mutex<Option<String>>>,
}

impl ContextEnricher for Directory {
    async fn enrich(
        &self,
        principal: &Principal,
        organization: &OrganizationId,
    ) -> Result<Enrichment, BackendError> {
        self.faults.meet().await?;
        let who = principal.subject().as_str();
        let active = self.deactivated.lock().unwrap().as_deref() != Some(who);
        Ok(Enrichment::new()
            .user(UserFacts::new(format!("account of {who}")).active(active))
            .with(Profile {
                who: who.into(),
                organization: organization.as_str().into(),
            }))
    }
}

/// An organization's name.
pub fn organization(name: &str) -> OrganizationId {
    OrganizationId::new(name).unwrap()
}

/// Organization `acme` takes API tokens, `globex` does not. One token of each kind in each.
pub struct TokenWorld {
    pub issuer: TestIssuer,
    pub clock: ManualClock,
    pub tokens: ApiTokens,
    pub store: Tokens,
    pub policies: Policies,
    pub directory: Directory,
    pub audit: MemoryAudit,
    pub auth: Authenticator,
    pub probe: Probe,
    pub acme_user: IssuedToken,
    pub acme_key: IssuedToken,
    pub globex_user: IssuedToken,
    pub globex_key: IssuedToken,
}

impl TokenWorld {
    pub async fn new() -> Self {
        Self::with(|builder, _| builder).await
    }

    /// The directory is there to be configured; everything else already is.
    pub async fn with(
        configure: impl FnOnce(AuthenticatorBuilder, &Directory) -> AuthenticatorBuilder,
    ) -> Self {
        Self::custom(|tokens| tokens, configure).await
    }

    pub async fn custom(
        tokens: impl FnOnce(ApiTokens) -> ApiTokens,
        configure: impl FnOnce(AuthenticatorBuilder, &Directory) -> AuthenticatorBuilder,
    ) -> Self {
        let clock = ManualClock::at(NOW);
        let issuer = TestIssuer::builder()
            .url(I)
            .clock(clock.clone())
            .algorithms([SigningAlgorithm::Es256])
            .client("mcp", "introspecting")
            .in_process();
        let store = Tokens::default();
        let tokens = tokens(
            ApiTokens::new(store.clone(), Peppers::generate().unwrap()).clock(clock.clone()),
        );
        let policies = Policies::default();
        let acme = OrganizationPolicy::new(organization("acme")).api_tokens(true);
        policies.put(acme, 0).await.unwrap();
        let (directory, audit) = (Directory::default(), MemoryAudit::new());
        let resource = described(Issuer::new(I).organization_claim("org_id"));
        let builder = Authenticator::builder(resource)
            .clock(clock.clone())
            .fetch(issuer.fetch())
            .api_tokens(tokens.clone())
            .policies(policies.clone())
            .audit(audit.clone());
        let auth = configure(builder, &directory).build().unwrap();
        let world = Self {
            acme_user: issue(&tokens, NewToken::personal("acme", "ada", ADA)).await,
            acme_key: issue(&tokens, key_of("acme")).await,
            globex_user: issue(&tokens, NewToken::personal("globex", "gil", GIL)).await,
            globex_key: issue(&tokens, key_of("globex")).await,
            issuer,
            clock,
            tokens,
            store,
            policies,
            directory,
            audit,
            auth,
            probe: Probe::default(),
        };
        // That these tokens were issued is on record too, and of no interest.
        let _issued = world.audit.take();
        world
    }

    /// An access token of a member of `acme`.
    pub fn access_token(&self) -> TokenBuilder {
        self.issuer
            .token(R)
            .claim("org_id", "acme")
            .scope("read:issues")
    }

    pub async fn send(&self, request: http::request::Builder) -> Answer {
        let response = McpAuthLayer::new(self.auth.clone())
            .layer(self.probe.clone())
            .oneshot(request.body(Empty::<Bytes>::new()).unwrap())
            .await
            .unwrap();
        Answer::read(response).await
    }

    pub async fn present(&self, authorization: impl AsRef<str>) -> Answer {
        self.send(post().header("authorization", authorization.as_ref()))
            .await
    }

    /// The same from an address, as a server says it.
    pub async fn present_from(&self, address: &str, authorization: impl AsRef<str>) -> Answer {
        self.send(from(address).header("authorization", authorization.as_ref()))
            .await
    }

    pub async fn ada(&self) -> Answer {
        self.present(basic(ADA, &self.acme_user)).await
    }

    pub async fn robot(&self) -> Answer {
        self.present(bearer(&self.acme_key)).await
    }

    /// What a handler would see.
    pub async fn context(&self, authorization: impl AsRef<str>) -> Result<AuthContext, Rejection> {
        let request = post().header("authorization", authorization.as_ref());
        let (parts, ()) = request.body(()).unwrap().into_parts();
        self.auth.authenticate(&parts).await
    }
}

fn key_of(organization: &str) -> NewToken {
    NewToken::service_account(organization, "robot").created_by("ada")
}

/// A token with the one scope of the resource.
pub async fn issue(tokens: &ApiTokens, new: NewToken) -> IssuedToken {
    tokens.issue(new.scopes(["read:issues"])).await.unwrap()
}

/// A request over a connection from this address.
pub fn from(address: &str) -> http::request::Builder {
    post().extension(PeerAddress(address.parse::<IpAddr>().unwrap()))
}

pub fn basic(email: &str, token: &IssuedToken) -> String {
    encoded(format!("{email}:{}", token.token.expose()))
}

pub fn encoded(text: impl AsRef<[u8]>) -> String {
    format!("Basic {}", STANDARD.encode(text))
}

pub fn bearer(token: &IssuedToken) -> String {
    format!("Bearer {}", token.token.expose())
}

/// A well-formed token that no store knows.
pub async fn stranger(new: NewToken) -> IssuedToken {
    let elsewhere = ApiTokens::new(MemoryStore::new(), Peppers::generate().unwrap());
    issue(&elsewhere, new).await
}

/// The token with its last character changed, so that its checksum does not fit.
pub fn damaged(token: &IssuedToken) -> String {
    let text = token.token.expose();
    let (kept, last) = text.split_at(text.len() - 1);
    format!("{kept}{}", if last == "A" { "B" } else { "A" })
}

/// Our outage: 503, to be tried again within a minute, and never a reason to throw a credential
/// away.
#[track_caller]
pub fn assert_outage(answer: &Answer, reason: &str) {
    assert_eq!(answer.code(), reason, "{:?}", answer.body);
    assert_eq!(answer.status, http::StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("www-authenticate"), None);
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert!(!String::from_utf8_lossy(&answer.body).contains("db.internal"));
}
