//! The policy applied to a proven credential: pure, and every rule can only take away.

mod denial;

use std::net::IpAddr;

use super::{ClientPattern, GroupRules, OrganizationPolicy, PermissionGroup};
use crate::clock::UnixTime;
use crate::ident::TenantId;
use crate::method::AuthMethod;

pub use denial::{Denial, DenialRule};

/// What a policy is applied to: facts of a verified credential, and where the request came from.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PolicySubject<'a> {
    /// How the request authenticated.
    pub method: AuthMethod,
    /// The issuer of an access token.
    pub issuer: Option<&'a str>,
    /// The `client_id` of an access token.
    pub client: Option<&'a str>,
    /// The site the credential is bound to.
    pub tenant: Option<&'a TenantId>,
    /// The sites the credential lists, if it is an API token that does; empty: any.
    pub tenants: &'a [TenantId],
    /// The client's address, from [`client_address`](super::client_address).
    pub address: Option<IpAddr>,
    /// When the credential was issued.
    pub credential_issued_at: Option<UnixTime>,
    /// When it expires.
    pub credential_expires_at: Option<UnixTime>,
    /// The clients the server's operator supports, for organizations that allow them as a whole.
    pub supported_clients: &'a [ClientPattern],
    /// The time of the decision.
    pub now: UnixTime,
}

impl PolicySubject<'_> {
    /// A subject of which nothing else is known. Unknown facts are refused wherever there is a rule
    /// about them.
    #[must_use]
    pub fn new(method: AuthMethod, now: UnixTime) -> Self {
        Self {
            method,
            issuer: None,
            client: None,
            tenant: None,
            tenants: &[],
            address: None,
            credential_issued_at: None,
            credential_expires_at: None,
            supported_clients: &[],
            now,
        }
    }
}

/// Applies a policy: method, issuer, network, client, site, lifetime and age, in this order. The
/// first rule that denies is reported.
///
/// Issuer and client rules concern OAuth alone (POL-9); the network rule concerns every method
/// (POL-7). API tokens are bound to no site: name it for each call with [`Permitted::on`].
///
/// # Errors
///
/// Which rule denied, what it was compared with, and whom to ask.
pub fn evaluate(
    policy: &OrganizationPolicy,
    subject: &PolicySubject<'_>,
) -> Result<Permitted, Denial> {
    let rule = check_method(policy, subject)
        .or_else(|| check_issuer(policy, subject))
        .or_else(|| check_network(policy, subject))
        .or_else(|| check_client(policy, subject))
        .or_else(|| check_tenant(policy, subject))
        .or_else(|| check_lifetime(policy, subject))
        .or_else(|| check_age(policy, subject));
    match rule {
        Some(rule) => Err(Denial::new(rule, policy)),
        None => Ok(Permitted {
            policy: policy.clone(),
            method: subject.method,
            tenant: subject.tenant.cloned(),
            tenants: subject.tenants.to_vec(),
        }),
    }
}

fn check_method(policy: &OrganizationPolicy, subject: &PolicySubject<'_>) -> Option<DenialRule> {
    (!policy.allows_method(subject.method)).then(|| DenialRule::Method {
        method: subject.method,
        allowed: policy.allowed_methods().collect(),
    })
}

fn check_issuer(policy: &OrganizationPolicy, subject: &PolicySubject<'_>) -> Option<DenialRule> {
    let issuers = &policy.0.allowed_issuers;
    let passes = subject.method != AuthMethod::OAuth
        || issuers.is_empty()
        || subject
            .issuer
            .is_some_and(|issuer| issuers.iter().any(|allowed| allowed == issuer));
    (!passes).then(|| DenialRule::Issuer {
        issuer: subject.issuer.map(Into::into),
    })
}

fn check_network(policy: &OrganizationPolicy, subject: &PolicySubject<'_>) -> Option<DenialRule> {
    let networks = &policy.0.networks;
    let address = subject.address.map(|address| address.to_canonical());
    let passes = networks.is_empty()
        || address.is_some_and(|address| networks.iter().any(|one| one.contains(address)));
    (!passes).then_some(DenialRule::Network { address })
}

fn check_client(policy: &OrganizationPolicy, subject: &PolicySubject<'_>) -> Option<DenialRule> {
    let clients = &policy.0.clients;
    let passes = subject.method != AuthMethod::OAuth
        || clients.allows(subject.client, subject.supported_clients);
    (!passes).then(|| DenialRule::Client {
        client: subject.client.map(Into::into),
        tried: clients
            .patterns(subject.supported_clients)
            .cloned()
            .collect(),
    })
}

fn check_tenant(policy: &OrganizationPolicy, subject: &PolicySubject<'_>) -> Option<DenialRule> {
    let tenants = &policy.0.tenants;
    let passes = tenants.is_empty()
        || match subject.tenant {
            Some(tenant) => tenants.contains(tenant),
            // An API token is bound to no site; each call names one (POL-15).
            None => subject.method != AuthMethod::OAuth,
        };
    (!passes).then(|| DenialRule::Tenant {
        tenant: subject.tenant.cloned(),
    })
}

fn check_lifetime(policy: &OrganizationPolicy, subject: &PolicySubject<'_>) -> Option<DenialRule> {
    let max = policy.longest_lifetime()?;
    let times = subject
        .credential_issued_at
        .zip(subject.credential_expires_at);
    let passes = times.is_some_and(|(issued, expires)| expires.since(issued) <= max);
    (!passes).then_some(DenialRule::Lifetime { max })
}

fn check_age(policy: &OrganizationPolicy, subject: &PolicySubject<'_>) -> Option<DenialRule> {
    let max = policy.0.max_token_age.map(std::time::Duration::from_secs)?;
    let issued_at = subject.credential_issued_at;
    let passes = issued_at.is_some_and(|issued| subject.now.since(issued) <= max);
    (!passes).then_some(DenialRule::Age { max, issued_at })
}

/// Evidence that a policy was applied and let a request through, and what it still says about the
/// operations in it. Made by [`evaluate()`] only.
#[derive(Clone, Debug)]
pub struct Permitted {
    policy: OrganizationPolicy,
    method: AuthMethod,
    tenant: Option<TenantId>,
    /// Those the credential lists; empty: any.
    tenants: Vec<TenantId>,
}

impl Permitted {
    /// The policy that was applied.
    #[must_use]
    pub fn policy(&self) -> &OrganizationPolicy {
        &self.policy
    }

    /// Its version, for the audit record.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.policy.version()
    }

    /// The site the request is about: the one its credential is bound to, or the one of
    /// [`on`](Self::on).
    #[must_use]
    pub fn tenant(&self) -> Option<&TenantId> {
        self.tenant.as_ref()
    }

    /// The permission groups in force here, of the site if it has its own.
    #[must_use]
    pub fn groups(&self) -> &GroupRules {
        self.policy.effective_groups(self.tenant.as_ref())
    }

    /// The same for an operation on a site, in a server that has sites (POL-15).
    ///
    /// # Errors
    ///
    /// The credential is bound to another site, the organization does not allow the site, or no
    /// site is named for a credential that is bound to none and is no access token.
    pub fn on(&self, site: Option<&TenantId>) -> Result<Self, Denial> {
        let denied = |rule| Err(Denial::new(rule, &self.policy));
        match (&self.tenant, site) {
            (Some(bound), Some(site)) if bound != site => denied(DenialRule::OtherTenant {
                bound: bound.clone(),
                asked: site.clone(),
            }),
            (None, None) if self.method != AuthMethod::OAuth => {
                denied(DenialRule::TenantUnspecified)
            }
            (None, Some(site)) if !self.tenants.is_empty() && !self.tenants.contains(site) => {
                denied(DenialRule::NotAmongTenants {
                    asked: site.clone(),
                })
            }
            (None, Some(site)) => {
                let tenants = &self.policy.0.tenants;
                if !tenants.is_empty() && !tenants.contains(site) {
                    return denied(DenialRule::Tenant {
                        tenant: Some(site.clone()),
                    });
                }
                Ok(Self {
                    tenant: Some(site.clone()),
                    ..self.clone()
                })
            }
            _ => Ok(self.clone()),
        }
    }

    /// Whether a tool of this permission group may run. Tools of no group need not ask.
    ///
    /// # Errors
    ///
    /// The group is off, for the site or for the organization.
    pub fn check_group(&self, group: &PermissionGroup) -> Result<(), Denial> {
        if self.groups().allows(group) {
            return Ok(());
        }
        let rule = DenialRule::Group {
            group: group.clone(),
            tenant: self.tenant.clone(),
        };
        Err(Denial::new(rule, &self.policy))
    }

    /// Whether [`check_group`](Self::check_group) could pass on some site that a call may yet name.
    pub(crate) fn may_allow(&self, group: &PermissionGroup) -> bool {
        let elsewhere = || self.policy.0.site_groups.values();
        self.groups().allows(group)
            || (self.tenant.is_none() && elsewhere().any(|groups| groups.allows(group)))
    }
}

#[cfg(test)]
mod tests;
