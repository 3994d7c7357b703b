//! Every rule can only take away (POL-16).

use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::support::{Who, policy, who};
use crate::enrich::{Enrichment, Permitted};
use crate::method::AuthMethod;
use crate::policy::Intent;
use crate::principal::PrincipalKind;
use crate::tool::{ToolRule, ToolRules};

const WORDS: [&str; 5] = ["a", "b", "c", "d", "e"];

fn some_words(most: usize) -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(WORDS.to_vec(), 1..=most)
}

/// A rule of scopes alone.
fn scoped() -> impl Strategy<Value = ToolRule> {
    prop::collection::vec(some_words(3), 1..3).prop_map(|alternatives| {
        let mut rule = ToolRule::new();
        for scopes in alternatives {
            rule = rule.or_scopes(scopes);
        }
        rule
    })
}

fn hierarchy() -> impl Strategy<Value = Vec<(&'static str, Vec<&'static str>)>> {
    prop::collection::vec((prop::sample::select(WORDS.to_vec()), some_words(2)), 0..4)
}

fn rules(rule: ToolRule, hierarchy: &[(&'static str, Vec<&'static str>)]) -> ToolRules {
    let mut rules = ToolRules::new().tool("t", rule);
    for (broad, narrow) in hierarchy {
        rules = rules.scope_includes(broad, narrow);
    }
    rules
}

/// One of the conditions a rule can have besides scopes.
fn add(rule: ToolRule, condition: usize) -> ToolRule {
    match condition {
        0 => rule.group("jira", Intent::Read),
        1 => rule.group("jira", Intent::Delete),
        2 => rule.methods([AuthMethod::OAuth]),
        3 => rule.methods([AuthMethod::ApiToken, AuthMethod::ServiceAccountKey]),
        4 => rule.acr_values(["phr"]),
        5 => rule.max_age(Duration::from_secs(60)),
        6 => rule.claim("department", ["finance"]),
        7 => rule.tenant_argument("site"),
        _ => rule.tenant_required(),
    }
}

fn anybody() -> impl Strategy<Value = Who> {
    let scopes = prop::sample::subsequence(WORDS.to_vec(), 0..=5);
    let facts = prop::array::uniform7(any::<bool>());
    (scopes, 0..3usize, facts).prop_map(|(scopes, method, facts)| {
        let [bound, fresh, strong, finance, ruled, listed, client] = facts;
        let mut someone = who(&scopes.join(" ")).by(AuthMethod::ALL[method]);
        if bound && method == 0 {
            someone = someone.bound_to("one");
        }
        if fresh {
            someone = someone.login(5);
        }
        if strong {
            someone = someone.class("phr");
        }
        if finance {
            someone = someone.claims(json!({"department": ["finance"]}));
        }
        if ruled {
            someone = someone.policy(policy());
        }
        if listed {
            let jira = Permitted::new("jira").site("one").permissions(["read"]);
            someone = someone.enriched(Enrichment::new().permit(jira));
        }
        if client && method == 0 {
            someone = someone.kind(PrincipalKind::Client);
        }
        someone
    })
}

const ARGUMENTS: [&str; 3] = ["{}", r#"{"site":"one"}"#, r#"{"site":"two"}"#];

proptest! {
    #[test]
    fn pol_16_a_scope_less_never_allows_more(
        rule in scoped(),
        hierarchy in hierarchy(),
        granted in prop::sample::subsequence(WORDS.to_vec(), 0..=5),
        dropped in 0..5usize,
    ) {
        let rules = rules(rule, &hierarchy);
        let fewer: Vec<&str> = granted.iter().copied().filter(|word| *word != WORDS[dropped]).collect();
        let (more, fewer) = (who(&granted.join(" ")), who(&fewer.join(" ")));
        prop_assert!(fewer.call(&rules, "t").is_err() || more.call(&rules, "t").is_ok());
        prop_assert_eq!(more.sees(&rules, "t"), more.call(&rules, "t").is_ok());
    }

    #[test]
    fn scp_02_what_is_granted_after_the_challenge_is_enough(
        rule in scoped(),
        hierarchy in hierarchy(),
        granted in prop::sample::subsequence(WORDS.to_vec(), 0..=5),
    ) {
        let rules = rules(rule, &hierarchy);
        let Err(refusal) = who(&granted.join(" ")).call(&rules, "t") else {
            return Ok(());
        };
        prop_assert!(!refusal.missing_scopes().is_empty());
        prop_assert!(refusal.challenge_scopes().covers(refusal.required_scopes()));
        who(&refusal.challenge_scopes().to_string()).call(&rules, "t").unwrap();
        // Only what is missing, added to what there was, does as well.
        let added = format!("{} {}", granted.join(" "), refusal.missing_scopes());
        who(&added).call(&rules, "t").unwrap();
    }

    #[test]
    fn pol_16_a_condition_more_never_allows_more(
        rule in scoped(),
        open in any::<bool>(),
        first in prop::option::of(0..9usize),
        second in 0..9usize,
        someone in anybody(),
        arguments in 0..3usize,
    ) {
        let base = if open { ToolRule::always_on() } else { rule };
        let before = first.map_or(base.clone(), |condition| add(base, condition));
        let after = add(before.clone(), second);
        prop_assume!(before.is_sound() && after.is_sound());
        // Which argument names the site is no condition alone: a permission group is then judged
        // there, and a directory may permit there what it does not permit everywhere.
        prop_assume!(before.group.is_none() || before.tenant_argument == after.tenant_argument);
        let (before, after) = (rules(before, &[]), rules(after, &[]));
        let ask = |rules: &ToolRules| someone.call_with(rules, "t", ARGUMENTS[arguments]).is_ok();
        prop_assert!(!ask(&after) || ask(&before));
        prop_assert!(!someone.sees(&after, "t") || someone.sees(&before, "t"));
        // What can be called is listed.
        prop_assert!(!ask(&after) || someone.sees(&after, "t"));
    }

    #[test]
    fn pol_16_a_rule_about_the_method_never_allows_more(
        rule in scoped(),
        on_top in scoped(),
        someone in anybody(),
    ) {
        let before = rules(rule, &[]);
        let after = before.clone().method("tools/call", on_top);
        prop_assert!(someone.call(&after, "t").is_err() || someone.call(&before, "t").is_ok());
    }
}
