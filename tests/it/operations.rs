//! Which operation a request asks for, and who says so (MCP-1 to MCP-6).

use http::StatusCode;
use serde_json::json;

use crate::operations_support::{
    LEGACY, MODERN, Ops, asks, assert_rpc_error, calls, message, mirrored, rules,
};

#[tokio::test]
async fn mcp_03_headers_that_say_something_else_are_400_with_the_id() {
    for world in [Ops::cold(rules()), Ops::warm(rules()).await] {
        let get = calls("getIssue");
        for (method, name) in [
            ("tools/list", None),
            ("tools/call", Some("whoami")),
            ("tools/call", Some("GetIssue")),
            ("tools/call", Some("getIssue2")),
            ("tools/call", Some("")),
            ("TOOLS/CALL", Some("getIssue")),
            ("prompts/get", Some("getIssue")),
            ("", Some("getIssue")),
        ] {
            let answer = world.read(mirrored(method, name), get.clone()).await;
            assert_rpc_error(&answer, "header_mismatch", "7");
        }
        // The id as it was written; of a notification there is none.
        let named = json!({"jsonrpc": "2.0", "id": "a\"b", "method": "ping"}).to_string();
        let answer = world.read(mirrored("tools/list", None), named).await;
        assert_rpc_error(&answer, "header_mismatch", "\"a\\\"b\"");
        let notice = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let answer = world.read(mirrored("tools/list", None), notice).await;
        assert_rpc_error(&answer, "header_mismatch", "");
        assert_eq!(world.server.calls(), 0);
        let same = mirrored("tools/call", Some("getIssue"));
        world.read(same, get).await.assert_let_in();
        assert_eq!(world.server.calls(), 1);
    }
}

#[tokio::test]
async fn mcp_01_the_modern_version_asks_for_its_headers() {
    let world = Ops::warm(rules()).await;
    let version = || message().header("mcp-protocol-version", MODERN);
    let uri = json!({"uri": "file:///projects/x"});
    for (method, params) in [
        ("tools/call", json!({"name": "getIssue"})),
        ("prompts/get", json!({"name": "release-notes"})),
        ("resources/read", uri),
    ] {
        let body = asks(method, &params);
        let answer = world.read(version(), body.clone()).await;
        assert_rpc_error(&answer, "header_mismatch", "7");
        let answer = world.read(mirrored(method, None), body.clone()).await;
        assert_rpc_error(&answer, "header_mismatch", "7");
        let name = params["name"].as_str().or(params["uri"].as_str());
        let answer = world.read(mirrored(method, name), body).await;
        answer.assert_let_in();
    }
    let list = asks("tools/list", &json!({}));
    let answer = world.read(version(), list.clone()).await;
    assert_rpc_error(&answer, "header_mismatch", "7");
    let listed = world.read(mirrored("tools/list", None), list).await;
    listed.assert_let_in();
    // Only requests: what a notification or an answer has to say is not defined.
    for body in [
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no"}}"#,
    ] {
        world.read(version(), body).await.assert_let_in();
    }
    assert_eq!(world.server.calls(), 7);
}

#[tokio::test]
async fn mcp_02_before_the_modern_version_the_body_alone_decides() {
    for world in [Ops::cold(rules()), Ops::warm(rules()).await] {
        for version in [Some(LEGACY), Some("2025-03-26"), Some("9"), None] {
            let request = || match version {
                Some(version) => message().header("mcp-protocol-version", version),
                None => message(),
            };
            // Neither missing nor agreeing headers change what the body asks for.
            let answer = world.read(request(), calls("createIssue")).await;
            assert_eq!(answer.code(), "insufficient_scope", "{version:?}");
            let answer = world.read(request(), calls("getIssue")).await;
            answer.assert_let_in();
            let lying = request().header("mcp-method", "tools/list");
            let answer = world.read(lying, calls("createIssue")).await;
            assert_rpc_error(&answer, "header_mismatch", "7");
            let lying = request().header("mcp-name", "getIssue");
            let answer = world.read(lying, calls("createIssue")).await;
            assert_rpc_error(&answer, "header_mismatch", "7");
        }
        assert_eq!(world.server.calls(), 4);
    }
}

#[tokio::test]
async fn mcp_04_two_lines_are_400_even_if_they_agree() {
    for world in [Ops::cold(rules()), Ops::warm(rules()).await] {
        for (name, values) in [
            ("mcp-method", ["tools/call", "tools/call"]),
            ("mcp-method", ["tools/call", "tools/list"]),
            ("mcp-name", ["getIssue", "getIssue"]),
            ("mcp-name", ["getIssue", "createIssue"]),
            ("mcp-protocol-version", [MODERN, MODERN]),
            ("mcp-protocol-version", [LEGACY, MODERN]),
        ] {
            let request = message().header(name, values[0]).header(name, values[1]);
            let answer = world.read(request, calls("getIssue")).await;
            assert_rpc_error(&answer, "header_mismatch", "");
        }
        assert_eq!(world.server.calls(), 0);
    }
}

#[tokio::test]
async fn mcp_05_names_are_whole_and_case_sensitive_and_header_names_are_not() {
    let world = Ops::warm(rules()).await;
    for tool in [
        "GetIssue",
        "getissue",
        "getIssue ",
        " getIssue",
        "getIssu",
        "getIssue2",
        "",
    ] {
        let answer = world.read(message(), calls(tool)).await;
        assert_eq!(answer.code(), "operation_not_allowed", "{tool:?}");
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    for method in ["TOOLS/CALL", "tools/call ", "Tools/Call"] {
        let answer = world
            .read(message(), asks(method, &json!({"name": "getIssue"})))
            .await;
        assert_eq!(answer.code(), "operation_not_allowed", "{method:?}");
    }
    let request = message()
        .header("MCP-PROTOCOL-VERSION", MODERN)
        .header("MCP-Method", " tools/call\t")
        .header("MCP-NAME", "\t getIssue ");
    let answer = world.read(request, calls("getIssue")).await;
    answer.assert_let_in();
    assert_eq!(world.server.calls(), 1);
}

#[tokio::test]
async fn mcp_06_an_encoded_name_is_compared_decoded() {
    let rules = || {
        let name = ["zażółć", "=?base64?", "=?BASE64?Z2V0SXNzdWU=?="];
        let rules = rules().tool("=?base64?Z2V0SXNzdWU?", ["read:issues"]);
        name.iter()
            .fold(rules, |rules, name| rules.tool(name, ["read:issues"]))
    };
    let world = Ops::warm(rules()).await;
    for (header, tool) in [
        ("=?base64?Z2V0SXNzdWU=?=", "getIssue"),
        ("=?base64?emHFvMOzxYLEhw==?=", "zażółć"),
        // Without both marks, exactly as written, it stands for itself.
        ("=?base64?", "=?base64?"),
        ("=?BASE64?Z2V0SXNzdWU=?=", "=?BASE64?Z2V0SXNzdWU=?="),
        ("=?base64?Z2V0SXNzdWU?", "=?base64?Z2V0SXNzdWU?"),
    ] {
        let request = mirrored("tools/call", Some(header));
        let answer = world.read(request, calls(tool)).await;
        answer.assert_let_in();
    }
    for broken in [
        "=?base64?Z2V0SXNzdWU?=",
        "=?base64?Z2V0SXNz dWU=?=",
        "=?base64?_-__?=",
        "=?base64?/w==?=",
        "=?base64?Z2V0SXNzdWV=?=",
    ] {
        let request = mirrored("tools/call", Some(broken));
        let answer = world.read(request, calls("getIssue")).await;
        assert_rpc_error(&answer, "header_mismatch", "");
    }
    // Trap 15: what is encoded is not thereby something else.
    let encoded = mirrored("tools/call", Some("=?base64?Y3JlYXRlSXNzdWU=?="));
    let answer = world.read(encoded, calls("createIssue")).await;
    assert_eq!(answer.code(), "insufficient_scope");
    assert_eq!(world.server.calls(), 5);
}
