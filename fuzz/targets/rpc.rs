//! JSON-RPC bodies against rmcp: what we call an operation, rmcp runs as that one or refuses (T36).
#![no_main]

use rmcp::model::{ClientJsonRpcMessage, ClientRequest, JsonRpcMessage, Reference, RequestId};
use serde_json::Value;
use tower_mcp_auth::fuzzing::{Asked, is_plain_json, message};
use tower_mcp_auth::operation::{Operation, Target};
use tower_mcp_auth_fuzz::fuzz_target;
use tower_mcp_auth_fuzz::json::strict_object;

/// As rmcp dispatches it; `None` where its variant says nothing about the target.
fn dispatched(request: &ClientRequest) -> Option<String> {
    let method = request.method();
    let operation = match request {
        ClientRequest::CallToolRequest(call) => Operation::new(method, Some(&call.params.name)),
        ClientRequest::GetPromptRequest(get) => Operation::new(method, Some(&get.params.name)),
        ClientRequest::ReadResourceRequest(read) => Operation::new(method, Some(&read.params.uri)),
        ClientRequest::SubscribeRequest(on) => Operation::new(method, Some(&on.params.uri)),
        ClientRequest::UnsubscribeRequest(off) => Operation::new(method, Some(&off.params.uri)),
        ClientRequest::GetTaskRequest(get) => Operation::new(method, Some(&get.params.task_id)),
        ClientRequest::UpdateTaskRequest(set) => Operation::new(method, Some(&set.params.task_id)),
        ClientRequest::CancelTaskRequest(end) => Operation::new(method, Some(&end.params.task_id)),
        ClientRequest::CompleteRequest(complete) => match &complete.params.r#ref {
            Reference::Prompt(prompt) => Operation::on(method, Target::Prompt(&prompt.name)),
            Reference::Resource(resource) => Operation::on(method, Target::Resource(&resource.uri)),
            other => panic!("a reference nobody knows: {other:?}"),
        },
        _ => return None,
    };
    Some(format!("{:?}", operation.target()?))
}

/// The same from the parameters alone.
fn by_value(method: &str, params: &Value) -> Option<String> {
    let text = |name: &str| params[name].as_str();
    let operation = match method {
        "tools/call" | "prompts/get" => Operation::new(method, text("name")),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => Operation::new(method, text("uri")),
        "tasks/get" | "tasks/update" | "tasks/cancel" | "tasks/result" => Operation::new(method, text("taskId")),
        "completion/complete" => match params["ref"]["type"].as_str()? {
            "ref/prompt" => Operation::on(method, Target::Prompt(params["ref"]["name"].as_str()?)),
            _ => Operation::on(method, Target::Resource(params["ref"]["uri"].as_str()?)),
        },
        _ => return None,
    };
    Some(format!("{:?}", operation.target()?))
}

fn same(ours: &Asked, body: &[u8]) {
    // Every reader of JSON reads the same members, none of them twice.
    let whole = strict_object(body, 64, usize::MAX).expect("a strict object");
    assert_eq!(whole["jsonrpc"], "2.0");
    let (method, target) = match &ours.operation {
        None => (None, None),
        Some((method, target)) => (Some(method.as_str()), target.clone()),
    };
    assert_eq!(method, whole.get("method").and_then(Value::as_str));
    let params = whole.get("params").cloned().unwrap_or_default();
    assert_eq!(target, method.and_then(|method| by_value(method, &params)));
    let id = ours.id.as_deref().map(|id| serde_json::from_str::<Value>(id).expect("an id"));
    assert_eq!(id.as_ref(), whole.get("id"));
    if let Some(arguments) = &ours.arguments {
        let arguments: Value = serde_json::from_slice(arguments).expect("arguments");
        assert_eq!(arguments, params["arguments"]);
    } else if matches!(method, Some("tools/call" | "prompts/get")) {
        assert!(params["arguments"].is_null());
    }
    if method == Some("subscriptions/listen") {
        let uris = &params["notifications"]["resourceSubscriptions"];
        let uris = uris.as_array().map_or(&[][..], |uris| uris);
        assert_eq!(ours.subscriptions, uris.iter().filter_map(Value::as_str).collect::<Vec<_>>());
    }
}

fuzz_target!(|data: &[u8]| {
    let Some(ours) = message(data) else {
        return;
    };
    assert!(is_plain_json(data));
    same(&ours, data);
    match serde_json::from_slice::<ClientJsonRpcMessage>(data) {
        Err(_) => {}
        Ok(JsonRpcMessage::Request(theirs)) => {
            assert_eq!(ours.kind, "Request");
            let (method, target) = ours.operation.expect("an operation");
            let id: RequestId = serde_json::from_str(&ours.id.expect("an id")).expect("an id");
            assert_eq!(id, theirs.id);
            assert_eq!(method, theirs.request.method());
            if let Some(dispatched) = dispatched(&theirs.request) {
                assert_eq!(target, Some(dispatched));
            }
            if let ClientRequest::CallToolRequest(call) = &theirs.request {
                let arguments = ours.arguments.map(|json| serde_json::from_slice(&json).expect("arguments"));
                assert_eq!(call.params.arguments, arguments);
            }
        }
        Ok(JsonRpcMessage::Notification(theirs)) => {
            assert_eq!(ours.kind, "Notification");
            let theirs = serde_json::to_value(theirs).expect("JSON");
            assert_eq!(theirs["method"], ours.operation.expect("an operation").0);
        }
        Ok(_) => {
            assert_eq!(ours.kind, "Response");
            assert_eq!(ours.operation, None);
        }
    }
});
