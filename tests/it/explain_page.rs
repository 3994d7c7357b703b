//! The quickstart's page that explains a credential: for whoever sits at the computer, and for nobody else.

use reqwest::{Response, StatusCode};
use tower_mcp_auth::testing::Consent;
use url::form_urlencoded::Serializer;

use crate::clients::{Running, browser, quickstart};

fn url_of(quickstart: &Running) -> String {
    quickstart.resource.identifier().replace("/mcp", "/explain")
}

async fn post(quickstart: &Running, origin: Option<&str>, fields: &[(&str, &str)]) -> Response {
    let form = Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = browser()
        .post(url_of(quickstart))
        .header("content-type", "application/x-www-form-urlencoded");
    let request = match origin {
        Some(origin) => request.header("origin", origin),
        None => request,
    };
    request.body(form).send().await.unwrap()
}

fn only<'r>(response: &'r Response, name: &str) -> &'r str {
    let lines: Vec<_> = response.headers().get_all(name).iter().collect();
    assert_eq!(lines.len(), 1, "{name}: {response:?}");
    lines[0].to_str().unwrap()
}

#[tokio::test]
async fn t48_the_page_explains_and_keeps_nothing() {
    let quickstart = quickstart(Consent::Automatic).await;
    let own = url_of(&quickstart).replace("/explain", "");
    let token = quickstart.issuer.token(quickstart.resource.identifier());
    let reader = token.scope("read:issues").sign();
    let key = &quickstart.credentials.build_bot;
    let secret = key.rsplit('_').next().unwrap();
    for (credential, tool, expected) in [
        (&*reader, "searchIssues", "VERDICT: let in"),
        (
            &reader,
            "createIssue",
            "VERDICT: refused, 403 insufficient_scope",
        ),
        (key, "searchIssues", "VERDICT: let in"),
        (
            "<b>",
            "whoami",
            "VERDICT: refused, 401 malformed_credential",
        ),
        ("", "whoami", "VERDICT: refused, 401 missing_credential"),
        ("bob@globex.example:x", "whoami", "invalid_api_token"),
        ("a\u{7f}b", "whoami", "No header can hold this"),
    ] {
        let fields = [("credential", credential), ("tool", tool)];
        let response = post(&quickstart, Some(&own), &fields).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(only(&response, "cache-control"), "no-store");
        assert!(only(&response, "content-security-policy").starts_with("default-src 'none'"));
        assert_eq!(response.headers().get_all("set-cookie").iter().count(), 0);
        let page = response.text().await.unwrap();
        assert!(page.contains(expected), "{expected}: {page}");
        assert!(!page.contains("<b>") && !page.contains("<script"), "{page}");
        assert!(
            !page.contains(&secret[..12]) && !page.contains(&reader[..12]),
            "{page}"
        );
    }
    quickstart.stop().await.unwrap();
}

#[tokio::test]
async fn t41_no_other_page_may_ask() {
    let quickstart = quickstart(Consent::Automatic).await;
    let url = url_of(&quickstart);
    assert_eq!(browser().get(&url).send().await.unwrap().status(), 200);
    for origin in ["https://evil.test", "null", "http://localhost:6274"] {
        let response = post(&quickstart, Some(origin), &[("credential", "x")]).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{origin}");
        assert_eq!(only(&response, "cache-control"), "no-store");
        let allowed = "access-control-allow-origin";
        assert_eq!(response.headers().get_all(allowed).iter().count(), 0);
    }
    let rebound = browser().get(&url).header("host", "evil.test:8000");
    assert_eq!(
        rebound.send().await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
    quickstart.stop().await.unwrap();
}
