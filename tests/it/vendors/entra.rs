//! Microsoft Entra ID, token versions 1 and 2.

use std::time::Duration;

use serde_json::json;
use tower_mcp_auth::{Authenticator, Issuer, Profile};

use super::{Vendors, Web, fixture, identifier};
use crate::support::described;

const TENANT: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";
const API: &str = "00001111-aaaa-2222-bbbb-3333cccc4444";
const APP: &str = "11112222-bbbb-3333-cccc-4444dddd5555";

fn trusted(issuer: Issuer) -> Issuer {
    issuer
        .profile(Profile::entra_id())
        .audience(API)
        .audience(format!("api://{API}"))
        .organization_claim("tid")
}

#[tokio::test]
async fn jwt_20_entra_v2_users_and_guests() {
    let entra = Vendors::new("entra_v2", trusted).await;
    entra
        .accepts(
            "entra_v2",
            "access_token",
            json!({
                "subject": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ", "kind": "User",
                "client": APP, "organization": TENANT, "scopes": "access_as_user read.issues",
                "roles": ["Reader"], "groups": ["cccccccc-2222-3333-4444-dddddddddddd"],
            }),
        )
        .await;
    // A guest acts in the tenant that invited them: `tid`, not the `idp` they come from.
    let guest =
        json!({"kind": "User", "client": APP, "organization": TENANT, "scopes": "access_as_user"});
    entra.accepts("entra_v2", "guest", guest).await;
}

#[tokio::test]
async fn jwt_20_entra_groups_up_to_the_most_a_token_holds_and_none_beyond() {
    // "Access token claims reference", "Groups overage claim": at most 200, then a link instead.
    let entra = Vendors::roomy("entra_v2", trusted).await;
    let groups: Vec<String> = (0..200)
        .map(|n| format!("cccccccc-2222-3333-4444-{n:012}"))
        .collect();
    let many = async |server: &Vendors| {
        server
            .send_changed("entra_v2", "access_token", |_, claims| {
                claims["groups"] = json!(groups);
            })
            .await
    };
    assert_eq!(many(&entra).await.json()["groups"], json!(groups));
    // Such a token is longer than the limit everybody begins with (AUTH-17).
    let usual = many(&Vendors::new("entra_v2", trusted).await).await;
    assert_eq!(usual.code(), "credential_too_large");
    assert_eq!(usual.status, 431);
    let linked = entra
        .send_changed("entra_v2", "access_token", |_, claims| {
            let claims = claims.as_object_mut().unwrap();
            claims.remove("groups");
            let link = json!({"src1": {"endpoint": "https://graph.microsoft.com/v1.0/users/a/getMemberObjects"}});
            claims.insert("_claim_names".into(), json!({"groups": "src1"}));
            claims.insert("_claim_sources".into(), link);
        })
        .await;
    linked.assert_let_in();
    assert_eq!(
        linked.json()["groups"],
        json!([]),
        "nobody follows the link"
    );
}

#[tokio::test]
async fn jwt_21_entra_applications_are_no_persons() {
    let entra = Vendors::new("entra_v2", trusted).await;
    let robot = json!({
        "kind": "Client", "client": APP, "organization": TENANT, "scopes": "",
        "roles": ["Issues.Read.All"], "subject": "bbbbbbbb-1111-2222-3333-cccccccccccc",
    });
    entra
        .accepts("entra_v2", "app_only_idtyp", robot.clone())
        .await;
    // `idtyp` is an optional claim. What every application token lacks is `scp`.
    entra.accepts("entra_v2", "app_only", robot.clone()).await;
    let old = Vendors::new("entra_v1", trusted).await;
    old.accepts("entra_v1", "app_only", robot).await;
}

#[tokio::test]
async fn jwt_05_entra_id_tokens_of_the_same_registration() {
    // One registration for the web page and its API: the ID token has the right audience.
    for version in ["entra_v2", "entra_v1"] {
        let entra = Vendors::new(version, trusted).await;
        entra.refuses(version, "id_token", "missing_claim").await;
        let with_nonce = entra
            .send_changed(version, "id_token", |_, claims| {
                claims["nonce"] = json!("123523");
            })
            .await;
        with_nonce.assert_invalid_token("wrong_token_type");
    }
}

#[tokio::test]
async fn jwt_10_entra_versions_are_two_issuers() {
    let new = Vendors::new("entra_v2", trusted).await;
    new.refuses("entra_v1", "access_token", "unknown_issuer")
        .await;
    let old = Vendors::new("entra_v1", trusted).await;
    old.refuses("entra_v2", "access_token", "unknown_issuer")
        .await;
    // An API that is called by both kinds of clients lists both.
    let both = Vendors::several(
        &["entra_v2", "entra_v1"],
        trusted(Issuer::new(identifier("entra_v2"))),
        [trusted(Issuer::new(identifier("entra_v1")))],
    )
    .await;
    both.accepts(
        "entra_v2",
        "access_token",
        json!({"kind": "User", "client": APP}),
    )
    .await;
    let person = json!({
        "kind": "User", "client": APP, "organization": TENANT, "scopes": "user_impersonation",
        "subject": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
    });
    both.accepts("entra_v1", "access_token", person).await;
}

#[tokio::test]
async fn jwt_11_entra_v1_audiences_take_many_forms_and_only_listed_ones_count() {
    let old = Vendors::new("entra_v1", trusted).await;
    let send = async |audience: String| {
        old.send_changed("entra_v1", "access_token", |_, claims| {
            claims["aud"] = json!(audience);
        })
        .await
    };
    send(API.to_owned()).await.assert_let_in();
    send(format!("api://{API}")).await.assert_let_in();
    for other in [
        format!("api://{API}/"),
        format!("API://{API}"),
        "https://graph.microsoft.com".to_owned(),
        "00000003-0000-0000-c000-000000000000".to_owned(),
    ] {
        send(other).await.assert_invalid_token("wrong_audience");
    }
}

#[tokio::test]
async fn t19_entra_tenants_share_keys_and_are_kept_apart() {
    let entra = Vendors::new("entra_v2", trusted).await;
    let other = "eeeeffff-4444-aaaa-5555-bbbb6666cccc";
    let foreign = entra
        .send_changed("entra_v2", "access_token", |_, claims| {
            claims["iss"] = json!(format!("https://login.microsoftonline.com/{other}/v2.0"));
            claims["tid"] = json!(other);
        })
        .await;
    foreign.assert_invalid_token("unknown_issuer");
    let nowhere = entra
        .send_changed("entra_v2", "access_token", |_, claims| {
            claims.as_object_mut().unwrap().remove("tid");
        })
        .await;
    assert_eq!(nowhere.code(), "unknown_organization");
}

#[tokio::test(start_paused = true)]
async fn key_02_entra_common_is_a_template_and_no_issuer() {
    // Its document names `{tenantid}`, and no token does: list the tenants instead.
    let document = fixture("entra_v2", "discovery_common");
    let named = document["issuer"].as_str().unwrap().to_owned();
    assert!(named.contains("{tenantid}"));
    let common = "https://login.microsoftonline.com/common/v2.0";
    let place = format!("{common}/.well-known/openid-configuration");
    let auth = Authenticator::builder(described(trusted(Issuer::new(common))))
        .fetch(Web(vec![(place, document)]))
        .build()
        .unwrap();
    let error = auth.warm_up(Duration::from_secs(5)).await.unwrap_err();
    assert!(error.to_string().contains(common), "{error}");
}
