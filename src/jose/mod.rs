//! Signed tokens: strict text, strict header, keys and signatures (RFC 7515, 7517, 7518, 8037).
//! Pure: no clock, no I/O, no logging. Claims are the next rank's business.

pub(crate) mod compact;
mod der;
mod document;
#[cfg(feature = "dpop")]
pub(crate) mod embedded;
pub(crate) mod json;
mod jwk;
mod key_set;
mod known_answers;
mod roca;
mod sign;
mod small_order;
#[cfg(test)]
mod vectors;
mod verify;

pub(crate) use document::read;
pub(crate) use key_set::{Candidates, Dropped, Found, KeySet, ParsedKeys, is_key_id};
pub(crate) use known_answers::known_answers;
pub(crate) use sign::SigningKey;
pub(crate) use verify::CRYPTO;
#[cfg(feature = "dpop")]
pub(crate) use verify::PublicKey;
