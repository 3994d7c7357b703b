//! Auth0, Okta, Cognito, Ory Hydra, Atlassian.

use serde_json::json;
use tower_mcp_auth::Profile;

use super::{Vendors, fixture};
use crate::support::R;

const COGNITO_APP: &str = "57cbishk4j24pabc1234567890";
const ATLASSIAN_APP: &str = "Ahz8eXampleClientId0123456789ab";

#[tokio::test]
async fn jwt_05_auth0_own_dialect() {
    let auth0 = Vendors::new("auth0", |issuer| {
        issuer
            .profile(Profile::auth0())
            .organization_claim("org_id")
    })
    .await;
    auth0.refuses("auth0", "id_token", "wrong_token_type").await;
    let person = json!({
        "subject": "auth0|123456", "kind": "User", "client": "my_client_id",
        "organization": "org_9ybsU1dN2dKfDkBi", "tenant": null,
        "scopes": "openid profile read:admin read:patients",
        "entitlements": ["read:patients", "read:admin"], "roles": [], "groups": [],
    });
    auth0.accepts("auth0", "access_token", person).await;
    // The suffix and `gty` both say so; either is enough (JWT-21).
    let robot = "awZfdIir8YFdGZWkvCejDoUb7SjTDicx";
    auth0
        .accepts(
            "auth0",
            "app_only",
            json!({"subject": format!("{robot}@clients"), "kind": "Client", "client": robot, "scopes": "read:patients"}),
        )
        .await;
    // The tenant may have switched this API to the other dialect: still its tokens.
    let dialect = json!({"kind": "User", "client": "my_client_id"});
    auth0
        .accepts("auth0", "access_token_rfc9068", dialect)
        .await;
}

#[tokio::test]
async fn jwt_05_auth0_id_tokens_without_a_nonce_are_for_somebody_else() {
    let auth0 = Vendors::new("auth0", |issuer| issuer.profile(Profile::auth0())).await;
    let answer = auth0
        .send_changed("auth0", "id_token", |_, claims| {
            claims.as_object_mut().unwrap().remove("nonce");
        })
        .await;
    // It names no client, and its audience is one.
    answer.assert_invalid_token("missing_claim");
}

#[tokio::test]
async fn jwt_15_auth0_rfc_9068_needs_no_relaxation() {
    let auth0 = Vendors::new("auth0", |issuer| {
        let profile = Profile::rfc9068().entitlements_claim("permissions");
        issuer.profile(profile).organization_claim("org_id")
    })
    .await;
    for refused in ["id_token", "access_token", "app_only"] {
        auth0.refuses("auth0", refused, "wrong_token_type").await;
    }
    let person = json!({
        "subject": "auth0|123456", "kind": "User", "client": "my_client_id",
        "organization": "org_9ybsU1dN2dKfDkBi",
        "scopes": "openid profile read:admin read:patients",
        "entitlements": ["read:patients", "read:admin"],
    });
    auth0.accepts("auth0", "access_token_rfc9068", person).await;
    let robot = json!({"kind": "Client", "client": "awZfdIir8YFdGZWkvCejDoUb7SjTDicx"});
    auth0.accepts("auth0", "app_only_rfc9068", robot).await;
}

#[tokio::test]
async fn t19_auth0_tokens_without_an_organization_or_of_another_tenant() {
    let auth0 = Vendors::new("auth0", |issuer| {
        issuer
            .profile(Profile::auth0())
            .organization_claim("org_id")
    })
    .await;
    let nobody = auth0
        .send_changed("auth0", "access_token", |_, claims| {
            claims.as_object_mut().unwrap().remove("org_id");
        })
        .await;
    assert_eq!(nobody.code(), "unknown_organization");
    let other = auth0
        .send_changed("auth0", "access_token", |_, claims| {
            claims["iss"] = json!("https://other-domain.auth0.com/");
        })
        .await;
    other.assert_invalid_token("unknown_issuer");
    // The userinfo endpoint's audience alone is not ours.
    let opaque = auth0
        .send_changed("auth0", "access_token", |_, claims| {
            claims["aud"] = json!(["https://my-domain.auth0.com/userinfo"]);
        })
        .await;
    opaque.assert_invalid_token("wrong_audience");
}

#[tokio::test]
async fn jwt_20_okta_custom_authorization_server() {
    let okta = Vendors::new("okta_custom", |issuer| issuer.profile(Profile::okta())).await;
    okta.refuses("okta_custom", "id_token", "wrong_token_type")
        .await;
    let person = json!({
        "subject": "john.doe@example.com", "kind": "User", "client": "nmdP1fcyvdVO11AL7ECm",
        "organization": "default", "scopes": "email flights openid",
        "groups": ["MyGroup1", "MyGroup2"],
    });
    okta.accepts("okta_custom", "access_token", person).await;
    let robot = json!({"kind": "Client", "client": "0oanfu8HTbsY1bGbp0g7", "scopes": "flights"});
    okta.accepts("okta_custom", "app_only", robot).await;
    // The org authorization server of the same Okta is another issuer.
    let org = okta.send("okta_org", "access_token").await;
    org.assert_invalid_token("unknown_issuer");
}

#[tokio::test]
async fn jwt_05_okta_id_tokens_without_their_hash_name_no_client() {
    let okta = Vendors::new("okta_custom", |issuer| issuer.profile(Profile::okta())).await;
    let answer = okta
        .send_changed("okta_custom", "id_token", |_, claims| {
            claims.as_object_mut().unwrap().remove("at_hash");
        })
        .await;
    answer.assert_invalid_token("missing_claim");
}

#[tokio::test]
async fn jwt_11_okta_org_tokens_are_for_okta_itself() {
    let okta = Vendors::new("okta_org", |issuer| issuer.profile(Profile::okta())).await;
    okta.refuses("okta_org", "access_token", "wrong_audience")
        .await;
    okta.refuses("okta_org", "id_token", "wrong_token_type")
        .await;
}

#[tokio::test]
async fn t10_cognito_tokens_name_a_client_or_a_resource() {
    let clients = [COGNITO_APP, "4m2example7k1v"];
    let cognito = Vendors::new("cognito", |issuer| {
        issuer.profile(Profile::cognito(clients))
    })
    .await;
    cognito
        .refuses("cognito", "id_token", "wrong_token_type")
        .await;
    let person = json!({
        "subject": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "kind": "User", "client": COGNITO_APP,
        "scopes": "aws.cognito.signin.user.admin", "groups": ["admin"], "organization": "default",
    });
    cognito.accepts("cognito", "access_token", person).await;
    let bound = json!({"kind": "User", "scopes": format!("{R}/read openid")});
    cognito
        .accepts("cognito", "access_token_bound", bound)
        .await;
    let robot =
        json!({"kind": "Client", "client": "4m2example7k1v", "scopes": format!("{R}/read")});
    cognito.accepts("cognito", "app_only", robot).await;
}

#[tokio::test]
async fn t10_cognito_tokens_of_other_clients_and_pools() {
    let cognito = Vendors::new("cognito", |issuer| {
        issuer.profile(Profile::cognito([COGNITO_APP]))
    })
    .await;
    cognito
        .refuses("cognito", "app_only", "wrong_audience")
        .await;
    let pool = cognito
        .send_changed("cognito", "access_token", |_, claims| {
            claims["iss"] = json!("https://cognito-idp.us-west-2.amazonaws.com/us-west-2_another");
        })
        .await;
    pool.assert_invalid_token("unknown_issuer");
    // Under the strict default there is no way in without an audience.
    let strict = Vendors::new("cognito", |issuer| {
        issuer.profile(Profile::rfc9068().any_jwt_type())
    })
    .await;
    strict
        .refuses("cognito", "access_token", "wrong_audience")
        .await;
    strict
        .refuses("cognito", "id_token", "wrong_token_type")
        .await;
}

#[tokio::test]
async fn jwt_20_hydra_with_jwt_access_tokens() {
    let hydra = Vendors::new("hydra", |issuer| {
        issuer
            .profile(Profile::hydra())
            .organization_claim("/ext/org")
    })
    .await;
    hydra.refuses("hydra", "id_token", "wrong_token_type").await;
    let none = hydra.send("hydra", "access_token_without_audience").await;
    none.assert_invalid_token("wrong_audience");
    let person = json!({
        "subject": "3d44bbc24614e28edd094bc54ef0497809717af5", "kind": "User",
        "client": "f3b9910a-08ea-4b6b-895a-261674e573b9",
        "scopes": "offline read:issues", "organization": "acme",
    });
    hydra.accepts("hydra", "access_token", person).await;
    let unnamed = hydra.send("hydra", "app_only").await;
    assert_eq!(unnamed.code(), "unknown_organization");
    let plain = Vendors::new("hydra", |issuer| issuer.profile(Profile::hydra())).await;
    let robot = json!({"kind": "Client", "client": "f3b9910a-08ea-4b6b-895a-261674e573b9", "scopes": "read:issues"});
    plain.accepts("hydra", "app_only", robot).await;
}

#[tokio::test]
async fn key_02_hydra_issuer_with_its_slash_and_without() {
    // The slash belongs to the identifier; without it the document is for somebody else.
    let identifier = fixture("hydra", "discovery")["issuer"].clone();
    assert!(identifier.as_str().unwrap().ends_with('/'));
    let hydra = Vendors::new("hydra", |issuer| issuer.profile(Profile::hydra())).await;
    let other = hydra
        .send_changed("hydra", "access_token", |_, claims| {
            claims["iss"] = json!("https://hydra.example.com");
        })
        .await;
    other.assert_invalid_token("unknown_issuer");
}

#[tokio::test]
async fn jwt_05_atlassian_tokens_by_their_type() {
    let atlassian = Vendors::new("atlassian", |issuer| {
        issuer.profile(Profile::atlassian()).audience(ATLASSIAN_APP)
    })
    .await;
    // Authorization codes and refresh tokens are signed tokens of the same issuer and audience.
    for refused in ["id_token", "authorization_code", "refresh_token"] {
        atlassian
            .refuses("atlassian", refused, "wrong_token_type")
            .await;
    }
    for token in ["access_token", "access_token_bound"] {
        let person = json!({
            "subject": "557058:8a2c3f10-1111-2222-3333-444455556666", "kind": "User",
            "client": ATLASSIAN_APP, "scopes": "offline_access read:jira-work read:me",
        });
        atlassian.accepts("atlassian", token, person).await;
    }
}

#[tokio::test]
async fn jwt_11_atlassian_tokens_of_other_apps() {
    let atlassian = Vendors::new("atlassian", |issuer| issuer.profile(Profile::atlassian())).await;
    atlassian
        .refuses("atlassian", "access_token", "wrong_audience")
        .await;
    let bound = json!({"kind": "User", "client": ATLASSIAN_APP});
    atlassian
        .accepts("atlassian", "access_token_bound", bound)
        .await;
}
