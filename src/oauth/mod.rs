//! OAuth 2.1 access tokens: an issuer's metadata and keys, and the tokens it signs.

mod discovery;
mod keys;
