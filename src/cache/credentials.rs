//! What was proved about credentials, so that an equal one needs no second proof.
//!
//! What is kept are facts, and only of good credentials: a bad one costs what it costs, and
//! displaces nothing (T24). No credential is kept. It is found again by a universal hash of 128 bits
//! under a key that no one knows (POLYVAL, RFC 8452 §3): without the key, two different credentials
//! of 16 KiB collide with a probability below 2^-117, whoever made them (T21). A credential is
//! another one for every scheme, and for every mount of a server.

use std::fmt;
use std::mem::size_of;
use std::sync::Arc;

use polyval::Polyval;
use polyval::universal_hash::UniversalHash;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// The name of a credential's bytes under this process's key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Tag([u8; 16]);

/// What is told apart besides the bytes: the mount, and the scheme.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Domain {
    pub(crate) mount: u64,
    pub(crate) scheme: u8,
}

/// A fact that knows how many bytes it takes, roughly.
pub(crate) trait Weighed {
    fn size(&self) -> usize;
}

#[derive(Clone)]
struct Bytes;

impl<V: Weighed> Weighter<Tag, Arc<V>> for Bytes {
    fn weight(&self, _: &Tag, fact: &Arc<V>) -> u64 {
        // The cache itself takes about 90 bytes an entry.
        let own = (90 + size_of::<Tag>()).saturating_add(fact.size());
        u64::try_from(own).unwrap_or(u64::MAX)
    }
}

/// Facts about the credentials proved lately, bounded by bytes.
pub(crate) struct Credentials<V: Weighed> {
    facts: Cache<Tag, Arc<V>, Bytes>,
    keyed: Polyval,
}

impl<V: Weighed> Credentials<V> {
    /// Keeps about as many bytes of facts.
    pub(crate) fn new(bytes: u64) -> Result<Self, getrandom::Error> {
        let mut key = polyval::Key::default();
        getrandom::fill(&mut key)?;
        let entries = usize::try_from(bytes / 1024).unwrap_or(usize::MAX);
        Ok(Self {
            facts: Cache::with_weighter(entries, bytes, Bytes),
            keyed: Polyval::new(&key),
        })
    }

    /// The name of a credential in its domain.
    pub(crate) fn tag(&self, domain: Domain, credential: &[u8]) -> Tag {
        let mut hash = self.keyed.clone();
        // The length too: texts that differ only in the zeros of their last block are two.
        let length = u32::try_from(credential.len()).unwrap_or(u32::MAX);
        let mut first = polyval::Block::default();
        let bytes = domain.mount.to_le_bytes().into_iter();
        let bytes = bytes.chain(length.to_le_bytes()).chain([domain.scheme]);
        for (place, byte) in first.iter_mut().zip(bytes) {
            *place = byte;
        }
        hash.update(&[first]);
        hash.update_padded(credential);
        Tag(hash.finalize().into())
    }

    pub(crate) fn find(&self, tag: &Tag) -> Option<Arc<V>> {
        self.facts.get(tag)
    }

    pub(crate) fn keep(&self, tag: Tag, fact: Arc<V>) {
        self.facts.insert(tag, fact);
    }

    pub(crate) fn forget(&self, tag: &Tag) {
        self.facts.remove(tag);
    }

    pub(crate) fn len(&self) -> usize {
        self.facts.len()
    }

    pub(crate) fn flush(&self) {
        self.facts.clear();
    }
}

impl<V: Weighed> fmt::Debug for Credentials<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("facts", &self.facts.len())
            .finish_non_exhaustive()
    }
}
