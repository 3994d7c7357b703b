//! What an organization, a site and a kind of credential allow of a tool (POL-13 to POL-16).

use http::StatusCode;
use serde_json::{Value, json};
use tower_mcp_auth::enrich::{ContextEnricher, Enrichment, EnrichmentMode, Permitted};
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::{GroupRules, Intent, Intents};
use tower_mcp_auth::tool::ToolRule;
use tower_mcp_auth::{AuthMethod, BackendError, Principal, ToolRules};

use crate::operations_support::{Server, asks, message, send, whole};
use crate::orgs_support::{CONTACT, HELP, ON, Orgs, bearer, policy, site, wish};
use crate::support::Answer;

fn rules() -> ToolRules {
    let on_site = || ToolRule::scopes(["read:issues"]).tenant_argument("cloudId");
    ToolRules::new()
        .tool(
            "getIssue",
            ToolRule::scopes(["read:issues"]).group("jira", Intent::Read),
        )
        .tool(
            "dropIssue",
            ToolRule::scopes(["drop:issues"]).group("jira", Intent::Delete),
        )
        .tool(
            "getPage",
            ToolRule::scopes(["read:issues"]).group("wiki", Intent::Read),
        )
        .tool("whoami", ToolRule::always_on())
        .tool("here", on_site().group("jira", Intent::Read))
        .tool("bound", ToolRule::scopes(["read:issues"]).tenant_required())
        .tool(
            "tokensOnly",
            ToolRule::new().methods([AuthMethod::ApiToken]),
        )
        .tool("oauthOnly", ToolRule::new().methods([AuthMethod::OAuth]))
        .tool(
            "machines",
            ToolRule::new().methods([AuthMethod::ApiToken, AuthMethod::ServiceAccountKey]),
        )
}

async fn world() -> Orgs {
    Orgs::custom(|auth| auth.tools(rules())).await
}

async fn call(world: &Orgs, credential: &str, tool: &str, arguments: Value) -> Answer {
    let body = asks("tools/call", &json!({"name": tool, "arguments": arguments}));
    let request = message().header("authorization", credential);
    send(&world.auth, Server::default(), request, whole(body)).await
}

/// Refused for good: 403, no challenge, and a body that says why.
#[track_caller]
fn assert_forbidden(answer: &Answer, error: &str) -> Value {
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{:?}", answer.body);
    assert_eq!(answer.header("www-authenticate"), None, "SCP-7");
    let body = answer.json();
    assert_eq!(body["error"], error, "{body}");
    assert!(
        body["operation"]
            .as_str()
            .unwrap()
            .starts_with("tools/call ")
    );
    body
}

#[tokio::test]
async fn pol_13_a_group_that_is_off_takes_its_tools_away() {
    let world = world().await;
    let all = bearer(
        &world
            .access_token(ON)
            .scope("read:issues drop:issues")
            .sign(),
    );
    let tools = ["getIssue", "dropIssue", "getPage", "whoami"];
    let jira = |intents: Intents| policy(ON).groups(GroupRules::new().product("jira", intents));
    let read = || [Intent::Read].into_iter().collect::<Intents>();
    let delete = || [Intent::Delete].into_iter().collect::<Intents>();
    for (policy, allowed) in [
        // Deleting is off until it is switched on.
        (policy(ON), ["getIssue", "getPage", "whoami"].as_slice()),
        (jira(read()), &["getIssue", "getPage", "whoami"]),
        (jira(delete()), &["dropIssue", "getPage", "whoami"]),
        (jira(Intents::all()), &tools),
        (jira(Intents::none()), &["getPage", "whoami"]),
        (
            policy(ON).groups(GroupRules::new().other_products(Intents::none())),
            &["whoami"],
        ),
    ] {
        let version = world
            .policies
            .set(policy.contact(CONTACT).help_url(HELP))
            .await
            .version();
        let context = world.decide(&all).await.unwrap();
        for tool in tools {
            let answer = call(&world, &all, tool, json!({})).await;
            let expected = allowed.contains(&tool);
            assert_eq!(context.may_call(tool), expected, "{tool}");
            if expected {
                answer.assert_let_in();
                continue;
            }
            let body = assert_forbidden(&answer, "permission_group_disabled");
            assert_eq!(body["policy"], ON);
            assert_eq!(body["policy_version"], version);
            assert_eq!(body["rule"], "groups");
            assert_eq!(
                (&body["contact"], &body["help_url"]),
                (&json!(CONTACT), &json!(HELP))
            );
            let group = match tool {
                "getPage" => "wiki:read",
                "dropIssue" => "jira:delete",
                _ => "jira:read",
            };
            assert_eq!(body["group"], group);
            let text = body["message"].as_str().unwrap();
            assert!(text.contains(group) && text.contains(CONTACT), "{text}");
        }
    }
}

#[tokio::test]
async fn pol_14_a_tool_for_another_kind_of_credential_says_for_which() {
    let world = world().await;
    let credentials = [
        (world.oauth(ON), "oauth2"),
        (world.personal(ON).await, "api_token"),
        (world.service_key(ON).await, "service_account_key"),
    ];
    for (tool, allowed) in [
        ("tokensOnly", ["api_token"].as_slice()),
        ("oauthOnly", &["oauth2"]),
        ("machines", &["api_token", "service_account_key"]),
    ] {
        for (credential, method) in &credentials {
            let answer = call(&world, credential, tool, json!({})).await;
            if allowed.contains(method) {
                answer.assert_let_in();
                continue;
            }
            let body = assert_forbidden(&answer, "auth_method_not_allowed");
            assert_eq!(body["auth_method"], *method);
            assert_eq!(body["allowed_methods"], json!(allowed));
            assert!(!world.decide(credential).await.unwrap().may_call(tool));
        }
    }
}

#[tokio::test]
async fn pol_15_a_call_acts_on_the_site_of_its_credential_or_on_one_it_names() {
    let world = world().await;
    let sites = policy(ON)
        .api_tokens(true)
        .tenant(site("s-1"))
        .tenant(site("s-2"));
    world.policies.set(sites).await;
    let bound = bearer(&world.access_token(ON).claim("site_id", "s-1").sign());
    let personal = world.personal(ON).await;
    let few = world.issue(wish(ON).tenants(["s-2"])).await;
    let few = crate::orgs_support::basic(&crate::orgs_support::email(ON), &few);
    for (credential, arguments, error) in [
        (&bound, json!({}), None),
        (&bound, json!({"cloudId": null}), None),
        (&bound, json!({"cloudId": "s-1"}), None),
        (&bound, json!({"cloudId": "s-2"}), Some("tenant_mismatch")),
        (&bound, json!({"cloudId": "s-9"}), Some("tenant_mismatch")),
        (&bound, json!({"cloudId": ["s-1"]}), Some("tenant_required")),
        (&bound, json!({"cloudId": ""}), Some("tenant_required")),
        (&personal, json!({}), Some("tenant_required")),
        (&personal, json!({"cloudId": "s-2"}), None),
        (
            &personal,
            json!({"cloudId": "s-9"}),
            Some("tenant_not_allowed"),
        ),
        (&few, json!({"cloudId": "s-2"}), None),
        (&few, json!({"cloudId": "s-1"}), Some("tenant_mismatch")),
    ] {
        let answer = call(&world, credential, "here", arguments.clone()).await;
        match error {
            None => answer.assert_let_in(),
            Some(error) => {
                let body = assert_forbidden(&answer, error);
                assert_eq!(body["argument"], "cloudId", "{arguments}");
            }
        }
    }
    call(&world, &bound, "bound", json!({}))
        .await
        .assert_let_in();
    let unbound = call(&world, &personal, "bound", json!({})).await;
    assert_forbidden(&unbound, "tenant_required");
    // On a site where the group is off it is off.
    let closed = GroupRules::new().other_products(Intents::none());
    let rules = policy(ON).api_tokens(true).site_groups(site("s-2"), closed);
    world.policies.set(rules).await;
    call(&world, &personal, "here", json!({"cloudId": "s-1"}))
        .await
        .assert_let_in();
    let refused = call(&world, &personal, "here", json!({"cloudId": "s-2"})).await;
    assert_forbidden(&refused, "permission_group_disabled");
}

#[tokio::test]
async fn pol_15_two_members_name_no_site() {
    let world = world().await;
    let personal = world.personal(ON).await;
    for arguments in [
        r#"{"cloudId":"s-1","cloudId":"s-2"}"#,
        r#"{"cloudId":"s-1","cloud\u0049d":"s-2"}"#,
    ] {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"here","arguments":{arguments}}}}}"#
        );
        let request = message().header("authorization", &personal);
        let answer = send(&world.auth, Server::default(), request, whole(body)).await;
        crate::operations_support::assert_rpc_error(&answer, "malformed_message", "");
    }
}

/// Knows one person, who may read in the product `jira` on site `s-1`.
struct Directory;

impl ContextEnricher for Directory {
    async fn enrich(
        &self,
        principal: &Principal,
        _: &OrganizationId,
    ) -> Result<Enrichment, BackendError> {
        Ok(match principal.subject().as_str() {
            "alice" => {
                Enrichment::new().permit(Permitted::new("jira").site("s-1").permissions(["read"]))
            }
            _ => Enrichment::new(),
        })
    }
}

#[tokio::test]
async fn pol_16_the_right_is_what_scope_group_and_person_have_in_common() {
    let configured = |auth: tower_mcp_auth::authenticator::AuthenticatorBuilder| {
        auth.tools(rules())
            .enrich(Directory, EnrichmentMode::Required)
    };
    let world = Orgs::custom(configured).await;
    let all = policy(ON).groups(GroupRules::new().product("jira", Intents::all()));
    world.policies.set(all).await;
    let token = |scope: &str, on: &str| {
        bearer(
            &world
                .access_token(ON)
                .scope(scope)
                .claim("site_id", on)
                .sign(),
        )
    };
    let both = "read:issues drop:issues";
    for (credential, tool, error) in [
        (token(both, "s-1"), "getIssue", None),
        // The scope and the group are there, the person's own permission is not.
        (token(both, "s-1"), "dropIssue", Some("user_not_permitted")),
        (token(both, "s-2"), "getIssue", Some("user_not_permitted")),
    ] {
        let answer = call(&world, &credential, tool, json!({})).await;
        match error {
            None => answer.assert_let_in(),
            Some(error) => {
                let body = assert_forbidden(&answer, error);
                let permission = if tool == "getIssue" {
                    "jira:read"
                } else {
                    "jira:delete"
                };
                assert_eq!(body["permission"], permission);
            }
        }
    }
    // Permission and group, but no scope; scope and permission, but no group.
    let answer = call(&world, &token("other", "s-1"), "getIssue", json!({})).await;
    assert_eq!(answer.json()["missing_scopes"], json!(["read:issues"]));
    let none = GroupRules::new().product("jira", Intents::none());
    world.policies.set(policy(ON).groups(none)).await;
    let answer = call(&world, &token(both, "s-1"), "getIssue", json!({})).await;
    assert_forbidden(&answer, "permission_group_disabled");
}
