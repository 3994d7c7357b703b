//! The tools of the MCP server. Everyone sees the issues of their own organization. Which scopes a
//! tool needs is not said here: see the rules beside the server.

use std::time::Duration;

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::ProgressNotificationParam;
use rmcp::service::RequestContext;
use rmcp::{Json, RoleServer, ServerHandler, schemars, tool, tool_handler, tool_router};
use serde::{Deserialize, Serialize};
use tower_mcp_auth::AuthContext;

use super::tracker::{Issue, Tracker};

#[derive(Clone)]
pub(crate) struct Tools {
    pub(crate) tracker: Tracker,
}

#[derive(Serialize, schemars::JsonSchema)]
pub(crate) struct Identity {
    user: String,
    /// From the server's own directory.
    name: Option<String>,
    organization: String,
    scopes: Vec<String>,
    method: String,
    client: Option<String>,
}

#[derive(Serialize, schemars::JsonSchema)]
pub(crate) struct Issues {
    issues: Vec<Issue>,
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct Search {
    /// What the title contains. Leave it out for all issues.
    #[serde(default)]
    text: String,
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct NewIssue {
    title: String,
}

#[tool_router]
impl Tools {
    /// Who you are to this server, and what you may do.
    #[tool(name = "whoami", annotations(read_only_hint = true))]
    async fn whoami(&self, auth: AuthContext) -> Json<Identity> {
        let facts = auth.enrichment().and_then(|known| known.user_facts());
        Json(Identity {
            user: auth.principal().subject().to_string(),
            name: facts.and_then(|user| user.display_name.clone()),
            organization: auth.organization().to_string(),
            scopes: auth.scopes().iter().map(str::to_owned).collect(),
            method: auth.method().to_string(),
            client: auth.principal().client().map(ToString::to_string),
        })
    }

    /// Searches the issues of your organization.
    #[tool(name = "searchIssues", annotations(read_only_hint = true))]
    async fn search_issues(
        &self,
        auth: AuthContext,
        Parameters(search): Parameters<Search>,
    ) -> Json<Issues> {
        let mut issues = self.tracker.all_of(auth.organization().as_str());
        issues.retain(|issue| issue.title.contains(&search.text));
        Json(Issues { issues })
    }

    /// Reports an issue in your organization.
    #[tool(name = "createIssue")]
    async fn create_issue(
        &self,
        auth: AuthContext,
        Parameters(new): Parameters<NewIssue>,
    ) -> Json<Issue> {
        let (organization, reporter) = (auth.organization(), auth.principal().subject());
        let issue = self
            .tracker
            .add(organization.as_str(), reporter.as_str(), &new.title);
        Json(issue)
    }

    /// Watches the issues of your organization for a second, and reports progress meanwhile.
    #[tool(name = "watchIssues", annotations(read_only_hint = true))]
    async fn watch_issues(
        &self,
        auth: AuthContext,
        context: RequestContext<RoleServer>,
    ) -> Result<Json<Issues>, String> {
        const LOOKS: u8 = 4;
        let look = || self.tracker.all_of(auth.organization().as_str());
        for looks in 1..=LOOKS {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(250)) => {}
                () = context.ct.cancelled() => return Err("cancelled".into()),
            }
            let Some(token) = context.meta.get_progress_token() else {
                continue; // the client does not want to know
            };
            let progress = ProgressNotificationParam::new(token, f64::from(looks))
                .with_total(f64::from(LOOKS))
                .with_message(format!("{} issues so far", look().len()));
            let sent = context.peer.notify_progress(progress).await;
            sent.map_err(|error| error.to_string())?;
        }
        Ok(Json(Issues { issues: look() }))
    }
}

#[tool_handler(name = "quickstart")]
impl ServerHandler for Tools {}
