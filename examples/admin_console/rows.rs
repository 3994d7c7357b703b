//! Audit records in words.

use std::collections::HashMap;

use serde::Serialize;
use tower_mcp_auth::Rejection;
use tower_mcp_auth::audit::{AuditEvent, AuditRecord};

use super::edit::Change;
use super::ledger::Entry;
use super::time::Moment;

/// A row of the table, for the template and for the script.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) number: u64,
    pub(crate) exact: String,
    pub(crate) clock: String,
    /// `allowed`, `refused`, `done` or `error`; the style sheet knows them.
    pub(crate) outcome: &'static str,
    pub(crate) verdict: &'static str,
    pub(crate) what: String,
    pub(crate) detail: String,
    pub(crate) who: String,
    pub(crate) how: &'static str,
    pub(crate) from: String,
}

/// Who made which version of a policy, and what it changed.
pub(crate) type Authors = HashMap<String, (String, String)>;

pub(crate) fn authors(history: Vec<Change>) -> Authors {
    let known = history.into_iter();
    let known = known.map(|change| (change.version.to_string(), (change.by, change.what)));
    known.collect()
}

impl Row {
    pub(crate) fn new(entry: &Entry, authors: &Authors) -> Self {
        let record = &entry.record;
        let moment = Moment::new(record.ts);
        let version = record.policy.as_ref().map(|policy| policy.version.as_str());
        let change = version
            .filter(|_| record.event == AuditEvent::PolicyChanged)
            .and_then(|version| authors.get(version));
        let by = change.map(|(by, _)| by.clone());
        let by = by.or_else(|| entry.by.as_deref().map(str::to_owned));
        Self {
            number: entry.number,
            exact: moment.exact,
            clock: moment.clock,
            outcome: record.outcome.name(),
            verdict: verdict(record),
            what: what(record),
            detail: change.map_or_else(|| detail(record), |(_, what)| what.clone()),
            how: if by.is_some() {
                "Administrator"
            } else {
                how(record)
            },
            who: by.unwrap_or_else(|| who(record)),
            from: from(record),
        }
    }
}

/// An address, or this page: what is done here has no other place.
fn from(record: &AuditRecord) -> String {
    let address = record.net.and_then(|net| net.client.or(net.peer));
    address.map_or_else(|| "console".to_owned(), |address| address.to_string())
}

fn verdict(record: &AuditRecord) -> &'static str {
    match record.outcome.name() {
        "allowed" => "Allowed",
        "refused" => "Refused",
        "done" => "Changed",
        _ => "Failed",
    }
}

fn what(record: &AuditRecord) -> String {
    let target = record.target.as_ref();
    let named = target.and_then(|target| target.mcp_name.as_ref());
    match record.event {
        AuditEvent::TokenCreated => "API token issued".to_owned(),
        AuditEvent::TokenRolled => "API token rolled".to_owned(),
        AuditEvent::TokenRevoked => "API token revoked".to_owned(),
        AuditEvent::TokenLeaked => "API token found leaked".to_owned(),
        AuditEvent::TokenFailing => "API token fails often".to_owned(),
        AuditEvent::RevocationApplied => "Credentials revoked".to_owned(),
        AuditEvent::StreamEnded => "Open stream ended".to_owned(),
        AuditEvent::PolicyChanged => match &record.policy {
            Some(policy) => format!("Policy changed, version {}", policy.version),
            None => "Policy changed".to_owned(),
        },
        _ if target.is_some_and(|target| target.path == "/callback") => {
            let opened = record.event == AuditEvent::AuthOk;
            let what = if opened { "Opened" } else { "Tried to open" };
            format!("{what} this console")
        }
        _ => match (named, target.and_then(|target| target.mcp_method.as_ref())) {
            (Some(name), _) => format!("Called {name}"),
            (None, Some(method)) => method.to_string(),
            (None, None) => "Sent a request".to_owned(),
        },
    }
}

/// Why, or about what.
fn detail(record: &AuditRecord) -> String {
    if let Some(reason) = record.reason {
        return Rejection::from(reason).message().to_owned();
    }
    if record.event == AuditEvent::AuthDenied {
        return "Only administrators may.".to_owned();
    }
    let credential = record.credential.as_ref();
    let id = credential.and_then(|credential| credential.id.as_ref());
    let (Some(id), Some(owner)) = (id, &record.principal) else {
        return String::new();
    };
    if record.event.name().starts_with("token.") {
        return format!("{id} of {}", owner.subject);
    }
    String::new()
}

fn who(record: &AuditRecord) -> String {
    let principal = record.principal.as_ref();
    principal.map_or_else(|| "somebody".to_owned(), |one| one.subject.to_string())
}

fn how(record: &AuditRecord) -> &'static str {
    match record.method {
        Some("oauth2") => "OAuth",
        Some("api_token") => "Personal token",
        Some("service_account_key") => "Service-account key",
        _ => "",
    }
}
