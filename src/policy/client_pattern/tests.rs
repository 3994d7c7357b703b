use proptest::prelude::*;

use super::ClientPattern;

/// Pattern, URLs it means, URLs it does not mean.
type Row = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

fn check(rows: &[Row]) {
    for (text, yes, no) in rows {
        let pattern = ClientPattern::new(text);
        assert_eq!(pattern.problem(), None, "{text}");
        for url in *yes {
            assert!(pattern.matches(url), "{text} should match {url}");
        }
        for url in *no {
            assert!(!pattern.matches(url), "{text} should not match {url}");
        }
    }
}

#[test]
fn pol_11_hosts() {
    check(&[
        (
            "https://app.example.com",
            &[
                "https://app.example.com",
                "https://app.example.com/",
                "https://app.example.com/c.json",
                "https://app.example.com:443/c.json",
                "https://APP.Example.COM/c.json",
                "HTTPS://app.example.com/c.json",
                "https://app.example.com?x=1",
            ],
            &[
                "http://app.example.com/",
                "https://app.example.com:8443/",
                "https://sub.app.example.com/",
                "https://example.com/",
                "https://app.example.com.evil.test/",
                "https://evil.test/https://app.example.com",
                "https://evil.test/?https://app.example.com",
                "https://app.example.com@evil.test/",
                "https://evil.test#https://app.example.com",
                "https://app.example.com./",
                "https://app-example.com/",
                "https://xapp.example.com/",
            ],
        ),
        (
            "https://*.example.com/**",
            &[
                "https://a.example.com/x",
                "https://a.example.com",
                "https://xn--a-0ga.example.com/",
            ],
            &[
                "https://example.com/",
                "https://a.b.example.com/",
                "https://.example.com/",
                "https://-.example.com/",
                "https://a.example.com:8443/",
                "https://a.example.org/",
                "https://evilexample.com/",
                "https://a.example.com.evil.test/",
                "https://evil.test/.example.com/",
                "https://evil.test\\.example.com/",
                "https://evil.test%2f.example.com/",
                "https://evil_x.example.com/",
                "https://[::1].example.com/",
            ],
        ),
        (
            "https://*.*.example.com/**",
            &["https://a.b.example.com/"],
            &["https://a.example.com/", "https://a.b.c.example.com/"],
        ),
        (
            "https://a.*.example.com",
            &["https://a.b.example.com/"],
            &["https://b.b.example.com/", "https://a.example.com/"],
        ),
        (
            "https://{dev,prod}.x.com/**",
            &["https://dev.x.com/", "https://prod.x.com/a/b"],
            &[
                "https://test.x.com/",
                "https://devprod.x.com/",
                "https://dev,prod.x.com/",
                "https://{dev,prod}.x.com/",
            ],
        ),
        (
            "https://app-{eu,us}1.example.{com,org}",
            &[
                "https://app-eu1.example.com/",
                "https://app-us1.example.org/",
            ],
            &[
                "https://app-eu.example.com/",
                "https://app-1.example.com/",
                "https://app-eu1.example.net/",
            ],
        ),
    ]);
}

#[test]
fn pol_11_ports_and_paths() {
    check(&[
        (
            "https://app.example.com:8080/**",
            &["https://app.example.com:8080/x"],
            &[
                "https://app.example.com/x",
                "https://app.example.com:443/x",
                "https://app.example.com:80800/x",
                "https://app.example.com:08080/x",
            ],
        ),
        (
            "https://app.example.com:443",
            &["https://app.example.com/", "https://app.example.com:443/"],
            &["https://app.example.com:444/"],
        ),
        (
            "https://app.example.com:*/**",
            &[
                "https://app.example.com/",
                "https://app.example.com:1/",
                "https://app.example.com:65535/",
            ],
            &[
                "https://app.example.com:0/",
                "https://app.example.com:65536/",
                "https://app.example.com:/",
                "https://app.example.com:x/",
                "https://app.example.com:1:2/",
            ],
        ),
        (
            "https://app.example.com:**",
            &["https://app.example.com:9/x"],
            &["https://b.example.com:9/x"],
        ),
        (
            "http://localhost:*/**",
            &[
                "http://localhost/",
                "http://localhost:3000/cb",
                "http://LOCALHOST:3000/cb",
            ],
            &[
                "https://localhost:3000/cb",
                "http://127.0.0.1:3000/cb",
                "http://localhost.evil.test:3000/",
                "http://a.localhost:3000/",
            ],
        ),
        (
            "http://127.0.0.1:8080",
            &["http://127.0.0.1:8080/cb"],
            &[
                "http://127.0.0.1/",
                "http://127.0.0.2:8080/",
                "http://127.1:8080/",
            ],
        ),
        (
            "https://localhost:*",
            &["https://localhost:1/"],
            &["http://localhost:1/"],
        ),
        (
            "https://app.example.com/oauth/cb",
            &["https://app.example.com/oauth/cb"],
            &[
                "https://app.example.com/oauth/cb/",
                "https://app.example.com/oauth/cb?x=1",
                "https://app.example.com/OAuth/cb",
                "https://app.example.com/x/../oauth/cb",
                "https://app.example.com/",
            ],
        ),
        (
            "https://app.example.com/oauth/**",
            &[
                "https://app.example.com/oauth/",
                "https://app.example.com/oauth/a/b?x=1",
            ],
            &[
                "https://app.example.com/oauth",
                "https://app.example.com/oauthx/a",
                "https://app.example.com/oauth/../admin",
                "https://app.example.com/oauth/%2e%2E/admin",
                "https://app.example.com/oauth/.%2e/admin",
                "https://app.example.com/oauth/..%2fadmin",
                "https://app.example.com/oauth/..%5Cadmin",
                "https://app.example.com/oauth/a b",
                "https://app.example.com/oauth/\u{e9}",
                "https://app.example.com/oauth/a\n",
            ],
        ),
    ]);
}

#[test]
fn pol_11_schemes_of_applications() {
    check(&[
        (
            "cursor://",
            &[
                "cursor://anysphere.cursor-mcp/oauth/callback",
                "cursor://",
                "cursor:/x",
                "CURSOR://x",
            ],
            &["cursors://x", "https://cursor/", "cursor", "xcursor://x"],
        ),
        (
            "cursor://anysphere.cursor-mcp/oauth/**",
            &["cursor://anysphere.cursor-mcp/oauth/callback"],
            &[
                "cursor://anysphere.cursor-mcp/other",
                "cursor://evil/oauth/callback",
                "cursor://x@anysphere.cursor-mcp/oauth/a",
            ],
        ),
        (
            "com.raycast:///oauth",
            &["com.raycast:/oauth", "com.raycast:///oauth"],
            &["com.raycast:/oauth2", "com.raycast://oauth"],
        ),
    ]);
}

#[test]
fn pol_11_the_three_forms_of_issue_254_all_work() {
    let callback = "https://app.example-corp.com/api/plugins/atlassian/oauth/callback";
    for form in [
        "https://app.example-corp.com/**",
        "https://app.example-corp.com",
        callback,
    ] {
        assert!(ClientPattern::new(form).matches(callback), "{form}");
    }
}

#[test]
fn pol_11_bad_patterns_are_refused_with_a_remedy_and_match_nothing() {
    for (text, word) in [
        ("", "scheme"),
        ("app.example.com", "scheme"),
        ("//app.example.com", "scheme"),
        ("*://app.example.com", "scheme"),
        ("https:app.example.com", "scheme"),
        (" https://app.example.com", "scheme"),
        ("https://app.example.com ", "ASCII"),
        ("https://bücher.example", "xn--"),
        ("https://*.com/**", "your own"),
        ("https://*", "your own"),
        ("https://*/**", "your own"),
        ("https://*.*", "your own"),
        ("https://example.*", "your own"),
        ("https://a.*.com", "your own"),
        ("https://com", "your own"),
        ("https://intranet/**", "your own"),
        ("https://*.localhost", "your own"),
        ("https://*.co.uk/**", "your own"),
        ("https://*.com.au", "your own"),
        ("https://*.{co,x}.uk", "your own"),
        ("https://10.0.0.7/", "your own"),
        ("https://*.0.0.1", "your own"),
        ("https://[::1]/", "IPv6"),
        ("https://**.example.com", "one whole label"),
        ("https://dev-*.example.com", "one whole label"),
        ("https://*example.com", "one whole label"),
        ("https://{dev,prod.example.com", "list"),
        ("https://dev,prod}.example.com", "list"),
        ("https://{a,{b,c}}.example.com", "list"),
        ("https://{a,}.example.com", "list"),
        ("https://{}.example.com", "list"),
        ("https://{a.b,c}.example.com", "list"),
        ("https://{a,b}{c,d}.example.com", "list"),
        ("https://{*,b}.example.com", "one whole label"),
        ("https://-a.example.com", "letters"),
        ("https://a..example.com", "letters"),
        ("https://app.example.com.", "letters"),
        ("https://a%2eb.example.com", "letters"),
        ("https://", "letters"),
        ("https:///x", "letters"),
        ("https://user@app.example.com", "user name"),
        ("https://app.example.com\\x", "user name"),
        ("https://app.example.com?x=1", "query"),
        ("https://app.example.com#x", "query"),
        ("https://app.example.com:", "port"),
        ("https://app.example.com:0", "port"),
        ("https://app.example.com:65536", "port"),
        ("https://app.example.com:80*", "port"),
        ("https://app.example.com:+80", "port"),
        ("https://app.example.com/*", "/**"),
        ("https://app.example.com/**/x", "/**"),
        ("https://app.example.com/{a,b}", "/**"),
        ("https://app.example.com/a/../b", "/**"),
        ("https://app.example.com/a%2Fb", "encoded"),
        ("https://app.example.com/a|b/**", "no URL has"),
        ("cursor://host/<path>", "no URL has"),
        ("http://app.example.com", "https"),
        ("http://127.0.0.2", "https"),
        ("http://*", "https"),
        ("http://localhost.example.com", "https"),
        ("javascript://x", "cursor://"),
        ("data://x", "cursor://"),
        ("FILE:///etc", "cursor://"),
        ("cursor://*", "exactly"),
        ("cursor://{a,b}", "exactly"),
        ("cursor://:80", "exactly"),
    ] {
        let pattern = ClientPattern::new(text);
        let problem = pattern
            .problem()
            .unwrap_or_else(|| panic!("{text} was accepted"));
        assert!(problem.contains(word), "{text}: {problem}");
        assert!(!pattern.matches(text), "{text}");
    }
    let long = format!("https://{}.example.com", "a.".repeat(300));
    assert!(ClientPattern::new(long).problem().is_some());
    let names = vec!["a"; 33].join(",");
    assert!(
        ClientPattern::new(format!("https://{{{names}}}.example.com"))
            .problem()
            .is_some()
    );
}

#[test]
fn pol_11_the_longest_input_is_no_work() {
    let stars = "*.".repeat(240);
    let pattern = ClientPattern::new(format!("https://{stars}example.com"));
    assert_eq!(pattern.problem(), None);
    assert!(pattern.matches(&format!("https://{}example.com/", "a.".repeat(240))));
    assert!(!pattern.matches(&format!("https://{}example.com/", "a.".repeat(2000))));
}

/// Text from the alphabet of the grammar, so that many cases come close to a good pattern.
fn near_pattern() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "https://",
        "http://",
        "cursor://",
        "a",
        "b",
        "dev",
        "example",
        "com",
        ".",
        ".",
        "*",
        "**",
        "{dev,b}",
        "{",
        "}",
        ",",
        ":",
        ":8080",
        ":*",
        "/",
        "/**",
        "@",
        "\\",
        "%2e",
        "..",
        "localhost",
        "127.0.0.1",
        "?",
        "#",
        "é",
        "\u{0}",
    ]);
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

/// A good pattern and a URL that differs from it in few places.
fn pattern_and_url() -> impl Strategy<Value = (String, String)> {
    let label = || prop::sample::select(vec!["a", "dev", "example", "*", "{a,dev}", "com"]);
    let url_label = || prop::sample::select(vec!["a", "dev", "example", "com", "evil"]);
    (
        prop::collection::vec(label(), 0..4),
        prop::collection::vec(url_label(), 0..4),
        prop::sample::select(vec!["example.com", "a.dev", "x.org"]),
        prop::sample::select(vec!["example.com", "a.dev", "evil.test"]),
    )
        .prop_map(|(labels, url_labels, end, url_end)| {
            let join = |labels: Vec<&str>, end: &str| {
                let mut all = labels;
                all.push(end);
                format!("https://{}", all.join("."))
            };
            (
                join(labels, end) + "/**",
                join(url_labels, url_end) + "/c.json",
            )
        })
}

proptest! {
    #[test]
    fn pol_11_nothing_panics(pattern in near_pattern(), url in near_pattern(), noise in ".*") {
        for text in [&pattern, &noise] {
            let pattern = ClientPattern::new(text);
            let matched = pattern.matches(&url) || pattern.matches(&noise);
            prop_assert!(!(matched && pattern.problem().is_some()));
        }
    }

    #[test]
    fn pol_11_a_match_has_the_scheme_and_the_fixed_end_of_the_host(
        (pattern, url) in pattern_and_url(),
        (near, near_url) in (near_pattern(), near_pattern()),
    ) {
        for (pattern, url) in [(pattern, url), (near, near_url)] {
            if !ClientPattern::new(&pattern).matches(&url) {
                continue;
            }
            // An independent reader of URLs.
            let parsed = url::Url::parse(&url).unwrap();
            let (scheme, rest) = pattern.split_once("://").unwrap();
            prop_assert_eq!(parsed.scheme(), scheme.to_ascii_lowercase());
            let host = rest.split(['/', ':']).next().unwrap();
            let fixed = host.rsplit(['*', '}']).next().unwrap().to_ascii_lowercase();
            let found = parsed.host_str().unwrap_or_default().to_ascii_lowercase();
            prop_assert!(found.ends_with(&fixed), "{} matched {}", pattern, url);
            prop_assert_eq!(parsed.username(), "");
        }
    }
}
