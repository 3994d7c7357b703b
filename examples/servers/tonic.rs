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
    let caller = request.extensions().get::<AuthContext>().map(name);
    caller.ok_or_else(|| Status::internal("not behind McpAuthLayer"))
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
    let (read, write) = (["read:issues"], ["write:issues"]);
    let reader = RequireScopesLayer::new(read).named_layer(ReaderServer::new(Issues));
    let writer = RequireScopesLayer::new(write).named_layer(WriterServer::new(Issues));
    let server = Server::builder()
        .layer(McpAuthLayer::new(auth)) // serves the metadata document too
        .add_service(reader)
        .add_service(writer)
        .serve_with_incoming(TcpIncoming::from(listener));
    Ok(server.await?)
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

/// With an empty message. What is 401 or 403 elsewhere is `grpc-status` 16 or 7 in the answer.
fn curl(url: &str, tool: &str) -> String {
    let url = url.replace("/mcp", path(tool));
    let curl = "curl -i --http2-prior-knowledge -H 'Content-Type: application/grpc'";
    format!(r"printf '\0\0\0\0\0' | {curl} --data-binary @- --output - {url}")
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

    async fn connect(demo: &Demo) -> Grpc<Channel> {
        let origin = Endpoint::from_shared(demo.url.replace("/mcp", "")).unwrap();
        let mut client = Grpc::new(origin.connect().await.unwrap());
        client.ready().await.unwrap();
        client
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
    async fn every_caller_gets_the_right_answer() {
        let (_running, demo) = checks::start(serve).await;
        checks::hold(&demo, async |credential, tool| {
            let path = PathAndQuery::from_static(path(tool));
            let mut client = connect(&demo).await;
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
    async fn mcp_20_a_stream_ends_when_the_administrator_says_no() {
        let (_running, demo) = checks::start(serve).await;
        let path = PathAndQuery::from_static("/issues.Reader/Watch");
        let mut client = connect(&demo).await;
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
