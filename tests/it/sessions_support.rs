//! rmcp in its session mode behind the layer, and a client of it.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::Full;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ServerCapabilities,
    ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::json;
use tower::{Layer, ServiceExt};
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::testing::TokenBuilder;
use tower_mcp_auth::{AuthContext, Authenticator, McpAuthLayer, ToolRules};

use crate::operations_support::{LEGACY, asks, message};
use crate::orgs_support::{ON, Orgs};
use crate::support::Answer;

#[derive(Clone)]
pub struct Who;

impl ServerHandler for Who {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let parts = context.extensions.get::<http::request::Parts>().unwrap();
        let auth = parts.extensions.get::<AuthContext>().unwrap();
        let said = format!("I am {}", auth.principal().subject());
        Ok(CallToolResult::success(vec![ContentBlock::text(said)]).into())
    }
}

pub type Server = StreamableHttpService<Who, LocalSessionManager>;

pub fn server() -> Server {
    let config = StreamableHttpServerConfig::default()
        .with_allowed_hosts(["mcp.example.com"])
        .with_legacy_session_mode(true)
        .with_sse_keep_alive(None)
        .with_sse_retry(None);
    StreamableHttpService::new(|| Ok(Who), Arc::default(), config)
}

pub fn rules() -> ToolRules {
    ToolRules::new().tool("who", ["read:issues"])
}

pub struct Sessions {
    pub orgs: Orgs,
    pub server: Server,
}

impl Sessions {
    pub async fn new(configure: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder) -> Self {
        Self {
            orgs: Orgs::custom(|auth| configure(auth.tools(rules()))).await,
            server: server(),
        }
    }

    pub fn alice(&self) -> TokenBuilder {
        self.orgs
            .access_token(ON)
            .subject("alice")
            .client("desktop")
    }

    pub async fn send_to(
        &self,
        auth: &Authenticator,
        request: http::request::Builder,
        body: String,
    ) -> Answer {
        let request = request
            .header("accept", "application/json, text/event-stream")
            .header("x-request-id", "req-1")
            .header("mcp-protocol-version", LEGACY)
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let service = McpAuthLayer::new(auth.clone()).layer(self.server.clone());
        let opens = request.method() == "GET";
        let response = service.oneshot(request).await.unwrap();
        if opens && response.status() == StatusCode::OK {
            // The stream of a session has no end.
            return Answer::read(response.map(|_| Full::<Bytes>::default())).await;
        }
        Answer::read(response).await
    }

    pub async fn send(&self, token: &TokenBuilder, id: &str, body: String) -> Answer {
        let request = message()
            .header("authorization", format!("Bearer {}", token.sign()))
            .header("mcp-session-id", id);
        self.send_to(&self.orgs.auth, request, body).await
    }

    /// Begins a session, and says its id.
    pub async fn begin(&self, token: &TokenBuilder) -> String {
        let request = message().header("authorization", format!("Bearer {}", token.sign()));
        let answer = self.send_to(&self.orgs.auth, request, initialize()).await;
        answer.assert_let_in();
        let id = answer.header("mcp-session-id").unwrap().to_owned();
        let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let answer = self.send(token, &id, initialized.to_owned()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        id
    }

    /// The status of a GET or DELETE, whose body may have no end.
    pub async fn status(&self, method: &str, token: &TokenBuilder, id: &str) -> StatusCode {
        let request = message()
            .method(method)
            .header("accept", "text/event-stream")
            .header("mcp-protocol-version", LEGACY)
            .header("authorization", format!("Bearer {}", token.sign()))
            .header("mcp-session-id", id)
            .body(Full::<Bytes>::default());
        let service = McpAuthLayer::new(self.orgs.auth.clone()).layer(self.server.clone());
        service.oneshot(request.unwrap()).await.unwrap().status()
    }
}

pub fn initialize() -> String {
    let client = json!({"name": "c", "version": "1"});
    let params = json!({"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": client});
    asks("initialize", &params)
}

pub fn who() -> String {
    asks("tools/call", &json!({"name": "who", "arguments": {}}))
}
