//! A login that is too old or too weak (STEP-1 to STEP-3).

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tower_mcp_auth::ToolRules;
use tower_mcp_auth::testing::TokenBuilder;
use tower_mcp_auth::tool::ToolRule;

use crate::operations_support::{Ops, asks, calls, message, rules, whole};
use crate::orgs_support::{ON, Orgs};
use crate::support::{Answer, NOW, P, R};

async fn send(world: &Ops, token: &TokenBuilder, tool: &str) -> Answer {
    let bearer = format!("Bearer {}", token.sign());
    let request = message().header("authorization", bearer);
    world.send(request, whole(calls(tool))).await
}

fn logins() -> ToolRules {
    rules()
        .tool("strong", ToolRule::new().acr_values(["phr", "phrh"]))
        .tool("fresh", ToolRule::new().max_age(Duration::from_secs(900)))
        .tool(
            "transfer",
            ToolRule::scopes(["pay"])
                .acr_values(["phr"])
                .max_age(Duration::from_secs(60)),
        )
}

#[tokio::test]
async fn step_01_step_02_a_login_too_old_or_too_weak_is_401_with_what_it_takes() {
    let world = Ops::warm(logins()).await;
    let token = || world.issuer.token(R).scope("read:issues");
    let text = "A different or more recent login is required";
    let challenge = |scope: &str, login: &str| {
        format!(
            "Bearer error=\"insufficient_user_authentication\",{scope} error_description=\"{text}\", resource_metadata=\"{P}\", {login}"
        )
    };
    let (strong, fresh) = ("acr_values=\"phr phrh\"", "max_age=\"900\"");
    for (token, tool, scope, login) in [
        (token(), "strong", "", strong),
        (token().claim("acr", "1"), "strong", "", strong),
        (token().claim("acr", "PHR"), "strong", "", strong),
        (token(), "fresh", "", fresh),
        (token().claim("auth_time", NOW - 901), "fresh", "", fresh),
        // A login that lies ahead says nothing about its age.
        (token().claim("auth_time", NOW + 301), "fresh", "", fresh),
        (
            token(),
            "transfer",
            " scope=\"pay read:issues\",",
            "acr_values=\"phr\", max_age=\"60\"",
        ),
        (
            token().scope("pay"),
            "transfer",
            "",
            "acr_values=\"phr\", max_age=\"60\"",
        ),
    ] {
        let answer = send(&world, &token, tool).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{tool}");
        assert_eq!(answer.challenge(), challenge(scope, login));
        let body = answer.json();
        assert_eq!(body["error"], "insufficient_user_authentication");
        assert_eq!(body["missing_scopes"].is_array(), !scope.is_empty());
        assert_eq!(body["acr_values"].is_array(), login.contains("acr"));
        assert_eq!(body["max_age"].is_u64(), login.contains("max_age"));
    }
    assert_eq!(world.server.calls(), 0);
    let good = token()
        .scope("pay")
        .claim("acr", "phr")
        .claim("auth_time", NOW - 60);
    for tool in ["strong", "fresh", "transfer"] {
        send(&world, &good, tool).await.assert_let_in();
    }
    // With the login but not the scope it is about the scope again.
    let unpaid = token().claim("acr", "phr").claim("auth_time", NOW);
    assert_eq!(
        send(&world, &unpaid, "transfer").await.code(),
        "insufficient_scope"
    );
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(
        send(&world, &good, "transfer").await.code(),
        "login_too_weak"
    );
}

#[tokio::test]
async fn step_03_nobody_is_sent_to_log_in_who_cannot() {
    let world = Ops::warm(logins()).await;
    let machine = world
        .issuer
        .token(R)
        .subject("test-client")
        .claim("acr", "phr");
    let orgs = Orgs::custom(|auth| auth.tools(logins())).await;
    let (personal, key) = (orgs.personal(ON).await, orgs.service_key(ON).await);
    let body = || whole(asks("tools/call", &json!({"name": "strong"})));
    let mut answers = vec![send(&world, &machine, "strong").await];
    for credential in [personal, key] {
        let request = message().header("authorization", credential);
        let server = world.server.clone();
        answers.push(crate::operations_support::send(&orgs.auth, server, request, body()).await);
    }
    for answer in answers {
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(answer.header("www-authenticate"), None);
        assert_eq!(answer.json()["error"], "user_login_required");
    }
    assert_eq!(world.server.calls(), 0);
}
