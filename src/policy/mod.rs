//! What an organization's administrator allows: methods, networks, clients, sites, permission groups.
//!
//! ```
//! use tower_mcp_auth::OrganizationPolicy;
//! use tower_mcp_auth::policy::{ClientRules, GroupRules, Intent, MemoryPolicyStore};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let acme = "acme".parse()?;
//! let policy = OrganizationPolicy::new(acme)
//!     .api_tokens(true)
//!     .network("203.0.113.0/24")
//!     .clients(ClientRules::only().pattern("https://*.example.com/**"))
//!     .groups(GroupRules::new().product("jira", [Intent::Read, Intent::Search]))
//!     .contact("it-help@acme.example");
//! let policies = MemoryPolicyStore::new().with(policy)?; // every mistake is reported here
//! # Ok(())
//! # }
//! ```
//!
//! A policy is judged after a credential is proven ([`evaluate()`]), on every request, and every
//! rule can only take away. An organization without a stored policy has
//! [`OrganizationPolicy::new`]: OAuth only, nothing else restricted.

mod changes;
mod client_pattern;
mod client_rules;
mod evaluate;
mod examine;
mod groups;
mod memory;
mod network;
mod refusal;
mod store;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::UnixTime;
use crate::ident::{OrganizationId, TenantId};
use crate::method::AuthMethod;

pub use changes::{ChangeListener, PolicyChanges};
pub use client_pattern::ClientPattern;
pub use client_rules::ClientRules;
pub use evaluate::{Denial, DenialRule, Permitted, PolicySubject, evaluate};
pub use groups::{GroupRules, Intent, Intents, PermissionGroup};
pub use memory::MemoryPolicyStore;
pub use network::{ForwardedProto, Network, TrustedProxies, client_address, forwarded_proto};
pub(crate) use refusal::{refusal, with_help};
pub use store::{DynPolicyStore, PolicyStore, PutError};

/// The rules of one organization, as its administrator set them. Cloning shares them.
///
/// Setters take anything. A [`PolicyStore`] examines a policy before it keeps it, and reports every
/// mistake at once; see also [`examine`](Self::examine). What cannot be read allows nothing.
///
/// As JSON every member but `organization` may be left out. An unknown member is an error: an old
/// instance must not drop a restriction that only a new one knows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrganizationPolicy(#[serde(with = "shared")] Arc<Rules>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    organization: OrganizationId,
    #[serde(default)]
    version: u64,
    #[serde(default)]
    changed_at: Option<i64>,
    #[serde(default)]
    allow_personal_tokens: bool,
    #[serde(default)]
    allow_service_account_keys: bool,
    #[serde(default)]
    networks: Vec<Network>,
    #[serde(default)]
    clients: ClientRules,
    #[serde(default)]
    allowed_issuers: Vec<String>,
    #[serde(default)]
    tenants: Vec<TenantId>,
    #[serde(default)]
    groups: GroupRules,
    #[serde(default)]
    site_groups: BTreeMap<TenantId, GroupRules>,
    /// In seconds, as is the next.
    #[serde(default)]
    max_token_lifetime: Option<u64>,
    #[serde(default)]
    max_token_age: Option<u64>,
    #[serde(default)]
    help_url: Option<String>,
    #[serde(default)]
    contact: Option<String>,
}

/// serde offers this under a feature only, which would hold for the whole program.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Rules;

    pub(super) fn serialize<S: Serializer>(rules: &Arc<Rules>, to: S) -> Result<S::Ok, S::Error> {
        rules.as_ref().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<Rules>, D::Error> {
        Rules::deserialize(from).map(Arc::new)
    }
}

impl OrganizationPolicy {
    /// OAuth only (POL-3); any network, client, issuer and site; delete and manage groups off.
    #[must_use]
    pub fn new(organization: OrganizationId) -> Self {
        Self(Arc::new(Rules {
            organization,
            version: 0,
            changed_at: None,
            allow_personal_tokens: false,
            allow_service_account_keys: false,
            networks: Vec::new(),
            clients: ClientRules::any(),
            allowed_issuers: Vec::new(),
            tenants: Vec::new(),
            groups: GroupRules::new(),
            site_groups: BTreeMap::new(),
            max_token_lifetime: None,
            max_token_age: None,
            help_url: None,
            contact: None,
        }))
    }

    fn set(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// The administrator's one switch: personal API tokens and service-account keys both
    /// (KEYSA-4). Default off. It changes no other rule.
    #[must_use]
    pub fn api_tokens(self, allowed: bool) -> Self {
        self.personal_tokens(allowed).service_account_keys(allowed)
    }

    /// Whether personal API tokens are accepted. Default no.
    #[must_use]
    pub fn personal_tokens(self, allowed: bool) -> Self {
        self.set(|rules| rules.allow_personal_tokens = allowed)
    }

    /// Whether service-account keys are accepted. Default no.
    #[must_use]
    pub fn service_account_keys(self, allowed: bool) -> Self {
        self.set(|rules| rules.allow_service_account_keys = allowed)
    }

    /// One more network that requests may come from, for every method (POL-7): an address or a
    /// range, as text or `ipnet::IpNet`. None listed: from anywhere. Once one is listed, a request
    /// whose address is unknown is refused (T34).
    #[must_use]
    pub fn network(self, range: impl fmt::Display) -> Self {
        self.set(|rules| rules.networks.push(Network::new(range)))
    }

    /// Which OAuth clients are let in. Default: any. API tokens are not subject to it (POL-9).
    #[must_use]
    pub fn clients(self, clients: ClientRules) -> Self {
        self.set(|rules| rules.clients = clients)
    }

    /// One more issuer whose access tokens are accepted, by its exact identifier. None listed: every
    /// configured issuer of the organization.
    #[must_use]
    pub fn allow_issuer(self, issuer: impl Into<String>) -> Self {
        self.set(|rules| rules.allowed_issuers.push(issuer.into()))
    }

    /// One more site that may be acted on (POL-15). None listed: every site. Once one is listed, an
    /// access token that is bound to no site is refused.
    #[must_use]
    pub fn tenant(self, tenant: TenantId) -> Self {
        self.set(|rules| rules.tenants.push(tenant))
    }

    /// Which permission groups are on (POL-13). Default: read, write and search everywhere.
    #[must_use]
    pub fn groups(self, groups: GroupRules) -> Self {
        self.set(|rules| rules.groups = groups)
    }

    /// Which permission groups are on for one site, in place of the organization's.
    #[must_use]
    pub fn site_groups(self, site: TenantId, groups: GroupRules) -> Self {
        self.set(|rules| {
            rules.site_groups.insert(site, groups);
        })
    }

    /// The longest time from issue to expiry a credential may have, of any method, in whole seconds.
    /// 1 minute to 10 years; default: no limit here. With it, a credential that does not say both
    /// is refused.
    #[must_use]
    pub fn max_token_lifetime(self, lifetime: Duration) -> Self {
        self.set(|rules| rules.max_token_lifetime = Some(lifetime.as_secs()))
    }

    /// The greatest age of a credential of any method, counted from its issue, in whole seconds.
    /// 1 minute to 10 years; default: no limit. With it, a credential without a time of issue is
    /// refused.
    #[must_use]
    pub fn max_token_age(self, age: Duration) -> Self {
        self.set(|rules| rules.max_token_age = Some(age.as_secs()))
    }

    /// A page for people who were refused. HTTPS.
    #[must_use]
    pub fn help_url(self, url: impl Into<String>) -> Self {
        self.set(|rules| rules.help_url = Some(url.into()))
    }

    /// Whom people who were refused can ask: a name, an address, a channel.
    #[must_use]
    pub fn contact(self, contact: impl Into<String>) -> Self {
        self.set(|rules| rules.contact = Some(contact.into()))
    }

    /// When the administrator made this version; for those who ask why a change does not show yet.
    #[must_use]
    pub fn changed_at(self, time: UnixTime) -> Self {
        self.set(|rules| rules.changed_at = Some(time.as_secs()))
    }

    /// For stores: the same policy with the number that the store gave it.
    #[must_use]
    pub fn with_version(self, version: u64) -> Self {
        self.set(|rules| rules.version = version)
    }

    /// Whose policy this is.
    #[must_use]
    pub fn organization(&self) -> &OrganizationId {
        &self.0.organization
    }

    /// The number of this version, given by the store. 0: never stored.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.0.version
    }

    /// When this version was made, if the administrator's tool said so.
    #[must_use]
    pub fn changed(&self) -> Option<UnixTime> {
        self.0.changed_at.map(UnixTime::from_secs)
    }

    /// Whether credentials of this kind are accepted. OAuth always is.
    #[must_use]
    pub fn allows_method(&self, method: AuthMethod) -> bool {
        match method {
            AuthMethod::OAuth => true,
            AuthMethod::ApiToken => self.0.allow_personal_tokens,
            AuthMethod::ServiceAccountKey => self.0.allow_service_account_keys,
        }
    }

    /// The kinds that are accepted, the preferred one first.
    pub fn allowed_methods(&self) -> impl Iterator<Item = AuthMethod> {
        AuthMethod::ALL
            .into_iter()
            .filter(|method| self.allows_method(*method))
    }

    /// The longest lifetime a new credential may be given.
    #[must_use]
    pub fn longest_lifetime(&self) -> Option<Duration> {
        self.0.max_token_lifetime.map(Duration::from_secs)
    }

    /// The page for people who were refused.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.0.help_url.as_deref()
    }

    /// Whom they can ask.
    #[must_use]
    pub fn contact_person(&self) -> Option<&str> {
        self.0.contact.as_deref()
    }

    /// The permission groups in force: those of `site` if it has its own, else the organization's.
    #[must_use]
    pub fn effective_groups(&self, site: Option<&TenantId>) -> &GroupRules {
        site.and_then(|site| self.0.site_groups.get(site))
            .unwrap_or(&self.0.groups)
    }
}

impl fmt::Debug for OrganizationPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests;
