//! How processes tell each other who fails.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::Network;
use crate::error::BackendError;

/// A store in which the processes of a server add up their failures, minute by minute.
///
/// What it says is advice: lost, late or wrong, it lets a client fail a few times more often, or makes
/// a client that fails wait for up to a minute, and does nothing to anybody else.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot share failures",
    note = "implement `tower_mcp_auth::throttle::SharedFailures`: exchange"
)]
pub trait SharedFailures: Send + Sync + 'static {
    /// Adds failures of this process to those of all processes in `minute`, and answers with the sums:
    /// those of the buckets told, and those of the buckets with most failures, as many as are cheap to
    /// read, up to 1,000. Buckets may come in any order, and twice. There is nothing to add when
    /// `failures` is empty; it has at most 1,000 buckets.
    ///
    /// Minutes are counted from the Unix epoch. What was added to one is asked for until a few seconds
    /// after its end, and can be forgotten 2 minutes after its last failure. The call is given up
    /// after 500 ms, and not repeated.
    ///
    /// # Errors
    ///
    /// The failures were not added, as far as known. They are lost then.
    fn exchange(
        &self,
        minute: u64,
        failures: Vec<Failures>,
    ) -> impl Future<Output = Result<Vec<Failures>, BackendError>> + Send;
}

/// How often one client failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failures {
    /// Whose failures, under which limit.
    pub bucket: Bucket,
    /// How many.
    pub count: u32,
}

/// The name of whom a limit counts: the limit, and 120 bits of a SHA-256 of the address, and for limits
/// per token of the token's id.
///
/// All processes make the same names without sharing a secret, so a name hides its address only from a
/// glance: whoever reads the store finds an IPv4 address by trying all of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket([u8; 16]);

/// First bytes of names.
pub(super) const ADDRESS: u8 = b'a';
pub(super) const CREDENTIAL: u8 = b't';

impl Bucket {
    /// The bucket with this name.
    #[must_use]
    pub fn from_bytes(name: [u8; 16]) -> Self {
        Self(name)
    }

    /// Its name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The bucket of an address, or of a token that comes from it. An address that is not known has
    /// none.
    pub(super) fn of(network: Network, credential: Option<&str>) -> Option<Self> {
        let mut hash = Sha256::new();
        hash.update(b"tower-mcp-auth failures\0");
        match network {
            Network::Unknown => return None,
            Network::V4(address) => {
                hash.update([4]);
                hash.update(address.to_be_bytes());
            }
            Network::V6(prefix) => {
                hash.update([6]);
                hash.update(prefix.to_be_bytes());
            }
        }
        // What comes before it has a length that it says itself.
        hash.update(credential.unwrap_or_default());
        let limit = match credential {
            None => ADDRESS,
            Some(_) => CREDENTIAL,
        };
        let mut name = [limit; 16];
        let (_, places) = name.split_first_mut()?;
        for (place, byte) in places.iter_mut().zip(hash.finalize()) {
            *place = byte;
        }
        Some(Self(name))
    }

    /// Which limit it is of.
    pub(super) fn limit(&self) -> u8 {
        let [limit, ..] = self.0;
        limit
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket({:032x})", u128::from_be_bytes(self.0))
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

trait Erased: Send + Sync {
    fn exchange(
        &self,
        minute: u64,
        failures: Vec<Failures>,
    ) -> Boxed<'_, Result<Vec<Failures>, BackendError>>;
}

impl<S: SharedFailures> Erased for S {
    fn exchange(
        &self,
        minute: u64,
        failures: Vec<Failures>,
    ) -> Boxed<'_, Result<Vec<Failures>, BackendError>> {
        Box::pin(SharedFailures::exchange(self, minute, failures))
    }
}

/// The erased twin of [`SharedFailures`]: any store of them, in a type without parameters.
#[derive(Clone)]
pub struct DynSharedFailures(Arc<dyn Erased>);

impl DynSharedFailures {
    /// Erases it.
    #[must_use]
    pub fn new(failures: impl SharedFailures) -> Self {
        Self(Arc::new(failures))
    }
}

impl SharedFailures for DynSharedFailures {
    async fn exchange(
        &self,
        minute: u64,
        failures: Vec<Failures>,
    ) -> Result<Vec<Failures>, BackendError> {
        self.0.exchange(minute, failures).await
    }
}

impl fmt::Debug for DynSharedFailures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DynSharedFailures")
    }
}
