//! `policy`: what organizations allow.

use serde_json::{Value, json};
use tower_mcp_auth::OrganizationPolicy;
use tower_mcp_auth::backend::SqlStore;
use tower_mcp_auth::context::AuthMethod;
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::{PolicyStore, PutError};

use crate::args::{Global, Kinds, Policy};
use crate::failure::{Exit, Failure};
use crate::output::Out;
use crate::table::Table;
use crate::{parse, policy_file, store, times};

/// How often a change is made again that somebody else came before.
const ATTEMPTS: usize = 8;

/// How many policies are asked for at once.
const PAGE: usize = 500;

pub(crate) async fn run(global: &Global, command: Policy, out: Out) -> Result<Exit, Failure> {
    match command {
        Policy::Show { org } => show(global, &org, out).await,
        Policy::AllowTokens { org, kind } => switch(global, &org, (kind, true), out).await,
        Policy::ForbidTokens { org, kind } => switch(global, &org, (kind, false), out).await,
        Policy::Set { org, file } => set(global, &org, &file, out).await,
        Policy::History { org, limit } => history(global, &org, limit, out).await,
        Policy::List => list(global, out).await,
    }
}

pub(crate) fn policy_json(policy: &OrganizationPolicy) -> Value {
    serde_json::to_value(policy).unwrap_or_default()
}

async fn show(global: &Global, org: &str, out: Out) -> Result<Exit, Failure> {
    let organization = parse::organization(org)?;
    let stored = store::open(global).await?.load(&organization).await?;
    if stored.is_none() {
        out.note(&format!(
            "{org} has no policy; this is what holds then: OAuth only."
        ));
    }
    out.value(&policy_json(
        &stored.unwrap_or_else(|| OrganizationPolicy::new(organization)),
    ))?;
    Ok(Exit::Done)
}

async fn switch(
    global: &Global,
    org: &str,
    (kinds, on): (Kinds, bool),
    out: Out,
) -> Result<Exit, Failure> {
    let store = store::open(global).await?;
    let put = change(&store, parse::organization(org)?, |policy| match kinds {
        Kinds::Personal => policy.personal_tokens(on),
        Kinds::ServiceAccount => policy.service_account_keys(on),
        Kinds::All => policy.api_tokens(on),
    });
    report(&put.await?, out)
}

/// Reads, changes and puts until nobody else came between.
async fn change(
    store: &SqlStore,
    organization: OrganizationId,
    edit: impl Fn(OrganizationPolicy) -> OrganizationPolicy,
) -> Result<OrganizationPolicy, Failure> {
    let mut attempts = 0_usize;
    loop {
        let stored = store.load(&organization).await?;
        let stored = stored.unwrap_or_else(|| OrganizationPolicy::new(organization.clone()));
        let version = stored.version();
        let put = store
            .put(edit(stored).changed_at(times::now()), version)
            .await;
        attempts = attempts.saturating_add(1);
        match put {
            Err(PutError::Conflict { .. }) if attempts < ATTEMPTS => {}
            put => return Ok(put?),
        }
    }
}

fn report(policy: &OrganizationPolicy, out: Out) -> Result<Exit, Failure> {
    if out.json {
        out.value(&policy_json(policy))?;
    } else {
        let methods: Vec<_> = policy.allowed_methods().map(AuthMethod::name).collect();
        let (organization, version) = (policy.organization(), policy.version());
        out.line(&format!(
            "{organization} accepts {} (version {version})",
            methods.join(", ")
        ))?;
    }
    Ok(Exit::Done)
}

async fn set(
    global: &Global,
    org: &str,
    file: &std::path::Path,
    out: Out,
) -> Result<Exit, Failure> {
    let organization = parse::organization(org)?;
    let policy = policy_file::read(&organization, &parse::text(Some(file))?)?;
    let store = store::open(global).await?;
    let put = if policy.version() > 0 {
        // Written from what `show` printed: somebody else's change in between must not be lost.
        let version = policy.version();
        store.put(policy.changed_at(times::now()), version).await?
    } else {
        change(&store, organization, |_| policy.clone()).await?
    };
    report(&put, out)
}

async fn history(global: &Global, org: &str, limit: usize, out: Out) -> Result<Exit, Failure> {
    let organization = parse::organization(org)?;
    let revisions = store::open(global)
        .await?
        .policy_history(&organization, limit)
        .await?;
    if out.json {
        let revisions = revisions.iter().map(|revision| {
            let at = revision.at.to_rfc3339();
            json!({ "at": at, "author": revision.author, "policy": policy_json(&revision.policy) })
        });
        out.value(&json!({ "revisions": revisions.collect::<Vec<_>>() }))?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(["version", "at", "by", "accepts", "changed"]);
    let older = revisions.iter().skip(1).map(Some).chain([None]);
    for (revision, older) in revisions.iter().zip(older) {
        table.row([
            revision.policy.version().to_string(),
            times::both(revision.at),
            revision.author.clone().unwrap_or_default(),
            accepted(&revision.policy),
            older
                .map(|older| difference(&older.policy, &revision.policy))
                .unwrap_or_default(),
        ]);
    }
    out.lines(&table.take())?;
    Ok(Exit::Done)
}

fn accepted(policy: &OrganizationPolicy) -> String {
    let methods: Vec<_> = policy.allowed_methods().map(AuthMethod::name).collect();
    methods.join(" ")
}

/// The members in which two revisions differ.
fn difference(older: &OrganizationPolicy, newer: &OrganizationPolicy) -> String {
    let (older, newer) = (policy_json(older), policy_json(newer));
    let members = newer.as_object().into_iter().flatten();
    let changed = members.filter(|(name, value)| {
        !matches!(name.as_str(), "version" | "changed_at")
            && older.get(name.as_str()) != Some(*value)
    });
    changed
        .map(|(name, _)| name.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}

async fn list(global: &Global, out: Out) -> Result<Exit, Failure> {
    let store = store::open(global).await?;
    let mut table = Table::new(["organization", "version", "accepts", "changed"]);
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.policies(after.as_ref(), PAGE).await?;
        after = page.last().map(|policy| policy.organization().clone());
        let whole = page.len() == PAGE;
        all.extend(page);
        if !whole {
            break;
        }
    }
    if out.json {
        out.value(&json!({ "policies": all.iter().map(policy_json).collect::<Vec<_>>() }))?;
        return Ok(Exit::Done);
    }
    for policy in &all {
        table.row([
            policy.organization().to_string(),
            policy.version().to_string(),
            accepted(policy),
            times::both_or_none(policy.changed()),
        ]);
    }
    out.lines(&table.take())?;
    Ok(Exit::Done)
}
