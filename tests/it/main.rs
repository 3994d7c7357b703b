//! Behaviour through the public API, one file per family of requirements.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy.toml exempts test functions, not the functions they share"
)]

mod edge;
mod prm;
