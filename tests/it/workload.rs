//! Tokens behind which no person sits at a browser, and what is not an access token at all (EXT,
//! JWT-21, JWT-23); who acts for whom.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tower_mcp_auth::ident::{ClientId, Subject};
use tower_mcp_auth::testing::TokenBuilder;
use tower_mcp_auth::{AuthContext, Principal, PrincipalKind, Profile, Rejection};

use crate::support::{I, World, post};

const SPIFFE: &str = "spiffe://example.org/ns/ci/sa/deployer";

async fn judged(world: &World, token: &TokenBuilder) -> Result<AuthContext, Rejection> {
    let authorization = format!("Bearer {}", token.sign());
    let request = post().header("authorization", authorization);
    let (parts, ()) = request.body(()).unwrap().into_parts();
    world.auth.authenticate(&parts).await
}

async fn principal(world: &World, token: &TokenBuilder) -> Principal {
    let context = judged(world, token).await;
    context.unwrap().principal().clone()
}

async fn refusal(world: &World, token: &TokenBuilder) -> &'static str {
    judged(world, token).await.unwrap_err().reason().code()
}

async fn with_profile(profile: Profile) -> World {
    World::custom(|resource| resource, |issuer| issuer.profile(profile))
        .warmed()
        .await
}

#[tokio::test]
async fn ext_01_client_credentials_are_a_client_without_a_user() {
    let world = World::warm().await;
    let token = world.token().subject("batch").client("batch");
    let found = principal(&world, &token).await;
    assert_eq!(found.kind(), PrincipalKind::Client);
    assert_eq!(found.client().unwrap(), "batch");
    assert_eq!(found.actor(), None);
    // The identity is issuer and subject; a person of that name is somebody else to the rules, not
    // to the key.
    assert_eq!(found.issuer(), I);
}

/// What an authorization server makes of an ID-JAG (identity assertion): an ordinary access token.
#[tokio::test]
async fn ext_02_a_token_derived_from_an_identity_assertion_is_an_ordinary_one() {
    let world = World::warm().await;
    let derived = world
        .token()
        .subject("alice")
        .client("https://agent.example/client.json")
        .claim("auth_time", 1_799_999_000)
        .claim("acr", "urn:mfa")
        .claim("amr", json!(["pwd", "hwk"]))
        .claim("act", json!({"sub": "agent-7"}));
    let found = principal(&world, &derived).await;
    assert_eq!(found.kind(), PrincipalKind::User);
    assert!(found.authentication_methods().eq(["pwd", "hwk"]));
    assert_eq!(found.authentication_class(), Some("urn:mfa"));
    assert_eq!(found.actor().unwrap().subject().unwrap(), "agent-7");
    // Its audience is judged like any other's.
    let elsewhere = derived.audience("https://other.example/mcp");
    assert_eq!(refusal(&world, &elsewhere).await, "wrong_audience");
}

#[tokio::test]
async fn ext_03_a_workload_has_a_uri_for_a_subject_and_may_have_no_client() {
    let world = with_profile(Profile::rfc9068().without_client()).await;
    let workload = world.token().subject(SPIFFE).without("client_id");
    let found = principal(&world, &workload).await;
    assert_eq!(found.subject(), &SPIFFE);
    assert_eq!(found.kind(), PrincipalKind::Client);
    assert_eq!(found.client(), None);
    // With a client too, and whatever that is called.
    let found = principal(&world, &world.token().subject(SPIFFE)).await;
    assert_eq!(found.kind(), PrincipalKind::Client);
    // The default profile wants a client.
    let strict = World::warm().await;
    let workload = strict.token().subject(SPIFFE).without("client_id");
    assert_eq!(refusal(&strict, &workload).await, "missing_claim");
}

/// JWT-23: nothing a client could ask an authorization server with passes here.
// also: T11
#[tokio::test]
async fn jwt_23_grants_and_other_kinds_of_token_are_refused_by_their_type() {
    let types = [
        "oauth-id-jag+jwt",
        "application/oauth-id-jag+jwt",
        "authorization-grant+jwt",
        "client-authentication+jwt",
        "oauth-authz-req+jwt",
        "token-introspection+jwt",
        "logout+jwt",
        "secevent+jwt",
        "application/secevent+jwt",
        "dpop+jwt",
        "JOSE",
        "rt+jwt",
    ];
    let lax = Profile::rfc9068()
        .any_jwt_type()
        .without_client()
        .without_token_id();
    let worlds = [World::warm().await, with_profile(lax).await];
    for world in &worlds {
        world.bearer(&world.token().sign()).await.assert_let_in();
        for typ in types {
            let token = world.token().header("typ", typ);
            assert_eq!(refusal(world, &token).await, "wrong_token_type", "{typ}");
        }
    }
}

/// Those that carry no type of their own, under a profile that does not ask for one.
#[tokio::test]
async fn jwt_23_grants_without_a_type_are_refused_by_what_they_say() {
    let lax = Profile::rfc9068()
        .any_jwt_type()
        .without_client()
        .without_token_id();
    let world = with_profile(lax).await;
    let token = || world.token().header("typ", "JWT").without("scope");
    let events = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    let assertion = || token().subject("client").claim("iss", "client");
    let cases = [
        (
            "ID-JAG",
            token().audience("https://auth.example.com/t1"),
            "wrong_audience",
        ),
        (
            "JWT bearer grant",
            token().audience(json!([I])),
            "wrong_audience",
        ),
        ("private_key_jwt", assertion().audience(I), "unknown_issuer"),
        ("private_key_jwt for us", assertion(), "unknown_issuer"),
        (
            "SPIFFE JWT-SVID",
            token().subject(SPIFFE).audience("https://other.example"),
            "wrong_audience",
        ),
        (
            "JWT-SVID of no issuer",
            token().subject(SPIFFE).without("iss"),
            "missing_claim",
        ),
        (
            "logout token",
            token().claim("events", events),
            "wrong_token_type",
        ),
        (
            "security event",
            token().claim("events", json!({})),
            "wrong_token_type",
        ),
        ("ID token", token().claim("nonce", "n"), "wrong_token_type"),
        (
            "Keycloak refresh token",
            token().claim("typ", "Refresh"),
            "wrong_token_type",
        ),
        (
            "Cognito ID token",
            token().claim("token_use", "id"),
            "wrong_token_type",
        ),
    ];
    for (name, token, reason) in cases {
        assert_eq!(refusal(&world, &token).await, reason, "{name}");
    }
}

#[tokio::test]
async fn jwt_23_what_is_no_jwt_at_all_is_not_recognised() {
    let world = World::warm().await;
    let saml = "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_1\"/>";
    let texts = [
        STANDARD.encode(saml),
        "1//0gRefreshTokenOfSomeIssuer-abc_def".to_owned(),
        "v1.MjAyNi1yZWZyZXNo".to_owned(),
        "8xLOxBtZp8".to_owned(),
    ];
    for text in texts {
        let answer = world.bearer(&text).await;
        answer.assert_invalid_token("unrecognized_credential");
    }
    // Never in the body of the scheme: XML is not even a credential.
    assert_eq!(world.bearer(saml).await.code(), "malformed_credential");
}

#[tokio::test]
async fn jwt_21_who_acts_is_a_fact_with_everybody_before() {
    let world = World::warm().await;
    let act = json!({
        "sub": "agent-2", "client_id": "agent-2.example", "iss": "https://agents.example",
        "act": {"sub": "agent-1", "act": {"client_id": "portal"}}
    });
    let found = principal(&world, &world.token().claim("act", act)).await;
    let actor = found.actor().unwrap();
    assert_eq!(actor.issuer(), Some("https://agents.example"));
    assert_eq!(actor.client().unwrap(), "agent-2.example");
    let names = actor.chain().map(|actor| {
        let subject = actor.subject().map(Subject::as_str);
        subject.or(actor.client().map(ClientId::as_str))
    });
    assert!(names.eq([Some("agent-2"), Some("agent-1"), Some("portal")]));
    assert_eq!(actor.before().unwrap().issuer(), None);
    // Nobody became somebody else by it.
    assert_eq!(found.subject(), &"alice");
    assert_eq!(found.client().unwrap(), "test-client");
}

fn chain(length: usize) -> Value {
    (1..length).fold(
        json!({"sub": "a"}),
        |act, _| json!({"sub": "a", "act": act}),
    )
}

#[tokio::test]
async fn t08_a_delegation_that_cannot_be_read_is_refused() {
    let world = World::warm().await;
    let longest = principal(&world, &world.token().claim("act", chain(4))).await;
    assert_eq!(longest.actor().unwrap().chain().count(), 4);
    let bad = [
        chain(5),
        json!(null),
        json!("agent"),
        json!([{"sub": "agent"}]),
        json!({}),
        json!({"iss": "https://agents.example"}),
        json!({"sub": 7}),
        json!({"sub": ""}),
        json!({"sub": "a\nb"}),
        json!({"client_id": ["a"]}),
        json!({"sub": "a", "act": null}),
        json!({"sub": "a", "act": {}}),
    ];
    for act in bad {
        let token = world.token().claim("act", act.clone());
        assert_eq!(refusal(&world, &token).await, "malformed_claim", "{act}");
    }
}

#[tokio::test]
async fn t08_how_somebody_logged_in_is_a_list_of_words() {
    let world = World::warm().await;
    let none = principal(&world, &world.token()).await;
    assert_eq!(none.authentication_methods().len(), 0);
    let empty = principal(&world, &world.token().claim("amr", json!([]))).await;
    assert_eq!(empty.authentication_methods().len(), 0);
    for amr in [
        json!("pwd"),
        json!(null),
        json!([1]),
        json!(["pwd", null]),
        json!({}),
    ] {
        let token = world.token().claim("amr", amr.clone());
        assert_eq!(refusal(&world, &token).await, "malformed_claim", "{amr}");
    }
}
