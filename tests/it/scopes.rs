//! What a credential lacks for an operation, word for word (SCP).

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tower_mcp_auth::ToolRules;
use tower_mcp_auth::authenticator::ChallengeScopes;
use tower_mcp_auth::testing::TokenBuilder;
use tower_mcp_auth::tool::ToolRule;

use crate::operations_support::{LEGACY, Ops, calls, message, mirrored, rules, whole};
use crate::orgs_support::{ON, Orgs};
use crate::support::{Answer, P, R};

async fn send(world: &Ops, token: &TokenBuilder, tool: &str) -> Answer {
    let bearer = format!("Bearer {}", token.sign());
    let request = message().header("authorization", bearer);
    world.send(request, whole(calls(tool))).await
}

/// The header of a refusal for want of scopes.
fn e3(scope: &str, message: &str) -> String {
    format!(
        "Bearer error=\"insufficient_scope\", scope=\"{scope}\", error_description=\"{message}\", resource_metadata=\"{P}\""
    )
}

fn needs(required: &str, lacks: &str) -> String {
    format!("This request needs {required}; the access token lacks {lacks}")
}

fn both() -> ToolRules {
    rules()
        .tool("moveIssue", ["write:issues", "read:issues"])
        .tool(
            "either",
            ToolRule::scopes(["a:one", "a:two"]).or_scopes(["admin"]),
        )
}

#[tokio::test]
async fn scp_01_scp_02_the_challenge_has_all_that_the_operation_needs() {
    for world in [Ops::cold(both()), Ops::warm(both()).await] {
        for (held, tool, challenge, required, missing) in [
            (
                "read:issues",
                "createIssue",
                "read:issues write:issues",
                "write:issues",
                "write:issues",
            ),
            (
                "read:issues",
                "moveIssue",
                "read:issues write:issues",
                "read:issues write:issues",
                "write:issues",
            ),
            (
                "write:issues",
                "moveIssue",
                "read:issues write:issues",
                "read:issues write:issues",
                "read:issues",
            ),
            // What no rule and no baseline knows is not worth asking for again.
            (
                "openid vendor:x",
                "createIssue",
                "write:issues",
                "write:issues",
                "write:issues",
            ),
            (
                "openid",
                "moveIssue",
                "read:issues write:issues",
                "read:issues write:issues",
                "read:issues write:issues",
            ),
            // Of alternatives the first.
            (
                "openid",
                "either",
                "a:one a:two",
                "a:one a:two",
                "a:one a:two",
            ),
            ("a:two", "either", "a:one a:two", "a:one a:two", "a:one"),
        ] {
            let answer = send(&world, &world.issuer.token(R).scope(held), tool).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN);
            let text = needs(required, missing);
            assert_eq!(answer.challenge(), e3(challenge, &text), "{held} {tool}");
            let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
            let body = answer.json();
            assert_eq!(body["error"], "insufficient_scope");
            assert_eq!(body["message"], text);
            assert_eq!(body["required_scopes"], json!(words(required)));
            assert_eq!(body["missing_scopes"], json!(words(missing)));
            assert_eq!(body["operation"], format!("tools/call {tool}"));
        }
        assert_eq!(world.server.calls(), 0);
        for (held, tool) in [
            ("write:issues read:issues", "moveIssue"),
            ("admin", "either"),
            ("x", "whoami"),
        ] {
            send(&world, &world.issuer.token(R).scope(held), tool)
                .await
                .assert_let_in();
        }
    }
}

#[tokio::test]
async fn scp_04_a_broad_scope_will_do_and_is_not_lost() {
    let rules = both()
        .scope_includes("admin:issues", ["write:issues"])
        .scope_includes("write:issues", ["read:issues"]);
    let world = Ops::warm(rules).await;
    for held in ["admin:issues", "write:issues"] {
        for tool in ["getIssue", "createIssue", "moveIssue"] {
            send(&world, &world.issuer.token(R).scope(held), tool)
                .await
                .assert_let_in();
        }
    }
    let read = send(
        &world,
        &world.issuer.token(R).scope("read:issues"),
        "createIssue",
    )
    .await;
    assert_eq!(
        read.status,
        StatusCode::FORBIDDEN,
        "never the other way round"
    );
    let other = send(
        &world,
        &world.issuer.token(R).scope("admin:issues"),
        "either",
    )
    .await;
    let text = needs("a:one a:two", "a:one a:two");
    assert_eq!(other.challenge(), e3("a:one a:two admin:issues", &text));
}

#[tokio::test]
async fn scp_09_scp_10_scopes_are_whole_words_and_none_is_none() {
    let world = Ops::warm(rules()).await;
    let token = || world.issuer.token(R);
    for held in [
        "Read:issues",
        "read:issue",
        "read:issues2",
        "read:issues,write:issues",
        "",
    ] {
        let answer = send(&world, &token().scope(held), "getIssue").await;
        assert_eq!(answer.code(), "insufficient_scope", "{held:?}");
        assert_eq!(
            answer.challenge(),
            e3("read:issues", &needs("read:issues", "read:issues"))
        );
    }
    let none = send(&world, &token().without("scope"), "getIssue").await;
    assert_eq!(none.code(), "insufficient_scope");
    let spaced = token().scope("  x   read:issues ");
    send(&world, &spaced, "getIssue").await.assert_let_in();
    assert_eq!(world.server.calls(), 1);
}

#[tokio::test]
async fn scp_05_the_first_401_names_the_scopes_of_what_was_tried() {
    let scopes = async |world: &Ops, request: http::request::Builder| {
        let answer = world.send(request, whole(calls("createIssue"))).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        let (start, end) = (format!("Bearer resource_metadata=\"{P}\", scope=\""), "\"");
        let challenge = answer.challenge();
        let scope = challenge
            .strip_prefix(&start)
            .and_then(|rest| rest.strip_suffix(end));
        scope.unwrap_or_else(|| panic!("{challenge}")).to_owned()
    };
    let create = || mirrored("tools/call", Some("createIssue"));
    let rules = || both().method("logging/setLevel", ["admin:server"]);
    let world = Ops::warm(rules()).await;
    for (request, expected) in [
        (create(), "read:issues write:issues"),
        (
            mirrored("tools/call", Some("=?base64?Y3JlYXRlSXNzdWU=?=")),
            "read:issues write:issues",
        ),
        (mirrored("tools/call", Some("getIssue")), "read:issues"),
        (mirrored("tools/call", Some("nothing")), "read:issues"),
        (
            mirrored("logging/setLevel", None),
            "admin:server read:issues",
        ),
        (mirrored("tools/list", None), "read:issues"),
        // Headers that prove nothing name nothing.
        (create().header("mcp-name", "getIssue"), "read:issues"),
        (
            message()
                .header("mcp-protocol-version", LEGACY)
                .header("mcp-method", "tools/call")
                .header("mcp-name", "createIssue"),
            "read:issues",
        ),
        (message(), "read:issues"),
    ] {
        assert_eq!(scopes(&world, request).await, expected);
    }
    let world = Ops::custom(rules(), |auth| {
        auth.challenge_scopes(ChallengeScopes::Baseline)
    });
    assert_eq!(scopes(&world, create()).await, "read:issues");
    let world = Ops::custom(rules(), |auth| {
        auth.challenge_scopes(ChallengeScopes::Everything)
    });
    let all = "a:one a:two admin admin:server read:issues write:issues";
    assert_eq!(scopes(&world, create()).await, all);
    assert_eq!(scopes(&world, message()).await, all);
}

/// The same lack by each kind of credential.
#[tokio::test]
async fn scp_07_scp_08_an_api_token_hears_the_scopes_in_the_body_alone() {
    let world = Orgs::custom(|auth| auth.tools(both())).await;
    let oauth = world.access_token(ON).scope("read:issues").sign();
    let oauth = format!("Bearer {oauth}");
    for (credential, kind) in [
        (world.personal(ON).await, Some("API token")),
        (world.service_key(ON).await, Some("API token")),
        (oauth, None),
    ] {
        let call = |tool: &'static str| {
            let request = message().header("authorization", &credential);
            crate::operations_support::send(
                &world.auth,
                crate::operations_support::Server::default(),
                request,
                whole(calls(tool)),
            )
        };
        call("getIssue").await.assert_let_in();
        let answer = call("moveIssue").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        let body = answer.json();
        assert_eq!(body["error"], "insufficient_scope");
        assert_eq!(
            body["required_scopes"],
            json!(["read:issues", "write:issues"])
        );
        assert_eq!(body["missing_scopes"], json!(["write:issues"]));
        assert_eq!(body["operation"], "tools/call moveIssue");
        match kind {
            Some(kind) => {
                assert_eq!(answer.header("www-authenticate"), None, "SCP-8");
                assert_eq!(answer.code(), "api_token_lacks_scope");
                let text = format!(
                    "This request needs read:issues write:issues; the {kind} lacks write:issues; make a new one that has it"
                );
                assert_eq!(body["message"], text);
            }
            None => assert_eq!(
                answer.challenge(),
                e3(
                    "read:issues write:issues",
                    &needs("read:issues write:issues", "write:issues")
                )
            ),
        }
    }
}

#[tokio::test]
async fn scp_06_scopes_of_rules_that_the_issuer_does_not_offer_are_found_at_start_up() {
    let issuer = tower_mcp_auth::testing::TestIssuer::builder()
        .url(crate::support::I)
        .scopes(["read:issues", "a:one"])
        .in_process();
    let resource = crate::support::described(tower_mcp_auth::Issuer::new(crate::support::I));
    let auth = tower_mcp_auth::Authenticator::builder(resource)
        .fetch(issuer.fetch())
        .tools(both())
        .build()
        .unwrap();
    auth.warm_up(Duration::from_secs(5)).await.unwrap();
    let unlisted = auth.issuer_status()[0].unlisted_scopes.to_string();
    assert_eq!(unlisted, "a:two admin write:issues");
}

/// Every scope that an issuer lists would be remembered, and looked at for its status.
#[tokio::test]
async fn scp_06_an_issuer_that_lists_more_scopes_than_anybody_has_is_not_remembered() {
    let unlisted = async |count: usize| {
        let listed: Vec<_> = (0..count).map(|number| format!("s{number}")).collect();
        let issuer = tower_mcp_auth::testing::TestIssuer::builder()
            .url(crate::support::I)
            .scopes(listed.iter().map(String::as_str))
            .in_process();
        let resource = crate::support::described(tower_mcp_auth::Issuer::new(crate::support::I));
        let auth = tower_mcp_auth::Authenticator::builder(resource)
            .fetch(issuer.fetch())
            .require_scopes(["admin"])
            .build()
            .unwrap();
        auth.warm_up(Duration::from_secs(5)).await.unwrap();
        auth.issuer_status()[0].unlisted_scopes.contains("admin")
    };
    assert!(unlisted(1000).await);
    assert!(!unlisted(1001).await);
}
