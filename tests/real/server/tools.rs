//! Three tools: one that tells who calls, one that streams, one that needs a scope more.

use std::time::Duration;

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::ProgressNotificationParam;
use rmcp::service::RequestContext;
use rmcp::{Json, RoleServer, ServerHandler, schemars, tool, tool_handler, tool_router};
use serde::{Deserialize, Serialize};
use tower_mcp_auth::AuthContext;

#[derive(Clone)]
pub(crate) struct Tools;

#[derive(Serialize, schemars::JsonSchema)]
pub(crate) struct Identity {
    user: String,
    organization: String,
    scopes: Vec<String>,
    method: String,
    client: Option<String>,
}

#[derive(Serialize, Deserialize, schemars::JsonSchema)]
pub(crate) struct Issue {
    title: String,
}

#[derive(Serialize, schemars::JsonSchema)]
pub(crate) struct Watched {
    steps: u8,
}

#[tool_router]
impl Tools {
    /// Who you are to this server.
    #[tool(name = "whoami", annotations(read_only_hint = true))]
    async fn whoami(&self, auth: AuthContext) -> Json<Identity> {
        Json(Identity {
            user: auth.principal().subject().to_string(),
            organization: auth.organization().to_string(),
            scopes: auth.scopes().iter().map(str::to_owned).collect(),
            method: auth.method().to_string(),
            client: auth.principal().client().map(ToString::to_string),
        })
    }

    /// Creates an issue.
    #[tool(name = "createIssue")]
    async fn create_issue(&self, Parameters(issue): Parameters<Issue>) -> Json<Issue> {
        Json(issue)
    }

    /// Reports progress three times, then ends.
    #[tool(name = "watch", annotations(read_only_hint = true))]
    async fn watch(&self, context: RequestContext<RoleServer>) -> Result<Json<Watched>, String> {
        const STEPS: u8 = 3;
        for step in 1..=STEPS {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let Some(token) = context.meta.get_progress_token() else {
                continue;
            };
            let progress = ProgressNotificationParam::new(token, f64::from(step));
            let progress = progress.with_total(f64::from(STEPS));
            let sent = context.peer.notify_progress(progress).await;
            sent.map_err(|error| error.to_string())?;
        }
        Ok(Json(Watched { steps: STEPS }))
    }
}

#[tool_handler(name = "real")]
impl ServerHandler for Tools {}
