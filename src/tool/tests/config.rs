use serde_json::json;

use super::support::{call_of, good, policy, refused, who};
use crate::method::AuthMethod;
use crate::operation::Operation;
use crate::rejection::Reason;
use crate::tool::ToolRules;

fn parse(text: &str) -> Result<ToolRules, serde_json::Error> {
    serde_json::from_str(text)
}

fn fields(text: &str) -> Vec<String> {
    let found = parse(text).unwrap().check().unwrap_err();
    found
        .problems()
        .iter()
        .map(|problem| problem.field.clone())
        .collect()
}

#[test]
fn the_whole_format_means_what_the_setters_mean() {
    let file = json!({
        "tools": {
            "createIssue": ["write:issues"],
            "whoami": "always_on",
            "jira_*": {
                "any_of": [["read:jira"], ["read:all"]],
                "group": "jira:read",
                "methods": ["oauth2", "api_token"],
                "claims": {"department": ["finance"]},
                "tenant_argument": "cloudId",
                "tenant_required": false
            },
            "delete": {"scopes": ["a"], "group": {"product": "jira", "intent": "delete"}},
            "pay": {"always_on": true, "acr_values": ["phr"], "max_age": 900}
        },
        "prompts": {"notes": ["p"]},
        "resources": {"file:///projects/**": ["f"]},
        "methods": {"logging/setLevel": ["l"]},
        "scope_includes": {"admin:issues": ["write:issues"]},
        "public_methods": ["server/discover"],
        "unknown_tools": ["any"],
        "unknown_methods": "deny",
        "max_body_bytes": 2048,
        "trust_mirrored_headers": false
    });
    let rules = good(parse(&file.to_string()).unwrap());
    who("admin:issues").call(&rules, "createIssue").unwrap();
    who("").call(&rules, "whoami").unwrap();
    let finance = who("read:all").claims(json!({"department": "finance"}));
    finance
        .call_with(&rules, "jira_x", r#"{"cloudId":"one"}"#)
        .unwrap();
    refused(finance.call(&rules, "jira_x"), Reason::TenantRequired);
    refused(
        finance
            .by(AuthMethod::ServiceAccountKey)
            .call(&rules, "jira_x"),
        Reason::AuthMethodNotAllowed,
    );
    refused(
        who("a").policy(policy()).call(&rules, "delete"),
        Reason::PermissionGroupDisabled,
    );
    let refusal = refused(who("").call(&rules, "pay"), Reason::LoginTooWeak);
    assert_eq!(refusal.required_login().unwrap().max_age(), Some(900));
    assert!(rules.is_public(Operation::new("server/discover", None)));
    who("any").call(&rules, "other").unwrap();
    let level = Operation::new("logging/setLevel", None);
    refused(who("").may(&rules, level), Reason::InsufficientScope);
    who("f")
        .may(
            &rules,
            Operation::new("resources/read", Some("file:///projects/a")),
        )
        .unwrap();
    who("p")
        .may(&rules, Operation::new("prompts/get", Some("notes")))
        .unwrap();
    assert_eq!(rules.body_limit(), 2048);
}

#[test]
fn an_empty_file_is_no_rules() {
    let rules = good(parse("{}").unwrap());
    refused(who("").call(&rules, "x"), Reason::OperationNotAllowed);
    refused(
        who("").may(&rules, Operation::new("x/y", None)),
        Reason::OperationNotAllowed,
    );
}

#[test]
fn unknown_members_and_wrong_types_are_errors_of_the_reader() {
    for text in [
        r#"{"tool": {}}"#,
        r#"{"tools": {"a": {"scope": ["x"]}}}"#,
        r#"{"tools": {"a": {"scopes": "x"}}}"#,
        r#"{"tools": {"a": {"scopes": ["x"], "scopes": ["y"]}}}"#,
        r#"{"tools": {"a": 1}}"#,
        r#"{"tools": {"a": {"max_age": -1}}}"#,
        r#"{"tools": {"a": {"group": {"product": "x", "intent": "read", "more": 1}}}}"#,
        r#"{"tools": {}, "tools": {}}"#,
        r#"{"tools": []}"#,
        "[]",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn mistakes_are_kept_and_reported_together() {
    let text = r#"{
        "tools": {
            "a": [],
            "b": {"scopes": ["x"], "any_of": [["y"]]},
            "c": {"any_of": []},
            "d": {"scopes": ["x"], "methods": ["oauth3"]},
            "e": {"scopes": ["x"], "group": "jira:frob"},
            "f": {"scopes": ["x"], "group": "jira"},
            "g": "allways_on",
            "h": {},
            "i": {"always_on": true, "scopes": ["x"]}
        },
        "public_methods": ["*"],
        "unknown_tools": "allow",
        "max_body_bytes": 1
    }"#;
    assert_eq!(
        fields(text),
        [
            "tools.a.scopes",
            "tools.b.any_of",
            "tools.c.any_of",
            "tools.d.methods",
            "tools.d.methods",
            "tools.e.group",
            "tools.f.group",
            "tools.g.rule",
            "tools.h.scopes",
            "tools.i.always_on",
            "public_methods",
            "unknown_tools.rule",
            "max_body_bytes",
        ]
    );
}

#[test]
fn names_that_come_twice_are_reported_not_overwritten() {
    let text = r#"{
        "tools": {"a": ["strict"], "a": ["lax"], "p*": ["x"], "p*": ["y"]},
        "scope_includes": {"s": ["x"], "s": ["y"]}
    }"#;
    assert_eq!(fields(text), ["tools.a", "tools.p*", "scope_includes.s"]);
    let rules = parse(text).unwrap();
    assert_eq!(rules.scopes_of(call_of("a")).to_string(), "strict");
}

#[test]
fn code_can_add_to_a_file() {
    let rules = parse(r#"{"tools": {"a": ["x"]}}"#).unwrap();
    let both = rules.dispatcher("a", |_| ["y"]);
    assert_eq!(both.check().unwrap_err().problems()[0].field, "tools.a");
}
