//! Two organizations: who is in them, their API tokens, and what their administrators allow.

use std::error::Error;
use std::time::Duration;

use tower_mcp_auth::api_token::{ApiTokens, NewToken, TokenQuery};
use tower_mcp_auth::backend::SqlStore;
use tower_mcp_auth::clock::{Clock, SystemClock};
use tower_mcp_auth::enrich::{ContextEnricher, Enrichment, UserFacts};
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::{PolicyStore, PutError};
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

/// What administrators allow.
pub(crate) struct Policies {
    pub(crate) acme: OrganizationPolicy,
    pub(crate) globex: OrganizationPolicy,
}

impl Policies {
    /// At the very first start acme's administrator has switched API tokens on, globex's has not.
    /// From then on they are what somebody made of them.
    pub(crate) async fn load(store: &SqlStore) -> Result<Self, Box<dyn Error>> {
        let acme = OrganizationPolicy::new("acme".parse()?).contact("alice@acme.example");
        let globex = OrganizationPolicy::new("globex".parse()?).contact("bob@globex.example");
        Ok(Self {
            acme: put_first(store, acme.api_tokens(true)).await?,
            globex: put_first(store, globex).await?,
        })
    }
}

/// The policy in force; this one, if there was none.
async fn put_first(
    store: &SqlStore,
    policy: OrganizationPolicy,
) -> Result<OrganizationPolicy, Box<dyn Error>> {
    let organization = policy.organization().clone();
    match store.by("quickstart").put(policy, 0).await {
        Err(PutError::Conflict { .. }) => {
            Ok(store.load(&organization).await?.ok_or("no policy")?)
        }
        put => Ok(put?),
    }
}

/// Revokes what was issued under this name; how many of them were still good.
pub(crate) async fn retire(tokens: &ApiTokens, name: &str) -> Result<usize, Box<dyn Error>> {
    let now = SystemClock::new().now();
    let mut retired = 0;
    for organization in ["acme", "globex"] {
        let mut query = TokenQuery::new(organization.parse()?).limit(1000);
        loop {
            let page = tokens.list(query.clone()).await?;
            let Some(last) = page.last() else { break };
            query = query.after(*last.id());
            for old in page.iter().filter(|old| old.name() == name) {
                if old.is_alive(now) {
                    tokens.revoke(old.id()).await?;
                    retired += 1;
                }
            }
        }
    }
    Ok(retired)
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
    /// New ones, because secrets are nowhere to be read again. Of a program that was killed they
    /// end by themselves, a day later.
    pub(crate) async fn issue(tokens: &ApiTokens, name: &str) -> Result<Self, Box<dyn Error>> {
        let issue = |new: NewToken| {
            let new = new.name(name).scopes(["read:issues"]);
            tokens.issue(new.expires_in(Duration::from_secs(24 * 3600)))
        };
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
