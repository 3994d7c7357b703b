//! Which keys an issuer has, which of them it publishes, and which one signs.

use std::sync::Arc;

use serde_json::{Value, json};

use super::encoding::random;
use super::keys::SigningKey;
use crate::algorithm::SigningAlgorithm;

/// What becomes of a new key and of those before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rotation {
    /// Published at once; earlier keys stay published.
    Overlapping,
    /// Published at once; earlier keys of the algorithm are withdrawn.
    Abrupt,
    /// Signs before it is published.
    Hidden,
}

pub(super) struct Keyring {
    entries: Vec<Entry>,
    signer: Arc<SigningKey>,
}

struct Entry {
    key: Arc<SigningKey>,
    published: bool,
}

impl Keyring {
    /// One published key for each algorithm; the first signs, and has `first_kid` if given.
    pub(super) fn new(algorithms: &[SigningAlgorithm], first_kid: Option<&str>) -> Self {
        let mut kid = first_kid.map(str::to_owned);
        let mut keys: Vec<_> = algorithms
            .iter()
            .map(|algorithm| generate(*algorithm, kid.take()))
            .collect();
        if keys.is_empty() {
            keys.push(generate(SigningAlgorithm::Es256, kid));
        }
        let signer = Arc::clone(keys.first().expect("never empty: filled above"));
        let entries = keys
            .into_iter()
            .map(|key| Entry {
                key,
                published: true,
            })
            .collect();
        Self { entries, signer }
    }

    /// Makes a key that signs from now on, and returns its id.
    pub(super) fn rotate(&mut self, algorithm: SigningAlgorithm, rotation: Rotation) -> String {
        if rotation == Rotation::Abrupt {
            self.entries
                .iter_mut()
                .filter(|entry| entry.key.algorithm() == algorithm)
                .for_each(|entry| entry.published = false);
        }
        let key = generate(algorithm, None);
        self.signer = Arc::clone(&key);
        let kid = key.kid().to_owned();
        self.entries.push(Entry {
            key,
            published: rotation != Rotation::Hidden,
        });
        kid
    }

    /// Publishes or withdraws a key; false if there is none of this id.
    pub(super) fn set_published(&mut self, kid: &str, published: bool) -> bool {
        let entry = self.entries.iter_mut().find(|entry| entry.key.kid() == kid);
        match entry {
            Some(entry) => {
                entry.published = published;
                true
            }
            None => false,
        }
    }

    /// Ids of the published keys, oldest first.
    pub(super) fn published(&self) -> Vec<String> {
        self.published_keys()
            .map(|key| key.kid().to_owned())
            .collect()
    }

    /// The key set document (RFC 7517 §5).
    pub(super) fn jwks(&self) -> Value {
        json!({"keys": self.published_keys().map(SigningKey::jwk).collect::<Vec<_>>()})
    }

    pub(super) fn signer(&self) -> Arc<SigningKey> {
        Arc::clone(&self.signer)
    }

    pub(super) fn by_id(&self, kid: &str) -> Option<Arc<SigningKey>> {
        self.find(|key| key.kid() == kid)
    }

    /// The newest key of this algorithm, published or not; the signer comes first.
    pub(super) fn by_algorithm(&self, algorithm: SigningAlgorithm) -> Option<Arc<SigningKey>> {
        if self.signer.algorithm() == algorithm {
            return Some(self.signer());
        }
        self.find(|key| key.algorithm() == algorithm)
    }

    fn find(&self, wanted: impl Fn(&SigningKey) -> bool) -> Option<Arc<SigningKey>> {
        self.entries
            .iter()
            .rev()
            .find(|entry| wanted(&entry.key))
            .map(|entry| Arc::clone(&entry.key))
    }

    fn published_keys(&self) -> impl Iterator<Item = &SigningKey> {
        self.entries
            .iter()
            .filter(|entry| entry.published)
            .map(|entry| entry.key.as_ref())
    }
}

/// Key ids are random, so that two issuers share one only where a test says so.
fn generate(algorithm: SigningAlgorithm, kid: Option<String>) -> Arc<SigningKey> {
    let kid = kid.unwrap_or_else(|| {
        let name = algorithm.name().to_ascii_lowercase();
        format!("{name}-{}", random::<6>())
    });
    Arc::new(SigningKey::generate(algorithm, kid))
}
