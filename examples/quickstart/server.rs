//! The servers: the MCP server, the issuer it trusts, and the administrators' switch.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower_mcp_auth::api_token::ApiTokens;
use tower_mcp_auth::enrich::EnrichmentMode;
use tower_mcp_auth::testing::TestIssuer;
use tower_mcp_auth::tool::{ToolRule, ToolRules};
use tower_mcp_auth::{Authenticator, Issuer, McpAuthLayer, ProtectedResource, Resource, cors};

use super::admin::Admin;
use super::args::Options;
use super::data::Data;
use super::explain;
use super::organizations::{Credentials, Directory, Policies, retire};
use super::probes::probes;
use super::tools::Tools;
use super::tracker::Tracker;

/// All servers, until this is dropped.
pub(crate) struct Quickstart {
    pub(crate) resource: Resource,
    pub(crate) issuer: TestIssuer,
    pub(crate) admin: Admin,
    pub(crate) data: Data,
    /// As they were at the start.
    pub(crate) policies: Policies,
    pub(crate) credentials: Credentials,
    /// How many credentials of a start before, at this address, were still good until now.
    pub(crate) retired: usize,
    stop: oneshot::Sender<()>,
    server: JoinHandle<io::Result<()>>,
}

pub(crate) async fn start(options: &Options) -> Result<Quickstart, Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await;
    let listener = listener.map_err(|error| taken(&error, "--port", options.port))?;
    let issuer = TestIssuer::builder()
        .port(options.issuer_port)
        .consent(options.consent)
        .user("alice", json!({"org_id": "acme"}))
        .user("bob", json!({"org_id": "globex"}))
        .scopes(["read:issues", "write:issues"])
        .start()
        .await
        .map_err(|error| taken(&error, "--issuer-port", options.issuer_port))?;

    let data = Data::open(options).await?;
    let store = data.store.clone();
    let policies = Policies::load(&store).await?;
    let tokens = ApiTokens::new(store.clone(), data.peppers.clone()).authority(issuer.url()); // alice is the same person, however she comes in
    let auth = Authenticator::builder(
        ProtectedResource::new(format!("http://{}/mcp", listener.local_addr()?))
            .issuer(Issuer::new(issuer.url()).organization_claim("org_id"))
            .baseline_scopes(["read:issues"])
            .allow_origin("http://localhost:6274") // the MCP inspector
            .name("Quickstart"),
    )
    .tools(rules())
    .api_tokens(tokens.clone())
    .policies(store.clone())
    .revocations(store.clone())
    .enrich(Directory, EnrichmentMode::Required)
    .peer_address(|extensions| {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(peer.0.ip())
    })
    .build()?;
    auth.warm_up(Duration::from_secs(5)).await?;
    let resource = auth.resource();

    // Without sessions, so that each call stands alone, as the printed lines do.
    let config = StreamableHttpServerConfig::default()
        .with_allowed_hosts(resource.allowed_hosts().unwrap_or_default())
        .with_legacy_session_mode(false)
        .with_json_response(true);
    let calls = config.cancellation_token.clone();
    let tracker = Tracker::with_samples();
    let tools = Tools { tracker };
    let mcp = StreamableHttpService::new(
        move || Ok(tools.clone()),
        NeverSessionManager::default().into(),
        config,
    );
    let app = Router::new()
        .route_service("/mcp", mcp)
        .layer(McpAuthLayer::new(auth.clone()))
        .layer(cors(&resource));
    // In this order: of two fallbacks that nobody set, axum keeps the second's, which has the layer.
    let app = probes(&auth)
        .route("/explain", explain::page(auth))
        .merge(app);

    let (stop, stopped) = oneshot::channel();
    let shutdown = async move {
        let _ = stopped.await; // asked to, or dropped
        calls.cancel();
    };
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, app).with_graceful_shutdown(shutdown);
    // Nobody else has this address now, so those who issued under its name before are gone.
    let name = format!("demo of {}", resource.identifier());
    Ok(Quickstart {
        admin: Admin::start(store, tokens.clone(), resource.identifier()).await?,
        retired: retire(&tokens, &name).await?,
        credentials: Credentials::issue(&tokens, &name).await?,
        resource,
        issuer,
        data,
        policies,
        stop,
        server: tokio::spawn(server.into_future()),
    })
}

/// What each tool needs of a credential. A tool that is not named here cannot be called.
fn rules() -> ToolRules {
    ToolRules::new()
        .tool("whoami", ToolRule::always_on())
        .tool("searchIssues", ["read:issues"])
        .tool("watchIssues", ["read:issues"])
        .tool("createIssue", ["write:issues"])
}

impl Quickstart {
    /// Ends running calls, then all servers. What is in the file stays.
    pub(crate) async fn stop(self) -> Result<(), Box<dyn Error>> {
        let _ = self.stop.send(()); // an error means that it has stopped already
        let ended = tokio::time::timeout(Duration::from_secs(5), self.server).await;
        ended.map_err(|_| "connections were still open after 5 s")???;
        self.data.store.close().await;
        Ok(())
    }
}

fn taken(error: &io::Error, option: &str, port: u16) -> String {
    if error.kind() == io::ErrorKind::AddrInUse {
        format!("port {port} is taken: choose another with {option}, or 0 for any free one")
    } else {
        format!("cannot listen on 127.0.0.1:{port}: {error}")
    }
}
