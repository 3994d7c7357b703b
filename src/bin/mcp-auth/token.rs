//! `token`: issuing, rolling, revoking.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tower_mcp_auth::OrganizationPolicy;
use tower_mcp_auth::api_token::{ApiTokens, IssuedToken, NewToken, TokenFormat, TokenKind};
use tower_mcp_auth::backend::SqlStore;
use tower_mcp_auth::context::AuthMethod;
use tower_mcp_auth::policy::PolicyStore;

use crate::args::{Global, Issue, Token, Wish};
use crate::failure::{Exit, Failure};
use crate::output::{Out, raw};
use crate::token_list::{list, record_json, show, table};
use crate::{parse, peppers, store, times};

pub(crate) async fn run(global: &Global, command: Token, out: Out) -> Result<Exit, Failure> {
    match command {
        Token::Issue(wish) => issue(global, wish, out).await,
        Token::List(wanted) => list(global, wanted, out).await,
        Token::Show { id } => show(global, &id, out).await,
        Token::Roll { id, overlap } => roll(global, &id, overlap, out).await,
        Token::Revoke { ids } => revoke(global, &ids, out).await,
        Token::RevokeLeaked { file } => revoke_leaked(global, file.as_deref(), out).await,
        Token::OwnerActive { org, owner, active } => {
            owner_active(global, (&org, &owner), active, out).await
        }
    }
}

/// The tokens in the database. Without `peppers` their secrets can be neither made nor checked.
pub(crate) fn tokens(
    global: &Global,
    store: SqlStore,
    peppers: tower_mcp_auth::api_token::Peppers,
) -> Result<ApiTokens, Failure> {
    brand(global)?;
    Ok(ApiTokens::new(store, peppers).brand(&global.brand))
}

/// The shape of the server's tokens.
pub(crate) fn brand(global: &Global) -> Result<TokenFormat, Failure> {
    let unusable = || Failure::usage("this is no brand", "give --brand 2 to 8 lower-case letters");
    TokenFormat::new(&global.brand).ok_or_else(unusable)
}

/// For commands that never look at a secret, so that they need no pepper.
pub(crate) async fn without_secrets(global: &Global) -> Result<ApiTokens, Failure> {
    let peppers = tower_mcp_auth::api_token::Peppers::generate()?;
    tokens(global, store::open(global).await?, peppers)
}

async fn issue(global: &Global, wish: Issue, out: Out) -> Result<Exit, Failure> {
    let (email, wish) = match wish {
        Issue::Personal { email, wish } => (Some(email), wish),
        Issue::ServiceAccount { wish } => (None, wish),
    };
    let peppers = peppers::required(global, out)?;
    let organization = parse::organization(&wish.org)?;
    let store = store::open(global).await?;
    // Read first: nothing is issued that its organization would not have, and that nobody could warn about.
    let policy = store.load(&organization).await?;
    let policy = policy.unwrap_or_else(|| OrganizationPolicy::new(organization));
    let limit = policy.longest_lifetime();
    let new = new_token(email.as_deref(), wish, &store::by(global), limit);
    let issued = tokens(global, store, peppers)?.issue(new).await?;
    print(
        &issued,
        out,
        "Shown once, and stored nowhere: give it to its owner now.",
    )?;
    warn_if_forbidden(&policy, issued.record.kind(), out);
    Ok(Exit::Done)
}

fn new_token(email: Option<&str>, wish: Wish, by: &str, limit: Option<Duration>) -> NewToken {
    let new = match email {
        Some(email) => NewToken::personal(&wish.org, &wish.owner, email),
        None => NewToken::service_account(&wish.org, &wish.owner),
    };
    let new = new
        .name(wish.name)
        .scopes(wish.scopes)
        .networks(wish.networks);
    let mut new = new.tenants(wish.tenants).created_by(by);
    if let Some(lifetime) = wish.expires_in {
        new = new.expires_in(lifetime);
    }
    match limit {
        Some(limit) => new.max_lifetime(limit),
        None => new,
    }
}

fn warn_if_forbidden(policy: &OrganizationPolicy, kind: TokenKind, out: Out) {
    let (method, word) = match kind {
        TokenKind::Personal => (AuthMethod::ApiToken, "personal"),
        TokenKind::ServiceAccount => (AuthMethod::ServiceAccountKey, "service-account"),
    };
    if !policy.allows_method(method) {
        let organization = policy.organization();
        out.note(&format!(
            "{organization} does not accept such tokens: it will be refused until you do: \
             mcp-auth policy allow-tokens {organization} {word}"
        ));
    }
}

/// The one place that prints a secret.
fn print(issued: &IssuedToken, out: Out, note: &str) -> Result<(), Failure> {
    let record = &issued.record;
    if out.json {
        let mut shown = record_json(record);
        if let Value::Object(members) = &mut shown {
            members.insert("token".to_owned(), json!(issued.token.expose()));
        }
        out.value(&shown)?;
    } else {
        raw(&format!("{}\n", issued.token.expose()))?;
    }
    let sent = match record.kind() {
        TokenKind::Personal => "Authorization: Basic base64(email:token)",
        TokenKind::ServiceAccount => "Authorization: Bearer token",
    };
    let until = times::both(record.expires_at());
    out.note(&format!(
        "{note} Id {}, until {until}, sent as {sent}.",
        record.id()
    ));
    Ok(())
}

async fn roll(global: &Global, id: &str, overlap: Duration, out: Out) -> Result<Exit, Failure> {
    let id = parse::token_id(id)?;
    let peppers = peppers::required(global, out)?;
    let tokens = tokens(global, store::open(global).await?, peppers)?;
    let issued = tokens.roll(&id, overlap).await?;
    let old = match issued.record.previous_valid_until() {
        Some(until) => format!("The old secret is accepted until {}.", times::both(until)),
        None => "The old secret has ended.".to_owned(),
    };
    print(&issued, out, &format!("Shown once. {old}"))?;
    Ok(Exit::Done)
}

async fn revoke(global: &Global, ids: &[String], out: Out) -> Result<Exit, Failure> {
    let ids: Vec<_> = ids
        .iter()
        .map(|id| parse::token_id(id))
        .collect::<Result<_, _>>()?;
    let tokens = without_secrets(global).await?;
    let (mut revoked, mut unknown) = (Vec::new(), Vec::new());
    for id in ids {
        match tokens.revoke(&id).await? {
            Some(record) => revoked.push(record),
            None => unknown.push(id.to_string()),
        }
    }
    if out.json {
        let records: Vec<_> = revoked.iter().map(record_json).collect();
        out.value(&json!({ "revoked": records, "unknown": unknown }))?;
    } else {
        for record in &revoked {
            out.line(&format!("{} is revoked", record.id()))?;
        }
    }
    if unknown.is_empty() {
        return Ok(Exit::Done);
    }
    let what = format!("there is no token {}", unknown.join(", "));
    Err(Failure::no(
        what,
        "find its id with `mcp-auth token list --org ORG --all`",
    ))
}

async fn revoke_leaked(global: &Global, file: Option<&Path>, out: Out) -> Result<Exit, Failure> {
    let peppers = peppers::required(global, out)?;
    let tokens = tokens(global, store::open(global).await?, peppers)?;
    let text = zeroize::Zeroizing::new(parse::text(file)?);
    let found = tokens.revoke_leaked(&text).await?;
    if out.json {
        let records: Vec<_> = found.iter().map(record_json).collect();
        out.value(&json!({ "revoked": records }))?;
    } else if found.is_empty() {
        out.line("No token of this server stands in it.")?;
    } else {
        out.lines(&table(&found))?;
        out.note("These are revoked. Tell their owners, and clean up where they stood.");
    }
    Ok(Exit::Done)
}

async fn owner_active(
    global: &Global,
    (org, owner): (&str, &str),
    active: bool,
    out: Out,
) -> Result<Exit, Failure> {
    let (organization, subject) = (parse::organization(org)?, parse::subject(owner)?);
    let tokens = without_secrets(global).await?;
    let changed = tokens
        .set_owner_active(&organization, &subject, active)
        .await?;
    if out.json {
        out.value(
            &json!({ "organization": org, "owner": owner, "active": active, "changed": changed }),
        )?;
    } else {
        let now = if active { "may act" } else { "may not act" };
        out.line(&format!("{owner} of {org} {now}; {changed} tokens changed"))?;
    }
    Ok(Exit::Done)
}
