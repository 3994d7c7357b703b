//! What holds for every server, whatever carries the call of a tool with a credential.
#![allow(dead_code, reason = "each server uses its part of it")]

use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower_mcp_auth::authenticator::AuthenticatorBuilder;

use super::common::{BoxError, Demo};

/// What a caller gets: the text, or status and challenge of a refusal.
pub(crate) type Answer = Result<String, (u16, String)>;

/// Ends with this value.
pub(crate) type Running = JoinSet<Result<(), BoxError>>;

pub(crate) async fn start<F>(serve: fn(TcpListener, AuthenticatorBuilder) -> F) -> (Running, Demo)
where
    F: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    let (listener, demo) = Demo::start().await.unwrap();
    let mut running = JoinSet::new();
    running.spawn(serve(listener, demo.authenticator()));
    (running, demo)
}

pub(crate) fn call(tool: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool}})
}

/// Reads a response to a call.
pub(crate) fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer {
    if status != 200 {
        let challenges = headers.get_all("www-authenticate").iter();
        let challenges = challenges.map(|line| line.to_str().unwrap());
        return Err((status.as_u16(), challenges.collect()));
    }
    let message: Value = serde_json::from_slice(body).unwrap();
    let text = message["result"]["content"][0]["text"].as_str();
    Ok(text.unwrap_or_else(|| panic!("{message}")).to_owned())
}

pub(crate) async fn hold(demo: &Demo, ask: impl AsyncFn(Option<&str>, &str) -> Answer) {
    let metadata = "/.well-known/oauth-protected-resource/mcp";
    let metadata = demo.url.replace("/mcp", metadata);
    let metadata = format!("resource_metadata=\"{metadata}\"");
    let refused = async |credential, tool: &str, with: u16| {
        let (status, challenge) = ask(credential, tool).await.unwrap_err();
        assert_eq!(status, with, "{challenge}");
        assert!(challenge.starts_with("Bearer "), "{challenge}");
        assert!(challenge.contains(&metadata), "{challenge}");
        challenge
    };

    let challenge = refused(None, "whoami", 401).await;
    assert!(!challenge.contains("error="), "{challenge}");

    let reader = demo.token("read:issues");
    let alice = Ok("alice of acme".to_owned());
    assert_eq!(ask(Some(&reader), "whoami").await, alice);
    let challenge = refused(Some(&reader), "createIssue", 403).await;
    let fault = r#"Bearer error="insufficient_scope""#;
    assert!(challenge.starts_with(fault), "{challenge}");
    assert!(challenge.contains("write:issues"), "{challenge}");
    let writer = demo.token("read:issues write:issues");
    assert_eq!(ask(Some(&writer), "createIssue").await, alice);

    let bot = |organization| Ok(format!("build-bot of {organization}"));
    assert_eq!(ask(Some(&demo.acme_key), "whoami").await, bot("acme"));
    let key = Some(&*demo.globex_key);
    refused(key, "whoami", 401).await;
    demo.allow_keys("globex", true).await.unwrap();
    assert_eq!(ask(key, "whoami").await, bot("globex"));
}
