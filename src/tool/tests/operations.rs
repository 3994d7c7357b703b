use http::StatusCode;
use serde_json::json;

use super::support::{call_of, good, refused, who};
use crate::operation::{Operation, Target};
use crate::rejection::Reason;
use crate::tool::{Dispatch, ToolRule, ToolRules, Unknown};

#[test]
fn mcp_09_what_no_rule_names_is_refused() {
    let rules = good(ToolRules::new().tool("known", ["read"]));
    let unknown = [
        Operation::new("foo/bar", None),
        Operation::new("tools/List", None),
        Operation::new("", None),
        Operation::new("tools/call", None),
        Operation::new("prompts/get", None),
        Operation::new("resources/read", None),
        Operation::new("completion/complete", None),
        Operation::new("sampling/createMessage", None),
        Operation::new("tasks/steal", Some("x")),
        call_of("unknown"),
        call_of("KNOWN"),
        call_of("known "),
        Operation::new("prompts/get", Some("known")),
        Operation::new("resources/read", Some("known")),
    ];
    for operation in unknown {
        let refusal = refused(
            who("read").may(&rules, operation),
            Reason::OperationNotAllowed,
        );
        assert_eq!(refusal.status(), StatusCode::FORBIDDEN);
        assert_eq!(refusal.details()["operation"], operation.to_string());
        assert!(!rules.is_public(operation) && rules.scopes_of(operation).is_empty());
    }
}

#[test]
fn mcp_09_a_long_name_comes_back_short() {
    let name = "é".repeat(100_000);
    let refusal = refused(
        who("").call(&ToolRules::new(), &name),
        Reason::OperationNotAllowed,
    );
    let shown = refusal.details()["operation"].as_str().unwrap();
    assert_eq!(shown.chars().count(), 200);
}

#[test]
fn mcp_09_the_protocols_own_methods_work_without_a_rule() {
    let rules = good(ToolRules::new());
    for method in [
        "initialize",
        "ping",
        "server/discover",
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "logging/setLevel",
        "subscriptions/listen",
        "roots/list",
        "tasks/list",
        "tasks/get",
        "notifications/initialized",
        "notifications/cancelled",
    ] {
        who("").may(&rules, Operation::new(method, None)).unwrap();
    }
    who("")
        .may(&rules, Operation::new("tasks/cancel", Some("id")))
        .unwrap();
}

#[test]
fn mcp_09_a_rule_about_a_method_takes_the_place_of_its_freedom() {
    let rules = good(
        ToolRules::new()
            .method("logging/*", ["admin"])
            .method("x/y", ["y"]),
    );
    let level = Operation::new("logging/setLevel", None);
    refused(who("").may(&rules, level), Reason::InsufficientScope);
    who("admin").may(&rules, level).unwrap();
    who("y").may(&rules, Operation::new("x/y", None)).unwrap();
    assert_eq!(rules.scopes_of(level).to_string(), "admin");
}

#[test]
fn mcp_09_the_default_can_be_scopes_but_not_none() {
    let rules = good(
        ToolRules::new()
            .tool("known", ["read"])
            .unknown_tools(["any"])
            .unknown_methods(Unknown::Rule(ToolRule::scopes(["baseline"]))),
    );
    who("any").call(&rules, "unknown").unwrap();
    refused(
        who("read").call(&rules, "unknown"),
        Reason::InsufficientScope,
    );
    refused(who("any").call(&rules, "known"), Reason::InsufficientScope);
    let other = Operation::new("foo/bar", None);
    who("baseline").may(&rules, other).unwrap();
    refused(who("").may(&rules, other), Reason::InsufficientScope);
    assert_eq!(rules.scopes().to_string(), "any baseline read");
    for open in [ToolRule::always_on(), ToolRule::new()] {
        assert!(
            ToolRules::new()
                .unknown_tools(open.clone())
                .check()
                .is_err()
        );
        assert!(ToolRules::new().unknown_methods(open).check().is_err());
    }
    assert!(
        ToolRules::new()
            .unknown_tools(Unknown::Deny)
            .check()
            .is_ok()
    );
}

#[test]
fn mcp_08_a_task_is_judged_by_its_method() {
    let rules = good(
        ToolRules::new()
            .tool("createIssue", ["write"])
            .method("tasks/cancel", ["tasks"]),
    );
    let cancel = Operation::new("tasks/cancel", Some("createIssue"));
    who("tasks").may(&rules, cancel).unwrap();
    refused(who("write").may(&rules, cancel), Reason::InsufficientScope);
}

#[test]
fn completion_needs_what_its_prompt_or_resource_needs() {
    let rules = good(
        ToolRules::new()
            .prompt("notes", ["prompts"])
            .resource("file:///projects/**", ["files"])
            .resource("db://rows/{id}", ["rows"]),
    );
    let on = |target| Operation::on("completion/complete", target);
    who("prompts")
        .may(&rules, on(Target::Prompt("notes")))
        .unwrap();
    refused(
        who("").may(&rules, on(Target::Prompt("notes"))),
        Reason::InsufficientScope,
    );
    refused(
        who("").may(&rules, on(Target::Prompt("other"))),
        Reason::OperationNotAllowed,
    );
    let template = on(Target::Resource("file:///projects/{name}/{+path}"));
    who("files").may(&rules, template).unwrap();
    refused(who("").may(&rules, template), Reason::InsufficientScope);
    who("rows")
        .may(&rules, on(Target::Resource("db://rows/{id}")))
        .unwrap();
    for odd in [
        "file:///projects/{a/../b}",
        "file:///projects/{",
        "file:///projects/../{x}",
        "file:///{x}",
    ] {
        refused(
            who("files rows").may(&rules, on(Target::Resource(odd))),
            Reason::OperationNotAllowed,
        );
    }
    // Reading is of URIs, not of templates.
    refused(
        who("files").may(
            &rules,
            Operation::new("resources/read", Some("file:///projects/{name}")),
        ),
        Reason::OperationNotAllowed,
    );
}

fn dispatching() -> ToolRules {
    good(
        ToolRules::new()
            .dispatcher("execute*", |call| {
                match (call.name(), call.text("action")) {
                    ("executeRead", Some("list")) => ["read"].into(),
                    ("executeWrite", Some("close")) => ToolRule::scopes(["write"])
                        .tenant_argument("cloudId")
                        .into(),
                    (_, Some("broken")) => ["two words"].into(),
                    (_, Some("panic")) => panic!("the callback's own fault"),
                    _ => Dispatch::Deny,
                }
            })
            .dispatcher_within("guarded", ["enter"], |call| {
                assert_eq!(call.arguments()["n"], json!(1));
                ["more"]
            }),
    )
}

#[test]
fn mcp_10_a_dispatcher_is_judged_call_by_call() {
    let rules = dispatching();
    who("read")
        .call_with(&rules, "executeRead", r#"{"action":"list"}"#)
        .unwrap();
    let refusal = refused(
        who("").call_with(&rules, "executeRead", r#"{"action":"list"}"#),
        Reason::InsufficientScope,
    );
    assert_eq!(refusal.required_scopes().to_string(), "read");
    for denied in [r#"{"action":"close"}"#, r#"{"action":["list"]}"#, "{}"] {
        refused(
            who("read write").call_with(&rules, "executeRead", denied),
            Reason::OperationNotAllowed,
        );
    }
    refused(
        who("read").call(&rules, "executeRead"),
        Reason::OperationNotAllowed,
    );
    refused(
        who("read").call_with(
            &rules,
            "executeRead",
            r#"{"action":"list","action":"close"}"#,
        ),
        Reason::MalformedMessage,
    );
}

#[test]
fn mcp_10_the_rule_of_a_call_may_look_at_its_site() {
    let rules = dispatching();
    let close = r#"{"action":"close","cloudId":"two"}"#;
    who("write")
        .call_with(&rules, "executeWrite", close)
        .unwrap();
    refused(
        who("write")
            .bound_to("one")
            .call_with(&rules, "executeWrite", close),
        Reason::TenantMismatch,
    );
}

#[test]
fn mcp_10_a_callback_that_fails_lets_nobody_through() {
    let rules = dispatching();
    for action in ["panic", "broken"] {
        let arguments = json!({ "action": action }).to_string();
        let refusal = refused(
            who("read write two words").call_with(&rules, "executeRead", &arguments),
            Reason::Internal,
        );
        assert_eq!(refusal.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(refusal.note().is_some());
    }
}

#[test]
fn mcp_10_every_call_meets_the_dispatchers_own_rule_too() {
    let rules = dispatching();
    let arguments = r#"{"n":1}"#;
    who("enter more")
        .call_with(&rules, "guarded", arguments)
        .unwrap();
    let refusal = refused(
        who("more").call_with(&rules, "guarded", arguments),
        Reason::InsufficientScope,
    );
    assert_eq!(refusal.required_scopes().to_string(), "enter more");
    assert!(who("enter").sees(&rules, "guarded") && !who("more").sees(&rules, "guarded"));
    assert!(who("").sees(&rules, "executeRead"));
    assert_eq!(rules.scopes_of(call_of("guarded")).to_string(), "enter");
}

#[test]
fn mcp_15_nothing_is_public_unless_a_rule_says_so() {
    let rules = good(ToolRules::new().tool("t", ["x"]));
    for method in ["server/discover", "initialize", "ping", "tools/list"] {
        assert!(!rules.is_public(Operation::new(method, None)));
    }
    let rules = good(
        rules
            .public_method("server/discover")
            .public_method("acme/health"),
    );
    assert!(rules.is_public(Operation::new("server/discover", None)));
    assert!(!rules.is_public(Operation::new("server/Discover", None)));
    assert!(!rules.is_public(Operation::on("server/discover", Target::Tool("t"))));
    // With a credential it works as well.
    who("")
        .may(&rules, Operation::new("acme/health", None))
        .unwrap();
    for never in [
        "tools/call",
        "resources/read",
        "tasks/get",
        "completion/complete",
        "*",
        "",
    ] {
        assert!(
            ToolRules::new().public_method(never).check().is_err(),
            "{never}"
        );
    }
}

#[test]
fn claims_are_compared_as_text_or_in_an_array() {
    let rules = good(
        ToolRules::new()
            .tool(
                "t",
                ToolRule::always_on().claim("department", ["finance", "board"]),
            )
            .tool(
                "deep",
                ToolRule::always_on().claim("/realm/ro~1les", ["admin"]),
            ),
    );
    for good in [
        json!({"department": "board"}),
        json!({"department": ["x", "finance"]}),
    ] {
        who("").claims(good.clone()).call(&rules, "t").unwrap();
        assert!(who("").claims(good).sees(&rules, "t"));
    }
    for bad in [
        json!({}),
        json!({"department": "Finance"}),
        json!({"department": "finance board"}),
        json!({"department": [["finance"]]}),
        json!({"department": {"finance": true}}),
        json!({"department": true}),
        json!({"department": null}),
        json!({"Department": "finance"}),
    ] {
        let refusal = refused(
            who("").claims(bad.clone()).call(&rules, "t"),
            Reason::ClaimNotMet,
        );
        assert_eq!(refusal.status(), StatusCode::FORBIDDEN);
        assert_eq!(refusal.details()["claim"], "department");
        assert!(
            !format!("{refusal:?}").contains("finance"),
            "values are nobody's business"
        );
        assert!(!who("").claims(bad).sees(&rules, "t"));
    }
    who("")
        .claims(json!({"realm": {"ro/les": ["admin"]}}))
        .call(&rules, "deep")
        .unwrap();
    refused(
        who("")
            .claims(json!({"realm": ["admin"]}))
            .call(&rules, "deep"),
        Reason::ClaimNotMet,
    );
}
