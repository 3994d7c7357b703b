//! Access tokens of authorization servers: their keys, their claims.

pub(crate) mod claims;
pub(crate) mod confirmation;
mod delegation;
mod discovery;
pub(crate) mod introspection;
pub(crate) mod jwt;
pub(crate) mod keys;
mod kinds;
#[cfg(feature = "events")]
pub(crate) mod set;
pub(crate) mod times;
mod unverified;
pub(crate) mod verdicts;

#[cfg(fuzzing)]
pub(crate) use discovery::read_metadata;
