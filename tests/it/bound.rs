//! Bound tokens on a server that can check nothing: refused, whatever they are sent with (DPOP-7).

use serde_json::json;
use tower_mcp_auth::testing::DpopKey;

use crate::support::{R, World, post};

#[tokio::test]
async fn dpop_07_mtls_01_what_cannot_be_checked_is_refused() {
    let world = World::warm().await;
    let key = DpopKey::generate();
    let by_key = world.token().dpop_key(&key);
    for token in [
        by_key.clone(),
        world.token().certificate(b"der"),
        by_key.clone().certificate(b"der"),
    ] {
        let token = token.sign();
        // A second time too, and with a proof beside it.
        for _ in 0..2 {
            world
                .bearer(&token)
                .await
                .assert_invalid_token("sender_constrained");
        }
        let proof = key.proof("POST", R, &token).sign();
        let request = post().header("authorization", format!("Bearer {token}"));
        let request = request
            .header("dpop", proof)
            .header("client-cert", ":ZGVy:");
        let answer = world.send(request).await;
        answer.assert_invalid_token("sender_constrained");
    }
    let token = by_key.sign();
    let proof = key.proof("POST", R, &token).sign();
    let request = post().header("authorization", format!("DPoP {token}"));
    let answer = world.send(request.header("dpop", proof)).await;
    assert_eq!(answer.code(), "unsupported_scheme");
    assert_eq!(answer.status, 401);
    assert_eq!(world.probe.calls(), 0);
}

#[tokio::test]
async fn dpop_08_an_unbound_token_is_nothing_for_the_scheme_dpop() {
    let world = World::warm().await;
    let token = world.token().sign();
    let answer = world.present(format!("DPoP {token}")).await;
    assert_eq!(answer.code(), "unsupported_scheme");
    world.bearer(&token).await.assert_let_in();
}

#[tokio::test]
async fn prm_14_nothing_is_said_of_what_is_off() {
    let world = World::cold();
    let document = String::from_utf8(world.auth.resource().document().to_vec()).unwrap();
    assert!(
        !document.contains("dpop") && !document.contains("tls_client"),
        "{document}"
    );
    for member in [
        "dpop_signing_alg_values_supported",
        "dpop_bound_access_tokens_required",
        "tls_client_certificate_bound_access_tokens",
    ] {
        let resource = tower_mcp_auth::ProtectedResource::new(R)
            .issuer(tower_mcp_auth::Issuer::new(crate::support::I))
            .metadata(member, json!(true));
        assert!(resource.build().unwrap_err().to_string().contains(member));
    }
}
