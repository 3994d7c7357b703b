//! A policy's no, as the answer to a client.

use super::{Denial, DenialRule, OrganizationPolicy};
use crate::rejection::{Reason, Rejection};

/// A policy's no as a refusal that leads to whoever can change it (POL-12).
pub(crate) fn refusal(denial: &Denial, disabled_is_forbidden: bool) -> Rejection {
    let reason = match denial.rule() {
        DenialRule::Method { .. } => Reason::MethodDisabled,
        DenialRule::Issuer { .. } => Reason::IssuerNotAllowed,
        DenialRule::Network { .. } => Reason::NetworkNotAllowed,
        DenialRule::Client { .. } => Reason::ClientNotAllowed,
        DenialRule::Age { .. } => Reason::CredentialTooOld,
        DenialRule::Lifetime { .. } => Reason::CredentialLifetimeTooLong,
        DenialRule::OtherTenant { .. } | DenialRule::NotAmongTenants { .. } => {
            Reason::TenantMismatch
        }
        DenialRule::TenantUnspecified => Reason::TenantRequired,
        DenialRule::Group { .. } => Reason::PermissionGroupDisabled,
        _ => Reason::TenantNotAllowed,
    };
    let mut rejection = Rejection::new(reason)
        .with_message(denial.to_string())
        .with_detail("policy", denial.organization().as_str())
        .with_detail("policy_version", denial.version())
        .with_detail("rule", denial.rule_name());
    // By its age an administrator sees whether the last change has arrived.
    if let Some(changed) = denial.changed() {
        rejection = rejection.with_detail("policy_changed_at", changed.as_secs());
    }
    if let Some(url) = denial.help_url() {
        rejection = rejection.with_detail("help_url", url);
    }
    if let Some(contact) = denial.contact() {
        rejection = rejection.with_detail("contact", contact);
    }
    if let DenialRule::Group { group, .. } = denial.rule() {
        rejection = rejection.with_detail("group", group.to_string());
    }
    if let DenialRule::Method { method, allowed } = denial.rule() {
        let allowed: Vec<&str> = allowed.iter().map(|method| method.name()).collect();
        rejection = rejection
            .with_detail("auth_method", method.name())
            .with_detail("allowed_methods", allowed);
        if disabled_is_forbidden {
            rejection = rejection.forbidding();
        }
    }
    rejection
}

/// Whom to ask about a refusal that is not the policy's own (POL-12).
pub(crate) fn with_help(rejection: Rejection, policy: &OrganizationPolicy) -> Rejection {
    let mut rejection = rejection
        .with_detail("policy", policy.organization().as_str())
        .with_detail("policy_version", policy.version());
    if let Some(url) = policy.help() {
        rejection = rejection.with_detail("help_url", url);
    }
    if let Some(contact) = policy.contact_person() {
        rejection = rejection.with_detail("contact", contact);
    }
    rejection
}
