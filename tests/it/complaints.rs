//! What users of a hosted server complained about, each with the words they would have needed.
//! The number is that of the issue in the vendor's tracker.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_mcp_auth::api_token::TokenKind;
use tower_mcp_auth::api_token::foreign::{ForeignCredential, ForeignToken, ForeignTokens};
use tower_mcp_auth::clock::UnixTime;
use tower_mcp_auth::policy::{ClientRules, GroupRules, Intent, Intents, PermissionGroup};
use tower_mcp_auth::testing::{Fault, TestIssuer};
use tower_mcp_auth::throttle::ThrottleSettings;
use tower_mcp_auth::tool::ToolRule;
use tower_mcp_auth::{
    AuthMethod, Authenticator, BackendError, Issuer, McpAuthLayer, ProtectedResource, ToolRules,
};

use crate::operations_support::{Server, asks, calls, message, send, whole};
use crate::orgs_support::{
    OFF, ON, Orgs, basic, basic_text, bearer, email, from, policy, site, wish,
};
use crate::support::{Answer, I, NOW, P, R, World, post};

#[track_caller]
fn says(answer: &Answer, words: &[&str]) {
    let body = answer.json();
    let message = body["message"].as_str().unwrap();
    for word in words {
        assert!(message.contains(word), "no {word:?} in {message:?}");
    }
}

fn names(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn complaint_12_an_expired_token_is_a_401_that_says_so() {
    let world = World::warm().await;
    let answer = world.bearer(&world.token().expires_in(-3600).sign()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.json()["error"], "invalid_token");
    assert!(answer.challenge().contains("error=\"invalid_token\""));
    assert!(answer.challenge().contains("expired"));
    says(&answer, &["expired"]);
}

#[tokio::test]
async fn complaint_75_the_switch_acts_at_once_and_the_refusal_names_it() {
    let world = Orgs::new().await;
    let off = policy(OFF).changed_at(UnixTime::from_secs(NOW - 14_400));
    world.policies.set(off).await;
    let personal = world.personal(OFF).await;
    let refused = world.present(&personal).await;
    says(
        &refused,
        &[
            "API token",
            "switched off",
            OFF,
            "allow_personal_tokens",
            "OAuth",
        ],
    );
    let body = refused.json();
    assert_eq!(body["policy"], OFF);
    assert_eq!(body["rule"], "allow_personal_tokens");
    assert_eq!(body["policy_version"], 2);
    assert_eq!(body["policy_changed_at"], NOW - 14_400);
    // Also for clients that never show a body.
    assert!(refused.challenge().contains("switched off"));
    world.policies.set(policy(OFF).api_tokens(true)).await;
    world.present(&personal).await.assert_let_in();
}

#[tokio::test]
async fn complaint_22_an_answer_without_credentials_lists_what_is_accepted() {
    let world = Orgs::new().await;
    let answer = world.send(post()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        names(&answer.json()["allowed_methods"]),
        ["oauth2", "api_token", "service_account_key"]
    );
    says(&answer, &["OAuth 2.1", "API token"]);
    // And a server without API tokens does not promise any.
    let answer = World::warm().await.send(post()).await;
    assert_eq!(answer.json()["allowed_methods"], json!(["oauth2"]));
}

#[tokio::test]
async fn complaint_87_a_token_with_too_few_scopes_hears_which_are_missing() {
    let world = Orgs::custom(|auth| auth.require_scopes(["read:issues", "write:issues"])).await;
    let answer = world.present(&world.personal(ON).await).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.json()["error"], "insufficient_scope");
    assert_eq!(answer.json()["missing_scopes"], json!(["write:issues"]));
    assert_eq!(
        answer.json()["required_scopes"],
        json!(["read:issues", "write:issues"])
    );
    says(&answer, &["API token", "write:issues"]);
}

/// Calls a tool.
async fn call(world: &Orgs, credential: &str, tool: &str) -> Answer {
    let request = message().header("authorization", credential);
    send(&world.auth, Server::default(), request, whole(calls(tool))).await
}

#[tokio::test]
async fn complaint_87_every_hidden_tool_says_what_it_is_hidden_for() {
    let rules = || {
        ToolRules::new()
            .tool(
                "getIssue",
                ToolRule::scopes(["read:issues"]).group("jira", Intent::Read),
            )
            .tool(
                "createIssue",
                ToolRule::scopes(["write:issues"]).group("jira", Intent::Write),
            )
            .tool(
                "search",
                ToolRule::scopes(["search:all", "read:issues"]).group("jira", Intent::Search),
            )
            .tool(
                "getPage",
                ToolRule::scopes(["read:wiki"]).group("wiki", Intent::Read),
            )
    };
    let world = Orgs::custom(|auth| auth.tools(rules())).await;
    for credential in [
        world.personal(ON).await,
        world.service_key(ON).await,
        bearer(&world.access_token(ON).scope("read:issues").sign()),
    ] {
        let context = world.decide(&credential).await.unwrap();
        for (tool, missing) in [
            ("getIssue", None),
            ("createIssue", Some("write:issues")),
            ("search", Some("search:all")),
            ("getPage", Some("read:wiki")),
        ] {
            let answer = call(&world, &credential, tool).await;
            assert_eq!(context.may_call(tool), missing.is_none(), "{tool}");
            let Some(missing) = missing else {
                answer.assert_let_in();
                continue;
            };
            assert_eq!(answer.status, StatusCode::FORBIDDEN);
            assert_eq!(answer.json()["error"], "insufficient_scope");
            assert_eq!(answer.json()["missing_scopes"], json!([missing]));
            says(&answer, &[missing, "lacks"]);
        }
    }
}

#[tokio::test]
async fn complaint_178_a_tool_for_api_tokens_says_so_to_an_access_token() {
    let rules = ToolRules::new().tool(
        "getTranscript",
        ToolRule::scopes(["read:issues"]).methods([AuthMethod::ApiToken]),
    );
    let world = Orgs::custom(|auth| auth.tools(rules)).await;
    let personal = world.personal(ON).await;
    call(&world, &personal, "getTranscript")
        .await
        .assert_let_in();
    let answer = call(&world, &world.oauth(ON), "getTranscript").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.json()["error"], "auth_method_not_allowed");
    assert_eq!(answer.json()["auth_method"], "oauth2");
    assert_eq!(answer.json()["allowed_methods"], json!(["api_token"]));
    // Nothing that would send the client through consent again.
    assert_eq!(answer.header("www-authenticate"), None);
}

/// Keys of an older time: good, and without a scope.
struct Classic;

impl ForeignTokens for Classic {
    fn recognise(&self, credential: &str) -> Option<TokenKind> {
        let classic = credential.starts_with("classic-");
        classic.then_some(TokenKind::ServiceAccount)
    }

    async fn verify(&self, _: ForeignCredential<'_>) -> Result<Option<ForeignToken>, BackendError> {
        let born = UnixTime::from_secs(NOW - 60);
        let key = ForeignToken::service_account("classic-1", ON, "robot");
        let key = key.created_at(born).expires_at(born.plus_secs(86_400));
        Ok(Some(key.build()?))
    }
}

#[tokio::test]
async fn complaint_2373_holmesgpt_a_classic_token_does_not_connect_to_nothing() {
    let rules = ToolRules::new()
        .tool("getIssue", ["read:issues"])
        .tool("createIssue", ["write:issues"]);
    let world = Orgs::custom(|auth| auth.tools(rules).foreign_tokens("classic", Classic)).await;
    // The very first message, which needs no scope of anybody.
    let initialize = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
    for body in [
        asks("initialize", &initialize),
        asks("tools/list", &json!({})),
        calls("getIssue"),
    ] {
        let request = message().header("authorization", bearer("classic-4711"));
        let server = Server::default();
        let answer = send(&world.auth, server.clone(), request, whole(body)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(answer.header("www-authenticate"), None);
        assert_eq!(answer.json()["error"], "insufficient_scope");
        assert_eq!(answer.json()["granted_scopes"], json!([]));
        assert_eq!(
            answer.json()["scopes_supported"],
            json!(["read:issues", "write:issues"])
        );
        says(&answer, &["no scopes", "Make a new token with scopes"]);
        assert_eq!(server.calls(), 0);
    }
}

#[tokio::test]
async fn complaint_97_the_wrong_kind_of_key_hears_which_kind_it_is() {
    let world = Orgs::new().await;
    let key = world.service_key(ON).await;
    let as_basic = basic_text(&email(ON), key.strip_prefix("Bearer ").unwrap());
    let answer = world.present(&as_basic).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    says(&answer, &["service-account API key", "Bearer"]);
    assert_eq!(answer.json()["credential_kind"], "service_account_key");
    assert_eq!(answer.json()["expected_scheme"], "Bearer");
    assert_eq!(
        names(&answer.json()["allowed_methods"]),
        ["oauth2", "api_token", "service_account_key"]
    );
    // A token of somewhere else altogether.
    let answer = world
        .present(&basic_text(&email(ON), "ATATT3xFfGF0legacy"))
        .await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let hint = answer.json()["hint"].as_str().unwrap().to_owned();
    assert!(hint.contains("not an API token of this server"), "{hint}");
}

#[tokio::test]
async fn complaint_168_a_raw_bearer_token_hears_to_be_sent_as_basic() {
    let world = Orgs::new().await;
    let issued = world.issue(wish(ON)).await;
    let answer = world.present(&bearer(issued.token.expose())).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    says(&answer, &["personal API token", "Basic", "email:api_token"]);
    assert_eq!(answer.json()["credential_kind"], "personal_api_token");
    assert_eq!(answer.json()["expected_scheme"], "Basic");
    world
        .present(&basic(&email(ON), &issued))
        .await
        .assert_let_in();
    // The pair itself, not encoded.
    let raw = format!("Basic {}:{}", email(ON), issued.token.expose());
    says(&world.present(&raw).await, &["base64", "email:api_token"]);
}

#[tokio::test]
async fn complaint_52_a_missing_scope_is_named_in_header_and_body() {
    let world = World::cold()
        .rebuilt(|auth| auth.require_scopes(["read:issues", "write:issues"]))
        .warmed()
        .await;
    let answer = world
        .bearer(&world.token().scope("read:issues").sign())
        .await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(
        answer
            .challenge()
            .contains("scope=\"read:issues write:issues\"")
    );
    assert_eq!(answer.json()["missing_scopes"], json!(["write:issues"]));
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn complaint_148_the_challenge_leads_to_a_document_that_is_there() {
    let world = World::warm().await;
    let answer = world.send(post()).await;
    assert!(
        answer
            .challenge()
            .contains(&format!("resource_metadata=\"{P}\""))
    );
    let path = P.strip_prefix("https://mcp.example.com").unwrap();
    let request = Request::get(path).header("host", "mcp.example.com");
    let document = world.send(request).await;
    assert_eq!(document.status, StatusCode::OK);
    assert_eq!(document.json()["resource"], R);
    assert_eq!(document.json()["authorization_servers"], json!([I]));
}

/// A service that has a challenge of its own.
async fn with_its_own_challenge<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let response = Response::builder()
        .status(StatusCode::UNAUTHORIZED)
        .header("www-authenticate", OWN_CHALLENGE);
    Ok(response.body(Full::default()).unwrap())
}

const OWN_CHALLENGE: &str = "Bearer resource_metadata=\"https://elsewhere.example/own\"";

#[tokio::test]
async fn complaint_939_there_is_one_resource_metadata_whoever_else_would_add_one() {
    let world = World::warm().await;
    let service = McpAuthLayer::new(world.auth.clone()).layer(service_fn(with_its_own_challenge));
    let send = |authorization: Option<String>| {
        let mut request = post();
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let answer = service.clone().oneshot(request);
        async { Answer::read(answer.await.unwrap()).await }
    };
    // Refused here: ours alone, and it leads to a document that is there.
    for authorization in [
        None,
        Some("Bearer a.b.c".to_owned()),
        Some("Digest x".to_owned()),
    ] {
        let answer = send(authorization).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        let challenge = answer.challenge();
        assert_eq!(
            challenge.matches("resource_metadata=").count(),
            1,
            "{challenge}"
        );
        assert!(challenge.contains(&format!("resource_metadata=\"{P}\"")));
    }
    // Let in, and refused by the service for reasons of its own: nothing is added to its words.
    let answer = send(Some(bearer(&world.token().sign()))).await;
    assert_eq!(answer.challenge(), OWN_CHALLENGE);
    // Twice the layer is once the challenge.
    let auth = world.auth.clone();
    let twice = McpAuthLayer::new(auth.clone()).layer(McpAuthLayer::new(auth).layer(world.probe));
    let request = post().body(Empty::<Bytes>::new()).unwrap();
    let answer = Answer::read(twice.oneshot(request).await.unwrap()).await;
    assert_eq!(answer.challenge().matches("resource_metadata=").count(), 1);
}

#[tokio::test]
async fn complaint_259251_the_document_has_the_slash_of_the_url_that_was_called() {
    for (resource, twin) in [
        ("https://mcp.example.com/mcp", "/mcp/"),
        ("https://mcp.example.com/mcp/", "/mcp"),
    ] {
        let world = World::cold();
        let auth = Authenticator::builder(ProtectedResource::new(resource).issuer(Issuer::new(I)))
            .fetch(world.issuer.fetch())
            .build()
            .unwrap();
        let service = McpAuthLayer::new(auth).layer(world.probe.clone());
        let send = |request: http::request::Builder| {
            let request = request.header("host", "mcp.example.com");
            let answer = service
                .clone()
                .oneshot(request.body(Empty::<Bytes>::new()).unwrap());
            async { Answer::read(answer.await.unwrap()).await }
        };
        let path = |url: &str| {
            url.strip_prefix("https://mcp.example.com")
                .unwrap()
                .to_owned()
        };
        let refused = send(Request::post(path(resource))).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        let (_, rest) = refused
            .challenge()
            .split_once("resource_metadata=\"")
            .unwrap();
        let (document, _) = rest.split_once('"').unwrap();
        let document = send(Request::get(path(document))).await;
        assert_eq!(document.json()["resource"], resource);
        // The other spelling is never served with a document that is not its own.
        let redirected = send(Request::post(twin)).await;
        assert_eq!(redirected.status, StatusCode::PERMANENT_REDIRECT);
        assert_eq!(redirected.header("location"), Some(resource));
    }
}

#[tokio::test]
async fn complaint_193_a_resource_in_the_clear_is_refused_when_built() {
    let resource = ProtectedResource::new("http://mcp.example.com/mcp").issuer(Issuer::new(I));
    let world = World::cold();
    let built = Authenticator::builder(resource)
        .fetch(world.issuer.fetch())
        .build();
    let error = built.unwrap_err().to_string();
    assert!(error.contains("http://mcp.example.com/mcp"), "{error}");
    assert!(error.contains("https"), "{error}");
}

#[tokio::test]
async fn complaint_241_every_refusal_has_a_code_and_a_number_to_quote() {
    let world = Orgs::new().await;
    let off = world.personal(OFF).await;
    for credential in ["Bearer nonsense", "Basic !", &off, &bearer("a.b.c")] {
        let request = post()
            .header("authorization", credential)
            .header("x-request-id", "call-17");
        let answer = world.send(request).await;
        assert_eq!(answer.header("x-request-id"), Some("call-17"));
        assert_eq!(answer.json()["request_id"], "call-17");
        assert!(!answer.code_in_body().is_empty());
        assert!(!answer.json()["message"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn complaint_254_the_refusal_shows_the_client_and_the_patterns_tried() {
    let world = Orgs::new().await;
    let rules = ClientRules::only()
        .pattern("https://tools.example.com")
        .pattern("https://*.tools.example.com/**");
    world.policies.set(policy(ON).clients(rules)).await;
    let client = "https://tools.example.com:8443/client.json";
    let token = world.access_token(ON).client(client).sign();
    let answer = world.present(&bearer(&token)).await;
    assert_eq!(answer.json()["error"], "client_not_allowed");
    says(
        &answer,
        &[
            client,
            "https://tools.example.com",
            "https://*.tools.example.com/**",
            "clients",
        ],
    );
}

#[tokio::test]
async fn complaint_86_throttling_names_the_limit_the_window_and_the_wait() {
    let world = Orgs::custom(|auth| auth.throttle(ThrottleSettings::new().per_address(2, 2))).await;
    let wrong = basic_text(&email(ON), "nonsense");
    for _ in 0..2 {
        let answer = world.present_from("192.0.2.1", &wrong).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    let answer = world.present_from("192.0.2.1", &wrong).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    let body = answer.json();
    for member in [
        "limit",
        "limit_scope",
        "limit_allowance",
        "limit_window_seconds",
    ] {
        assert!(!body[member].is_null(), "no {member} in {body}");
    }
    let wait = answer.header("retry-after").unwrap();
    assert_eq!(body["retry_after_seconds"].to_string(), wait);
    // Somebody else is not slowed down, and waiting helps.
    world
        .send(from("192.0.2.2").header("authorization", world.personal(ON).await))
        .await
        .assert_let_in();
    world
        .clock
        .advance(Duration::from_secs(wait.parse().unwrap()));
    let answer = world.present_from("192.0.2.1", &wrong).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn complaint_79_an_organization_can_be_restricted_to_sites() {
    let world = Orgs::new().await;
    let closed = GroupRules::new().other_products(Intents::none());
    let rules = policy(ON)
        .tenant(site("s-1"))
        .tenant(site("s-2"))
        .site_groups(site("s-2"), closed);
    world.policies.set(rules).await;
    let on = |name: &str| bearer(&world.access_token(ON).claim("site_id", name).sign());
    let refused = world.present(&on("s-3")).await;
    assert_eq!(refused.json()["error"], "tenant_not_allowed");
    says(&refused, &["s-3", ON]);
    let read = PermissionGroup::new("jira", Intent::Read);
    let first = world.decide(&on("s-1")).await.unwrap();
    first.permitted().unwrap().check_group(&read).unwrap();
    let second = world.decide(&on("s-2")).await.unwrap();
    second.permitted().unwrap().check_group(&read).unwrap_err();
}

#[tokio::test]
async fn complaint_201_the_denial_lists_the_methods_that_work() {
    let world = Orgs::new().await;
    world.policies.set(policy(OFF).personal_tokens(true)).await;
    let refused = world.present(&world.service_key(OFF).await).await;
    assert_eq!(refused.json()["auth_method"], "service_account_key");
    assert_eq!(
        refused.json()["allowed_methods"],
        json!(["oauth2", "api_token"])
    );
}

#[tokio::test]
async fn complaint_47515_ci_gets_clear_words_and_no_browser() {
    let world = Orgs::custom(
        tower_mcp_auth::authenticator::AuthenticatorBuilder::disabled_method_is_forbidden,
    )
    .await;
    let refused = world.present(&world.personal(OFF).await).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.header("www-authenticate"), None);
    says(&refused, &["API token", "switched off", OFF]);
}

#[tokio::test]
async fn complaint_12755_a_transient_fault_is_never_a_401() {
    let world = Orgs::new().await;
    let (oauth, personal) = (world.oauth(ON), world.personal(ON).await);
    world.issuer.fail_all(Fault::Refuse);
    world.policies.down(true);
    for credential in [oauth, personal] {
        let answer = world.present(&credential).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.header("retry-after").is_some());
        says(&answer, &["keep it", "try again"]);
    }
}

/// Also #199, #204, #214 and vscode #319120: the metadata advertised scopes that the consent screen
/// could not grant.
#[tokio::test]
async fn complaint_177_scopes_nobody_can_grant_are_found_at_start_up() {
    let issuer = TestIssuer::builder()
        .url(I)
        .scopes(["read:issues"])
        .in_process();
    let auth = Authenticator::builder(
        ProtectedResource::new(R)
            .issuer(Issuer::new(I))
            .baseline_scopes(["read:issues", "read:wiki"]),
    )
    .require_scopes(["offline:tools"])
    .fetch(issuer.fetch())
    .build()
    .unwrap();
    assert!(
        auth.issuer_status()[0].unlisted_scopes.is_empty(),
        "not asked yet"
    );
    auth.warm_up(Duration::from_secs(5)).await.unwrap();
    let unlisted = &auth.issuer_status()[0].unlisted_scopes;
    assert_eq!(unlisted.to_string(), "offline:tools read:wiki");
}
