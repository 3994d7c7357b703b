//! Step-up by a real client: the SDK's own, from the scopes of its first login to those a tool
//! needs (SCP-1).
//!
//! By itself the SDK tells our 403 apart from other failures, reads the scopes out of its challenge,
//! keeps the connection, adds them to those it has, and makes the request for the login page. What
//! it leaves to the program around it, here the test: starting this, the browser, handing back
//! where the browser ended up, and calling again.

use std::error::Error;
use std::iter::successors;

use rmcp::model::{CallToolRequestParams, CallToolResult};
use rmcp::service::RunningService;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::auth::{AuthClient, AuthorizationCallback};
use rmcp::transport::streamable_http_client::{
    InsufficientScopeError, StreamableHttpClientTransportConfig,
};
use rmcp::{RoleClient, ServiceError, ServiceExt};
use serde_json::{Value, json};
use tower_mcp_auth::testing::Consent;

use crate::clients::{browser, location, log_in, quickstart};

type Client = RunningService<RoleClient, ()>;

async fn call(
    client: &Client,
    name: &'static str,
    arguments: Value,
) -> Result<CallToolResult, ServiceError> {
    let call = CallToolRequestParams::new(name);
    let arguments = arguments.as_object().expect("an object").clone();
    client.call_tool(call.with_arguments(arguments)).await
}

async fn create(client: &Client) -> Result<CallToolResult, ServiceError> {
    call(client, "createIssue", json!({"title": "by the SDK"})).await
}

async fn scopes(client: &Client) -> Value {
    let who = call(client, "whoami", json!({})).await.unwrap();
    who.structured_content.unwrap()["scopes"].clone()
}

/// What the SDK made of our 403: the challenge, and the scopes it read there.
fn refusal(error: &ServiceError) -> (&str, Option<&str>) {
    let challenge = error.auth_challenge().expect("a challenge");
    let first: &(dyn Error + 'static) = error;
    let found = successors(Some(first), |error| (*error).source())
        .find_map(|error| error.downcast_ref::<InsufficientScopeError>());
    let found = found.expect("the SDK sees that scopes are missing");
    assert_eq!(found.can_upgrade(), found.get_required_scope().is_some());
    (challenge, found.get_required_scope())
}

/// The part of the program around the SDK.
async fn step_up(http: &AuthClient<reqwest::Client>, required: &str) {
    let manager = http.auth_manager.lock().await;
    let page = manager.request_scope_upgrade(required).await.unwrap();
    let redirect = browser().get(page).send().await.unwrap();
    let back = AuthorizationCallback::from_redirect_url(location(&redirect).as_str()).unwrap();
    let (code, state, issuer) = (&back.code, &back.csrf_token, back.issuer.as_deref());
    let exchanged = manager.exchange_code_for_token_with_issuer(code, state, issuer);
    exchanged.await.unwrap();
}

#[tokio::test]
async fn scp_01_an_sdk_client_steps_up_from_our_403_and_succeeds() {
    let quickstart = quickstart(Consent::Automatic).await;
    let url = quickstart.resource.identifier();
    let http = log_in(url).await;
    let config = StreamableHttpClientTransportConfig::with_uri(url);
    let transport = StreamableHttpClientTransport::with_client(http.clone(), config);
    let client: Client = ().serve(transport).await.unwrap();
    assert_eq!(scopes(&client).await, json!(["read:issues"]));

    let error = create(&client).await.unwrap_err();
    let (challenge, required) = refusal(&error);
    assert!(
        challenge.starts_with(r#"Bearer error="insufficient_scope""#),
        "{challenge}"
    );
    let metadata = format!(
        "resource_metadata=\"{}\"",
        quickstart.resource.metadata_url()
    );
    assert!(challenge.contains(&metadata), "{challenge}");
    // With what it has: a client that asks for these only loses nothing.
    assert_eq!(required, Some("read:issues write:issues"));

    step_up(&http, required.unwrap()).await;
    let created = create(&client).await.unwrap();
    let created = created.structured_content.unwrap();
    assert_eq!(
        (&created["title"], &created["reporter"]),
        (&json!("by the SDK"), &json!("alice"))
    );
    // What it could do before, it still can.
    assert_eq!(
        scopes(&client).await,
        json!(["read:issues", "write:issues"])
    );
    let found = call(&client, "searchIssues", json!({"text": "by the SDK"})).await;
    let found = found.unwrap().structured_content.unwrap();
    assert_eq!(found["issues"].as_array().unwrap().len(), 1, "called once");

    let hits = quickstart.issuer.hits();
    let logins = (hits.register, hits.authorize, hits.token);
    assert_eq!(logins, (1, 2, 2), "the same client, logged in twice");
    let manager = http.auth_manager.lock().await;
    assert_eq!(manager.get_scope_upgrade_attempts().await, 0, "it is done");
    drop(manager);
    client.cancel().await.unwrap();
    quickstart.stop().await.unwrap();
}
