//! Slows down those who present bad credentials, and nobody else (EDGE-6, T28, T29).
//!
//! Only failures count. A request that succeeds costs nothing and forgives nothing, so an attacker
//! with one good credential cannot buy new guesses with it. Two limits apply together:
//!
//! | limit | counts failures of | default |
//! | --- | --- | --- |
//! | per address | one client address (IPv4 /32, IPv6 /64) | 20 at once, 20 a minute |
//! | per credential | one API token id from one client address | 5 at once, 5 a minute |
//!
//! No limit is keyed by a credential or an account alone. Whoever knows the id of somebody else's
//! token can fail with it as often as they like and only slow down themselves: its owner, at
//! another address, is never locked out (T29). Of a token that fails 60 times within a minute, over
//! all addresses together, the operator hears: once a minute, as the audit event `token.failing` and
//! as a warning.
//!
//! A refusal says which limit it is, over which time, and when to come back (EDGE-7).
//!
//! ```
//! use tower_mcp_auth::throttle::ThrottleSettings;
//!
//! // A hundred people behind one address, and a patient security team.
//! let settings = ThrottleSettings::new()
//!     .per_address(100, 60)
//!     .per_credential(5, 5);
//! # let _ = settings;
//! ```
//!
//! # Several processes
//!
//! Each process counts by itself, so a client that reaches ten of them gets ten limits, unless they share
//! their failures ([`shared_failures`](crate::authenticator::AuthenticatorBuilder::shared_failures);
//! `backend::RedisFailures` with the feature `redis`, or a [`SharedFailures`] of yours). The first failure
//! wakes one task, which tells the failures here and hears the sums of all processes, at once and then
//! every second, and sleeps again when for a minute or two nobody has failed anywhere. The first second
//! of an attack still meets one limit per process; after it, about one.
//!
//! It is advice, and nothing depends on it:
//!
//! - No request waits for it. A call that takes longer than 500 ms is given up; what it told may be lost.
//!   One warning per outage; every process goes on with its own limits.
//! - Failures elsewhere count for a client only once it has failed here too. Even a store that lies
//!   slows down nobody who does not fail, and those who do for at most a minute.
//! - They may take more than a limit holds, forgiven at its rate: otherwise each process would forgive them
//!   once. So who fails everywhere may wait for up to a minute, where a client of one process waits for
//!   the time in which one failure is forgiven.
//! - Failures of clients whose address is not known stay where they are.
//! - Clocks of processes that are more than a few seconds apart lose some failures at the end of each
//!   minute.
//! - 1,000 buckets are told at a time, those with most failures first, and at most 10,000 are known at a
//!   time, of the last two minutes; what is beyond counts in its own process.
//! - Names of [buckets](Bucket) are hashes. They hide addresses from a glance and not from a search: there
//!   are few enough IPv4 addresses to try them all.
//!
//! # Memory
//!
//! A table holds at most [`max_entries`](ThrottleSettings::max_entries) buckets, and only those
//! with failures to remember: a bucket that has filled up again is forgotten without a loss. When
//! a table is full of the others, the one that would be full again soonest makes room. To push out a
//! bucket that has to wait for another minute, an attacker has to fill the whole table with buckets
//! that wait longer, which takes as many failures from each of 100,000 addresses; until then their
//! failures push out each other. Under such a flood failures of new addresses go uncounted: refusing
//! strangers instead would let the flood lock everybody out.

mod book;
mod bucket;
mod settings;
mod shared;
mod sharing;
mod spread;
mod table;
#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use bucket::Rate;
use settings::Limit;
pub use settings::ThrottleSettings;
pub use shared::{Bucket, DynSharedFailures, Failures, SharedFailures};
use sharing::Sharing;
pub(crate) use spread::MANY;
use spread::Spread;
use table::Table;

/// Target of every event about throttling.
const TARGET: &str = "tower_mcp_auth::throttle";

/// The time over which every limit counts.
const WINDOW: Duration = Duration::from_secs(60);

/// A request is to be answered with 429, without a look at its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Throttled {
    /// The stable name of the limit (EDGE-7).
    pub(crate) limit: &'static str,
    /// What the limit counts, for people.
    pub(crate) scope: &'static str,
    /// Failures tolerated at once.
    pub(crate) burst: u32,
    /// Failures tolerated per [`window`](Self::window).
    pub(crate) allowance: u32,
    /// The time over which the allowance counts.
    pub(crate) window: Duration,
    /// When to try again, in whole seconds, at least one.
    pub(crate) retry_after: Duration,
}

/// Failures by address and by credential. One lock, held for a table look-up; none while nobody
/// has failed recently.
pub(crate) struct Throttle {
    per_address: Option<Kind>,
    per_credential: Option<Kind>,
    clock: Arc<dyn Clock>,
    hasher: RandomState,
    tables: Mutex<Tables>,
    /// The moment after which every bucket is full, in nanoseconds of the monotonic clock.
    busy_until: AtomicU64,
    warned: AtomicBool,
    spread: Spread,
    sharing: Option<Sharing>,
}

/// One limit, ready to use.
struct Kind {
    rate: Rate,
    named: Throttled,
}

struct Tables {
    addresses: Table<Network>,
    credentials: Table<(Network, u64)>,
}

/// Whom a failure is charged to: as much of an address as one customer of a provider gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Network {
    /// The address is not known: one bucket for all such requests.
    Unknown,
    V4(u32),
    /// The first 64 bits.
    V6(u64),
}

impl Network {
    fn of(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            None => Self::Unknown,
            Some(IpAddr::V4(address)) => Self::V4(address.to_bits()),
            Some(IpAddr::V6(address)) => {
                Self::V6(u64::try_from(address.to_bits() >> 64).unwrap_or_default())
            }
        }
    }
}

impl Throttle {
    pub(crate) fn new(
        settings: &ThrottleSettings,
        clock: Arc<dyn Clock>,
        shared: Option<DynSharedFailures>,
    ) -> Self {
        let kind = |limit: Limit, name, scope| {
            let (burst, per_minute) = limit?;
            Some(Kind {
                rate: Rate::new(burst, per_minute, WINDOW),
                named: Throttled {
                    limit: name,
                    scope,
                    burst,
                    allowance: per_minute,
                    window: WINDOW,
                    retry_after: Duration::ZERO,
                },
            })
        };
        Self {
            per_address: kind(
                settings.address,
                "failed_credentials_per_address",
                "one client address",
            ),
            per_credential: kind(
                settings.credential,
                "failed_credentials_per_token",
                "one API token from one client address",
            ),
            clock,
            hasher: RandomState::new(),
            tables: Mutex::new(Tables {
                addresses: Table::new(settings.entries),
                credentials: Table::new(settings.entries),
            }),
            busy_until: AtomicU64::new(0),
            warned: AtomicBool::new(false),
            spread: Spread::new(),
            sharing: shared.map(Sharing::new),
        }
    }

    /// Whether a request may present its credential at all. `credential` is the public id of an
    /// API token, as far as the request's credential shows one. Allocates nothing and counts
    /// nothing.
    ///
    /// Of two limits that are reached, the one that takes longer is named.
    pub(crate) fn check(
        &self,
        address: Option<IpAddr>,
        credential: Option<&str>,
    ) -> Result<(), Throttled> {
        // No failure anywhere that is not forgiven yet: nothing to look up, no lock.
        let busy_until = self.busy_until.load(Ordering::Acquire);
        if busy_until == 0 {
            return Ok(());
        }
        let now = self.clock.monotonic();
        if nanoseconds(now) >= busy_until {
            return Ok(());
        }
        let network = Network::of(address);
        let token = self.token(network, credential);
        let tables = self.lock();
        let per_address = self.per_address.as_ref().map(|kind| {
            let wait = tables.addresses.wait(network, kind.rate, now);
            (wait, kind.named)
        });
        let per_credential = self.per_credential.as_ref().zip(token).map(|(kind, key)| {
            let wait = tables.credentials.wait(key, kind.rate, now);
            (wait, kind.named)
        });
        drop(tables);
        let longest = [per_address, per_credential]
            .into_iter()
            .flatten()
            .max_by_key(|(wait, _)| *wait);
        match longest {
            Some((wait, named)) if !wait.is_zero() => Err(Throttled {
                retry_after: whole_seconds(wait),
                ..named
            }),
            _ => Ok(()),
        }
    }

    /// Counts a credential that was looked at and found bad. Not for requests without a
    /// credential, for those [`check`](Self::check) refused, and for failures of our own.
    pub(crate) fn record_failure(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        credential: Option<&str>,
    ) {
        let now = self.clock.monotonic();
        let network = Network::of(address);
        let token = self.token(network, credential);
        let owed = self.tell(network, token.zip(credential), now);
        let mut tables = self.lock();
        let per_address = self.per_address.as_ref().map(|kind| {
            let table = &mut tables.addresses;
            table.push(network, kind.rate, (owed.address, now));
            table.charge(network, kind.rate, now)
        });
        let per_credential = self.per_credential.as_ref().zip(token).map(|(kind, key)| {
            let table = &mut tables.credentials;
            table.push(key, kind.rate, (owed.credential, now));
            table.charge(key, kind.rate, now)
        });
        self.keep_busy(per_address.max(per_credential));
        drop(tables);
        if network == Network::Unknown && per_address.is_some() {
            self.warn_once();
        }
    }

    /// Lets [`check`](Self::check) look until the last bucket is full. Under the lock of the tables.
    fn keep_busy(&self, until: Option<Duration>) {
        if let Some(full_at) = until {
            self.busy_until
                .fetch_max(nanoseconds(full_at), Ordering::AcqRel);
        }
    }

    /// Counts a failure of a credential, wherever it came from. True once per minute and credential,
    /// when there are [`MANY`]: then the operator should hear of it. Refuses nobody (T29).
    pub(crate) fn record_spread(&self, credential: &str) -> bool {
        self.spread.count(credential, self.clock.monotonic())
    }

    /// A credential's place in its table. Hashed with a seed of this process: ids of any length
    /// take the same room, and nobody can aim at another's bucket.
    fn token(&self, network: Network, credential: Option<&str>) -> Option<(Network, u64)> {
        Some((network, self.hasher.hash_one(credential?)))
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn warn_once(&self) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                target: TARGET,
                "the client address of a request is not known: all such requests share one failure \
                 limit, so that anybody's failures slow down everybody; tell the server its peers' \
                 addresses, or switch the limit per address off"
            );
        }
    }
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = |kind: &Option<Kind>| {
            let named = kind.as_ref()?.named;
            Some((named.burst, named.allowance))
        };
        f.debug_struct("Throttle")
            .field("per_address", &limit(&self.per_address))
            .field("per_credential", &limit(&self.per_credential))
            .finish_non_exhaustive()
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Rounded up: whoever comes back then finds room.
fn whole_seconds(wait: Duration) -> Duration {
    let part = u64::from(wait.subsec_nanos() > 0);
    Duration::from_secs(wait.as_secs().saturating_add(part))
}
