use http::header::HeaderName;
use proptest::prelude::*;

use super::*;
use crate::{Issuer, ProtectedResource};

fn described(identifier: &str) -> ProtectedResource {
    ProtectedResource::new(identifier)
        .issuer(Issuer::new("https://auth.example.com/t1"))
        .allow_origin("https://ide.example")
        .allow_origin("http://localhost:6274")
        .allow_origin("vscode-webview://abc")
        .allow_host("mcp.internal:8080")
        .allow_host("tls.internal:443")
}

fn resource() -> Resource {
    described("https://mcp.example.com/mcp").build().unwrap()
}

fn reason(resource: &Resource, uri: &str, lines: &[(HeaderName, &str)]) -> Option<Reason> {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    judge(resource, &uri.parse().unwrap(), &headers)
        .err()
        .map(|rejection| rejection.reason())
}

#[test]
fn edge_01_only_listed_origins_pass() {
    let resource = resource();
    let judged = |origin| reason(&resource, "/mcp", &[(ORIGIN, origin)]);
    for good in [
        "https://ide.example",
        "https://IDE.example",
        "HTTPS://ide.example:443",
        "https://mcp.example.com",
        "http://localhost:6274",
        "vscode-webview://abc",
    ] {
        assert_eq!(judged(good), None, "{good}");
    }
    for bad in [
        "https://evil.test",
        "http://ide.example",
        "https://ide.example:80",
        "https://ide.example:8443",
        "https://ide.example.evil.test",
        "https://evil.ide.example",
        "https://ide.example/",
        "https://ide.example.",
        "https://x@ide.example",
        "https://ide.example, https://ide.example",
        "http://localhost",
        "vscode-webview://abc:80",
        "null",
        "*",
        "",
        "\u{e9}",
    ] {
        assert_eq!(judged(bad), Some(Reason::OriginNotAllowed), "{bad}");
    }
    assert_eq!(reason(&resource, "/mcp", &[]), None);
}

#[test]
fn edge_01_null_passes_only_if_listed() {
    let listed = described("https://mcp.example.com/mcp")
        .allow_origin("null")
        .build()
        .unwrap();
    assert_eq!(reason(&listed, "/mcp", &[(ORIGIN, "null")]), None);
}

#[test]
fn edge_01_two_origin_lines_are_refused() {
    let line = (ORIGIN, "https://ide.example");
    assert_eq!(
        reason(&resource(), "/mcp", &[line.clone(), line]),
        Some(Reason::OriginNotAllowed)
    );
}

#[test]
fn t41_every_host_that_is_named_must_be_listed() {
    let resource = resource();
    let judged = |host| reason(&resource, "/mcp", &[(HOST, host)]);
    for good in [
        "mcp.example.com",
        "MCP.example.com:443",
        "mcp.internal:8080",
        "tls.internal",
        "tls.internal:443",
    ] {
        assert_eq!(judged(good), None, "{good}");
    }
    for bad in [
        "evil.test",
        "mcp.example.com:80",
        "mcp.example.com:8080",
        "mcp.internal",
        "mcp.example.com.evil.test",
        "127.0.0.1",
        "mcp.example.com.",
        "",
    ] {
        assert_eq!(judged(bad), Some(Reason::HostNotAllowed), "{bad}");
    }
    let twice = [(HOST, "mcp.example.com"), (HOST, "mcp.example.com")];
    assert_eq!(
        reason(&resource, "/mcp", &twice),
        Some(Reason::HostNotAllowed)
    );
}

#[test]
fn t41_target_and_host_line_must_both_be_listed() {
    let resource = resource();
    assert_eq!(reason(&resource, "https://mcp.example.com/mcp", &[]), None);
    assert_eq!(reason(&resource, "/mcp", &[]), None);
    for (uri, host) in [
        ("https://evil.test/mcp", "mcp.example.com"),
        ("https://mcp.example.com/mcp", "evil.test"),
        ("https://u@mcp.example.com/mcp", "mcp.example.com"),
    ] {
        let judged = reason(&resource, uri, &[(HOST, host)]);
        assert_eq!(judged, Some(Reason::HostNotAllowed), "{uri} {host}");
    }
}

#[test]
fn t41_the_implied_port_is_that_of_the_resource() {
    let local = described("http://127.0.0.1/mcp").build().unwrap();
    assert_eq!(reason(&local, "/mcp", &[(HOST, "127.0.0.1:80")]), None);
    assert_eq!(
        reason(&local, "/mcp", &[(HOST, "127.0.0.1:443")]),
        Some(Reason::HostNotAllowed)
    );
    let v6 = described("http://[::1]:3000/mcp").build().unwrap();
    assert_eq!(reason(&v6, "/mcp", &[(HOST, "[::1]:3000")]), None);
}

#[test]
fn t41_any_host_is_an_explicit_choice_and_origin_still_counts() {
    let open = described("https://mcp.example.com/mcp")
        .insecure_any_host()
        .build()
        .unwrap();
    let twice = [(HOST, "evil.test"), (HOST, "other.test")];
    assert_eq!(reason(&open, "https://third.test/", &twice), None);
    let page = [(HOST, "evil.test"), (ORIGIN, "https://evil.test")];
    assert_eq!(reason(&open, "/mcp", &page), Some(Reason::OriginNotAllowed));
}

#[test]
fn t42_refusals_say_what_to_do_and_echo_nothing() {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_bytes(b"evil\"\xff.test").unwrap());
    let rejection = judge(&resource(), &Uri::from_static("/"), &headers).unwrap_err();
    assert!(!rejection.message().contains("evil"));
    assert!(rejection.message().contains("https://mcp.example.com/mcp"));
    assert!(rejection.message().contains("allow_host"));
    assert_eq!(rejection.note(), Some(r#"evil\"\xff.test"#));
}

#[test]
fn edge_02_a_preflight_has_all_three_marks() {
    let mut headers = HeaderMap::new();
    assert!(!is_preflight(&Method::OPTIONS, &headers));
    headers.insert(ORIGIN, HeaderValue::from_static("https://ide.example"));
    assert!(!is_preflight(&Method::OPTIONS, &headers));
    headers.insert(
        ACCESS_CONTROL_REQUEST_METHOD,
        HeaderValue::from_static("POST"),
    );
    assert!(is_preflight(&Method::OPTIONS, &headers));
    assert!(!is_preflight(&Method::POST, &headers));
}

proptest! {
    #[test]
    fn edge_11_any_bytes_are_judged_without_a_panic(
        origin in prop::collection::vec(any::<u8>(), 0..300),
        host in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        if let (Ok(origin), Ok(host)) =
            (HeaderValue::from_bytes(&origin), HeaderValue::from_bytes(&host))
        {
            for (name, value) in [(ORIGIN, origin), (HOST, host)] {
                let headers = HeaderMap::from_iter([(name, value)]);
                let judged = judge(&resource(), &Uri::from_static("/mcp"), &headers);
                let rejection = judged.expect_err("no such bytes are listed");
                prop_assert!(rejection.note().unwrap().is_ascii());
            }
        }
    }
}
