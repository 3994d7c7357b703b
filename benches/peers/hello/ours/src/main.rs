//! "hello" to whoever has a token, by this crate.

use std::convert::Infallible;
use std::error::Error;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::{Layer, service_fn};
use tower_mcp_auth::{Authenticator, Issuer, McpAuthLayer, ProtectedResource};

async fn hello<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from("hello")))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let issuer = Issuer::new("https://auth.example.com/");
    let resource = ProtectedResource::new("https://mcp.example.com/mcp").issuer(issuer);
    let layer = McpAuthLayer::new(Authenticator::builder(resource).build()?);
    let service = TowerToHyperService::new(layer.layer(service_fn(hello)));
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    loop {
        let stream = TokioIo::new(listener.accept().await?.0);
        tokio::spawn(http1::Builder::new().serve_connection(stream, service.clone()));
    }
}
