//! A URI that a server could read as another one meets no pattern.

use proptest::prelude::*;

use super::support::{good, refused, who};
use crate::operation::Operation;
use crate::rejection::Reason;
use crate::tool::uri::{filled_in, is_plain};
use crate::tool::{ToolRule, ToolRules};

const PLAIN: [&str; 16] = [
    "file:///projects/a.txt",
    "file:///projects/.hidden/..a/b..",
    "file:///",
    "file:///projects/a%20b",
    "file:///projects/%C3%A9",
    "https://example.com/",
    "https://example.com:8443/a?b=c&d=/e",
    "ui://widget/main",
    "docs://readme",
    "jira://PROJ-1/comments",
    "urn:isbn:0451450523",
    "note:today",
    "mem:/a/b",
    "config+x.y://a",
    "https://[2001:db8::1]/a",
    "screen://localhost/display1",
];

const ODD: [&str; 44] = [
    "",
    "projects",
    "/projects/a",
    "file:///projects/../secret",
    "file:///projects/./a",
    "file:///projects/..",
    "file:///projects/..;/secret",
    "file:///projects/%2e%2e/secret",
    "file:///projects/%2E%2E/secret",
    "file:///projects/.%2e/secret",
    "file:///projects/..%2fsecret",
    "file:///projects/..%2Fsecret",
    "file:///projects/..%5Csecret",
    "file:///projects/..\\secret",
    "file:///projects\\..\\secret",
    "file:///projects/%252e%252e/secret",
    "file:///projects/%c3%a9",
    "file:///projects/%C0%AE%C0%AE/secret",
    "file:///projects/%61",
    "file:///projects/a%00",
    "file:///projects/a%0A",
    "file:///projects/a%",
    "file:///projects/a%2",
    "file:///projects/a%+1",
    "file:///projects//a",
    "file:////projects/a",
    "file:///projects/",
    "file:///projects/a#b",
    "file:///projects/a b",
    "file:///projects/a\tb",
    "file:///projects/é",
    "file:///projects/{a}",
    "file:/projects/a",
    "file://localhost/projects/a",
    "FILE:///projects/a",
    "File:///projects/a",
    "https://EXAMPLE.com/a",
    "https://example.com:443/a",
    "https://example.com",
    "https://user@example.com/a",
    "https://example.com@evil.test/a",
    "https:/example.com/a",
    "https://0x7f.1/a",
    "urn:a/../b",
];

#[test]
fn plain_uris_are_told_from_others() {
    for uri in PLAIN {
        assert!(is_plain(uri), "{uri}");
    }
    for uri in ODD {
        assert!(!is_plain(uri), "{uri}");
    }
}

fn read(uri: &str) -> Operation<'_> {
    Operation::new("resources/read", Some(uri))
}

#[test]
fn an_odd_uri_is_refused_even_by_the_widest_pattern() {
    let rules = good(ToolRules::new().resource("**", ToolRule::always_on()));
    for uri in PLAIN {
        let expected = who("").may(&rules, read(uri)).is_ok();
        assert_eq!(expected, !uri.contains('?'), "{uri}");
    }
    for uri in ODD {
        refused(who("").may(&rules, read(uri)), Reason::OperationNotAllowed);
    }
}

#[test]
fn nothing_below_a_folder_leads_out_of_it() {
    let rules = good(
        ToolRules::new()
            .resource("file:///**", ["all"])
            .resource("file:///secret/**", ["secret"])
            .resource("file:///secret", ["secret"]),
    );
    for uri in ["file:///secret", "file:///secret/a/b"] {
        who("secret").may(&rules, read(uri)).unwrap();
        refused(who("all").may(&rules, read(uri)), Reason::InsufficientScope);
    }
    for around in [
        "file:///x/../secret/a",
        "file:////secret/a",
        "file:///secret/",
        "file:///secret?x",
        "file:///secret#x",
        "file:///%73ecret/a",
        "file:///secret%2Fa",
    ] {
        refused(
            who("all").may(&rules, read(around)),
            Reason::OperationNotAllowed,
        );
    }
    for method in ["resources/subscribe", "resources/unsubscribe"] {
        let operation = Operation::new(method, Some("file:///secret/a"));
        refused(who("all").may(&rules, operation), Reason::InsufficientScope);
    }
}

#[test]
fn a_query_meets_patterns_with_a_query_and_a_rule_may_spell_a_uri_out() {
    let rules = good(
        ToolRules::new()
            .resource("search://issues?q=*", ["search"])
            .resource("docs://all/", ["docs"]),
    );
    who("search")
        .may(&rules, read("search://issues?q=open"))
        .unwrap();
    refused(
        who("search").may(&rules, read("search://issues?q=a/b")),
        Reason::OperationNotAllowed,
    );
    who("docs").may(&rules, read("docs://all/")).unwrap();
    refused(
        who("docs").may(&rules, read("docs://all")),
        Reason::OperationNotAllowed,
    );
}

#[test]
fn rules_about_uris_that_never_come_are_mistakes() {
    for uri in [
        "/projects/**",
        "file:///projects/../**",
        "FILE:///**",
        "https://example.com",
        "file:///a b",
        "file:///a//**",
        "*",
        "file:///a/%2e",
    ] {
        let found = ToolRules::new().resource(uri, ["x"]).check().unwrap_err();
        assert_eq!(found.problems().len(), 1, "{uri}");
    }
    for uri in [
        "**",
        "*://**",
        "file:///**",
        "https://*.example.com/*",
        "docs:*",
        "ui://a/{b}",
        "x://a?b=**",
    ] {
        ToolRules::new().resource(uri, ["x"]).check().unwrap();
    }
}

#[test]
fn templates_are_filled_in() {
    for (template, filled) in [
        ("a://b/c", "a://b/c"),
        ("a://b/{c}", "a://b/x"),
        ("a://b/{+c}{?d,e*}", "a://b/xx"),
        ("a://b/{c:3}", "a://b/x"),
        ("a://b/{}", "a://b/{}"),
        ("a://b/{c", "a://b/{c"),
        ("a://b/{../c}", "a://b/{../c}"),
        ("a://b/{a{b}}", "a://b/{ax}"),
    ] {
        assert_eq!(filled_in(template), filled, "{template}");
    }
}

proptest! {
    #[test]
    fn a_plain_uri_survives_resolving_and_decoding(
        path in prop::collection::vec(
            prop::sample::select(vec!["/", "a", ".", "..", "%2e", "%2F", "%20", "%41", ";", "?", "#", "\\", "%", "é"]),
            0..8,
        ),
        scheme in prop::sample::select(vec!["file://", "https://h", "x://h", "x:", "File://"]),
    ) {
        let uri = format!("{scheme}{}", path.concat());
        if is_plain(&uri) {
            let parsed = url::Url::parse(&uri).unwrap();
            prop_assert_eq!(parsed.as_str(), uri.as_str());
            prop_assert_eq!(parsed.fragment(), None);
            let path = parsed.path();
            let decoded = path.replace("%20", " ");
            prop_assert!(!decoded.contains('%') && !decoded.contains("//") && !decoded.contains('\\'));
            let leaves = |step: &str| step == "." || step == "..";
            prop_assert!(!decoded.split(['/', ';']).any(leaves), "{}", uri);
        }
    }

    #[test]
    fn nothing_panics(uri in ".{0,100}") {
        let _ = (is_plain(&uri), filled_in(&uri));
    }
}
