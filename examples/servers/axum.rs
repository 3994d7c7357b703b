//! The layer on axum: handlers take an `AuthContext`, and browsers may call.
//!
//! `cargo run --example server_axum`, then do what it prints.

#[cfg(test)]
mod checks;
mod common;

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use tokio::net::TcpListener;
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::{AuthContext, McpAuthLayer, cors};

use common::{BoxError, answer};

/// A route that is not behind the layer cannot have this parameter: it would answer with 500.
async fn mcp(auth: AuthContext, Json(message): Json<Value>) -> Json<Value> {
    Json(answer(&auth, &message))
}

async fn serve(listener: TcpListener, auth: AuthenticatorBuilder) -> Result<(), BoxError> {
    let auth = auth
        .peer_address(|extensions| {
            let peer = extensions.get::<ConnectInfo<SocketAddr>>()?;
            Some(peer.0.ip())
        })
        .build()?;
    let cors = cors(&auth.resource());
    let app = Router::new()
        .route("/mcp", post(mcp))
        .layer(McpAuthLayer::new(auth)) // serves the metadata document too
        .layer(cors); // outside, so that pages can read refusals
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, app).await?)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    common::run(serve, common::curl).await
}

#[cfg(test)]
mod tests {
    use reqwest::{Client, Method};

    use super::*;

    fn client() -> Client {
        Client::builder().no_proxy().build().unwrap()
    }

    #[tokio::test]
    async fn every_caller_gets_the_right_answer() {
        let (_running, demo) = checks::start(serve).await;
        checks::hold(&demo, async |credential, tool| {
            let mut request = client().post(&demo.url).json(&checks::call(tool));
            if let Some(credential) = credential {
                request = request.bearer_auth(credential);
            }
            let answer = request.send().await.unwrap();
            let (status, headers) = (answer.status(), answer.headers().clone());
            checks::read(status, &headers, &answer.bytes().await.unwrap())
        })
        .await;
    }

    #[tokio::test]
    async fn a_page_finds_the_document_and_reads_refusals() {
        let (_running, demo) = checks::start(serve).await;
        let client = client();
        let page = "http://localhost:6274";
        let send = async |method: Method, path: &str, origin: &str| {
            let request = client.request(method, demo.url.replace("/mcp", path));
            let request = request.header("access-control-request-method", "POST");
            let answer = request.header("origin", origin).send().await.unwrap();
            let allowed = answer.headers().get_all("access-control-allow-origin");
            let allowed = allowed.iter().any(|allowed| allowed == origin);
            (answer.status().as_u16(), allowed, answer)
        };
        let path = "/.well-known/oauth-protected-resource/mcp";
        let (status, allowed, document) = send(Method::GET, path, "https://any.example").await;
        assert_eq!((status, allowed), (200, true));
        let document: Value = document.json().await.unwrap();
        assert_eq!(document["resource"], demo.url);
        assert_eq!(
            document["scopes_supported"],
            serde_json::json!(["read:issues"])
        );

        let (status, allowed, _) = send(Method::OPTIONS, "/mcp", page).await;
        assert_eq!((status, allowed), (200, true), "a preflight");
        let (status, allowed, refused) = send(Method::POST, "/mcp", page).await;
        assert_eq!((status, allowed), (401, true));
        let exposed = refused.headers().get_all("access-control-expose-headers");
        let exposed = format!("{:?}", exposed.iter().collect::<Vec<_>>());
        assert!(exposed.contains("www-authenticate"), "{exposed}");
        let (status, allowed, _) = send(Method::POST, "/mcp", "https://evil.example").await;
        assert_eq!((status, allowed), (403, false));
    }
}
