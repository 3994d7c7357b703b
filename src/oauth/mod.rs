//! Access tokens of authorization servers: their keys, their claims.

pub(crate) mod claims;
mod delegation;
mod discovery;
pub(crate) mod jwt;
pub(crate) mod keys;
mod kinds;
#[cfg(feature = "events")]
pub(crate) mod set;
mod times;
pub(crate) mod verdicts;
