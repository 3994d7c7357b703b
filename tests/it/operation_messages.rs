//! What is one message, and what is none or two (MCP-23, T36).

use crate::operations_support::{Ops, assert_rpc_error, calls, message, rules};
use crate::support::post;

/// Bodies that two readers may take for two things, or that are no message.
#[tokio::test]
async fn mcp_23_t36_what_is_not_one_message_is_400_and_never_passed_on() {
    let get = calls("getIssue");
    let bom = format!("\u{feff}{get}");
    let deep = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\",\"params\":{{\"x\":{}{}}}}}",
        "[".repeat(70),
        "]".repeat(70)
    );
    let bodies = [
        // Trap 16.
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","method":"tools/list","params":{"name":"getIssue"}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"getIssue","name":"createIssue"}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"getIssue","n\u0061me":"createIssue"}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"getIssue"},"params":{"name":"createIssue"}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","Method":"tools/list","params":{"name":"getIssue"}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"getIssue","Name":"createIssue"}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"getIssue","_meta":{"a":1,"a":2}}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"ping","$serde_json::private::RawValue":"{}"}"#,
        &format!("[{get}]"),
        &format!("[{get},{get}]"),
        "[]",
        &bom,
        &deep,
        &format!("{get}{get}"),
        &format!("{get}\0"),
        "",
        " ",
        "null",
        "7",
        "\"tools/list\"",
        r#"{"id":7,"method":"ping"}"#,
        r#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":7.5,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"ping","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":7}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":["tools/call"]}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":["getIssue"]}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":["getIssue"]}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"getIssue","arguments":[]}}"#,
        "method=tools%2Fcall&name=getIssue",
    ];
    for world in [Ops::cold(rules()), Ops::warm(rules()).await] {
        for body in bodies {
            let answer = world.read(message(), body.to_owned()).await;
            assert_rpc_error(&answer, "malformed_message", "");
        }
        let not_text = world.read(message(), &b"{\"jsonrpc\":\"\xff\"}"[..]).await;
        assert_rpc_error(&not_text, "malformed_message", "");
        for (name, value) in [
            ("content-encoding", "gzip"),
            ("content-encoding", "identity, gzip"),
            ("content-type", "application/json"),
            ("content-type", "application/octet-stream"),
        ] {
            let answer = world.read(message().header(name, value), get.clone()).await;
            assert_rpc_error(&answer, "malformed_message", "");
        }
        assert_eq!(world.server.calls(), 0);
        // In doubt it is a message, and judged as one.
        for kind in [
            "text/plain",
            "application/json, text/html",
            "x",
            "application/grpc, a/b",
        ] {
            let request = post().header("content-type", kind);
            let answer = world.read(request, calls("createIssue")).await;
            assert_eq!(answer.code(), "insufficient_scope", "{kind}");
        }
        let plain = message().header("content-encoding", "identity");
        world.read(plain, get.clone()).await.assert_let_in();
        world.read(post(), get.clone()).await.assert_let_in();
    }
}
