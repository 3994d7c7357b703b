//! The layer on plain hyper, HTTP/1.1 and HTTP/2: a service of functions, and a stream.
//!
//! `cargo run --example server_hyper`, then do what it prints.

#[cfg(test)]
mod checks;
mod common;

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower::ServiceBuilder;
use tower_mcp_auth::authenticator::{AuthenticatorBuilder, PeerAddress};
use tower_mcp_auth::middleware::RequestBody;
use tower_mcp_auth::{AuthContext, McpAuthLayer};

use common::{BoxError, answer, name};

/// A `GET` opens a stream of events, which the layer ends with the credential. Everything else is a
/// message: the layer has read it, and hands on the same bytes as another type of body.
async fn mcp(
    request: Request<RequestBody<Incoming>>,
) -> Result<Response<UnsyncBoxBody<Bytes, Infallible>>, BoxError> {
    let (head, body) = request.into_parts();
    let auth = head.extensions.get::<AuthContext>();
    let auth = auth.ok_or("not behind McpAuthLayer")?;
    if head.method == Method::GET {
        let hello = Frame::data(format!("data: hello {}\n\n", name(auth)).into());
        let events = stream::iter([Ok(hello)]).chain(stream::pending());
        let response = Response::builder().header(CONTENT_TYPE, "text/event-stream");
        return Ok(response.body(StreamBody::new(events).boxed_unsync())?);
    }
    let message = serde_json::from_slice(&body.collect().await?.to_bytes())?;
    let answer = Full::from(answer(auth, &message).to_string());
    let response = Response::builder().header(CONTENT_TYPE, "application/json");
    Ok(response.body(answer.boxed_unsync())?)
}

async fn serve(listener: TcpListener, auth: AuthenticatorBuilder) -> Result<(), BoxError> {
    let layer = McpAuthLayer::new(auth.build()?);
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = listener.accept().await?;
        while connections.try_join_next().is_some() {}
        let service = ServiceBuilder::new()
            .map_request(move |mut request: Request<Incoming>| {
                // Where the authenticator looks, if nothing else was said.
                request.extensions_mut().insert(PeerAddress(peer.ip()));
                request
            })
            .layer(layer.clone())
            .service_fn(mcp);
        connections.spawn(async move {
            // How a connection ends is the client's business.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
                .await;
        });
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    common::run(serve, common::curl).await
}

#[cfg(test)]
mod tests {
    use http::header::AUTHORIZATION;
    use hyper_util::client::legacy::Client;
    use serde_json::Value;

    use super::*;

    /// Over HTTP/1.1, or HTTP/2.
    async fn send(
        http2: bool,
        request: http::request::Builder,
        body: String,
    ) -> Response<Incoming> {
        let mut client = Client::builder(TokioExecutor::new());
        let client = client.http2_only(http2).build_http();
        let answer = client.request(request.body(Full::<Bytes>::from(body)).unwrap());
        answer.await.unwrap()
    }

    async fn whole(response: Response<Incoming>) -> Bytes {
        response.into_body().collect().await.unwrap().to_bytes()
    }

    #[tokio::test]
    async fn every_caller_gets_the_right_answer() {
        for http2 in [false, true] {
            let (_running, demo) = checks::start(serve).await;
            checks::hold(&demo, async |credential, tool| {
                let mut request = Request::post(&demo.url);
                if let Some(credential) = credential {
                    request = request.header(AUTHORIZATION, format!("Bearer {credential}"));
                }
                let answer = send(http2, request, checks::call(tool).to_string()).await;
                let (status, headers) = (answer.status(), answer.headers().clone());
                checks::read(status, &headers, &whole(answer).await)
            })
            .await;
            let path = "/.well-known/oauth-protected-resource/mcp";
            let document = Request::get(demo.url.replace("/mcp", path));
            let document = whole(send(http2, document, String::new()).await).await;
            let document: Value = serde_json::from_slice(&document).unwrap();
            assert_eq!(document["resource"], demo.url);
        }
    }

    #[tokio::test]
    async fn mcp_20_a_stream_ends_when_the_administrator_says_no() {
        let (_running, demo) = checks::start(serve).await;
        let key = format!("Bearer {}", demo.acme_key);
        let request = Request::get(&demo.url).header(AUTHORIZATION, key);
        let mut events = send(false, request, String::new()).await.into_body();
        let hello = events.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(hello, "data: hello build-bot of acme\n\n");
        demo.allow_keys("acme", false).await.unwrap();
        let rest = events.collect().await.unwrap().to_bytes();
        assert!(
            rest.starts_with(b"event: authorization_ended\n"),
            "{rest:?}"
        );
    }
}
