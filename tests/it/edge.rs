//! Origin, host and CORS (requirements EDGE) through the public layers.

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::{Layer, ServiceExt};
use tower_mcp_auth::middleware::ResponseBody;
use tower_mcp_auth::{
    Issuer, OriginLayer, ProtectedResource, Reason, Rejection, Resource, ResourceMetadataLayer,
    cors,
};

const IDE: &str = "https://ide.example";
const EVIL: &str = "https://evil.test";

fn resource() -> Resource {
    ProtectedResource::new("https://mcp.example.com/mcp")
        .issuer(Issuer::new("https://auth.example.com/t1"))
        .allow_origin(IDE)
        .build()
        .unwrap()
}

fn inner() -> Router {
    Router::new().route("/mcp", any(|| async { "inner" }))
}

fn app() -> Router {
    inner().layer(OriginLayer::new(resource()))
}

/// In the order the guide gives: CORS, metadata, origin.
fn browser_app() -> Router {
    app()
        .layer(ResourceMetadataLayer::new([resource()]))
        .layer(cors(&resource()))
}

async fn send(app: Router, method: &str, uri: &str, lines: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    app.oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap()
}

async fn json(response: Response<Body>) -> Value {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

const HOST: (&str, &str) = ("host", "mcp.example.com");

#[tokio::test]
async fn edge_01_an_unlisted_origin_is_403_without_a_challenge() {
    let lines = [HOST, ("origin", EVIL), ("authorization", "Bearer AT")];
    let response = send(app(), "POST", "/mcp", &lines).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let headers = response.headers();
    assert!(!headers.contains_key("www-authenticate"), "SCP-7");
    assert_eq!(headers["cache-control"], "no-store");
    let rejection = response.extensions().get::<Rejection>().unwrap();
    assert_eq!(rejection.reason(), Reason::OriginNotAllowed);
    assert_eq!(rejection.note(), Some(EVIL));
    let id = headers["x-request-id"].to_str().unwrap().to_owned();
    let body = json(response).await;
    assert_eq!(body["error"], "origin_not_allowed");
    assert_eq!(body["request_id"], id);
    assert!(!body.to_string().contains("evil"), "T42");
}

#[tokio::test]
async fn edge_01_listed_own_and_absent_origins_pass() {
    for origin in [Some(IDE), Some("https://mcp.example.com"), None] {
        let mut lines = vec![HOST];
        lines.extend(origin.map(|origin| ("origin", origin)));
        let response = send(app(), "POST", "/mcp", &lines).await;
        assert_eq!(response.status(), StatusCode::OK, "{origin:?}");
    }
    let null = send(app(), "POST", "/mcp", &[HOST, ("origin", "null")]).await;
    assert_eq!(null.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn t41_a_rebound_name_is_403() {
    for lines in [
        &[("host", "evil.test")][..],
        &[("host", "evil.test:443"), ("origin", IDE)],
        &[HOST, HOST],
        &[("host", "")],
    ] {
        let response = send(app(), "POST", "/mcp", lines).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{lines:?}");
        assert!(!response.headers().contains_key("www-authenticate"));
        let body = json(response).await;
        assert_eq!(body["error"], "host_not_allowed");
        let message = body["message"].as_str().unwrap();
        assert!(message.contains("https://mcp.example.com/mcp"), "{message}");
    }
    let authority = send(app(), "POST", "https://evil.test/mcp", &[HOST]).await;
    assert_eq!(authority.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn t41_forwarded_hosts_are_not_read() {
    for name in ["x-forwarded-host", "forwarded", "x-original-host"] {
        let good = send(app(), "POST", "/mcp", &[HOST, (name, "host=evil.test")]).await;
        assert_eq!(good.status(), StatusCode::OK, "{name}");
        let lines = [("host", "evil.test"), (name, "mcp.example.com")];
        let bad = send(app(), "POST", "/mcp", &lines).await;
        assert_eq!(bad.status(), StatusCode::FORBIDDEN, "{name}");
    }
}

#[tokio::test]
async fn edge_02_without_cors_a_preflight_is_judged_like_any_request() {
    for (origin, status) in [(IDE, StatusCode::OK), (EVIL, StatusCode::FORBIDDEN)] {
        let lines = [
            HOST,
            ("origin", origin),
            ("access-control-request-method", "POST"),
        ];
        let response = send(app(), "OPTIONS", "/mcp", &lines).await;
        assert_eq!(response.status(), status, "{origin}");
    }
}

async fn preflight(uri: &str, origin: &'static str) -> Response<Body> {
    let lines = [
        HOST,
        ("origin", origin),
        ("access-control-request-method", "POST"),
        (
            "access-control-request-headers",
            "authorization,mcp-method,mcp-param-region",
        ),
    ];
    send(browser_app(), "OPTIONS", uri, &lines).await
}

fn list<'h>(response: &'h Response<Body>, name: &str) -> Vec<&'h str> {
    let lines: Vec<_> = response.headers().get_all(name).iter().collect();
    assert_eq!(lines.len(), 1, "{name}: {lines:?}");
    lines[0]
        .to_str()
        .unwrap()
        .split(',')
        .map(str::trim)
        .collect()
}

#[tokio::test]
async fn edge_03_edge_05_a_preflight_lets_authorization_and_new_headers_through() {
    let response = preflight("/mcp", IDE).await;
    assert!(response.status().is_success(), "EDGE-2");
    assert_eq!(list(&response, "access-control-allow-origin"), [IDE]);
    assert_eq!(
        list(&response, "access-control-allow-headers"),
        ["authorization", "*"]
    );
    let methods = list(&response, "access-control-allow-methods");
    for method in ["GET", "POST", "DELETE"] {
        assert!(methods.contains(&method), "{methods:?}");
    }
    assert_eq!(list(&response, "access-control-max-age"), ["7200"]);
    let headers = response.headers();
    assert!(!headers.contains_key("access-control-allow-credentials"));
}

#[tokio::test]
async fn edge_03_a_preflight_of_an_unlisted_origin_grants_nothing() {
    let response = preflight("/mcp", EVIL).await;
    assert!(
        !response
            .headers()
            .contains_key("access-control-allow-origin")
    );
}

#[tokio::test]
async fn edge_04_refusals_are_readable_by_pages_of_a_listed_origin() {
    let lines = [("host", "evil.test"), ("origin", IDE)];
    let response = send(browser_app(), "POST", "/mcp", &lines).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(list(&response, "access-control-allow-origin"), [IDE]);
    let exposed = list(&response, "access-control-expose-headers");
    for name in [
        "www-authenticate",
        "mcp-session-id",
        "dpop-nonce",
        "retry-after",
        "x-request-id",
    ] {
        assert!(exposed.contains(&name), "{exposed:?}");
    }
}

#[tokio::test]
async fn prm_19_behind_cors_any_page_reads_the_metadata() {
    for uri in [
        "/.well-known/oauth-protected-resource/mcp",
        Resource::ROOT_METADATA_PATH,
    ] {
        let allowed = preflight(uri, EVIL).await;
        assert_eq!(list(&allowed, "access-control-allow-origin"), [EVIL]);
        let response = send(browser_app(), "GET", uri, &[HOST, ("origin", EVIL)]).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(list(&response, "access-control-allow-origin"), [EVIL]);
    }
}

#[tokio::test]
async fn edge_11_an_outer_layer_can_render_its_own_body() {
    let app = tower::ServiceBuilder::new()
        .map_response(|mut response: Response<ResponseBody<Body>>| {
            if response.extensions().get::<Rejection>().is_some() {
                *response.body_mut() = ResponseBody::own("mine".into());
            }
            response
        })
        .layer(OriginLayer::new(resource()))
        .service(inner());
    let request = Request::post("/mcp")
        .header("origin", EVIL)
        .body(Body::empty())
        .unwrap();
    let response = app.oneshot(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "mine");
}

#[tokio::test]
async fn edge_11_readiness_is_the_inner_services_own() {
    let (inner, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    let mut service = tower_test::mock::Spawn::new(OriginLayer::new(resource()).layer(inner));
    handle.allow(0);
    assert!(service.poll_ready().is_pending());
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
    let request = Request::post("/mcp").body(Body::empty()).unwrap();
    let response = service.call(request);
    let (_, reply) = handle.next_request().await.unwrap();
    reply.send_response(Response::new(Body::from("inner")));
    let body = response.await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "inner");
}

mod grpc {
    use bytes::Bytes;
    use tonic::Code;

    use super::*;
    use crate::grpc::Raw;

    #[tokio::test]
    async fn edge_01_a_grpc_client_reads_the_refusal_as_a_status() {
        let service = OriginLayer::new(resource()).layer(tower::service_fn(
            |_: Request<tonic::body::Body>| async {
                Ok::<_, std::convert::Infallible>(Response::new(tonic::body::Body::empty()))
            },
        ));
        let mut client =
            tonic::client::Grpc::with_origin(service, "https://evil.test".parse().unwrap());
        client.ready().await.unwrap();
        let status = client
            .unary::<_, Bytes, _>(
                tonic::Request::new(Bytes::from_static(b"x")),
                "/mcp.Service/Call".parse().unwrap(),
                Raw,
            )
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied);
        assert!(status.message().contains("https://mcp.example.com/mcp"));
        assert!(!status.metadata().contains_key("www-authenticate"));
    }
}
