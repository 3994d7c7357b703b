use super::*;
use crate::fetch::document::head::{max_age, retry_after};

#[tokio::test]
async fn r05_any_other_status_is_a_failure_with_its_retry_after() {
    for (status, line, expected) in [
        (500, None, None),
        (404, Some("10"), Some(10)),
        (429, Some("120"), Some(120)),
        (503, Some("86400"), Some(300)),
        (503, Some("99999999999999999999999"), Some(300)),
        (503, Some("Wed, 21 Oct 2026 07:28:00 GMT"), None),
        (503, Some("-1"), None),
        (201, Some("7"), Some(7)),
        (204, None, None),
        (206, None, None),
    ] {
        let mut lines = vec![("content-type", "application/json")];
        lines.extend(line.map(|line| ("retry-after", line)));
        let fetch = answering(status, &lines, Full::<Bytes>::from("{}"));
        let failure = fetched(&fetch).await.unwrap_err();
        let said = failure.error.report();
        assert_eq!(
            said,
            format!("GET https://auth.example.com:8443/jwks: answered {status} instead of 200")
        );
        assert_eq!(
            failure.retry_after,
            expected.map(Duration::from_secs),
            "{line:?}"
        );
    }
}

#[tokio::test]
async fn r05_only_json_is_accepted() {
    for good in [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        "application/json ; a=b",
        "application/jwk-set+json",
    ] {
        let fetch = answering(200, &[("content-type", good)], Full::<Bytes>::from("{}"));
        assert!(fetched(&fetch).await.is_ok(), "{good}");
    }
    for bad in [
        "",
        "text/html",
        "text/json",
        "text/plain; a=application/json",
        "json",
        "application/+json",
        "application/jsonp",
        "application/json-seq",
        "application/json, text/html",
        "application/x, application/y+json",
        "application/json\u{e9}",
    ] {
        let fetch = answering(200, &[("content-type", bad)], Full::<Bytes>::from("{}"));
        let said = failure(&fetch).await;
        assert!(said.contains("content-type"), "{bad}: {said}");
    }
    let fetch = answering(200, &[], Full::<Bytes>::from("{}"));
    assert!(failure(&fetch).await.contains("no content-type"));
}

#[tokio::test]
async fn r05_doubled_header_lines_are_a_failure() {
    for (lines, word) in [
        (&[("content-type", "application/json")][..], "content-type"),
        (
            &[
                ("content-encoding", "identity"),
                ("content-encoding", "gzip"),
            ],
            "content-encoding",
        ),
        (
            &[("content-length", "2"), ("content-length", "2")],
            "content-length",
        ),
    ] {
        let said = failure(&json(lines, "{}")).await;
        assert!(
            said.contains(&format!("more than one {word} line")),
            "{said}"
        );
    }
}

#[tokio::test]
async fn r07_a_compressed_body_is_refused() {
    for coding in ["gzip", "br", "identity, gzip", ""] {
        let said = failure(&json(&[("content-encoding", coding)], "{}")).await;
        assert!(said.contains("content-encoded"), "{coding}: {said}");
    }
    let fetch = json(&[("content-encoding", "Identity")], "{}");
    assert!(fetched(&fetch).await.is_ok());
}

#[test]
fn key_03_max_age_is_read_and_doubts_settle_against_caching() {
    for (lines, expected) in [
        (&[][..], None),
        (&["max-age=60"], Some(60)),
        (&["Public , MAX-AGE = 60 , must-revalidate"], Some(60)),
        (&["max-age=\"60\""], Some(60)),
        (&["max-age=0"], Some(0)),
        (&["max-age=60", "max-age=30"], Some(30)),
        (&["max-age=30, max-age=60"], Some(30)),
        (&["max-age=60, no-store"], Some(0)),
        (&["max-age=60", "No-Cache"], Some(0)),
        (&["no-cache=\"set-cookie\", max-age=60"], Some(0)),
        (&["max-age=abc, no-store"], Some(0)),
        (&["s-maxage=60"], None),
        (&["max-age"], None),
        (&["max-age="], None),
        (&["max-age=-1"], None),
        (&["max-age=1.5"], None),
        (&["max-age=6 0"], None),
        (&["max-age=abc, max-age=60"], None),
        (&["x=\"a, max-age=60\""], None),
        (&["\u{e9}", "max-age=60"], None),
        (&["max-age=99999999999999999999999"], Some(1 << 31)),
    ] {
        let lines: Vec<_> = lines.iter().map(|line| ("cache-control", *line)).collect();
        let expected = expected.map(Duration::from_secs);
        assert_eq!(max_age(&headers(&lines)), expected, "{lines:?}");
    }
}

#[test]
fn r05_a_doubled_retry_after_counts_as_none() {
    let lines = [("retry-after", "1"), ("retry-after", "2")];
    assert_eq!(retry_after(&headers(&lines)), None);
}
