//! An authorization server for your tests, and a clock you set by hand. Feature `testing`.
//!
//! [`TestIssuer`] is what your MCP server trusts while it is tested: it signs tokens that are
//! perfect or broken in exactly one way, publishes and rotates keys, fails on demand and counts
//! the requests it gets. Over a socket ([`TestIssuer::start`]) it also lets interactive clients
//! log in, which is enough for a quickstart. In process ([`TestIssuerBuilder::in_process`]) it
//! needs no network and works on tokio's paused clock.
//!
//! It asks for no password, keeps everything in memory and listens on loopback only. It is not
//! for production, and neither is this feature: enable it under `[dev-dependencies]`.
//!
//! It shares no code with the verifier: tokens are signed by aws-lc-rs directly, so a mistake on
//! one side is not repeated on the other.
//!
//! ```
//! use tower_mcp_auth::testing::{ManualClock, TestIssuer};
//! use std::time::Duration;
//!
//! let clock = ManualClock::at(1_800_000_000);
//! let issuer = TestIssuer::builder().clock(clock.clone()).in_process();
//! let token = issuer.token("https://mcp.example.com/mcp").sign();
//! clock.advance(Duration::from_secs(301)); // and it has expired
//! # assert_eq!(token.split('.').count(), 3);
//! ```
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's mistake should end the test, loudly"
)]

mod answer;
mod audit;
mod authorize;
mod builder;
mod clients;
mod clock;
mod consent;
mod documents;
mod dpop;
mod encoding;
mod exchange;
mod faults;
mod grants;
mod introspect;
mod issuer;
mod keyring;
mod keys;
pub mod policies;
mod server;
mod state;
#[cfg(test)]
mod tests;
mod token;

pub use audit::MemoryAudit;
pub use builder::TestIssuerBuilder;
pub use clock::ManualClock;
pub use documents::Discovery;
pub use dpop::{DpopKey, ProofBuilder};
pub use faults::{Endpoint, Fault, TestBody};
pub use introspect::IntrospectionRequest;
pub use issuer::TestIssuer;
pub use server::TestFetch;
pub use state::{Consent, Hits};
pub use token::TokenBuilder;
