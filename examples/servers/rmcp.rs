//! The layer on rmcp: tools take an `AuthContext`, and nobody is shown a tool they may not call.
//!
//! `cargo run --example server_rmcp`, then do what it prints. axum carries it here; any server that
//! takes a Tower service will do.

#[cfg(test)]
mod checks;
mod common;

use std::net::SocketAddr;

use axum::Router;
use axum::extract::ConnectInfo;
use rmcp::model::{ListToolsResult, PaginatedRequestParams};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_handler, tool_router};
use tokio::net::TcpListener;
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::backend::{FilterList, RequestAuth};
use tower_mcp_auth::{AuthContext, McpAuthLayer};

use common::{BoxError, name};

/// What each tool needs is said in the tool rules, not here.
#[derive(Clone)]
struct Issues;

#[tool_router]
impl Issues {
    /// Who you are to this server.
    #[tool(name = "whoami")]
    async fn whoami(&self, auth: AuthContext) -> String {
        name(&auth)
    }

    /// Reports an issue.
    #[tool(name = "createIssue")]
    async fn create_issue(&self, auth: AuthContext) -> String {
        name(&auth)
    }
}

#[tool_handler(name = "server_rmcp")]
impl ServerHandler for Issues {
    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut list = ListToolsResult::with_all_items(Self::tool_router().list_all());
        list.filter_list(context.extensions.auth()?);
        Ok(list)
    }
}

async fn serve(listener: TcpListener, auth: AuthenticatorBuilder) -> Result<(), BoxError> {
    let auth = auth
        .peer_address(|extensions| {
            let peer = extensions.get::<ConnectInfo<SocketAddr>>()?;
            Some(peer.0.ip())
        })
        .build()?;
    // rmcp looks at the host too, and takes loopback only unless told otherwise.
    let resource = auth.resource();
    let hosts = resource.allowed_hosts().unwrap_or_default();
    // Without sessions each call stands alone, as the printed lines do. With them, the layer binds
    // their ids to who began them.
    let config = StreamableHttpServerConfig::default()
        .with_allowed_hosts(hosts)
        .with_legacy_session_mode(false)
        .with_json_response(true);
    let sessions = NeverSessionManager::default().into();
    let mcp = StreamableHttpService::new(|| Ok(Issues), sessions, config);
    let app = Router::new()
        .route_service("/mcp", mcp)
        .layer(McpAuthLayer::new(auth));
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, app).await?)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    common::run(serve, common::curl).await
}

#[cfg(test)]
mod tests {
    use rmcp::model::CallToolRequestParams;
    use rmcp::service::{ClientInitializeError, RunningService};
    use rmcp::transport::StreamableHttpClientTransport;
    use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
    use rmcp::{RoleClient, ServiceExt};

    use super::*;
    use common::Demo;

    async fn connect(
        demo: &Demo,
        credential: Option<&str>,
    ) -> Result<RunningService<RoleClient, ()>, ClientInitializeError> {
        let mut config = StreamableHttpClientTransportConfig::with_uri(&*demo.url);
        config.auth_header = credential.map(Into::into);
        let transport = StreamableHttpClientTransport::from_config(config);
        ().serve(transport).await
    }

    #[tokio::test]
    async fn every_caller_gets_the_right_answer() {
        let (_running, demo) = checks::start(serve).await;
        // rmcp's client tells 401 from 403 by the kind of error.
        let refused = |unauthorized, challenge: Option<&str>| {
            let status = if unauthorized { 401 } else { 403 };
            Err((status, challenge.unwrap().to_owned()))
        };
        checks::hold(&demo, async |credential, tool| {
            let client = match connect(&demo, credential).await {
                Ok(client) => client,
                Err(error) => {
                    return refused(error.is_authorization_required(), error.auth_challenge());
                }
            };
            let call = CallToolRequestParams::new(tool.to_owned());
            match client.call_tool(call).await {
                Ok(result) => Ok(result.content[0].as_text().unwrap().text.clone()),
                Err(error) => refused(error.is_authorization_required(), error.auth_challenge()),
            }
        })
        .await;
    }

    #[tokio::test]
    async fn mcp_18_nobody_is_shown_a_tool_they_may_not_call() {
        let (_running, demo) = checks::start(serve).await;
        let all = vec!["createIssue", "whoami"];
        for (scopes, shown) in [("read:issues", vec!["whoami"]), ("write:issues", all)] {
            let token = demo.token(scopes);
            let client = connect(&demo, Some(&token)).await.unwrap();
            let tools = client.list_all_tools().await.unwrap();
            let names: Vec<_> = tools.iter().map(|tool| &*tool.name).collect();
            assert_eq!(names, shown);
        }
    }
}
