//! Access tokens of authorization servers: their keys, their claims.

pub(crate) mod claims;
pub(crate) mod confirmation;
mod discovery;
pub(crate) mod jwt;
pub(crate) mod keys;
mod kinds;
pub(crate) mod times;
pub(crate) mod verdicts;
