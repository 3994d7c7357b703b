//! Step-up: how and how lately a person logged in (RFC 9470).

use super::Subject;
use super::rule::ToolRule;
use crate::clock::UnixTime;
use crate::method::AuthMethod;
use crate::principal::{Principal, PrincipalKind};
use crate::rejection::Login;

/// How far an issuer's clock may run ahead, in seconds: what [`Issuer::leeway`](crate::Issuer::leeway)
/// is at most. A login that lies further ahead says nothing about its age.
const AHEAD: i64 = 300;

/// What is wrong with a login.
#[derive(Debug)]
pub(super) enum Fault {
    /// There is nobody who could log in again (STEP-3).
    Impossible,
    /// This one is asked for.
    TooWeak(Login),
}

/// Judges the login by all rules of an operation.
pub(super) fn check<'r>(
    rules: impl Iterator<Item = &'r ToolRule> + Clone,
    subject: &Subject<'_>,
) -> Result<(), Fault> {
    let mut asking = rules.filter(|rule| rule.asks_login());
    if asking.clone().next().is_none() {
        return Ok(());
    }
    if !is_possible(subject) {
        return Err(Fault::Impossible);
    }
    if asking
        .clone()
        .all(|rule| is_met(rule, subject.principal, subject.now))
    {
        return Ok(());
    }
    let max_age = asking.clone().filter_map(|rule| rule.max_age).min();
    let mut acr_values: Vec<String> = Vec::new();
    if let Some(first) = asking.find(|rule| !rule.acr_values.is_empty()) {
        // What one rule takes must suit the others too.
        let others = asking.filter(|rule| !rule.acr_values.is_empty());
        let common = |class: &&String| others.clone().all(|rule| rule.acr_values.contains(class));
        acr_values.extend(first.acr_values.iter().filter(common).cloned());
        if acr_values.is_empty() {
            acr_values.clone_from(&first.acr_values);
        }
    }
    Err(Fault::TooWeak(Login {
        acr_values,
        max_age,
    }))
}

/// Whether somebody could log in again.
pub(super) fn is_possible(subject: &Subject<'_>) -> bool {
    subject.method == AuthMethod::OAuth && subject.principal.kind() == PrincipalKind::User
}

/// What the token does not say is not met (STEP-2).
fn is_met(rule: &ToolRule, principal: &Principal, now: UnixTime) -> bool {
    let class = principal.authentication_class();
    let strong = rule.acr_values.is_empty()
        || class.is_some_and(|class| rule.acr_values.iter().any(|one| one == class));
    let recent = rule.max_age.is_none_or(|max_age| {
        principal.authenticated_at().is_some_and(|login| {
            login <= now.plus_secs(AHEAD) && now.since(login).as_secs() <= max_age
        })
    });
    strong && recent
}
