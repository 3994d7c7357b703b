//! The tools: a tracker in which everyone sees the issues of their own organization.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::ProgressNotificationParam;
use rmcp::service::RequestContext;
use rmcp::{Json, RoleServer, ServerHandler, schemars, tool, tool_handler, tool_router};
use serde::{Deserialize, Serialize};
use tower_mcp_auth::AuthContext;

use super::caller::Caller;

#[derive(Clone, Default)]
pub(crate) struct Tracker {
    /// Organization and issue.
    issues: Arc<Mutex<Vec<(String, Issue)>>>,
}

#[derive(Clone, Serialize, schemars::JsonSchema)]
pub(crate) struct Issue {
    number: usize,
    title: String,
    reporter: String,
}

#[derive(Serialize, schemars::JsonSchema)]
pub(crate) struct Issues {
    issues: Vec<Issue>,
}

#[derive(Serialize, schemars::JsonSchema)]
pub(crate) struct Identity {
    user: String,
    organization: String,
    scopes: Vec<String>,
    client: Option<String>,
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct Search {
    /// Words the title contains; all issues without.
    #[serde(default)]
    text: String,
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct NewIssue {
    title: String,
}

#[tool_router]
impl Tracker {
    /// Who you are to this server, and what you may do.
    #[tool(name = "whoami", annotations(read_only_hint = true))]
    async fn whoami(&self, Caller(auth): Caller) -> Json<Identity> {
        Json(Identity {
            user: auth.principal().subject().to_string(),
            organization: auth.organization().to_string(),
            scopes: auth.scopes().iter().map(str::to_owned).collect(),
            client: auth.principal().client().map(ToString::to_string),
        })
    }

    /// Searches your organization's issues.
    #[tool(name = "searchIssues", annotations(read_only_hint = true))]
    async fn search_issues(
        &self,
        Caller(auth): Caller,
        Parameters(search): Parameters<Search>,
    ) -> Result<Json<Issues>, String> {
        need(&auth, "read:issues")?;
        let mut issues = self.issues_of(&auth);
        issues.retain(|issue| issue.title.contains(&search.text));
        Ok(Json(Issues { issues }))
    }

    /// Reports an issue in your organization.
    #[tool(name = "createIssue")]
    async fn create_issue(
        &self,
        Caller(auth): Caller,
        Parameters(new): Parameters<NewIssue>,
    ) -> Result<Json<Issue>, String> {
        need(&auth, "write:issues")?;
        let issue = Issue {
            number: self.issues_of(&auth).len() + 1,
            title: new.title,
            reporter: auth.principal().subject().to_string(),
        };
        let mut issues = self.issues.lock().unwrap_or_else(PoisonError::into_inner);
        issues.push((auth.organization().to_string(), issue.clone()));
        Ok(Json(issue))
    }

    /// Watches your organization's issues for a second, and reports progress meanwhile.
    #[tool(name = "watchIssues", annotations(read_only_hint = true))]
    async fn watch_issues(
        &self,
        Caller(auth): Caller,
        context: RequestContext<RoleServer>,
    ) -> Result<Json<Issues>, String> {
        const LOOKS: u8 = 4;
        need(&auth, "read:issues")?;
        for look in 1..=LOOKS {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(250)) => {}
                () = context.ct.cancelled() => return Err("cancelled".into()),
            }
            let Some(token) = context.meta.get_progress_token() else {
                continue; // the client did not ask
            };
            let progress = ProgressNotificationParam::new(token, f64::from(look))
                .with_total(f64::from(LOOKS))
                .with_message(format!("{} issues", self.issues_of(&auth).len()));
            let sent = context.peer.notify_progress(progress).await;
            sent.map_err(|error| error.to_string())?;
        }
        let issues = self.issues_of(&auth);
        Ok(Json(Issues { issues }))
    }

    fn issues_of(&self, auth: &AuthContext) -> Vec<Issue> {
        let issues = self.issues.lock().unwrap_or_else(PoisonError::into_inner);
        let own = issues
            .iter()
            .filter(|(organization, _)| organization == auth.organization().as_str());
        own.map(|(_, issue)| issue.clone()).collect()
    }
}

/// A sentence for the model if the token lacks the scope.
fn need(auth: &AuthContext, scope: &str) -> Result<(), String> {
    if auth.has_scope(scope) {
        return Ok(());
    }
    let granted = auth.scopes();
    Err(format!(
        "this needs the scope {scope}, and the token has only {granted}: log in again and ask for it"
    ))
}

#[tool_handler(name = "quickstart")]
impl ServerHandler for Tracker {}
