//! tonic in front and behind: a service without protobuf, and a real client (EDGE, KEY-6, answers).

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes};
use futures_util::stream;
use http::{Request, Response};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::NamedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Status};
use tower::{Service, service_fn};
use tower_mcp_auth::testing::Fault;
use tower_mcp_auth::{AuthContext, Authenticator, McpAuthLayer};

use crate::orgs_support::{OFF, Orgs};
use crate::support::{P, World};

/// Messages that are their own bytes.
#[derive(Default)]
pub struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// `Say` names the caller, `Count` names them three times in a stream.
#[derive(Clone)]
struct Who;

impl NamedService for Who {
    const NAME: &'static str = "test.Who";
}

/// Who calls, from the request's extensions as a tonic handler sees them.
fn caller<T>(request: &tonic::Request<T>) -> Bytes {
    assert!(!request.metadata().contains_key("authorization"), "MCP-21");
    let auth = request.extensions().get::<AuthContext>().unwrap();
    auth.principal().subject().to_string().into()
}

impl Service<Request<Body>> for Who {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(Raw);
            if request.uri().path() == "/test.Who/Say" {
                let say = service_fn(|request: tonic::Request<Bytes>| async move {
                    Ok::<_, Status>(tonic::Response::new(caller(&request)))
                });
                return Ok(grpc.unary(say, request).await);
            }
            let count = service_fn(|request: tonic::Request<Bytes>| async move {
                let names = vec![Ok::<_, Status>(caller(&request)); 3];
                Ok::<_, Status>(tonic::Response::new(stream::iter(names)))
            });
            Ok(grpc.server_streaming(count, request).await)
        })
    }
}

/// Serves `Who` behind the layer until the set is dropped; a channel to it.
async fn serve(world: &World) -> (JoinSet<()>, Channel) {
    serve_with(&world.auth).await
}

async fn serve_with(auth: &Authenticator) -> (JoinSet<()>, Channel) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder()
        .layer(McpAuthLayer::new(auth.clone()))
        .add_service(Who)
        .serve_with_incoming(TcpIncoming::from(listener));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { server.await.unwrap() });
    let channel = Endpoint::from_shared(format!("http://{address}"))
        .unwrap()
        .origin("https://mcp.example.com".parse().unwrap())
        .connect_lazy();
    (tasks, channel)
}

fn message(token: Option<&str>) -> tonic::Request<Bytes> {
    let mut request = tonic::Request::new(Bytes::from_static(b"?"));
    if let Some(token) = token {
        let value = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    request
}

async fn say(channel: &Channel, token: Option<&str>) -> Result<Bytes, Status> {
    let mut client = Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let path = "/test.Who/Say".parse().unwrap();
    Ok(client.unary(message(token), path, Raw).await?.into_inner())
}

#[tokio::test]
async fn a_handler_reads_the_context_from_the_extensions() {
    let world = World::cold();
    let (_tasks, channel) = serve(&world).await;
    let token = world.token().subject("erin").sign();
    assert_eq!(say(&channel, Some(&token)).await.unwrap(), "erin");

    let mut client = Grpc::new(channel);
    client.ready().await.unwrap();
    let path = "/test.Who/Count".parse().unwrap();
    let streamed = client
        .server_streaming(message(Some(&token)), path, Raw)
        .await;
    let mut names = streamed.unwrap().into_inner();
    for _ in 0..3 {
        assert_eq!(names.message().await.unwrap().unwrap(), "erin");
    }
    assert!(names.message().await.unwrap().is_none());
}

#[tokio::test]
async fn a_client_reads_refusals_as_statuses() {
    let world = World::cold().rebuilt(|auth| auth.require_scopes(["read:issues"]));
    let (_tasks, channel) = serve(&world).await;
    let token = world.token();
    let large = "x".repeat(9000);
    for (credential, code, challenge) in [
        (None, Code::Unauthenticated, "Bearer resource_metadata="),
        (
            Some(token.clone().expires_in(-60).sign()),
            Code::Unauthenticated,
            "Bearer error=\"invalid_token\"",
        ),
        (
            Some(token.clone().scope("other").sign()),
            Code::PermissionDenied,
            "Bearer error=\"insufficient_scope\"",
        ),
        (Some(large), Code::ResourceExhausted, ""),
    ] {
        let status = say(&channel, credential.as_deref()).await.unwrap_err();
        assert_eq!(status.code(), code, "{status:?}");
        assert!(!status.message().is_empty());
        let found = status.metadata().get("www-authenticate");
        let found = found.map_or("", |value| value.to_str().unwrap());
        assert!(found.starts_with(challenge), "{found}");
        assert_eq!(found.contains(P), !challenge.is_empty(), "{found}");
        assert!(status.metadata().contains_key("x-request-id"));
    }
}

#[tokio::test]
async fn auth_11_two_credentials_are_an_invalid_argument() {
    let world = World::cold();
    let (_tasks, channel) = serve(&world).await;
    let token = world.token().sign();
    let mut request = message(Some(&token));
    let second = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().append("authorization", second);
    let mut client = Grpc::new(channel);
    client.ready().await.unwrap();
    let path = "/test.Who/Say".parse().unwrap();
    let status = client.unary(request, path, Raw).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
}

#[tokio::test]
async fn key_06_a_client_reads_an_outage_as_unavailable() {
    let world = World::cold();
    let (_tasks, channel) = serve(&world).await;
    world.issuer.fail_all(Fault::Refuse);
    let token = world.token().sign();
    let status = say(&channel, Some(&token)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(!status.metadata().contains_key("www-authenticate"));
    assert!(status.metadata().contains_key("grpc-retry-pushback-ms"));
}

#[tokio::test]
async fn pol_01_a_switched_off_token_is_unauthenticated_with_the_challenge() {
    let world = Orgs::new().await;
    let (_tasks, channel) = serve_with(&world.auth).await;
    for credential in [world.personal(OFF).await, world.service_key(OFF).await] {
        let mut request = message(None);
        let value = credential.parse().unwrap();
        request.metadata_mut().insert("authorization", value);
        let mut client = Grpc::new(channel.clone());
        client.ready().await.unwrap();
        let path = "/test.Who/Say".parse().unwrap();
        let status = client.unary(request, path, Raw).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
        assert!(status.message().contains("switched off"), "{status:?}");
        let challenge = status.metadata().get("www-authenticate").unwrap();
        let challenge = challenge.to_str().unwrap();
        let start = format!("Bearer resource_metadata=\"{P}\"");
        assert!(challenge.starts_with(&start), "{challenge}");
        assert!(challenge.contains("error_description="), "{challenge}");
    }
    let oauth = world.oauth(OFF);
    let token = oauth.strip_prefix("Bearer ");
    assert_eq!(say(&channel, token).await.unwrap(), "alice");
}
