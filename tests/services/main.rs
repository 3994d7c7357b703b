//! Behaviour against a real Postgres and a real Redis: `scripts/services run cargo test --test services …`.
#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test binary exports nothing, and clippy.toml exempts test functions only, not what they share"
)]

mod config;
mod failures;
mod faults;
mod fleet;
#[path = "../../examples/fleet/parts/mod.rs"]
mod parts;
mod postgres;
mod program;
mod redis;
mod redis_tls;
mod servers;
mod silent;
mod support;
