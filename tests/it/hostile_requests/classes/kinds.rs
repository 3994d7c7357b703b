//! Tokens of another kind.

use serde_json::json;

use super::request::{Batch, Hostile};
use super::site::Site;

pub fn t11(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let types = [
        "JWT",
        "jwt",
        "",
        " at+jwt",
        "at+jwt ",
        "at+jwt\0",
        "at+jwt;v=1",
        "application/jwt",
        "id_token",
        "id+jwt",
        "logout+jwt",
        "application/logout+jwt",
        "secevent+jwt",
        "dpop+jwt",
        "rt+jwt",
        "refresh+jwt",
        "oauth-authz-req+jwt",
        "token-introspection+jwt",
        "oauth-id-jag+jwt",
        "authorization-grant+jwt",
        "client-authentication+jwt",
        "JOSE",
        "JOSE+JSON",
        "JWE",
        "kb+jwt",
        "dc+sd-jwt",
        "vc+jwt",
        "at+jwt,JWT",
        "application/at+jwt+x",
        "text/at+jwt",
        "at jwt",
        "at%2Bjwt",
        "wimse-id+jwt",
        "entity-statement+jwt",
    ];
    for typ in types {
        batch.token(
            format!("typ {typ:?}"),
            site.token().header("typ", typ).sign(),
        );
    }
    for typ in [
        json!(null),
        json!(7),
        json!(["at+jwt"]),
        json!({"typ": "at+jwt"}),
        json!(true),
    ] {
        batch.token(format!("typ {typ}"), site.token().header("typ", typ).sign());
    }
    batch.token("no typ", site.token().without_header("typ").sign());
    let logout = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    for (claim, value) in [
        ("nonce", json!("n")),
        ("nonce", json!(null)),
        ("at_hash", json!("x")),
        ("c_hash", json!("x")),
        ("events", logout),
        ("events", json!({})),
        ("token_use", json!("id")),
        ("token_use", json!("refresh")),
        ("token_use", json!(7)),
        ("typ", json!("ID")),
        ("typ", json!("Refresh")),
        ("typ", json!("Offline")),
        ("typ", json!("Logout")),
        (
            "https://id.atlassian.com/atl_token_type",
            json!("AUTH_CODE"),
        ),
        (
            "https://id.atlassian.com/atl_token_type",
            json!("ROTATING_REFRESH"),
        ),
    ] {
        batch.token(
            format!("{claim} {value}"),
            site.token().claim(claim, value.clone()).sign(),
        );
        let named = site
            .token()
            .header("typ", "application/at+jwt")
            .claim(claim, value.clone());
        batch.token(format!("{claim} {value} in full"), named.sign());
    }
    batch.0
}
