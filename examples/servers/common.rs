//! What the four servers have in common: the authenticator, who calls them, and what they answer.
#![allow(dead_code, reason = "each server uses its part of it")]
#![expect(clippy::print_stdout, reason = "a program talks to who started it")]

use std::error::Error;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_mcp_auth::api_token::{ApiTokens, MemoryStore, NewToken, Peppers};
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::policy::{MemoryPolicyStore, PolicyStore};
use tower_mcp_auth::testing::TestIssuer;
use tower_mcp_auth::tool::ToolRule;
use tower_mcp_auth::{
    AuthContext, Authenticator, Issuer, OrganizationPolicy, ProtectedResource, ToolRules,
};

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// The same for every server, but for the place where its framework keeps the address of the peer:
/// each adds that, and builds.
fn authenticator(
    url: &str,
    issuer: &str,
    tokens: ApiTokens,
    policies: MemoryPolicyStore,
) -> AuthenticatorBuilder {
    let resource = ProtectedResource::new(url)
        .issuer(Issuer::new(issuer).organization_claim("org_id"))
        .baseline_scopes(["read:issues"])
        .allow_origin("http://localhost:6274"); // the MCP inspector
    let rules = ToolRules::new()
        .tool("whoami", ToolRule::always_on())
        .tool("createIssue", ["write:issues"]);
    Authenticator::builder(resource)
        .tools(rules)
        .api_tokens(tokens)
        .policies(policies)
}

/// What the servers say: whom the layer has let in.
pub(crate) fn name(auth: &AuthContext) -> String {
    format!("{} of {}", auth.principal().subject(), auth.organization())
}

/// The answer to a call of any tool, for servers that read messages by themselves.
pub(crate) fn answer(auth: &AuthContext, message: &Value) -> Value {
    let content = json!([{"type": "text", "text": name(auth)}]);
    json!({"jsonrpc": "2.0", "id": message["id"], "result": {"content": content}})
}

/// An issuer, two organizations, and who calls.
pub(crate) struct Demo {
    pub(crate) url: String,
    /// acme's administrator allows API tokens, globex's does not.
    pub(crate) acme_key: String,
    pub(crate) globex_key: String,
    issuer: TestIssuer,
    tokens: ApiTokens,
    policies: MemoryPolicyStore,
}

impl Demo {
    /// On a free port.
    pub(crate) async fn start() -> Result<(TcpListener, Self), BoxError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let issuer = TestIssuer::builder().claim("org_id", "acme").start();
        let tokens = ApiTokens::new(MemoryStore::new(), Peppers::generate()?);
        let key = async |organization| {
            let wish = NewToken::service_account(organization, "build-bot").created_by("alice");
            let key = tokens.issue(wish.scopes(["read:issues"])).await?;
            Ok::<_, BoxError>(key.token.expose().to_owned())
        };
        let demo = Self {
            url: format!("http://{}/mcp", listener.local_addr()?),
            acme_key: key("acme").await?,
            globex_key: key("globex").await?,
            issuer: issuer.await?,
            tokens,
            policies: MemoryPolicyStore::new(),
        };
        demo.allow_keys("acme", true).await?;
        Ok((listener, demo))
    }

    pub(crate) fn authenticator(&self) -> AuthenticatorBuilder {
        let (tokens, policies) = (self.tokens.clone(), self.policies.clone());
        authenticator(&self.url, self.issuer.url(), tokens, policies)
    }

    /// What an organization's administrator does: requests come from this machine only, and API
    /// tokens are off until they say otherwise.
    pub(crate) async fn allow_keys(&self, organization: &str, on: bool) -> Result<(), BoxError> {
        let organization = organization.parse()?;
        let held = self.policies.load(&organization).await?;
        let new = || OrganizationPolicy::new(organization).network("127.0.0.1");
        let policy = held.unwrap_or_else(new);
        let version = policy.version();
        self.policies.put(policy.api_tokens(on), version).await?;
        Ok(())
    }

    /// An access token of alice of acme, good for an hour.
    pub(crate) fn token(&self, scopes: &str) -> String {
        let token = self.issuer.token(&*self.url).scope(scopes);
        token.expires_in(3600).sign()
    }

    /// What to try.
    fn guide(&self, call: impl Fn(&str, &str) -> String) -> String {
        let reader = self.token("read:issues");
        let writer = self.token("read:issues write:issues");
        let (acme, globex) = (&self.acme_key, &self.globex_key);
        let (who, create) = (call(&self.url, "whoami"), call(&self.url, "createIssue"));
        let header = "-H 'Authorization: Bearer";
        format!(
            "Listening on {}\n\n# 401: no token, and where to get one\n{who}\n\n\
             # 200: alice\n{who} {header} {reader}'\n\n\
             # 403: she may only read, and the answer names the scope she needs\n\
             {create} {header} {reader}'\n\n# 200: with that scope\n{create} {header} {writer}'\n\n\
             # 200: an API token; acme's administrator allows them\n{who} {header} {acme}'\n\n\
             # 401: globex's does not\n{who} {header} {globex}'\n\nCtrl-C ends it.\n",
            self.url
        )
    }
}

/// A call of a tool by curl, without a credential.
pub(crate) fn curl(url: &str, tool: &str) -> String {
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool}});
    let accept = "-H 'Accept: application/json, text/event-stream'";
    format!("curl -i {url} -H 'Content-Type: application/json' {accept} -d '{call}'")
}

/// Serves until Ctrl-C, and says what to try. `call` makes a command from URL and tool.
pub(crate) async fn run(
    serve: impl AsyncFnOnce(TcpListener, AuthenticatorBuilder) -> Result<(), BoxError>,
    call: impl Fn(&str, &str) -> String,
) -> Result<(), BoxError> {
    let (listener, demo) = Demo::start().await?;
    print!("{}", demo.guide(call));
    tokio::select! {
        served = serve(listener, demo.authenticator()) => served,
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}
