//! This crate's layer and its peers, made to answer the same requests in the same run.
//!
//! `src/bin/peers.rs` times them, `src/bin/allocations.rs` counts what they allocate, and
//! `src/bin/wire.rs` measures them over HTTP/1.1. See `README.md`.

pub mod case;
pub mod layers;
pub mod line_up;
pub mod machine;
pub mod raw;
pub mod report;
pub mod rounds;
pub mod rows;
pub mod world;

/// What stops a run: said to whoever started it, and the run ends.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
