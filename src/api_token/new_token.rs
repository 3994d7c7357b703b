//! A token somebody asks for, and what is wrong with the wish.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::email::Email;
use super::format::TokenKind;
use super::record::Owner;
use crate::error::Problems;
use crate::ident::{OrganizationId, Subject, TenantId};
use crate::scope::ScopeSet;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// A token without a wish lives so long.
const DEFAULT_LIFETIME: Duration = DAY.saturating_mul(90);
/// No token lives longer (T31).
pub(super) const MAX_LIFETIME: Duration = DAY.saturating_mul(365);
/// The same, in seconds.
pub(super) const MAX_LIFETIME_SECS: i64 = 365 * 24 * 3600;
/// Longest name, in characters.
const MAX_NAME: usize = 200;
/// Most networks, and most sites, of one token.
const MAX_ENTRIES: usize = 100;

/// A token to be issued.
///
/// ```
/// use std::time::Duration;
/// use tower_mcp_auth::api_token::NewToken;
///
/// let token = NewToken::personal("acme", "user-17", "ada@acme.example")
///     .name("nightly report")
///     .scopes(["read:issues"])
///     .networks(["203.0.113.0/24"])
///     .expires_in(Duration::from_secs(30 * 24 * 3600));
/// ```
///
/// Nothing is checked here: every mistake is reported, together with all others, when the token is
/// issued.
#[derive(Clone, Debug)]
pub struct NewToken {
    kind: TokenKind,
    organization: String,
    owner: String,
    email: Option<String>,
    name: String,
    scopes: Vec<String>,
    networks: Vec<String>,
    tenants: Vec<String>,
    created_by: Option<String>,
    lifetime: Option<Duration>,
    limit: Option<Duration>,
}

/// A wish that can be granted.
pub(super) struct Granted {
    pub(super) kind: TokenKind,
    pub(super) organization: OrganizationId,
    pub(super) owner: Owner,
    pub(super) name: String,
    pub(super) created_by: Subject,
    pub(super) scopes: ScopeSet,
    pub(super) networks: Vec<IpNet>,
    pub(super) tenants: Vec<TenantId>,
    /// Whole seconds, at least one.
    pub(super) lifetime: i64,
}

impl NewToken {
    /// A token with which one person acts from scripts, presented together with the address.
    #[must_use]
    pub fn personal(
        organization: impl AsRef<str>,
        subject: impl AsRef<str>,
        email: impl AsRef<str>,
    ) -> Self {
        let email = Some(email.as_ref().to_owned());
        Self::new(
            TokenKind::Personal,
            organization.as_ref(),
            subject.as_ref(),
            email,
        )
    }

    /// A key with which a service account acts, on behalf of nobody.
    #[must_use]
    pub fn service_account(organization: impl AsRef<str>, account: impl AsRef<str>) -> Self {
        Self::new(
            TokenKind::ServiceAccount,
            organization.as_ref(),
            account.as_ref(),
            None,
        )
    }

    fn new(kind: TokenKind, organization: &str, owner: &str, email: Option<String>) -> Self {
        Self {
            kind,
            organization: organization.to_owned(),
            owner: owner.to_owned(),
            email,
            name: String::new(),
            scopes: Vec::new(),
            networks: Vec::new(),
            tenants: Vec::new(),
            created_by: None,
            lifetime: None,
            limit: None,
        }
    }

    /// What its owner calls it, for lists. At most 200 characters. Default: empty.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// What it may be used for. At least one scope is required: a token without any would connect
    /// and then find no tools, and nobody would know why (BAS-13).
    #[must_use]
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// From where it may be used: addresses or ranges in CIDR notation, at most 100. Default: from
    /// anywhere the organization allows.
    #[must_use]
    pub fn networks(mut self, networks: impl IntoIterator<Item = impl ToString>) -> Self {
        self.networks = networks
            .into_iter()
            .map(|network| network.to_string())
            .collect();
        self
    }

    /// The sites it may be used for, at most 100. Default: every site of the organization.
    #[must_use]
    pub fn tenants(mut self, tenants: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.tenants = tenants
            .into_iter()
            .map(|tenant| tenant.as_ref().to_owned())
            .collect();
        self
    }

    /// Who issues it. Required for a service account; a personal token is its owner's by default.
    #[must_use]
    pub fn created_by(mut self, subject: impl AsRef<str>) -> Self {
        self.created_by = Some(subject.as_ref().to_owned());
        self
    }

    /// How long it lives, in whole seconds: 1 s to 365 days, or to the limit if that is lower.
    /// Default: 90 days, or the limit.
    #[must_use]
    pub fn expires_in(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// The longest life its organization allows. Cannot raise the 365 days.
    #[must_use]
    pub fn max_lifetime(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Checks everything. `None` always comes with a problem.
    pub(super) fn examine(
        self,
        server_limit: Duration,
        problems: &mut Problems,
    ) -> Option<Granted> {
        let limit = self
            .limit
            .map_or(server_limit, |limit| limit.min(server_limit));
        let lifetime = self.examine_lifetime(limit, problems);
        self.examine_name(problems);
        let scopes = self.examine_scopes(problems);
        let networks = examine_networks(&self.networks, problems);
        let tenants = examine_tenants(&self.tenants, problems);
        let owner = self.examine_owner(problems);
        let created_by = self.examine_creator(problems);
        let organization = OrganizationId::new(&self.organization);
        if organization.is_none() {
            problems.add("organization", &self.organization, IDENTIFIER);
        }
        Some(Granted {
            kind: self.kind,
            organization: organization?,
            owner: owner?,
            name: self.name,
            created_by: created_by?,
            scopes: scopes?,
            networks: networks?,
            tenants: tenants?,
            lifetime: lifetime?,
        })
    }

    fn examine_lifetime(&self, limit: Duration, problems: &mut Problems) -> Option<i64> {
        let wanted = self.lifetime.unwrap_or(DEFAULT_LIFETIME.min(limit));
        if wanted > limit {
            const DAY: u64 = 86_400;
            let most = limit.as_secs();
            let days = match most.checked_div(DAY) {
                Some(days) if most.is_multiple_of(DAY) => format!(" ({days} d)"),
                _ => String::new(),
            };
            let remedy = format!("at most {most} s{days} are allowed here");
            problems.add("expires_in", format!("{wanted:?}"), remedy);
            return None;
        }
        if wanted.as_secs() == 0 {
            let remedy = "a token lives one second at least, and every token expires";
            problems.add("expires_in", format!("{wanted:?}"), remedy);
            return None;
        }
        i64::try_from(wanted.as_secs()).ok()
    }

    fn examine_name(&self, problems: &mut Problems) {
        if self.name.chars().count() > MAX_NAME || self.name.chars().any(char::is_control) {
            let remedy = "use at most 200 characters, none of them a control character";
            problems.add("name", &self.name, remedy);
        }
    }

    fn examine_scopes(&self, problems: &mut Problems) -> Option<ScopeSet> {
        let scopes = ScopeSet::from_words(&self.scopes);
        let remedy = match &scopes {
            None => "a scope is one word of printable ASCII without `\"` and `\\`; at most 256",
            Some(scopes) if scopes.is_empty() => {
                "name at least one scope, or the token is good for nothing"
            }
            Some(_) => return scopes,
        };
        problems.add("scopes", self.scopes.join(" "), remedy);
        None
    }

    fn examine_owner(&self, problems: &mut Problems) -> Option<Owner> {
        let subject = Subject::new(&self.owner);
        if subject.is_none() {
            problems.add("owner", &self.owner, IDENTIFIER);
        }
        let email = self.email.as_deref().map(Email::new);
        if let (Some(text), Some(None)) = (&self.email, &email) {
            let remedy = "not one plain address; write an internationalized domain as xn--…";
            problems.add("email", text, remedy);
            return None;
        }
        Some(Owner {
            subject: subject?,
            email: email.flatten(),
        })
    }

    fn examine_creator(&self, problems: &mut Problems) -> Option<Subject> {
        let text = match (&self.created_by, self.kind) {
            (Some(text), _) => text,
            (None, TokenKind::Personal) => return Subject::new(&self.owner),
            (None, TokenKind::ServiceAccount) => {
                let remedy = "say who issues this key; a service account issues none itself";
                problems.add("created_by", "", remedy);
                return None;
            }
        };
        let creator = Subject::new(text);
        if creator.is_none() {
            problems.add("created_by", text, IDENTIFIER);
        }
        creator
    }
}

pub(super) const IDENTIFIER: &str =
    "must not be empty, longer than 2,048 bytes, or hold control characters";

pub(super) fn examine_networks(texts: &[String], problems: &mut Problems) -> Option<Vec<IpNet>> {
    if texts.len() > MAX_ENTRIES {
        problems.add("networks", texts.len(), "at most 100 networks");
        return None;
    }
    let mut networks = Vec::with_capacity(texts.len());
    for text in texts {
        match network(text) {
            Ok(network) => networks.push(network),
            Err(remedy) => problems.add("networks", text, remedy),
        }
    }
    (networks.len() == texts.len()).then_some(networks)
}

fn network(text: &str) -> Result<IpNet, String> {
    let network = match (text.parse::<IpNet>(), text.parse::<IpAddr>()) {
        (Ok(network), _) => network,
        (_, Ok(address)) => IpNet::from(address),
        _ => return Err("write an address or a range such as 203.0.113.0/24".to_owned()),
    };
    if network.trunc() != network {
        return Err(format!(
            "bits are set behind the prefix; {} is meant?",
            network.trunc()
        ));
    }
    // Peers arrive with plain IPv4 addresses, so such a range would match nobody.
    match network {
        IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some() => {
            Err("write an IPv4 range as IPv4".to_owned())
        }
        _ => Ok(network),
    }
}

pub(super) fn examine_tenants(texts: &[String], problems: &mut Problems) -> Option<Vec<TenantId>> {
    if texts.len() > MAX_ENTRIES {
        problems.add("tenants", texts.len(), "at most 100 sites");
        return None;
    }
    let tenants: Vec<_> = texts.iter().filter_map(TenantId::new).collect();
    for text in texts.iter().filter(|text| TenantId::new(text).is_none()) {
        problems.add("tenants", text, IDENTIFIER);
    }
    (tenants.len() == texts.len()).then_some(tenants)
}
