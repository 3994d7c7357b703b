use http::StatusCode;

use super::support::{call_of, good, refused, who};
use crate::method::AuthMethod;
use crate::principal::PrincipalKind;
use crate::rejection::Reason;
use crate::tool::{ToolRule, ToolRules};

fn rules() -> ToolRules {
    good(
        ToolRules::new()
            .tool("createIssue", ["write:issues", "read:issues"])
            .tool(
                "search",
                ToolRule::scopes(["search:jira", "read:jira"]).or_scopes(["read:all"]),
            )
            .scope_includes("admin:issues", ["write:issues"])
            .scope_includes("write:issues", ["read:issues"])
            .scope_includes("read:issues", ["write:issues"]),
    )
}

#[test]
fn scp_01_a_missing_scope_is_403_with_the_scopes() {
    let refusal = refused(
        who("").call(&rules(), "createIssue"),
        Reason::InsufficientScope,
    );
    assert_eq!(refusal.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        refusal.required_scopes().to_string(),
        "read:issues write:issues"
    );
    assert_eq!(refusal.details()["operation"], "tools/call createIssue");
}

#[test]
fn scp_02_all_scopes_are_listed_once_and_unrelated_ones_are_not() {
    let rules = good(ToolRules::new().tool("t", ["b:x", "a:x"]));
    let refusal = refused(
        who("a:x other").call(&rules, "t"),
        Reason::InsufficientScope,
    );
    assert_eq!(refusal.required_scopes().to_string(), "a:x b:x");
    assert_eq!(refusal.missing_scopes().to_string(), "b:x");
    assert_eq!(refusal.challenge_scopes().to_string(), "a:x b:x");
    assert_eq!(rules.scopes_of(call_of("t")).to_string(), "a:x b:x");
}

#[test]
fn scp_02_the_challenge_keeps_what_is_granted_and_known_here() {
    let rules = good(
        ToolRules::new()
            .tool("t", ["write"])
            .tool("u", ["read"])
            .scope_includes("all:u", ["read"]),
    );
    let refusal = refused(
        who("read all:u baseline foreign")
            .known("baseline")
            .call(&rules, "t"),
        Reason::InsufficientScope,
    );
    assert_eq!(
        refusal.challenge_scopes().to_string(),
        "all:u baseline read write"
    );
    assert_eq!(refusal.required_scopes().to_string(), "write");
}

#[test]
fn scp_04_broader_scopes_do_over_steps_and_in_circles() {
    for granted in ["admin:issues", "write:issues", "read:issues"] {
        who(granted).call(&rules(), "createIssue").unwrap();
    }
    refused(
        who("admin").call(&rules(), "createIssue"),
        Reason::InsufficientScope,
    );
    // Narrow scopes do not stand for broad ones.
    let rules = good(
        ToolRules::new()
            .tool("t", ["admin"])
            .scope_includes("admin", ["read"]),
    );
    refused(who("read").call(&rules, "t"), Reason::InsufficientScope);
}

#[test]
fn scp_04_what_a_broader_scope_includes_is_not_missing() {
    let rules = good(
        ToolRules::new()
            .tool("t", ["read", "other"])
            .scope_includes("all", ["read"]),
    );
    let refusal = refused(who("all").call(&rules, "t"), Reason::InsufficientScope);
    assert_eq!(refusal.missing_scopes().to_string(), "other");
    assert_eq!(refusal.challenge_scopes().to_string(), "all other read");
}

#[test]
fn scp_05_the_first_challenge_names_the_first_alternative() {
    let rules = rules();
    let named = |tool| rules.scopes_of(call_of(tool)).to_string();
    assert_eq!(named("search"), "read:jira search:jira");
    assert_eq!(named("unknown"), "");
    assert_eq!(
        rules.scopes().to_string(),
        "read:all read:issues read:jira search:jira write:issues"
    );
}

#[test]
fn any_alternative_will_do_and_halves_of_two_will_not() {
    who("read:all").call(&rules(), "search").unwrap();
    who("read:jira search:jira")
        .call(&rules(), "search")
        .unwrap();
    let refusal = refused(
        who("read:jira").call(&rules(), "search"),
        Reason::InsufficientScope,
    );
    assert_eq!(refusal.missing_scopes().to_string(), "search:jira");
}

#[test]
fn scp_08_api_tokens_get_no_challenge_but_the_lists() {
    for (method, kind) in [
        (AuthMethod::ApiToken, PrincipalKind::User),
        (AuthMethod::ServiceAccountKey, PrincipalKind::ServiceAccount),
    ] {
        let credential = who("read:jira").by(method).kind(kind);
        let refusal = refused(
            credential.call(&rules(), "search"),
            Reason::ApiTokenLacksScope,
        );
        assert_eq!(refusal.status(), StatusCode::FORBIDDEN);
        assert_eq!(
            refusal.required_scopes().to_string(),
            "read:jira search:jira"
        );
        assert_eq!(refusal.missing_scopes().to_string(), "search:jira");
    }
}

#[test]
fn scp_09_scopes_are_compared_whole_and_with_case() {
    for near in [
        "Write:issues Read:issues",
        "write:issue read",
        "write:issuesx",
    ] {
        refused(
            who(near).call(&rules(), "createIssue"),
            Reason::InsufficientScope,
        );
    }
}

#[test]
fn scp_10_no_scopes_are_no_rights() {
    refused(who("").call(&rules(), "search"), Reason::InsufficientScope);
    assert!(!who("").sees(&rules(), "search"));
    assert!(who("read:all").sees(&rules(), "search"));
}

#[test]
fn a_rule_about_the_method_comes_on_top() {
    let rules = good(
        ToolRules::new()
            .tool("t", ["tool"])
            .method("tools/*", ["call"]),
    );
    who("tool call").call(&rules, "t").unwrap();
    let refusal = refused(who("").call(&rules, "t"), Reason::InsufficientScope);
    assert_eq!(refusal.required_scopes().to_string(), "call tool");
    assert_eq!(rules.scopes_of(call_of("t")).to_string(), "call tool");
}
