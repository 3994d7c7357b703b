//! Dynamic client registration.

use http::StatusCode;
use serde_json::json;

use super::flow::authorize_url;
use super::grants::exchange;
use super::{REDIRECT, Wire, both, claims};
use crate::testing::TestIssuer;

#[tokio::test]
async fn a_registered_client_can_do_the_flow() {
    for subject in both(|b| b).await {
        let registration = json!({
            "client_name": "Desktop",
            "redirect_uris": ["http://127.0.0.1/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
        });
        let register = subject.url("/register");
        let answer = subject.wire.post_json(&register, registration).await;
        assert_eq!(answer.status(), StatusCode::CREATED);
        let client = answer.json();
        assert_eq!(client["token_endpoint_auth_method"], "client_secret_basic");
        assert_eq!(client["client_secret_expires_at"], 0);
        let id = client["client_id"].as_str().unwrap();
        let secret = client["client_secret"].as_str().unwrap();
        let url = authorize_url(&subject, &[("client_id", id)]);
        let code = subject.wire.get(&url).await.redirected()["code"].clone();
        let with_secret = [("client_id", id), ("client_secret", secret)];
        let tokens = exchange(&subject, &code, &with_secret).await.json();
        let payload = claims(tokens["access_token"].as_str().unwrap());
        assert_eq!(payload["client_id"], id);
        assert!(tokens["refresh_token"].is_string());
        assert_eq!(subject.issuer.hits().register, 1);
    }
}

#[tokio::test]
async fn registration_follows_its_defaults_and_limits() {
    let issuer = TestIssuer::builder().in_process();
    let wire = Wire::Process(issuer.fetch());
    let register = async |body| wire.post_json(&issuer.endpoint("/register"), body).await;

    let public =
        json!({"redirect_uris": ["cursor://callback"], "token_endpoint_auth_method": "none"});
    let public = register(public).await.json();
    assert_eq!(public.get("client_secret"), None);
    assert_eq!(public["grant_types"], json!(["authorization_code"]));

    let machine = json!({"grant_types": ["client_credentials"]});
    assert_eq!(register(machine).await.status(), StatusCode::CREATED);

    let cases = [
        (json!({}), "invalid_redirect_uri"),
        (json!({"redirect_uris": "x"}), "invalid_client_metadata"),
        (
            json!({"redirect_uris": ["http://evil.example/cb"]}),
            "invalid_redirect_uri",
        ),
        (
            json!({"redirect_uris": ["javascript:alert(1)"]}),
            "invalid_redirect_uri",
        ),
        (
            json!({"redirect_uris": ["https://a.example/#x"]}),
            "invalid_redirect_uri",
        ),
        (
            json!({"redirect_uris": ["/relative"]}),
            "invalid_redirect_uri",
        ),
        (
            json!({"redirect_uris": [REDIRECT], "grant_types": ["password"]}),
            "invalid_client_metadata",
        ),
        (
            json!({"grant_types": ["client_credentials"], "token_endpoint_auth_method": "none"}),
            "invalid_client_metadata",
        ),
        (
            json!({"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "private_key_jwt"}),
            "invalid_client_metadata",
        ),
        (json!([]), "invalid_redirect_uri"),
    ];
    for (body, expected) in cases {
        let answer = register(body.clone()).await;
        assert_eq!(answer.json()["error"], expected, "{body}");
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    }
}
