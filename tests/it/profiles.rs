//! Provider profiles: each takes its issuer's access tokens and refuses its ID tokens.

use http::StatusCode;
use serde_json::{Value, json};
use tower_mcp_auth::Profile;
use tower_mcp_auth::testing::TokenBuilder;

use crate::support::{R, World};

fn claims(token: TokenBuilder, claims: &Value) -> TokenBuilder {
    let claims = claims.as_object().unwrap();
    claims.iter().fold(token, |token, (name, value)| {
        token.claim(name.clone(), value.clone())
    })
}

/// A token without anything the profiles differ in.
fn bare(token: TokenBuilder) -> TokenBuilder {
    let token = token.header("typ", "JWT");
    ["client_id", "jti", "scope"]
        .into_iter()
        .fold(token, TokenBuilder::without)
}

#[tokio::test]
async fn profiles_take_their_own_tokens() {
    let cases = [
        (
            Profile::auth0(),
            json!({"azp": "c", "scope": "read:issues", "permissions": ["p"]}),
        ),
        (
            Profile::okta(),
            json!({"cid": "c", "jti": "1", "scp": ["read:issues"]}),
        ),
        (
            Profile::entra_id(),
            json!({"azp": "c", "scp": "read:issues", "ver": "2.0"}),
        ),
        (
            Profile::entra_id(),
            json!({"appid": "c", "scp": "read:issues", "ver": "1.0"}),
        ),
        (
            Profile::keycloak(),
            json!({"azp": "c", "jti": "1", "typ": "Bearer", "scope": "read:issues"}),
        ),
        (
            Profile::cognito(["c"]),
            json!({"client_id": "c", "jti": "1", "token_use": "access", "scope": "read:issues"}),
        ),
        (
            Profile::hydra(),
            json!({"client_id": "c", "jti": "1", "scp": ["read:issues"]}),
        ),
        (
            Profile::atlassian(),
            json!({"jti": "1", "scope": "read:issues"}),
        ),
    ];
    for (profile, shape) in cases {
        let name = format!("{profile:?}");
        let world = World::custom(|r| r, |issuer| issuer.profile(profile))
            .warmed()
            .await;
        let answer = world
            .bearer(&claims(bare(world.token()), &shape).sign())
            .await;
        assert_eq!(
            answer.status,
            StatusCode::OK,
            "{name}: {:?}",
            answer.rejection
        );
        assert_eq!(answer.json()["scopes"], "read:issues", "{name}");
        let id_token = claims(bare(world.token()), &shape)
            .claim("nonce", "n")
            .audience("c");
        assert_eq!(
            world.bearer(&id_token.sign()).await.code(),
            "wrong_token_type",
            "{name}"
        );
        let strict = World::warm().await;
        let refused = strict
            .bearer(&claims(bare(strict.token()), &shape).sign())
            .await;
        assert_eq!(
            refused.status,
            StatusCode::UNAUTHORIZED,
            "{name} under RFC 9068"
        );
    }
}

#[tokio::test]
async fn cognito_tokens_name_their_client_instead_of_an_audience() {
    let cognito = World::custom(|r| r, |issuer| issuer.profile(Profile::cognito(["c"])))
        .warmed()
        .await;
    let shape = |client: &str, kind: &str| {
        cognito
            .token()
            .header("typ", "JWT")
            .client(client)
            .claim("token_use", kind)
            .without("aud")
            .sign()
    };
    cognito.bearer(&shape("c", "access")).await.assert_let_in();
    // Bound to a resource (RFC 8707), and then to this one.
    let bound = |audience: Value| {
        let token = cognito.token().header("typ", "JWT").client("c");
        token.claim("token_use", "access").audience(audience).sign()
    };
    cognito.bearer(&bound(json!(R))).await.assert_let_in();
    for other in [json!("https://other.example"), json!([]), json!("c")] {
        cognito
            .bearer(&bound(other))
            .await
            .assert_invalid_token("wrong_audience");
    }
    cognito
        .bearer(&shape("other", "access"))
        .await
        .assert_invalid_token("wrong_audience");
    cognito
        .bearer(&shape("c", "id"))
        .await
        .assert_invalid_token("wrong_token_type");
    cognito
        .bearer(&cognito.token().client("c").sign())
        .await
        .assert_invalid_token("wrong_token_type");
}
