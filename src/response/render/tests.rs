use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::error::BackendError;
use crate::{Issuer, ProtectedResource};

const P: &str = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";

fn resource() -> Resource {
    ProtectedResource::new("https://mcp.example.com/mcp")
        .issuer(Issuer::new("https://auth.example.com/t1"))
        .baseline_scopes(["read:issues"])
        .build()
        .unwrap()
}

fn facts(grpc: bool) -> RequestFacts {
    RequestFacts {
        request_id: "r1".to_owned(),
        grpc,
        head: false,
        dpop: false,
    }
}

fn with_basic(basic: &HeaderValue) -> Alternatives<'_> {
    Alternatives {
        basic: Some(basic),
        dpop: None,
    }
}

fn rendered(rejection: impl Into<Rejection>) -> Response<Bytes> {
    render(
        &rejection.into(),
        &resource(),
        Alternatives::default(),
        &facts(false),
    )
}

fn body(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

fn scope_rejection() -> Rejection {
    Rejection::insufficient_scope(
        Reason::InsufficientScope,
        &ScopeSet::parse("read:issues").unwrap(),
        &ScopeSet::parse("read:issues write:issues").unwrap(),
    )
}

#[test]
fn auth_07_no_credential_is_e1() {
    let response = rendered(Reason::MissingCredential);
    assert_eq!(response.status(), 401);
    assert_eq!(
        response.headers()[WWW_AUTHENTICATE],
        format!("Bearer resource_metadata=\"{P}\", scope=\"read:issues\"")
    );
    assert_eq!(
        body(&response),
        json!({
            "error": "authentication_required",
            "message": Reason::MissingCredential.answer().message,
            "request_id": "r1",
            "resource_metadata": P,
            "allowed_methods": ["oauth2"],
        })
    );
}

#[test]
fn prm_18_bad_token_is_e2() {
    let response = rendered(Reason::Expired);
    assert_eq!(response.status(), 401);
    assert_eq!(
        response.headers()[WWW_AUTHENTICATE],
        format!(
            "Bearer error=\"invalid_token\", error_description=\"The access token expired; refresh it or log in again\", resource_metadata=\"{P}\""
        )
    );
    assert_eq!(
        body(&response),
        json!({"error": "invalid_token", "message": "The access token expired; refresh it or log in again", "request_id": "r1"})
    );
}

#[test]
fn scp_01_insufficient_scope_names_all_scopes() {
    let response = rendered(scope_rejection());
    assert_eq!(response.status(), 403);
    let challenge = response.headers()[WWW_AUTHENTICATE].to_str().unwrap();
    let start = "Bearer error=\"insufficient_scope\", scope=\"read:issues write:issues\", error_description=\"";
    assert!(challenge.starts_with(start), "{challenge}");
    let end = format!("\", resource_metadata=\"{P}\"");
    assert!(challenge.ends_with(&end), "{challenge}");
    let body = body(&response);
    assert_eq!(
        body["required_scopes"],
        json!(["read:issues", "write:issues"])
    );
    assert_eq!(body["missing_scopes"], json!(["write:issues"]));
}

#[test]
fn auth_11_bad_framing_is_challenged_with_invalid_request() {
    let response = rendered(Reason::DuplicateAuthorization);
    assert_eq!(response.status(), 400);
    let challenge = response.headers()[WWW_AUTHENTICATE].to_str().unwrap();
    assert!(challenge.starts_with("Bearer error=\"invalid_request\", "));
}

#[test]
fn scp_07_auth_01_a_challenge_exactly_where_a_new_token_helps() {
    for &reason in Reason::ALL {
        let response = rendered(reason);
        let lines = response.headers().get_all(WWW_AUTHENTICATE).iter().count();
        // What is wrong with a message, no token mends.
        let message = [Reason::MalformedMessage, Reason::HeaderMismatch].contains(&reason);
        let helps = matches!(response.status().as_u16(), 400 | 401) && !message
            || reason == Reason::InsufficientScope;
        assert_eq!(lines, usize::from(helps), "{reason}");
    }
}

#[test]
fn bas_10_a_basic_line_follows_a_plain_bearer_line_and_no_other() {
    let basic = HeaderValue::from_static("Basic realm=\"x\", charset=\"UTF-8\"");
    for &reason in Reason::ALL {
        for grpc in [false, true] {
            let response = render(
                &reason.into(),
                &resource(),
                with_basic(&basic),
                &facts(grpc),
            );
            let lines = response.headers().get_all(WWW_AUTHENTICATE).iter();
            let lines: Vec<_> = lines.map(|line| line.to_str().unwrap()).collect();
            let plain = reason.answer().challenge == ChallengeKind::Plain;
            assert_eq!(lines.iter().any(|line| *line == basic), plain, "{reason}");
            if plain {
                assert_eq!(reason.status(), 401, "{reason}");
                assert_eq!(lines.len(), 2, "{reason}");
                assert!(
                    lines[0].starts_with("Bearer resource_metadata="),
                    "{reason}"
                );
            }
        }
    }
    let forbidden = Rejection::new(Reason::MethodDisabled).forbidding();
    let response = render(&forbidden, &resource(), with_basic(&basic), &facts(false));
    assert!(!response.headers().contains_key(WWW_AUTHENTICATE));
}

#[test]
fn auth_18_auth_20_every_answer_is_small_json_and_not_stored() {
    for &reason in Reason::ALL {
        let response = rendered(reason);
        let headers = response.headers();
        assert_eq!(headers[CACHE_CONTROL], "no-store", "{reason}");
        assert_eq!(headers[CONTENT_TYPE], "application/json", "{reason}");
        assert_eq!(headers[X_REQUEST_ID], "r1", "{reason}");
        let body = body(&response);
        if [Reason::MalformedMessage, Reason::HeaderMismatch].contains(&reason) {
            assert_eq!(body["error"]["code"], -32020, "MCP-1");
            assert_eq!(body["error"]["data"]["error"], reason.error());
            assert!(body.get("id").is_none(), "MCP-17");
        } else {
            assert_eq!(body["error"], reason.error());
        }
        let kept = response.extensions().get::<Rejection>().unwrap();
        assert_eq!(kept.reason(), reason);
    }
}

#[test]
fn mcp_01_the_answer_to_a_message_repeats_its_id() {
    for (id, written) in [("7", json!(7)), (r#""a\u0062""#, json!("ab"))] {
        let rejection = Rejection::new(Reason::HeaderMismatch).with_message_id(id);
        let response = rendered(rejection);
        assert_eq!(body(&response)["id"], written);
    }
}

#[test]
fn key_06_outage_says_when_to_come_back() {
    for (wait, seconds) in [
        (None, 5),
        (Some(Duration::ZERO), 1),
        (Some(Duration::from_millis(1200)), 2),
        (Some(Duration::from_secs(30)), 30),
    ] {
        let mut rejection = Rejection::new(Reason::IssuerUnavailable)
            .with_cause(Arc::new(BackendError::new("10.0.0.7 refused")));
        if let Some(wait) = wait {
            rejection = rejection.with_retry_after(wait);
        }
        let response = rendered(rejection);
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[RETRY_AFTER], seconds.to_string());
        assert_eq!(body(&response)["retry_after_seconds"], seconds);
        assert!(!response.body().windows(8).any(|part| part == b"10.0.0.7"));
    }
    let bad_token = rendered(Reason::Expired);
    assert!(!bad_token.headers().contains_key(RETRY_AFTER));
}

#[test]
fn grpc_answers_are_trailers_only() {
    for (rejection, status, challenged) in [
        (Reason::MissingCredential.into(), "16", true),
        (Reason::Expired.into(), "16", true),
        (scope_rejection(), "7", true),
        (Reason::OriginNotAllowed.into(), "7", false),
        (Reason::CredentialTooLarge.into(), "8", false),
        (Reason::IssuerUnavailable.into(), "14", false),
        (Reason::DuplicateAuthorization.into(), "3", true),
        (Reason::Internal.into(), "13", false),
    ] {
        let response = render(
            &rejection,
            &resource(),
            Alternatives::default(),
            &facts(true),
        );
        let headers = response.headers();
        assert_eq!(response.status(), 200);
        assert_eq!(headers["content-type"], "application/grpc");
        assert_eq!(headers["grpc-status"], status, "{rejection}");
        assert_eq!(headers["grpc-message"], rejection.message());
        assert_eq!(headers.contains_key(WWW_AUTHENTICATE), challenged);
        assert!(response.body().is_empty());
    }
    let rejection = Rejection::new(Reason::IssuerUnavailable);
    let response = render(
        &rejection,
        &resource(),
        Alternatives::default(),
        &facts(true),
    );
    assert_eq!(response.headers()["grpc-retry-pushback-ms"], "5000");
}

#[test]
fn grpc_message_is_percent_encoded() {
    assert_eq!(percent_encoded("100% of \u{e9}\n"), "100%25 of %C3%A9%0A");
}

/// `grpc-message` as a client decodes it.
fn decoded(encoded: &[u8]) -> Vec<u8> {
    let mut bytes = encoded.iter().copied();
    let mut text = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let pair = [bytes.next().unwrap(), bytes.next().unwrap()];
            text.push(u8::from_str_radix(std::str::from_utf8(&pair).unwrap(), 16).unwrap());
        } else {
            text.push(byte);
        }
    }
    text
}

proptest! {
    #[test]
    fn auth_06_any_message_renders(message in any::<String>(), grpc in any::<bool>()) {
        let rejection = Rejection::new(Reason::Expired).with_message(message.clone());
        let response = render(&rejection, &resource(), Alternatives::default(), &facts(grpc));
        prop_assert!(response.headers().contains_key(WWW_AUTHENTICATE));
        if grpc {
            let encoded = response.headers()["grpc-message"].as_bytes();
            prop_assert_eq!(decoded(encoded), message.into_bytes());
        } else {
            let body = body(&response);
            prop_assert_eq!(body["message"].as_str(), Some(message.as_str()));
        }
    }
}

/// Whatever was prepared says what would be said without, to everybody and every time.
#[test]
fn prepared_answers_are_those_made_from_scratch() {
    let resource = resource();
    let basic = HeaderValue::from_static("Basic realm=\"r\", charset=\"UTF-8\"");
    let all = |rejection: &Rejection| {
        let ask = |(id, grpc, head): (&str, bool, bool)| {
            let facts = RequestFacts {
                request_id: id.to_owned(),
                grpc,
                head,
                dpop: false,
            };
            let response = render(rejection, &resource, with_basic(&basic), &facts);
            let (parts, body) = response.into_parts();
            (parts.status, parts.headers, body)
        };
        [
            ("r1", false, false),
            ("another.id_2", false, true),
            ("third", false, false),
            ("r1", true, false),
        ]
        .map(ask)
    };
    for reason in Reason::ALL {
        let plain = Rejection::new(*reason);
        // A message of its own, if the same: this one is made anew.
        let scratch = plain.clone().with_message(plain.message().to_owned());
        assert_eq!(all(&plain), all(&scratch), "{reason}");
        let forbidding = plain.clone().forbidding();
        assert_eq!(all(&forbidding)[0].0, 403, "{reason}");
        let worded = plain.with_detail("allowed_methods", vec!["oauth2", "api_token"]);
        let worded = worded.with_message("Send what is taken here.");
        let standing = worded.clone().standing();
        assert_eq!(all(&standing), all(&worded), "{reason}");
        // What is changed after that belongs to one request.
        let changed = |rejection: Rejection| all(&rejection.with_detail("rule", "r"));
        assert_eq!(
            changed(standing.clone()),
            changed(worded.clone()),
            "{reason}"
        );
        let changed = |rejection: Rejection| all(&rejection.with_message("Another."));
        assert_eq!(changed(standing), changed(worded), "{reason}");
    }
}
