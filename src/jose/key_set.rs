//! An issuer's published keys (RFC 7517 §5), read one by one.
//!
//! One bad entry costs that entry and nothing else: issuers publish encryption keys, new key types
//! and mistakes beside the key that signs today's tokens (T20).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Deserialize;
use serde_json::Value;

use super::document::read;
use super::jwk::{Defect, Jwk};
use super::verify::PublicKey;
use crate::algorithm::SigningAlgorithm;
use crate::error::BackendError;

/// More entries than this is a flood, not a key set.
const MAX_ENTRIES: usize = 100;

/// More keys than this for one token is an invitation to make us work.
const MAX_CANDIDATES: usize = 4;

/// Longest `kid`, in bytes.
const MAX_KID: usize = 256;

/// Whether a `kid` is one we work with: printable ASCII, 1 to 256 bytes. It is only ever
/// compared, but it also appears in logs.
pub(crate) fn is_key_id(kid: &str) -> bool {
    (1..=MAX_KID).contains(&kid.len()) && kid.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// An entry that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dropped {
    /// Its place in `keys`.
    pub(crate) index: usize,
    /// Its `kid`, if that much was sound.
    pub(crate) kid: Option<String>,
    pub(crate) defect: Defect,
}

/// A document that held at least one usable key.
#[derive(Debug)]
pub(crate) struct ParsedKeys {
    pub(crate) keys: KeySet,
    pub(crate) dropped: Vec<Dropped>,
}

#[derive(Debug)]
struct Entry {
    kid: Option<Arc<str>>,
    key: Arc<PublicKey>,
    /// Whether a token asked for it. What an issuer removes matters only if somebody used it.
    used: AtomicBool,
}

/// Usable public keys of one issuer. Immutable but for the marks of use.
#[derive(Debug)]
pub(crate) struct KeySet {
    entries: Vec<Entry>,
}

/// The keys a token may have been signed with: one to four, all of the token's algorithm.
#[derive(Clone, Debug)]
pub(crate) struct Candidates {
    first: Candidate,
    /// Almost always none: keys that share a `kid`.
    more: Vec<Candidate>,
}

/// A key with the name it has in its set.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) kid: Option<Arc<str>>,
    key: Arc<PublicKey>,
}

impl Candidates {
    /// The key that made `signature` over `message`, if one of these did.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Option<&Candidate> {
        self.iter().find(|one| one.key.verify(message, signature))
    }

    fn iter(&self) -> impl Iterator<Item = &Candidate> {
        std::iter::once(&self.first).chain(&self.more)
    }
}

/// What a set says to a token's `kid` and algorithm.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    Keys(Candidates),
    /// No such key here.
    Unknown,
    /// Too many keys fit to say which is meant.
    Ambiguous,
}

impl KeySet {
    /// Reads a JWK Set. `allowed` are the issuer's algorithms; a key for none of them is dropped.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if the document is not a JSON object with an array `keys` of at most 100
    /// entries, or if none of them is usable: an empty set is an issuer's accident, not its way of
    /// revoking everything (R6).
    pub(crate) fn parse(
        body: &[u8],
        allowed: &[SigningAlgorithm],
    ) -> Result<ParsedKeys, BackendError> {
        let document: Document = read(body)?;
        if document.keys.len() > MAX_ENTRIES {
            return Err(BackendError::new(format!(
                "the key set has {} entries; at most {MAX_ENTRIES} are read",
                document.keys.len()
            )));
        }
        let mut entries = Vec::new();
        let mut dropped = Vec::new();
        for (index, entry) in document.keys.iter().enumerate() {
            match Jwk::parse(entry, allowed) {
                Ok(jwk) => {
                    let kid: Option<Arc<str>> = jwk.kid.map(Into::into);
                    entries.extend(jwk.keys.into_iter().map(|key| Entry {
                        kid: kid.clone(),
                        key: Arc::new(key),
                        used: AtomicBool::new(false),
                    }));
                }
                Err(defect) => dropped.push(Dropped {
                    index,
                    kid: sound_key_id(entry),
                    defect,
                }),
            }
        }
        if entries.is_empty() {
            return Err(unusable(&dropped));
        }
        let keys = Self { entries };
        Ok(ParsedKeys { keys, dropped })
    }

    /// The keys for a token with this header. Never more than four; without a `kid` only if a
    /// single key fits (KEY-7).
    pub(crate) fn candidates(&self, kid: Option<&str>, algorithm: SigningAlgorithm) -> Found {
        let most = if kid.is_some() { MAX_CANDIDATES } else { 1 };
        let mut fitting = self
            .entries
            .iter()
            .filter(|entry| entry.key.algorithm() == algorithm)
            .filter(|entry| kid.is_none() || entry.kid.as_deref() == kid);
        let Some(first) = fitting.next() else {
            return Found::Unknown;
        };
        let mut candidates = Candidates {
            first: first.take(),
            more: Vec::new(),
        };
        for (nth, entry) in fitting.enumerate() {
            if nth + 1 == most {
                return Found::Ambiguous;
            }
            candidates.more.push(entry.take());
        }
        Found::Keys(candidates)
    }

    /// The `kid` (empty if it has none) of every key that tokens asked for and that `new` no
    /// longer has.
    pub(crate) fn lost_in_use(&self, new: &Self) -> Vec<&str> {
        let mut lost: Vec<&str> = self
            .entries
            .iter()
            .filter(|entry| entry.used.load(Ordering::Relaxed))
            .filter(|entry| !new.entries.iter().any(|other| entry.is_same_as(other)))
            .map(|entry| entry.kid.as_deref().unwrap_or_default())
            .collect();
        lost.dedup();
        lost
    }

    /// How many (key, algorithm) pairs there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl Entry {
    /// The key, marked as used.
    fn take(&self) -> Candidate {
        self.mark_used();
        Candidate {
            kid: self.kid.clone(),
            key: Arc::clone(&self.key),
        }
    }

    /// Reads first: the cache line stays shared between cores once the mark is set.
    fn mark_used(&self) {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }

    fn is_same_as(&self, other: &Self) -> bool {
        self.kid == other.kid && self.key.is_same_as(&other.key)
    }
}

fn sound_key_id(entry: &Value) -> Option<String> {
    let kid = entry.get("kid")?.as_str()?;
    is_key_id(kid).then(|| kid.to_owned())
}

fn unusable(dropped: &[Dropped]) -> BackendError {
    let reasons: Vec<String> = dropped
        .iter()
        .take(MAX_CANDIDATES)
        .map(|one| format!("entry {}: {}", one.index, one.defect.reason))
        .collect();
    BackendError::new(if reasons.is_empty() {
        "the key set is empty; the keys known so far are kept".to_owned()
    } else {
        format!(
            "the key set has no usable key ({}); the keys known so far are kept",
            reasons.join("; ")
        )
    })
}

#[cfg(test)]
mod tests;
