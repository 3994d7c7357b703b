//! Access tokens of authorization servers: their keys, their claims.

pub(crate) mod claims;
mod delegation;
mod discovery;
pub(crate) mod jwt;
pub(crate) mod keys;
mod kinds;
mod times;
pub(crate) mod verdicts;
