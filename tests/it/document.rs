//! What the metadata document says (PRM-4, 8, 11, 12, 13, 16).

use serde_json::{Value, json};
use tower_mcp_auth::{Issuer, ProtectedResource};

use crate::support::{I, R, World};

fn document(resource: ProtectedResource) -> Value {
    serde_json::from_slice(resource.build().unwrap().document()).unwrap()
}

fn resource() -> ProtectedResource {
    ProtectedResource::new(R).issuer(Issuer::new(I))
}

#[test]
fn prm_04_prm_13_the_resource_is_as_configured_and_tokens_come_in_the_header() {
    let document = document(resource());
    assert_eq!(document["resource"], R);
    assert_eq!(document["bearer_methods_supported"], json!(["header"]));
}

#[tokio::test]
async fn prm_08_the_issuer_is_written_as_in_the_tokens_it_signs() {
    let world = World::warm().await;
    let answer = world.bearer(&world.token().sign()).await;
    let document = document(resource());
    assert_eq!(
        document["authorization_servers"],
        json!([answer.json()["issuer"]])
    );
}

#[test]
fn prm_11_prm_12_only_the_baseline_is_published_and_never_offline_access() {
    let asked = resource().baseline_scopes(["read:issues", "offline_access"]);
    let resource = asked.build().unwrap();
    let document: Value = serde_json::from_slice(resource.document()).unwrap();
    assert_eq!(document["scopes_supported"], json!(["read:issues"]));
    assert!(!resource.baseline_scopes().contains("offline_access"));
}

#[test]
fn prm_16_an_identifier_is_https_without_user_or_fragment_or_it_is_on_loopback() {
    for bad in [
        "http://mcp.example.com/mcp",
        "https://mcp.example.com/mcp#x",
        "https://user@mcp.example.com/mcp",
        "https://:pw@mcp.example.com/mcp",
        "ftp://mcp.example.com",
        "mcp.example.com",
        "",
    ] {
        let refused = ProtectedResource::new(bad).issuer(Issuer::new(I)).build();
        assert!(refused.is_err(), "{bad}");
    }
    for good in [
        "http://127.0.0.1:8000/mcp",
        "http://localhost/mcp",
        "http://[::1]:1/mcp",
    ] {
        let taken = ProtectedResource::new(good).issuer(Issuer::new(I)).build();
        assert!(taken.is_ok(), "{good}");
    }
}
