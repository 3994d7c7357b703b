//! HMAC-SHA-256 over several parts (RFC 2104), for names that only this server can make.

use std::fmt;

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// SHA-256 works on blocks of 64 bytes; a shorter key is followed by zeros (RFC 2104 §2).
const BLOCK: usize = 64;

/// A key, and what it is used for.
#[derive(Clone)]
pub(crate) struct KeyedHash {
    key: Zeroizing<[u8; BLOCK]>,
    purpose: &'static str,
}

impl KeyedHash {
    /// A key of this process alone.
    pub(crate) fn random(purpose: &'static str) -> Result<Self, getrandom::Error> {
        let mut key = Zeroizing::new([0; BLOCK]);
        getrandom::fill(&mut *key)?;
        Ok(Self { key, purpose })
    }

    /// A key that several processes share: at least 32 bytes.
    pub(crate) fn shared(purpose: &'static str, key: &[u8]) -> Option<Self> {
        if key.len() < 32 {
            return None;
        }
        let digest = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(key)));
        let mut key = Zeroizing::new([0; BLOCK]);
        for (place, byte) in key.iter_mut().zip(digest.iter()) {
            *place = *byte;
        }
        Some(Self { key, purpose })
    }

    /// The same key for something else.
    pub(crate) fn for_purpose(&self, purpose: &'static str) -> Self {
        let key = self.key.clone();
        Self { key, purpose }
    }

    /// Whether both make the same hashes; in constant time.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.purpose == other.purpose && bool::from(self.key.ct_eq(&*other.key))
    }

    /// The hash of these parts. Each part is preceded by its length, so that no two lists of parts
    /// are the same bytes (T21).
    pub(crate) fn of(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as KeyInit>::new((&*self.key).into());
        for part in std::iter::once(&self.purpose.as_bytes()).chain(parts) {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// Whether `claimed`, 16 bytes or more, is the beginning of the hash of these parts; in constant
    /// time.
    pub(crate) fn begins_with(&self, claimed: &[u8], parts: &[&[u8]]) -> bool {
        let whole = self.of(parts);
        let head = whole.get(..claimed.len());
        claimed.len() >= 16 && head.is_some_and(|head| head.ct_eq(claimed).into())
    }
}

impl fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyedHash").field(&self.purpose).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(purpose: &'static str, key: u8, parts: &[&[u8]]) -> [u8; 32] {
        KeyedHash::shared(purpose, &[key; 32]).unwrap().of(parts)
    }

    #[test]
    fn t21_parts_purpose_and_key_all_count() {
        let base = hash("p", 1, &[b"ab", b"c"]);
        assert_eq!(base, hash("p", 1, &[b"ab", b"c"]));
        for other in [
            hash("p", 1, &[b"a", b"bc"]),
            hash("p", 1, &[b"abc"]),
            hash("p", 1, &[b"ab", b"c", b""]),
            hash("q", 1, &[b"ab", b"c"]),
            hash("p", 2, &[b"ab", b"c"]),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn a_short_key_is_none() {
        assert!(KeyedHash::shared("p", &[0; 31]).is_none());
        assert!(KeyedHash::shared("p", &[0; 32]).is_some());
    }

    #[test]
    fn only_the_true_beginning_is_one() {
        let keyed = KeyedHash::random("p").unwrap();
        let whole = keyed.of(&[b"x"]);
        assert!(keyed.begins_with(&whole[..16], &[b"x"]));
        assert!(!keyed.begins_with(&whole[..16], &[b"y"]));
        assert!(!keyed.begins_with(&[0; 16], &[b"x"]));
        assert!(!keyed.begins_with(&[0; 33], &[b"x"]));
        assert!(!keyed.begins_with(&whole[..15], &[b"x"]));
        assert!(!keyed.begins_with(&[], &[b"x"]));
    }
}
