//! `token list` and `token show`: records, which hold no secret.

use serde_json::{Value, json};
use tower_mcp_auth::api_token::{ApiTokens, TokenQuery, TokenRecord};
use tower_mcp_auth::clock::UnixTime;

use crate::args::{Global, List};
use crate::failure::{Exit, Failure};
use crate::output::Out;
use crate::table::Table;
use crate::token::without_secrets;
use crate::{parse, times};

/// How many records are asked for at once.
const PAGE: usize = 500;

/// `active`, or what keeps it from being used.
pub(crate) fn state(record: &TokenRecord, now: UnixTime) -> &'static str {
    if record.revoked_at().is_some() {
        "revoked"
    } else if now >= record.expires_at() {
        "expired"
    } else if !record.is_owner_active() {
        "owner inactive"
    } else {
        "active"
    }
}

pub(crate) fn record_json(record: &TokenRecord) -> Value {
    let time = |time: Option<UnixTime>| time.map(UnixTime::to_rfc3339);
    let texts = |texts: &mut dyn Iterator<Item = String>| texts.collect::<Vec<_>>();
    let email = record
        .owner()
        .email()
        .map(tower_mcp_auth::api_token::Email::as_str);
    json!({
        "id": record.id().as_str(),
        "kind": record.kind().as_str(),
        "state": state(record, times::now()),
        "organization": record.organization(),
        "owner": record.owner().subject(),
        "email": email,
        "name": record.name(),
        "scopes": texts(&mut record.scopes().iter().map(ToOwned::to_owned)),
        "networks": texts(&mut record.networks().iter().map(ToString::to_string)),
        "tenants": record.tenants(),
        "created_by": record.created_by(),
        "created_at": record.created_at().to_rfc3339(),
        "expires_at": record.expires_at().to_rfc3339(),
        "last_used": time(record.last_used()),
        "revoked_at": time(record.revoked_at()),
        "previous_valid_until": time(record.previous_valid_until()),
        "owner_active": record.is_owner_active(),
        "pepper": record.pepper().as_str(),
        "version": record.version(),
    })
}

pub(crate) fn table(records: &[TokenRecord]) -> String {
    let now = times::now();
    let head = [
        "id",
        "kind",
        "owner",
        "name",
        "scopes",
        "created",
        "expires",
        "last used",
        "state",
    ];
    let mut table = Table::new(head);
    for record in records {
        table.row([
            record.id().to_string(),
            record.kind().to_string(),
            record.owner().subject().to_string(),
            record.name().to_owned(),
            record.scopes().to_string(),
            times::both(record.created_at()),
            times::both(record.expires_at()),
            times::both_or_none(record.last_used()),
            state(record, now).to_owned(),
        ]);
    }
    table.take()
}

pub(crate) async fn list(global: &Global, wanted: List, out: Out) -> Result<Exit, Failure> {
    let organization = parse::organization(&wanted.org)?;
    let mut query = TokenQuery::new(organization).limit(PAGE);
    if let Some(owner) = &wanted.owner {
        query = query.owner(parse::subject(owner)?);
    }
    let tokens = without_secrets(global).await?;
    let Page {
        shown,
        more,
        left_out,
    } = read(&tokens, query, &wanted).await?;
    if out.json {
        let records: Vec<_> = shown.iter().map(record_json).collect();
        out.value(&json!({ "tokens": records, "more": more }))?;
        return Ok(Exit::Done);
    }
    out.lines(&table(&shown))?;
    if more {
        out.note("There are more; raise --limit.");
    }
    if shown.is_empty() && left_out == 0 {
        out.note(&format!("There is no token of {}.", whose(&wanted)));
    }
    if left_out > 0 {
        out.note(&format!(
            "{left_out} expired or revoked ones are left out; --all shows them."
        ));
    }
    Ok(Exit::Done)
}

/// Organizations have no list of their own: a name that is misspelt has no tokens either.
fn whose(wanted: &List) -> String {
    let owner = wanted.owner.as_deref();
    let owner = owner.map_or_else(String::new, |owner| format!("{owner} in "));
    format!("{owner}the organization {}", wanted.org)
}

/// What of an organization's tokens is shown.
struct Page {
    shown: Vec<TokenRecord>,
    more: bool,
    /// How many are over and not asked for.
    left_out: usize,
}

async fn read(tokens: &ApiTokens, mut query: TokenQuery, wanted: &List) -> Result<Page, Failure> {
    let now = times::now();
    let mut read = Page {
        shown: Vec::new(),
        more: false,
        left_out: 0,
    };
    loop {
        let page = tokens.list(query.clone()).await?;
        let last = page.last().map(|record| *record.id());
        let whole = page.len() == PAGE;
        for record in page {
            if !wanted.all && matches!(state(&record, now), "revoked" | "expired") {
                read.left_out = read.left_out.saturating_add(1);
            } else if read.shown.len() < wanted.limit {
                read.shown.push(record);
            } else {
                read.more = true;
                return Ok(read);
            }
        }
        match last {
            Some(last) if whole => query = query.after(last),
            _ => return Ok(read),
        }
    }
}

pub(crate) async fn show(global: &Global, id: &str, out: Out) -> Result<Exit, Failure> {
    let id = parse::token_id(id)?;
    let tokens = without_secrets(global).await?;
    let Some(record) = tokens.find(&id).await? else {
        let remedy = "find its id with `mcp-auth token list --org ORG --all`";
        return Err(Failure::no(format!("there is no token {id}"), remedy));
    };
    let shown = record_json(&record);
    if out.json {
        out.value(&shown)?;
        return Ok(Exit::Done);
    }
    let known = [
        ("created_at", Some(record.created_at())),
        ("expires_at", Some(record.expires_at())),
        ("last_used", record.last_used()),
        ("revoked_at", record.revoked_at()),
        ("previous_valid_until", record.previous_valid_until()),
    ];
    let mut table = Table::new(["what", "value"]);
    for (name, value) in shown.as_object().into_iter().flatten() {
        let time = known
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, time)| times::both_or_none(*time));
        table.row([name.clone(), time.unwrap_or_else(|| plain(value))]);
    }
    out.lines(&table.take())?;
    Ok(Exit::Done)
}

/// A value as people write it.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}
