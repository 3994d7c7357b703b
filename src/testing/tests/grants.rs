//! The token endpoint.

use std::time::Duration;

use http::StatusCode;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, WWW_AUTHENTICATE};
use serde_json::{Value, json};

use super::flow::{authorize_url, challenge, code, desktop};
use super::{Answer, MCP, REDIRECT, Subject, VERIFIER, both, claims, header};
use crate::testing::{ManualClock, TestIssuerBuilder};

/// Exchanges a code, with some parameters changed, added, or (empty) left out.
pub(super) async fn exchange(subject: &Subject, code: &str, changes: &[(&str, &str)]) -> Answer {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("client_id", "desktop"),
        ("redirect_uri", REDIRECT),
        ("code", code),
        ("code_verifier", VERIFIER),
    ];
    form.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    form.extend(changes);
    subject.wire.post(&subject.url("/token"), None, &form).await
}

pub(super) async fn redeem(subject: &Subject, code: &str) -> Answer {
    exchange(subject, code, &[]).await
}

async fn refresh(subject: &Subject, token: &Value, changes: &[(&str, &str)]) -> Answer {
    let mut form = vec![
        ("grant_type", "refresh_token"),
        ("client_id", "desktop"),
        ("refresh_token", token.as_str().unwrap()),
    ];
    form.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    form.extend(changes);
    subject.wire.post(&subject.url("/token"), None, &form).await
}

fn assert_error(answer: &Answer, status: StatusCode, error: &str) {
    assert_eq!(answer.json()["error"], error, "{}", answer.text());
    assert_eq!(answer.status(), status);
    assert_eq!(answer.header(CACHE_CONTROL), "no-store");
}

#[tokio::test]
async fn a_code_becomes_a_token_for_the_resource() {
    for subject in both(|b| desktop(b).token_lifetime(Duration::from_secs(90))).await {
        let answer = redeem(&subject, &code(&subject).await).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.header(CACHE_CONTROL), "no-store");
        assert_eq!(answer.header(ACCESS_CONTROL_ALLOW_ORIGIN), "*");
        let tokens = answer.json();
        assert_eq!(tokens["token_type"], "Bearer");
        assert_eq!(tokens["expires_in"], 90);
        assert_eq!(tokens["scope"], "read:issues");
        let token = tokens["access_token"].as_str().unwrap();
        assert_eq!(header(token)["typ"], "at+jwt");
        let claims = claims(token);
        assert_eq!(claims["iss"], subject.issuer.url());
        assert_eq!(claims["aud"], MCP);
        assert_eq!(claims["sub"], "alice");
        assert_eq!(claims["client_id"], "desktop");
        assert_eq!(claims["scope"], "read:issues");
        let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert_eq!(life, 90);
        assert_eq!(subject.issuer.hits().token, 1);
    }
}

#[tokio::test]
async fn two_resources_and_no_scope() {
    for subject in both(desktop).await {
        let other = "https://other.example/mcp";
        let changes = [("resource", MCP), ("resource", other), ("scope", "")];
        let answer = subject.wire.get(&authorize_url(&subject, &changes)).await;
        let tokens = redeem(&subject, &answer.redirected()["code"]).await.json();
        assert_eq!(tokens["scope"], "read:issues write:issues");
        let payload = claims(tokens["access_token"].as_str().unwrap());
        assert_eq!(payload["aud"], json!([MCP, other]));
        let fewer = refresh(&subject, &tokens["refresh_token"], &[("resource", other)]).await;
        let payload = claims(fewer.json()["access_token"].as_str().unwrap());
        assert_eq!(payload["aud"], other);
    }
}

#[tokio::test]
async fn a_code_is_bound_to_its_request() {
    let challenge = challenge();
    let wrong_verifier = "wrong".repeat(10);
    let cases = [
        ("code_verifier", wrong_verifier.as_str(), "invalid_grant"),
        ("code_verifier", &challenge, "invalid_grant"),
        ("code_verifier", "short", "invalid_grant"),
        ("code_verifier", "", "invalid_request"),
        (
            "redirect_uri",
            "http://127.0.0.1:4712/callback",
            "invalid_grant",
        ),
        ("redirect_uri", "", "invalid_grant"),
        ("client_id", "other", "invalid_grant"),
        ("code", "guessed", "invalid_grant"),
        ("resource", "https://other.example", "invalid_target"),
        ("grant_type", "", "invalid_request"),
        ("grant_type", "password", "unsupported_grant_type"),
        ("grant_type", "client_credentials", "unauthorized_client"),
    ];
    for subject in both(|b| desktop(b).public_client("other", [REDIRECT])).await {
        for (name, value, expected) in cases {
            let code = code(&subject).await;
            let answer = exchange(&subject, &code, &[(name, value)]).await;
            assert_eq!(answer.json()["error"], expected, "{name}={value}");
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        }
    }
}

#[tokio::test]
async fn a_wrong_verifier_spends_the_code() {
    for subject in both(desktop).await {
        let code = code(&subject).await;
        let wrong = "wrong".repeat(10);
        exchange(&subject, &code, &[("code_verifier", &wrong)]).await;
        let answer = redeem(&subject, &code).await;
        assert_error(&answer, StatusCode::BAD_REQUEST, "invalid_grant");
    }
}

#[tokio::test]
async fn a_replayed_code_revokes_what_it_got() {
    for subject in both(desktop).await {
        let code = code(&subject).await;
        let tokens = redeem(&subject, &code).await.json();
        let replay = redeem(&subject, &code).await;
        assert_error(&replay, StatusCode::BAD_REQUEST, "invalid_grant");
        let answer = refresh(&subject, &tokens["refresh_token"], &[]).await;
        assert_error(&answer, StatusCode::BAD_REQUEST, "invalid_grant");
    }
}

#[tokio::test]
async fn a_code_lives_sixty_seconds() {
    let clock = ManualClock::at(1_800_000_000);
    for subject in both(|b| desktop(b).clock(clock.clone())).await {
        let in_time = code(&subject).await;
        clock.jump_wall(-1000);
        clock.advance(Duration::from_secs(59));
        assert_eq!(redeem(&subject, &in_time).await.status(), StatusCode::OK);
        let late = code(&subject).await;
        clock.advance(Duration::from_secs(60));
        let answer = redeem(&subject, &late).await;
        assert_error(&answer, StatusCode::BAD_REQUEST, "invalid_grant");
    }
}

#[tokio::test]
async fn refresh_tokens_rotate_and_thieves_lose() {
    for subject in both(desktop).await {
        let first = redeem(&subject, &code(&subject).await).await.json();
        let second = refresh(&subject, &first["refresh_token"], &[]).await;
        assert_eq!(second.status(), StatusCode::OK);
        let second = second.json();
        assert_ne!(first["refresh_token"], second["refresh_token"]);
        assert_ne!(first["access_token"], second["access_token"]);
        let payload = claims(second["access_token"].as_str().unwrap());
        assert_eq!(
            (&payload["aud"], &payload["sub"]),
            (&json!(MCP), &json!("alice"))
        );

        let stolen = refresh(&subject, &first["refresh_token"], &[]).await;
        assert_error(&stolen, StatusCode::BAD_REQUEST, "invalid_grant");
        let revoked = refresh(&subject, &second["refresh_token"], &[]).await;
        assert_error(&revoked, StatusCode::BAD_REQUEST, "invalid_grant");
    }
}

#[tokio::test]
async fn a_refresh_can_ask_for_less_but_not_for_more() {
    for subject in both(|b| desktop(b).public_client("other", [REDIRECT])).await {
        let scopes = [("scope", "write:issues read:issues")];
        let answer = subject.wire.get(&authorize_url(&subject, &scopes)).await;
        let tokens = redeem(&subject, &answer.redirected()["code"]).await.json();
        let foreign = refresh(
            &subject,
            &tokens["refresh_token"],
            &[("client_id", "other")],
        )
        .await;
        assert_error(&foreign, StatusCode::BAD_REQUEST, "invalid_grant");
        let less = refresh(
            &subject,
            &tokens["refresh_token"],
            &[("scope", "read:issues")],
        )
        .await;
        assert_eq!(less.json()["scope"], "read:issues");
        let all = refresh(&subject, &less.json()["refresh_token"], &[])
            .await
            .json();
        assert_eq!(all["scope"], "read:issues write:issues");
        let more = [("scope", "read:issues admin")];
        let more = refresh(&subject, &all["refresh_token"], &more).await;
        assert_error(&more, StatusCode::BAD_REQUEST, "invalid_scope");
    }
}

fn machine(builder: TestIssuerBuilder) -> TestIssuerBuilder {
    builder.client("ci", "s3cret+/=&")
}

#[tokio::test]
async fn machines_get_tokens_for_themselves() {
    let form = [("grant_type", "client_credentials"), ("resource", MCP)];
    for subject in both(machine).await {
        let url = subject.url("/token");
        // Basic as RFC 6749 wants it, Basic as most clients do it, and in the body.
        let encoded = subject
            .wire
            .post(&url, Some("ci:s3cret%2B%2F%3D%26"), &form);
        let raw = subject.wire.post(&url, Some("ci:s3cret+/=&"), &form);
        let in_body = [
            &form[..],
            &[("client_id", "ci"), ("client_secret", "s3cret+/=&")],
        ]
        .concat();
        let in_body = subject.wire.post(&url, None, &in_body);
        for answer in [encoded.await, raw.await, in_body.await] {
            let tokens = answer.json();
            assert_eq!(tokens.get("refresh_token"), None);
            let payload = claims(tokens["access_token"].as_str().unwrap());
            assert_eq!(payload["sub"], "ci");
            assert_eq!(payload["client_id"], "ci");
            assert_eq!(payload["aud"], MCP);
        }
    }
}

#[tokio::test]
async fn machines_must_prove_who_they_are() {
    let form = [("grant_type", "client_credentials"), ("resource", MCP)];
    for subject in both(machine).await {
        let url = subject.url("/token");
        for pair in ["ci:wrong", "ci:", "nobody:s3cret", "no colon"] {
            let answer = subject.wire.post(&url, Some(pair), &form).await;
            assert_error(&answer, StatusCode::UNAUTHORIZED, "invalid_client");
            assert_eq!(answer.header(WWW_AUTHENTICATE), "Basic realm=\"token\"");
        }
        let no_secret = [&form[..], &[("client_id", "ci")]].concat();
        let answer = subject.wire.post(&url, None, &no_secret).await;
        assert_error(&answer, StatusCode::UNAUTHORIZED, "invalid_client");
        let twice = [&form[..], &[("client_secret", "s3cret+/=&")]].concat();
        let answer = subject.wire.post(&url, Some("ci:s3cret+/=&"), &twice).await;
        assert_error(&answer, StatusCode::BAD_REQUEST, "invalid_request");
    }
}
