//! Behaviour through the public API, one file per family of requirements.
#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test binary exports nothing, and clippy.toml exempts test functions only, not what they share"
)]

#[cfg(feature = "client")]
mod binary;
#[cfg(feature = "client")]
mod clients;
mod edge;
mod jwt;
mod layering;
mod prm;
#[cfg(feature = "client")]
mod socket;
mod support;
