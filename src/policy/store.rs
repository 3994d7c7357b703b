//! Where policies are kept, as a port.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::{OrganizationPolicy, PolicyChanges};
use crate::error::{BackendError, ConfigError};
use crate::ident::OrganizationId;

/// Keeps the policies of organizations.
///
/// A store that several processes share appends
/// [`RecordChange::Policy`](crate::revocation::RecordChange::Policy) to the log they follow
/// ([`revocations`](crate::authenticator::AuthenticatorBuilder::revocations)), in the same transaction as
/// each [`put`](Self::put): the others then obey it within about two seconds, and otherwise within 30.
///
/// An implementation passes `testing::policies`' contract, which the macro
/// `policy_store_contract!` (feature `testing`) turns into tests. Cloning shares the store.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot keep organizations' policies",
    note = "use `MemoryPolicyStore`, or implement `PolicyStore`: load, put, changes"
)]
pub trait PolicyStore: Clone + Send + Sync + 'static {
    /// The policy in force; `None` if none was ever stored, which means OAuth only.
    ///
    /// After a `put` has returned, a `load` that starts then sees it or something newer.
    ///
    /// # Errors
    ///
    /// The store did not answer. Never answer `None` for that: it would widen or narrow the rules.
    fn load(
        &self,
        organization: &OrganizationId,
    ) -> impl Future<Output = Result<Option<OrganizationPolicy>, BackendError>> + Send;

    /// Replaces the policy of its organization, if the one in force has the version `expected` (0:
    /// there is none), and returns it with its new version, which is one higher. The version inside
    /// `policy` is not looked at.
    ///
    /// In this order: [`examine`](OrganizationPolicy::examine), compare and swap,
    /// [`PolicyChanges::announce`], return.
    ///
    /// # Errors
    ///
    /// The policy is invalid, somebody else was faster or this put is a replay, or the store did not
    /// answer. The policy in force is then what it was; after [`PutError::Backend`] it may also be
    /// the new one.
    fn put(
        &self,
        policy: OrganizationPolicy,
        expected: u64,
    ) -> impl Future<Output = Result<OrganizationPolicy, PutError>> + Send;

    /// Where this store announces changes, its own and those it hears of from other instances. Always
    /// the same one. An authenticator announces here what it reads in its log.
    fn changes(&self) -> &PolicyChanges;
}

/// Why a policy was not stored.
#[derive(Debug)]
#[non_exhaustive]
pub enum PutError {
    /// It has mistakes; all of them are listed.
    Invalid(ConfigError),
    /// The version in force is not the one expected: read it again and decide anew.
    Conflict {
        /// The version in force; 0 if there is none.
        current: u64,
    },
    /// The store did not answer.
    Backend(BackendError),
}

impl fmt::Display for PutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(error) => error.fmt(f),
            Self::Conflict { current } => write!(
                f,
                "the policy was changed meanwhile and is at version {current}; read it again"
            ),
            Self::Backend(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PutError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Invalid(error) => Some(error),
            Self::Conflict { .. } => None,
            Self::Backend(error) => Some(error),
        }
    }
}

impl From<ConfigError> for PutError {
    fn from(error: ConfigError) -> Self {
        Self::Invalid(error)
    }
}

impl From<BackendError> for PutError {
    fn from(error: BackendError) -> Self {
        Self::Backend(error)
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
type Loaded = Result<Option<OrganizationPolicy>, BackendError>;

trait Erased: Send + Sync {
    fn load<'a>(&'a self, organization: &'a OrganizationId) -> Boxed<'a, Loaded>;
    fn put(
        &self,
        policy: OrganizationPolicy,
        expected: u64,
    ) -> Boxed<'_, Result<OrganizationPolicy, PutError>>;
    fn changes(&self) -> &PolicyChanges;
}

impl<S: PolicyStore> Erased for S {
    fn load<'a>(&'a self, organization: &'a OrganizationId) -> Boxed<'a, Loaded> {
        Box::pin(PolicyStore::load(self, organization))
    }

    fn put(
        &self,
        policy: OrganizationPolicy,
        expected: u64,
    ) -> Boxed<'_, Result<OrganizationPolicy, PutError>> {
        Box::pin(PolicyStore::put(self, policy, expected))
    }

    fn changes(&self) -> &PolicyChanges {
        PolicyStore::changes(self)
    }
}

/// The erased twin of [`PolicyStore`]: any store, in a type without parameters.
#[derive(Clone)]
pub struct DynPolicyStore(Arc<dyn Erased>);

impl DynPolicyStore {
    /// Erases a store.
    #[must_use]
    pub fn new(store: impl PolicyStore) -> Self {
        Self(Arc::new(store))
    }
}

impl PolicyStore for DynPolicyStore {
    async fn load(&self, organization: &OrganizationId) -> Loaded {
        self.0.load(organization).await
    }

    async fn put(
        &self,
        policy: OrganizationPolicy,
        expected: u64,
    ) -> Result<OrganizationPolicy, PutError> {
        self.0.put(policy, expected).await
    }

    fn changes(&self) -> &PolicyChanges {
        self.0.changes()
    }
}

impl fmt::Debug for DynPolicyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DynPolicyStore")
    }
}
