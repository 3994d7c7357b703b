//! A handler that finds out that it needs more (STEP-1, STEP-3), and what goes on record (SCP-11).

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_mcp_auth::audit::{AuditEvent, AuditOutcome, AuditRecord, AuditText};
use tower_mcp_auth::{AuthContext, AuthenticateLayer, AuthorizeToolLayer, StepUp};

use crate::operations_support::{Ops, calls, message, rules, send, whole};
use crate::orgs_support::{ON, Orgs};
use crate::redaction::Log;
use crate::support::{Answer, P};

/// How a handler asks for more.
#[derive(Clone, Copy, Debug)]
enum By {
    Context,
    Extension,
}

const WAYS: [By; 2] = [By::Context, By::Extension];

/// A server that has a change of mind about every request.
#[derive(Clone)]
struct Demanding(By, StepUp);

impl<B: Send + 'static> tower::Service<Request<B>> for Demanding {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let response = Response::builder()
            .header("mcp-session-id", "inner")
            .header("x-inner", "1");
        let mut response = response
            .body(Full::from("the client never sees this"))
            .unwrap();
        match self.0 {
            By::Context => {
                let auth = request.extensions().get::<AuthContext>().unwrap();
                auth.step_up(self.1.clone());
                // The first call counts.
                auth.step_up(StepUp::scopes(["never:asked"]));
            }
            By::Extension => drop(response.extensions_mut().insert(self.1.clone())),
        }
        std::future::ready(Ok(response))
    }
}

async fn demand(world: &Ops, by: By, step_up: StepUp) -> Answer {
    let request = message()
        .header("x-request-id", "req-1")
        .header("authorization", world.reader());
    let _before = world.records();
    send(
        &world.auth,
        Demanding(by, step_up),
        request,
        whole(calls("getIssue")),
    )
    .await
}

#[tokio::test]
async fn step_01_a_handler_asks_for_more_and_its_own_answer_is_gone() {
    for world in [Ops::cold(rules()), Ops::warm(rules()).await] {
        for by in WAYS {
            let answer = demand(&world, by, StepUp::scopes(["pay:large"])).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{by:?}");
            let text = "This request needs pay:large; the access token lacks pay:large";
            assert_eq!(
                answer.challenge(),
                format!(
                    "Bearer error=\"insufficient_scope\", scope=\"pay:large read:issues\", error_description=\"{text}\", resource_metadata=\"{P}\""
                )
            );
            assert_eq!(answer.json()["missing_scopes"], json!(["pay:large"]));
            assert_eq!(answer.json()["request_id"], "req-1");
            for gone in ["mcp-session-id", "x-inner"] {
                assert_eq!(answer.header(gone), None);
            }
            let login = StepUp::acr_values(["phr"]).max_age(Duration::from_secs(300));
            let answer = demand(&world, by, login.message("Confirm the transfer")).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            assert_eq!(
                answer.challenge(),
                format!(
                    "Bearer error=\"insufficient_user_authentication\", error_description=\"Confirm the transfer\", resource_metadata=\"{P}\", acr_values=\"phr\", max_age=\"300\""
                )
            );
        }
    }
}

#[tokio::test]
async fn step_01_who_asks_after_the_response_has_begun_is_told_so() {
    let world = Ops::cold(rules());
    let (log, _logging) = Log::start();
    let (keep, kept) = std::sync::mpsc::channel();
    let server = tower::service_fn(move |request: Request<_>| {
        let auth = request.extensions().get::<AuthContext>().cloned();
        keep.send(auth.unwrap()).unwrap();
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(
            "begun",
        ))))
    });
    let request = message().header("authorization", world.reader());
    let answer = send(&world.auth, server, request, whole(calls("getIssue"))).await;
    assert_eq!(answer.status, StatusCode::OK);
    let told = "asked for a step-up after its response had begun";
    assert!(!log.text().contains(told), "{}", log.text());
    kept.recv().unwrap().step_up(StepUp::scopes(["pay:large"]));
    assert!(log.text().contains(told), "{}", log.text());
}

#[tokio::test]
async fn step_01_what_the_credential_has_cannot_be_asked_for() {
    let world = Ops::warm(rules()).await;
    for by in WAYS {
        // Nor can what was written wrongly: both are faults of the handler.
        for fault in [
            StepUp::scopes(["read:issues"]),
            StepUp::scopes(["two words"]),
            StepUp::scopes([""; 0]),
        ] {
            let answer = demand(&world, by, fault.message("Nobody reads this")).await;
            assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(answer.header("www-authenticate"), None);
            assert_eq!(answer.json()["error"], "server_error");
            let record = world.records().pop().unwrap();
            assert_eq!(record.event, AuditEvent::AuthUnavailable);
            assert_eq!(record.reason.unwrap().code(), "internal");
        }
    }
}

#[tokio::test]
async fn step_03_an_api_token_is_told_and_not_sent_to_log_in() {
    let world = Orgs::new().await;
    for credential in [world.personal(ON).await, world.service_key(ON).await] {
        for (step_up, error) in [
            (StepUp::scopes(["pay:large"]), "insufficient_scope"),
            (StepUp::acr_values(["phr"]), "user_login_required"),
        ] {
            let request = message().header("authorization", &credential);
            let server = Demanding(By::Context, step_up);
            let answer = send(&world.auth, server, request, whole("")).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN);
            assert_eq!(answer.header("www-authenticate"), None);
            assert_eq!(answer.json()["error"], error);
        }
    }
}

fn texts(scopes: &[AuditText]) -> Vec<&str> {
    scopes.iter().map(AuditText::as_str).collect()
}

#[track_caller]
fn assert_elevation(record: &AuditRecord, required: &[&str], missing: &[&str]) {
    assert_eq!(record.event, AuditEvent::AuthDenied);
    assert_eq!(record.outcome, AuditOutcome::Refused);
    assert_eq!(texts(&record.scopes), ["read:issues"]);
    assert_eq!(texts(&record.required_scopes), required);
    assert_eq!(texts(&record.missing_scopes), missing);
    let principal = record.principal.as_ref().unwrap();
    assert_eq!(principal.subject.as_str(), "alice");
    assert!(record.organization.is_some());
    assert_eq!(record.method, Some("oauth2"));
}

#[tokio::test]
async fn scp_11_an_elevation_is_on_record_with_what_is_held_and_what_is_needed() {
    let rules = || rules().tool("moveIssue", ["write:issues", "read:issues"]);
    for world in [Ops::cold(rules()), Ops::warm(rules()).await] {
        world.read(message(), calls("moveIssue")).await;
        let records = world.records();
        assert_eq!(records.len(), 1, "{records:?}");
        assert_elevation(
            &records[0],
            &["read:issues", "write:issues"],
            &["write:issues"],
        );
        assert_eq!(records[0].status, Some(403));
        let target = records[0].target.as_ref().unwrap();
        assert_eq!(target.mcp_method.as_ref().unwrap().as_str(), "tools/call");
        assert_eq!(target.mcp_name.as_ref().unwrap().as_str(), "moveIssue");
        let json = records[0].to_json();
        assert!(json.contains(r#""scopes":["read:issues"],"required_scopes":["read:issues","write:issues"],"missing_scopes":["write:issues"]"#), "{json}");

        // What is not about scopes says nothing about them.
        world.read(message(), calls("nothing")).await;
        world.read(message(), calls("getIssue")).await;
        for record in world.records() {
            assert!(record.required_scopes.is_empty() && record.missing_scopes.is_empty());
            assert!(!record.to_json().contains("required_scopes"));
        }
    }
}

#[tokio::test]
async fn scp_11_a_handlers_change_of_mind_is_a_second_record() {
    for world in [Ops::cold(rules()), Ops::warm(rules()).await] {
        for by in WAYS {
            for (step_up, reason, status, required) in [
                (
                    StepUp::scopes(["pay:large"]),
                    "insufficient_scope",
                    403,
                    &["pay:large"][..],
                ),
                (StepUp::acr_values(["phr"]), "login_too_weak", 401, &[]),
            ] {
                demand(&world, by, step_up).await;
                let records = world.records();
                assert_eq!(records.len(), 2, "{records:?}");
                assert_eq!(records[0].event, AuditEvent::AuthOk);
                assert!(records[0].target.as_ref().unwrap().mcp_name.is_some());
                assert_elevation(&records[1], required, required);
                assert_eq!(records[1].reason.unwrap().code(), reason);
                assert_eq!(records[1].status, Some(status));
                assert_eq!(records[1].target, None, "what it was about is in the first");
                for record in &records {
                    assert_eq!(record.request_id.as_ref().unwrap().as_str(), "req-1");
                }
            }
        }
    }
}

#[tokio::test]
async fn scp_11_grant_and_change_of_mind_share_a_request_id_of_ours() {
    for world in [Ops::cold(rules()), Ops::warm(rules()).await] {
        let request = message().header("authorization", world.reader());
        let server = Demanding(By::Context, StepUp::scopes(["pay:large"]));
        let answer = send(&world.auth, server, request, whole(calls("getIssue"))).await;
        let shown = answer.json()["request_id"].as_str().unwrap().to_owned();
        let records = world.records();
        let ids = records
            .iter()
            .map(|record| record.request_id.as_ref().unwrap().as_str());
        assert_eq!(ids.collect::<Vec<_>>(), [&shown, &shown]);
    }
}

#[tokio::test]
async fn scp_11_two_layers_answer_and_record_a_change_of_mind_once() {
    let world = Ops::warm(rules()).await;
    for by in WAYS {
        let service = ServiceBuilder::new()
            .layer(AuthenticateLayer::new(world.auth.clone()))
            .layer(AuthorizeToolLayer::new(world.auth.clone()))
            .service(Demanding(by, StepUp::scopes(["pay:large"])));
        let request = message()
            .header("x-request-id", "req-1")
            .header("authorization", world.reader());
        let response = service.oneshot(request.body(whole(calls("getIssue"))).unwrap());
        let answer = Answer::read(response.await.unwrap()).await;
        assert_eq!(answer.code(), "insufficient_scope");
        let events: Vec<_> = world.records().iter().map(|record| record.event).collect();
        assert_eq!(events, [AuditEvent::AuthOk, AuditEvent::AuthDenied]);
    }
    // The layer for credentials alone listens too.
    let service = AuthenticateLayer::new(world.auth.clone())
        .layer(Demanding(By::Extension, StepUp::scopes(["pay:large"])));
    let request = message().header("authorization", world.reader());
    let response = service.oneshot(request.body(whole("")).unwrap()).await;
    assert_eq!(response.unwrap().status(), StatusCode::FORBIDDEN);
}
