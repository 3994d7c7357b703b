//! A configuration opened: the database, its tokens and policies, the audit file.

use http::Request;
use http::header::AUTHORIZATION;
use tower_mcp_auth::api_token::{ApiTokens, NewToken, Peppers};
use tower_mcp_auth::backend::SqlStore;
use tower_mcp_auth::config::Config;
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::PolicyStore;
use tower_mcp_auth::{Authenticator, OrganizationPolicy, Reason};

use crate::config_file::Place;

/// Two secrets of 32 different bytes.
const OLD: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
const NEW: &[u8; 32] = b"vutsrqponmlkjihgfedcba9876543210";
const PEPPERS: &str = "# newest first\nnew:dnV0c3JxcG9ubWxramloZ2ZlZGNiYTk4NzY1NDMyMTA=\nold:MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY\n";

const SMALL: &str = r#"
[resource]
identifier = "https://mcp.example.com/mcp"
[[issuers]]
identifier = "https://auth.example.com/t1"
"#;

fn configuration(place: &Place, more: &str) -> Config {
    let peppers = place.write("peppers", PEPPERS);
    let (database, audit) = (place.file("a.db"), place.file("audit.jsonl"));
    let text = format!(
        "{SMALL}
        [database]
        url = 'sqlite:{database}'
        create = true
        migrate = true
        [api_tokens]
        brand = 'acme'
        peppers = {{ file = '{peppers}' }}
        api_key_header = 'x-api-key'
        [audit]
        file = '{audit}'
        instance = 'web-1'
        {more}"
    );
    Config::from_toml(&text).unwrap()
}

async fn outcome(auth: &Authenticator, header: &str, value: String) -> Result<String, Reason> {
    let request = Request::post("/mcp")
        .header(header, value)
        .body(())
        .unwrap();
    let (head, ()) = request.into_parts();
    let context = auth.authenticate(&head).await;
    let context = context.map_err(|refusal| refusal.reason())?;
    Ok(context.organization().to_string())
}

fn allowing(organization: &str) -> OrganizationPolicy {
    OrganizationPolicy::new(OrganizationId::new(organization).unwrap()).api_tokens(true)
}

#[tokio::test]
async fn a_file_opens_a_server_with_a_database() {
    let place = Place::new();
    let config = configuration(&place, "[policies]\nstore = 'database'");
    let auth = config.build().await.unwrap();

    let store = SqlStore::connect(format!("sqlite:{}", place.file("a.db")))
        .await
        .unwrap();
    store.put(allowing("acme"), 0).await.unwrap();
    for (id, secret) in [("old", OLD), ("new", NEW)] {
        let tokens = ApiTokens::new(store.clone(), Peppers::new(id, secret)).brand("acme");
        let new = NewToken::service_account("acme", "robot")
            .scopes(["read:issues"])
            .created_by("alice");
        let issued = tokens.issue(new).await.unwrap();
        let text = issued.token.expose().to_owned();
        assert_eq!(
            outcome(&auth, "x-api-key", text.clone()).await,
            Ok("acme".into()),
            "{id}"
        );
        let bearer = format!("Bearer {text}");
        assert_eq!(
            outcome(&auth, AUTHORIZATION.as_str(), bearer).await,
            Ok("acme".into())
        );
    }
    drop((config, auth));
    // The sink is flushed when its last owner ends, which may be the task that notes the last use.
    let mut audit = String::new();
    for _ in 0..500 {
        audit = std::fs::read_to_string(place.file("audit.jsonl")).unwrap();
        if audit.lines().count() >= 4 && audit.ends_with('\n') {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let records: Vec<serde_json::Value> = audit
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(records.len(), 4, "{audit}");
    assert!(
        records.iter().all(|record| record["instance"] == "web-1"),
        "{audit}"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn an_audit_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let _auth = configuration(&place, "[policies]\nstore = 'database'")
        .build()
        .await
        .unwrap();
    let mode = std::fs::metadata(place.file("audit.jsonl"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn policies_may_stand_in_the_file() {
    let place = Place::new();
    let policies = "[[policies]]\norganization = 'acme'\nallow_service_account_keys = true\n";
    let config = configuration(&place, policies);
    let auth = config.build().await.unwrap();
    let store = SqlStore::connect(format!("sqlite:{}", place.file("a.db")))
        .await
        .unwrap();
    let tokens = ApiTokens::new(store, Peppers::new("new", NEW)).brand("acme");
    for (organization, expected) in [
        ("acme", Ok("acme".to_owned())),
        ("other", Err(Reason::MethodDisabled)),
    ] {
        let new = NewToken::service_account(organization, "robot")
            .scopes(["read:issues"])
            .created_by("alice");
        let key = tokens.issue(new).await.unwrap().token.expose().to_owned();
        assert_eq!(outcome(&auth, "x-api-key", key).await, expected);
    }
}

#[tokio::test]
async fn what_cannot_be_opened_says_why_and_shows_no_address() {
    let place = Place::new();
    let url = |url: &str| format!("{SMALL}[database]\nurl = '{url}'");
    for (text, path, advice) in [
        (
            url(&format!("sqlite:{}", place.file("none.db"))),
            "database.url",
            "there is no database",
        ),
        (
            format!("{SMALL}[audit]\nfile = '/nowhere/hunter2/audit'"),
            "audit.file",
            "cannot be opened",
        ),
    ] {
        let error = Config::from_toml(&text).unwrap().build().await.unwrap_err();
        let [problem] = error.problems() else {
            panic!("{error}");
        };
        assert_eq!(problem.field, path, "{error}");
        assert!(problem.remedy.contains(advice), "{error}");
    }
    let migrated = place.file("empty.db");
    std::fs::write(&migrated, "").unwrap();
    let error = Config::from_toml(&url(&format!("sqlite:{migrated}")))
        .unwrap()
        .build()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("migrate"), "{error}");
}
