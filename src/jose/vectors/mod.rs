//! Standard vectors, through the functions the request path uses (G1, T4, T6, T16, T20).
//!
//! What they sign is no set of claims, so a whole authenticator refuses all of them, and the reason
//! would say nothing of a signature. Here a token counts as accepted once a key of its set verified
//! it; `oauth::jwt` asks the same questions of the same functions and judges the claims besides.
//! `tests/it/vectors.rs` shows the whole authenticator the same sets.

mod compact;
mod examples;
mod ledger;
mod raw;

use serde_json::{Value, json};

use super::compact::Compact;
use super::key_set::{Found, KeySet};
use crate::algorithm::SigningAlgorithm;
use crate::rejection::Rejection;

/// A JWK, or the set it comes in, as an issuer publishes it.
fn published(key: &Value) -> String {
    if key.get("keys").is_some() {
        key.to_string()
    } else {
        json!({ "keys": [key] }).to_string()
    }
}

/// Whether a key of this set signed this token; else why not.
fn judge(keys: &str, token: &str) -> Result<(), String> {
    let refused = |rejection: Rejection| rejection.reason().code().to_owned();
    let compact = Compact::parse(token).map_err(refused)?;
    let header = compact.header().map_err(refused)?;
    let set = KeySet::parse(keys.as_bytes(), &SigningAlgorithm::ALL);
    let set = set.map_err(|error| error.to_string())?.keys;
    let kid = header.key_id.as_deref();
    match set.candidates(kid, header.algorithm) {
        Found::Keys(candidates) => candidates
            .verify(compact.signed, compact.signature())
            .map(|_| ())
            .ok_or_else(|| "bad signature".to_owned()),
        other => Err(format!("{other:?}")),
    }
}

/// Whether the one key of this set made `signature` over `message` by this algorithm.
fn judge_raw(
    key: &Value,
    algorithm: SigningAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(), String> {
    let set = KeySet::parse(published(key).as_bytes(), &[algorithm]);
    let set = set.map_err(|error| error.to_string())?.keys;
    match set.candidates(None, algorithm) {
        Found::Keys(candidates) => candidates
            .verify(message, signature)
            .map(|_| ())
            .ok_or_else(|| "bad signature".to_owned()),
        other => Err(format!("{other:?}")),
    }
}
