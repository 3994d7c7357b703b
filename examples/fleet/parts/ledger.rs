//! Whether what was changed is still there: in the log without gaps, and in the records.

use std::collections::{HashMap, HashSet};

use tower_mcp_auth::api_token::{ApiTokenStore, TokenId};
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::PolicyStore;
use tower_mcp_auth::revocation::{RecordChange, RevocationLog, RevocationTarget};

use super::BoxError;
use super::change::{Admin, Change};

const PAGE: usize = 1000;

/// What the database holds at the end.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) entries: u64,
    pub(crate) last: u64,
    /// Changes that are not in the log, or not in their records. Empty is good.
    pub(crate) lost: Vec<String>,
}

/// Looks for each change in the log and in the records.
pub(crate) async fn audit(admin: &Admin, changes: &[Change]) -> Result<Ledger, BoxError> {
    let mut ledger = Ledger::default();
    let mut subjects = HashSet::new();
    let mut clients = HashSet::new();
    let mut tokens = HashSet::new();
    let mut policies: HashMap<OrganizationId, u64> = HashMap::new();
    loop {
        let page = admin.store.read_since(ledger.last, PAGE).await?;
        for (number, entry) in &page {
            ledger.entries += 1;
            ledger.last = *number;
            match entry.change() {
                Some(RecordChange::ApiToken(id)) => drop(tokens.insert(id)),
                Some(RecordChange::Policy(organization)) => {
                    *policies.entry(organization).or_default() += 1;
                }
                None => match entry.target() {
                    Some(RevocationTarget::User { subject, .. }) => {
                        subjects.insert(subject.to_string());
                    }
                    Some(RevocationTarget::Client { client, .. }) => {
                        clients.insert(client.to_string());
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        if page.len() < PAGE {
            break;
        }
    }
    if ledger.entries != ledger.last {
        let gap = format!("{} entries up to number {}", ledger.entries, ledger.last);
        ledger.lost.push(gap);
    }
    for change in changes {
        let is_there = match change {
            Change::Token { id } => tokens.contains(id) && is_revoked(admin, id).await?,
            Change::User { subject, .. } => subjects.contains(subject),
            Change::Client { client } => clients.contains(client),
            Change::Policy { organization, .. } => OrganizationId::new(organization)
                .is_some_and(|organization| policies.contains_key(&organization)),
        };
        if !is_there {
            ledger.lost.push(format!("{change:?}"));
        }
    }
    for (organization, news) in policies {
        // Every version has its entry, and every entry its version.
        let policy = admin.store.load(&organization).await?;
        let version = policy.map_or(0, |policy| policy.version());
        if version != news {
            let differs = format!("{organization}: version {version}, {news} entries");
            ledger.lost.push(differs);
        }
    }
    Ok(ledger)
}

async fn is_revoked(admin: &Admin, id: &str) -> Result<bool, BoxError> {
    let id = TokenId::new(id).ok_or("not the id of a token")?;
    let record = admin.store.find(&id).await?;
    Ok(record.is_some_and(|record| record.revoked_at().is_some()))
}
