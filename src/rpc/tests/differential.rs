//! What rmcp makes of a body that we read: never another operation (T36).

use std::cell::Cell;

use proptest::test_runner::{Config, TestRunner};
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, JsonRpcMessage, Reference, RequestId};

use super::super::message::naming_parameter;
use super::super::{Kind, Message, read};
use super::bodies::hostile_body;
use crate::operation::{Operation, Target};

/// What happened, by how many bodies.
#[derive(Debug, Default)]
struct Tally {
    both_requests: Cell<u32>,
    both_calls: Cell<u32>,
    both_others: Cell<u32>,
    only_ours: Cell<u32>,
    only_rmcp: Cell<u32>,
    neither: Cell<u32>,
}

fn count(cell: &Cell<u32>) {
    cell.set(cell.get() + 1);
}

/// The operation as rmcp dispatches it: by variant, then by the field its handler is given.
fn dispatched(request: &ClientRequest) -> Operation<'_> {
    let method = request.method();
    match request {
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
            let params = custom.params.as_ref();
            let name = naming_parameter(method).and_then(|name| params?.get(name)?.as_str());
            Operation::new(method, name)
        }
        _ => Operation::new(method, None),
    }
}

/// Panics if rmcp would run what we did not say.
fn compare(body: &[u8], tally: &Tally) {
    let theirs = serde_json::from_slice::<ClientJsonRpcMessage>(body).ok();
    let ours = match (read(body), &theirs) {
        (Err(_), None) => return count(&tally.neither),
        (Err(_), Some(_)) => return count(&tally.only_rmcp),
        (Ok(_), None) => return count(&tally.only_ours),
        (Ok(ours), Some(_)) => ours,
    };
    match theirs {
        Some(JsonRpcMessage::Request(theirs)) => {
            let id: RequestId = serde_json::from_str(ours.id().unwrap()).unwrap();
            assert_eq!(id, theirs.id);
            same_request(&ours, &theirs.request, tally);
        }
        Some(JsonRpcMessage::Notification(theirs)) => {
            assert_eq!(ours.kind(), Kind::Notification);
            let theirs = serde_json::to_value(theirs).unwrap();
            assert_eq!(theirs["method"], ours.operation().unwrap().method());
            count(&tally.both_others);
        }
        _ => {
            assert_eq!(ours.kind(), Kind::Response);
            assert_eq!(ours.operation(), None);
            count(&tally.both_others);
        }
    }
}

fn same_request(ours: &Message<'_>, theirs: &ClientRequest, tally: &Tally) {
    assert_eq!(ours.kind(), Kind::Request);
    let operation = ours.operation().unwrap();
    let untyped_completion = matches!(theirs, ClientRequest::CustomRequest(_))
        && operation.method() == "completion/complete";
    if untyped_completion {
        assert_eq!(operation.method(), theirs.method());
    } else {
        assert_eq!(operation, dispatched(theirs));
    }
    if let ClientRequest::CallToolRequest(call) = theirs {
        let arguments = ours
            .arguments()
            .map(|json| serde_json::from_slice(json).unwrap());
        assert_eq!(call.params.arguments, arguments);
        count(&tally.both_calls);
    }
    count(&tally.both_requests);
}

fn compare_many(cases: u32) {
    let tally = Tally::default();
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let run = runner.run(&hostile_body(), |body| {
        compare(&body, &tally);
        Ok(())
    });
    eprintln!("{cases} bodies: {tally:?}");
    run.unwrap();
    // Bodies that nobody takes prove nothing.
    assert!(tally.both_requests.get() > cases / 5, "{tally:?}");
    assert!(tally.both_calls.get() > cases / 50, "{tally:?}");
    assert!(tally.both_others.get() > cases / 50, "{tally:?}");
    assert!(tally.neither.get() > cases / 50, "{tally:?}");
}

#[test]
fn t36_rmcp_never_runs_what_we_did_not_read() {
    let cases = std::env::var("TOWER_MCP_AUTH_CASES").ok();
    compare_many(cases.map_or(10_000, |cases| cases.parse().unwrap()));
}

#[test]
#[ignore = "long: 10^6 bodies; cargo nextest run --run-ignored all"]
fn t36_rmcp_never_runs_what_we_did_not_read_in_a_million_bodies() {
    compare_many(1_000_000);
}
