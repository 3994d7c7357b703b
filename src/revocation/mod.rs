//! Revocation of credentials before they end, in one process or in many.
//!
//! A process holds what is revoked in memory, so that a request costs no look anywhere
//! ([`AuthHandle`](crate::authenticator::AuthHandle) writes it). Processes that serve together share a
//! [`RevocationLog`]: one revokes, the others read it within about two seconds, and a process that
//! starts reads the log before it lets anybody in.
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
