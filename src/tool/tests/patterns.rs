//! The matcher against a slow oracle, and in bounded time.

use proptest::prelude::*;

use crate::tool::pattern::Pattern;

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap().unwrap()
}

/// By the definition, trying everything.
fn oracle(pattern: &[u8], name: &[u8]) -> bool {
    match pattern {
        [] => name.is_empty(),
        [b'*', b'*', rest @ ..] => (0..=name.len()).any(|cut| oracle(rest, &name[cut..])),
        [b'*', rest @ ..] => (0..=name.len())
            .take_while(|cut| !name[..*cut].contains(&b'/'))
            .any(|cut| oracle(rest, &name[cut..])),
        [letter, rest @ ..] => name.first() == Some(letter) && oracle(rest, &name[1..]),
    }
}

#[test]
fn mcp_05_stars() {
    let rows: [(&str, &[&str], &[&str]); 7] = [
        ("*", &["", "a", "a b"], &["a/b", "/"]),
        ("**", &["", "a", "a/b//"], &[]),
        ("a*", &["a", "ab"], &["b", "ba", "a/", "A"]),
        ("*a", &["a", "ba"], &["ab", "/a"]),
        ("a*a", &["aa", "aba"], &["a", "ab"]),
        ("a/**/b", &["a//b", "a/x/y/b"], &["a/b", "a/xb"]),
        ("é*é", &["éé", "éxé"], &["é", "éx"]),
    ];
    for (text, yes, no) in rows {
        for name in yes {
            assert!(pattern(text).matches(name), "{text} should match {name:?}");
        }
        for name in no {
            assert!(
                !pattern(text).matches(name),
                "{text} should not match {name:?}"
            );
        }
    }
}

#[test]
fn a_text_without_stars_is_no_pattern_and_three_stars_are_none() {
    assert!(Pattern::parse("createIssue").is_none());
    for bad in ["***", "a***b", "*****"] {
        assert!(Pattern::parse(bad).unwrap().is_err(), "{bad}");
    }
    let longest = format!("*{}*", "a".repeat(125));
    assert!(pattern(&longest).matches(&"a".repeat(2000)));
    assert!(
        Pattern::parse(&format!("*{}*", "a".repeat(126)))
            .unwrap()
            .is_err()
    );
    // Before and after the wildcards there is no such limit.
    let fixed = "x".repeat(1000);
    assert!(pattern(&format!("{fixed}*{fixed}")).matches(&format!("{fixed}-{fixed}")));
}

#[test]
fn what_would_backtrack_for_ages_elsewhere_is_decided() {
    // The oracle would need about 10^40 steps for this one.
    let hard = "*a**a*".repeat(20);
    assert!(!pattern(&format!("{hard}b*")).matches(&"a".repeat(2048)));
    assert!(pattern(&hard).matches(&"a".repeat(2048)));
    assert!(!pattern("**").matches(&"a".repeat(2049)));
}

proptest! {
    #[test]
    fn mcp_05_the_matcher_agrees_with_the_oracle(
        pieces in prop::collection::vec(prop::sample::select(vec!["a", "b", "/", "ab", "*", "**", "é"]), 1..9),
        name in "[ab/é]{0,10}",
    ) {
        let text: String = pieces.concat();
        if let Some(Ok(pattern)) = Pattern::parse(&text) {
            prop_assert_eq!(
                pattern.matches(&name),
                oracle(text.as_bytes(), name.as_bytes()),
                "{} {}", text, name
            );
        }
    }

    #[test]
    fn nothing_panics(text in "[a*/\\PC]{0,200}", name in ".{0,300}") {
        if let Some(Ok(pattern)) = Pattern::parse(&text) {
            pattern.matches(&name);
            prop_assert!(pattern.matches(&text), "wildcards match themselves");
        }
    }
}
