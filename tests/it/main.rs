//! Behaviour through the public API, one file per family of requirements.
#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test binary exports nothing, and clippy.toml exempts test functions only, not what they share"
)]

mod attack;
mod auth;
#[cfg(feature = "client")]
mod binary;
#[cfg(feature = "client")]
mod clients;
mod config;
mod edge;
mod errors_page;
mod frameworks;
mod grpc;
mod hostile;
mod jwt;
mod layering;
mod mcp;
mod outage;
mod paths;
mod policy;
mod prm;
mod profiles;
mod redaction;
mod rotation;
mod server;
#[cfg(feature = "client")]
mod socket;
mod support;
mod tower;
