//! What the demo begins with. At the first start only; afterwards it is what its administrators made of it.

use std::time::Duration;

use serde_json::json;
use tower_mcp_auth::OrganizationPolicy;
use tower_mcp_auth::api_token::{ApiTokens, NewToken, TokenQuery};
use tower_mcp_auth::backend::{SqlStore, SqlStoreBuilder};
use tower_mcp_auth::clock::Clock;
use tower_mcp_auth::policy::{PolicyStore, PutError};
use tower_mcp_auth::testing::ManualClock;

use super::desk::Desk;
use super::server::BoxError;
use super::time::Time;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// When acme's first administrator came.
const BEGAN: Duration = DAY.saturating_mul(80);

/// The policy documents of acme, one after the other: who, how many days after the one before, what.
fn steps() -> [(&'static str, u32, serde_json::Value); 4] {
    let mut document = json!({
        "organization": "acme",
        "help_url": "https://acme.example/help/mcp",
        "contact": "it-help@acme.example",
        "networks": ["127.0.0.1", "203.0.113.0/24", "2001:db8:7::/48"],
    });
    let mut step = |member: &str, value: serde_json::Value| {
        if let Some(members) = document.as_object_mut() {
            members.insert(member.to_owned(), value);
        }
        document.clone()
    };
    let clients = json!({
        "enforced": true,
        "supported": true,
        "patterns": ["https://*.acme.example/**", "http://localhost:*/**"],
        "ids": ["desktop-app"],
    });
    let groups = json!({
        "others": ["read", "search"],
        "products": {"issues": ["read", "write", "search"], "wiki": ["read", "search"]},
    });
    [
        ("alice", 0, step("version", json!(0))),
        ("alice", 2, step("allow_service_account_keys", json!(true))),
        ("anna", 24, step("clients", clients)),
        ("alice", 41, step("groups", groups)),
    ]
}

/// Writes the past of an empty database, with the times it would have had.
pub(crate) async fn past(
    builder: SqlStoreBuilder,
    tokens: &impl Fn(&SqlStore) -> ApiTokens,
    time: &Time,
) -> Result<(), BoxError> {
    let now = time.now();
    let began = i64::try_from(BEGAN.as_secs())?;
    let clock = ManualClock::new(now.plus_secs(-began));
    let store = builder.clock(clock.clone()).open().await?;
    let globex = "globex".parse()?;
    let gina = store.by("gina");
    let put = gina.put(OrganizationPolicy::new(globex), 0).await;
    if matches!(put, Err(PutError::Conflict { .. })) {
        store.close().await;
        return Ok(()); // not empty
    }
    let tokens = tokens(&store).clock(clock.clone());
    for (version, (author, days, document)) in (0_u64..).zip(steps()) {
        clock.advance(DAY.saturating_mul(days));
        let policy: OrganizationPolicy = serde_json::from_value(document)?;
        let policy = policy.changed_at(clock.now());
        store.by(author).put(policy, version).await?;
        issue(&tokens, version).await?;
    }
    store.close().await;
    Ok(())
}

/// What was issued after each version of the policy.
async fn issue(tokens: &ApiTokens, version: u64) -> Result<(), BoxError> {
    let key = |account: &str| NewToken::service_account("acme", account);
    let days = |count| DAY.saturating_mul(count);
    match version {
        1 => {
            let archive = key("archive-bot").name("Mail archive").created_by("alice");
            let archive = archive.scopes(["read:issues"]).expires_in(days(365));
            let archive = tokens.issue(archive).await?;
            tokens.revoke(archive.record.id()).await?;
            let report = key("report-bot").name("Weekly report").created_by("alice");
            let report = report.scopes(["read:issues", "read:pages"]);
            tokens.issue(report.expires_in(days(90))).await?;
        }
        2 => {
            let sync = key("sync-bot").name("Tracker sync").created_by("anna");
            let sync = sync.scopes(["read:issues", "write:issues"]);
            let sync = sync.networks(["203.0.113.0/28"]).expires_in(days(365));
            tokens.issue(sync).await?;
            let own = NewToken::personal("acme", "anna", "anna@acme.example");
            let own = own.name("Anna’s laptop").scopes(["read:issues"]);
            tokens.issue(own.expires_in(days(90))).await?;
        }
        _ => {}
    }
    Ok(())
}

/// The key that the demo's own calls are made with. Its secret is nowhere to be read again, so it gets a
/// new one at each start.
pub(crate) async fn key(desk: &Desk) -> Result<String, BoxError> {
    const NAME: &str = "Nightly build";
    let acme = "acme".parse()?;
    let known = desk.tokens.list(TokenQuery::new(acme).limit(1000)).await?;
    let mut known = known.iter().filter(|token| token.is_alive(desk.now()));
    let issued = if let Some(known) = known.find(|token| token.name() == NAME) {
        desk.tokens.roll(known.id(), Duration::ZERO).await?
    } else {
        let key = NewToken::service_account("acme", "build-bot").created_by("alice");
        let key = key.name(NAME).scopes(["read:issues"]);
        desk.tokens.issue(key).await?
    };
    Ok(issued.token.expose().to_owned())
}
