//! The authorization endpoint.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE,
    X_FRAME_OPTIONS,
};
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::json;
use url::{Url, form_urlencoded};

use super::{Answer, MCP, REDIRECT, Subject, VERIFIER, both, claims};
use crate::testing::{Consent, TestIssuerBuilder};

pub(super) fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()))
}

pub(super) fn desktop(builder: TestIssuerBuilder) -> TestIssuerBuilder {
    builder
        .path("/t1")
        .public_client("desktop", ["http://127.0.0.1/callback"])
}

/// An authorization request with some parameters changed, added, or (empty) left out.
pub(super) fn authorize_url(subject: &Subject, changes: &[(&str, &str)]) -> String {
    let challenge = challenge();
    let defaults = [
        ("response_type", "code"),
        ("client_id", "desktop"),
        ("redirect_uri", REDIRECT),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("state", "a state & more"),
        ("resource", MCP),
        ("scope", "read:issues offline_access"),
    ];
    let mut url = Url::parse(&subject.url("/authorize")).unwrap();
    let kept = defaults
        .iter()
        .filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    url.query_pairs_mut()
        .extend_pairs(kept)
        .extend_pairs(changes);
    url.into()
}

/// A fresh code by automatic consent.
pub(super) async fn code(subject: &Subject) -> String {
    let answer = subject.wire.get(&authorize_url(subject, &[])).await;
    answer.redirected()["code"].clone()
}

#[tokio::test]
async fn a_code_comes_back_with_state_and_issuer() {
    for subject in both(desktop).await {
        let answer = subject.wire.get(&authorize_url(&subject, &[])).await;
        assert_eq!(answer.status(), StatusCode::FOUND);
        assert_eq!(answer.header(CACHE_CONTROL), "no-store");
        let params = answer.redirected();
        assert_eq!(params["state"], "a state & more");
        assert_eq!(params["iss"], subject.issuer.url());
        assert_eq!(params["code"].len(), 43);
        assert_eq!(params.len(), 3);
        assert_eq!(subject.issuer.hits().authorize, 1);
    }
}

#[tokio::test]
async fn mistakes_of_a_known_client_go_back_to_it() {
    let cases: [(&str, &str, &str); 11] = [
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge", "too-short", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("resource", "", "invalid_target"),
        ("resource", "not a URL", "invalid_target"),
        (
            "resource",
            "https://mcp.example.com/#part",
            "invalid_target",
        ),
        ("scope", "admin", "invalid_scope"),
        ("scope", "read:Issues", "invalid_scope"),
    ];
    for subject in both(desktop).await {
        for (name, value, expected) in cases {
            let url = authorize_url(&subject, &[(name, value)]);
            let params = subject.wire.get(&url).await.redirected();
            assert_eq!(params["error"], expected, "{name}={value}");
            assert_eq!(params["state"], "a state & more");
            assert_eq!(params["iss"], subject.issuer.url());
            assert!(!params.contains_key("code"));
        }
        let twice = authorize_url(&subject, &[("scope", "read:issues"), ("scope", "x")]);
        let params = subject.wire.get(&twice).await.redirected();
        assert_eq!(params["error"], "invalid_request");
    }
}

#[tokio::test]
async fn nobody_is_sent_to_an_unregistered_place() {
    let cases = [
        ("client_id", "nobody"),
        ("client_id", ""),
        ("redirect_uri", ""),
        ("redirect_uri", "https://evil.example/callback"),
        ("redirect_uri", "http://127.0.0.1:4711/other"),
        ("redirect_uri", "http://localhost:4711/callback"),
        ("redirect_uri", "https://127.0.0.1:4711/callback"),
        ("redirect_uri", "http://127.0.0.1:4711/callback?x=1"),
        ("redirect_uri", "http://127.0.0.1:4711/callback#x"),
        ("redirect_uri", "http://user@127.0.0.1:4711/callback"),
        ("redirect_uri", "http://127.0.0.1.evil.example/callback"),
    ];
    for subject in both(desktop).await {
        for (name, value) in cases {
            let answer = subject
                .wire
                .get(&authorize_url(&subject, &[(name, value)]))
                .await;
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{name}={value}");
            assert_eq!(answer.header(LOCATION), "");
            assert!(answer.header(CONTENT_TYPE).starts_with("text/html"));
        }
    }
}

#[tokio::test]
async fn the_port_is_free_on_loopback_only() {
    let setup = |b: TestIssuerBuilder| {
        b.public_client(
            "desktop",
            [
                "http://127.0.0.1/callback",
                "https://app.example/cb",
                "http://lan.example/cb",
            ],
        )
    };
    for subject in both(setup).await {
        let status = async |uri: &str| {
            let url = authorize_url(&subject, &[("redirect_uri", uri)]);
            subject.wire.get(&url).await.status()
        };
        assert_eq!(
            status("http://127.0.0.1:9/callback").await,
            StatusCode::FOUND
        );
        assert_eq!(status("https://app.example/cb").await, StatusCode::FOUND);
        for moved in ["https://app.example:8443/cb", "http://lan.example:81/cb"] {
            assert_eq!(status(moved).await, StatusCode::BAD_REQUEST, "{moved}");
        }
    }
}

/// What a browser takes from the consent page: the request id and the cookie.
fn page_secrets(page: &Answer) -> (String, String) {
    let (_, rest) = page.text().split_once("name=\"request\" value=\"").unwrap();
    let (id, _) = rest.split_once('"').unwrap();
    let cookie = page.header(SET_COOKIE).split(';').next().unwrap();
    (id.to_owned(), cookie.to_owned())
}

async fn decide(subject: &Subject, cookie: &str, form: &[(&str, &str)]) -> Answer {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let request = Request::post(subject.url("/authorize")).header(COOKIE, cookie);
    let request = request.body(Full::from(body)).unwrap();
    subject.wire.send(request).await.unwrap()
}

fn asking(builder: TestIssuerBuilder) -> TestIssuerBuilder {
    desktop(builder)
        .consent(Consent::Page)
        .user("alice", json!({}))
        .user("bob <b>", json!({"org_id": "acme"}))
}

#[tokio::test]
async fn the_page_asks_and_the_answer_counts_once() {
    for subject in both(asking).await {
        let page = subject.wire.get(&authorize_url(&subject, &[])).await;
        assert_eq!(page.status(), StatusCode::OK);
        let policy = page.header(CONTENT_SECURITY_POLICY);
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"));
        assert!(policy.contains("form-action 'self' http://127.0.0.1:4711;"));
        assert!(policy.contains("frame-ancestors 'none'"));
        assert_eq!(page.header(X_FRAME_OPTIONS), "DENY");
        let text = page.text();
        for shown in [
            "desktop",
            MCP,
            "read:issues",
            "bob &lt;b&gt;",
            "never use it",
        ] {
            assert!(text.contains(shown), "{shown}");
        }
        assert!(!text.contains("write:issues") && !text.contains("<script"));

        let (id, cookie) = page_secrets(&page);
        let form = [
            ("request", id.as_str()),
            ("user", "bob <b>"),
            ("decision", "allow"),
        ];
        let forged = decide(&subject, "", &form).await;
        assert_eq!(forged.status(), StatusCode::BAD_REQUEST);
        let answer = decide(&subject, &cookie, &form).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let code = answer.redirected()["code"].clone();
        let again = decide(&subject, &cookie, &form).await;
        assert_eq!(again.status(), StatusCode::BAD_REQUEST);

        let tokens = super::grants::redeem(&subject, &code).await.json();
        let claims = claims(tokens["access_token"].as_str().unwrap());
        assert_eq!(claims["sub"], "bob <b>");
        assert_eq!(claims["org_id"], "acme");
    }
}

#[tokio::test]
async fn the_user_can_say_no() {
    for subject in both(asking).await {
        let page = subject.wire.get(&authorize_url(&subject, &[])).await;
        let (id, cookie) = page_secrets(&page);
        let form = [
            ("request", id.as_str()),
            ("user", "alice"),
            ("decision", "deny"),
        ];
        let answer = decide(&subject, &cookie, &form).await;
        assert_eq!(answer.redirected()["error"], "access_denied");
        assert_eq!(answer.redirected()["state"], "a state & more");
    }
}

#[tokio::test]
async fn only_users_of_the_issuer_can_say_yes() {
    for subject in both(asking).await {
        let page = subject.wire.get(&authorize_url(&subject, &[])).await;
        let (id, cookie) = page_secrets(&page);
        let form = [
            ("request", id.as_str()),
            ("user", "mallory"),
            ("decision", "allow"),
        ];
        let answer = decide(&subject, &cookie, &form).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn a_name_from_registration_cannot_write_html() {
    for subject in both(|b| b.consent(Consent::Page)).await {
        let registration = json!({
            "client_name": "<script>alert('x')</script>\"",
            "redirect_uris": [REDIRECT],
            "token_endpoint_auth_method": "none",
        });
        let client = subject
            .wire
            .post_json(&subject.url("/register"), registration)
            .await;
        let id = client.json()["client_id"].as_str().unwrap().to_owned();
        let url = authorize_url(&subject, &[("client_id", &id)]);
        let page = subject.wire.get(&url).await;
        assert_eq!(page.status(), StatusCode::OK);
        assert!(!page.text().contains("<script"));
        assert!(page.text().contains("&lt;script&gt;alert(&#39;x&#39;)"));
    }
}
