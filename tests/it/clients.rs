//! The quickstart, driven by real clients: the SDK's own OAuth client, a script that fills in the
//! consent page, and the printed curl lines.

use std::collections::HashMap;
use std::error::Error;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use http::StatusCode;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect;
use rmcp::model::{CallToolRequestParams, CallToolResult, ProgressNotificationParam};
use rmcp::service::{NotificationContext, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::auth::{AuthClient, AuthorizationRequest, OAuthState};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, RoleClient, ServiceExt};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower_mcp_auth::testing::Consent;
use url::Url;
use url::form_urlencoded::Serializer;

use quickstart::args::Options;
pub(crate) use quickstart::guide;
pub(crate) use quickstart::server::{Quickstart, start};

#[path = "../../examples/quickstart"]
mod quickstart {
    mod admin;
    pub(super) mod args;
    mod data;
    mod explain;
    pub(crate) mod guide;
    mod organizations;
    mod pepper;
    mod probes;
    pub(super) mod server;
    mod switches;
    mod tools;
    mod tracker;
    mod trial;
}

/// Where clients are sent back to. Nobody listens there: the tests read the redirect instead.
const CALLBACK: &str = "http://127.0.0.1:3030/callback";

/// A folder of its own, gone when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mcp-auth-quickstart-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        // Of a process that was killed, and had the same number.
        let _ = std::fs::remove_dir_all(&folder);
        Self(folder)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// On free ports.
pub(crate) fn options(data: &Path, consent: Consent) -> Options {
    Options {
        port: 0,
        issuer_port: 0,
        consent,
        data: Some(data.to_owned()),
        fresh: false,
    }
}

/// With data of its own.
pub(crate) async fn quickstart(consent: Consent) -> Running {
    let folder = Folder::new();
    let options = options(&folder.file("mcp-auth.db"), consent);
    let quickstart = start(&options).await.unwrap();
    Running {
        quickstart,
        _folder: folder,
    }
}

/// A quickstart, and its files after it.
pub(crate) struct Running {
    quickstart: Quickstart,
    _folder: Folder,
}

impl Deref for Running {
    type Target = Quickstart;

    fn deref(&self) -> &Quickstart {
        &self.quickstart
    }
}

impl Running {
    pub(crate) async fn stop(self) -> Result<(), Box<dyn Error>> {
        self.quickstart.stop().await
    }
}

/// A browser without pictures: redirects are left to the test.
pub(crate) fn browser() -> reqwest::Client {
    let builder = reqwest::Client::builder().redirect(redirect::Policy::none());
    builder.build().unwrap()
}

pub(crate) fn location(response: &reqwest::Response) -> Url {
    let lines: Vec<_> = response.headers().get_all(LOCATION).iter().collect();
    assert_eq!(lines.len(), 1, "{response:?}");
    lines[0].to_str().unwrap().parse().unwrap()
}

struct Watcher(mpsc::UnboundedSender<ProgressNotificationParam>);

impl ClientHandler for Watcher {
    async fn on_progress(
        &self,
        progress: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        let _ = self.0.send(progress);
    }
}

/// Logs in with the SDK's OAuth client, from nothing but the challenge of the first refusal.
pub(crate) async fn log_in(url: &str) -> AuthClient<reqwest::Client> {
    let refused = ().serve(StreamableHttpClientTransport::from_uri(url)).await;
    let refused = refused.expect_err("nobody gets in without a token");
    let challenge = refused.auth_challenge().expect("a challenge").to_owned();

    let mut oauth = OAuthState::new(url, None).await.unwrap();
    let request = AuthorizationRequest::new(CALLBACK).with_client_name("rmcp");
    let request = request.with_challenge(challenge);
    oauth.start_authorization(request).await.unwrap();
    let page = oauth.get_authorization_url().await.unwrap();
    let redirect = browser().get(page).send().await.unwrap();
    let back = location(&redirect);
    oauth.handle_callback_url(back.as_str()).await.unwrap();
    let manager = oauth.into_authorization_manager().expect("logged in");
    AuthClient::new(reqwest::Client::new(), manager)
}

async fn call<H: ClientHandler>(
    client: &RunningService<RoleClient, H>,
    name: &'static str,
    arguments: Value,
) -> CallToolResult {
    let Value::Object(arguments) = arguments else {
        panic!("arguments are an object")
    };
    let call = CallToolRequestParams::new(name).with_arguments(arguments);
    client.call_tool(call).await.unwrap()
}

#[tokio::test]
async fn an_sdk_client_finds_logs_in_and_calls() {
    let quickstart = quickstart(Consent::Automatic).await;
    let url = quickstart.resource.identifier();
    let http = log_in(url).await;
    let hits = quickstart.issuer.hits();
    assert_eq!((hits.register, hits.authorize, hits.token), (1, 1, 1));

    let config = StreamableHttpClientTransportConfig::with_uri(url);
    let transport = StreamableHttpClientTransport::with_client(http, config);
    let (sender, mut progress) = mpsc::unbounded_channel();
    let client = Watcher(sender).serve(transport).await.unwrap();
    let tools = client.list_all_tools().await.unwrap();
    let names: Vec<_> = tools.iter().map(|tool| &*tool.name).collect();
    assert_eq!(
        names,
        ["createIssue", "searchIssues", "watchIssues", "whoami"]
    );

    let who = call(&client, "whoami", json!({})).await;
    let who = who.structured_content.unwrap();
    assert_eq!(who["user"], "alice");
    assert_eq!(who["name"], "Alice Archer");
    assert_eq!(who["organization"], "acme");
    assert_eq!(who["scopes"], json!(["read:issues"]), "the baseline");

    let found = call(&client, "searchIssues", json!({"text": "login"})).await;
    let found = found.structured_content.unwrap();
    assert_eq!(found["issues"].as_array().unwrap().len(), 1);

    let watched = call(&client, "watchIssues", json!({})).await;
    assert_eq!(watched.is_error, Some(false));
    for step in 1..=4 {
        let seen = progress.recv().await.unwrap();
        assert_eq!(
            (seen.progress, seen.total),
            (f64::from(step), Some(4.0)),
            "{seen:?}"
        );
    }
    client.cancel().await.unwrap();
    quickstart.stop().await.unwrap();
}

fn form(fields: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(fields).finish()
}

async fn post_form(url: &str, cookie: &str, fields: &[(&str, &str)]) -> reqwest::Response {
    let request = browser()
        .post(url)
        .header(COOKIE, cookie)
        .body(form(fields));
    let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    request.send().await.unwrap()
}

/// The value of the first attribute that follows `before`.
fn attribute<'p>(page: &'p str, before: &str) -> &'p str {
    let (_, rest) = page.split_once(before).expect(before);
    rest.split_once('"').expect("a closing quote").0
}

/// Opens the consent page and answers it; where that leads.
async fn consent(page_url: &str, user: &str, decision: &str) -> HashMap<String, String> {
    let response = browser().get(page_url).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let cookies: Vec<_> = response.headers().get_all(SET_COOKIE).iter().collect();
    let cookie = cookies[0].to_str().unwrap().split(';').next().unwrap();
    let cookie = cookie.to_owned();
    let page = response.text().await.unwrap();
    let action = attribute(&page, "<form method=\"post\" action=\"");
    let id = attribute(&page, "name=\"request\" value=\"");
    let fields = [("request", id), ("user", user), ("decision", decision)];
    let answer = post_form(action, &cookie, &fields).await;
    let back = location(&answer);
    assert!(back.as_str().starts_with(CALLBACK), "{back}");
    back.query_pairs().into_owned().collect()
}

/// A pair of RFC 7636, Appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Registers a client; its id and the address of its consent page.
async fn ask(quickstart: &Quickstart, scope: &str) -> (String, String) {
    let client = json!({
        "client_name": "script",
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "none",
    });
    let register = browser().post(quickstart.issuer.endpoint("/register"));
    let answer = register.json(&client).send().await.unwrap();
    let client: Value = answer.json().await.unwrap();
    let id = client["client_id"].as_str().unwrap().to_owned();
    let query = form(&[
        ("response_type", "code"),
        ("client_id", &id),
        ("redirect_uri", CALLBACK),
        ("scope", scope),
        ("resource", quickstart.resource.identifier()),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("state", "S"),
    ]);
    (id, quickstart.issuer.endpoint("/authorize") + "?" + &query)
}

/// One JSON-RPC call without any SDK.
async fn post_call(quickstart: &Quickstart, token: &str, call: &Value) -> reqwest::Response {
    let request = browser()
        .post(quickstart.resource.identifier())
        .bearer_auth(token)
        .header("accept", "application/json, text/event-stream")
        .json(call);
    request.send().await.unwrap()
}

/// A call that streams.
fn watch() -> Value {
    json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call",
        "params": {"name": "watchIssues", "_meta": {"progressToken": "P"}}})
}

#[tokio::test]
async fn a_user_says_yes_on_the_consent_page() {
    let quickstart = quickstart(Consent::Page).await;
    let (client, page) = ask(&quickstart, "read:issues write:issues").await;
    let back = consent(&page, "bob", "allow").await;
    assert_eq!(back["state"], "S");
    assert_eq!(back["iss"], quickstart.issuer.url());
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", &client),
        ("code", &back["code"]),
        ("code_verifier", VERIFIER),
        ("redirect_uri", CALLBACK),
        ("resource", quickstart.resource.identifier()),
    ];
    let answer = post_form(&quickstart.issuer.endpoint("/token"), "", &fields).await;
    let tokens: Value = answer.json().await.unwrap();
    let token = tokens["access_token"].as_str().unwrap();

    let create = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "createIssue", "arguments": {"title": "by script"}}});
    let created: Value = post_call(&quickstart, token, &create)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(created["result"]["structuredContent"]["reporter"], "bob");

    let events = post_call(&quickstart, token, &watch()).await;
    let events = events.text().await.unwrap();
    let events: Vec<Value> = events
        .lines()
        .filter_map(|line| serde_json::from_str(line.strip_prefix("data:")?).ok())
        .collect();
    let (result, progress) = events.split_last().unwrap();
    let steps: Vec<_> = progress.iter().map(|e| &e["params"]["progress"]).collect();
    assert_eq!(steps, [1.0, 2.0, 3.0, 4.0], "before the result");
    let issues = &result["result"]["structuredContent"]["issues"];
    let titles: Vec<_> = issues
        .as_array()
        .unwrap()
        .iter()
        .map(|i| &i["title"])
        .collect();
    let own = ["The export misses a column", "by script"];
    assert_eq!(titles, own, "and none of acme");
}

#[tokio::test]
async fn a_user_says_no_on_the_consent_page() {
    let quickstart = quickstart(Consent::Page).await;
    let (_, page) = ask(&quickstart, "read:issues").await;
    let back = consent(&page, "bob", "deny").await;
    assert_eq!(back["error"], "access_denied");
    assert!(!back.contains_key("code"));
}

#[tokio::test]
async fn pol_01_a_switch_flips_what_api_tokens_may_do_at_once() {
    let quickstart = quickstart(Consent::Automatic).await;
    let credentials = &quickstart.credentials;
    let whoami = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "whoami"}});
    let status = async |pair: &str| {
        let request = browser().post(quickstart.resource.identifier());
        let request = request.header("accept", "application/json, text/event-stream");
        let (user, secret) = pair.split_once(':').map_or(("", pair), |found| found);
        let request = if user.is_empty() {
            request.bearer_auth(secret)
        } else {
            request.basic_auth(user, Some(secret))
        };
        request
            .json(&whoami)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    for (credential, expected) in [
        (&credentials.alice, 200),
        (&credentials.build_bot, 200),
        (&credentials.alice_misspelt, 401),
        (&credentials.alice_revoked, 401),
        (&credentials.bob, 401),
        (&credentials.report_bot, 401),
    ] {
        assert_eq!(status(credential).await, expected, "{credential}");
    }
    let on = quickstart.admin.switch("globex", true);
    for (url, answer) in [
        (on.replace("globex", "initech"), StatusCode::NOT_FOUND),
        (on.replace("/on", "/perhaps"), StatusCode::NOT_FOUND),
        (on.clone(), StatusCode::OK),
    ] {
        assert_eq!(browser().post(&url).send().await.unwrap().status(), answer);
    }
    assert_eq!(status(&credentials.bob).await, 200);
    assert_eq!(status(&credentials.report_bot).await, 200);
    let off = on.replace("/on", "/off");
    assert_eq!(browser().post(off).send().await.unwrap().status(), 200);
    assert_eq!(status(&credentials.bob).await, 401);
}

#[tokio::test]
async fn stopping_ends_a_running_call() {
    let quickstart = quickstart(Consent::Automatic).await;
    let token = quickstart.issuer.token(quickstart.resource.identifier());
    let mut events = post_call(&quickstart, &token.sign(), &watch()).await;
    assert!(events.chunk().await.unwrap().is_some(), "it runs");
    quickstart.stop().await.unwrap();
    while let Ok(Some(event)) = events.chunk().await {
        assert!(
            !event.windows(8).any(|part| part == b"\"result\""),
            "{event:?}"
        );
    }
}

#[tokio::test]
async fn a_taken_port_is_named_with_the_way_out() {
    let running = quickstart(Consent::Automatic).await;
    let port = Url::parse(running.resource.identifier()).unwrap().port();
    let issuer_port = running.issuer.local_addr().unwrap().port();
    for (port, issuer_port, option) in [
        (port.unwrap(), 0, "--port"),
        (0, issuer_port, "--issuer-port"),
    ] {
        let folder = Folder::new();
        let options = Options {
            port,
            issuer_port,
            ..options(&folder.file("a.db"), Consent::Automatic)
        };
        let error = start(&options).await.err().unwrap().to_string();
        assert!(error.contains("is taken"), "{error}");
        assert!(error.contains(&format!(" {option},")), "{error}");
    }
}
