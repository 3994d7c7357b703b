//! Keycloak.

use serde_json::json;
use tower_mcp_auth::Profile;

use super::Vendors;

#[tokio::test]
async fn jwt_20_keycloak_users() {
    let keycloak = Vendors::new("keycloak", |issuer| issuer.profile(Profile::keycloak())).await;
    let person = json!({
        "subject": "648b0687-c002-441d-b797-0003b30168ed", "kind": "User", "client": "client-app",
        "scopes": "email openid profile read:issues", "organization": "default",
        "roles": ["default-roles-acme", "offline_access", "issue-reader"],
    });
    keycloak.accepts("keycloak", "access_token", person).await;
}

#[tokio::test]
async fn jwt_21_keycloak_service_accounts_are_no_persons() {
    let keycloak = Vendors::new("keycloak", |issuer| issuer.profile(Profile::keycloak())).await;
    // Keycloak gives each a user of its own, so `sub` never is the client.
    for token in ["app_only", "app_only_bare"] {
        let robot = json!({
            "kind": "Client", "client": "Issue-Robot",
            "subject": "27f3c0e2-37c3-4207-9adc-691351165d9b",
        });
        keycloak.accepts("keycloak", token, robot).await;
    }
    // A person who is called like another client's account stays one.
    let person = keycloak
        .send_changed("keycloak", "access_token", |_, claims| {
            claims["preferred_username"] = json!("service-account-issue-robot");
        })
        .await;
    assert_eq!(person.json()["kind"], "User");
}

#[tokio::test]
async fn jwt_05_keycloak_says_the_kind_in_the_payload() {
    let keycloak = Vendors::new("keycloak", |issuer| issuer.profile(Profile::keycloak())).await;
    keycloak
        .refuses("keycloak", "id_token", "wrong_token_type")
        .await;
    for kind in ["Refresh", "Offline", "Logout", "ID"] {
        let answer = keycloak
            .send_changed("keycloak", "access_token", |_, claims| {
                claims["typ"] = json!(kind);
            })
            .await;
        answer.assert_invalid_token("wrong_token_type");
    }
}

#[tokio::test]
async fn jwt_11_keycloak_without_an_audience_mapper() {
    let keycloak = Vendors::new("keycloak", |issuer| issuer.profile(Profile::keycloak())).await;
    keycloak
        .refuses(
            "keycloak",
            "access_token_without_audience",
            "wrong_audience",
        )
        .await;
    let realm = keycloak
        .send_changed("keycloak", "access_token", |_, claims| {
            claims["iss"] = json!("https://sso.example.com/realms/master");
        })
        .await;
    realm.assert_invalid_token("unknown_issuer");
}

#[tokio::test]
async fn t19_keycloak_organizations_are_written_as_a_list() {
    // One token may speak for several; which one is meant, it does not say.
    let keycloak = Vendors::new("keycloak", |issuer| {
        issuer
            .profile(Profile::keycloak())
            .organization_claim("organization")
    })
    .await;
    keycloak
        .refuses("keycloak", "organization", "malformed_claim")
        .await;
    let mapped = keycloak
        .send_changed("keycloak", "organization", |_, claims| {
            claims["organization"] = json!("acme");
        })
        .await;
    assert_eq!(mapped.json()["organization"], "acme");
}
