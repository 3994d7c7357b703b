//! Organizations with policies and API tokens: one issuer, one clock, two stores.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use tower::{Layer, ServiceExt};
use tower_mcp_auth::api_token::{ApiTokens, IssuedToken, MemoryStore, NewToken, Peppers};
use tower_mcp_auth::authenticator::{AuthenticatorBuilder, PeerAddress};
use tower_mcp_auth::ident::{OrganizationId, TenantId};
use tower_mcp_auth::policy::{MemoryPolicyStore, PolicyChanges, PolicyStore, PutError};
use tower_mcp_auth::testing::{ManualClock, TestIssuer, TokenBuilder};
use tower_mcp_auth::{
    AuthContext, Authenticator, BackendError, Issuer, McpAuthLayer, OrganizationPolicy, Rejection,
};

use crate::support::{Answer, I, NOW, Probe, R, described, post};

/// API tokens on, off by choice, never stored, and on with a network list.
pub const ON: &str = "on";
pub const OFF: &str = "off";
pub const FRESH: &str = "fresh";
pub const INSIDE: &str = "inside";

pub const CONTACT: &str = "it-help@off.example";
pub const HELP: &str = "https://help.off.example/mcp";

pub fn organization(name: &str) -> OrganizationId {
    OrganizationId::new(name).unwrap()
}

pub fn policy(name: &str) -> OrganizationPolicy {
    OrganizationPolicy::new(organization(name))
}

pub fn site(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

/// Policies in memory that can be out of reach, or be changed by another instance unheard.
#[derive(Clone)]
pub struct Policies {
    pub stored: MemoryPolicyStore,
    own: PolicyChanges,
    deaf: bool,
    down: Arc<AtomicBool>,
}

impl Policies {
    pub fn new(stored: MemoryPolicyStore) -> Self {
        Self {
            stored,
            own: PolicyChanges::new(),
            deaf: false,
            down: Arc::default(),
        }
    }

    /// Changes are not announced to this instance.
    pub fn deaf(mut self) -> Self {
        self.deaf = true;
        self
    }

    pub fn down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// Replaces a policy, whatever its version.
    pub async fn set(&self, policy: OrganizationPolicy) -> OrganizationPolicy {
        let now = self.stored.load(policy.organization()).await.unwrap();
        let version = now.map_or(0, |now| now.version());
        self.stored.put(policy, version).await.unwrap()
    }
}

impl PolicyStore for Policies {
    async fn load(
        &self,
        organization: &OrganizationId,
    ) -> Result<Option<OrganizationPolicy>, BackendError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(BackendError::new("the policy database is down"));
        }
        self.stored.load(organization).await
    }

    async fn put(
        &self,
        policy: OrganizationPolicy,
        expected: u64,
    ) -> Result<OrganizationPolicy, PutError> {
        self.stored.put(policy, expected).await
    }

    fn changes(&self) -> &PolicyChanges {
        if self.deaf {
            &self.own
        } else {
            self.stored.changes()
        }
    }
}

pub struct Orgs {
    pub issuer: TestIssuer,
    pub clock: ManualClock,
    pub policies: Policies,
    pub tokens: ApiTokens,
    pub auth: Authenticator,
    pub probe: Probe,
}

impl Orgs {
    /// The four organizations, everything else at its default.
    pub async fn new() -> Self {
        Self::custom(|auth| auth).await
    }

    pub async fn custom(
        configure: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder,
    ) -> Self {
        let stored = MemoryPolicyStore::new()
            .with(policy(ON).api_tokens(true))
            .and_then(|stored| stored.with(policy(OFF).contact(CONTACT).help_url(HELP)))
            .and_then(|stored| {
                stored.with(policy(INSIDE).api_tokens(true).network("203.0.113.0/24"))
            })
            .unwrap();
        Self::over(Policies::new(stored), configure).await
    }

    pub async fn over(
        policies: Policies,
        configure: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder,
    ) -> Self {
        let clock = ManualClock::at(NOW);
        let issuer = TestIssuer::builder()
            .url(I)
            .clock(clock.clone())
            .in_process();
        let tokens =
            ApiTokens::new(MemoryStore::new(), Peppers::generate().unwrap()).clock(clock.clone());
        let trusted = Issuer::new(I)
            .organization_claim("org_id")
            .tenant_claim("site_id");
        let builder = Authenticator::builder(described(trusted))
            .clock(clock.clone())
            .fetch(issuer.fetch())
            .api_tokens(tokens.clone())
            .policies(policies.clone());
        let auth = configure(builder).build().unwrap();
        auth.warm_up(Duration::from_secs(5)).await.unwrap();
        Self {
            issuer,
            clock,
            policies,
            tokens,
            auth,
            probe: Probe::default(),
        }
    }

    /// A perfect access token of an organization, to be changed.
    pub fn access_token(&self, organization: &str) -> TokenBuilder {
        self.issuer.token(R).claim("org_id", organization)
    }

    pub fn oauth(&self, organization: &str) -> String {
        bearer(&self.access_token(organization).sign())
    }

    /// The `Authorization` value of a new personal token.
    pub async fn personal(&self, organization: &str) -> String {
        basic(&email(organization), &self.issue(wish(organization)).await)
    }

    /// The `Authorization` value of a new service-account key.
    pub async fn service_key(&self, organization: &str) -> String {
        let new = NewToken::service_account(organization, format!("bot-of-{organization}"))
            .created_by("admin")
            .scopes(["read:issues"]);
        bearer(self.issue(new).await.token.expose())
    }

    pub async fn issue(&self, new: NewToken) -> IssuedToken {
        self.tokens.issue(new).await.unwrap()
    }

    pub async fn send(&self, request: http::request::Builder) -> Answer {
        let service = McpAuthLayer::new(self.auth.clone()).layer(self.probe.clone());
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        Answer::read(service.oneshot(request).await.unwrap()).await
    }

    pub async fn present(&self, authorization: &str) -> Answer {
        self.send(post().header("authorization", authorization))
            .await
    }

    pub async fn present_from(&self, address: &str, authorization: &str) -> Answer {
        self.send(from(address).header("authorization", authorization))
            .await
    }

    /// The decision itself, for what a handler finds in its context.
    pub async fn decide(&self, authorization: &str) -> Result<AuthContext, Rejection> {
        let request: Request<()> = post()
            .header("authorization", authorization)
            .body(())
            .unwrap();
        self.auth.authenticate(&request.into_parts().0).await
    }
}

/// A wish for a personal token with the scope every test needs.
pub fn wish(organization: &str) -> NewToken {
    NewToken::personal(
        organization,
        format!("user-of-{organization}"),
        email(organization),
    )
    .scopes(["read:issues"])
}

pub fn email(organization: &str) -> String {
    format!("ada@{organization}.example")
}

pub fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

pub fn basic(email: &str, issued: &IssuedToken) -> String {
    basic_text(email, issued.token.expose())
}

pub fn basic_text(email: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{email}:{secret}")))
}

/// A request from this peer.
pub fn from(address: &str) -> http::request::Builder {
    let address: IpAddr = address.parse().unwrap();
    post().extension(PeerAddress(address))
}
