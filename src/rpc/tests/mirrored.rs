use http::{HeaderMap, HeaderName, HeaderValue};

use super::super::mirrored::Mirrored;
use super::super::{HeaderFault, MessageFault, mirrored, read};
use crate::operation::{Operation, Target};

const MODERN: &str = "2026-07-28";

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
    }
    headers
}

/// Headers of version, method and name, as far as they are not empty.
fn three(version: &str, method: &str, name: &str) -> HeaderMap {
    let lines = [
        ("MCP-Protocol-Version", version),
        ("Mcp-Method", method),
        ("Mcp-Name", name),
    ];
    headers(
        &lines
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect::<Vec<_>>(),
    )
}

fn check(headers: &HeaderMap, body: &str) -> Result<(), HeaderFault> {
    mirrored(headers)?.check(&read(body.as_bytes()).unwrap())
}

fn request(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
}

#[test]
fn mcp_01_a_modern_request_repeats_method_and_name() {
    for (method, params) in [
        ("tools/call", r#"{"name":"it"}"#),
        ("prompts/get", r#"{"name":"it"}"#),
        ("resources/read", r#"{"uri":"it"}"#),
        ("tasks/get", r#"{"taskId":"it"}"#),
        ("tasks/update", r#"{"taskId":"it"}"#),
        ("tasks/cancel", r#"{"taskId":"it"}"#),
    ] {
        let body = request(method, params);
        assert_eq!(check(&three(MODERN, method, "it"), &body), Ok(()));
        assert_eq!(
            check(&three(MODERN, "", "it"), &body),
            Err(HeaderFault::MethodMissing)
        );
        assert_eq!(
            check(&three(MODERN, method, ""), &body),
            Err(HeaderFault::NameMissing)
        );
        assert_eq!(check(&three("2025-11-25", "", ""), &body), Ok(()));
        assert_eq!(check(&three("", "", ""), &body), Ok(()));
    }
    let list = request("tools/list", "{}");
    assert_eq!(check(&three(MODERN, "tools/list", ""), &list), Ok(()));
    assert_eq!(
        check(&three(MODERN, "", ""), &list),
        Err(HeaderFault::MethodMissing)
    );
}

#[test]
fn mcp_01_the_handshake_notifications_and_responses_need_no_headers() {
    let only_version = three(MODERN, "", "");
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{}}"#,
    ] {
        assert_eq!(check(&only_version, body), Ok(()), "{body}");
        let lying = three(MODERN, "tools/list", "");
        assert_eq!(
            check(&lying, body),
            Err(HeaderFault::MethodDiffers),
            "{body}"
        );
    }
}

#[test]
fn mcp_02_headers_of_old_versions_prove_nothing() {
    let versions = [
        "",
        "2025-11-25",
        "2026-07-27",
        "9",
        "latest",
        "2026-7-28",
        "2026-07-28T",
        "2026/07/28",
        " 2026-07-28",
        "2026-07-28 ",
        "DRAFT-2026-v1",
        "20260728",
        "2026-07-2x",
    ];
    for version in versions {
        let headers = three(version, "tools/list", "");
        let mirrored = mirrored(&headers).unwrap();
        assert!(!mirrored.is_modern(), "{version}");
        assert_eq!(mirrored.operation(), None, "{version}");
    }
    for version in [MODERN, "2026-07-29", "2026-11-01", "2030-01-01"] {
        let headers = three(version, "tools/list", "");
        let mirrored = mirrored(&headers).unwrap();
        assert!(mirrored.is_modern(), "{version}");
        assert_eq!(
            mirrored.operation(),
            Some(Operation::new("tools/list", None))
        );
    }
}

#[test]
fn mcp_02_headers_that_do_not_say_all_are_no_operation() {
    let operation = |method: &str, name: &str| {
        let headers = three(MODERN, method, name);
        let mirrored = mirrored(&headers).unwrap();
        mirrored.operation().map(|operation| operation.to_string())
    };
    assert_eq!(
        operation("tools/call", "deploy").as_deref(),
        Some("tools/call deploy")
    );
    assert_eq!(operation("", "deploy"), None);
    assert_eq!(operation("tools/call", ""), None);
    assert_eq!(operation("resources/subscribe", ""), None);
    assert_eq!(operation("tasks/cancel", ""), None);
    assert_eq!(operation("completion/complete", ""), None);
    assert_eq!(operation("completion/complete", "deploy"), None);
    assert_eq!(
        operation("tools/list", "deploy").as_deref(),
        Some("tools/list")
    );
}

#[test]
fn mcp_03_headers_that_differ_from_the_body_are_refused_whatever_the_version() {
    let call = request("tools/call", r#"{"name":"deploy"}"#);
    for version in ["", "2025-11-25", MODERN] {
        let method = check(&three(version, "tools/list", "deploy"), &call);
        assert_eq!(method, Err(HeaderFault::MethodDiffers));
        let name = check(&three(version, "tools/call", "other"), &call);
        assert_eq!(name, Err(HeaderFault::NameDiffers));
        let empty = headers(&[
            ("MCP-Protocol-Version", version),
            ("Mcp-Method", "tools/call"),
            ("Mcp-Name", ""),
        ]);
        assert_eq!(check(&empty, &call), Err(HeaderFault::NameDiffers));
        assert_eq!(
            check(&three(version, "tools/call", "deploy"), &call),
            Ok(())
        );
    }
    let notification = r#"{"jsonrpc":"2.0","method":"resources/subscribe","params":{"uri":"a"}}"#;
    assert_eq!(
        check(&three("", "", "b"), notification),
        Err(HeaderFault::NameDiffers)
    );
}

#[test]
fn mcp_04_two_lines_of_one_header_are_refused() {
    for name in ["MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"] {
        for values in [["a", "a"], ["a", "b"]] {
            let lines = headers(&[(name, values[0]), (name, values[1])]);
            assert_eq!(
                mirrored(&lines).unwrap_err(),
                HeaderFault::Repeated,
                "{name}"
            );
        }
    }
}

#[test]
fn mcp_05_values_are_trimmed_and_compared_whole_and_with_case() {
    let call = request("tools/call", r#"{"name":"createIssue"}"#);
    let lines = |method, name| headers(&[("mcp-METHOD", method), ("MCP-name", name)]);
    assert_eq!(
        check(&lines(" \ttools/call ", "\tcreateIssue  "), &call),
        Ok(())
    );
    for method in [
        "TOOLS/CALL",
        "tools/cal",
        "tools/call2",
        "tools / call",
        "tools/call,",
    ] {
        let faulty = lines(method, "createIssue");
        assert_eq!(
            check(&faulty, &call),
            Err(HeaderFault::MethodDiffers),
            "{method}"
        );
    }
    for name in [
        "CreateIssue",
        "createissue",
        "createIssues",
        "create",
        "create Issue",
    ] {
        let faulty = lines("tools/call", name);
        assert_eq!(
            check(&faulty, &call),
            Err(HeaderFault::NameDiffers),
            "{name}"
        );
    }
    let spaced = request("tools/call", r#"{"name":" createIssue"}"#);
    assert_eq!(
        check(&lines("tools/call", " createIssue"), &spaced),
        Err(HeaderFault::NameDiffers)
    );
    let coded = lines("tools/call", "=?base64?IGNyZWF0ZUlzc3Vl?=");
    assert_eq!(check(&coded, &spaced), Ok(()));
}

#[test]
fn mcp_06_coded_names_are_decoded_before_they_are_compared() {
    let named = |value: &str| {
        let headers = headers(&[
            ("MCP-Protocol-Version", MODERN),
            ("Mcp-Method", "tools/call"),
            ("Mcp-Name", value),
        ]);
        mirrored(&headers).map(|mirrored| {
            let operation = mirrored.operation().unwrap();
            operation.target().unwrap().name().to_owned()
        })
    };
    assert_eq!(named("=?base64?ZGVwbG95?=").as_deref(), Ok("deploy"));
    assert_eq!(named(" =?base64?w6k=?=\t").as_deref(), Ok("\u{e9}"));
    assert_eq!(named("=?base64??=").as_deref(), Ok(""));
    for literal in [
        "=?BASE64?ZGVwbG95?=",
        "=?base64?ZGVwbG95",
        "ZGVwbG95?=",
        "=?base64?=",
        "=?utf8?x?=",
        "x=?base64?ZGVwbG95?=",
    ] {
        assert_eq!(named(literal).as_deref(), Ok(literal));
    }
    for bad in [
        "=?base64?!!!?=",
        "=?base64?ZGVwbG9?=",
        "=?base64?ZGVwbG95=?=",
        "=?base64?w6l=?=",
        "=?base64?_-__?=",
        "=?base64? ZGVw?=",
        "=?base64?/w==?=",
    ] {
        assert_eq!(named(bad), Err(HeaderFault::Encoding), "{bad}");
    }
    let call = request("tools/call", r#"{"name":"deploy"}"#);
    assert_eq!(
        check(&three(MODERN, "tools/call", "=?base64?ZGVwbG95?="), &call),
        Ok(())
    );
    assert_eq!(
        check(&three(MODERN, "tools/call", "=?base64?b3RoZXI=?="), &call),
        Err(HeaderFault::NameDiffers)
    );
    // Methods have no coded form.
    let coded = three(MODERN, "=?base64?dG9vbHMvY2FsbA==?=", "deploy");
    assert_eq!(check(&coded, &call), Err(HeaderFault::MethodDiffers));
}

#[test]
fn mcp_06_bytes_outside_visible_ascii_are_refused() {
    for name in ["MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"] {
        for value in ["caf\u{e9}", "\u{4e2d}"] {
            let lines = headers(&[(name, value)]);
            assert_eq!(
                mirrored(&lines).unwrap_err(),
                HeaderFault::Unreadable,
                "{name}"
            );
        }
    }
}

#[test]
fn mcp_08_a_task_id_is_no_tool_name() {
    let headers = three(MODERN, "tasks/cancel", "createIssue");
    let cancel = request("tasks/cancel", r#"{"taskId":"createIssue","name":"x"}"#);
    assert_eq!(check(&headers, &cancel), Ok(()));
    let read: Mirrored<'_> = mirrored(&headers).unwrap();
    assert_eq!(
        read.operation().unwrap().target(),
        Some(Target::Task("createIssue"))
    );
    let other = request("tasks/cancel", r#"{"taskId":"x","name":"createIssue"}"#);
    assert_eq!(check(&headers, &other), Err(HeaderFault::NameDiffers));
}

#[test]
fn mcp_11_unknown_parameters_in_headers_are_ignored() {
    let call = request(
        "tools/call",
        r#"{"name":"deploy","arguments":{"region":"eu"}}"#,
    );
    let mut headers = three(MODERN, "tools/call", "deploy");
    for value in ["us", "eu", "=?base64?!!!?="] {
        headers.append("mcp-param-region", HeaderValue::from_static(value));
    }
    assert_eq!(check(&headers, &call), Ok(()));
    let operation = mirrored(&headers).unwrap();
    assert_eq!(
        operation.operation(),
        Some(Operation::new("tools/call", Some("deploy")))
    );
}

#[test]
fn mcp_23_a_batch_never_gets_as_far_as_the_headers() {
    let batch = format!("[{}]", request("tools/list", "{}"));
    assert_eq!(read(batch.as_bytes()).unwrap_err(), MessageFault::Batch);
}

#[test]
fn mcp_03_a_name_for_a_method_that_names_nothing_is_left_alone() {
    let list = request("tools/list", "{}");
    assert_eq!(check(&three(MODERN, "tools/list", "deploy"), &list), Ok(()));
}
