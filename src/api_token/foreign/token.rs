//! What the maker of a format says about one token.

use std::fmt;
use std::sync::Arc;

use ipnet::IpNet;

use super::super::email::Email;
use super::super::format::TokenKind;
use super::super::new_token::{IDENTIFIER, MAX_LIFETIME_SECS, examine_networks, examine_tenants};
use super::super::record::Owner;
use crate::clock::UnixTime;
use crate::error::{BackendError, Problems};
use crate::ident::{OrganizationId, Subject, TenantId};
use crate::scope::ScopeSet;

/// Longest id, in bytes.
const MAX_ID: usize = 256;

/// The facts of a good token, checked. It holds no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct ForeignToken {
    pub(crate) id: Box<str>,
    pub(crate) kind: TokenKind,
    pub(crate) authority: Option<Arc<str>>,
    pub(crate) organization: OrganizationId,
    pub(crate) owner: Owner,
    pub(crate) created_by: Option<Subject>,
    pub(crate) scopes: ScopeSet,
    pub(crate) networks: Vec<IpNet>,
    pub(crate) tenants: Vec<TenantId>,
    pub(crate) created_at: UnixTime,
    pub(crate) expires_at: UnixTime,
}

impl ForeignToken {
    /// The token of a person. The id is public: it names the token in logs, in audit records and
    /// for revocation. 1 to 256 printable ASCII characters without a blank.
    pub fn personal(
        id: impl Into<String>,
        organization: impl Into<String>,
        subject: impl Into<String>,
        email: impl Into<String>,
    ) -> ForeignTokenBuilder {
        ForeignTokenBuilder {
            email: Some(email.into()),
            ..ForeignTokenBuilder::new(
                TokenKind::Personal,
                id.into(),
                organization.into(),
                subject.into(),
            )
        }
    }

    /// The key of a service account, which acts on behalf of nobody. The id is public, as for
    /// [`personal`](Self::personal).
    pub fn service_account(
        id: impl Into<String>,
        organization: impl Into<String>,
        account: impl Into<String>,
    ) -> ForeignTokenBuilder {
        ForeignTokenBuilder::new(
            TokenKind::ServiceAccount,
            id.into(),
            organization.into(),
            account.into(),
        )
    }

    /// The public id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Personal, or a service account's.
    #[must_use]
    pub fn kind(&self) -> TokenKind {
        self.kind
    }

    /// The organization whose administrator rules over the token.
    #[must_use]
    pub fn organization(&self) -> &OrganizationId {
        &self.organization
    }

    /// Who acts when it is used.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The first moment at which it is no longer accepted: what was said, and 365 days after its
    /// creation at the latest.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }
}

impl fmt::Debug for ForeignToken {
    /// Ids and times: no personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignToken")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("organization", &self.organization)
            .field("owner", self.owner.subject())
            .field("scopes", &self.scopes)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Collects the facts of a token. Nothing is checked before [`build`](Self::build).
#[must_use = "build() makes the token"]
#[derive(Clone)]
pub struct ForeignTokenBuilder {
    kind: TokenKind,
    id: String,
    authority: Option<String>,
    organization: String,
    owner: String,
    email: Option<String>,
    created_by: Option<String>,
    scopes: Vec<String>,
    networks: Vec<String>,
    tenants: Vec<String>,
    created_at: Option<UnixTime>,
    expires_at: Option<UnixTime>,
}

impl ForeignTokenBuilder {
    fn new(kind: TokenKind, id: String, organization: String, owner: String) -> Self {
        Self {
            kind,
            id,
            authority: None,
            organization,
            owner,
            email: None,
            created_by: None,
            scopes: Vec::new(),
            networks: Vec::new(),
            tenants: Vec::new(),
            created_at: None,
            expires_at: None,
        }
    }

    /// Who vouches for the owner: the issuer of the [`Principal`](crate::Principal), and the one to
    /// name for a revocation. Name your identity provider's issuer if its subjects are the owners,
    /// so that a person is one principal whichever way they come in. Default: the name of the
    /// format.
    pub fn authority(mut self, authority: impl Into<String>) -> Self {
        self.authority = Some(authority.into());
        self
    }

    /// What it may be used for, at most 256 scopes. A token without any is refused by name
    /// (`unscoped_token`).
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// When it was issued. Required: organizations have rules about the age of tokens.
    pub fn created_at(mut self, at: UnixTime) -> Self {
        self.created_at = Some(at);
        self
    }

    /// The first moment at which it is no longer accepted. Required. More than 365 days after
    /// [`created_at`](Self::created_at) counts as 365 days.
    pub fn expires_at(mut self, at: UnixTime) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// From where it may be used: addresses or ranges in CIDR notation, at most 100. Default: from
    /// anywhere the organization allows.
    pub fn networks(mut self, networks: impl IntoIterator<Item = impl ToString>) -> Self {
        self.networks = networks
            .into_iter()
            .map(|network| network.to_string())
            .collect();
        self
    }

    /// The sites it may be used for, at most 100. Default: every site of the organization.
    pub fn tenants(mut self, tenants: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.tenants = tenants.into_iter().map(Into::into).collect();
        self
    }

    /// Who issued it. Default: the owner of a personal token; of a key, nobody knows.
    pub fn created_by(mut self, subject: impl Into<String>) -> Self {
        self.created_by = Some(subject.into());
        self
    }

    /// Checks everything.
    ///
    /// # Errors
    ///
    /// Every fact that cannot be, as one [`BackendError`]: return it from
    /// [`verify`](super::ForeignTokens::verify), and the client gets 503 while your log says why.
    /// It repeats what was said of the token, of an address the domain only.
    pub fn build(self) -> Result<ForeignToken, BackendError> {
        let mut problems = Problems::default();
        let token = self.examine(&mut problems);
        problems.or(token).map_err(|error| {
            let all = error.problems().iter().map(ToString::to_string);
            let all = all.collect::<Vec<_>>().join("; ");
            BackendError::new(format!("a foreign token that cannot be: {all}"))
        })
    }

    /// `None` always comes with a problem.
    fn examine(self, problems: &mut Problems) -> Option<ForeignToken> {
        let owner = self.examine_owner(problems);
        let created_by = match (&self.created_by, self.kind) {
            (Some(creator), _) => subject("created_by", creator, problems),
            (None, TokenKind::Personal) => Subject::new(&self.owner),
            (None, TokenKind::ServiceAccount) => None,
        };
        if let Some(authority) = &self.authority {
            subject("authority", authority, problems);
        }
        let organization = OrganizationId::new(&self.organization);
        if organization.is_none() {
            problems.add("organization", &self.organization, IDENTIFIER);
        }
        if !is_id(&self.id) {
            let remedy = "1 to 256 printable ASCII characters without a blank";
            // Not repeated: nobody knows what was taken for an id.
            problems.add("id", format!("{} bytes", self.id.len()), remedy);
        }
        let scopes = ScopeSet::from_words(&self.scopes);
        if scopes.is_none() {
            let remedy =
                "a scope is one word of printable ASCII without `\"` and `\\`; at most 256";
            problems.add("scopes", self.scopes.join(" "), remedy);
        }
        let networks = examine_networks(&self.networks, problems);
        let tenants = examine_tenants(&self.tenants, problems);
        let (created_at, expires_at) = self.examine_life(problems)?;
        Some(ForeignToken {
            kind: self.kind,
            authority: self.authority.map(Arc::from),
            organization: organization?,
            owner: owner?,
            created_by,
            scopes: scopes?,
            networks: networks?,
            tenants: tenants?,
            created_at,
            expires_at,
            id: self.id.into(),
        })
    }

    fn examine_owner(&self, problems: &mut Problems) -> Option<Owner> {
        let subject = subject("owner", &self.owner, problems);
        let email = self.email.as_deref().map(Email::new);
        if let (Some(text), Some(None)) = (&self.email, &email) {
            let remedy = "not one plain address; write an internationalized domain as xn--…";
            problems.add("email", text, remedy);
        }
        Some(Owner {
            subject: subject?,
            email: email.flatten(),
        })
    }

    fn examine_life(&self, problems: &mut Problems) -> Option<(UnixTime, UnixTime)> {
        if self.created_at.is_none() {
            problems.add("created_at", "", "say when it was issued");
        }
        if self.expires_at.is_none() {
            problems.add("expires_at", "", "every token expires; say when");
        }
        let (created, expires) = self.created_at.zip(self.expires_at)?;
        if expires <= created {
            let remedy = "must lie after created_at, in seconds since 1970";
            problems.add("expires_at", expires.as_secs(), remedy);
        }
        Some((created, expires.min(created.plus_secs(MAX_LIFETIME_SECS))))
    }
}

impl fmt::Debug for ForeignTokenBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignTokenBuilder")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

fn subject(field: &str, text: &str, problems: &mut Problems) -> Option<Subject> {
    let subject = Subject::new(text);
    if subject.is_none() {
        problems.add(field, text, IDENTIFIER);
    }
    subject
}

fn is_id(text: &str) -> bool {
    (1..=MAX_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
