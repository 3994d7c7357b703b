//! The metadata document (requirements PRM) through the public layer.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_mcp_auth::{Issuer, ProtectedResource, Resource, ResourceMetadataLayer};

const P: &str = "/.well-known/oauth-protected-resource/mcp";

fn described(identifier: &str) -> ProtectedResource {
    ProtectedResource::new(identifier)
        .issuer(Issuer::new("https://auth.example.com/t1"))
        .name("Example MCP")
}

fn resource() -> Resource {
    described("https://mcp.example.com/mcp")
        .baseline_scopes(["read:issues", "offline_access"])
        .build()
        .unwrap()
}

fn app(resource: Resource) -> Router {
    Router::new()
        .route("/mcp", any(|| async { "inner" }))
        .layer(ResourceMetadataLayer::new([resource]))
}

async fn send(app: Router, method: &str, uri: &str) -> Response<Body> {
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .header("host", "evil.test")
        .header("x-forwarded-host", "evil.test")
        .header("origin", "https://anyone.test")
        .body(Body::empty())
        .unwrap();
    app.oneshot(request).await.unwrap()
}

async fn bytes(response: Response<Body>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

async fn document(app: Router, uri: &str) -> Value {
    let response = send(app, "GET", uri).await;
    assert_eq!(response.status(), StatusCode::OK);
    serde_json::from_slice(&bytes(response).await).unwrap()
}

#[tokio::test]
async fn prm_01_the_document_is_e8_whatever_the_host_says() {
    let response = send(app(resource()), "GET", P).await;
    assert_eq!(response.status(), StatusCode::OK);
    let headers = response.headers();
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["access-control-allow-origin"], "*");
    assert_eq!(headers["cache-control"], "public, max-age=300");
    let document: Value = serde_json::from_slice(&bytes(response).await).unwrap();
    let expected = json!({
        "resource": "https://mcp.example.com/mcp",
        "authorization_servers": ["https://auth.example.com/t1"],
        "scopes_supported": ["read:issues"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Example MCP",
    });
    assert_eq!(document, expected, "PRM-4, PRM-8, PRM-12, PRM-13, PRM-17");
}

#[tokio::test]
async fn prm_03_the_root_location_has_the_same_document() {
    let root = document(app(resource()), Resource::ROOT_METADATA_PATH).await;
    assert_eq!(root, document(app(resource()), P).await);
}

#[tokio::test]
async fn prm_09_no_scopes_no_member() {
    let plain = described("https://mcp.example.com/mcp").build().unwrap();
    let document = document(app(plain), P).await;
    assert!(document.get("scopes_supported").is_none(), "{document}");
}

#[tokio::test]
async fn prm_07_a_resource_without_an_issuer_is_not_built() {
    let error = ProtectedResource::new("https://mcp.example.com/mcp")
        .build()
        .unwrap_err();
    assert_eq!(error.problems()[0].field, "resource.issuers");
}

#[tokio::test]
async fn prm_10_head_has_the_length_and_no_body() {
    let length = resource().document().len();
    let layer = ResourceMetadataLayer::new([resource()]);
    // Without axum, which drops the body of HEAD by itself.
    let service = layer.layer(service_fn(never));
    let request = Request::head(P).body(Body::empty()).unwrap();
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-length"], length.to_string());
    assert_eq!(response.headers()["content-type"], "application/json");
    assert!(http_body::Body::is_end_stream(response.body()));
}

async fn never(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    panic!("the inner service was called for {}", request.uri());
}

#[tokio::test]
async fn prm_10_other_methods_are_405_with_allow() {
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"] {
        for path in [P, Resource::ROOT_METADATA_PATH] {
            let response = send(app(resource()), method, path).await;
            assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(response.headers()["allow"], "GET, HEAD, OPTIONS");
        }
    }
}

#[tokio::test]
async fn prm_19_a_preflight_for_the_document_succeeds() {
    let response = send(app(resource()), "OPTIONS", P).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    let headers = response.headers();
    assert_eq!(headers["allow"], "GET, HEAD, OPTIONS");
    assert_eq!(headers["access-control-allow-origin"], "*");
    assert_eq!(
        headers["access-control-allow-methods"],
        "GET, HEAD, OPTIONS"
    );
    let allowed = headers["access-control-allow-headers"].to_str().unwrap();
    assert!(allowed.split(", ").any(|name| name == "*"));
}

#[tokio::test]
async fn prm_06_the_slash_twin_is_308_to_the_identifier() {
    for method in ["GET", "POST", "DELETE", "OPTIONS"] {
        let response = send(app(resource()), method, "/mcp/").await;
        assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT);
        assert_eq!(
            response.headers()["location"],
            "https://mcp.example.com/mcp",
            "PRM-17"
        );
    }
}

#[tokio::test]
async fn t35_everything_else_reaches_the_router() {
    let response = send(app(resource()), "POST", "/mcp?x=/.well-known/").await;
    assert_eq!(bytes(response).await, "inner");
    for path in [
        "/.well-known/oauth-protected-resource%2fmcp",
        "/.well-known//oauth-protected-resource/mcp",
        "/mcp/../.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource/mcp;a=b",
        "/.well-known/oauth-authorization-server",
    ] {
        let response = send(app(resource()), "GET", path).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(bytes(response).await.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn prm_05_each_of_several_resources_has_its_own_document() {
    let [a, b] = ["https://h.test/a", "https://h.test/b"]
        .map(|identifier| described(identifier).build().unwrap());
    let app = Router::new().layer(ResourceMetadataLayer::new([a, b]));
    for name in ["a", "b"] {
        let uri = format!("{}/{name}", Resource::ROOT_METADATA_PATH);
        let document = document(app.clone(), &uri).await;
        assert_eq!(document["resource"], format!("https://h.test/{name}"));
    }
    let root = send(app, "GET", Resource::ROOT_METADATA_PATH).await;
    assert_eq!(root.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn prm_10_the_document_over_a_socket() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let identifier = format!("http://{address}/mcp");
    let resource = described(&identifier).build().unwrap();
    let served = resource.document().clone();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, app(resource)).await });

    let client = reqwest::Client::new();
    let url = format!("http://{address}{P}");
    let head = client.head(&url).send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()["content-length"], served.len().to_string());
    // On the same connection: HEAD has left no byte behind.
    let get = client.get(&url).send().await.unwrap();
    assert_eq!(get.bytes().await.unwrap(), served);
    let twin = format!("{identifier}/");
    let followed = client.post(&twin).body("x").send().await.unwrap();
    assert_eq!(followed.url().as_str(), identifier);
    assert_eq!(followed.text().await.unwrap(), "inner");
}

#[tokio::test]
async fn edge_11_readiness_is_the_inner_services_own() {
    let (inner, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    let mut service =
        tower_test::mock::Spawn::new(ResourceMetadataLayer::new([resource()]).layer(inner));
    handle.allow(0);
    assert!(service.poll_ready().is_pending());
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
    // An answer of the layer leaves the inner service unasked.
    let request = Request::get(P).body(Body::empty()).unwrap();
    let response = service.call(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    handle.send_error("inner has failed");
    assert!(matches!(
        service.poll_ready(),
        std::task::Poll::Ready(Err(_))
    ));
}

#[tokio::test]
async fn prm_10_any_request_body_and_error_type_pass_through() {
    #[derive(Debug, PartialEq)]
    struct Failed;
    let inner = service_fn(|_: Request<u8>| async { Err::<Response<Body>, _>(Failed) });
    let mut service = ResourceMetadataLayer::new([resource()]).layer(inner);
    let failed = service
        .ready()
        .await
        .unwrap()
        .call(Request::post("/mcp").body(7).unwrap())
        .await;
    assert_eq!(failed.err(), Some(Failed));
}
