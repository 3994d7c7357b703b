//! What your own directory knows about a principal: who the person is, and what they may use.
//!
//! A token says who somebody is to its issuer. Your handlers usually need more: the account in your
//! own user table, a display name, the sites and products that person may reach. A
//! [`ContextEnricher`] answers that once per request that was let in by its credential, before any
//! handler runs, and handlers find the answer in the request's context.
//!
//! ```
//! use tower_mcp_auth::enrich::{ContextEnricher, Enrichment, UserFacts};
//! use tower_mcp_auth::ident::OrganizationId;
//! use tower_mcp_auth::{BackendError, Principal};
//!
//! /// What this server's handlers want to know.
//! struct Plan(&'static str);
//!
//! struct Directory; // holds a database pool
//!
//! impl ContextEnricher for Directory {
//!     async fn enrich(
//!         &self,
//!         principal: &Principal,
//!         organization: &OrganizationId,
//!     ) -> Result<Enrichment, BackendError> {
//!         // select … where issuer = $1 and subject = $2 and organization = $3
//!         let _ = (principal.issuer(), principal.subject(), organization);
//!         Ok(Enrichment::new()
//!             .user(UserFacts::new("acc-17").display_name("Alice"))
//!             .with(Plan("premium")))
//!     }
//! }
//! ```

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::BackendError;
use crate::ident::OrganizationId;
use crate::principal::Principal;

/// Looks up what your own systems know about a verified principal.
///
/// It is asked after the credential was proved and the organization is known, so both can be
/// trusted; it never sees the credential. An `Err` is an outage of yours: with
/// [`EnrichmentMode::Required`] the client gets 503 and keeps its token, with
/// [`EnrichmentMode::Optional`] the request goes on without. Somebody who is *not there* is no
/// error: return an [`Enrichment`] without a user, or one that is not
/// [`active`](field@UserFacts::active).
///
/// See the [module](self) for an example.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot look up the context of a principal",
    note = "implement `ContextEnricher`: `async fn enrich(&self, principal: &Principal, organization: &OrganizationId) -> Result<Enrichment, BackendError>`, with a future that is `Send`"
)]
pub trait ContextEnricher: Send + Sync + 'static {
    /// What is known about this principal in this organization.
    ///
    /// # Errors
    ///
    /// The directory cannot be asked right now. The message is for the operator's log.
    fn enrich(
        &self,
        principal: &Principal,
        organization: &OrganizationId,
    ) -> impl Future<Output = Result<Enrichment, BackendError>> + Send;
}

impl<E: ContextEnricher> ContextEnricher for Arc<E> {
    async fn enrich(
        &self,
        principal: &Principal,
        organization: &OrganizationId,
    ) -> Result<Enrichment, BackendError> {
        E::enrich(self, principal, organization).await
    }
}

/// What happens to a request while the directory cannot be asked.
///
/// ```
/// use tower_mcp_auth::enrich::EnrichmentMode;
///
/// assert_eq!(EnrichmentMode::default(), EnrichmentMode::Required);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EnrichmentMode {
    /// It is answered with 503 and `Retry-After`. The default: a handler that decides by the
    /// enrichment must not run without it.
    #[default]
    Required,
    /// It is let in without an enrichment.
    Optional,
}

/// What is known about a principal besides its credential. Cloning shares it.
///
/// ```
/// use tower_mcp_auth::enrich::{Enrichment, Permitted, UserFacts};
///
/// struct Locale(&'static str);
///
/// let known = Enrichment::new()
///     .user(UserFacts::new("acc-17").email("alice@example.com"))
///     .permit(Permitted::new("issues").site("https://one.example.com").permissions(["read", "write"]))
///     .with(Locale("de"));
///
/// assert_eq!(known.user_facts().unwrap().account_id, "acc-17");
/// assert!(known.permits("issues", Some("https://one.example.com"), "write"));
/// assert_eq!(known.get::<Locale>().map(|locale| locale.0), Some("de"));
/// ```
#[derive(Clone, Default)]
pub struct Enrichment(Arc<Facts>);

#[derive(Clone, Default)]
struct Facts {
    user: Option<UserFacts>,
    permitted: Vec<Permitted>,
    values: Vec<Value>,
}

/// A value found again by its type. Few of them, so a list.
#[derive(Clone)]
struct Value {
    name: &'static str,
    value: Arc<dyn Any + Send + Sync>,
}

impl Enrichment {
    /// Nothing known yet.
    ///
    /// ```
    /// # use tower_mcp_auth::enrich::Enrichment;
    /// assert!(Enrichment::new().permitted().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The person behind the principal, in your own words.
    ///
    /// ```
    /// # use tower_mcp_auth::enrich::{Enrichment, UserFacts};
    /// let known = Enrichment::new().user(UserFacts::new("acc-17").active(false));
    /// assert!(!known.user_facts().unwrap().active); // and the request is refused
    /// ```
    #[must_use]
    pub fn user(mut self, user: UserFacts) -> Self {
        self.change().user = Some(user);
        self
    }

    /// Adds a product, or a product on one site, that the principal may use.
    ///
    /// ```
    /// # use tower_mcp_auth::enrich::{Enrichment, Permitted};
    /// let known = Enrichment::new().permit(Permitted::new("issues").permissions(["read"]));
    /// assert_eq!(known.permitted().len(), 1);
    /// ```
    #[must_use]
    pub fn permit(mut self, permitted: Permitted) -> Self {
        self.change().permitted.push(permitted);
        self
    }

    /// Adds a value of a type of yours, replacing another of the same type. It is shared, not
    /// cloned, so `T` need not be `Clone`.
    ///
    /// ```
    /// # use tower_mcp_auth::enrich::Enrichment;
    /// struct Plan(&'static str);
    ///
    /// let known = Enrichment::new().with(Plan("basic")).with(Plan("premium"));
    /// assert_eq!(known.get::<Plan>().map(|plan| plan.0), Some("premium"));
    /// ```
    #[must_use]
    pub fn with<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        let values = &mut self.change().values;
        values.retain(|known| !known.value.is::<T>());
        values.push(Value {
            name: std::any::type_name::<T>(),
            value: Arc::new(value),
        });
        self
    }

    /// The person, if the directory knows one.
    ///
    /// ```
    /// # use tower_mcp_auth::enrich::Enrichment;
    /// assert!(Enrichment::new().user_facts().is_none());
    /// ```
    #[must_use]
    pub fn user_facts(&self) -> Option<&UserFacts> {
        self.0.user.as_ref()
    }

    /// What the principal may use, in the order it was added.
    ///
    /// ```
    /// # use tower_mcp_auth::enrich::{Enrichment, Permitted};
    /// let known = Enrichment::new().permit(Permitted::new("wiki"));
    /// assert_eq!(known.permitted()[0].product, "wiki");
    /// ```
    #[must_use]
    pub fn permitted(&self) -> &[Permitted] {
        &self.0.permitted
    }

    /// Whether `permission` on `product` was found, for `site`. What was found without a site
    /// holds for all of them; what was found for one site holds for no other, and not without one.
    ///
    /// ```
    /// # use tower_mcp_auth::enrich::{Enrichment, Permitted};
    /// let known = Enrichment::new()
    ///     .permit(Permitted::new("wiki").permissions(["read"]))
    ///     .permit(Permitted::new("wiki").site("one").permissions(["write"]));
    /// assert!(known.permits("wiki", Some("two"), "read"));
    /// assert!(known.permits("wiki", Some("one"), "write"));
    /// assert!(!known.permits("wiki", Some("two"), "write"));
    /// assert!(!known.permits("wiki", None, "write"));
    /// ```
    #[must_use]
    pub fn permits(&self, product: &str, site: Option<&str>, permission: &str) -> bool {
        self.0.permitted.iter().any(|permitted| {
            let everywhere = permitted.site.is_none();
            permitted.product == product
                && (everywhere || permitted.site.as_deref() == site)
                && permitted.permissions.contains(permission)
        })
    }

    /// The value of type `T`, if there is one.
    ///
    /// ```
    /// # use tower_mcp_auth::enrich::Enrichment;
    /// struct Seats(u32);
    ///
    /// let known = Enrichment::new().with(Seats(5)).clone();
    /// assert_eq!(known.get::<Seats>().map(|seats| seats.0), Some(5));
    /// assert!(known.get::<u32>().is_none());
    /// ```
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.0
            .values
            .iter()
            .find_map(|known| known.value.downcast_ref())
    }

    fn change(&mut self) -> &mut Facts {
        Arc::make_mut(&mut self.0)
    }
}

impl fmt::Debug for Enrichment {
    /// Of values their types only: they may hold anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<_> = self.0.values.iter().map(|known| known.name).collect();
        f.debug_struct("Enrichment")
            .field("user", &self.0.user)
            .field("permitted", &self.0.permitted)
            .field("values", &values)
            .finish()
    }
}

/// A person in your own directory.
///
/// ```
/// use tower_mcp_auth::enrich::UserFacts;
///
/// let alice = UserFacts::new("acc-17")
///     .display_name("Alice")
///     .email("alice@example.com");
/// assert!(alice.active);
/// // `Debug` is for logs: ids only.
/// assert!(!format!("{alice:?}").contains("example.com"));
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserFacts {
    /// Their id in your directory.
    pub account_id: String,
    /// What to call them.
    pub display_name: Option<String>,
    /// Their email address.
    pub email: Option<String>,
    /// Whether they may still work here. Requests of somebody deactivated are refused, whatever
    /// their token says.
    pub active: bool,
}

impl UserFacts {
    /// An active person with this id in your directory.
    ///
    /// ```
    /// # use tower_mcp_auth::enrich::UserFacts;
    /// assert_eq!(UserFacts::new("acc-17").account_id, "acc-17");
    /// ```
    #[must_use]
    pub fn new(account_id: impl Into<String>) -> Self {
        Self {
            account_id: account_id.into(),
            display_name: None,
            email: None,
            active: true,
        }
    }

    /// What to call them.
    ///
    /// ```
    /// # use tower_mcp_auth::enrich::UserFacts;
    /// let alice = UserFacts::new("acc-17").display_name("Alice");
    /// assert_eq!(alice.display_name.as_deref(), Some("Alice"));
    /// ```
    #[must_use]
    pub fn display_name(mut self, name: impl Into<String>) -> Self {
        self.display_name = Some(name.into());
        self
    }

    /// Where to write to them.
    ///
    /// ```
    /// # use tower_mcp_auth::enrich::UserFacts;
    /// let alice = UserFacts::new("acc-17").email("alice@example.com");
    /// assert_eq!(alice.email.as_deref(), Some("alice@example.com"));
    /// ```
    #[must_use]
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.email = Some(email.into());
        self
    }

    /// Whether they may still work here. Default: yes.
    ///
    /// ```
    /// # use tower_mcp_auth::enrich::UserFacts;
    /// assert!(!UserFacts::new("acc-17").active(false).active);
    /// ```
    #[must_use]
    pub fn active(mut self, active: bool) -> Self {
        self.active = active;
        self
    }
}

impl fmt::Debug for UserFacts {
    /// Without name and email: they are personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserFacts")
            .field("account_id", &self.account_id)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

/// One product, perhaps on one site, and what the principal may do there.
///
/// ```
/// use tower_mcp_auth::enrich::Permitted;
///
/// let wiki = Permitted::new("wiki").site("https://one.example.com").permissions(["read", "search"]);
/// assert!(wiki.has("search"));
/// assert!(!wiki.has("write"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Permitted {
    /// The product.
    pub product: String,
    /// The one site it is confined to, or `None` for all.
    pub site: Option<String>,
    /// What may be done there, in the product's own words.
    pub permissions: BTreeSet<String>,
}

impl Permitted {
    /// A product on every site, with no permission yet.
    ///
    /// ```
    /// # use tower_mcp_auth::enrich::Permitted;
    /// assert_eq!(Permitted::new("wiki").site, None);
    /// ```
    #[must_use]
    pub fn new(product: impl Into<String>) -> Self {
        Self {
            product: product.into(),
            site: None,
            permissions: BTreeSet::new(),
        }
    }

    /// Confines it to one site.
    ///
    /// ```
    /// # use tower_mcp_auth::enrich::Permitted;
    /// assert_eq!(Permitted::new("wiki").site("one").site.as_deref(), Some("one"));
    /// ```
    #[must_use]
    pub fn site(mut self, site: impl Into<String>) -> Self {
        self.site = Some(site.into());
        self
    }

    /// Adds permissions, in the product's own words.
    ///
    /// ```
    /// # use tower_mcp_auth::enrich::Permitted;
    /// let wiki = Permitted::new("wiki").permissions(["read"]).permissions(["write"]);
    /// assert!(wiki.has("read") && wiki.has("write"));
    /// ```
    #[must_use]
    pub fn permissions<I>(mut self, permissions: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.permissions
            .extend(permissions.into_iter().map(Into::into));
        self
    }

    /// Whether `permission` is among those found.
    ///
    /// ```
    /// # use tower_mcp_auth::enrich::Permitted;
    /// assert!(!Permitted::new("wiki").has("read"));
    /// ```
    #[must_use]
    pub fn has(&self, permission: &str) -> bool {
        self.permissions.contains(permission)
    }
}

type EnrichFuture = Pin<Box<dyn Future<Output = Result<Enrichment, BackendError>> + Send>>;

/// The erased twin of [`ContextEnricher`]: what the rest of the crate holds. Its future owns what
/// it needs, so that it may outlive the request.
#[derive(Clone)]
pub(crate) struct DynEnricher(Arc<dyn Fn(Principal, OrganizationId) -> EnrichFuture + Send + Sync>);

impl DynEnricher {
    pub(crate) fn new(enricher: impl ContextEnricher) -> Self {
        let enricher = Arc::new(enricher);
        Self(Arc::new(move |principal, organization| {
            let enricher = enricher.clone();
            Box::pin(async move { enricher.enrich(&principal, &organization).await })
        }))
    }

    pub(crate) fn ask(&self, principal: Principal, organization: OrganizationId) -> EnrichFuture {
        (self.0)(principal, organization)
    }
}

impl fmt::Debug for DynEnricher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DynEnricher")
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::principal::Facts as PrincipalFacts;

    /// Neither `Clone` nor `Debug` nor anything else.
    struct Opaque(u8);

    fn principal(subject: &str) -> Principal {
        Principal::new(PrincipalFacts::of_user("https://auth.example.com", subject))
    }

    #[test]
    fn values_are_found_by_their_type_and_only_by_it() {
        let known = Enrichment::new().with(Opaque(1)).with("text").with(7_u32);
        assert_eq!(known.get::<Opaque>().unwrap().0, 1);
        assert_eq!(known.get::<&str>(), Some(&"text"));
        assert_eq!(known.get::<u32>(), Some(&7));
        assert!(known.get::<u64>().is_none());
        assert!(known.get::<Arc<Opaque>>().is_none());
    }

    #[test]
    fn the_last_value_of_a_type_counts() {
        let known = Enrichment::new().with(Opaque(1)).with(0_u8).with(Opaque(2));
        assert_eq!(known.get::<Opaque>().unwrap().0, 2);
        assert_eq!(known.0.values.len(), 2);
    }

    #[test]
    fn a_clone_shares_values_and_changes_alone() {
        let first = Enrichment::new().with(Opaque(1));
        let second = first.clone().with(Opaque(2)).user(UserFacts::new("a"));
        assert_eq!(first.get::<Opaque>().unwrap().0, 1);
        assert_eq!(second.get::<Opaque>().unwrap().0, 2);
        assert!(first.user_facts().is_none());
        let third = first.clone();
        let same = |known: &Enrichment| std::ptr::from_ref(known.get::<Opaque>().unwrap());
        assert_eq!(same(&first), same(&third));
    }

    #[test]
    fn edge_10_debug_shows_ids_and_types_only() {
        let shown = format!(
            "{:?}",
            Enrichment::new()
                .user(
                    UserFacts::new("acc-17")
                        .display_name("Alice")
                        .email("a@x.io")
                )
                .with("a secret")
        );
        assert!(
            shown.contains("acc-17") && shown.contains("&str"),
            "{shown}"
        );
        for hidden in ["Alice", "a@x.io", "a secret"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }

    #[test]
    fn permissions_of_one_site_hold_for_no_other() {
        let known = Enrichment::new()
            .permit(Permitted::new("wiki").site("one").permissions(["write"]))
            .permit(Permitted::new("wiki").permissions(["read"]));
        for (product, site, permission, expected) in [
            ("wiki", Some("one"), "write", true),
            ("wiki", Some("two"), "write", false),
            ("wiki", None, "write", false),
            ("wiki", Some("one"), "read", true),
            ("wiki", None, "read", true),
            ("issues", None, "read", false),
        ] {
            assert_eq!(known.permits(product, site, permission), expected);
        }
    }

    struct Directory;

    impl ContextEnricher for Directory {
        async fn enrich(
            &self,
            principal: &Principal,
            organization: &OrganizationId,
        ) -> Result<Enrichment, BackendError> {
            if principal.subject() == "nobody" {
                return Err(BackendError::new("directory down"));
            }
            let id = format!("{organization}/{}", principal.subject());
            Ok(Enrichment::new().user(UserFacts::new(id)))
        }
    }

    #[test]
    fn the_erased_twin_asks_the_enricher_with_what_it_is_given() {
        let enricher = DynEnricher::new(Arc::new(Directory));
        let ask = |subject| {
            let answer = enricher.ask(principal(subject), OrganizationId::implicit());
            answer.now_or_never().unwrap()
        };
        let known = ask("alice").unwrap();
        assert_eq!(known.user_facts().unwrap().account_id, "default/alice");
        assert_eq!(ask("nobody").unwrap_err().to_string(), "directory down");
    }
}
