//! Google: opaque access tokens, and ID tokens that robots get for any audience they name.

use serde_json::json;
use tower_mcp_auth::Profile;

use super::{Vendors, fixture};

fn robots() -> Profile {
    Profile::rfc9068()
        .any_jwt_type()
        .without_token_id()
        .client_claims(["azp"])
}

#[tokio::test]
async fn jwt_01_google_access_tokens_are_opaque() {
    let google = Vendors::new("google", |issuer| issuer.profile(robots())).await;
    let token = fixture("google", "access_token")["opaque"].clone();
    let answer = google.world.bearer(token.as_str().unwrap()).await;
    answer.assert_invalid_token("unrecognized_credential");
    // Those of service accounts have two dots, as a signed token has.
    let token = fixture("google", "access_token")["opaque_of_a_robot"].clone();
    let answer = google.world.bearer(token.as_str().unwrap()).await;
    answer.assert_invalid_token("malformed_token");
    assert_eq!(google.world.probe.calls(), 0);
}

#[tokio::test]
async fn jwt_05_google_id_tokens_of_persons_stay_out() {
    let google = Vendors::new("google", |issuer| {
        // Even where somebody listed their own web client as an audience.
        issuer
            .profile(robots())
            .audience("1234987819200.apps.googleusercontent.com")
    })
    .await;
    google
        .refuses("google", "id_token", "wrong_token_type")
        .await;
    let without_nonce = google
        .send_changed("google", "id_token", |_, claims| {
            claims.as_object_mut().unwrap().remove("nonce");
        })
        .await;
    without_nonce.assert_invalid_token("wrong_token_type");
}

#[tokio::test]
async fn jwt_21_google_service_accounts_prove_who_they_are() {
    // Not an access token by name; a workload's proof for this audience and no other.
    let google = Vendors::new("google", |issuer| issuer.profile(robots())).await;
    let robot = json!({
        "subject": "112010400000000710080", "client": "112010400000000710080",
        "kind": "Client", "scopes": "",
    });
    google
        .accepts("google", "service_account_id_token", robot)
        .await;
    let elsewhere = google
        .send_changed("google", "service_account_id_token", |_, claims| {
            claims["aud"] = json!("https://other.example");
        })
        .await;
    elsewhere.assert_invalid_token("wrong_audience");
    let strict = Vendors::new("google", |issuer| issuer).await;
    strict
        .refuses("google", "service_account_id_token", "wrong_token_type")
        .await;
}
