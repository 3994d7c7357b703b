use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use super::support::{Who, good, refused, who};
use crate::method::AuthMethod;
use crate::principal::PrincipalKind;
use crate::rejection::Reason;
use crate::tool::{ToolRule, ToolRules};

fn rules() -> ToolRules {
    let age = Duration::from_secs(900);
    good(
        ToolRules::new()
            .tool("fresh", ToolRule::scopes(["pay"]).max_age(age))
            .tool(
                "strong",
                ToolRule::scopes(["pay"]).acr_values(["phrh", "phr"]),
            )
            .tool(
                "both",
                ToolRule::always_on().acr_values(["phr"]).max_age(age),
            )
            .tool("now", ToolRule::always_on().max_age(Duration::ZERO)),
    )
}

#[test]
fn step_01_an_old_login_is_401_with_the_age() {
    let refusal = refused(
        who("pay").login(901).call(&rules(), "fresh"),
        Reason::LoginTooWeak,
    );
    assert_eq!(refusal.status(), StatusCode::UNAUTHORIZED);
    let login = refusal.required_login().unwrap();
    assert_eq!((login.max_age(), login.acr_values()), (Some(900), &[][..]));
    assert_eq!(refusal.details()["max_age"], json!(900));
    assert!(!refusal.details().contains_key("acr_values"));
    assert!(refusal.required_scopes().is_empty() && refusal.challenge_scopes().is_empty());
    who("pay").login(900).call(&rules(), "fresh").unwrap();
}

#[test]
fn step_01_a_weak_login_is_401_with_the_classes_in_order() {
    let refusal = refused(
        who("pay").class("pwd").call(&rules(), "strong"),
        Reason::LoginTooWeak,
    );
    assert_eq!(
        refusal.required_login().unwrap().acr_values(),
        ["phrh", "phr"]
    );
    assert_eq!(refusal.details()["acr_values"], json!(["phrh", "phr"]));
    for class in ["phr", "phrh"] {
        who("pay").class(class).call(&rules(), "strong").unwrap();
    }
    refused(
        who("pay").class("PHR").call(&rules(), "strong"),
        Reason::LoginTooWeak,
    );
}

#[test]
fn step_01_scopes_that_are_short_as_well_are_named_with_it() {
    let refusal = refused(
        who("other").known("other").call(&rules(), "fresh"),
        Reason::LoginTooWeak,
    );
    assert_eq!(refusal.required_scopes().to_string(), "pay");
    assert_eq!(refusal.missing_scopes().to_string(), "pay");
    assert_eq!(refusal.challenge_scopes().to_string(), "other pay");
    // With the login done, only the scope is left.
    refused(
        who("other").login(1).call(&rules(), "fresh"),
        Reason::InsufficientScope,
    );
}

#[test]
fn step_02_what_the_token_does_not_say_is_unmet() {
    for tool in ["fresh", "strong", "both", "now"] {
        refused(who("pay").call(&rules(), tool), Reason::LoginTooWeak);
    }
    refused(
        who("").login(1).call(&rules(), "both"),
        Reason::LoginTooWeak,
    );
    refused(
        who("").class("phr").call(&rules(), "both"),
        Reason::LoginTooWeak,
    );
    who("")
        .class("phr")
        .login(1)
        .call(&rules(), "both")
        .unwrap();
}

#[test]
fn step_02_zero_is_a_login_this_second_and_the_future_is_none() {
    who("").login(0).call(&rules(), "now").unwrap();
    who("").login(-300).call(&rules(), "now").unwrap();
    refused(who("").login(1).call(&rules(), "now"), Reason::LoginTooWeak);
    refused(
        who("").login(-301).call(&rules(), "now"),
        Reason::LoginTooWeak,
    );
}

fn nobody() -> [Who; 3] {
    let fresh = who("pay").login(1).class("phr");
    [
        fresh.clone().kind(PrincipalKind::Client),
        fresh.clone().by(AuthMethod::ApiToken),
        fresh
            .by(AuthMethod::ServiceAccountKey)
            .kind(PrincipalKind::ServiceAccount),
    ]
}

#[test]
fn step_03_where_nobody_can_log_in_it_is_403() {
    for credential in nobody() {
        for tool in ["fresh", "strong", "both"] {
            let refusal = refused(credential.call(&rules(), tool), Reason::LoginImpossible);
            assert_eq!(refusal.status(), StatusCode::FORBIDDEN);
            assert!(refusal.required_login().is_none());
        }
    }
}

#[test]
fn scp_08_step_03_scopes_that_are_short_as_well_are_named() {
    for method in [AuthMethod::ApiToken, AuthMethod::ServiceAccountKey] {
        let refusal = refused(
            who("read").by(method).call(&rules(), "fresh"),
            Reason::LoginImpossible,
        );
        assert_eq!(refusal.missing_scopes().to_string(), "pay");
    }
}

#[test]
fn step_03_a_list_hides_what_no_login_could_open() {
    for credential in nobody() {
        assert!(!credential.sees(&rules(), "fresh"));
    }
    assert!(who("pay").sees(&rules(), "fresh"), "a new login would do");
}

#[test]
fn step_01_two_rules_ask_for_what_meets_both() {
    let rules = good(
        ToolRules::new()
            .method(
                "tools/call",
                ToolRule::always_on()
                    .acr_values(["a", "b"])
                    .max_age(Duration::from_secs(60)),
            )
            .tool(
                "t",
                ToolRule::always_on()
                    .acr_values(["b", "c"])
                    .max_age(Duration::from_secs(30)),
            ),
    );
    let refusal = refused(
        who("").class("a").login(1).call(&rules, "t"),
        Reason::LoginTooWeak,
    );
    let login = refusal.required_login().unwrap();
    assert_eq!(
        (login.max_age(), login.acr_values()),
        (Some(30), &["b".to_owned()][..])
    );
    who("").class("b").login(30).call(&rules, "t").unwrap();
}
