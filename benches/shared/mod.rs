//! What the benches share: what is measured, and how it is measured and written down.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "every bench uses its part of it, stops loudly and prints its figures"
)]

pub(crate) mod bad;
#[cfg(feature = "dpop")]
pub(crate) mod bound;
pub(crate) mod caller;
pub(crate) mod figures;
pub(crate) mod fixture;
pub(crate) mod load;
pub(crate) mod rounds;
pub(crate) mod row;
pub(crate) mod rows;
pub(crate) mod tools;
pub(crate) mod wire;
