//! Policy documents: read, examined, written and read again; and every decision against plain rules.
#![no_main]

use std::net::{IpAddr, Ipv6Addr};

use serde_json::Value;
use tower_mcp_auth::OrganizationPolicy;
use tower_mcp_auth::clock::UnixTime;
use tower_mcp_auth::context::AuthMethod;
use tower_mcp_auth::ident::TenantId;
use tower_mcp_auth::policy::{PolicySubject, evaluate};
use tower_mcp_auth_fuzz::fuzz_target;
use tower_mcp_auth_fuzz::input::Input;
use tower_mcp_auth_fuzz::world::NOW;

/// Whether a range contains an address, bit by bit, both as IPv6.
fn contains(range: &str, address: IpAddr) -> bool {
    let wide = |address: IpAddr| match address {
        IpAddr::V4(v4) => (v4.to_ipv6_mapped(), true),
        IpAddr::V6(v6) => (v6, v6.to_ipv4_mapped().is_some()),
    };
    let bits = |address: Ipv6Addr| u128::from_be_bytes(address.octets());
    let (network, length) = range.split_once('/').map_or((range, None), |(network, length)| (network, Some(length)));
    let Ok(network) = network.parse::<IpAddr>() else { return false };
    let own = if network.is_ipv4() { 32 } else { 128 };
    let length: u32 = length.map_or(own, |length| length.parse().unwrap_or(own));
    let length = length + 128 - own;
    let ((network, old), (address, is_old)) = (wide(network), wide(address));
    let mask = if length == 0 { 0 } else { u128::MAX << (128 - length) };
    // A range of IPv6 that is wider than the mapped addresses says nothing about IPv4.
    bits(network) & mask == bits(address) & mask && (!is_old || (old && length > 96))
}

/// The name of the first rule that denies, `Some(None)` if there is none; `None` if that takes patterns.
fn naive(rules: &Value, subject: &PolicySubject<'_>) -> Option<Option<&'static str>> {
    let list = |name: &str| rules[name].as_array().cloned().unwrap_or_default();
    let oauth = subject.method == AuthMethod::OAuth;
    let allowed = match subject.method {
        AuthMethod::OAuth => true,
        AuthMethod::ApiToken => rules["allow_personal_tokens"] == true,
        _ => rules["allow_service_account_keys"] == true,
    };
    if !allowed {
        let personal = subject.method == AuthMethod::ApiToken;
        return Some(Some(if personal { "allow_personal_tokens" } else { "allow_service_account_keys" }));
    }
    let issuers = list("allowed_issuers");
    if oauth
        && !issuers.is_empty()
        && !issuers.iter().any(|one| one.as_str() == subject.issuer && subject.issuer.is_some())
    {
        return Some(Some("allowed_issuers"));
    }
    let networks = list("networks");
    let inside = |address| networks.iter().any(|one| contains(one.as_str().unwrap_or_default(), address));
    if !networks.is_empty() && !subject.address.is_some_and(inside) {
        return Some(Some("networks"));
    }
    let clients = &rules["clients"];
    let ids = clients["ids"].as_array().cloned().unwrap_or_default();
    if oauth
        && clients["enforced"] == true
        && !ids.iter().any(|id| id.as_str() == subject.client && subject.client.is_some())
    {
        // Patterns have a model of their own in the crate's tests.
        let patterns = clients["patterns"].as_array().is_some_and(|patterns| !patterns.is_empty());
        return if patterns && subject.client.is_some() { None } else { Some(Some("clients")) };
    }
    let tenants = list("tenants");
    let named = subject.tenant.map_or(!oauth, |tenant| tenants.iter().any(|one| one == tenant.as_str()));
    if !tenants.is_empty() && !named {
        return Some(Some("tenants"));
    }
    let seconds = |time: Option<UnixTime>| time.map(|time| i128::from(time.as_secs()));
    let (issued, expires) = (seconds(subject.credential_issued_at), seconds(subject.credential_expires_at));
    let longest = rules["max_token_lifetime"].as_u64().map(i128::from);
    if longest.is_some_and(|max| !issued.zip(expires).is_some_and(|(issued, expires)| expires - issued <= max)) {
        return Some(Some("max_token_lifetime"));
    }
    let oldest = rules["max_token_age"].as_u64().map(i128::from);
    let now = i128::from(subject.now.as_secs());
    let aged = oldest.is_some_and(|max| !issued.is_some_and(|issued| now - issued <= max));
    Some(aged.then_some("max_token_age"))
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let methods = [AuthMethod::OAuth, AuthMethod::ApiToken, AuthMethod::ServiceAccountKey];
    let method = *input.pick(&methods);
    let addresses = ["203.0.113.7", "10.0.0.1", "2001:db8::1", "::ffff:203.0.113.9", "::1", "198.51.100.1"];
    let (address, tenant) = (*input.pick(&addresses), *input.pick(&["site-1", "site-2"]));
    let known = input.byte();
    let (issued, expires) = (input.byte(), input.byte());
    let Ok(policy) = serde_json::from_slice::<OrganizationPolicy>(input.0) else {
        return;
    };
    let examined = policy.examine();
    let _ = examined.as_ref().map_err(ToString::to_string);
    let text = serde_json::to_vec(&policy).expect("JSON");
    let again: OrganizationPolicy = serde_json::from_slice(&text).expect("what is written can be read");
    assert_eq!(again, policy);
    assert_eq!(again.examine().map_err(|e| e.to_string()), examined.as_ref().map(|()| ()).map_err(ToString::to_string));

    let tenant = TenantId::new(tenant).filter(|_| known & 1 == 1);
    let mut subject = PolicySubject::new(method, UnixTime::from_secs(NOW));
    subject.tenant = tenant.as_ref();
    subject.address = (known & 2 == 2).then(|| address.parse().expect("an address"));
    subject.issuer = (known & 4 == 4).then_some("https://auth.example.com");
    subject.client = (known & 8 == 8).then_some("app-1");
    let time = |hours: u8| UnixTime::from_secs(NOW + i64::from(hours.cast_signed()) * 3600);
    subject.credential_issued_at = (known & 16 == 16).then(|| time(issued));
    subject.credential_expires_at = (known & 32 == 32).then(|| time(expires));
    let ours = evaluate(&policy, &subject);
    if let Err(denial) = &ours {
        assert!(!denial.to_string().is_empty());
    }
    if let Ok(permitted) = &ours {
        for site in [None, tenant.as_ref(), TenantId::new("site-2").as_ref()] {
            let _ = permitted.on(site).map_err(|denial| denial.to_string());
        }
    }
    // Only a policy without mistakes is ever in force; and the same decision after storage.
    assert_eq!(evaluate(&again, &subject).is_ok(), ours.is_ok());
    if examined.is_err() {
        return;
    }
    let rules: Value = serde_json::from_slice(&text).expect("JSON");
    let theirs = naive(&rules, &subject);
    let ours = ours.err().map(|denial| denial.rule_name().to_owned());
    if let Some(theirs) = theirs {
        assert_eq!(ours.as_deref(), theirs, "{rules}");
    }
});
