//! What an administrator changes holds at once, is on record with a name, and is theirs alone.

use http::StatusCode;
use http_body_util::BodyStream;
use reqwest::Response;
use serde_json::Value;
use tower_mcp_auth::ident::OrganizationId;

use super::{Browser, Console};

/// A key of acme, made on the page.
async fn key(alice: &mut Browser) -> String {
    let form = [
        ("kind", "service_account"),
        ("account", "deploy-bot"),
        ("days", "7"),
        ("scope", "read:issues"),
    ];
    let made = alice.post("/tokens/new", "/tokens", &form).await;
    let page = alice.get(made.location()).await;
    let (_, rest) = page.text.split_once("id=\"secret-text\">").unwrap();
    rest.split_once('<').unwrap().0.to_owned()
}

/// The newest version of acme's policy: who made it, and what it says.
async fn newest(console: &Console) -> (String, Value) {
    let acme = OrganizationId::new("acme").unwrap();
    let store = &console.running.desk.store;
    let newest = store.policy_history(&acme, 1).await.unwrap().remove(0);
    let document = serde_json::to_value(&newest.policy).unwrap();
    (newest.author.unwrap(), document)
}

#[tokio::test]
async fn a_switch_holds_at_once_and_says_who() {
    let console = Console::start().await;
    let mut alice = console.admin("alice").await;
    let key = key(&mut alice).await;
    assert_eq!(console.call("searchIssues", &key).await, 200);

    let mut anna = console.admin("anna").await;
    let off = anna.post("/", "/access", &[("keys", "off")]).await;
    assert_eq!(off.location(), "/");
    assert_eq!(console.call("searchIssues", &key).await, 401);
    let home = anna.get("/").await;
    home.says("Service-account keys are off. From now on they are refused.");
    home.says("Service-account keys off");
    assert!(
        !anna.get("/").await.text.contains("class=\"notice\""),
        "told once"
    );
    let (author, document) = newest(&console).await;
    assert_eq!(author, "anna");
    assert_eq!(document["allow_service_account_keys"], false);
    assert_eq!(
        document["networks"].as_array().unwrap().len(),
        3,
        "the rest stays"
    );

    anna.post("/", "/access", &[("keys", "on")]).await;
    assert_eq!(console.call("searchIssues", &key).await, 200);
    for form in [
        &[("keys", "maybe")][..],
        &[("keys", "on"), ("personal", "on")],
        &[],
    ] {
        let answer = anna.post("/", "/access", form).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{form:?}");
    }
}

#[tokio::test]
async fn every_mistake_is_beside_its_field() {
    let console = Console::start().await;
    let mut alice = console.admin("alice").await;
    let (_, before) = newest(&console).await;
    let form = [
        ("network", "10.1.2.3/8"),
        ("network", ""),
        ("network", "198.51.100.1"),
        ("network", "home"),
    ];
    let page = alice.post("/networks", "/networks", &form).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    page.says("<title>Error: Networks");
    page.says("2 things need another look");
    page.says("id=\"network-0-error\">Bits are set behind the prefix");
    page.says("id=\"network-2-error\">Write an address or a range");
    page.says("value=\"198.51.100.1\"");
    page.says("href=\"#network-2\"");

    let form = [
        ("clients", "only"),
        ("pattern", "https://*.com/**"),
        ("id", "app-*"),
    ];
    let page = alice.post("/clients", "/clients", &form).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    page.says("id=\"pattern-0-error\"");
    page.says("id=\"id-0-error\">Ids are compared exactly");

    let form = [
        ("product-0", "wiki"),
        ("on-0", "read"),
        ("product-new", "wiki"),
    ];
    let page = alice.post("/permissions", "/permissions", &form).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    page.says("wiki: this product is in the table already");
    let made_up = alice
        .post("/permissions", "/permissions", &[("on-others", "fly")])
        .await;
    assert_eq!(made_up.status, StatusCode::BAD_REQUEST);
    assert_eq!(newest(&console).await.1, before);
}

#[tokio::test]
async fn lists_and_groups_hold_at_once() {
    let console = Console::start().await;
    let mut alice = console.admin("alice").await;
    let key = key(&mut alice).await;
    let form = [("network", "203.0.113.0/24")];
    let saved = alice.post("/networks", "/networks", &form).await;
    assert_eq!(saved.location(), "/networks");
    alice
        .get("/networks")
        .await
        .says("is not allowed</strong> by this list");
    assert_eq!(console.call("searchIssues", &key).await, 403);
    alice.post("/networks", "/networks", &[]).await;
    assert_eq!(console.call("searchIssues", &key).await, 200);

    let token = console.running.issuer.token(&*console.running.desk.mcp);
    let token = token.claim("org_id", "acme").scope("read:issues");
    let token = token.client("https://chat.acme.example/client.json").sign();
    assert_eq!(console.call("searchIssues", &token).await, 200);
    let form = [("clients", "only"), ("pattern", "https://other.example")];
    alice.post("/clients", "/clients", &form).await;
    assert_eq!(console.call("searchIssues", &token).await, 403);
    alice
        .post("/clients", "/clients", &[("clients", "any")])
        .await;
    assert_eq!(console.call("searchIssues", &token).await, 200);

    let form = [
        ("product-0", "issues"),
        ("on-0", "read"),
        ("product-1", "wiki"),
        ("remove-1", "yes"),
        ("on-others", "read"),
        ("product-new", "mail"),
        ("on-new", "search"),
    ];
    alice.post("/permissions", "/permissions", &form).await;
    assert_eq!(console.call("searchIssues", &token).await, 403);
    let groups = &newest(&console).await.1["groups"];
    let expected = serde_json::json!({
        "others": ["read"], "products": {"issues": ["read"], "mail": ["search"]},
    });
    assert_eq!(*groups, expected);
}

#[tokio::test]
async fn the_second_of_two_is_told() {
    let console = Console::start().await;
    let (mut alice, mut anna) = (console.admin("alice").await, console.admin("anna").await);
    let seen = alice.get("/networks").await;
    let (csrf, version) = (seen.field("csrf"), seen.field("version"));
    anna.post("/networks", "/networks", &[("network", "198.51.100.0/24")])
        .await;
    let form = [
        ("csrf", csrf),
        ("version", version),
        ("network", "192.0.2.0/24"),
    ];
    let told = alice.submit("/networks", &form).await;
    assert_eq!(told.status, StatusCode::CONFLICT);
    told.says("Somebody else changed this meanwhile");
    told.says("<strong>anna</strong>");
    told.says("value=\"192.0.2.0/24\"");
    let (author, document) = newest(&console).await;
    assert_eq!(
        (&*author, &document["networks"][0]),
        ("anna", &"198.51.100.0/24".into())
    );

    // A switch as well; and the page that says so is what the next try is based on.
    let switch = [("csrf", csrf), ("version", version), ("personal", "on")];
    let told_too = alice.submit("/access", &switch).await;
    assert_eq!(told_too.status, StatusCode::CONFLICT);
    let form = [
        ("csrf", csrf),
        ("version", told.field("version")),
        ("network", "192.0.2.0/24"),
    ];
    assert_eq!(
        alice.submit("/networks", &form).await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(newest(&console).await.0, "alice");
}

/// The next record of a stream.
async fn next(stream: &mut BodyStream<reqwest::Body>) -> Option<Value> {
    use futures_util::StreamExt;
    loop {
        let frame = stream.next().await?.unwrap().into_data().unwrap();
        let text = std::str::from_utf8(&frame).unwrap().to_owned();
        let data = text
            .lines()
            .find_map(|line| line.strip_prefix("data: ").map(str::to_owned));
        if let Some(data) = data {
            return Some(serde_json::from_str(&data).unwrap());
        }
    }
}

async fn watch(console: &Console, browser: &Browser, place: &str) -> Response {
    let jar = browser
        .cookies
        .iter()
        .filter(|((_, name), _)| name == "console");
    let jar: Vec<_> = jar.map(|(_, value)| format!("console={value}")).collect();
    let url = format!("{}{place}", console.origin());
    let request = browser.http.get(url).header("cookie", jar.join("; "));
    request.send().await.unwrap()
}

#[tokio::test]
async fn the_audit_is_live_and_ends_with_the_session() {
    let console = Console::start().await;
    let (mut alice, mut gina) = (console.admin("alice").await, console.admin("gina").await);
    let mut anna = console.admin("anna").await;
    let entered = watch(&console, &alice, "/audit/stream?after=0").await;
    assert_eq!(entered.headers()["content-type"], "text/event-stream");
    let body: reqwest::Body = entered.into();
    let mut stream = BodyStream::new(body);
    // What was before, in order.
    let mut known = Vec::new();
    while known.last() != Some(&"anna".to_owned()) {
        let record = next(&mut stream).await.unwrap();
        if record["what"] == "Opened this console" {
            known.push(record["who"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(known, ["alice", "anna"]);

    gina.post("/", "/access", &[("keys", "on")]).await;
    anna.post("/", "/access", &[("personal", "on")]).await;
    let record = next(&mut stream).await.unwrap();
    assert_eq!(record["what"], "Policy changed, version 5");
    assert_eq!(record["detail"], "Personal API tokens on");
    assert_eq!(
        (&record["who"], &record["outcome"]),
        (&"anna".into(), &"done".into())
    );
    // Those who have no script load the page.
    alice.get("/audit").await.says("Personal API tokens on");
    assert!(!gina.get("/audit").await.text.contains("anna"));

    alice.post("/", "/logout", &[]).await;
    anna.post("/", "/access", &[("personal", "off")]).await;
    assert_eq!(next(&mut stream).await, None);
    let refused = watch(&console, &alice, "/audit/stream").await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
}
