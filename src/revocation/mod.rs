//! Revocation of credentials before they end, in one process or in many.
//!
//! A process holds what is revoked in memory, so that a request costs no look anywhere
//! ([`AuthHandle`](crate::authenticator::AuthHandle) writes it). Processes that serve together share a
//! [`RevocationLog`]: one revokes, the others read it within about two seconds, and a process that
//! starts reads the log before it lets anybody in. By the same log they hear of changed policies and API
//! tokens.
//!
//! ```
//! use tower_mcp_auth::revocation::MemoryRevocationLog;
//! use tower_mcp_auth::{Authenticator, Issuer, ProtectedResource};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let log = MemoryRevocationLog::new(); // in production: a table that all processes reach
//! let server = || {
//!     let issuer = Issuer::new("https://auth.example.com/t1");
//!     Authenticator::builder(ProtectedResource::new("https://mcp.example.com/mcp").issuer(issuer))
//!         .revocations(log.clone())
//!         .build()
//! };
//! let (one, other) = (server()?, server()?);
//! one.handle().revoke_client("https://auth.example.com/t1", "rogue").await?;
//! other.handle().notify(); // optional: it reads every two seconds anyway
//! # Ok(())
//! # }
//! ```
//!
//! # How processes hear of each other
//!
//! The log carries more than revocations. A store of API tokens or policies that processes share appends a
//! [`RecordChange`] in the transaction of each change, and whoever follows the log forgets what it knows of
//! that record and reads it again. Nothing is decided by the news itself: what holds now is in the store.
//!
//! | entry | effect in every process |
//! | --- | --- |
//! | a [`RevocationTarget`] | what it covers is refused, and its open streams end |
//! | [`RecordChange::ApiToken`] | the record is forgotten, the token's open streams are judged again, [`ApiTokens::subscribe`](crate::api_token::ApiTokens::subscribe) tells of it |
//! | [`RecordChange::Policy`] | the policy is forgotten, open streams of the organization are judged again, [`PolicyChanges`](crate::policy::PolicyChanges) tells of it, `policy.changed` is on record |
//! | of a kind this version does not know | none; one warning for a page of them |
//!
//! - An entry is applied within about two seconds (2 s ± 20 %), or at once where a
//!   [hint](RevocationLog::hinted) or [`AuthHandle::notify`](crate::authenticator::AuthHandle::notify)
//!   says so; reads are 100 ms apart at least. Hints may get lost, come twice or late.
//! - Entries are applied in the order of their numbers and none is left out: after an outage the rest is
//!   read, and a gap is waited for.
//! - A log that no longer has the last entry read, by number and content, is another one: restored from a
//!   backup, or of a replica that had not got the last entries. It is read from its beginning. Then, and
//!   when the first read of all is done, every cached token record and policy is forgotten, since nobody
//!   can say what was missed. What was revoked stays revoked.
//! - A policy or record that was forgotten counts only as it is read anew: while its store fails the
//!   answer is 503, and never what was known before.
//! - Where the log cannot be read for 60 s, API tokens get 503; access tokens go on until they expire.
//!
//! What to configure, what each failure does and what was measured: `docs/fleet.md`.
//!
//! A store whose writes no log tells of is read again after 30 s, and its open streams once a minute.
//!
//! # What a target covers
//!
//! | target | covers what was issued | by |
//! | --- | --- | --- |
//! | [`Token`](RevocationTarget::Token), [`TokenOf`](RevocationTarget::TokenOf) | ever | `iss` and `jti`; `iss`, `sub` and `iat` |
//! | [`Key`](RevocationTarget::Key) | ever | `iss` and the `kid` of the key that verified it |
//! | [`Principal`](RevocationTarget::Principal) | up to the revocation | `iss` and `sub` |
//! | [`User`](RevocationTarget::User) | up to the revocation | organization and `sub`, whatever the issuer |
//! | [`Client`](RevocationTarget::Client) | up to the revocation | `iss` and `client_id` |
//! | [`Organization`](RevocationTarget::Organization) | up to the revocation | organization |
//! | [`Issuer`](RevocationTarget::Issuer) | up to the revocation | `iss` |
//!
//! A revocation is kept for [367 days](KEPT): no accepted token lives longer, except under a stolen
//! key, which its issuer has to withdraw by then.

mod change;
#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod contract;
mod entry;
mod epochs;
mod hints;
mod log;
mod memory;
mod target;

pub use change::RecordChange;
pub use entry::RevocationEntry;
pub use hints::{DynHints, Hints};
pub use log::{DynRevocationLog, RevocationLog};
pub use memory::MemoryRevocationLog;
pub use target::RevocationTarget;

pub(crate) use epochs::{Epoch, Epochs};

/// How long a revocation is kept: one day more than the longest life a token may have.
pub const KEPT: std::time::Duration = std::time::Duration::from_secs(367 * 86_400);
