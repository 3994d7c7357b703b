//! Why a policy says no, in a way that leads to somebody who can change it (POL-12).

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::super::{ClientPattern, OrganizationPolicy, PermissionGroup};
use crate::clock::UnixTime;
use crate::ident::{OrganizationId, TenantId};
use crate::method::AuthMethod;

/// The rule that denied, with what it was compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DenialRule {
    /// Credentials of this kind are switched off (POL-1).
    Method {
        /// The kind that was used.
        method: AuthMethod,
        /// The kinds that are on.
        allowed: Vec<AuthMethod>,
    },
    /// The issuer is not among those the organization allows.
    Issuer {
        /// The token's issuer.
        issuer: Option<Box<str>>,
    },
    /// The address is in none of the organization's networks (POL-7).
    Network {
        /// The client's address; `None` if it could not be told (T34).
        address: Option<IpAddr>,
    },
    /// The OAuth client is not on the organization's list (POL-10).
    Client {
        /// The token's `client_id`.
        client: Option<Box<str>>,
        /// Every pattern it was compared with.
        tried: Vec<ClientPattern>,
    },
    /// The organization does not allow this site (POL-15).
    Tenant {
        /// The site; `None` if the token is bound to none.
        tenant: Option<TenantId>,
    },
    /// The credential is bound to one site and was used on another (POL-15).
    OtherTenant {
        /// The site it is bound to.
        bound: TenantId,
        /// The site of the request.
        asked: TenantId,
    },
    /// The API token lists the sites it is for, and this is none of them (POL-15).
    NotAmongTenants {
        /// The site of the request.
        asked: TenantId,
    },
    /// The credential is bound to no site and the request names none (POL-15).
    TenantUnspecified,
    /// The credential was issued for longer than the organization allows, or does not say.
    Lifetime {
        /// The longest lifetime allowed.
        max: Duration,
    },
    /// The credential is older than the organization allows, or does not say.
    Age {
        /// The greatest age allowed.
        max: Duration,
        /// When it was issued.
        issued_at: Option<UnixTime>,
    },
    /// The tool's permission group is off (POL-13).
    Group {
        /// The group.
        group: PermissionGroup,
        /// The site whose rules were asked; `None` for the organization's.
        tenant: Option<TenantId>,
    },
}

/// A refusal by an organization's policy. A new token cannot help, except where
/// [`DenialRule::Method`], [`Lifetime`](DenialRule::Lifetime) or [`Age`](DenialRule::Age) denied.
///
/// `Display` is the text for the person who was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    rule: DenialRule,
    policy: OrganizationPolicy,
}

impl Denial {
    pub(super) fn new(rule: DenialRule, policy: &OrganizationPolicy) -> Self {
        Self {
            rule,
            policy: policy.clone(),
        }
    }

    /// Which rule, and what was tried.
    #[must_use]
    pub fn rule(&self) -> &DenialRule {
        &self.rule
    }

    /// The member of the policy's document that holds the rule, such as `clients`.
    #[must_use]
    pub fn rule_name(&self) -> &'static str {
        match &self.rule {
            DenialRule::Method {
                method: AuthMethod::ServiceAccountKey,
                ..
            } => "allow_service_account_keys",
            DenialRule::Method { .. } => "allow_personal_tokens",
            DenialRule::Issuer { .. } => "allowed_issuers",
            DenialRule::Network { .. } => "networks",
            DenialRule::Client { .. } => "clients",
            DenialRule::Tenant { .. }
            | DenialRule::OtherTenant { .. }
            | DenialRule::NotAmongTenants { .. }
            | DenialRule::TenantUnspecified => "tenants",
            DenialRule::Lifetime { .. } => "max_token_lifetime",
            DenialRule::Age { .. } => "max_token_age",
            DenialRule::Group { .. } => "groups",
        }
    }

    /// The code for the `error` member of an answer's body.
    #[must_use]
    pub fn error(&self) -> &'static str {
        match &self.rule {
            DenialRule::Method { .. } => "auth_method_disabled",
            DenialRule::Issuer { .. } => "issuer_not_allowed",
            DenialRule::Network { .. } => "ip_not_allowed",
            DenialRule::Client { .. } => "client_not_allowed",
            DenialRule::Tenant { .. } => "tenant_not_allowed",
            DenialRule::OtherTenant { .. } | DenialRule::NotAmongTenants { .. } => {
                "tenant_mismatch"
            }
            DenialRule::TenantUnspecified => "tenant_required",
            DenialRule::Lifetime { .. } => "credential_lifetime_too_long",
            DenialRule::Age { .. } => "credential_too_old",
            DenialRule::Group { .. } => "permission_group_disabled",
        }
    }

    /// The organization whose rule it is.
    #[must_use]
    pub fn organization(&self) -> &OrganizationId {
        self.policy.organization()
    }

    /// The version of its policy, by which an administrator sees whether a change has arrived.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.policy.version()
    }

    /// When that version was made, if known.
    #[must_use]
    pub fn changed(&self) -> Option<UnixTime> {
        self.policy.changed()
    }

    /// The organization's page for people who were refused.
    #[must_use]
    pub fn help_url(&self) -> Option<&str> {
        self.policy.help()
    }

    /// Whom they can ask.
    #[must_use]
    pub fn contact(&self) -> Option<&str> {
        self.policy.contact_person()
    }

    fn cause(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            DenialRule::Method { method, .. } => write!(
                f,
                "Authentication by {} is switched off; connect with OAuth 2.1",
                match method {
                    AuthMethod::ServiceAccountKey => "service-account API key",
                    _ => "API token",
                }
            ),
            DenialRule::Issuer {
                issuer: Some(issuer),
            } => {
                write!(f, "Access tokens of {issuer} are not accepted")
            }
            DenialRule::Issuer { issuer: None } => f.write_str("The token names no issuer"),
            DenialRule::Network {
                address: Some(address),
            } => {
                write!(f, "{address} is not in an allowed network")
            }
            DenialRule::Network { address: None } => {
                f.write_str("Only some networks are allowed, and yours cannot be told")
            }
            DenialRule::Client { client, tried } => write_client(f, client.as_deref(), tried),
            DenialRule::Tenant { tenant: Some(site) } => {
                write!(f, "The site {site} is not allowed")
            }
            DenialRule::Tenant { tenant: None } => {
                f.write_str("Only some sites are allowed, and the token is bound to none")
            }
            DenialRule::OtherTenant { bound, asked } => write!(
                f,
                "The credential is for the site {bound} and cannot act on {asked}"
            ),
            DenialRule::NotAmongTenants { asked } => {
                write!(f, "The API token is not for the site {asked}")
            }
            DenialRule::TenantUnspecified => f.write_str("Name the site to act on"),
            DenialRule::Lifetime { max } => write!(
                f,
                "The credential is valid for longer than {}; get one for a shorter time",
                Span(*max)
            ),
            DenialRule::Age { max, .. } => {
                write!(
                    f,
                    "The credential is older than {}; get a new one",
                    Span(*max)
                )
            }
            DenialRule::Group { group, .. } => write!(f, "The permission {group} is switched off"),
        }
    }
}

/// A client with the patterns that did not match it, as many as a person reads.
fn write_client(
    f: &mut fmt::Formatter<'_>,
    client: Option<&str>,
    tried: &[ClientPattern],
) -> fmt::Result {
    const SHOWN: usize = 10;
    match client {
        Some(client) => write!(
            f,
            "The client {client} is not on the list of allowed clients"
        )?,
        None => f.write_str("The token names no client, and only some are allowed")?,
    }
    for (index, pattern) in tried.iter().take(SHOWN).enumerate() {
        let before = if index == 0 { " (compared with " } else { ", " };
        write!(f, "{before}{pattern}")?;
    }
    match tried.len().checked_sub(SHOWN) {
        None if tried.is_empty() => Ok(()),
        None | Some(0) => f.write_str(")"),
        Some(more) => write!(f, " and {more} more)"),
    }
}

/// A duration in the largest unit that divides it.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let units = [(86_400, "day"), (3600, "hour"), (60, "minute")];
        let unit = units.iter().find(|(unit, _)| seconds.is_multiple_of(*unit));
        let (unit, name) = unit.copied().unwrap_or((1, "second"));
        let count = seconds / unit;
        write!(f, "{count} {name}{}", if count == 1 { "" } else { "s" })
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause(f)?;
        write!(
            f,
            ". This is a rule of the organization {} ({}, version {}). ",
            self.organization(),
            self.rule_name(),
            self.version()
        )?;
        match (self.contact(), self.help_url()) {
            (Some(contact), Some(url)) => write!(f, "Ask {contact}, or see {url}."),
            (Some(contact), None) => write!(f, "Ask {contact}."),
            (None, Some(url)) => write!(f, "See {url}."),
            (None, None) => f.write_str("Ask an administrator of the organization."),
        }
    }
}

impl std::error::Error for Denial {}
