//! The port to wherever tokens are kept, and its erased twin.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::format::TokenId;
use super::record::TokenRecord;
use crate::clock::UnixTime;
use crate::error::BackendError;
use crate::ident::{OrganizationId, Subject};

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is stored.
    Done,
    /// Nothing changed: the id is taken, or somebody else wrote first, or there is no such token.
    Conflict,
}

/// Which tokens of an organization to list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenQuery {
    /// Only this organization's.
    pub organization: OrganizationId,
    /// Only this owner's.
    pub owner: Option<Subject>,
    /// Only those with a greater id: the last id of the page before.
    pub after: Option<TokenId>,
    /// At most so many.
    pub limit: usize,
}

impl TokenQuery {
    /// The first 100 tokens of an organization.
    #[must_use]
    pub fn new(organization: OrganizationId) -> Self {
        Self {
            organization,
            owner: None,
            after: None,
            limit: 100,
        }
    }

    /// Only tokens of this person or service account.
    #[must_use]
    pub fn owner(mut self, owner: Subject) -> Self {
        self.owner = Some(owner);
        self
    }

    /// The page after the token with this id.
    #[must_use]
    pub fn after(mut self, id: TokenId) -> Self {
        self.after = Some(id);
        self
    }

    /// At most so many; 1 to 1,000.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit.clamp(1, 1000);
        self
    }
}

impl From<OrganizationId> for TokenQuery {
    fn from(organization: OrganizationId) -> Self {
        Self::new(organization)
    }
}

/// Keeps token records. It never sees a secret, and decides nothing.
///
/// A database row is a [`StoredToken`](super::StoredToken). The macro
/// [`api_token_store_contract!`](crate::api_token_store_contract) (feature `testing`) tests an
/// implementation.
///
/// A store that several processes share appends
/// [`RecordChange::ApiToken`](crate::revocation::RecordChange::ApiToken) to the log they follow
/// ([`revocations`](crate::authenticator::AuthenticatorBuilder::revocations)), in the same transaction as
/// each [`update`](Self::update): the others then obey it within about two seconds, and otherwise
/// within 30. [`insert`](Self::insert) and [`touch`](Self::touch) are no news.
///
/// An error means that the answer is unknown; the client then gets 503, never 401. Give every
/// call a deadline of its own, half a second for instance.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot keep API tokens",
    note = "implement `ApiTokenStore` for it; its methods may be written as `async fn`, and their futures must be `Send`"
)]
pub trait ApiTokenStore: Send + Sync + 'static {
    /// The record with this id, revoked or expired or not. On the request path.
    ///
    /// Reads its own writes: after [`update`](Self::update) says `Done`, the old version is not
    /// returned any more.
    fn find(
        &self,
        id: &TokenId,
    ) -> impl Future<Output = Result<Option<TokenRecord>, BackendError>> + Send;

    /// Stores a new record; `Conflict` if the id is taken.
    fn insert(
        &self,
        record: &TokenRecord,
    ) -> impl Future<Output = Result<Written, BackendError>> + Send;

    /// Replaces a record if the stored one is exactly one [`version`](TokenRecord::version) older,
    /// in one atomic step; otherwise `Conflict`. So of two administrators neither overwrites the
    /// other unseen. `last_used` is not written.
    fn update(
        &self,
        record: &TokenRecord,
    ) -> impl Future<Output = Result<Written, BackendError>> + Send;

    /// The records a query selects, in ascending order of their ids' bytes.
    fn list(
        &self,
        query: &TokenQuery,
    ) -> impl Future<Output = Result<Vec<TokenRecord>, BackendError>> + Send;

    /// Notes when tokens were last used. Changes no version, never moves a time back, and ignores
    /// unknown ids.
    fn touch(
        &self,
        used: &[(TokenId, UnixTime)],
    ) -> impl Future<Output = Result<(), BackendError>> + Send;
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, BackendError>> + Send + 'a>>;

/// [`ApiTokenStore`] with boxed futures. The names differ, so that a call is never ambiguous.
trait ErasedStore: Send + Sync {
    fn find_erased<'a>(&'a self, id: &'a TokenId) -> Answer<'a, Option<TokenRecord>>;
    fn insert_erased<'a>(&'a self, record: &'a TokenRecord) -> Answer<'a, Written>;
    fn update_erased<'a>(&'a self, record: &'a TokenRecord) -> Answer<'a, Written>;
    fn list_erased<'a>(&'a self, query: &'a TokenQuery) -> Answer<'a, Vec<TokenRecord>>;
    fn touch_erased<'a>(&'a self, used: &'a [(TokenId, UnixTime)]) -> Answer<'a, ()>;
}

impl<S: ApiTokenStore> ErasedStore for S {
    fn find_erased<'a>(&'a self, id: &'a TokenId) -> Answer<'a, Option<TokenRecord>> {
        Box::pin(self.find(id))
    }

    fn insert_erased<'a>(&'a self, record: &'a TokenRecord) -> Answer<'a, Written> {
        Box::pin(self.insert(record))
    }

    fn update_erased<'a>(&'a self, record: &'a TokenRecord) -> Answer<'a, Written> {
        Box::pin(self.update(record))
    }

    fn list_erased<'a>(&'a self, query: &'a TokenQuery) -> Answer<'a, Vec<TokenRecord>> {
        Box::pin(self.list(query))
    }

    fn touch_erased<'a>(&'a self, used: &'a [(TokenId, UnixTime)]) -> Answer<'a, ()> {
        Box::pin(self.touch(used))
    }
}

/// The erased twin of [`ApiTokenStore`]: what the rest of the crate holds.
#[derive(Clone)]
pub(crate) struct DynApiTokenStore(Arc<dyn ErasedStore>);

impl DynApiTokenStore {
    pub(crate) fn new(store: impl ApiTokenStore) -> Self {
        Self(Arc::new(store))
    }

    pub(crate) async fn find(&self, id: &TokenId) -> Result<Option<TokenRecord>, BackendError> {
        self.0.find_erased(id).await
    }

    pub(crate) async fn insert(&self, record: &TokenRecord) -> Result<Written, BackendError> {
        self.0.insert_erased(record).await
    }

    pub(crate) async fn update(&self, record: &TokenRecord) -> Result<Written, BackendError> {
        self.0.update_erased(record).await
    }

    pub(crate) async fn list(&self, query: &TokenQuery) -> Result<Vec<TokenRecord>, BackendError> {
        self.0.list_erased(query).await
    }

    pub(crate) async fn touch(&self, used: &[(TokenId, UnixTime)]) -> Result<(), BackendError> {
        self.0.touch_erased(used).await
    }
}

impl fmt::Debug for DynApiTokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DynApiTokenStore")
    }
}
