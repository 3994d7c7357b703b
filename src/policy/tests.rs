use serde_json::json;

use super::*;

fn policy() -> OrganizationPolicy {
    OrganizationPolicy::new(OrganizationId::new("acme").unwrap())
}

#[test]
fn r25_every_mistake_is_reported_at_once() {
    let site = TenantId::new("site-1").unwrap();
    let error = policy()
        .network("0.0.0.0/0")
        .network("10.1.2.3/8")
        .clients(
            ClientRules::only()
                .pattern("https://*.com/**")
                .id("")
                .id("a*"),
        )
        .allow_issuer("http://auth.example.com")
        .tenant(TenantId::new("site-2").unwrap())
        .site_groups(site, GroupRules::new().product(" ", Intents::all()))
        .max_token_lifetime(Duration::from_secs(59))
        .max_token_age(Duration::from_secs(u64::MAX))
        .help_url("http://localhost/help")
        .contact("a\nb")
        .examine()
        .unwrap_err();
    let fields: Vec<_> = error
        .problems()
        .iter()
        .map(|one| one.field.as_str())
        .collect();
    assert_eq!(
        fields,
        [
            "networks[0]",
            "networks[1]",
            "clients.patterns[0]",
            "clients.ids[0]",
            "clients.ids[1]",
            "site_groups.site-1.products",
            "allowed_issuers[0]",
            "site_groups.site-1",
            "max_token_lifetime",
            "max_token_age",
            "help_url",
            "contact",
        ]
    );
    assert_eq!(policy().examine(), Ok(()));
    let halves = policy()
        .network("0.0.0.0/1")
        .network("128.0.0.0/1")
        .examine();
    assert_eq!(halves.unwrap_err().problems()[0].field, "networks");
}

#[test]
fn r25_lists_are_bounded() {
    let many = (0..501).fold(ClientRules::only(), |rules, n| {
        rules.pattern(format!("https://app{n}.example.com"))
    });
    let error = policy().clients(many).examine().unwrap_err();
    assert_eq!(error.problems()[0].field, "clients.patterns");
}

#[test]
fn pol_03_a_document_without_switches_is_oauth_only() {
    let read: OrganizationPolicy = serde_json::from_value(json!({"organization": "acme"})).unwrap();
    assert_eq!(read, policy());
    let methods: Vec<_> = read.allowed_methods().collect();
    assert_eq!(methods, [AuthMethod::OAuth]);
}

#[test]
fn pol_13_a_list_of_intents_is_the_whole_truth() {
    let read: OrganizationPolicy = serde_json::from_value(json!({
        "organization": "acme",
        "groups": {"products": {"jira": ["read"], "wiki": []}, "others": ["search"]},
        "site_groups": {"site-1": {"products": {"jira": ["delete"]}}},
    }))
    .unwrap();
    let intents = |site: Option<&str>, product: &str| {
        let site = site.and_then(TenantId::new);
        let groups = read.effective_groups(site.as_ref());
        groups.intents(product).iter().collect::<Vec<_>>()
    };
    assert_eq!(intents(None, "jira"), [Intent::Read]);
    assert_eq!(intents(None, "wiki"), []);
    assert_eq!(intents(None, "other"), [Intent::Search]);
    assert_eq!(intents(Some("site-1"), "jira"), [Intent::Delete]);
    assert_eq!(
        intents(Some("site-1"), "other"),
        [Intent::Read, Intent::Write, Intent::Search]
    );
    assert_eq!(intents(Some("site-2"), "jira"), [Intent::Read]);
}

#[test]
fn pol_10_a_list_of_clients_in_a_document_is_in_force() {
    let read: OrganizationPolicy = serde_json::from_value(
        json!({"organization": "acme", "clients": {"patterns": ["https://app.example.com"]}}),
    )
    .unwrap();
    assert!(read.0.clients.is_enforced());
    assert!(!policy().0.clients.is_enforced());
}

#[test]
fn r25_a_document_that_says_more_than_we_know_is_refused() {
    for bad in [
        json!({"organization": "acme", "alow_personal_tokens": true}),
        json!({"organization": "acme", "clients": {"pattern": []}}),
        json!({"organization": "acme", "groups": {"jira": ["read"]}}),
        json!({"organization": "acme", "groups": {"products": {"jira": ["fly"]}}}),
        json!({"organization": ""}),
        json!({"organization": "a\nb"}),
        json!({"organization": "acme", "tenants": [""]}),
        json!({"organization": "acme", "max_token_age": -1}),
        json!({}),
    ] {
        let text = bad.to_string();
        assert!(
            serde_json::from_value::<OrganizationPolicy>(bad).is_err(),
            "{text}"
        );
    }
}

#[test]
fn t34_a_document_with_unreadable_rules_allows_nobody() {
    let read: OrganizationPolicy = serde_json::from_value(json!({
        "organization": "acme",
        "networks": ["everywhere"],
        "clients": {"patterns": ["https://*.com/**"]},
    }))
    .unwrap();
    assert_eq!(read.examine().unwrap_err().problems().len(), 2);
    let subject = PolicySubject {
        client: Some("https://a.com/c.json"),
        address: Some("203.0.113.7".parse().unwrap()),
        ..PolicySubject::new(AuthMethod::OAuth, UnixTime::from_secs(0))
    };
    assert_eq!(
        evaluate(&read, &subject).unwrap_err().error(),
        "ip_not_allowed"
    );
}

#[test]
fn r25_a_policy_survives_json() {
    let full = policy()
        .api_tokens(true)
        .network("203.0.113.0/24")
        .clients(ClientRules::only().id("c").supported(false).enforced(false))
        .groups(GroupRules::new().product("jira", Intents::all()))
        .site_groups(TenantId::new("s").unwrap(), GroupRules::new())
        .max_token_age(Duration::from_secs(60))
        .contact("x")
        .with_version(3);
    let text = serde_json::to_string(&full).unwrap();
    assert_eq!(
        serde_json::from_str::<OrganizationPolicy>(&text).unwrap(),
        full
    );
}

#[test]
fn r25_a_policy_in_code_is_examined_too() {
    let store = MemoryPolicyStore::new();
    let error = store.with(policy().network("::/0")).unwrap_err();
    assert_eq!(error.problems()[0].field, "networks[0]");
}

#[test]
fn pol_05_a_cache_can_be_told_that_anything_may_have_changed() {
    let changes = PolicyChanges::new();
    let names = ["a", "b", "c"].map(|name| OrganizationId::new(name).unwrap());
    let before = names.each_ref().map(|name| changes.stamp(name));
    let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (one, any) = (heard.clone(), heard.clone());
    let _one = changes.on_change(move |name| one.lock().unwrap().push(Some(name.clone())));
    let _any = changes.on_any(move |name| any.lock().unwrap().push(name.cloned()));
    changes.announce_all();
    for (name, before) in names.iter().zip(before) {
        assert_ne!(changes.stamp(name), before);
    }
    let [a, ..] = &names;
    changes.announce(a);
    let heard = heard.lock().unwrap();
    assert_eq!(*heard, [None, Some(a.clone()), Some(a.clone())]);
}

#[test]
fn pol_05_a_listener_may_add_another() {
    let changes = PolicyChanges::new();
    let (inner, added) = (changes.clone(), std::sync::Mutex::new(None));
    let _listener = changes.on_change(move |_| {
        *added.lock().unwrap() = Some(inner.on_change(|_| {}));
    });
    changes.announce(&OrganizationId::implicit());
    changes.announce(&OrganizationId::implicit());
    assert_eq!(changes.generation(), 2);
}
