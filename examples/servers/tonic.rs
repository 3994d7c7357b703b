//! The layer on tonic: refusals are statuses, and each gRPC service asks for its own scopes.
//!
//! `cargo run --example server_tonic`, then do what it prints.

#[cfg(test)]
mod checks;
mod common;
mod issues;

use futures_util::{StreamExt, stream};
use tokio::net::TcpListener;
use tonic::service::LayerExt;
use tonic::transport::Server;
use tonic::transport::server::{TcpConnectInfo, TcpIncoming};
use tonic::{Request, Response, Status, async_trait};
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::{AuthContext, McpAuthLayer, RequireScopesLayer};

use common::{BoxError, name};
use issues::{Reader, ReaderServer, Texts, Writer, WriterServer};

struct Issues;

/// The context is in the extensions of every request.
fn caller<T>(request: &Request<T>) -> Result<String, Status> {
    let auth = request.extensions().get::<AuthContext>();
    auth.map(name)
        .ok_or_else(|| Status::internal("not behind McpAuthLayer"))
}

#[async_trait]
impl Reader for Issues {
    async fn whoami(&self, request: Request<String>) -> Result<Response<String>, Status> {
        Ok(Response::new(caller(&request)?))
    }

    /// Goes on for ever, as far as this handler knows: the layer ends it with the credential.
    async fn watch(&self, request: Request<String>) -> Result<Response<Texts>, Status> {
        let hello = Ok(format!("hello {}", caller(&request)?));
        let texts = stream::iter([hello]).chain(stream::pending());
        Ok(Response::new(texts.boxed()))
    }
}

#[async_trait]
impl Writer for Issues {
    async fn create(&self, request: Request<String>) -> Result<Response<String>, Status> {
        Ok(Response::new(caller(&request)?))
    }
}

async fn serve(listener: TcpListener, auth: AuthenticatorBuilder) -> Result<(), BoxError> {
    let auth = auth
        .peer_address(|extensions| {
            let peer = extensions.get::<TcpConnectInfo>()?;
            Some(peer.remote_addr()?.ip())
        })
        .build()?;
    // Tool rules are about MCP messages, and let gRPC pass; what it needs is said per service.
    let (reads, writes) = (["read:issues"], ["write:issues"]);
    let reader = RequireScopesLayer::new(reads).named_layer(ReaderServer::new(Issues));
    let writer = RequireScopesLayer::new(writes).named_layer(WriterServer::new(Issues));
    Server::builder()
        .layer(McpAuthLayer::new(auth))
        .add_service(reader)
        .add_service(writer)
        .serve_with_incoming(TcpIncoming::from(listener))
        .await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    common::run(serve, curl).await
}

fn path(tool: &str) -> &'static str {
    match tool {
        "createIssue" => "/issues.Writer/Create",
        _ => "/issues.Reader/Whoami",
    }
}

/// An empty message; what a 401 or 403 is to the other servers is `grpc-status` 16 or 7 here.
fn curl(url: &str, tool: &str) -> String {
    let url = url.replace("/mcp", path(tool));
    let curl = "curl -i --output - --http2-prior-knowledge --data-binary @-";
    format!(
        r"printf '\0\0\0\0\0' | {curl} {url} -H 'Content-Type: application/grpc' -H 'TE: trailers'"
    )
}

#[cfg(test)]
mod tests {
    use http::uri::PathAndQuery;
    use tonic::Code;
    use tonic::client::Grpc;
    use tonic::transport::{Channel, Endpoint};

    use super::*;
    use common::Demo;
    use issues::Text;

    async fn start() -> (checks::Running, Demo, Grpc<Channel>) {
        let (running, demo) = checks::start(serve).await;
        let origin = demo.url.replace("/mcp", "");
        let channel = Endpoint::from_shared(origin).unwrap().connect().await;
        let mut client = Grpc::new(channel.unwrap());
        client.ready().await.unwrap();
        (running, demo, client)
    }

    fn request(credential: Option<&str>) -> Request<String> {
        let mut request = Request::new(String::new());
        if let Some(credential) = credential {
            let value = format!("Bearer {credential}").parse().unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        request
    }

    #[tokio::test]
    async fn srv_03_every_caller_gets_the_right_answer() {
        let (_running, demo, client) = start().await;
        checks::hold(&demo, async |credential, tool| {
            let mut client = client.clone();
            client.ready().await.unwrap();
            let path = PathAndQuery::from_static(path(tool));
            let answer = client.unary(request(credential), path, Text).await;
            answer.map(Response::into_inner).map_err(|status| {
                let challenge = status.metadata().get("www-authenticate");
                let challenge = challenge.unwrap().to_str().unwrap().to_owned();
                match status.code() {
                    Code::Unauthenticated => (401, challenge),
                    Code::PermissionDenied => (403, challenge),
                    _ => panic!("{status:?}"),
                }
            })
        })
        .await;
    }

    #[tokio::test]
    async fn srv_03_a_stream_ends_when_the_administrator_says_no() {
        let (_running, demo, mut client) = start().await;
        let path = PathAndQuery::from_static("/issues.Reader/Watch");
        let refused = client.server_streaming(request(None), path.clone(), Text);
        assert_eq!(refused.await.unwrap_err().code(), Code::Unauthenticated);

        client.ready().await.unwrap();
        let opened = client.server_streaming(request(Some(&demo.acme_key)), path, Text);
        let mut texts = opened.await.unwrap().into_inner();
        let hello = texts.message().await.unwrap().unwrap();
        assert_eq!(hello, "hello build-bot of acme");
        demo.allow_keys("acme", false).await.unwrap();
        let ended = texts.message().await.unwrap_err();
        assert_eq!(ended.code(), Code::Unauthenticated);
        assert!(ended.message().contains("switched off"), "{ended:?}");
    }
}
