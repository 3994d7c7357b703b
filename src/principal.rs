//! The verified party behind a request, with the facts its credential vouches for.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

use crate::clock::UnixTime;
use crate::ident::{ClientId, Subject, TenantId};
use crate::scope::ScopeSet;

mod actor;

pub use crate::confirmation::Confirmation;
pub use actor::Actor;

/// Whether a person stands behind a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PrincipalKind {
    /// A person, perhaps acting through a client.
    User,
    /// A client on its own behalf: the client credentials grant, a workload (every `spiffe://` subject). There is nobody who
    /// could log in again.
    Client,
    /// A service account, by its API key. There is nobody who could log in again.
    ServiceAccount,
}

/// A stable name for a principal, the same for every token of theirs (MCP-19). Bind sessions and
/// state handles to it, never to token bytes: a refreshed token is the same principal.
///
/// It is an identifier, not a secret, and contains issuer and subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrincipalKey(Arc<str>);

impl PrincipalKey {
    fn new(kind: PrincipalKind, issuer: &str, subject: &Subject) -> Self {
        // A service account is nobody's login, whatever it is called.
        let mark = match kind {
            PrincipalKind::ServiceAccount => "service-account:",
            PrincipalKind::User | PrincipalKind::Client => "",
        };
        // The length makes the pair unambiguous whatever the two contain.
        Self(format!("{mark}{}:{issuer}{subject}", issuer.len()).into())
    }

    /// Whether it is a service account's, its issuer and its subject.
    pub(crate) fn parts(&self) -> (bool, &str, &str) {
        let (service_account, rest) = match self.0.strip_prefix("service-account:") {
            Some(rest) => (true, rest),
            None => (false, &*self.0),
        };
        let split = rest.split_once(':').and_then(|(length, both)| {
            let length = length.parse().ok()?;
            both.split_at_checked(length)
        });
        let (issuer, subject) = split.unwrap_or_default();
        (service_account, issuer, subject)
    }

    /// The key of the principal with this issuer and subject, who is no service account.
    pub(crate) fn of_subject(issuer: &str, subject: &Subject) -> Self {
        Self::new(PrincipalKind::User, issuer, subject)
    }

    /// The key of the service account with this issuer and subject.
    pub(crate) fn of_service_account(issuer: &str, subject: &Subject) -> Self {
        Self::new(PrincipalKind::ServiceAccount, issuer, subject)
    }

    /// The text of the key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PrincipalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The verified party behind a request.
///
/// Everything here was vouched for by the credential's issuer. Identity is the pair of
/// [`issuer`](Self::issuer) and [`subject`](Self::subject): two issuers may use the same subject
/// for different people.
#[derive(Clone)]
pub struct Principal(Arc<Facts>);

/// What a validator found, before it becomes a [`Principal`].
pub(crate) struct Facts {
    pub(crate) kind: PrincipalKind,
    pub(crate) issuer: Arc<str>,
    pub(crate) subject: Subject,
    pub(crate) client: Option<ClientId>,
    pub(crate) tenant: Option<TenantId>,
    pub(crate) scopes: ScopeSet,
    pub(crate) expires_at: UnixTime,
    pub(crate) issued_at: Option<UnixTime>,
    pub(crate) authenticated_at: Option<UnixTime>,
    pub(crate) authentication_class: Option<Box<str>>,
    pub(crate) authentication_methods: Box<[Box<str>]>,
    pub(crate) actor: Option<Box<Actor>>,
    /// The key that verified the token.
    pub(crate) key_id: Option<Arc<str>>,
    pub(crate) token_id: Option<Box<str>>,
    /// The address an API token's owner is known by.
    pub(crate) email: Option<Box<str>>,
    /// Who made an API token.
    pub(crate) created_by: Option<Subject>,
    pub(crate) roles: Box<[Box<str>]>,
    pub(crate) groups: Box<[Box<str>]>,
    pub(crate) entitlements: Box<[Box<str>]>,
    /// What an access token is bound to.
    pub(crate) confirmation: Option<Box<Confirmation>>,
    /// The verified payload, kept as text and read on demand.
    pub(crate) payload: Vec<u8>,
    pub(crate) claims: OnceLock<Map<String, Value>>,
}

#[cfg(test)]
impl Facts {
    /// A user of whom nothing else is known, for tests to add to.
    pub(crate) fn of_user(issuer: &str, subject: &str) -> Self {
        Self {
            kind: PrincipalKind::User,
            issuer: issuer.into(),
            subject: Subject::new(subject).unwrap(),
            client: None,
            tenant: None,
            scopes: ScopeSet::empty(),
            expires_at: UnixTime::from_secs(1),
            issued_at: None,
            authenticated_at: None,
            authentication_class: None,
            authentication_methods: Box::default(),
            actor: None,
            key_id: None,
            token_id: None,
            email: None,
            created_by: None,
            roles: Box::default(),
            groups: Box::default(),
            entitlements: Box::default(),
            confirmation: None,
            payload: Vec::new(),
            claims: OnceLock::new(),
        }
    }
}

impl Principal {
    pub(crate) fn new(facts: Facts) -> Self {
        Self(Arc::new(facts))
    }

    /// Whether a person or a client on its own.
    #[must_use]
    pub fn kind(&self) -> PrincipalKind {
        self.0.kind
    }

    /// The issuer that vouches for everything here (`iss`).
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Who, in the issuer's words (`sub`).
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.0.subject
    }

    /// The OAuth client the token was issued to. Absent only where the issuer's
    /// [`Profile`](crate::Profile) allows it.
    #[must_use]
    pub fn client(&self) -> Option<&ClientId> {
        self.0.client.as_ref()
    }

    /// The site the token is bound to, if the issuer binds tokens to sites.
    #[must_use]
    pub fn tenant(&self) -> Option<&TenantId> {
        self.0.tenant.as_ref()
    }

    /// The scopes granted to the token.
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.0.scopes
    }

    /// When the credential expires (`exp`). Of an opaque token whose issuer does not say: until when
    /// its answer serves.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.0.expires_at
    }

    /// When the credential was issued (`iat`).
    #[must_use]
    pub fn issued_at(&self) -> Option<UnixTime> {
        self.0.issued_at
    }

    /// When the person last logged in (`auth_time`), if the issuer says.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<UnixTime> {
        self.0.authenticated_at
    }

    /// How strongly the person logged in (`acr`), if the issuer says.
    #[must_use]
    pub fn authentication_class(&self) -> Option<&str> {
        self.0.authentication_class.as_deref()
    }

    /// By which means the person logged in (`amr`, RFC 8176), if the issuer says: `pwd`, `otp`, `hwk`.
    pub fn authentication_methods(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.authentication_methods.iter().map(AsRef::as_ref)
    }

    /// Who acts for the principal (`act`, RFC 8693 §4.1): a service or an agent that was delegated
    /// to. None of it is authorization: what the token may do is in its scopes.
    ///
    /// ```
    /// # fn example(auth: &tower_mcp_auth::AuthContext) {
    /// let on_behalf_of = auth.principal().subject();
    /// for actor in auth.principal().actor().into_iter().flat_map(|actor| actor.chain()) {
    ///     println!("{on_behalf_of} through {:?} {:?}", actor.subject(), actor.client());
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn actor(&self) -> Option<&Actor> {
        self.0.actor.as_deref()
    }

    /// The id of the issuer's key that verified the access token, if that key has one.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.0.key_id.as_deref()
    }

    /// The token's own id (`jti`), for logs and revocation.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.0.token_id.as_deref()
    }

    /// The email of the person behind an API token. Of access tokens see [`claims`](Self::claims).
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// Who made the API token.
    #[must_use]
    pub fn created_by(&self) -> Option<&Subject> {
        self.0.created_by.as_ref()
    }

    /// What the access token is bound to (`cnf`, RFC 7800), if to anything: its sender has shown that
    /// it is theirs.
    #[must_use]
    pub fn confirmation(&self) -> Option<&Confirmation> {
        self.0.confirmation.as_deref()
    }

    /// Roles, from the claim the issuer's profile names (RFC 9068 §2.2.3.1).
    pub fn roles(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.roles.iter().map(AsRef::as_ref)
    }

    /// Groups, likewise.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.groups.iter().map(AsRef::as_ref)
    }

    /// Entitlements, likewise.
    pub fn entitlements(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.entitlements.iter().map(AsRef::as_ref)
    }

    /// All claims of the token. Read from its text at the first call, so requests that never ask
    /// pay nothing.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        let read = || serde_json::from_slice(&self.0.payload).unwrap_or_default();
        self.0.claims.get_or_init(read)
    }

    /// The verified payload, as text.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.0.payload
    }

    /// Bytes it takes, roughly: for caches that are bounded by them.
    pub(crate) fn size(&self) -> usize {
        /// What the two counters of an `Arc`, or the allocator, take besides.
        const EACH: usize = 16;
        let facts = &*self.0;
        let lists = [
            &facts.roles,
            &facts.groups,
            &facts.entitlements,
            &facts.authentication_methods,
        ];
        let words = lists.into_iter().flat_map(|list| list.iter());
        let words: usize = words.map(|word| word.len() + size_of::<Box<str>>()).sum();
        let scopes: usize = facts.scopes.iter().map(|scope| scope.len() + 32).sum();
        let texts = [
            Some(facts.subject.as_str()),
            facts.client.as_ref().map(ClientId::as_str),
            facts.tenant.as_ref().map(TenantId::as_str),
            facts.token_id.as_deref(),
            facts.email.as_deref(),
            facts.authentication_class.as_deref(),
        ];
        let texts: usize = texts.iter().flatten().map(|text| text.len() + EACH).sum();
        let actors = facts.actor.as_deref().map_or(0, Actor::size);
        let bound = facts.confirmation.as_ref();
        let bound = bound.map_or(0, |_| size_of::<Confirmation>() + EACH);
        let own = EACH + size_of::<Facts>() + facts.payload.capacity();
        own + EACH + words + scopes + texts + actors + bound
    }

    /// A name for this principal that is the same for every token of theirs.
    #[must_use]
    pub fn key(&self) -> PrincipalKey {
        PrincipalKey::new(self.0.kind, &self.0.issuer, &self.0.subject)
    }
}

impl fmt::Debug for Principal {
    /// Ids only: claims may hold personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("kind", &self.0.kind)
            .field("issuer", &self.0.issuer)
            .field("subject", &self.0.subject)
            .field("client", &self.0.client)
            .field("tenant", &self.0.tenant)
            .field("scopes", &self.0.scopes)
            .field("expires_at", &self.0.expires_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mcp_19_the_key_separates_issuer_from_subject() {
        let key_of = |kind, issuer, subject| {
            PrincipalKey::new(kind, issuer, &Subject::new(subject).unwrap())
        };
        let key = |issuer, subject| key_of(PrincipalKind::User, issuer, subject);
        assert_ne!(
            key("a", "b"),
            key_of(PrincipalKind::ServiceAccount, "a", "b")
        );
        assert_ne!(key("https://a", "b"), key("https://", "ab"));
        assert_eq!(key("https://a", "b"), key("https://a", "b"));
        assert_eq!(key("https://a", "b:c").parts(), (false, "https://a", "b:c"));
        let robot = key_of(PrincipalKind::ServiceAccount, "1:x", "service-account:1:xy");
        assert_eq!(robot.parts(), (true, "1:x", "service-account:1:xy"));
    }
}
