//! What an attacker tried, and what must come of it.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{Empty, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_mcp_auth::middleware::RequestBody;
use tower_mcp_auth::{AuthContext, McpAuthLayer};

use crate::support::{Answer, I, NOW, R, World, post};

/// What a service sees of the claims it denies by.
async fn suspended(world: &World, token: &str) -> Answer {
    let inner = service_fn(|request: Request<RequestBody<Empty<Bytes>>>| async move {
        let auth = request.extensions().get::<AuthContext>().unwrap();
        let suspended = auth.principal().claims().get("suspended").cloned();
        Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(
            serde_json::json!({ "suspended": suspended }).to_string(),
        )))
    });
    let request = post().header("authorization", format!("Bearer {token}"));
    let service = McpAuthLayer::new(world.auth.clone()).layer(inner);
    let response = service.oneshot(request.body(Empty::new()).unwrap()).await;
    Answer::read(response.unwrap()).await
}

/// One number in a claim nobody reads must not take all claims from whoever denies by them.
#[tokio::test]
async fn t08_no_token_is_let_in_without_its_claims() {
    let world = World::warm().await;
    let token = |score: &str| {
        let exp = NOW + 60;
        world.token().raw_claims(format!(
            r#"{{"iss":"{I}","sub":"mallory","client_id":"c","aud":"{R}","exp":{exp},"iat":{NOW},"jti":"1","suspended":true,"score":{score}}}"#
        ))
    };
    let answer = suspended(&world, &token("1.5e300").sign()).await;
    answer.assert_let_in();
    assert_eq!(answer.json()["suspended"], true);
    for beyond in ["1e400", "-1e400", &"9".repeat(400), "[[1e309]]"] {
        suspended(&world, &token(beyond).sign())
            .await
            .assert_invalid_token("malformed_token");
    }
}

/// A revocation names a token by its id; PostgreSQL, for one, keeps no text with a NUL.
#[tokio::test]
async fn t05_an_id_that_no_revocation_could_name_is_refused() {
    let world = World::warm().await;
    for id in ["", "a\0", "\0", "a\nb", "\u{1b}[2J", "\u{7f}", "\u{85}"] {
        let answer = world.bearer(&world.token().claim("jti", id).sign()).await;
        answer.assert_invalid_token("malformed_claim");
    }
    let good = world.token().claim("jti", "urn:uuid:Ä 7/+=");
    world.bearer(&good.sign()).await.assert_let_in();
}

/// Staff come from an issuer without organizations, customers name their own: one that calls itself
/// `default` must not be taken for the staff.
#[tokio::test]
async fn t19_no_token_names_the_implicit_organization() {
    let world = World::custom(|r| r, |issuer| issuer.organization_claim("org"))
        .warmed()
        .await;
    let token = |org: &str| world.token().claim("org", org).sign();
    let answer = world.bearer(&token("acme")).await;
    assert_eq!(answer.json()["organization"], "acme");
    let answer = world.bearer(&token("default")).await;
    assert_eq!(answer.code(), "unknown_organization", "{:?}", answer.body);
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    world.bearer(&token("Default")).await.assert_let_in();
}

/// Whatever the form of the target, the inner service is behind the credential, and nothing of a
/// user in it is noted.
#[tokio::test]
async fn t35_no_form_of_a_target_leads_past_the_credential() {
    let world = World::warm().await;
    let targets = [
        "*",
        "mcp.example.com:443",
        "/",
        "/mcp",
        "//mcp",
        "/mcp//",
        "/mcp/.",
        "/MCP/",
        "/mcp%2F",
        "/mcp/?x",
        "/mcp?/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/",
        "/.well-known/oauth-protected-resource/mcp/",
        "/.well-known/oauth-protected-resource/mcp%3F",
        "/.well-known//oauth-protected-resource/mcp",
        "/x/.well-known/oauth-protected-resource/mcp",
        "https://mcp.example.com/mcp",
        "https://mcp.example.com",
        "https://user:c4n4ry@mcp.example.com/mcp",
        "https://evil.test/mcp",
        "http://mcp.example.com/mcp?access_token=x",
    ];
    let methods = ["GET", "POST", "HEAD", "OPTIONS", "CONNECT", "TRACE", "PRI"];
    for target in targets {
        for method in methods {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let uri: Uri = target.parse().unwrap();
            let answer = world.send(Request::builder().method(method).uri(uri)).await;
            assert!(!answer.status.is_success(), "{target}: {:?}", answer.status);
            let note = answer.rejection.as_ref().and_then(|found| found.note());
            assert!(!note.unwrap_or("").contains("c4n4ry"), "{note:?}");
        }
    }
    assert_eq!(world.probe.calls(), 0);
}
