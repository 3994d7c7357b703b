//! "hello" to whoever has a token, by oauth-resource-server.

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use oauth_resource_server::http_layer::HttpAuthLayer;
use oauth_resource_server::{KeyNaming, OAuthConfig, OAuthValidator};
use tokio::net::TcpListener;
use tower::{Layer, service_fn};

async fn hello<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from("hello")))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = OAuthConfig {
        enabled: true,
        issuer: "https://auth.example.com/".into(),
        audience: "https://mcp.example.com/mcp".into(),
        resource: "https://mcp.example.com/mcp".into(),
        require_at_jwt: true,
        ..OAuthConfig::default()
    };
    let settings = settings.resolve(KeyNaming::Dotted("oauth"))?;
    let validator = Arc::new(OAuthValidator::new(&settings.ok_or("switched off")?)?);
    validator.spawn_background_refresh();
    let layer = HttpAuthLayer::builder().oauth(validator).build()?;
    let service = TowerToHyperService::new(layer.layer(service_fn(hello)));
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    loop {
        let stream = TokioIo::new(listener.accept().await?.0);
        tokio::spawn(http1::Builder::new().serve_connection(stream, service.clone()));
    }
}
