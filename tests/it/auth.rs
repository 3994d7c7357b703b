//! HTTP authentication (requirements AUTH, SCP): the exact answers to every way of asking.

use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tower::{Layer, ServiceExt};
use tower_mcp_auth::McpAuthLayer;
use tower_mcp_auth::authenticator::AuthenticatorBuilder;

use crate::server::Loopback;
use crate::support::{Answer, P, World, post};

fn e1() -> String {
    format!("Bearer resource_metadata=\"{P}\", scope=\"read:issues\"")
}

/// Answered as if nothing had been presented: E1, and nothing but E1.
#[track_caller]
fn assert_e1(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.challenge(), e1());
    let body = answer.json();
    assert_eq!(body["error"], "authentication_required");
    assert_eq!(body["allowed_methods"], json!(["oauth2"]));
    assert_eq!(body["resource_metadata"], P);
}

/// The parameters of a challenge, read strictly and without the crate's help.
fn parameters(challenge: &str) -> Vec<(&str, &str)> {
    let mut rest = challenge.strip_prefix("Bearer ").expect("Bearer first");
    let mut found = Vec::new();
    loop {
        let (name, after) = rest.split_once("=\"").expect("a parameter");
        let (value, after) = after.split_once('"').expect("a closed quote");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
        assert!(
            value
                .bytes()
                .all(|b| matches!(b, 0x20 | 0x21 | 0x23..=0x5B | 0x5D..=0x7E)),
            "AUTH-6: {value}"
        );
        assert!(found.iter().all(|(known, _)| *known != name), "AUTH-5");
        found.push((name, value));
        if after.is_empty() {
            return found;
        }
        rest = after.strip_prefix(", ").expect("the next parameter");
    }
}

#[tokio::test]
async fn auth_07_nothing_usable_presented_is_e1() {
    let world = World::warm().await;
    assert_e1(&world.send(post()).await);
    let token = world.token().sign();
    for unsupported in [
        "Digest a",
        "Digest username=\"Mufasa\", realm=\"x\"",
        "DPoP abc",
        "Basic YWxpY2VAZXhhbXBsZS5jb206dG9rZW4=",
        "Negotiate",
        "",
        "Bearer,",
        "Bearerx a",
        &token,
        &format!(" Bearer {token}"),
        &format!("Bearer\t{token}"),
        &format!("Token {token}"),
    ] {
        let answer = world.present(unsupported).await;
        assert_e1(&answer);
        for word in ["error=", "error_description", "error_uri"] {
            assert!(!answer.challenge().contains(word), "{unsupported}");
        }
    }
    assert_eq!(world.probe.calls(), 0);
}

#[tokio::test]
async fn auth_01_an_expired_token_is_e2() {
    let world = World::warm().await;
    let answer = world.bearer(&world.token().expires_in(-31).sign()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        answer.challenge(),
        format!(
            "Bearer error=\"invalid_token\", error_description=\"The access token expired; refresh it or log in again\", resource_metadata=\"{P}\""
        )
    );
    assert_eq!(
        answer.json()["message"],
        "The access token expired; refresh it or log in again"
    );
}

#[tokio::test]
async fn scp_01_scp_02_a_missing_scope_is_e3() {
    let world = World::cold()
        .rebuilt(|auth| auth.require_scopes(["write:issues", "read:issues"]))
        .warmed()
        .await;
    let scoped = |scope: &str| world.token().scope(scope).sign();
    let answer = world.bearer(&scoped("read:issues delete:other")).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "AUTH-15");
    let message =
        "This request needs read:issues write:issues; the access token lacks write:issues";
    assert_eq!(
        answer.challenge(),
        format!(
            "Bearer error=\"insufficient_scope\", scope=\"read:issues write:issues\", error_description=\"{message}\", resource_metadata=\"{P}\""
        )
    );
    let body = answer.json();
    assert_eq!(body["error"], "insufficient_scope");
    assert_eq!(body["message"], message);
    assert_eq!(
        body["required_scopes"],
        json!(["read:issues", "write:issues"])
    );
    assert_eq!(body["missing_scopes"], json!(["write:issues"]));

    for (case, token) in [
        ("SCP-10", world.token().without("scope").sign()),
        ("SCP-10", scoped("")),
        ("SCP-9", scoped("Read:issues Write:issues")),
        ("SCP-9", scoped("read:issues write:issue")),
        ("SCP-9", scoped("read:issues,write:issues")),
    ] {
        let answer = world.bearer(&token).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{case}");
        assert_eq!(answer.json()["error"], "insufficient_scope", "{case}");
    }
    for outside in ["read:issues\u{a0}write:issues", "read:issues\twrite:issues"] {
        let answer = world.bearer(&scoped(outside)).await;
        answer.assert_invalid_token("malformed_claim");
    }
    assert_eq!(world.probe.calls(), 0);
    let more = scoped("x  write:issues   read:issues");
    world.bearer(&more).await.assert_let_in();
}

#[tokio::test]
async fn auth_09_auth_10_scheme_in_any_case_and_any_number_of_spaces() {
    let world = World::warm().await;
    let token = world.token().sign();
    for good in ["Bearer ", "bEaReR ", "BEARER ", "Bearer    "] {
        world
            .present(format!("{good}{token}"))
            .await
            .assert_let_in();
    }
    let calls = world.probe.calls();
    for bad in [
        format!("Bearer {token} b"),
        format!("Bearer {token},b"),
        format!("Bearer {token}, Bearer {token}"),
        format!("Bearer \"{token}\""),
        format!("Bearer token=\"{token}\""),
        format!("Bearer \t{token}"),
        format!("Bearer {token};"),
        format!("Bearer {token}\u{e9}"),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer =".to_owned(),
    ] {
        let answer = world.present(&bad).await;
        answer.assert_invalid_token("malformed_credential");
    }
    assert_eq!(world.probe.calls(), calls);
}

#[tokio::test]
async fn auth_11_two_lines_are_400_whatever_they_say() {
    let world = World::warm().await;
    let good = format!("Bearer {}", world.token().sign());
    for other in [&good, "Bearer x", "Basic YTpi", "", "Digest a"] {
        for lines in [[&*good, other], [other, &*good]] {
            let request = post()
                .header("authorization", lines[0])
                .header("Authorization", lines[1]);
            let answer = world.send(request).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{other}");
            assert_eq!(answer.json()["error"], "invalid_request");
            let found = parameters(answer.challenge());
            assert!(found.contains(&("error", "invalid_request")));
        }
    }
    let hop = post().header("connection", "close, Authorization");
    let answer = world.send(hop.header("authorization", &good)).await;
    assert_eq!(answer.code(), "hop_by_hop_authorization", "T40");
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.probe.calls(), 0);
}

#[tokio::test]
async fn auth_12_tokens_in_query_body_and_cookie_are_ignored() {
    let world = World::warm().await;
    let token = world.token().sign();
    let query = format!("/mcp?access_token={token}");
    assert_e1(&world.send(post().uri(&query)).await);
    let cookie = post().header("cookie", format!("access_token={token}"));
    assert_e1(&world.send(cookie).await);
    for name in [
        "x-api-key",
        "proxy-authorization",
        "x-forwarded-authorization",
    ] {
        let request = post().header(name, format!("Bearer {token}"));
        assert_e1(&world.send(request).await);
    }
    let form = post()
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::<bytes::Bytes>::from(format!("access_token={token}")))
        .unwrap();
    let service = McpAuthLayer::new(world.auth.clone()).layer(world.probe.clone());
    let response = service.oneshot(form).await.unwrap();
    assert_e1(&Answer::read(response).await);
    assert_eq!(world.probe.calls(), 0);

    let header = post()
        .uri("/mcp?access_token=junk")
        .header("authorization", format!("Bearer {token}"));
    world.send(header).await.assert_let_in();
}

#[tokio::test]
async fn auth_16_a_connection_remembers_nothing() {
    let world = World::cold()
        .rebuilt(AuthenticatorBuilder::insecure_unbound_sessions)
        .warmed()
        .await;
    let server = Loopback::serve(McpAuthLayer::new(world.auth.clone()).layer(world.probe.clone()));
    let mut connection = server.http1().await;
    let good = format!("Bearer {}", world.token().sign());
    for (authorization, status) in [
        (Some(&good), 200),
        (None, 401),
        (Some(&good), 200),
        (None, 401),
    ] {
        let mut request = post().header("mcp-session-id", "s1");
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let response = connection.send(request).await;
        assert_eq!(response.status, status);
    }
    assert_eq!(world.probe.calls(), 2);
}

#[tokio::test]
async fn auth_17_a_long_credential_is_431_before_anything_is_asked() {
    let world = World::cold();
    let long = world.token().claim("padding", "x".repeat(9000)).sign();
    let answer = world.bearer(&long).await;
    assert_eq!(answer.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    assert_eq!(answer.json()["error"], "credential_too_large");
    assert_eq!(answer.challenge(), "", "a new token would be as long");
    assert_eq!(world.issuer.requests(), Vec::<String>::new());

    let wide = World::cold().rebuilt(|auth| auth.max_credential_bytes(16 * 1024));
    let long = wide.token().claim("padding", "x".repeat(9000)).sign();
    wide.bearer(&long).await.assert_let_in();
}

/// One request for every kind of refusal a client can cause.
async fn refusals(world: &World) -> Vec<Answer> {
    let good = world.token();
    let mut answers = vec![world.send(post()).await];
    for value in [
        "Digest a".to_owned(),
        "Bearer a,b".to_owned(),
        "Bearer opaque".to_owned(),
        format!("Bearer {}", good.clone().expires_in(-60).sign()),
        format!(
            "Bearer {}",
            good.clone().audience("https://other.example").sign()
        ),
        format!(
            "Bearer {}",
            good.clone().claim("iss", "https://evil\"\\é.test").sign()
        ),
        format!("Bearer {}", good.clone().header("kid", "nobody").sign()),
        format!(
            "Bearer {}",
            good.clone().tamper(|bytes| bytes[0] ^= 1).sign()
        ),
        format!("Bearer {}", good.clone().scope("none").sign()),
        format!("Bearer {}", good.clone().unsigned().sign()),
        format!("Bearer {}", "x".repeat(9000)),
    ] {
        answers.push(world.present(value).await);
    }
    let two = post()
        .header("authorization", "a")
        .header("authorization", "b");
    answers.push(world.send(two).await);
    for (name, value) in [("origin", "https://evil.test"), ("host", "evil.test")] {
        answers.push(world.send(Request::post("/mcp").header(name, value)).await);
    }
    answers
}

// also: AUTH-8, SCP-7, PRM-18
#[tokio::test]
async fn auth_01_auth_18_auth_20_auth_21_what_every_refusal_has_in_common() {
    let world = World::cold()
        .rebuilt(|auth| auth.require_scopes(["read:issues"]))
        .warmed()
        .await;
    for answer in refusals(&world).await {
        let code = answer.code();
        let status = answer.status.as_u16();
        assert!([400, 401, 403, 431].contains(&status), "{code}: {status}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "AUTH-18");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(answer.body.len() < 1024, "AUTH-20: small");
        let body = answer.json();
        assert!(body["error"].is_string() && body["message"].is_string());
        assert_eq!(body["request_id"], answer.header("x-request-id").unwrap());
        let scope_or_token =
            ["insufficient_scope", "invalid_token"].contains(&body["error"].as_str().unwrap());
        assert_eq!(
            answer.status == 403 && scope_or_token,
            code == "insufficient_scope"
        );
        if answer.challenge().is_empty() {
            assert!([403, 431].contains(&status), "AUTH-1, SCP-7: {code}");
            continue;
        }
        assert!(
            status != 403 || code == "insufficient_scope",
            "SCP-7: {code}"
        );
        let found = parameters(answer.challenge());
        assert!(found.contains(&("resource_metadata", P)), "PRM-18: {code}");
        if let Some((_, text)) = found.iter().find(|(name, _)| *name == "error_description") {
            assert_eq!(body["message"], *text, "AUTH-21: {code}");
            for word in ["scope=", "error=", "resource_metadata="] {
                assert!(!text.contains(word), "AUTH-8: {code}");
            }
        }
    }
    assert_eq!(world.probe.calls(), 0);
}

#[tokio::test]
async fn auth_20_the_request_id_is_the_callers_if_it_is_harmless() {
    let world = World::cold();
    let id = |answer: &Answer| answer.json()["request_id"].as_str().unwrap().to_owned();
    let kept = world
        .send(post().header("x-request-id", "trace-1.a_B"))
        .await;
    assert_eq!(id(&kept), "trace-1.a_B");
    let first = id(&world.send(post()).await);
    let second = id(&world.send(post().header("x-request-id", "<b>\t")).await);
    assert_ne!(first, second);
    for made in [first, second] {
        assert!(made.len() == 32 && made.bytes().all(|b| b.is_ascii_hexdigit()));
    }
}

#[tokio::test]
async fn mcp_12_mcp_13_no_method_is_exempt() {
    let world = World::warm().await;
    let good = format!("Bearer {}", world.token().sign());
    let methods = [
        "GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH", "TRACE", "BREW",
    ];
    for method in methods {
        let answer = world.send(post().method(method)).await;
        if method == "HEAD" {
            let length: usize = answer.header("content-length").unwrap().parse().unwrap();
            assert!(length > 0 && answer.body.is_empty(), "RFC 9110 §9.3.2");
            assert_eq!(answer.challenge(), e1());
            continue;
        }
        assert_e1(&answer);
        let bad = post()
            .method(method)
            .header("authorization", "Bearer a.b.c");
        world
            .send(bad)
            .await
            .assert_invalid_token("malformed_token");
    }
    assert_eq!(world.probe.calls(), 0);
    for method in methods {
        let request = post().method(method).header("authorization", &good);
        world.send(request).await.assert_let_in();
    }
    assert_eq!(world.probe.calls(), methods.len());
}

/// Every kind of refusal that carries a challenge.
async fn challenged(world: &World) -> Vec<Answer> {
    let mut answers = vec![world.send(post()).await, world.present("Digest a").await];
    answers.push(world.present("Basic YTpi").await);
    answers.push(world.bearer(&world.token().expires_in(-100).sign()).await);
    let twice = post()
        .header("authorization", "Bearer a")
        .header("authorization", "Bearer b");
    answers.push(world.send(twice).await);
    answers
}

#[tokio::test]
async fn auth_02_auth_03_auth_04_one_bearer_challenge_with_parameters_on_the_first_line() {
    let world = World::warm().await;
    for answer in challenged(&world).await {
        let lines: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
        assert_eq!(lines.len(), 1, "one challenge, one line");
        let line = lines[0].to_str().unwrap();
        assert!(
            line.starts_with("Bearer ") && line.contains("=\""),
            "{line}"
        );
        assert!(
            !line.contains(", Basic") && !line.contains(", DPoP"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn auth_15_a_good_credential_without_the_rights_is_403() {
    let world = World::cold().rebuilt(|auth| auth.require_scopes(["admin:issues"]));
    let world = world.warmed().await;
    let answer = world.bearer(&world.token().sign()).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(world.probe.calls(), 0);
}

#[tokio::test]
async fn auth_21_the_reason_stands_in_the_body_and_in_the_challenge() {
    let world = World::warm().await;
    let answer = world.bearer(&world.token().expires_in(-100).sign()).await;
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("expired"));
    assert!(
        answer.challenge().contains(&message),
        "{}",
        answer.challenge()
    );
}
