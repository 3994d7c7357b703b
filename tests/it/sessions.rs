//! Sessions belong to whoever began them (MCP-14, T44), with rmcp in its session mode behind.

use http::{Request, StatusCode};
use tower_mcp_auth::authenticator::AuthenticatorBuilder;

use crate::operations_support::message;
use crate::orgs_support::{OFF, ON, Orgs};
use crate::sessions_support::{Sessions, initialize, rules, server, who};
use crate::support::Answer;

/// The inner server's own id: without the dot and the 22 letters of the seal.
fn unsealed(id: &str) -> &str {
    let (inner, seal) = id.split_at(id.len() - 23);
    assert!(seal.starts_with('.'));
    inner
}

#[track_caller]
fn assert_ran(answer: &Answer, subject: &str) {
    answer.assert_let_in();
    let text = String::from_utf8_lossy(&answer.body);
    assert!(text.contains(&format!("I am {subject}")), "{text}");
}

#[tokio::test]
async fn t44_a_session_goes_on_with_a_refreshed_token() {
    let world = Sessions::new(|auth| auth).await;
    let id = world.begin(&world.alice()).await;
    assert_eq!(unsealed(&id).len() + 23, id.len());
    for refreshed in [
        world.alice(),
        world.alice().expires_in(60).claim("jti", "another"),
        world.alice().scope("read:issues more:scopes"),
    ] {
        assert_ran(&world.send(&refreshed, &id, who()).await, "alice");
        assert_eq!(world.status("GET", &refreshed, &id).await, StatusCode::OK);
    }
    // What the token may do counts anew for every call of a session.
    let poor = world
        .send(&world.alice().scope("nothing"), &id, who())
        .await;
    assert_eq!(poor.code(), "insufficient_scope");
    let ended = world.status("DELETE", &world.alice(), &id).await;
    assert_eq!(ended, StatusCode::ACCEPTED);
    let gone = world.send(&world.alice(), &id, who()).await;
    assert_eq!((gone.status, gone.code()), (StatusCode::NOT_FOUND, ""));
    assert_eq!(gone.body, "Not Found: Session not found");
}

#[tokio::test]
async fn t44_mcp_14_anybody_else_hears_that_there_is_no_such_session() {
    let world = Sessions::new(|auth| auth).await;
    let id = world.begin(&world.alice()).await;
    let own = || world.alice();
    let of_bob = world.begin(&own().subject("bob")).await;
    let swapped = format!(
        "{}{}",
        unsealed(&id),
        of_bob.split_at(unsealed(&of_bob).len()).1
    );
    let cut = &id[..id.len() - 1];
    let cases = [
        (own().subject("bob"), &*id),
        (own().client("ide"), &id),
        (
            world
                .orgs
                .access_token(OFF)
                .subject("alice")
                .client("desktop"),
            &id,
        ),
        (own(), "made-up"),
        (own(), "made-up.AAAAAAAAAAAAAAAAAAAAAA"),
        (own(), ""),
        (own(), unsealed(&id)),
        (own(), &of_bob),
        (own(), &swapped),
        (own(), cut),
    ];
    let mut answers = Vec::new();
    for (token, id) in &cases {
        let bearer = format!("Bearer {}", token.sign());
        for (method, body) in [
            ("POST", who()),
            ("POST", "[]".to_owned()),
            ("GET", String::new()),
            ("DELETE", String::new()),
        ] {
            let request = message()
                .method(method)
                .header("authorization", &bearer)
                .header("mcp-session-id", *id);
            answers.push(world.send_to(&world.orgs.auth, request, body).await);
        }
    }
    for lines in [[&*id, &*id], [&*id, "made-up"], ["made-up", &*id]] {
        let request = message()
            .header("authorization", format!("Bearer {}", own().sign()))
            .header("mcp-session-id", lines[0])
            .header("mcp-session-id", lines[1]);
        answers.push(world.send_to(&world.orgs.auth, request, who()).await);
    }
    assert_eq!(answers.len(), 43);
    let first = &answers[0];
    assert_eq!(first.status, StatusCode::NOT_FOUND);
    assert_eq!(first.json()["error"], "unknown_session");
    assert_eq!(first.header("www-authenticate"), None);
    for answer in &mut answers {
        assert_eq!(answer.code(), "unknown_session");
        // About the request's body, which `GET` and `DELETE` have not; not about the session.
        answer.headers.remove("connection");
    }
    let first = &answers[0];
    for answer in &answers {
        let whole = (answer.status, &answer.headers, &answer.body);
        assert_eq!(whole, (first.status, &first.headers, &first.body));
    }
    // It is still there, and still alice's.
    assert_ran(&world.send(&own(), &id, who()).await, "alice");
    assert_ran(
        &world.send(&own().subject("bob"), &of_bob, who()).await,
        "bob",
    );
}

#[tokio::test]
async fn mcp_14_a_session_id_is_no_credential() {
    let world = Sessions::new(|auth| auth).await;
    let id = world.begin(&world.alice()).await;
    for (credential, code) in [
        (None, "missing_credential"),
        (Some("Bearer a.b.c"), "malformed_token"),
    ] {
        for id in [&*id, "made-up"] {
            let mut request = message().header("mcp-session-id", id);
            if let Some(value) = credential {
                request = request.header("authorization", value);
            }
            let answer = world.send_to(&world.orgs.auth, request, who()).await;
            assert_eq!(answer.code(), code);
        }
    }
}

/// The same person by API token is another party than by OAuth; the same key is the same one.
#[tokio::test]
async fn t44_sessions_of_api_tokens_are_theirs() {
    let world = Sessions::new(|auth| auth).await;
    let key = world.orgs.service_key(ON).await;
    let personal = world.orgs.personal(ON).await;
    let request = |credential: &str| message().header("authorization", credential);
    let auth = &world.orgs.auth;
    let begun = world.send_to(auth, request(&key), initialize()).await;
    let id = begun.header("mcp-session-id").unwrap().to_owned();
    let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    for (credential, status) in [
        (&key, StatusCode::ACCEPTED),
        (&personal, StatusCode::NOT_FOUND),
    ] {
        let request = request(credential).header("mcp-session-id", &id);
        let answer = world.send_to(auth, request, initialized.to_owned()).await;
        assert_eq!(answer.status, status);
    }
}

#[tokio::test]
async fn t44_instances_with_one_key_share_sessions_and_others_do_not() {
    const KEY: [u8; 32] = [7; 32];
    let world = Sessions::new(|auth| auth.session_key(KEY)).await;
    let id = world.begin(&world.alice()).await;
    let again = async |key: Option<[u8; 32]>| {
        let other = Orgs::custom(|auth| match key {
            Some(key) => auth.tools(rules()).session_key(key),
            None => auth.tools(rules()),
        })
        .await;
        let token = other
            .access_token(ON)
            .subject("alice")
            .client("desktop")
            .sign();
        let request = message()
            .header("authorization", format!("Bearer {token}"))
            .header("mcp-session-id", &id);
        // Behind both is one server.
        world.send_to(&other.auth, request, who()).await
    };
    assert_ran(&again(Some(KEY)).await, "alice");
    for key in [Some([8; 32]), None] {
        assert_eq!(again(key).await.code(), "unknown_session");
    }
}

#[tokio::test]
async fn mcp_14_sessions_can_be_left_alone() {
    let world = Sessions::new(AuthenticatorBuilder::insecure_unbound_sessions).await;
    let id = world.begin(&world.alice()).await;
    assert!(!id.contains('.'), "{id}");
    assert_ran(&world.send(&world.alice(), &id, who()).await, "alice");
    let bob = world.send(&world.alice().subject("bob"), &id, who()).await;
    assert_ran(&bob, "bob");
    let unknown = world.send(&world.alice(), "made-up", who()).await;
    assert_eq!(
        (unknown.status, unknown.code()),
        (StatusCode::NOT_FOUND, "")
    );
}

#[tokio::test]
async fn t44_a_session_begun_by_nobody_is_nobodys() {
    let orgs = Orgs::custom(|auth| auth.tools(rules().public_method("initialize"))).await;
    let world = Sessions {
        orgs,
        server: server(),
    };
    let begun = world
        .send_to(&world.orgs.auth, message(), initialize())
        .await;
    begun.assert_let_in();
    let id = begun.header("mcp-session-id").unwrap();
    let answer = world.send(&world.alice(), id, who()).await;
    assert_eq!(answer.code(), "unknown_session");
    let request: http::request::Builder = Request::post("/mcp")
        .header("host", "mcp.example.com")
        .header("mcp-session-id", id);
    let answer = world.send_to(&world.orgs.auth, request, who()).await;
    assert_eq!(answer.code(), "missing_credential");
}
