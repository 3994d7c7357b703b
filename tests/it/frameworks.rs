//! The same layer value on axum, hyper-util and rmcp, and several mounts behind one server.

use axum::Router;
use axum::body::Body;
use axum::routing::{any, get};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ServerCapabilities,
    ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt as _};
use serde_json::json;
use tower::{Layer, Service, ServiceExt};
use tower_mcp_auth::testing::TestIssuer;
use tower_mcp_auth::{
    AuthContext, AuthenticateLayer, Authenticator, Issuer, McpAuthLayer, OriginLayer,
    ProtectedResource, ResourceMetadataLayer,
};

use crate::server::Loopback;
use crate::support::{Answer, R, World, post};

const PATH: &str = "/.well-known/oauth-protected-resource/mcp";

async fn whoami(auth: AuthContext) -> String {
    auth.principal().subject().to_string()
}

async fn maybe(auth: Option<AuthContext>) -> String {
    auth.map_or("nobody".into(), |auth| {
        auth.principal().subject().to_string()
    })
}

/// Sends a request with this token, or none.
async fn send<S>(service: S, method: &str, uri: &str, token: Option<&str>) -> Answer
where
    S: Service<
            Request<Body>,
            Response = axum::response::Response,
            Error = std::convert::Infallible,
        >,
{
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .header("host", "mcp.example.com");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = service
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let response =
        response.map(|body| http_body_util::BodyExt::map_err(body, |error| error.to_string()));
    Answer::read(response).await
}

#[tokio::test]
async fn axum_layer_covers_every_route_and_the_metadata() {
    let world = World::warm().await;
    let token = world.token().sign();
    let layer = McpAuthLayer::new(world.auth.clone());
    let apps = [
        Router::new()
            .route("/mcp", any(whoami))
            .layer(layer.clone()),
        Router::new()
            .nest("/mcp", Router::new().route("/", any(whoami)))
            .layer(layer.clone()),
        Router::new()
            .nest_service("/mcp", any(whoami))
            .layer(layer.clone()),
        Router::new().fallback(whoami).layer(layer.clone()),
        Router::new()
            .merge(Router::new().route("/mcp", any(maybe)))
            .layer(layer),
    ];
    for (nth, app) in apps.into_iter().enumerate() {
        let refused = send(app.clone(), "POST", "/mcp", None).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "app {nth}");
        let answer = send(app.clone(), "POST", "/mcp", Some(&token)).await;
        assert_eq!(
            (answer.status, &*answer.body),
            (StatusCode::OK, &b"alice"[..]),
            "app {nth}"
        );
        let document = send(app.clone(), "GET", PATH, None).await;
        assert_eq!(document.json()["resource"], R, "app {nth}");
        let unknown = send(app.clone(), "GET", "/nothing", None).await;
        assert_eq!(
            unknown.status,
            StatusCode::UNAUTHORIZED,
            "app {nth}: routes are not told"
        );
    }
}

/// What the guide says of routes without authentication.
#[tokio::test]
async fn axum_routes_outside_of_the_layer() {
    let world = World::warm().await;
    let layer = McpAuthLayer::new(world.auth.clone());
    let app = || {
        Router::new()
            .route("/mcp", any(whoami))
            .layer(layer.clone())
    };
    let probes = || Router::new().route("/healthz", get(|| async { "alive" }));
    for (app, document) in [
        (
            app().route("/healthz", get(|| async { "alive" })),
            StatusCode::OK,
        ),
        (probes().merge(app()), StatusCode::OK),
        (app().merge(probes()), StatusCode::NOT_FOUND),
    ] {
        let probe = send(app.clone(), "GET", "/healthz", None).await;
        assert_eq!(
            (probe.status, &*probe.body),
            (StatusCode::OK, &b"alive"[..])
        );
        let refused = send(app.clone(), "POST", "/mcp", None).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        assert_eq!(send(app, "GET", PATH, None).await.status, document);
    }
}

#[tokio::test]
async fn axum_route_layer_leaves_other_routes_open() {
    let world = World::warm().await;
    let token = world.token().sign();
    let app = Router::new()
        .route("/mcp", any(whoami))
        .route_layer(McpAuthLayer::new(world.auth.clone()))
        .route("/health", get(maybe))
        .route("/forgotten", get(whoami));
    assert_eq!(send(app.clone(), "POST", "/mcp", None).await.status, 401);
    assert_eq!(
        send(app.clone(), "POST", "/mcp", Some(&token)).await.status,
        200
    );
    // route_layer sees matched routes only, so the document needs a layer of its own.
    assert_eq!(send(app.clone(), "GET", PATH, None).await.status, 404);
    let whole = app.layer(ResourceMetadataLayer::new([world.auth.resource()]));
    assert_eq!(
        send(whole.clone(), "GET", PATH, None).await.json()["resource"],
        R
    );

    let health = send(whole.clone(), "GET", "/health", Some(&token)).await;
    assert_eq!(
        health.body, "nobody",
        "a token is not judged where the layer is not"
    );
    let forgotten = send(whole, "GET", "/forgotten", Some(&token)).await;
    assert_eq!(
        forgotten.status,
        StatusCode::INTERNAL_SERVER_ERROR,
        "never let in by mistake"
    );
    assert!(forgotten.body.is_empty());
}

#[tokio::test]
async fn hyper_serves_it_over_http1_and_http2() {
    let world = World::cold();
    let server = Loopback::serve(McpAuthLayer::new(world.auth.clone()).layer(world.probe.clone()));
    let good = format!("Bearer {}", world.token().sign());
    let https = |path: &str| Request::post(format!("https://mcp.example.com{path}"));
    for (mut connection, request) in [
        (server.http1().await, post()),
        (server.http2().await, https("/mcp")),
    ] {
        let refused = connection.send(request).await;
        assert_eq!(refused.status, 401);
        refused
            .challenge()
            .strip_prefix("Bearer resource_metadata=")
            .unwrap();
        let head = Request::head("https://mcp.example.com/mcp").header("host", "mcp.example.com");
        let head = connection.send(head).await;
        assert_eq!(
            (head.status, head.body.len()),
            (StatusCode::UNAUTHORIZED, 0),
            "MCP-13"
        );
        let good = post()
            .uri("https://mcp.example.com/mcp")
            .header("authorization", &good);
        connection.send(good).await.assert_let_in();
        let foreign = Request::post("https://evil.test/mcp").header("host", "evil.test");
        assert_eq!(
            connection.send(foreign).await.code_in_body(),
            "host_not_allowed"
        );
    }
    assert_eq!(world.probe.calls(), 2);
}

/// Tells every caller who they are.
#[derive(Clone)]
struct Who;

impl ServerHandler for Who {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let parts = context.extensions.get::<http::request::Parts>().unwrap();
        assert!(!parts.headers.contains_key("authorization"), "MCP-21");
        let auth = parts.extensions.get::<AuthContext>().unwrap();
        let subject = auth.principal().subject().to_string();
        Ok(CallToolResult::success(vec![ContentBlock::text(subject)]).into())
    }
}

fn rmcp_service(host: &str) -> StreamableHttpService<Who, LocalSessionManager> {
    let config = StreamableHttpServerConfig::default()
        .with_allowed_hosts([host])
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_sse_keep_alive(None);
    StreamableHttpService::new(|| Ok(Who), std::sync::Arc::default(), config)
}

#[tokio::test]
async fn rmcp_tools_read_the_context() {
    let world = World::cold();
    let service = McpAuthLayer::new(world.auth.clone()).layer(rmcp_service("mcp.example.com"));
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "who", "arguments": {}}});
    let request = |token: &str| {
        post()
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("authorization", format!("Bearer {token}"))
            .body(Full::new(Bytes::from(call.to_string())))
            .unwrap()
    };
    let token = world.token().subject("carol").sign();
    let answer = Answer::read(service.clone().oneshot(request(&token)).await.unwrap()).await;
    answer.assert_let_in();
    assert_eq!(answer.json()["result"]["content"][0]["text"], "carol");
    let refused = Answer::read(service.oneshot(request("a.b.c")).await.unwrap()).await;
    refused.assert_invalid_token("malformed_token");
}

#[tokio::test]
async fn rmcp_clients_get_through_with_a_token_and_see_the_challenge_without() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let identifier = format!("http://{address}/mcp");
    let issuer = TestIssuer::start().await.unwrap();
    let resource = ProtectedResource::new(&identifier).issuer(Issuer::new(issuer.url()));
    let auth = Authenticator::builder(resource).build().unwrap();
    let app = Router::new()
        .route_service("/mcp", rmcp_service("127.0.0.1"))
        .layer(McpAuthLayer::new(auth));
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, app).await });

    let connect = async |token: Option<String>| {
        let mut config = StreamableHttpClientTransportConfig::with_uri(identifier.clone());
        if let Some(token) = token {
            config = config.auth_header(token);
        }
        ().serve(StreamableHttpClientTransport::from_config(config))
            .await
    };
    let token = issuer.token(identifier.clone()).subject("dave").sign();
    let client = connect(Some(token)).await.unwrap();
    let result = client
        .call_tool(CallToolRequestParams::new("who"))
        .await
        .unwrap();
    assert_eq!(result.content[0].as_text().unwrap().text, "dave");
    client.cancel().await.unwrap();
    let refused = format!("{:?}", connect(None).await.err().unwrap());
    let metadata = format!("http://{address}{PATH}");
    assert!(refused.contains(&metadata), "{refused}");
}

#[tokio::test]
async fn mounts_share_keys_and_nothing_else() {
    let world = World::cold();
    let second = world
        .auth
        .mount(ProtectedResource::new("https://mcp.example.com/v2/mcp").baseline_scopes(["v2"]))
        .unwrap();
    let mounts = [("/mcp", world.auth.clone()), ("/v2/mcp", second)];
    let mut app = Router::new();
    for (path, auth) in &mounts {
        let protected = any(whoami).layer(AuthenticateLayer::new(auth.clone()));
        app = app.route(path, protected);
    }
    let app = app
        .layer(OriginLayer::new(world.auth.resource()))
        .layer(ResourceMetadataLayer::new(
            mounts.iter().map(|(_, auth)| auth.resource()),
        ));

    for (path, auth) in &mounts {
        let refused = send(app.clone(), "POST", path, None).await;
        let resource = auth.resource();
        let url = resource.metadata_url();
        assert!(
            refused
                .challenge()
                .contains(&format!("resource_metadata=\"{url}\""))
        );
        let document = send(app.clone(), "GET", auth.resource().metadata_path(), None).await;
        assert_eq!(
            document.json()["resource"],
            format!("https://mcp.example.com{path}"),
            "PRM-5"
        );
        let token = world.issuer.token(auth.resource().identifier()).sign();
        for (other, _) in &mounts {
            let answer = send(app.clone(), "POST", other, Some(&token)).await;
            if other == path {
                answer.assert_let_in();
            } else {
                assert_eq!(answer.code(), "wrong_audience");
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            }
        }
    }
    let root = send(app, "GET", "/.well-known/oauth-protected-resource", None).await;
    assert_eq!(root.status, StatusCode::NOT_FOUND, "it would be a guess");
    assert_eq!(world.issuer.hits().jwks, 1, "keys are shared");
}

#[tokio::test]
async fn a_mount_trusts_no_new_issuer() {
    let world = World::cold();
    let resource = ProtectedResource::new("https://mcp.example.com/v2/mcp")
        .issuer(Issuer::new("https://other.example.com"));
    let error = world.auth.mount(resource).unwrap_err();
    assert_eq!(error.problems()[0].field, "issuer[0]");
}
