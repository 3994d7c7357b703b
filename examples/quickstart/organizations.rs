//! Two organizations: who is in them, their API tokens, and what their administrators allow.

use std::error::Error;

use tower_mcp_auth::api_token::{ApiTokens, NewToken};
use tower_mcp_auth::enrich::{ContextEnricher, Enrichment, UserFacts};
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::MemoryPolicyStore;
use tower_mcp_auth::{BackendError, OrganizationPolicy, Principal};

/// Organization, subject, display name. A real server asks its user table.
const DIRECTORY: [(&str, &str, &str); 4] = [
    ("acme", "alice", "Alice Archer"),
    ("acme", "build-bot", "Build bot"),
    ("globex", "bob", "Bob Baker"),
    ("globex", "report-bot", "Report bot"),
];

pub(crate) struct Directory;

impl ContextEnricher for Directory {
    async fn enrich(
        &self,
        principal: &Principal,
        organization: &OrganizationId,
    ) -> Result<Enrichment, BackendError> {
        let wanted = (organization.as_str(), principal.subject().as_str());
        let mut entries = DIRECTORY.iter();
        let entry = entries.find(|(organization, subject, _)| (*organization, *subject) == wanted);
        Ok(match entry {
            Some((_, id, name)) => Enrichment::new().user(UserFacts::new(*id).display_name(*name)),
            None => Enrichment::new(),
        })
    }
}

/// acme's administrator has switched API tokens on, globex's has not.
pub(crate) fn policies() -> Result<MemoryPolicyStore, Box<dyn Error>> {
    let policy = |name, contact| -> Result<_, Box<dyn Error>> {
        let organization = OrganizationId::new(name).ok_or("not an organization")?;
        Ok(OrganizationPolicy::new(organization).contact(contact))
    };
    Ok(MemoryPolicyStore::new()
        .with(policy("acme", "alice@acme.example")?.api_tokens(true))?
        .with(policy("globex", "bob@globex.example")?)?)
}

/// What to paste. Those with a colon are an email and a personal token.
pub(crate) struct Credentials {
    pub(crate) alice: String,
    pub(crate) alice_misspelt: String,
    pub(crate) alice_revoked: String,
    pub(crate) build_bot: String,
    pub(crate) bob: String,
    pub(crate) report_bot: String,
}

impl Credentials {
    pub(crate) async fn issue(tokens: &ApiTokens) -> Result<Self, Box<dyn Error>> {
        let issue = |new: NewToken| tokens.issue(new.scopes(["read:issues"]));
        let alice = || NewToken::personal("acme", "alice", "alice@acme.example");
        let key = |organization, account, creator| {
            NewToken::service_account(organization, account).created_by(creator)
        };
        let personal = issue(alice()).await?.token;
        let revoked = issue(alice()).await?;
        tokens.revoke(revoked.record.id()).await?;
        let bob = NewToken::personal("globex", "bob", "bob@globex.example");
        let (build, report) = (
            issue(key("acme", "build-bot", "alice")).await?,
            issue(key("globex", "report-bot", "bob")).await?,
        );
        Ok(Self {
            alice: format!("alice@acme.example:{}", personal.expose()),
            alice_misspelt: format!("alize@acme.example:{}", personal.expose()),
            alice_revoked: format!("alice@acme.example:{}", revoked.token.expose()),
            build_bot: build.token.expose().to_owned(),
            bob: format!("bob@globex.example:{}", issue(bob).await?.token.expose()),
            report_bot: report.token.expose().to_owned(),
        })
    }
}
