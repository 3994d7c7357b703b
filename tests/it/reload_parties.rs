//! New settings may see another party in the credential of an open stream, and another sender.

use serde_json::json;
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::ident::TenantId;
use tower_mcp_auth::policy::{PolicyStore, TrustedProxies};
use tower_mcp_auth::{Authenticator, Introspection, Issuer, OrganizationPolicy, Profile};

use crate::reload::token_settings;
use crate::streams_support::EVENTS;
use crate::support::{I, NOW, R, described};
use crate::tokens_support::{ADA, TokenWorld, basic, from, organization};

fn trusted() -> Issuer {
    Issuer::new(I).organization_claim("org_id")
}

fn of(issuer: Issuer) -> AuthenticatorBuilder {
    Authenticator::builder(described(issuer))
}

fn asking(issuer: Issuer) -> AuthenticatorBuilder {
    let client = Introspection::new().client_secret_basic("mcp", "introspecting");
    of(issuer.introspection(client.token_prefix("opaque_")))
}

async fn put(world: &TokenWorld, policy: OrganizationPolicy) {
    world.policies.put(policy, 1).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn mcp_20_the_party_of_an_opaque_token_is_read_by_the_new_settings() {
    let scp = Profile::rfc9068().scopes_in_scp();
    for (settings, reason) in [
        (
            asking(trusted().organization_claim("sub")),
            "unknown_organization",
        ),
        (
            asking(trusted()).require_scopes(["write:issues"]),
            "insufficient_scope",
        ),
        (asking(trusted().tenant_claim("site")), ""),
        (asking(trusted().profile(scp)), ""),
    ] {
        let world = TokenWorld::new().await;
        world.auth.reload(asking(trusted())).unwrap();
        let token = world.access_token().claim("site", "s-1").opaque();
        let mut open = world.events(&format!("Bearer {token}")).await;
        world.auth.reload(settings).unwrap();
        open.feed("data: 1\n\n");
        if reason.is_empty() {
            assert!(open.next().await.unwrap().is_data());
            open.assert_open();
        } else {
            open.ended_for(reason).await;
        }
    }
}

/// The issuer may take scopes back, and move its user to another organization.
#[tokio::test(start_paused = true)]
async fn mcp_20_a_stream_ends_when_its_issuer_says_less_of_its_token() {
    for (changed, value, reason) in [
        ("scope", "openid", "insufficient_scope"),
        ("org_id", "globex", "unknown_organization"),
        ("client_id", "another", ""),
    ] {
        let world = TokenWorld::new().await;
        let settings = asking(trusted()).require_scopes(["read:issues"]);
        world.auth.reload(settings).unwrap();
        let token = world.access_token().opaque();
        let mut open = world.events(&format!("Bearer {token}")).await;
        let mut answer = json!({
            "active": true, "token_type": "Bearer", "sub": "alice", "client_id": "test-client",
            "aud": R, "org_id": "acme", "scope": "read:issues", "exp": NOW + 300,
        });
        answer[changed] = value.into();
        let kind = "application/json";
        world.issuer.answer_introspection(kind, answer.to_string());
        world.pass(61).await;
        if reason.is_empty() {
            open.assert_passes("data: 1\n\n");
            settle().await;
            open.assert_passes("data: 2\n\n");
        } else {
            open.ended_for(reason).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn mcp_20_policies_judge_the_party_that_the_new_settings_see() {
    let site = |name: &str| TenantId::new(name).unwrap();
    let acme = || OrganizationPolicy::new(organization("acme"));
    for is_opaque in [false, true] {
        let with = |claim: &str| {
            let issuer = trusted().tenant_claim(claim);
            if is_opaque {
                asking(issuer)
            } else {
                of(issuer)
            }
        };
        // The policy is there before the reload, or comes after it.
        for before in [false, true] {
            let world = TokenWorld::new().await;
            world.auth.reload(with("old")).unwrap();
            let token = world.access_token().claim("old", "s-1").claim("new", "s-2");
            let token = if is_opaque {
                token.opaque()
            } else {
                token.sign()
            };
            if before {
                put(&world, acme().tenant(site("s-1"))).await;
            }
            let mut open = world.events(&format!("Bearer {token}")).await;
            world.auth.reload(with("new")).unwrap();
            if !before {
                open.feed("data: 1\n\n");
                assert!(open.next().await.unwrap().is_data());
                put(&world, acme().tenant(site("s-1"))).await;
            }
            open.feed("data: not any more\n\n");
            open.ended_for("tenant_not_allowed").await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn mcp_20_a_stream_comes_from_where_the_new_settings_say() {
    let behind = |proxies: TrustedProxies| token_settings().trusted_proxies(proxies);
    let proxy = || TrustedProxies::new(["10.0.0.1"]).unwrap();
    let acme = || {
        OrganizationPolicy::new(organization("acme"))
            .api_tokens(true)
            .network("203.0.113.0/24")
    };
    let world = TokenWorld::new().await;
    world.auth.reload(behind(proxy())).unwrap();
    put(&world, acme()).await;
    let alice = format!("Bearer {}", world.access_token().sign());
    let adas = basic(ADA, &world.acme_user);
    for authorization in [alice, adas] {
        world.auth.reload(behind(proxy())).unwrap();
        let request = |peer| from(peer).header("authorization", &authorization);
        let forwarded = request("10.0.0.1").header("x-forwarded-for", "203.0.113.5");
        let mut forwarded = world.open_as(forwarded, EVENTS).await;
        let mut direct = world.open_as(request("203.0.113.6"), EVENTS).await;
        world.auth.reload(behind(proxy())).unwrap();
        forwarded.assert_passes("data: 1\n\n");
        direct.assert_passes("data: 1\n\n");
        // What was a proxy is a client that says what it likes.
        world.auth.reload(behind(TrustedProxies::none())).unwrap();
        direct.assert_passes("data: 2\n\n");
        forwarded.feed("data: not any more\n\n");
        forwarded.ended_for("network_not_allowed").await;
    }
}

/// Lets tasks that are ready run.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
