use std::time::Duration;

use super::*;
use crate::ident::OrganizationId;
use crate::policy::{ClientRules, Intent, Intents};

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

fn policy() -> OrganizationPolicy {
    OrganizationPolicy::new(OrganizationId::new("acme").unwrap())
}

fn site(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

fn oauth() -> PolicySubject<'static> {
    PolicySubject {
        issuer: Some("https://auth.example.com/t1"),
        client: Some("https://ide.example.com/client.json"),
        ..PolicySubject::new(AuthMethod::OAuth, NOW)
    }
}

fn api_token() -> PolicySubject<'static> {
    PolicySubject::new(AuthMethod::ApiToken, NOW)
}

fn service_key() -> PolicySubject<'static> {
    PolicySubject::new(AuthMethod::ServiceAccountKey, NOW)
}

#[track_caller]
fn passes(policy: &OrganizationPolicy, subject: &PolicySubject<'_>) -> Permitted {
    evaluate(policy, subject).unwrap()
}

#[track_caller]
fn denied(policy: &OrganizationPolicy, subject: &PolicySubject<'_>, error: &str) -> Denial {
    let denial = evaluate(policy, subject).unwrap_err();
    assert_eq!(denial.error(), error);
    denial
}

#[test]
fn pol_03_without_a_stored_policy_it_is_oauth_only() {
    passes(&policy(), &oauth());
    passes(&policy(), &PolicySubject::new(AuthMethod::OAuth, NOW));
    for subject in [api_token(), service_key()] {
        let denial = denied(&policy(), &subject, "auth_method_disabled");
        assert_eq!(
            denial.rule(),
            &DenialRule::Method {
                method: subject.method,
                allowed: vec![AuthMethod::OAuth],
            }
        );
    }
}

#[test]
fn pol_01_the_switch_leaves_every_other_rule_alone() {
    let on = policy().api_tokens(true).network("203.0.113.0/24");
    let inside = |mut subject: PolicySubject<'static>| {
        subject.address = Some("203.0.113.7".parse().unwrap());
        subject
    };
    for subject in [oauth(), api_token(), service_key()] {
        passes(&on, &inside(subject));
        denied(&on, &subject, "ip_not_allowed");
    }
    let off = on.api_tokens(false);
    passes(&off, &inside(oauth()));
    denied(&off, &oauth(), "ip_not_allowed");
    denied(&off, &inside(api_token()), "auth_method_disabled");
    denied(&off, &inside(service_key()), "auth_method_disabled");
}

#[test]
fn keysa_04_one_switch_for_both_or_one_each() {
    let keys_only = policy().service_account_keys(true);
    passes(&keys_only, &service_key());
    let denial = denied(&keys_only, &api_token(), "auth_method_disabled");
    assert_eq!(denial.rule_name(), "allow_personal_tokens");
    let methods: Vec<_> = policy().api_tokens(true).allowed_methods().collect();
    assert_eq!(methods, AuthMethod::ALL);
}

#[test]
fn pol_07_networks_concern_every_method() {
    let rules = policy()
        .api_tokens(true)
        .network("203.0.113.0/24")
        .network("2001:db8::/32");
    for subject in [oauth(), api_token(), service_key()] {
        for (address, good) in [
            ("203.0.113.9", true),
            ("::ffff:203.0.113.9", true),
            ("2001:db8::9", true),
            ("203.0.114.9", false),
            ("::203.0.113.9", false),
            ("2001:db9::9", false),
        ] {
            let subject = PolicySubject {
                address: Some(address.parse().unwrap()),
                ..subject
            };
            assert_eq!(evaluate(&rules, &subject).is_ok(), good, "{address}");
        }
    }
}

#[test]
fn t34_an_unknown_address_meets_a_network_rule_and_is_refused() {
    let rules = policy().network("203.0.113.0/24");
    let denial = denied(&rules, &oauth(), "ip_not_allowed");
    assert_eq!(denial.rule(), &DenialRule::Network { address: None });
    // A rule that cannot be read allows nobody.
    let unreadable = policy().network("0.0.0.0/0");
    let subject = PolicySubject {
        address: Some("203.0.113.9".parse().unwrap()),
        ..oauth()
    };
    denied(&unreadable, &subject, "ip_not_allowed");
}

#[test]
fn pol_10_clients_by_pattern_by_id_or_not_at_all() {
    let rules = policy().clients(
        ClientRules::only()
            .pattern("https://*.example.com/**")
            .id("c-1"),
    );
    let as_client = |client| PolicySubject { client, ..oauth() };
    passes(&rules, &oauth());
    passes(&rules, &as_client(Some("c-1")));
    for client in [
        Some("https://evil.test/c.json"),
        Some("c-2"),
        Some("C-1"),
        Some(""),
        None,
    ] {
        let denial = denied(&rules, &as_client(client), "client_not_allowed");
        assert_eq!(
            denial.rule(),
            &DenialRule::Client {
                client: client.map(Into::into),
                tried: vec![ClientPattern::new("https://*.example.com/**")],
            }
        );
    }
    // An empty list lets nobody in; a list that is off lets everybody in.
    denied(
        &policy().clients(ClientRules::only()),
        &oauth(),
        "client_not_allowed",
    );
    let off = ClientRules::only().id("c-1").enforced(false);
    passes(&policy().clients(off), &as_client(None));
}

#[test]
fn pol_10_supported_clients_are_allowed_as_a_whole() {
    let supported = [
        ClientPattern::new("https://ide.example.com/**"),
        ClientPattern::new("cursor://"),
    ];
    let subject = PolicySubject {
        supported_clients: &supported,
        ..oauth()
    };
    passes(&policy().clients(ClientRules::only()), &subject);
    let none = policy().clients(ClientRules::only().supported(false));
    let denial = denied(&none, &subject, "client_not_allowed");
    assert!(matches!(denial.rule(), DenialRule::Client { tried, .. } if tried.is_empty()));
}

#[test]
fn pol_09_client_and_issuer_rules_never_concern_api_tokens() {
    let rules = policy()
        .api_tokens(true)
        .clients(ClientRules::only())
        .allow_issuer("https://auth.example.com/t2");
    passes(&rules, &api_token());
    passes(&rules, &service_key());
    let denial = denied(&rules, &oauth(), "issuer_not_allowed");
    assert_eq!(denial.rule_name(), "allowed_issuers");
    let other = PolicySubject {
        issuer: None,
        ..oauth()
    };
    denied(&rules, &other, "issuer_not_allowed");
    passes(
        &policy().allow_issuer("https://auth.example.com/t1"),
        &oauth(),
    );
    denied(
        &policy().allow_issuer("https://auth.example.com/t1/"),
        &oauth(),
        "issuer_not_allowed",
    );
}

#[test]
fn pol_15_a_token_bound_to_a_site_stays_there() {
    let (one, two, three) = (site("one"), site("two"), site("three"));
    let rules = policy()
        .api_tokens(true)
        .tenant(one.clone())
        .tenant(two.clone());
    let bound = |tenant| PolicySubject { tenant, ..oauth() };
    let permitted = passes(&rules, &bound(Some(&one)));
    assert_eq!(permitted.tenant(), Some(&one));
    assert!(permitted.on(None).is_ok());
    assert!(permitted.on(Some(&one)).is_ok());
    let denial = permitted.on(Some(&two)).unwrap_err();
    assert_eq!(denial.error(), "tenant_mismatch");
    assert!(
        denial
            .to_string()
            .contains("for the site one and cannot act on two")
    );
    denied(&rules, &bound(Some(&three)), "tenant_not_allowed");
    denied(&rules, &bound(None), "tenant_not_allowed");

    // Also where the organization lists no site.
    let permitted = passes(&policy(), &bound(Some(&one)));
    assert_eq!(
        permitted.on(Some(&two)).unwrap_err().error(),
        "tenant_mismatch"
    );

    // An API token is bound to none and needs one per call.
    let permitted = passes(&rules, &api_token());
    assert_eq!(permitted.on(None).unwrap_err().error(), "tenant_required");
    assert_eq!(
        permitted.on(Some(&three)).unwrap_err().error(),
        "tenant_not_allowed"
    );
    assert_eq!(permitted.on(Some(&two)).unwrap().tenant(), Some(&two));
    // And once named, it cannot be changed within the call.
    assert!(permitted.on(Some(&two)).unwrap().on(Some(&one)).is_err());
}

#[test]
fn pol_13_groups_default_to_nothing_destructive() {
    let permitted = passes(&policy(), &oauth());
    for (intent, on) in Intent::ALL
        .into_iter()
        .zip([true, true, true, false, false])
    {
        let outcome = permitted.check_group(&PermissionGroup::new("jira", intent));
        assert_eq!(outcome.is_ok(), on, "{intent}");
    }
    let denial = permitted
        .check_group(&PermissionGroup::new("jira", Intent::Delete))
        .unwrap_err();
    assert_eq!(denial.error(), "permission_group_disabled");
    assert!(denial.to_string().contains("jira:delete"));
}

#[test]
fn pol_13_a_site_may_have_groups_of_its_own() {
    let (sandbox, production) = (site("sandbox"), site("production"));
    let rules = policy()
        .api_tokens(true)
        .groups(
            GroupRules::new()
                .product("jira", [Intent::Read])
                .other_products(Intents::none()),
        )
        .site_groups(
            sandbox.clone(),
            GroupRules::new().product("jira", Intents::all()),
        );
    let (delete, read) = (
        PermissionGroup::new("jira", Intent::Delete),
        PermissionGroup::new("jira", Intent::Read),
    );
    let on = |tenant| {
        let permitted = passes(&rules, &api_token()).on(Some(tenant)).unwrap();
        (
            permitted.check_group(&delete).is_ok(),
            permitted.check_group(&read).is_ok(),
        )
    };
    assert_eq!(on(&sandbox), (true, true));
    assert_eq!(on(&production), (false, true));
    let nowhere = passes(&rules, &api_token());
    assert!(nowhere.check_group(&delete).is_err());
    assert!(
        nowhere
            .check_group(&PermissionGroup::new("wiki", Intent::Read))
            .is_err()
    );
}

#[test]
fn pol_16_lifetime_and_age_only_narrow() {
    let day = Duration::from_secs(86_400);
    let issued = |before: i64, lifetime: i64| PolicySubject {
        credential_issued_at: Some(NOW.plus_secs(-before)),
        credential_expires_at: Some(NOW.plus_secs(lifetime - before)),
        ..oauth()
    };
    let lifetime = policy().max_token_lifetime(day);
    passes(&lifetime, &issued(0, 86_400));
    denied(
        &lifetime,
        &issued(0, 86_401),
        "credential_lifetime_too_long",
    );
    denied(&lifetime, &oauth(), "credential_lifetime_too_long");
    let age = policy().max_token_age(day);
    passes(&age, &issued(86_400, 1_000_000));
    // An issuer whose clock is ahead of ours.
    passes(&age, &issued(-5, 1_000_000));
    let denial = denied(&age, &issued(86_401, 1_000_000), "credential_too_old");
    assert!(denial.to_string().contains("older than 1 day;"), "{denial}");
    denied(&age, &oauth(), "credential_too_old");
}

#[test]
fn pol_12_a_denial_names_the_rule_what_was_tried_and_whom_to_ask() {
    let rules = policy()
        .clients(
            ClientRules::only()
                .pattern("https://app.example-corp.com/**")
                .pattern("https://app.example-corp.com"),
        )
        .contact("it-help@acme.example")
        .help_url("https://help.acme.example/mcp")
        .changed_at(NOW)
        .with_version(7);
    let denial = denied(&rules, &oauth(), "client_not_allowed");
    assert_eq!(
        denial.to_string(),
        "The client https://ide.example.com/client.json is not on the list of allowed clients \
         (compared with https://app.example-corp.com/**, https://app.example-corp.com). This is a \
         rule of the organization acme (clients, version 7). Ask it-help@acme.example, or see \
         https://help.acme.example/mcp."
    );
    assert_eq!(denial.version(), 7);
    assert_eq!(denial.changed(), Some(NOW));
    let denial = denied(&policy(), &api_token(), "auth_method_disabled");
    assert!(
        denial
            .to_string()
            .ends_with("Ask an administrator of the organization.")
    );
    let many = (0..12).fold(ClientRules::only(), |rules, n| {
        rules.pattern(format!("https://app{n}.example.com"))
    });
    let denial = denied(
        &policy().clients(many),
        &PolicySubject {
            client: Some("x"),
            ..oauth()
        },
        "client_not_allowed",
    );
    assert!(
        denial
            .to_string()
            .contains("https://app9.example.com and 2 more)"),
        "{denial}"
    );
}

#[test]
fn pol_12_the_first_rule_in_order_is_reported() {
    let mut rules = policy()
        .allow_issuer("https://other.example.com")
        .network("203.0.113.0/24")
        .clients(ClientRules::only())
        .tenant(site("one"))
        .max_token_lifetime(Duration::from_secs(60))
        .max_token_age(Duration::from_secs(60));
    let mut subject = oauth();
    let one = site("one");
    denied(&rules, &subject, "issuer_not_allowed");
    subject.issuer = Some("https://other.example.com");
    denied(&rules, &subject, "ip_not_allowed");
    subject.address = Some("203.0.113.7".parse().unwrap());
    denied(&rules, &subject, "client_not_allowed");
    rules = rules.clients(ClientRules::any());
    denied(&rules, &subject, "tenant_not_allowed");
    subject.tenant = Some(&one);
    denied(&rules, &subject, "credential_lifetime_too_long");
    subject.credential_issued_at = Some(NOW.plus_secs(-61));
    subject.credential_expires_at = Some(NOW.plus_secs(-1));
    denied(&rules, &subject, "credential_too_old");
    subject.credential_issued_at = Some(NOW.plus_secs(-60));
    assert_eq!(passes(&rules, &subject).version(), 0);
}
