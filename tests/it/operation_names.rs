//! What a message asks for, and the rules about it (MCP-1, MCP-8 to MCP-11).

use http::StatusCode;
use serde_json::{Value, json};
use tower_mcp_auth::ToolRules;

use crate::operations_support::{
    Ops, asks, assert_rpc_error, calls, message, mirrored, rules, whole,
};

#[tokio::test]
async fn mcp_08_a_task_id_is_no_tool() {
    let world = Ops::warm(rules()).await;
    for method in ["tasks/get", "tasks/cancel", "tasks/result", "tasks/update"] {
        let body = asks(method, &json!({"taskId": "createIssue"}));
        let answer = world
            .read(mirrored(method, Some("createIssue")), body.clone())
            .await;
        answer.assert_let_in();
        let answer = world.read(mirrored(method, Some("another")), body).await;
        assert_rpc_error(&answer, "header_mismatch", "7");
        // Nobody is let in for the sake of an id.
        let body = asks(method, &json!({"taskId": "getIssue"}));
        let answer = world
            .send(mirrored(method, Some("getIssue")), whole(body))
            .await;
        assert_eq!(answer.code(), "missing_credential");
    }
    assert_eq!(world.server.calls(), 4);
}

#[tokio::test]
async fn mcp_09_what_no_rule_names_is_403_or_what_is_configured() {
    let world = Ops::warm(rules()).await;
    for (method, params) in [
        ("foo/bar", json!({})),
        ("tools/callx", json!({"name": "getIssue"})),
        ("tools/call", json!({"name": "dropDatabase"})),
        ("prompts/get", json!({"name": "other"})),
        ("resources/read", json!({"uri": "file:///etc/passwd"})),
        (
            "resources/read",
            json!({"uri": "file:///projects/../etc/passwd"}),
        ),
        ("resources/subscribe", json!({"uri": "file:///etc/passwd"})),
    ] {
        let answer = world.read(message(), asks(method, &params)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method}");
        assert_eq!(answer.header("www-authenticate"), None, "SCP-7");
        let body = answer.json();
        assert_eq!(body["error"], "operation_not_allowed");
        let asked = body["operation"].as_str().unwrap();
        assert!(asked.starts_with(method), "{asked}");
    }
    assert_eq!(world.server.calls(), 0);
    let rules = rules()
        .unknown_tools(["use:anything"])
        .unknown_methods(["ask:anything"]);
    let world = Ops::warm(rules).await;
    for (body, scope) in [
        (calls("dropDatabase"), "use:anything"),
        (asks("foo/bar", &json!({})), "ask:anything"),
    ] {
        let answer = world.read(message(), body.clone()).await;
        assert_eq!(answer.json()["missing_scopes"], json!([scope]));
        let request = message().header("authorization", world.with(scope));
        world.send(request, whole(body)).await.assert_let_in();
    }
}

#[tokio::test]
async fn mcp_10_a_dispatcher_is_judged_by_what_it_is_told_to_do() {
    let rules = ToolRules::new().dispatcher("execute", |call| match call.text("operation") {
        Some("read") => tower_mcp_auth::tool::Dispatch::from(["read:issues"]),
        Some("write") => ["write:issues"].into(),
        Some("broken") => panic!("a fault of the callback"),
        _ => tower_mcp_auth::tool::Dispatch::Deny,
    });
    let world = Ops::warm(rules).await;
    let execute = |operation: Value| {
        asks(
            "tools/call",
            &json!({"name": "execute", "arguments": {"operation": operation}}),
        )
    };
    let header = || mirrored("tools/call", Some("execute"));
    world
        .read(header(), execute("read".into()))
        .await
        .assert_let_in();
    for (operation, code) in [
        (json!("write"), "insufficient_scope"),
        (json!("drop"), "operation_not_allowed"),
        (json!(null), "operation_not_allowed"),
        (json!(["read"]), "operation_not_allowed"),
        (json!("broken"), "internal"),
    ] {
        let answer = world.read(header(), execute(operation)).await;
        assert_eq!(answer.code(), code);
    }
    let none = world.read(header(), calls("execute")).await;
    assert_eq!(none.code(), "operation_not_allowed");
    // Two readers of these arguments would see two operations.
    let twice = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"execute","arguments":{"operation":"read","operation":"write"}}}"#;
    let answer = world.read(header(), twice).await;
    assert_rpc_error(&answer, "malformed_message", "");
    assert_eq!(world.server.calls(), 1);
}

#[tokio::test]
async fn mcp_11_parameters_in_headers_are_passed_on_and_decide_nothing() {
    let world = Ops::warm(rules()).await;
    let request = || {
        mirrored("tools/call", Some("getIssue"))
            .header("mcp-param-region", "eu")
            .header("mcp-param-region", "us")
            .header("mcp-param-name", "createIssue")
    };
    world
        .read(request(), calls("getIssue"))
        .await
        .assert_let_in();
    let headers = &world.server.seen()[0].headers;
    let region: Vec<_> = headers.get_all("mcp-param-region").iter().collect();
    assert_eq!(region, ["eu", "us"]);
    assert_eq!(headers["mcp-param-name"], "createIssue");
    assert_eq!(headers["mcp-name"], "getIssue");
}

#[tokio::test]
async fn mcp_01_notifications_are_judged_and_answers_are_not() {
    let rules = rules().method("notifications/cancelled", ["write:issues"]);
    let world = Ops::warm(rules).await;
    for (body, allowed) in [
        (
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            true,
        ),
        (
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
            false,
        ),
        (r#"{"jsonrpc":"2.0","method":"foo/bar"}"#, false),
        (
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"createIssue"}}"#,
            false,
        ),
        (
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"getIssue"}}"#,
            true,
        ),
        (
            r#"{"jsonrpc":"2.0","id":7,"result":{"name":"createIssue"}}"#,
            true,
        ),
        (
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":"x"}}"#,
            true,
        ),
    ] {
        let answer = world.read(message(), body).await;
        assert_eq!(answer.status == 200, allowed, "{body} {:?}", answer.body);
        let answer = world.send(message(), whole(body)).await;
        assert_eq!(answer.code(), "missing_credential", "{body}");
    }
    assert_eq!(world.server.calls(), 4);
}
