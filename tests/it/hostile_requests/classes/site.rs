//! What is attacked: three issuers, five organizations, API tokens, tool rules, networks and DPoP.

use std::time::Duration;

use tower_mcp_auth::api_token::{ApiTokens, IssuedToken, MemoryStore, NewToken, Peppers};
use tower_mcp_auth::enrich::{ContextEnricher, Enrichment, EnrichmentMode, UserFacts};
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::{MemoryPolicyStore, TrustedProxies};
use tower_mcp_auth::testing::{ManualClock, TestIssuer, TokenBuilder};
use tower_mcp_auth::throttle::ThrottleSettings;
use tower_mcp_auth::tool::ToolRule;
use tower_mcp_auth::{
    Authenticator, BackendError, Issuer, OrganizationPolicy, Principal, ProtectedResource,
    SigningAlgorithm, ToolRules,
};

use super::request::Door;

pub const RESOURCE: &str = "https://mcp.example.com/mcp";
pub const ISSUER: &str = "https://auth.example.com/t1";
pub const SECOND: &str = "https://auth.example.com/t2";
pub const HOSTILE: &str = "https://auth.example.com/t3";
pub const KID: &str = "shared-kid";

pub const ADA: &str = "ada@acme.example";
pub const LEE: &str = "lee@acme.example";

/// Nobody may see it but who is let in.
#[allow(dead_code, reason = "for the test, not for the bench")]
pub const CANARY: &str = "inner-service-was-reached";

/// Knows that `lee` left.
struct Directory;

impl ContextEnricher for Directory {
    async fn enrich(
        &self,
        who: &Principal,
        _: &OrganizationId,
    ) -> Result<Enrichment, BackendError> {
        let name = who.subject().as_str();
        Ok(Enrichment::new().user(UserFacts::new(name).active(name != "lee")))
    }
}

pub struct Site {
    pub clock: ManualClock,
    pub issuer: TestIssuer,
    pub second: TestIssuer,
    /// Trusted, and its keys are not what keys should be.
    pub hostile: TestIssuer,
    /// Trusted by nobody.
    pub stranger: TestIssuer,
    pub tokens: ApiTokens,
    pub store: MemoryStore,
    pub direct: Authenticator,
    pub proxied: Authenticator,
    pub ada: IssuedToken,
    pub robot: IssuedToken,
}

fn issuer(url: &str, clock: &ManualClock, algorithms: &[SigningAlgorithm]) -> TestIssuer {
    TestIssuer::builder()
        .url(url)
        .clock(clock.clone())
        .algorithms(algorithms.iter().copied())
        .key_id(KID)
        .claim("org_id", "acme")
        .in_process()
}

pub fn rules() -> ToolRules {
    ToolRules::new()
        .tool("getIssue", ["read:issues"])
        .tool("createIssue", ["write:issues"])
        .tool("wipe", ["admin:all"])
        .tool("whoami", ToolRule::always_on())
        .prompt("release-notes", ["read:issues"])
        .prompt("secret-notes", ["admin:all"])
        .resource("file:///projects/**", ["read:issues"])
        .resource("file:///secret/**", ["admin:all"])
}

fn policies() -> MemoryPolicyStore {
    let policy = |name: &str| OrganizationPolicy::new(OrganizationId::new(name).unwrap());
    let all = [
        policy("acme").api_tokens(true),
        policy("globex"),
        policy("initech").api_tokens(true).network("10.0.0.0/8"),
        policy("hooli").api_tokens(true).allow_issuer(SECOND),
        policy("keys").service_account_keys(true),
    ];
    let store = MemoryPolicyStore::new();
    all.into_iter()
        .fold(store, |store, policy| store.with(policy).unwrap())
}

impl Site {
    pub async fn new() -> Self {
        use SigningAlgorithm::{EdDsa, Es256, Rs256};
        let clock = ManualClock::at(1_800_000_000);
        let first = issuer(ISSUER, &clock, &[Es256, Rs256, EdDsa]);
        let (second, hostile) = (
            issuer(SECOND, &clock, &[Es256]),
            issuer(HOSTILE, &clock, &[Es256]),
        );
        let store = MemoryStore::new();
        let peppers = Peppers::generate().unwrap();
        let tokens = ApiTokens::new(store.clone(), peppers).clock(clock.clone());
        super::signatures::spoil_keys(&hostile);
        let trusted = |url| {
            Issuer::new(url)
                .organization_claim("org_id")
                .algorithms([Es256, Rs256, EdDsa])
        };
        let build = |proxies| {
            let resource = ProtectedResource::new(RESOURCE)
                .issuer(trusted(ISSUER))
                .issuer(trusted(SECOND))
                .issuer(trusted(HOSTILE))
                .baseline_scopes(["read:issues"]);
            let builder = Authenticator::builder(resource)
                .clock(clock.clone())
                .fetch(first.fetch().and(second.fetch()).and(hostile.fetch()))
                .api_tokens(tokens.clone())
                .policies(policies())
                .throttle(ThrottleSettings::off()) // or everything would be 429
                .enrich(Directory, EnrichmentMode::Required)
                .tools(rules())
                .session_key([7; 32])
                .trusted_proxies(proxies);
            #[cfg(feature = "dpop")]
            let builder = builder.dpop(tower_mcp_auth::dpop::Dpop::new());
            builder.build().unwrap()
        };
        let direct = build(TrustedProxies::none());
        let proxied = build(TrustedProxies::new(["127.0.0.0/8", "192.0.2.0/24"]).unwrap());
        for auth in [&direct, &proxied] {
            auth.warm_up(Duration::from_secs(5)).await.unwrap();
        }
        Self {
            ada: issue(&tokens, NewToken::personal("acme", "ada", ADA)).await,
            robot: issue(&tokens, robot("acme")).await,
            stranger: issuer("https://evil.example/t9", &clock, &[Es256, Rs256, EdDsa]),
            issuer: first,
            second,
            hostile,
            tokens,
            store,
            direct,
            proxied,
            clock,
        }
    }

    /// A perfect access token, to be broken.
    pub fn token(&self) -> TokenBuilder {
        self.issuer.token(RESOURCE).scope("read:issues")
    }

    pub fn auth(&self, door: Door) -> &Authenticator {
        match door {
            Door::Direct => &self.direct,
            Door::Proxied => &self.proxied,
        }
    }

    pub async fn issue(&self, new: NewToken) -> IssuedToken {
        issue(&self.tokens, new).await
    }
}

pub fn robot(organization: &str) -> NewToken {
    NewToken::service_account(organization, "robot").created_by("ada")
}

async fn issue(tokens: &ApiTokens, new: NewToken) -> IssuedToken {
    tokens.issue(new.scopes(["read:issues"])).await.unwrap()
}
