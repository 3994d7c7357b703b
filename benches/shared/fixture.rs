//! An issuer, API tokens and authenticators that trust both.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::rc::Rc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::Empty;
use tokio::runtime::{Builder, Runtime};
use tower_mcp_auth::api_token::{ApiTokens, IssuedToken, MemoryStore, NewToken, Peppers};
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::MemoryPolicyStore;
use tower_mcp_auth::testing::TestIssuer;
use tower_mcp_auth::throttle::ThrottleSettings;
use tower_mcp_auth::{
    Authenticator, Introspection, Issuer, OrganizationPolicy, ProtectedResource, SigningAlgorithm,
};

pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";
pub(crate) const EMAIL: &str = "ada@acme.example";

/// Answers at once: what every request is read against.
pub(crate) fn echo<B>(request: Request<B>) -> Ready<Result<Response<B>, Infallible>> {
    ready(Ok(Response::new(request.into_body())))
}

/// A request as a client sends it, but for its body.
pub(crate) fn request(authorization: Option<&HeaderValue>) -> Request<Empty<Bytes>> {
    let mut request = Request::post("/mcp").body(Empty::new()).unwrap();
    let headers = request.headers_mut();
    headers.insert("host", HeaderValue::from_static("mcp.example.com"));
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    if let Some(value) = authorization {
        headers.insert("authorization", value.clone());
    }
    request
}

pub(crate) fn bearer(token: impl AsRef<str>) -> HeaderValue {
    HeaderValue::try_from(format!("Bearer {}", token.as_ref())).unwrap()
}

pub(crate) fn basic(email: &str, token: &str) -> HeaderValue {
    let pair = STANDARD.encode(format!("{email}:{token}"));
    HeaderValue::try_from(format!("Basic {pair}")).unwrap()
}

pub(crate) fn organization(name: &str) -> OrganizationId {
    OrganizationId::new(name).unwrap()
}

pub(crate) fn new_runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// What an authenticator needs around it.
pub(crate) struct Fixture {
    pub(crate) runtime: Rc<Runtime>,
    pub(crate) issuer: TestIssuer,
    pub(crate) algorithms: Vec<SigningAlgorithm>,
    pub(crate) tokens: ApiTokens,
}

impl Fixture {
    /// The first of the algorithms is what tokens are signed with unless told otherwise.
    pub(crate) fn new(algorithms: &[SigningAlgorithm]) -> Self {
        let issuer = TestIssuer::builder()
            .algorithms(algorithms.iter().copied())
            .claim("org_id", "acme")
            .client("mcp", "introspecting")
            .in_process();
        Self {
            runtime: Rc::new(new_runtime()),
            issuer,
            algorithms: algorithms.to_vec(),
            tokens: ApiTokens::new(MemoryStore::new(), Peppers::generate().unwrap()),
        }
    }

    /// Trusts the issuer of this fixture.
    pub(crate) fn resource(&self) -> ProtectedResource {
        let issuer = Issuer::new(self.issuer.url())
            .algorithms(self.algorithms.iter().copied())
            .organization_claim("org_id");
        ProtectedResource::new(RESOURCE).issuer(issuer)
    }

    /// Opaque access tokens too.
    pub(crate) fn introspecting(&self) -> AuthenticatorBuilder {
        let asked = Introspection::new().client_secret_basic("mcp", "introspecting");
        let issuer = Issuer::new(self.issuer.url())
            .organization_claim("org_id")
            .introspection(asked);
        Authenticator::builder(ProtectedResource::new(RESOURCE).issuer(issuer))
            .fetch(self.issuer.fetch())
    }

    /// OAuth only.
    pub(crate) fn plain(&self) -> AuthenticatorBuilder {
        Authenticator::builder(self.resource())
            .fetch(self.issuer.fetch())
            .throttle(ThrottleSettings::off()) // or the refusals measured were 429
    }

    /// With API tokens, which one organization allows.
    pub(crate) fn full(&self) -> AuthenticatorBuilder {
        let acme = OrganizationPolicy::new(organization("acme")).api_tokens(true);
        let policies = MemoryPolicyStore::new().with(acme).unwrap();
        self.plain()
            .api_tokens(self.tokens.clone())
            .policies(policies)
    }

    /// Ready: its keys are at hand.
    pub(crate) fn ready(&self, builder: AuthenticatorBuilder) -> Authenticator {
        let auth = builder.build().unwrap();
        let _inside = self.runtime.enter();
        self.runtime
            .block_on(auth.warm_up(Duration::from_secs(60)))
            .unwrap();
        auth
    }

    /// An access token that outlives the bench.
    pub(crate) fn access_token(&self) -> tower_mcp_auth::testing::TokenBuilder {
        self.issuer.token(RESOURCE).expires_in(80_000)
    }

    pub(crate) fn issue(&self, tokens: &ApiTokens, new: NewToken) -> IssuedToken {
        let issued = tokens.issue(new.scopes(["read:issues", "write:issues"]));
        self.runtime.block_on(issued).unwrap()
    }

    pub(crate) fn personal(&self) -> HeaderValue {
        let issued = self.issue(&self.tokens, person("acme"));
        basic(EMAIL, issued.token.expose())
    }

    pub(crate) fn service_key(&self) -> HeaderValue {
        let new = NewToken::service_account("acme", "bot").created_by("ada");
        bearer(self.issue(&self.tokens, new).token.expose())
    }
}

pub(crate) fn person(organization: &str) -> NewToken {
    NewToken::personal(organization, "ada", EMAIL)
}
