//! What the pages work on.

use tower_mcp_auth::Authenticator;
use tower_mcp_auth::OrganizationPolicy;
use tower_mcp_auth::api_token::ApiTokens;
use tower_mcp_auth::backend::SqlStore;
use tower_mcp_auth::clock::{Clock, UnixTime};
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::PolicyStore;

use super::ledger::Ledger;
use super::oauth::OAuth;
use super::page::Failure;
use super::session::{Admin, Sessions};
use super::time::Time;

pub(crate) struct Desk {
    /// Of the console, as browsers write it.
    pub(crate) origin: String,
    /// The MCP server whose rules these are.
    pub(crate) mcp: String,
    /// Judges who logs in here.
    pub(crate) auth: Authenticator,
    pub(crate) oauth: OAuth,
    pub(crate) store: SqlStore,
    pub(crate) tokens: ApiTokens,
    pub(crate) ledger: Ledger,
    pub(crate) sessions: Sessions,
    pub(crate) time: Time,
}

impl Desk {
    /// Host and port.
    pub(crate) fn authority(&self) -> &str {
        self.origin.split_once("://").map_or("", |(_, rest)| rest)
    }

    pub(crate) fn now(&self) -> UnixTime {
        self.time.now()
    }

    /// The policy in force.
    pub(crate) async fn policy(
        &self,
        organization: &OrganizationId,
    ) -> Result<OrganizationPolicy, Failure> {
        let stored = self.store.load(organization).await?;
        Ok(stored.unwrap_or_else(|| OrganizationPolicy::new(organization.clone())))
    }

    /// The tokens, as this administrator changes them: the audit says who it was.
    pub(crate) fn tokens_of(&self, admin: &Admin) -> ApiTokens {
        let sink = self.ledger.by(&admin.subject);
        self.tokens.clone().audit(sink)
    }
}
