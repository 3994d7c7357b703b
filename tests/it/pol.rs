//! Organizations' policies, seen from outside (POL, R25, T21, T37).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tokio::task::JoinSet;
use tower_mcp_auth::OrganizationPolicy;
use tower_mcp_auth::policy::{
    ClientPattern, ClientRules, GroupRules, Intent, MemoryPolicyStore, PermissionGroup,
    PolicyStore, PutError, TrustedProxies,
};

use crate::orgs_support::{
    CONTACT, FRESH, HELP, INSIDE, OFF, ON, Orgs, Policies, basic_text, bearer, email, from,
    organization, policy, site, wish,
};
use crate::support::{Answer, I, P};

#[track_caller]
fn assert_forbidden(answer: &Answer, error: &str, rule: &str) {
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{:?}", answer.body);
    assert_eq!(answer.header("www-authenticate"), None, "SCP-7");
    let body = answer.json();
    assert_eq!(body["error"], error, "{body}");
    assert_eq!(body["rule"], rule, "{body}");
    assert!(body["policy"].is_string(), "{body}");
    assert!(body["request_id"].is_string(), "{body}");
}

#[track_caller]
fn assert_e4(answer: &Answer, organization: &str, method: &str) {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{:?}", answer.body);
    let body = answer.json();
    assert_eq!(body["error"], "auth_method_disabled", "{body}");
    assert_eq!(body["auth_method"], method);
    assert_eq!(body["allowed_methods"], json!(["oauth2"]));
    assert_eq!(body["policy"], organization);
}

#[tokio::test]
async fn pol_01_off_is_e4_oauth_works_and_on_acts_on_the_next_request() {
    let world = Orgs::new().await;
    let personal = world.personal(OFF).await;
    let refused = world.present(&personal).await;
    let message = format!(
        "Authentication by API token is switched off; connect with OAuth 2.1. This is a rule of the \
         organization off (allow_personal_tokens, version 1). Ask {CONTACT}, or see {HELP}."
    );
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        refused.challenge(),
        format!("Bearer resource_metadata=\"{P}\", error_description=\"{message}\"")
    );
    assert_eq!(refused.header("cache-control"), Some("no-store"));
    let mut body = refused.json();
    let request_id = body.as_object_mut().unwrap().remove("request_id");
    assert_eq!(request_id.unwrap().as_str(), refused.header("x-request-id"));
    assert_eq!(
        body,
        json!({
            "error": "auth_method_disabled",
            "message": message,
            "auth_method": "api_token",
            "allowed_methods": ["oauth2"],
            "policy": OFF,
            "policy_version": 1,
            "rule": "allow_personal_tokens",
            "help_url": HELP,
            "contact": CONTACT,
        })
    );
    assert_eq!(world.probe.calls(), 0);

    world.present(&world.oauth(OFF)).await.assert_let_in();
    world.policies.set(policy(OFF).api_tokens(true)).await;
    let answer = world.present(&personal).await;
    answer.assert_let_in();
    assert_eq!(answer.json()["method"], "api_token");
    assert_eq!(answer.json()["organization"], OFF);
}

#[tokio::test]
async fn pol_01_service_keys_are_switched_off_alike() {
    let world = Orgs::new().await;
    let refused = world.present(&world.service_key(OFF).await).await;
    assert_e4(&refused, OFF, "service_account_key");
    assert_eq!(refused.json()["rule"], "allow_service_account_keys");

    // One kind on: the answer to the other says so.
    let halves = policy(OFF).personal_tokens(true);
    world.policies.set(halves).await;
    let refused = world.present(&world.service_key(OFF).await).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        refused.json()["allowed_methods"],
        json!(["oauth2", "api_token"])
    );
    let personal = world.personal(OFF).await;
    world.present(&personal).await.assert_let_in();
}

#[tokio::test]
async fn pol_02_the_knob_makes_it_403_without_a_challenge() {
    let world = Orgs::custom(
        tower_mcp_auth::authenticator::AuthenticatorBuilder::disabled_method_is_forbidden,
    )
    .await;
    for credential in [world.personal(OFF).await, world.service_key(OFF).await] {
        let refused = world.present(&credential).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert_eq!(refused.header("www-authenticate"), None);
        assert_eq!(refused.json()["error"], "auth_method_disabled");
        assert_eq!(refused.json()["allowed_methods"], json!(["oauth2"]));
    }
    // Without a credential a login must still start.
    let asked = world.send(crate::support::post()).await;
    assert_eq!(asked.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn pol_03_an_organization_without_a_policy_is_oauth_only() {
    let world = Orgs::new().await;
    let refused = world.present(&world.personal(FRESH).await).await;
    assert_e4(&refused, FRESH, "api_token");
    assert_eq!(refused.json()["policy_version"], 0);
    let refused = world.present(&world.service_key(FRESH).await).await;
    assert_e4(&refused, FRESH, "service_account_key");
    world.present(&world.oauth(FRESH)).await.assert_let_in();
}

/// Everything a client sees but for the request id.
fn visible(answer: &Answer) -> (StatusCode, String, Vec<(String, String)>) {
    let id = answer.header("x-request-id").unwrap();
    let body = String::from_utf8(answer.body.to_vec()).unwrap();
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().replace(id, "ID")))
        .collect();
    headers.sort();
    (answer.status, body.replace(id, "ID"), headers)
}

#[tokio::test]
async fn pol_04_a_wrong_secret_tells_nothing_about_the_switch() {
    let world = Orgs::new().await;
    let mut seen = Vec::new();
    for name in [ON, OFF, FRESH, INSIDE] {
        // Well-formed, the right id, a secret that was replaced.
        let issued = world.issue(wish(name)).await;
        let id = *issued.record.id();
        world.tokens.roll(&id, Duration::ZERO).await.unwrap();
        let old = basic_text(&email(name), issued.token.expose());
        seen.push(visible(&world.present(&old).await));
        // The right secret, somebody else's address.
        let issued = world.issue(wish(name)).await;
        let other = basic_text("eve@evil.example", issued.token.expose());
        seen.push(visible(&world.present(&other).await));
        // Revoked.
        let issued = world.issue(wish(name)).await;
        world.tokens.revoke(issued.record.id()).await.unwrap();
        let revoked = basic_text(&email(name), issued.token.expose());
        seen.push(visible(&world.present(&revoked).await));
    }
    assert_eq!(seen[0].0, StatusCode::UNAUTHORIZED);
    assert!(seen[0].1.contains("invalid_credentials"), "{}", seen[0].1);
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
}

#[tokio::test]
async fn pol_05_every_flip_acts_on_the_very_next_request() {
    let world = Orgs::new().await;
    let (personal, key) = (world.personal(ON).await, world.service_key(ON).await);
    for round in 0..50 {
        let on = round % 2 == 1;
        world.policies.set(policy(ON).api_tokens(on)).await;
        let expected = if on { 200 } else { 401 };
        assert_eq!(world.present(&personal).await.status, expected, "{round}");
        assert_eq!(world.present(&key).await.status, expected, "{round}");
    }
}

/// Every answer names the version it was decided on.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pol_05_no_request_after_put_is_decided_on_the_old_policy() {
    let world = Arc::new(Orgs::new().await);
    let personal = world.personal(OFF).await;
    // The version of the last `put` that returned; 0 ends the readers.
    let finished = Arc::new(AtomicU64::new(1));
    let decided = Arc::new(AtomicU64::new(0));
    let mut readers = JoinSet::new();
    for _ in 0..16 {
        let (world, personal) = (world.clone(), personal.clone());
        let (finished, decided) = (finished.clone(), decided.clone());
        readers.spawn(async move {
            loop {
                let before = finished.load(Ordering::SeqCst);
                if before == 0 {
                    return;
                }
                let answer = world.present(&personal).await;
                // One overtaken by a change while it waited may be told to come again: that is no
                // old answer, and no yes.
                if answer.status != StatusCode::SERVICE_UNAVAILABLE {
                    let seen = answer.json()["policy_version"].as_u64().unwrap();
                    assert!(seen >= before, "{seen} decided after {before} was put");
                    decided.fetch_add(1, Ordering::SeqCst);
                }
                tokio::task::yield_now().await;
            }
        });
    }
    for round in 0..300 {
        let so_far = decided.load(Ordering::SeqCst);
        let stored = world.policies.set(policy(OFF)).await;
        finished.store(stored.version(), Ordering::SeqCst);
        // Most changes meet requests under way; every third waits for an answer.
        while round % 3 == 0 && decided.load(Ordering::SeqCst) == so_far {
            // None ends before it is told to, unless its assertion failed.
            if let Some(reader) = readers.try_join_next() {
                reader.unwrap();
            }
            tokio::task::yield_now().await;
        }
    }
    finished.store(0, Ordering::SeqCst);
    readers.join_all().await;
    assert!(decided.load(Ordering::SeqCst) >= 100);
}

#[tokio::test]
async fn pol_05_a_change_made_elsewhere_acts_within_30_seconds() {
    let stored = MemoryPolicyStore::new()
        .with(policy(ON).api_tokens(true))
        .unwrap();
    let world = Orgs::over(Policies::new(stored).deaf(), |auth| auth).await;
    let personal = world.personal(ON).await;
    world.present(&personal).await.assert_let_in();
    world.policies.set(policy(ON)).await;
    world.clock.advance(Duration::from_secs(29));
    world.present(&personal).await.assert_let_in();
    world.clock.advance(Duration::from_secs(1));
    assert_e4(&world.present(&personal).await, ON, "api_token");
    // The other way too.
    world.policies.set(policy(ON).api_tokens(true)).await;
    world.clock.advance(Duration::from_secs(30));
    world.present(&personal).await.assert_let_in();
    // An administrator need not wait.
    world.policies.set(policy(ON)).await;
    world.auth.handle().flush();
    assert_e4(&world.present(&personal).await, ON, "api_token");
}

#[track_caller]
fn assert_outage(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["error"], "temporarily_unavailable");
    assert_eq!(answer.header("www-authenticate"), None);
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=5).contains(&wait), "{wait}");
    assert_eq!(answer.code(), "policy_unavailable");
    assert!(
        !answer.json().to_string().contains("database"),
        "kept from clients"
    );
}

#[tokio::test]
async fn pol_06_an_unreachable_store_is_503_for_everybody() {
    let world = Orgs::new().await;
    world.policies.down(true);
    for name in [ON, OFF, FRESH] {
        for credential in [
            world.oauth(name),
            world.personal(name).await,
            world.service_key(name).await,
        ] {
            assert_outage(&world.present(&credential).await);
        }
    }
    assert_eq!(world.probe.calls(), 0);
    world.policies.down(false);
    world.clock.advance(Duration::from_secs(2));
    world.present(&world.oauth(ON)).await.assert_let_in();
    let off = world.personal(OFF).await;
    assert_e4(&world.present(&off).await, OFF, "api_token");
}

#[tokio::test]
async fn pol_06_a_known_policy_serves_five_minutes_longer_and_no_more() {
    let world = Orgs::new().await;
    let (on, off) = (world.personal(ON).await, world.personal(OFF).await);
    world.present(&on).await.assert_let_in();
    assert_e4(&world.present(&off).await, OFF, "api_token");
    world.policies.down(true);
    let mut passed = 0;
    for step in [29, 1, 60, 120, 119] {
        world.clock.advance(Duration::from_secs(step));
        passed += step;
        assert_eq!(world.present(&on).await.status, 200, "after {passed} s");
        assert_e4(&world.present(&off).await, OFF, "api_token");
    }
    world.clock.advance(Duration::from_secs(1));
    assert_outage(&world.present(&on).await);
    assert_outage(&world.present(&off).await);
    world.policies.down(false);
    world.clock.advance(Duration::from_secs(2));
    world.present(&on).await.assert_let_in();
    assert_e4(&world.present(&off).await, OFF, "api_token");
}

#[tokio::test]
async fn pol_06_a_change_announced_while_down_ends_the_stale_window() {
    let world = Orgs::new().await;
    let on = world.personal(ON).await;
    world.present(&on).await.assert_let_in();
    world.policies.down(true);
    world.policies.set(policy(ON)).await;
    assert_outage(&world.present(&on).await);
}

#[tokio::test]
async fn pol_07_networks_bind_every_method() {
    let world = Orgs::new().await;
    for credential in [
        world.oauth(INSIDE),
        world.personal(INSIDE).await,
        world.service_key(INSIDE).await,
    ] {
        world
            .present_from("203.0.113.7", &credential)
            .await
            .assert_let_in();
        world
            .present_from("::ffff:203.0.113.7", &credential)
            .await
            .assert_let_in();
        let refused = world.present_from("198.51.100.9", &credential).await;
        assert_forbidden(&refused, "ip_not_allowed", "networks");
        assert!(
            refused.json()["message"]
                .as_str()
                .unwrap()
                .contains("198.51.100.9")
        );
        // T34: an address nobody knows is in no network.
        let unknown = world.present(&credential).await;
        assert_forbidden(&unknown, "ip_not_allowed", "networks");
    }
    // No other organization is touched.
    let elsewhere = world.personal(ON).await;
    world
        .present_from("198.51.100.9", &elsewhere)
        .await
        .assert_let_in();
}

#[tokio::test]
async fn pol_07_a_token_of_few_networks_is_bound_to_both_lists() {
    let world = Orgs::new().await;
    let issued = world
        .issue(wish(INSIDE).networks(["203.0.113.7", "198.51.100.9"]))
        .await;
    let credential = basic_text(&email(INSIDE), issued.token.expose());
    world
        .present_from("203.0.113.7", &credential)
        .await
        .assert_let_in();
    for outside in ["203.0.113.8", "198.51.100.9"] {
        let refused = world.present_from(outside, &credential).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{outside}");
        assert_eq!(refused.json()["error"], "ip_not_allowed");
        assert_eq!(refused.header("www-authenticate"), None);
    }
}

#[tokio::test]
async fn pol_08_a_forged_forwarded_address_opens_nothing() {
    let proxies = TrustedProxies::new(["10.0.0.0/8"]).unwrap();
    let world = Orgs::custom(|auth| auth.trusted_proxies(proxies)).await;
    let credential = world.personal(INSIDE).await;
    let send = |peer: &'static str, forwarded: &'static str| {
        let request = from(peer)
            .header("authorization", &credential)
            .header("x-forwarded-for", forwarded);
        world.send(request)
    };
    for (peer, forwarded) in [
        // The peer is no proxy: it is the client, whatever it writes.
        ("198.51.100.9", "203.0.113.7"),
        // The proxy appended the true client; what stands left of it is the client's own claim.
        ("10.0.0.1", "203.0.113.7, 198.51.100.9"),
        ("10.0.0.1", "203.0.113.7, 198.51.100.9, 10.0.0.2"),
    ] {
        let refused = send(peer, forwarded).await;
        assert_forbidden(&refused, "ip_not_allowed", "networks");
    }
    send("10.0.0.1", "198.51.100.9, 203.0.113.7")
        .await
        .assert_let_in();
}

fn known_clients(name: &str) -> OrganizationPolicy {
    policy(name).api_tokens(true).clients(
        ClientRules::only()
            .pattern("https://*.example.com/**")
            .id("known-1"),
    )
}

#[tokio::test]
async fn pol_09_client_rules_do_not_concern_api_tokens() {
    let world = Orgs::new().await;
    world.policies.set(known_clients(ON)).await;
    world
        .present(&world.personal(ON).await)
        .await
        .assert_let_in();
    world
        .present(&world.service_key(ON).await)
        .await
        .assert_let_in();
    let refused = world.present(&world.oauth(ON)).await;
    assert_forbidden(&refused, "client_not_allowed", "clients");
}

#[tokio::test]
async fn pol_10_clients_are_told_by_their_id() {
    let supported = [ClientPattern::new("https://supported.test/**")];
    let world = Orgs::custom(|auth| auth.supported_clients(supported)).await;
    world.policies.set(known_clients(ON)).await;
    for (client, allowed) in [
        ("https://app.example.com/c.json", true),
        ("known-1", true),
        ("https://supported.test/c.json", true),
        ("https://evil.test/c.json", false),
        ("https://app.example.com.evil.test/c.json", false),
        ("known-2", false),
        ("http://app.example.com/c.json", false),
    ] {
        let token = world.access_token(ON).client(client).sign();
        let answer = world.present(&bearer(&token)).await;
        if allowed {
            answer.assert_let_in();
        } else {
            assert_forbidden(&answer, "client_not_allowed", "clients");
            let message = answer.json()["message"].to_string();
            assert!(message.contains(client), "{message}");
            assert!(message.contains("https://*.example.com/**"), "{message}");
        }
    }
}

#[tokio::test]
async fn pol_12_every_denial_names_policy_rule_and_contact() {
    let world = Orgs::new().await;
    let base = || {
        policy(ON)
            .contact("Ada in 4.17")
            .help_url("https://help.example/x")
    };
    let cases = [
        (base().network("192.0.2.0/24"), "networks"),
        (base().clients(ClientRules::only()), "clients"),
        (
            base().allow_issuer("https://other.example"),
            "allowed_issuers",
        ),
        (base().tenant(site("s-1")), "tenants"),
        (
            base().max_token_lifetime(Duration::from_secs(60)),
            "max_token_lifetime",
        ),
    ];
    for (policy, rule) in cases {
        let stored = world.policies.set(policy).await;
        let answer = world.present(&world.oauth(ON)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{rule}");
        assert_eq!(answer.header("www-authenticate"), None, "{rule}");
        let body = answer.json();
        assert_eq!(body["policy"], ON, "{body}");
        assert_eq!(body["policy_version"], stored.version(), "{body}");
        assert_eq!(body["rule"], rule, "{body}");
        assert_eq!(body["contact"], "Ada in 4.17");
        assert_eq!(body["help_url"], "https://help.example/x");
        assert!(body["message"].as_str().unwrap().contains("Ada in 4.17"));
    }
}

#[tokio::test]
async fn pol_13_groups_are_asked_through_the_context() {
    let world = Orgs::new().await;
    let group = |intent| PermissionGroup::new("jira", intent);
    let oauth = world.oauth(ON);
    let context = world.decide(&oauth).await.unwrap();
    let permitted = context.permitted().unwrap();
    for intent in [Intent::Read, Intent::Write, Intent::Search] {
        permitted.check_group(&group(intent)).unwrap();
    }
    for intent in [Intent::Delete, Intent::Manage] {
        let denial = permitted.check_group(&group(intent)).unwrap_err();
        assert_eq!(denial.error(), "permission_group_disabled");
        assert_eq!(denial.rule_name(), "groups");
        assert!(denial.to_string().contains(&format!("jira:{intent}")));
    }
    let rules = GroupRules::new().product("jira", [Intent::Delete]);
    world.policies.set(policy(ON).groups(rules)).await;
    let context = world.decide(&oauth).await.unwrap();
    let permitted = context.permitted().unwrap();
    permitted.check_group(&group(Intent::Delete)).unwrap();
    permitted.check_group(&group(Intent::Read)).unwrap_err();
}

#[tokio::test]
async fn pol_15_a_bound_token_stays_on_its_site_and_an_api_token_names_one() {
    let world = Orgs::new().await;
    let sites = policy(ON)
        .api_tokens(true)
        .tenant(site("s-1"))
        .tenant(site("s-2"));
    world.policies.set(sites).await;
    let bound = |name: &str| bearer(&world.access_token(ON).claim("site_id", name).sign());

    let context = world.decide(&bound("s-1")).await.unwrap();
    let permitted = context.permitted().unwrap();
    permitted.on(Some(&site("s-1"))).unwrap();
    let denial = permitted.on(Some(&site("s-2"))).unwrap_err();
    assert_eq!(denial.error(), "tenant_mismatch");

    let refused = world.present(&bound("s-9")).await;
    assert_forbidden(&refused, "tenant_not_allowed", "tenants");

    let context = world.decide(&world.personal(ON).await).await.unwrap();
    let permitted = context.permitted().unwrap();
    assert_eq!(permitted.on(None).unwrap_err().error(), "tenant_required");
    permitted.on(Some(&site("s-2"))).unwrap();
    let denial = permitted.on(Some(&site("s-9"))).unwrap_err();
    assert_eq!(denial.error(), "tenant_not_allowed");
}

#[tokio::test]
async fn pol_15_an_api_token_of_few_sites_acts_on_no_other() {
    let world = Orgs::new().await;
    let issued = world.issue(wish(ON).tenants(["s-1", "s-2"])).await;
    let credential = basic_text(&email(ON), issued.token.expose());
    let context = world.decide(&credential).await.unwrap();
    let permitted = context.permitted().unwrap();
    permitted.on(Some(&site("s-2"))).unwrap();
    let denial = permitted.on(Some(&site("s-3"))).unwrap_err();
    assert_eq!(denial.error(), "tenant_mismatch");
    assert!(denial.to_string().contains("s-3"), "{denial}");
    assert_eq!(permitted.on(None).unwrap_err().error(), "tenant_required");
    // Once on a site it stays there.
    let there = permitted.on(Some(&site("s-1"))).unwrap();
    there.on(Some(&site("s-2"))).unwrap_err();
}

#[tokio::test]
async fn pol_16_scopes_and_groups_only_take_away() {
    let world = Orgs::custom(|auth| auth.require_scopes(["read:issues"])).await;
    // The scope is there, the group is off.
    let token = world
        .access_token(ON)
        .scope("read:issues delete:issues")
        .sign();
    let context = world.decide(&bearer(&token)).await.unwrap();
    assert!(context.has_scope("delete:issues"));
    let delete = PermissionGroup::new("jira", Intent::Delete);
    context
        .permitted()
        .unwrap()
        .check_group(&delete)
        .unwrap_err();
    // The group is on, the scope is not there.
    let token = world.access_token(ON).scope("other").sign();
    let refused = world.present(&bearer(&token)).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.json()["missing_scopes"], json!(["read:issues"]));
    // An API token without the scope: no challenge, since a login would not change it (SCP-8).
    let issued = world.issue(wish(ON).scopes(["other"])).await;
    let credential = basic_text(&email(ON), issued.token.expose());
    let refused = world.present(&credential).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.header("www-authenticate"), None);
    assert_eq!(refused.json()["missing_scopes"], json!(["read:issues"]));
}

#[tokio::test]
async fn pol_16_age_lifetime_and_issuer_rules_act() {
    let world = Orgs::new().await;
    let hour = Duration::from_secs(3600);
    let rules = policy(ON)
        .api_tokens(true)
        .max_token_age(hour)
        .allow_issuer(I);
    world.policies.set(rules).await;
    let personal = world.personal(ON).await;
    world.present(&personal).await.assert_let_in();
    world.clock.advance(hour);
    world.present(&personal).await.assert_let_in();
    world.clock.advance(Duration::from_secs(1));
    let refused = world.present(&personal).await;
    assert_forbidden(&refused, "credential_too_old", "max_token_age");
    assert!(
        refused.json()["message"]
            .as_str()
            .unwrap()
            .contains("1 hour;")
    );
    world.present(&world.oauth(ON)).await.assert_let_in();

    let days = Duration::from_secs(30 * 86_400);
    let rules = policy(ON).api_tokens(true).max_token_lifetime(days);
    world.policies.set(rules).await;
    let refused = world.present(&world.personal(ON).await).await; // 90 days
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.json()["rule"], "max_token_lifetime");
    let issued = world.issue(wish(ON).expires_in(days)).await;
    let short = basic_text(&email(ON), issued.token.expose());
    world.present(&short).await.assert_let_in();
}

#[tokio::test]
async fn r25_an_invalid_policy_is_refused_and_the_old_one_stays_in_force() {
    let world = Orgs::new().await;
    let personal = world.personal(ON).await;
    world.present(&personal).await.assert_let_in();
    let bad = policy(ON).network("0.0.0.0/0").contact("");
    let error = world.policies.put(bad, 1).await.unwrap_err();
    let PutError::Invalid(error) = error else {
        panic!("{error}");
    };
    assert_eq!(error.problems().len(), 2, "{error}");
    world.present(&personal).await.assert_let_in();
    // A replay of an old version changes nothing either.
    world.policies.set(policy(ON).api_tokens(true)).await;
    let replay = world.policies.put(policy(ON), 1).await.unwrap_err();
    assert!(
        matches!(replay, PutError::Conflict { current: 2 }),
        "{replay}"
    );
    world.present(&personal).await.assert_let_in();
    let stored = world.policies.load(&organization(ON)).await.unwrap();
    assert_eq!(stored.unwrap().version(), 2);
}

/// What a request must come to: status, organization, method and subject.
type Expected = (String, u16, &'static str, &'static str, String);

async fn everybody(world: &Orgs) -> Vec<Expected> {
    let mut all = Vec::new();
    for (name, tokens) in [(ON, 200), (OFF, 401), (INSIDE, 403)] {
        let oauth = if name == INSIDE { 403 } else { 200 };
        let subject = format!("human-of-{name}");
        let token = world.access_token(name).subject(&subject).sign();
        all.push((bearer(&token), oauth, name, "oauth2", subject));
        let (personal, key) = (world.personal(name).await, world.service_key(name).await);
        all.push((
            personal,
            tokens,
            name,
            "api_token",
            format!("user-of-{name}"),
        ));
        let subject = format!("bot-of-{name}");
        all.push((key, tokens, name, "service_account_key", subject));
    }
    all
}

fn check(answer: &Answer, expected: &Expected) {
    let (_, status, name, method, subject) = expected;
    assert_eq!(
        answer.status.as_u16(),
        *status,
        "{name} {method} {:?}",
        answer.body
    );
    let body = answer.json();
    if *status == 200 {
        assert_eq!(body["organization"], *name);
        assert_eq!(body["method"], *method);
        assert_eq!(body["subject"], **subject);
    } else {
        assert_eq!(body["policy"], *name, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn t21_t37_ten_thousand_interleaved_requests_are_not_mixed_up() {
    interleave(250).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "long: 10^5 requests"]
async fn t21_t37_a_hundred_thousand_interleaved_requests_are_not_mixed_up() {
    interleave(2500).await;
}

/// Forty tasks of so many requests each, by everybody in turn.
async fn interleave(turns: usize) {
    let world = Arc::new(Orgs::new().await);
    let all = Arc::new(everybody(&world).await);
    let mut tasks = JoinSet::new();
    for task in 0..40 {
        let (world, all) = (world.clone(), all.clone());
        tasks.spawn(async move {
            for turn in 0..turns {
                let expected = &all[(task * 7 + turn * 5) % all.len()];
                // The organization comes from the credential alone: a header names another (T37).
                let request = from("192.0.2.1")
                    .header("authorization", &expected.0)
                    .header("x-organization", ON);
                check(&world.send(request).await, expected);
                tokio::task::yield_now().await;
            }
        });
    }
    tasks.join_all().await;
}
