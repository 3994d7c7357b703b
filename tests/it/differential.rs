//! What rmcp behind the layer would run of a body: never what the layer did not allow (T36).

#[path = "../../src/rpc/tests/bodies.rs"]
mod bodies;

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, JsonRpcMessage, Reference};
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};
use tower_mcp_auth::audit::AuditText;
use tower_mcp_auth::middleware::RequestBody;
use tower_mcp_auth::operation::{Operation, Target};
use tower_mcp_auth::testing::MemoryAudit;
use tower_mcp_auth::{McpAuthLayer, ToolRules};

use self::bodies::hostile_body;
use crate::operations_support::{LEGACY, MODERN, message, mirrored};
use crate::orgs_support::{ON, Orgs};

/// What the rules below allow to somebody with `read:issues`, said once more by hand.
fn permitted(operation: Operation<'_>) -> bool {
    match operation.target() {
        Some(Target::Tool(name) | Target::Prompt(name)) => name == "deploy",
        Some(Target::Resource(uri)) => uri == "file:///etc/passwd",
        Some(Target::Task(_)) => true,
        Some(other) => panic!("a target nobody knows: {other:?}"),
        None => {
            let known = ["initialize", "ping", "tools/list", "subscriptions/listen"];
            known.contains(&operation.method()) || operation.method().starts_with("notifications/")
        }
    }
}

fn rules() -> ToolRules {
    ToolRules::new()
        .tool("deploy", ["read:issues"])
        .tool("createIssue", ["write:issues"])
        .prompt("deploy", ["read:issues"])
        .prompt("createIssue", ["write:issues"])
        .resource("file:///etc/passwd", ["read:issues"])
        .method("logging/setLevel", ["write:issues"])
}

/// The operation as rmcp dispatches it: by variant, then by the field its handler is given.
fn dispatched(request: &ClientRequest) -> Option<Operation<'_>> {
    let method = request.method();
    Some(match request {
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
        ClientRequest::CustomRequest(custom) => {
            let named_by = match method.split('/').next() {
                Some("tools" | "prompts") => "name",
                Some("resources") => "uri",
                Some("tasks") => "taskId",
                // Known to rmcp only where it can read it.
                Some("completion") => return None,
                _ => "",
            };
            let params = custom.params.as_ref();
            Operation::new(
                method,
                params.and_then(|params| params.get(named_by)?.as_str()),
            )
        }
        _ => Operation::new(method, None),
    })
}

#[derive(Debug, Default)]
struct Tally {
    sent: Cell<u32>,
    let_in: Cell<u32>,
    requests: Cell<u32>,
    calls: Cell<u32>,
    others: Cell<u32>,
    unread: Cell<u32>,
}

fn count(cell: &Cell<u32>) {
    cell.set(cell.get() + 1);
}

/// Stands for the server: reads what it is given as rmcp does, and panics at what it should not get.
fn run(body: &[u8], audit: &MemoryAudit, tally: &Tally) {
    count(&tally.let_in);
    let records = audit.take();
    let target = records.last().unwrap().target.as_ref().unwrap();
    let Ok(message) = serde_json::from_slice::<ClientJsonRpcMessage>(body) else {
        return count(&tally.unread);
    };
    match message {
        JsonRpcMessage::Request(theirs) => {
            let method = AuditText::from(theirs.request.method());
            assert_eq!(target.mcp_method.as_ref(), Some(&method));
            if let Some(operation) = dispatched(&theirs.request) {
                assert!(permitted(operation), "{operation}");
                let name = operation
                    .target()
                    .map(|target| AuditText::from(target.name()));
                assert_eq!(target.mcp_name, name);
            }
            if let ClientRequest::CallToolRequest(_) = theirs.request {
                count(&tally.calls);
            }
            count(&tally.requests);
        }
        JsonRpcMessage::Notification(theirs) => {
            let theirs = serde_json::to_value(theirs).unwrap();
            let method = theirs["method"].as_str().unwrap();
            assert_eq!(target.mcp_method, Some(AuditText::from(method)));
            count(&tally.others);
        }
        _ => {
            assert_eq!(target.mcp_method, None);
            count(&tally.others);
        }
    }
}

/// Headers that are honest, silent, or lying.
fn headed(way: usize, body: &[u8]) -> http::request::Builder {
    let honest = || -> Option<http::request::Builder> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let (method, params) = (body["method"].as_str()?, &body["params"]);
        let name = ["name", "uri", "taskId"]
            .iter()
            .find_map(|name| params[*name].as_str());
        let plain = |text: &str| http::HeaderValue::from_str(text).is_ok();
        let name = name.filter(|name| plain(name));
        plain(method).then(|| mirrored(method, name))
    };
    let legacy = || message().header("mcp-protocol-version", LEGACY);
    match way {
        0 | 1 => honest().unwrap_or_else(message),
        2 => mirrored("tools/call", Some("deploy")),
        3 => mirrored("tools/list", None),
        4 => legacy().header("mcp-method", "tools/list"),
        5 => message().header("mcp-protocol-version", MODERN),
        _ => legacy(),
    }
}

fn send_many(cases: u32) -> Rc<Tally> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let audit = MemoryAudit::new();
    let configured = Orgs::custom(|auth| auth.tools(rules()).audit(audit.clone()));
    let world = runtime.block_on(configured);
    let key = runtime.block_on(world.service_key(ON));
    let tally = Rc::new(Tally::default());
    let inner = service_fn(|request: Request<RequestBody<Full<Bytes>>>| {
        let read = request.into_body().collect().now_or_never();
        run(&read.unwrap().unwrap().to_bytes(), &audit, &tally);
        async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) }
    });
    let service = McpAuthLayer::new(world.auth.clone()).layer(inner);
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let ran = runner.run(&(hostile_body(), 0..10_usize), |(body, way)| {
        count(&tally.sent);
        let _before = audit.take();
        let request = headed(way, &body).header("authorization", &key);
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let response = runtime.block_on(service.clone().oneshot(request)).unwrap();
        prop_assert!([200, 400, 403].contains(&response.status().as_u16()));
        Ok(())
    });
    ran.unwrap();
    // Bodies that never get through prove nothing.
    for (enough, part) in [
        (&tally.let_in, 10),
        (&tally.requests, 20),
        (&tally.calls, 200),
        (&tally.others, 100),
    ] {
        assert!(enough.get() > cases / part, "{tally:?}");
    }
    tally
}

#[test]
fn t36_rmcp_behind_the_layer_never_runs_what_was_not_allowed() {
    let cases = std::env::var("TOWER_MCP_AUTH_CASES").ok();
    let tally = send_many(cases.map_or(10_000, |cases| cases.parse().unwrap()));
    eprintln!("{tally:?}");
}

#[test]
#[ignore = "long: 10^6 bodies; cargo nextest run --run-ignored all"]
fn t36_rmcp_behind_the_layer_never_runs_what_was_not_allowed_in_a_million_bodies() {
    let tally = send_many(1_000_000);
    eprintln!("{tally:?}");
}
