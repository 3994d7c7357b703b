//! The life of a token, and whose it is.

use http::StatusCode;
use reqwest::Method;

use super::{Answer, Browser, Console};

const KEY: [(&str, &str); 5] = [
    ("kind", "service_account"),
    ("account", "deploy-bot"),
    ("name", "Deployments"),
    ("days", "30"),
    ("scope", "read:issues"),
];

/// The secret on a page.
fn secret(page: &Answer) -> Option<String> {
    let (_, rest) = page.text.split_once("id=\"secret-text\">")?;
    Some(rest.split_once('<')?.0.to_owned())
}

/// Issues a token: where it is, and its secret.
async fn issue(browser: &mut Browser, form: &[(&str, &str)]) -> (String, String) {
    let made = browser.post("/tokens/new", "/tokens", form).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text);
    let place = made.location().to_owned();
    let page = browser.get(&place).await;
    (place, secret(&page).unwrap())
}

#[tokio::test]
async fn a_secret_is_shown_once() {
    let console = Console::start().await;
    let mut alice = console.admin("alice").await;
    let made = alice.post("/tokens/new", "/tokens", &KEY).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER);
    assert!(made.text.is_empty());
    let place = made.location().to_owned();
    assert_eq!(place.len(), "/tokens/".len() + 16, "an id and nothing else");

    // Neither another administrator nor the head of the page uses it up.
    let mut anna = console.admin("anna").await;
    assert_eq!(secret(&anna.get(&place).await), None);
    alice.send(Method::HEAD, &place, None, None).await;
    let page = alice.get(&place).await;
    assert_eq!(page.header("cache-control"), "no-store");
    let shown = secret(&page).unwrap();
    assert_eq!(console.call("searchIssues", &shown).await, 200);

    assert_eq!(secret(&alice.get(&place).await), None);
    for place in ["/tokens", "/audit", "/"] {
        assert!(
            !alice.get(place).await.text.contains(&shown[22..]),
            "{place}"
        );
    }
    let cookies = format!("{:?}", alice.cookies);
    assert!(!cookies.contains(&shown[22..]));
    alice.get("/audit").await.says("API token issued");
}

#[tokio::test]
async fn a_secret_waits_for_its_own_page() {
    let console = Console::start().await;
    let mut alice = console.admin("alice").await;
    let (other, _) = issue(&mut alice, &KEY).await;
    let made = alice.post("/tokens/new", "/tokens", &KEY).await;
    // On the page of another token it is not shown, and gone.
    assert_eq!(secret(&alice.get(&other).await), None);
    assert_eq!(secret(&alice.get(made.location()).await), None);
}

#[tokio::test]
async fn a_token_is_rolled_and_revoked() {
    let console = Console::start().await;
    let mut alice = console.admin("alice").await;
    let (place, first) = issue(&mut alice, &KEY).await;
    let roll = format!("{place}/roll");
    let rolled = alice.post(&place, &roll, &[("overlap", "1")]).await;
    assert_eq!(rolled.location(), place);
    let page = alice.get(&place).await;
    page.says("Old secret");
    let second = secret(&page).unwrap();
    assert_eq!(console.call("searchIssues", &first).await, 200);
    assert_eq!(console.call("searchIssues", &second).await, 200);
    alice.post(&place, &roll, &[("overlap", "0")]).await;
    assert_eq!(console.call("searchIssues", &second).await, 401);
    let third = secret(&alice.get(&place).await).unwrap();
    assert_eq!(console.call("searchIssues", &third).await, 200);
    for overlap in ["25", "-1", ""] {
        let answer = alice.post(&place, &roll, &[("overlap", overlap)]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{overlap}");
    }

    let mut anna = console.admin("anna").await;
    let gone = anna.post(&place, &format!("{place}/revoke"), &[]).await;
    assert_eq!(gone.location(), place);
    assert_eq!(console.call("searchIssues", &third).await, 401);
    let page = anna.get(&place).await;
    page.says("Revoked");
    assert!(!page.text.contains("/roll"));
    let audit = anna.get("/audit").await;
    let (newest, _) = audit.text.split_once("API token revoked").unwrap();
    assert!(!newest.contains("API token rolled"), "newest first");
    let (_, rest) = audit.text.split_once("API token revoked").unwrap();
    let (row, _) = rest.split_once("</tr>").unwrap();
    assert!(row.contains("<span>anna</span>"), "{row}");
}

#[tokio::test]
async fn every_mistake_in_a_wish_is_beside_its_field() {
    let console = Console::start().await;
    let mut alice = console.admin("alice").await;
    let form = [
        ("kind", "service_account"),
        ("days", "4000"),
        ("network", "10.0.0.1/8"),
    ];
    let page = alice.post("/tokens/new", "/tokens", &form).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    for error in ["account-error", "days-error", "network-0-error"] {
        page.says(&format!("id=\"{error}\""));
    }
    page.says("Scopes: name at least one scope");
    assert!(!alice.get("/tokens").await.text.contains("Without a name"));
}

#[tokio::test]
async fn a_personal_token_is_ones_own() {
    let console = Console::start().await;
    let mut alice = console.admin("alice").await;
    let form = [
        ("kind", "personal"),
        ("days", "7"),
        ("scope", "read:issues"),
    ];
    let (place, _) = issue(&mut alice, &form).await;
    alice
        .get(&place)
        .await
        .says("alice <span class=\"quiet\">(a person)");

    // Anna may end it, and may not come to hold it.
    let mut anna = console.admin("anna").await;
    assert!(!anna.get(&place).await.text.contains("/roll"));
    let refused = anna
        .post(&place, &format!("{place}/roll"), &[("overlap", "0")])
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    refused.says("somebody else’s".replace('’', "&#39;").as_str());
    let gone = anna.post(&place, &format!("{place}/revoke"), &[]).await;
    assert_eq!(gone.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn tokens_of_others_are_unknown() {
    let console = Console::start().await;
    let (mut alice, mut gina) = (console.admin("alice").await, console.admin("gina").await);
    let (place, key) = issue(&mut alice, &KEY).await;
    let unknown = gina.get("/tokens/0000000000000000").await;
    let theirs = gina.get(&place).await;
    assert_eq!(theirs.status, StatusCode::NOT_FOUND);
    assert_eq!(theirs.text, unknown.text, "nobody learns that it is there");
    for act in ["roll", "revoke"] {
        let place = format!("{place}/{act}");
        let answer = gina.post("/", &place, &[("overlap", "0")]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{act}");
    }
    assert_eq!(console.call("searchIssues", &key).await, 200);
    for place in [
        "/",
        "/tokens",
        "/audit",
        "/networks",
        "/clients",
        "/permissions",
    ] {
        let page = gina.get(place).await;
        assert_eq!(page.status, StatusCode::OK);
        for word in ["acme", "deploy-bot", "alice"] {
            assert!(!page.text.contains(word), "{place}: {word}");
        }
    }
    gina.post("/networks", "/networks", &[("network", "192.0.2.1")])
        .await;
    assert!(!alice.get("/networks").await.text.contains("192.0.2.1"));
}
