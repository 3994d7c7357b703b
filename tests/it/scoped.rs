//! Scopes that a route, a handler or a gRPC service asks for by itself, and lists that show a
//! credential only what it may use (SCP, STEP, MCP-18).

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use rmcp::model::{
    CacheScope, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, PaginatedRequestParams, Prompt, Resource, ResourceTemplate,
    ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt as _};
use serde_json::{Map, Value, json};
use tonic::client::Grpc;
use tonic::server::NamedService;
use tonic::service::LayerExt as _;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Status};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_mcp_auth::backend::{FilterList, RequiredScopes, Scoped};
use tower_mcp_auth::middleware::RequestBody;
use tower_mcp_auth::testing::{TestIssuer, TokenBuilder};
use tower_mcp_auth::tool::ToolRule;
use tower_mcp_auth::{
    AuthContext, AuthenticateLayer, Authenticator, Issuer, McpAuthLayer, ProtectedResource,
    RequireScopesLayer, StepUp, ToolRules,
};

use crate::grpc::Raw;
use crate::orgs_support::{ON, Orgs};
use crate::support::{Answer, NOW, P, World, post};

/// `admin:issues` stands for `write:issues`, and that for `read:issues`.
fn rules() -> ToolRules {
    ToolRules::new()
        .tool("createIssue", ["write:issues"])
        .tool("searchIssues", ["read:issues"])
        .tool("whoami", ToolRule::always_on())
        .tool(
            "transfer",
            ToolRule::scopes(["read:issues"]).max_age(Duration::from_secs(60)),
        )
        .prompt("release-notes", ["write:issues"])
        .prompt("summary", ["read:issues"])
        .resource("file:///public/**", ["read:issues"])
        .resource("file:///secret/**", ["write:issues"])
        .scope_includes("admin:issues", ["write:issues"])
        .scope_includes("write:issues", ["read:issues"])
}

async fn ruled() -> World {
    World::cold()
        .rebuilt(|auth| auth.tools(rules()))
        .warmed()
        .await
}

async fn context(world: &World, token: &TokenBuilder) -> AuthContext {
    let head = post().header("authorization", format!("Bearer {}", token.sign()));
    let (head, ()) = head.body(()).unwrap().into_parts();
    world.auth.authenticate(&head).await.unwrap()
}

async fn with_scope(world: &World, scope: &str) -> AuthContext {
    context(world, &world.token().scope(scope)).await
}

/// Counts its calls behind this layer, behind the authentication of this server.
#[derive(Clone)]
struct Guarded {
    auth: Authenticator,
    layer: RequireScopesLayer,
    calls: Arc<AtomicUsize>,
}

impl Guarded {
    fn new(auth: &Authenticator, layer: RequireScopesLayer) -> Self {
        Self {
            auth: auth.clone(),
            layer,
            calls: Arc::default(),
        }
    }

    async fn send(&self, request: http::request::Builder) -> Answer {
        let calls = self.calls.clone();
        let inner = service_fn(move |_| {
            calls.fetch_add(1, Ordering::SeqCst);
            async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) }
        });
        let service = AuthenticateLayer::new(self.auth.clone()).layer(self.layer.layer(inner));
        let request = request.body(Full::<Bytes>::default()).unwrap();
        Answer::read(service.oneshot(request).await.unwrap()).await
    }

    async fn present(&self, authorization: &str) -> Answer {
        self.send(post().header("authorization", authorization))
            .await
    }

    async fn ask(&self, token: &TokenBuilder) -> Answer {
        self.present(&format!("Bearer {}", token.sign())).await
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn scp_01_a_route_refuses_with_the_whole_challenge() {
    let world = World::warm().await;
    let route = Guarded::new(
        &world.auth,
        RequireScopesLayer::new(["write:issues", "read:issues"]),
    );
    let answer = route.ask(&world.token().scope("read:issues other")).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.code(), "insufficient_scope");
    let challenge = answer.challenge();
    for part in [
        "Bearer error=\"insufficient_scope\"",
        "scope=\"read:issues write:issues\"",
        &format!("resource_metadata=\"{P}\""),
    ] {
        assert!(challenge.contains(part), "{challenge}");
    }
    assert_eq!(answer.json()["missing_scopes"], json!(["write:issues"]));
    assert_eq!(route.calls(), 0, "the inner service is not called");

    let good = world.token().scope("write:issues read:issues");
    route.ask(&good).await.assert_let_in();
    assert_eq!(route.calls(), 1);
}

#[tokio::test]
async fn scp_04_a_broader_scope_is_enough_and_asks_for_nothing() {
    let world = ruled().await;
    let route = Guarded::new(&world.auth, RequireScopesLayer::new(["read:issues"]));
    for scope in ["read:issues", "write:issues", "admin:issues"] {
        route.ask(&world.token().scope(scope)).await.assert_let_in();
    }
    let answer = route.ask(&world.token().scope("admin:other")).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(route.calls(), 3);
}

#[tokio::test]
async fn scp_04_covers_counts_the_hierarchy_and_has_scope_does_not() {
    let world = ruled().await;
    let admin = with_scope(&world, "admin:issues").await;
    assert!(admin.covers(["read:issues", "write:issues"]) && !admin.has_scope("read:issues"));
    assert!(admin.covers([""; 0]), "nothing is asked for");
    let reader = with_scope(&world, "read:issues").await;
    assert!(!reader.covers(["read:issues", "write:issues"]));
    assert!(!reader.covers(["Read:issues"]), "SCP-9");
    assert!(!reader.covers(["read:issues "]) && !reader.covers([""]));

    let plain = World::warm().await;
    let admin = with_scope(&plain, "admin:issues").await;
    assert!(admin.covers(["admin:issues"]) && !admin.covers(["read:issues"]));
}

#[tokio::test]
async fn scp_08_an_api_token_gets_no_challenge() {
    let world = Orgs::new().await;
    let route = Guarded::new(&world.auth, RequireScopesLayer::new(["write:issues"]));
    for credential in [world.personal(ON).await, world.service_key(ON).await] {
        let answer = route.present(&credential).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(answer.challenge(), "");
        assert_eq!(answer.json()["missing_scopes"], json!(["write:issues"]));
    }
    assert_eq!(route.calls(), 0);
}

#[tokio::test]
async fn step_01_a_route_asks_for_a_fresher_login_once() {
    let world = World::warm().await;
    let needs = StepUp::scopes(["transfer"])
        .max_age(Duration::from_secs(60))
        .message("Log in again to move money");
    let route = Guarded::new(&world.auth, RequireScopesLayer::step_up(needs));
    let token = world.token().scope("transfer");
    for old in [
        token.clone(),
        token.clone().claim("auth_time", NOW - 61),
        token.clone().scope("").claim("auth_time", NOW - 61),
    ] {
        let answer = route.ask(&old).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        let challenge = answer.challenge();
        assert!(
            challenge.contains("insufficient_user_authentication"),
            "{challenge}"
        );
        assert!(challenge.contains("max_age=\"60\""), "{challenge}");
        assert!(
            answer.body.windows(12).any(|part| part == b"Log in again"),
            "{:?}",
            answer.body
        );
    }
    let fresh = token.claim("auth_time", NOW - 60);
    route.ask(&fresh).await.assert_let_in();
    assert_eq!(route.calls(), 1);
}

#[tokio::test]
async fn mistakes_in_scopes_refuse_everybody_with_500() {
    let world = World::warm().await;
    for layer in [
        RequireScopesLayer::new(["write issues"]),
        RequireScopesLayer::new([""]),
        RequireScopesLayer::new([""; 0]),
    ] {
        let route = Guarded::new(&world.auth, layer);
        let answer = route.ask(&world.token().scope("write issues")).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.json()["error"], "server_error");
        let note = answer.rejection.as_ref().unwrap().note().unwrap();
        assert!(note.contains("step_up.scopes"), "{note}");
        assert_eq!(route.calls(), 0);
    }
}

/// Asks for a scope that a broader one of the credential covers already.
#[tokio::test]
async fn a_handler_that_asks_for_what_is_held_ends_the_loop_with_500() {
    let world = ruled().await;
    let inner = service_fn(|request: Request<_>| async move {
        let auth = request.extensions().get::<AuthContext>().unwrap();
        auth.step_up(StepUp::scopes(["read:issues"]));
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let service = AuthenticateLayer::new(world.auth.clone()).layer(inner);
    let token = world.token().scope("admin:issues").sign();
    let request = post().header("authorization", format!("Bearer {token}"));
    let request = request.body(Full::<Bytes>::default()).unwrap();
    let answer = Answer::read(service.oneshot(request).await.unwrap()).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.challenge(), "");
}

#[tokio::test]
async fn without_our_layer_outside_nothing_gets_through() {
    let world = World::warm().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let inner = service_fn(move |_: Request<Full<Bytes>>| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"secret")))) }
    });
    let service = RequireScopesLayer::new(["write:issues"]).layer(inner);
    let request = || Request::new(Full::<Bytes>::default());

    let nobody = service.clone().oneshot(request()).await.unwrap();
    assert_eq!(nobody.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(nobody.extensions().get::<StepUp>().is_none());

    // Nobody takes the step-up: the bare refusal stands.
    let mut reader = request();
    let context = with_scope(&world, "read:issues").await;
    reader.extensions_mut().insert(context);
    let refused = service.oneshot(reader).await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(refused.extensions().get::<StepUp>().is_some());
    assert!(refused.headers().is_empty());
    let body = refused.into_body().collect().await.unwrap().to_bytes();
    assert!(body.is_empty());
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn scp_01_a_public_method_does_not_open_a_guarded_route() {
    let rules = rules().public_method("server/discover");
    let world = World::cold()
        .rebuilt(|auth| auth.tools(rules))
        .warmed()
        .await;
    let service = McpAuthLayer::new(world.auth.clone())
        .layer(RequireScopesLayer::new(["read:issues"]).layer(world.probe.clone()));
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "server/discover"}).to_string();
    let request = post().header("content-type", "application/json");
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    let answer = Answer::read(service.oneshot(request).await.unwrap()).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(world.probe.calls(), 0);
}

struct WriteIssues;

impl RequiredScopes for WriteIssues {
    const SCOPES: &'static [&'static str] = &["write:issues", "read:issues"];
}

async fn create(auth: Scoped<WriteIssues>) -> String {
    auth.principal().subject().to_string()
}

async fn get_from(app: &Router, path: &str, token: Option<String>) -> Answer {
    let mut request = Request::get(path).header("host", "mcp.example.com");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = app.clone().oneshot(request.body(Body::empty()).unwrap());
    Answer::read(response.await.unwrap()).await
}

#[tokio::test]
async fn scp_01_axum_handlers_and_routes_ask_for_scopes() {
    let world = ruled().await;
    let guarded = get(|| async { "guarded" }).layer(RequireScopesLayer::new(["write:issues"]));
    let app = Router::new()
        .route("/scoped", get(create))
        .route("/guarded", guarded)
        .route("/open", get(|| async { "open" }))
        .layer(McpAuthLayer::new(world.auth.clone()))
        .route("/outside", get(create));
    let reader = || Some(world.token().scope("read:issues").sign());
    let admin = || Some(world.token().subject("ann").scope("admin:issues").sign());

    get_from(&app, "/open", reader()).await.assert_let_in();
    for (path, scope) in [
        ("/scoped", "scope=\"read:issues write:issues\""),
        ("/guarded", "scope=\"read:issues write:issues\""),
    ] {
        let answer = get_from(&app, path, reader()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(answer.challenge().contains(scope), "{}", answer.challenge());
        assert_eq!(answer.json()["missing_scopes"], json!(["write:issues"]));
        assert_eq!(get_from(&app, path, None).await.status, 401, "{path}");
        get_from(&app, path, admin()).await.assert_let_in();
    }
    assert_eq!(get_from(&app, "/scoped", admin()).await.body, "ann");
    let outside = get_from(&app, "/outside", admin()).await;
    assert_eq!(outside.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(outside.body.is_empty());
}

/// `Pay` asks for a scope by itself; `Look` does not.
#[derive(Clone, Default)]
struct Money {
    calls: Arc<AtomicUsize>,
}

impl NamedService for Money {
    const NAME: &'static str = "test.Money";
}

impl Service<Request<tonic::body::Body>> for Money {
    type Response = Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let pays = request.uri().path() == "/test.Money/Pay";
        Box::pin(async move {
            let handler = service_fn(move |request: tonic::Request<Bytes>| async move {
                let auth = request.extensions().get::<AuthContext>().unwrap();
                if pays && !auth.covers(["pay"]) {
                    auth.step_up(StepUp::scopes(["pay"]));
                    return Err(Status::aborted("the client never sees this"));
                }
                Ok(tonic::Response::new(Bytes::from_static(b"done")))
            });
            Ok(tonic::server::Grpc::new(Raw).unary(handler, request).await)
        })
    }
}

/// Serves both ways of asking until the set is dropped.
async fn serve(world: &World, money: Money) -> (tokio::task::JoinSet<()>, Channel) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder()
        .layer(McpAuthLayer::new(world.auth.clone()))
        .add_service(RequireScopesLayer::new(["money"]).named_layer(money))
        .serve_with_incoming(TcpIncoming::from(listener));
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { server.await.unwrap() });
    let channel = Endpoint::from_shared(format!("http://{address}"))
        .unwrap()
        .origin("https://mcp.example.com".parse().unwrap())
        .connect_lazy();
    (tasks, channel)
}

async fn ask(channel: &Channel, path: &'static str, token: &TokenBuilder) -> Result<Bytes, Status> {
    let mut client = Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let mut request = tonic::Request::new(Bytes::new());
    let value = format!("Bearer {}", token.sign()).parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    let path = http::uri::PathAndQuery::from_static(path);
    Ok(client.unary(request, path, Raw).await?.into_inner())
}

#[track_caller]
fn assert_asks_for(status: &Status, scope: &str) {
    assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
    assert!(status.message().contains(scope), "{status:?}");
    let challenge = status.metadata().get("www-authenticate").unwrap();
    let challenge = challenge.to_str().unwrap();
    assert!(
        challenge.contains("error=\"insufficient_scope\""),
        "{challenge}"
    );
    assert!(
        challenge.contains(&format!("scope=\"{scope}\"")),
        "{challenge}"
    );
    assert!(challenge.contains(P), "{challenge}");
}

#[tokio::test]
async fn scp_01_a_grpc_handler_and_a_grpc_service_ask_in_trailers() {
    let world = World::warm().await;
    let money = Money::default();
    let (_tasks, channel) = serve(&world, money.clone()).await;
    let token = |scope: &str| world.token().scope(scope);

    let refused = ask(&channel, "/test.Money/Look", &token("other")).await;
    assert_asks_for(&refused.unwrap_err(), "money");
    assert_eq!(money.calls.load(Ordering::SeqCst), 0);

    let looked = ask(&channel, "/test.Money/Look", &token("money")).await;
    assert_eq!(looked.unwrap(), "done");
    let refused = ask(&channel, "/test.Money/Pay", &token("money")).await;
    assert_asks_for(&refused.unwrap_err(), "pay");
    let paid = ask(&channel, "/test.Money/Pay", &token("money pay")).await;
    assert_eq!(paid.unwrap(), "done");
    assert_eq!(money.calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn scp_01_a_grpc_refusal_is_trailers_only() {
    let world = World::warm().await;
    let guarded = RequireScopesLayer::new(["money"]).layer(Money::default());
    let guarded = guarded.map_request(|request: Request<RequestBody<tonic::body::Body>>| {
        request.map(tonic::body::Body::new)
    });
    let service = McpAuthLayer::new(world.auth.clone()).layer(guarded);
    let token = world.token().scope("other").sign();
    let request = Request::post("https://mcp.example.com/test.Money/Look")
        .header("content-type", "application/grpc")
        .header("authorization", format!("Bearer {token}"))
        .body(tonic::body::Body::empty());
    let response = service.oneshot(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let status: Vec<_> = response.headers().get_all("grpc-status").iter().collect();
    assert_eq!(status, ["7"]);
    let body = response.into_body().collect().await.unwrap();
    assert!(body.trailers().is_none() && body.to_bytes().is_empty());
}

fn named<'a>(result: &'a Map<String, Value>, list: &str, member: &str) -> Vec<&'a str> {
    let items = result[list].as_array().unwrap().iter();
    items.map(|item| item[member].as_str().unwrap()).collect()
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else {
        panic!("no object: {value}")
    };
    object
}

#[tokio::test]
async fn mcp_18_two_tokens_see_two_private_lists() {
    let world = ruled().await;
    let list = object(json!({
        "tools": [
            {"name": "createIssue", "description": "…"}, {"name": "searchIssues"},
            {"name": "transfer"}, {"name": "unknown"}, {"name": "whoami"}
        ],
        "nextCursor": "2", "ttlMs": 60_000, "cacheScope": "public", "_meta": {"x": 1}
    }));
    let reader = with_scope(&world, "read:issues").await;
    let admin = with_scope(&world, "admin:issues").await;
    let nothing = with_scope(&world, "").await;
    for (auth, names) in [
        // STEP-1: `transfer` only needs a fresher login, which the client can get.
        (&reader, vec!["searchIssues", "transfer", "whoami"]),
        (
            &admin,
            vec!["createIssue", "searchIssues", "transfer", "whoami"],
        ),
        (&nothing, vec!["whoami"]),
    ] {
        let mut result = list.clone();
        assert!(auth.filter_list(&mut result));
        assert_eq!(named(&result, "tools", "name"), names);
        assert_eq!(result["cacheScope"], "private");
        for kept in ["nextCursor", "ttlMs", "_meta"] {
            assert_eq!(result[kept], list[kept]);
        }
        let again = result.clone();
        assert!(!auth.filter_list(&mut result), "nothing is left to remove");
        assert_eq!(result, again);
    }
}

#[tokio::test]
async fn mcp_18_a_whole_list_is_private_too_and_a_server_without_rules_decides_by_itself() {
    let all = object(json!({"tools": [{"name": "whoami"}], "cacheScope": "public"}));
    let mut result = all.clone();
    let ruled = ruled().await;
    assert!(!with_scope(&ruled, "").await.filter_list(&mut result));
    assert_eq!(
        Value::Object(result),
        json!({"tools": [{"name": "whoami"}], "cacheScope": "private"})
    );
    let mut result = all.clone();
    let plain = World::warm().await;
    assert!(!with_scope(&plain, "").await.filter_list(&mut result));
    assert_eq!(result, all);
}

#[tokio::test]
async fn mcp_18_prompts_resources_and_templates_are_filtered() {
    let world = ruled().await;
    let reader = with_scope(&world, "read:issues").await;
    let mut result = object(json!({
        "prompts": [{"name": "release-notes"}, {"name": "summary"}],
        "resources": [
            {"uri": "file:///public/a", "name": "a"}, {"uri": "file:///secret/a", "name": "b"},
            {"uri": "file:///public/../secret/a", "name": "c"}
        ],
        "resourceTemplates": [
            {"uriTemplate": "file:///public/{name}", "name": "a"},
            {"uriTemplate": "file:///secret/{name}", "name": "b"},
            {"uriTemplate": "file:///{+path}", "name": "c"}
        ]
    }));
    assert!(reader.filter_list(&mut result));
    assert_eq!(named(&result, "prompts", "name"), ["summary"]);
    assert_eq!(named(&result, "resources", "uri"), ["file:///public/a"]);
    assert_eq!(
        named(&result, "resourceTemplates", "uriTemplate"),
        ["file:///public/{name}"]
    );
}

#[tokio::test]
async fn mcp_18_a_template_is_there_to_be_read() {
    let rules = rules()
        .method("resources/read", ["read:files"])
        .method("completion/complete", ["complete"]);
    let world = World::cold()
        .rebuilt(|auth| auth.tools(rules))
        .warmed()
        .await;
    let template = json!({"resourceTemplates": [{"uriTemplate": "file:///public/{name}"}]});
    for (scope, hidden) in [("read:issues", true), ("read:issues read:files", false)] {
        let auth = with_scope(&world, scope).await;
        assert_eq!(auth.filter_list(&mut object(template.clone())), hidden);
    }
}

#[tokio::test]
async fn mcp_18_what_names_nothing_is_removed() {
    let world = ruled().await;
    let auth = with_scope(&world, "read:issues").await;
    let mut result = object(json!({
        "tools": ["whoami", null, 7, ["whoami"], {}, {"name": null}, {"name": ["whoami"]}, {"name": "whoami"}],
        "prompts": {"name": "summary"},
    }));
    assert!(auth.filter_list(&mut result));
    assert_eq!(
        Value::Object(result),
        json!({"tools": [{"name": "whoami"}], "prompts": [], "cacheScope": "private"})
    );
    let mut other = object(json!({"content": []}));
    assert!(!auth.filter_list(&mut other));
    assert_eq!(
        Value::Object(other),
        json!({"content": [], "cacheScope": "private"})
    );
}

fn tool(name: &'static str) -> Tool {
    Tool::new(name, "", Arc::new(object(json!({"type": "object"}))))
}

#[tokio::test]
async fn mcp_18_the_lists_of_rmcp_are_filtered_alike() {
    let world = ruled().await;
    let auth = with_scope(&world, "read:issues").await;

    let mut tools = ListToolsResult::with_all_items(vec![tool("createIssue"), tool("whoami")]);
    tools.next_cursor = Some("2".into());
    assert!(tools.filter_list(&auth));
    assert_eq!((tools.tools.len(), &*tools.tools[0].name), (1, "whoami"));
    assert_eq!(tools.next_cursor.as_deref(), Some("2"));

    let prompt = |name: &str| Prompt::new(name, None::<String>, None);
    let mut prompts =
        ListPromptsResult::with_all_items(vec![prompt("release-notes"), prompt("summary")]);
    assert!(prompts.filter_list(&auth));
    assert_eq!(
        (prompts.prompts.len(), &*prompts.prompts[0].name),
        (1, "summary")
    );

    let uris = ["file:///secret/a", "file:///public/a"];
    let resources = uris.map(|uri| Resource::new(uri, "a")).to_vec();
    let mut resources = ListResourcesResult::with_all_items(resources);
    assert!(resources.filter_list(&auth));
    assert_eq!(resources.resources[0].uri, "file:///public/a");

    let templates = ["file:///secret/{a}", "file:///public/{a}"];
    let templates = templates.map(|uri| ResourceTemplate::new(uri, "a"));
    let mut templates = ListResourceTemplatesResult::with_all_items(templates.to_vec());
    assert!(templates.filter_list(&auth));
    assert_eq!(
        templates.resource_templates[0].uri_template,
        "file:///public/{a}"
    );

    let marks = [
        tools.cache_scope,
        prompts.cache_scope,
        resources.cache_scope,
        templates.cache_scope,
    ];
    assert_eq!(marks, [Some(CacheScope::Private); 4]);

    let plain = World::warm().await;
    let mut tools = ListToolsResult::with_all_items(vec![tool("createIssue")]);
    let auth = with_scope(&plain, "").await;
    assert!(!tools.filter_list(&auth) && tools.cache_scope.is_none());
}

/// Two pages of tools, each filtered.
#[derive(Clone)]
struct Issues;

impl ServerHandler for Issues {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let head = context.extensions.get::<http::request::Parts>().unwrap();
        let auth = head.extensions.get::<AuthContext>().unwrap();
        let second = page.is_some_and(|page| page.cursor.is_some());
        let tools = if second {
            vec![tool("searchIssues"), tool("whoami")]
        } else {
            vec![tool("createIssue")]
        };
        let mut result = ListToolsResult::with_all_items(tools);
        result.next_cursor = (!second).then(|| "2".into());
        result.filter_list(auth);
        Ok(result)
    }
}

#[tokio::test]
async fn mcp_18_a_client_of_rmcp_sees_only_its_tools_on_every_page() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let issuer = TestIssuer::start().await.unwrap();
    let resource = ProtectedResource::new(&url).issuer(Issuer::new(issuer.url()));
    let auth = Authenticator::builder(resource).tools(rules());
    let config = StreamableHttpServerConfig::default()
        .with_allowed_hosts(["127.0.0.1"])
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_sse_keep_alive(None);
    let sessions = Arc::<LocalSessionManager>::default();
    let app = Router::new()
        .route_service(
            "/mcp",
            StreamableHttpService::new(|| Ok(Issues), sessions, config),
        )
        .layer(McpAuthLayer::new(auth.build().unwrap()));
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, app).await });

    for (scope, expected) in [
        (
            "write:issues",
            &["createIssue", "searchIssues", "whoami"][..],
        ),
        ("read:issues", &["searchIssues", "whoami"]),
        ("other", &["whoami"]),
    ] {
        let token = issuer.token(url.clone()).scope(scope).sign();
        let config = StreamableHttpClientTransportConfig::with_uri(url.clone()).auth_header(token);
        let client = ().serve(StreamableHttpClientTransport::from_config(config));
        let client = client.await.unwrap();
        let tools = client.list_all_tools().await.unwrap();
        let names: BTreeSet<_> = tools.iter().map(|tool| &*tool.name).collect();
        assert_eq!(names, expected.iter().copied().collect(), "{scope}");
        let page = client.list_tools(None).await.unwrap();
        assert_eq!(page.cache_scope, Some(CacheScope::Private), "{scope}");
        client.cancel().await.unwrap();
    }
}
