//! A stand-in for your MCP server: its tools say who has called them.

use std::io;
use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower_mcp_auth::policy::{ClientPattern, Intent};
use tower_mcp_auth::tool::{ToolRule, ToolRules};
use tower_mcp_auth::{
    AuthContext, Authenticator, ConfigError, Issuer, McpAuthLayer, ProtectedResource,
};

use super::desk::Desk;

/// Of its tools.
pub(crate) const SCOPES: [&str; 3] = ["read:issues", "write:issues", "read:pages"];

/// Starts it, obeying the policies and tokens of the desk, with its audit.
pub(crate) fn start(
    listener: TcpListener,
    desk: &Desk,
    issuer: &str,
) -> Result<JoinHandle<io::Result<()>>, ConfigError> {
    let resource = ProtectedResource::new(&desk.mcp)
        .issuer(Issuer::new(issuer).organization_claim("org_id"))
        .baseline_scopes(["read:issues"]);
    let auth = Authenticator::builder(resource)
        .clock(desk.time.clone())
        .tools(rules())
        .api_tokens(desk.tokens.clone())
        .policies(desk.store.clone())
        .revocations(desk.store.clone())
        .supported_clients([ClientPattern::new("https://assistant.example/**")])
        .audit(desk.ledger.clone())
        .peer_address(|extensions| {
            let peer = extensions.get::<ConnectInfo<SocketAddr>>()?;
            Some(peer.0.ip())
        })
        .build()?;
    let app = Router::new()
        .route("/mcp", post(mcp))
        .layer(McpAuthLayer::new(auth))
        .into_make_service_with_connect_info::<SocketAddr>();
    Ok(tokio::spawn(axum::serve(listener, app).into_future()))
}

fn rules() -> ToolRules {
    ToolRules::new()
        .tool(
            "searchIssues",
            ToolRule::scopes(["read:issues"]).group("issues", Intent::Search),
        )
        .tool(
            "createIssue",
            ToolRule::scopes(["write:issues"]).group("issues", Intent::Write),
        )
        .tool(
            "readPage",
            ToolRule::scopes(["read:pages"]).group("wiki", Intent::Read),
        )
        .tool(
            "deletePage",
            ToolRule::scopes(["read:pages"]).group("wiki", Intent::Delete),
        )
}

async fn mcp(auth: AuthContext, Json(message): Json<Value>) -> Json<Value> {
    let who = format!("{} of {}", auth.principal().subject(), auth.organization());
    let result = json!({"content": [{"type": "text", "text": who}]});
    let id = message.get("id").cloned().unwrap_or_default();
    Json(json!({"jsonrpc": "2.0", "id": id, "result": result}))
}
