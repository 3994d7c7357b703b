use http::StatusCode;
use serde_json::json;

use super::support::{Who, good, policy, refused, site, who};
use crate::enrich::{Enrichment, Permitted};
use crate::method::AuthMethod;
use crate::policy::{GroupRules, Intent, Intents};
use crate::principal::PrincipalKind;
use crate::rejection::Reason;
use crate::tool::{ToolRule, ToolRules};

fn rules() -> ToolRules {
    let jira = |intent| ToolRule::scopes(["jira"]).group("jira", intent);
    good(
        ToolRules::new()
            .tool("read", jira(Intent::Read))
            .tool("delete", jira(Intent::Delete))
            .tool("readOn", jira(Intent::Read).tenant_argument("cloudId"))
            .tool("deleteOn", jira(Intent::Delete).tenant_argument("/at/site"))
            .tool("bound", ToolRule::always_on().tenant_required())
            .tool("on", ToolRule::always_on().tenant_argument("cloudId"))
            .tool("whoami", ToolRule::always_on())
            .tool(
                "byToken",
                ToolRule::always_on().methods([AuthMethod::ApiToken]),
            ),
    )
}

fn token() -> Who {
    who("jira").by(AuthMethod::ApiToken).policy(policy())
}

#[test]
fn pol_13_a_group_that_is_off_is_403_and_hidden() {
    let open = who("jira").policy(policy());
    open.call(&rules(), "read").unwrap();
    let refusal = refused(
        open.call(&rules(), "delete"),
        Reason::PermissionGroupDisabled,
    );
    assert_eq!(refusal.status(), StatusCode::FORBIDDEN);
    assert_eq!(refusal.details()["rule"], "groups");
    assert!(open.sees(&rules(), "read") && !open.sees(&rules(), "delete"));

    let closed = policy().groups(GroupRules::new().other_products(Intents::none()));
    let closed = who("jira").policy(closed);
    refused(
        closed.call(&rules(), "read"),
        Reason::PermissionGroupDisabled,
    );
    assert!(!closed.sees(&rules(), "read"));
    closed.call(&rules(), "whoami").unwrap();
    assert!(closed.sees(&rules(), "whoami"));
}

#[test]
fn pol_13_a_site_can_have_groups_of_its_own() {
    let deleting = GroupRules::new().product("jira", [Intent::Delete]);
    let policy = policy().site_groups(site("two"), deleting);
    let unbound = who("jira").policy(policy.clone());
    let at = |name: &str| json!({"at": {"site": name}}).to_string();
    unbound.call_with(&rules(), "deleteOn", &at("two")).unwrap();
    refused(
        unbound.call_with(&rules(), "deleteOn", &at("one")),
        Reason::PermissionGroupDisabled,
    );
    // A call may name the site where it is on, unless the credential is for another.
    assert!(unbound.sees(&rules(), "deleteOn"));
    assert!(
        !who("jira")
            .policy(policy)
            .bound_to("one")
            .sees(&rules(), "deleteOn")
    );
}

#[test]
fn pol_14_the_other_methods_are_named() {
    let refusal = refused(
        who("").call(&rules(), "byToken"),
        Reason::AuthMethodNotAllowed,
    );
    assert_eq!(refusal.status(), StatusCode::FORBIDDEN);
    assert_eq!(refusal.details()["allowed_methods"], json!(["api_token"]));
    assert_eq!(refusal.details()["auth_method"], "oauth2");
    assert!(!who("").sees(&rules(), "byToken"));
    token().call(&rules(), "byToken").unwrap();
    let key = token()
        .by(AuthMethod::ServiceAccountKey)
        .kind(PrincipalKind::ServiceAccount);
    refused(key.call(&rules(), "byToken"), Reason::AuthMethodNotAllowed);
}

#[test]
fn pol_15_a_bound_credential_acts_on_its_site_alone() {
    for bound in [
        who("").bound_to("one"),
        who("").bound_to("one").policy(policy()),
    ] {
        bound
            .call_with(&rules(), "on", r#"{"cloudId":"one"}"#)
            .unwrap();
        bound.call_with(&rules(), "on", "{}").unwrap();
        bound.call(&rules(), "on").unwrap();
        bound.call(&rules(), "bound").unwrap();
        let refusal = refused(
            bound.call_with(&rules(), "on", r#"{"cloudId":"two"}"#),
            Reason::TenantMismatch,
        );
        assert_eq!(refusal.status(), StatusCode::FORBIDDEN);
        assert_eq!(refusal.details()["argument"], "cloudId");
    }
}

#[test]
fn pol_15_an_unbound_credential_names_the_site_of_each_call() {
    for unbound in [token(), who(""), who("").policy(policy())] {
        unbound
            .call_with(&rules(), "on", r#"{"cloudId":"two"}"#)
            .unwrap();
        for none in ["{}", r#"{"cloudId":null}"#, r#"{"cloudid":"two"}"#, "null"] {
            refused(
                unbound.call_with(&rules(), "on", none),
                Reason::TenantRequired,
            );
        }
        refused(unbound.call(&rules(), "on"), Reason::TenantRequired);
        refused(unbound.call(&rules(), "bound"), Reason::TenantRequired);
        assert!(unbound.sees(&rules(), "on") && !unbound.sees(&rules(), "bound"));
    }
}

#[test]
fn pol_15_what_is_no_name_is_not_read_as_none() {
    let odd = [
        r#"{"cloudId":["two"]}"#,
        r#"{"cloudId":{"id":"two"}}"#,
        r#"{"cloudId":2}"#,
        r#"{"cloudId":false}"#,
        r#"{"cloudId":""}"#,
        r#"{"cloudId":"two\n"}"#,
    ];
    for arguments in odd {
        for credential in [who("").bound_to("one"), token()] {
            refused(
                credential.call_with(&rules(), "on", arguments),
                Reason::TenantRequired,
            );
        }
    }
}

#[test]
fn pol_15_two_sites_under_one_name_are_nobodys_call() {
    let doubled = [
        r#"{"cloudId":"one","cloudId":"two"}"#,
        r#"{"cloudId":"one","cloudI\u0064":"two"}"#,
        r#"{"cloudId":"one","x":[{"y":1,"y":2}]}"#,
        r#"{"cloudId":"one"} {}"#,
        r#"["one"]"#,
        "",
        "{",
    ];
    for arguments in doubled {
        let refusal = refused(
            who("").bound_to("one").call_with(&rules(), "on", arguments),
            Reason::MalformedMessage,
        );
        assert_eq!(refusal.status(), StatusCode::BAD_REQUEST, "{arguments}");
    }
}

#[test]
fn pol_15_a_token_for_some_sites_is_refused_elsewhere() {
    let listed = token().listing("one");
    listed
        .call_with(&rules(), "on", r#"{"cloudId":"one"}"#)
        .unwrap();
    refused(
        listed.call_with(&rules(), "on", r#"{"cloudId":"two"}"#),
        Reason::TenantMismatch,
    );
    let allowed = token().policy(policy().tenant(site("one")));
    let refusal = refused(
        allowed.call_with(&rules(), "on", r#"{"cloudId":"two"}"#),
        Reason::TenantNotAllowed,
    );
    assert_eq!(refusal.details()["rule"], "tenants");
}

#[test]
fn pol_16_the_right_is_what_scope_group_and_user_all_give() {
    let reads = Enrichment::new().permit(Permitted::new("jira").permissions(["read"]));
    let all = policy().groups(GroupRules::new().other_products(Intents::all()));
    let user = who("jira").policy(all).enriched(reads.clone());
    user.call(&rules(), "read").unwrap();
    let refusal = refused(user.call(&rules(), "delete"), Reason::UserNotPermitted);
    assert_eq!(refusal.status(), StatusCode::FORBIDDEN);
    assert_eq!(refusal.details()["permission"], "jira:delete");
    assert!(user.sees(&rules(), "read") && !user.sees(&rules(), "delete"));
    // The group is off, whatever the user may do.
    let deletes = Enrichment::new().permit(Permitted::new("jira").permissions(["delete"]));
    refused(
        who("jira")
            .policy(policy())
            .enriched(deletes)
            .call(&rules(), "delete"),
        Reason::PermissionGroupDisabled,
    );
    // The scope is missing, whatever the user may do.
    refused(
        who("").enriched(reads).call(&rules(), "read"),
        Reason::InsufficientScope,
    );
    // A directory that lists nothing says nothing.
    who("jira")
        .enriched(Enrichment::new())
        .call(&rules(), "read")
        .unwrap();
    user.call(&rules(), "whoami").unwrap();
}

#[test]
fn pol_16_permissions_of_a_site_hold_there() {
    let one = Permitted::new("jira").site("one").permissions(["read"]);
    let user = who("jira").enriched(Enrichment::new().permit(one));
    user.call_with(&rules(), "readOn", r#"{"cloudId":"one"}"#)
        .unwrap();
    refused(
        user.call_with(&rules(), "readOn", r#"{"cloudId":"two"}"#),
        Reason::UserNotPermitted,
    );
    refused(user.call(&rules(), "read"), Reason::UserNotPermitted);
    user.clone().bound_to("one").call(&rules(), "read").unwrap();
    assert!(user.sees(&rules(), "readOn") && !user.sees(&rules(), "read"));
    assert!(!user.bound_to("two").sees(&rules(), "readOn"));
    let none = Permitted::new("wiki").permissions(["read"]);
    let none = who("jira").enriched(Enrichment::new().permit(none));
    assert!(!none.sees(&rules(), "readOn"));
}
