//! MCP-5: names are compared whole and with case; the most specific rule wins.

use super::support::{call_of, good};
use crate::tool::{ToolRule, ToolRules};

fn rule_of(rules: &ToolRules, tool: &str) -> String {
    rules.scopes_of(call_of(tool)).to_string()
}

/// Each pattern's rule asks for the pattern's place in the list.
fn asking(patterns: &[&str]) -> ToolRules {
    let mut rules = ToolRules::new();
    for (index, pattern) in patterns.iter().enumerate() {
        rules = rules.tool(pattern, [index.to_string()]);
    }
    good(rules)
}

#[test]
fn mcp_05_the_most_specific_rule_wins_whatever_the_order() {
    let patterns = [
        "jira_create",
        "jira_cr*",
        "jira_*e",
        "jira_*",
        "jira_**",
        "j*",
        "**",
    ];
    let expected = [
        ("jira_create", "jira_create"),
        ("jira_creat", "jira_cr*"),
        ("jira_delete", "jira_*e"),
        ("jira_x", "jira_*"),
        ("jira_x/y", "jira_**"),
        ("jx", "j*"),
        ("j/x", "**"),
        ("Jira_create", "**"),
    ];
    let mut reversed = patterns;
    reversed.reverse();
    for order in [patterns, reversed] {
        let rules = asking(&order);
        for (tool, pattern) in expected {
            let place = order.iter().position(|one| *one == pattern).unwrap();
            assert_eq!(rule_of(&rules, tool), place.to_string(), "{tool}");
        }
    }
}

#[test]
fn mcp_05_the_narrow_star_beats_the_wide_one() {
    let rules = asking(&["a/**", "a/*"]);
    assert_eq!(
        (rule_of(&rules, "a/x"), rule_of(&rules, "a/x/y")),
        ("1".into(), "0".into())
    );
}

#[test]
fn mcp_05_ties_are_broken_by_the_text() {
    for order in [["a*bc*", "a*cd*"], ["a*cd*", "a*bc*"]] {
        let rules = asking(&order);
        let first = order.iter().position(|one| *one == "a*bc*").unwrap();
        assert_eq!(rule_of(&rules, "a_bcd_"), first.to_string());
    }
}

#[test]
fn many_exact_rules_and_many_patterns_have_a_limit() {
    let mut rules = ToolRules::new();
    for index in 0..1001 {
        rules = rules.tool(format!("p{index}_*"), ToolRule::always_on());
    }
    let found = rules.check().unwrap_err();
    assert_eq!(found.problems().len(), 1);
    assert_eq!(found.problems()[0].field, "tools.p1000_*");
}
