//! How a policy is changed: what somebody has seen is what they change, or they are told that it is another now.

use serde_json::{Map, Value};
use tower_mcp_auth::OrganizationPolicy;
use tower_mcp_auth::error::Problem;
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::{PolicyStore, PutError};

use super::desk::Desk;
use super::guard::Form;
use super::lines::sentence;
use super::page::Failure;
use super::time::Moment;

/// Versions looked back at, to say what has changed.
const HISTORY: usize = 50;

/// What became of a change.
pub(crate) enum Saved {
    Done,
    /// Nothing was different.
    Same,
    Problems(Vec<Problem>),
    /// Somebody else was faster.
    Stale(Stale),
}

/// What somebody else has done meanwhile.
pub(crate) struct Stale {
    pub(crate) policy: OrganizationPolicy,
    pub(crate) changes: Vec<Change>,
}

/// One version of a policy.
pub(crate) struct Change {
    pub(crate) version: u64,
    pub(crate) at: Moment,
    pub(crate) by: String,
    pub(crate) what: String,
}

/// Puts a change of the policy's document. The form says on which version it is based, so that of two
/// administrators who change it at once the second hears of the first.
pub(crate) async fn save(
    desk: &Desk,
    form: &Form,
    edit: impl FnOnce(&mut Map<String, Value>),
) -> Result<Saved, Failure> {
    let seen = form.fields.one("version").parse::<u64>();
    let seen = seen.map_err(|_| Failure::Wrong("This is not a form of ours."))?;
    let policy = desk.policy(&form.admin.organization).await?;
    if policy.version() != seen {
        return stale(desk, policy, seen).await;
    }
    let edited = edited(&policy, edit).ok_or(Failure::Wrong("This is not a form of ours."))?;
    if edited == policy {
        return Ok(Saved::Same);
    }
    let store = desk.store.by(&form.admin.subject);
    match store.put(edited.changed_at(desk.now()), seen).await {
        Ok(_) => Ok(Saved::Done),
        Err(PutError::Invalid(error)) => Ok(Saved::Problems(error.problems().to_vec())),
        Err(PutError::Conflict { .. }) => {
            let policy = desk.policy(&form.admin.organization).await?;
            stale(desk, policy, seen).await
        }
        Err(PutError::Backend(error)) => Err(error.into()),
        Err(_) => Err(Failure::Unavailable),
    }
}

/// Through the document, so that whatever this page does not show stays as it is. The organization is
/// not among what can be edited.
fn edited(
    policy: &OrganizationPolicy,
    edit: impl FnOnce(&mut Map<String, Value>),
) -> Option<OrganizationPolicy> {
    let Value::Object(mut document) = serde_json::to_value(policy).ok()? else {
        return None;
    };
    edit(&mut document);
    let edited: OrganizationPolicy = serde_json::from_value(Value::Object(document)).ok()?;
    (edited.organization() == policy.organization()).then_some(edited)
}

async fn stale(desk: &Desk, policy: OrganizationPolicy, seen: u64) -> Result<Saved, Failure> {
    let mut changes = history(desk, policy.organization(), HISTORY).await?;
    changes.retain(|change| change.version > seen);
    Ok(Saved::Stale(Stale { policy, changes }))
}

/// The versions of a policy, newest first.
pub(crate) async fn history(
    desk: &Desk,
    organization: &OrganizationId,
    limit: usize,
) -> Result<Vec<Change>, Failure> {
    // One more, to compare the last with.
    let revisions = desk.store.policy_history(organization, limit + 1);
    let revisions = revisions.await?;
    let older = revisions.iter().skip(1).map(Some).chain([None]);
    let pairs = revisions.iter().zip(older).take(limit);
    let change = pairs.map(|(revision, older)| Change {
        version: revision.policy.version(),
        at: Moment::new(revision.at),
        by: revision.author.clone().unwrap_or_else(|| "nobody".into()),
        what: older.map_or_else(
            || "First version".to_owned(),
            |older| difference(&older.policy, &revision.policy),
        ),
    });
    Ok(change.collect())
}

/// The members in which two versions differ, as people call them.
fn difference(older: &OrganizationPolicy, newer: &OrganizationPolicy) -> String {
    let (older, newer) = (document(older), document(newer));
    let members = newer.iter();
    let members = members.filter(|(name, _)| !matches!(name.as_str(), "version" | "changed_at"));
    let changed = members.filter(|(name, value)| older.get(*name) != Some(*value));
    let named: Vec<_> = changed.map(|(name, value)| say(name, value)).collect();
    let text = named.join(", ");
    sentence(if text.is_empty() { "nothing" } else { &text })
}

fn say(name: &str, value: &Value) -> String {
    let name = match name {
        "allow_personal_tokens" => "personal API tokens",
        "allow_service_account_keys" => "service-account keys",
        "clients" => "client domains",
        "groups" => "permission groups",
        "site_groups" => "permission groups of sites",
        other => &other.replace('_', " "),
    };
    match value {
        Value::Bool(true) => format!("{name} on"),
        Value::Bool(false) => format!("{name} off"),
        Value::Array(list) => format!("{name} ({})", list.len()),
        _ => name.to_owned(),
    }
}

/// A policy as its document.
pub(crate) fn document(policy: &OrganizationPolicy) -> Map<String, Value> {
    match serde_json::to_value(policy) {
        Ok(Value::Object(document)) => document,
        _ => Map::new(),
    }
}

/// A list of texts in a document.
pub(crate) fn texts(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}
