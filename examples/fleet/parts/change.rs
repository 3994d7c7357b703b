//! What administrators do, on any server or beside them all.

use serde::{Deserialize, Serialize};
use tower_mcp_auth::api_token::{ApiTokens, TokenId};
use tower_mcp_auth::authenticator::AuthHandle;
use tower_mcp_auth::backend::SqlStore;
use tower_mcp_auth::clock::{Clock, SystemClock};
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::PolicyStore;
use tower_mcp_auth::revocation::{RevocationEntry, RevocationLog, RevocationTarget};
use tower_mcp_auth::{BackendError, OrganizationPolicy};

use super::BoxError;

/// One change, as `POST /admin` takes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub(crate) enum Change {
    /// Revokes an API token.
    Token { id: String },
    /// Revokes what a person of an organization has.
    User {
        organization: String,
        subject: String,
    },
    /// Revokes what a client got.
    Client { client: String },
    /// Switches the API tokens of an organization on or off.
    Policy { organization: String, on: bool },
}

/// Who can make changes.
#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) store: SqlStore,
    pub(crate) tokens: ApiTokens,
    pub(crate) issuer: String,
    /// Of a server; without one the log is written directly, as the program `mcp-auth` does.
    pub(crate) handle: Option<AuthHandle>,
}

impl Admin {
    /// Makes the change. It may be made twice: the second time changes nothing more.
    pub(crate) async fn make(&self, change: &Change) -> Result<(), BoxError> {
        match change {
            Change::Token { id } => {
                let id = TokenId::new(id).ok_or("not the id of a token")?;
                self.tokens.revoke(&id).await?.ok_or("no such token")?;
                Ok(())
            }
            Change::User {
                organization,
                subject,
            } => {
                let target = RevocationTarget::User {
                    organization: organization.parse()?,
                    subject: subject.parse()?,
                };
                Ok(self.revoke(target).await?)
            }
            Change::Client { client } => {
                let target = RevocationTarget::Client {
                    issuer: self.issuer.clone(),
                    client: client.parse()?,
                };
                Ok(self.revoke(target).await?)
            }
            Change::Policy { organization, on } => self.switch(organization.parse()?, *on).await,
        }
    }

    async fn revoke(&self, target: RevocationTarget) -> Result<(), BackendError> {
        if let Some(handle) = &self.handle {
            return handle.revoke(target).await;
        }
        let entry = RevocationEntry::new(&target, SystemClock::new().now());
        self.store.append(entry).await.map(drop)
    }

    async fn switch(&self, organization: OrganizationId, on: bool) -> Result<(), BoxError> {
        let held = self.store.load(&organization).await?;
        let policy = held.unwrap_or_else(|| OrganizationPolicy::new(organization));
        let version = policy.version();
        self.store.put(policy.api_tokens(on), version).await?;
        Ok(())
    }
}
