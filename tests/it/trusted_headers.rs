//! Headers that are trusted, and rmcp behind that compares them (MCP-2, MCP-3, T36).

use std::sync::{Arc, Mutex};

use http_body_util::BodyExt;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::json;
use tower::{Layer, ServiceExt};
use tower_mcp_auth::{McpAuthLayer, ToolRules};

use crate::operations_support::{LEGACY, MODERN, Ops, message, whole};

fn rules() -> ToolRules {
    ToolRules::new()
        .tool("deploy", ["read:issues"])
        .tool("createIssue", ["write:issues"])
}

/// Remembers which tools were called.
#[derive(Clone, Default)]
struct Called(Arc<Mutex<Vec<String>>>);

impl ServerHandler for Called {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.0.lock().unwrap().push(call.name.to_string());
        Ok(CallToolResult::success(Vec::new()).into())
    }
}

/// Every combination of header lines and body that might make rmcp run something else than the
/// headers said.
#[tokio::test]
async fn t36_rmcp_compares_what_trusted_headers_say() {
    let called = Called::default();
    let handler = called.clone();
    let config = StreamableHttpServerConfig::default()
        .with_allowed_hosts(["mcp.example.com"])
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_sse_keep_alive(None);
    let sessions: Arc<LocalSessionManager> = Arc::default();
    let server = StreamableHttpService::new(move || Ok(handler.clone()), sessions, config);
    let world = Ops::warm(rules().trust_mirrored_headers()).await;
    let service = McpAuthLayer::new(world.auth.clone()).layer(server);
    let mut bodies = Vec::new();
    for tool in ["deploy", "createIssue"] {
        for meta in [None, Some(MODERN), Some(LEGACY)] {
            let mut params = json!({"name": tool, "arguments": {}});
            if let Some(version) = meta {
                params["_meta"] = json!({
                    "io.modelcontextprotocol/protocolVersion": version,
                    "io.modelcontextprotocol/clientCapabilities": {},
                    "io.modelcontextprotocol/clientInfo": {"name": "c", "version": "1"},
                });
            }
            bodies.push(
                json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
                    .to_string(),
            );
        }
    }
    let twice = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"deploy","name":"createIssue"}}"#;
    bodies.push(twice.to_owned());
    let versions = [
        None,
        Some(MODERN),
        Some(LEGACY),
        Some("2026-07-29"),
        Some(" 2026-07-28"),
        Some("2026-07-28x"),
        Some("9999-99-99"),
    ];
    let methods = [
        None,
        Some("tools/call"),
        Some("tools/list"),
        Some("initialize"),
        Some("ping"),
        Some("server/discover"),
        Some("notifications/initialized"),
        Some("completion/complete"),
        Some("TOOLS/CALL"),
    ];
    let names = [
        None,
        Some("deploy"),
        Some("createIssue"),
        Some("=?base64?ZGVwbG95?="),
        Some("=?base64?Y3JlYXRlSXNzdWU=?="),
    ];
    let token = world.reader();
    for version in versions {
        for (method, name) in methods
            .iter()
            .flat_map(|method| names.map(|name| (*method, name)))
        {
            for body in &bodies {
                let mut request = message()
                    .header("accept", "application/json, text/event-stream")
                    .header("authorization", &token);
                let lines = [
                    ("mcp-protocol-version", version),
                    ("mcp-method", method),
                    ("mcp-name", name),
                ];
                for (line, value) in lines {
                    if let Some(value) = value {
                        request = request.header(line, value);
                    }
                }
                let request = request
                    .body(whole(body.clone()).map_err(|_| std::io::Error::other("broken")))
                    .unwrap();
                let response = service.clone().oneshot(request).await.unwrap();
                let _whole = response.into_body().collect().await.unwrap();
                for tool in called.0.lock().unwrap().iter() {
                    assert_eq!(tool, "deploy", "{version:?} {method:?} {name:?} {body}");
                }
            }
        }
    }
    let ran = called.0.lock().unwrap().len();
    assert!(ran > 10, "{ran}");
}
