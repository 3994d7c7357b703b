use std::time::Duration;

use crate::method::AuthMethod;
use crate::policy::Intent;
use crate::tool::{ToolRule, ToolRules};

fn fields(rules: &ToolRules) -> Vec<String> {
    let Err(found) = rules.check() else {
        return Vec::new();
    };
    for problem in found.problems() {
        assert!(!problem.remedy.is_empty());
    }
    found
        .problems()
        .iter()
        .map(|problem| problem.field.clone())
        .collect()
}

#[test]
fn every_mistake_is_reported_at_once() {
    let none: [&str; 0] = [];
    let rules = ToolRules::new()
        .tool("a", ["two words"])
        .tool("b", none)
        .tool("", ["x"])
        .tool("c***", ["x"])
        .tool("d", ["x"])
        .tool("d", ["y"])
        .dispatcher("d", |_| ["z"])
        .prompt("e\n", ["x"])
        .resource("f", ["x"])
        .method("g", ToolRule::always_on().tenant_argument("site"))
        .public_method("tools/call")
        .public_method("x/y")
        .public_method("x/y")
        .scope_includes("h h", ["x"])
        .scope_includes("i", none)
        .unknown_tools(ToolRule::always_on())
        .max_body_bytes(1023);
    assert_eq!(
        fields(&rules),
        [
            "tools.a.scopes",
            "tools.b.scopes",
            "tools.",
            "tools.c***",
            "tools.d",
            "tools.d",
            "prompts.e\\n",
            "resources.f",
            "methods.g.tenant_argument",
            "public_methods",
            "public_methods",
            "scope_includes.h h",
            "scope_includes.i",
            "unknown_tools",
            "max_body_bytes",
        ]
    );
}

#[test]
fn each_condition_of_a_rule_is_examined() {
    let on = ToolRule::always_on;
    let none: [&str; 0] = [];
    let bad = [
        ("scopes", ToolRule::new()),
        ("scopes", ToolRule::scopes(["a"]).or_scopes(none)),
        ("scopes", ToolRule::scopes((0..300).map(|n| n.to_string()))),
        ("group", ToolRule::new().group(" ", Intent::Read)),
        (
            "group",
            ToolRule::new()
                .group("a", Intent::Read)
                .group("a", Intent::Write),
        ),
        ("methods", on().methods([])),
        (
            "methods",
            on().methods([AuthMethod::OAuth])
                .methods([AuthMethod::ApiToken]),
        ),
        ("acr_values", on().acr_values(none)),
        ("acr_values", on().acr_values(["a b"])),
        ("acr_values", on().acr_values(["a\""])),
        ("acr_values", on().acr_values(["a"]).acr_values(["b"])),
        ("max_age", on().max_age(Duration::from_millis(1500))),
        (
            "max_age",
            on().max_age(Duration::ZERO).max_age(Duration::ZERO),
        ),
        ("claims", on().claim("", ["a"])),
        ("claims", on().claim("/", ["a"])),
        ("claims", on().claim("a", none)),
        ("tenant_argument", on().tenant_argument("")),
        (
            "tenant_argument",
            on().tenant_argument("a").tenant_argument("b"),
        ),
        ("always_on", on().or_scopes(["a"])),
        ("always_on", on().group("a", Intent::Read)),
    ];
    for (field, rule) in bad {
        assert!(!rule.is_sound());
        let found = fields(&ToolRules::new().tool("t", rule));
        assert_eq!(found, [format!("tools.t.{field}")]);
    }
}

#[test]
fn headers_alone_cannot_serve_rules_about_arguments() {
    let rules = ToolRules::new()
        .tool("b", ToolRule::always_on().tenant_argument("site"))
        .dispatcher("a", |_| ["x"])
        .tool("c", ["x"]);
    assert_eq!(fields(&rules), [""; 0]);
    assert_eq!(
        fields(&rules.trust_mirrored_headers()),
        ["tools.a", "tools.b"]
    );
}

#[test]
fn a_public_method_with_a_rule_is_a_contradiction() {
    let rules = ToolRules::new().method("a/b", ["x"]).public_method("a/b");
    assert_eq!(fields(&rules), ["public_methods"]);
}

#[test]
fn the_body_limit_has_bounds() {
    assert_eq!(ToolRules::new().body_limit(), 4 * 1024 * 1024);
    for (bytes, good) in [
        (1023, false),
        (1024, true),
        (64 << 20, true),
        ((64 << 20) + 1, false),
    ] {
        assert_eq!(ToolRules::new().max_body_bytes(bytes).check().is_ok(), good);
    }
    assert!(!ToolRules::new().trusts_headers());
    assert!(ToolRules::new().trust_mirrored_headers().trusts_headers());
}
