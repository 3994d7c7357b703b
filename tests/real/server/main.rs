//! The server that `scripts/real` shows to other people's clients.
//!
//! It prints one line of JSON as soon as it listens: its URLs and the API tokens it made. It ends
//! when its standard input does, so that it never outlives who started it.
#![expect(clippy::print_stdout, reason = "a program talks to who started it")]

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::middleware::from_fn_with_state;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use serde::Serialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower_mcp_auth::api_token::{ApiTokens, MemoryStore, NewToken, Peppers};
use tower_mcp_auth::authenticator::{AuthenticatorBuilder, ChallengeScopes};
use tower_mcp_auth::dpop::Dpop;
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::mtls::ClientCertificates;
use tower_mcp_auth::policy::{MemoryPolicyStore, TrustedProxies};
use tower_mcp_auth::tool::{ToolRule, ToolRules};
use tower_mcp_auth::{
    Authenticator, Introspection, Issuer, McpAuthLayer, OrganizationPolicy, ProtectedResource,
    SigningAlgorithm, cors,
};

use admin::{Admin, Log};
use options::{Checks, Layering, Options};
use tools::Tools;

mod admin;
mod options;
mod tools;
mod upstream;

type Failure = Box<dyn Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let options = Options::parse(std::env::args().skip(1))?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
    // Some clients accept plain http for `localhost` only, others for `127.0.0.1` only.
    let port = listener.local_addr()?.port();
    let url = format!("http://{}:{port}/mcp", options.host);
    let log = Log::default();
    let mut ready = json!({"mcp": url, "pid": std::process::id()})
        .as_object()
        .cloned();
    let ready = ready.get_or_insert_default();
    let app = match options.layering {
        Layering::None => inner(&options, None)?,
        Layering::Auth | Layering::Signed => {
            let protected = protect(&options, &url).await?;
            let admin = Admin::new(protected.policies, protected.auth.clone(), log.clone());
            ready.insert("admin".into(), admin.start().await?.into());
            let key = format!("Bearer {}", protected.tokens.service).parse()?;
            ready.insert("tokens".into(), serde_json::to_value(protected.tokens)?);
            let resource = protected.auth.resource();
            let app = inner(&options, resource.allowed_hosts())?
                .layer(McpAuthLayer::new(protected.auth))
                .layer(cors(&resource));
            match options.layering {
                Layering::Signed => app.layer(from_fn_with_state(key, upstream::sign)),
                _ => app,
            }
        }
    };
    let app = app.layer(from_fn_with_state(log, admin::record));
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    println!("{}", serde_json::to_string(ready)?);
    tokio::select! {
        ended = axum::serve(listener, app) => ended?,
        _ = orphaned() => {}
    }
    Ok(())
}

/// Until nobody holds the other end of standard input.
fn orphaned() -> oneshot::Receiver<()> {
    let (closed, orphaned) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink()); // an error is an end, too
        closed.send(())
    });
    orphaned
}

/// What is protected: our tools, or somebody else's server.
fn inner(options: &Options, hosts: Option<&[String]>) -> Result<Router, Failure> {
    Ok(match &options.upstream {
        Some(url) => upstream::router(url)?,
        None => Router::new().route_service("/mcp", mcp(hosts)),
    })
}

/// rmcp's own server: sessions for the protocols that have them, and every answer a stream.
fn mcp(hosts: Option<&[String]>) -> StreamableHttpService<Tools, LocalSessionManager> {
    let config = StreamableHttpServerConfig::default().with_legacy_session_mode(true);
    let config = match hosts {
        Some(hosts) => config.with_allowed_hosts(hosts.to_vec()),
        None => config,
    };
    let sessions = Arc::new(LocalSessionManager::default());
    StreamableHttpService::new(|| Ok(Tools), sessions, config)
}

/// The layer, and what goes with it.
struct Protected {
    auth: Authenticator,
    policies: MemoryPolicyStore,
    tokens: Tokens,
}

/// What a script pastes: an email with a personal token, and the key of a service account.
#[derive(Serialize)]
struct Tokens {
    email: String,
    personal: String,
    service: String,
}

async fn protect(options: &Options, url: &str) -> Result<Protected, Failure> {
    let policies = policies()?;
    let tokens = ApiTokens::new(MemoryStore::new(), Peppers::generate()?);
    let tokens = tokens.authority(&options.issuer);
    let builder = Authenticator::builder(
        ProtectedResource::new(url)
            .issuer(issuer(options))
            .baseline_scopes(["read:issues"])
            .allow_origin(url.trim_end_matches("/mcp"))
            .name("Real"),
    )
    .tools(rules(options))
    .challenge_scopes(if options.everything {
        ChallengeScopes::Everything
    } else {
        ChallengeScopes::default()
    })
    .session_key([7; 32])
    .api_tokens(tokens.clone())
    .policies(policies.clone())
    .peer_address(|extensions| {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(peer.0.ip())
    });
    let auth = bound(builder, &options.checks)?.build()?;
    auth.warm_up(Duration::from_secs(10)).await?;
    Ok(Protected {
        auth,
        policies,
        tokens: issue(&tokens).await?,
    })
}

fn issuer(options: &Options) -> Issuer {
    let issuer = Issuer::new(&options.issuer)
        .organization_claim("org_id")
        .leeway(Duration::ZERO) // so that nobody waits longer than a token lives
        .algorithms([
            SigningAlgorithm::Rs256,
            SigningAlgorithm::Ps256,
            SigningAlgorithm::Es256,
            SigningAlgorithm::EdDsa,
        ]);
    if !options.checks.introspect {
        return issuer;
    }
    issuer.introspection(
        Introspection::new()
            .client_secret_basic("resource-server", "resource-secret")
            .lifetime(Duration::from_secs(1)), // so that nobody waits long for a revocation
    )
}

/// What is taken of tokens that are bound to their sender.
fn bound(
    mut builder: AuthenticatorBuilder,
    checks: &Checks,
) -> Result<AuthenticatorBuilder, Failure> {
    if checks.dpop {
        builder = builder.dpop(Dpop::new());
    }
    if checks.client_cert {
        // All of 127.0.0.0/8 is this machine: the other addresses are whoever is no proxy.
        builder = builder
            .client_certificates(ClientCertificates::from_connection().or_from_proxy())
            .trusted_proxies(TrustedProxies::new(["127.0.0.1/32"])?);
    }
    Ok(builder)
}

fn rules(options: &Options) -> ToolRules {
    if options.upstream.is_some() {
        // Everything is let through, but through the layer's reading and judging.
        return ToolRules::new()
            .tool("*", ["read:issues"])
            .prompt("*", ["read:issues"])
            .resource("test://**", ["read:issues"])
            .method("completion/complete", ["read:issues"]);
    }
    ToolRules::new()
        .tool("whoami", ToolRule::always_on())
        .tool("watch", ["read:issues"])
        .tool("createIssue", ["write:issues"])
}

/// Both organizations take API tokens until the switch is turned.
fn policies() -> Result<MemoryPolicyStore, Failure> {
    let mut store = MemoryPolicyStore::new();
    for name in ["acme", "globex"] {
        let organization = OrganizationId::new(name).ok_or("not an organization")?;
        store = store.with(OrganizationPolicy::new(organization).api_tokens(true))?;
    }
    Ok(store)
}

async fn issue(tokens: &ApiTokens) -> Result<Tokens, Failure> {
    let email = "alice@acme.example";
    let personal = NewToken::personal("acme", "alice", email);
    let personal = tokens.issue(personal.scopes(["read:issues"])).await?;
    let service = NewToken::service_account("acme", "build-bot").created_by("alice");
    let service = tokens.issue(service.scopes(["read:issues"])).await?;
    Ok(Tokens {
        email: email.into(),
        personal: personal.token.expose().to_owned(),
        service: service.token.expose().to_owned(),
    })
}
