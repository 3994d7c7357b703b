//! Tokens that are worth nothing without their client's key (DPoP, RFC 9449). Feature `dpop`.
//!
//! A client shows with every request that it has the private key its token was issued for: it signs
//! a small proof with the method, the URL, the time and the hash of the token. Whoever has only
//! stolen the token cannot.
//!
//! ```
//! use tower_mcp_auth::dpop::Dpop;
//! use tower_mcp_auth::{Authenticator, Issuer, ProtectedResource};
//!
//! # fn main() -> Result<(), tower_mcp_auth::ConfigError> {
//! let auth = Authenticator::builder(
//!     ProtectedResource::new("https://mcp.example.com/mcp")
//!         .issuer(Issuer::new("https://auth.example.com/t1")),
//! )
//! .dpop(Dpop::new()) // .required() refuses plain Bearer access tokens
//! .build()?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is checked
//!
//! One `DPoP` header with one proof of at most 8 KiB; `typ`, `alg`, a public `jwk` whose thumbprint is the
//! token's `cnf.jkt`; `htm` is the method; `htu` is the resource identifier, which is the public URL, or
//! the URL below it that was asked for, in any spelling and without query and fragment; `iat` is at most
//! [`max_age`](Dpop::max_age) ago or ahead; `ath` is the hash of the token; the signature; the nonce, where
//! there are [nonces](Dpop::nonces); and last, that the proof has not been used before. A request that is
//! refused for any other reason about its credential uses no proof up.
//!
//! The proof is asked for once, when a request comes. A stream that it opened goes on until the
//! token's own end ([how](crate::middleware::auth#open-streams)).
//!
//! A router that takes a prefix off the path in front of the layer leaves it with the resource
//! identifier alone; a proxy that adds one makes proofs fail.

mod nonce;
mod proof;
mod replay;
mod target;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::HeaderValue;
use zeroize::Zeroizing;

use crate::algorithm::SigningAlgorithm;
use crate::clock::UnixTime;
use crate::error::Problems;
use crate::keyed_hash::KeyedHash;
use nonce::Nonces;
use replay::DynReplayStore;

pub(crate) use proof::{Expected, Fault, Proof};
pub(crate) use replay::Replays;
pub use replay::{Claim, ProofId, ReplayStore};

/// The bounds of `max_age`, in seconds: below, clocks are not that good; above, a stolen proof lives
/// too long.
const MAX_AGE: std::ops::RangeInclusive<u64> = 5..=OLDEST.unsigned_abs();

/// The most of them. A used proof is on record for that long whatever `max_age` is: a reload that raises it
/// must not bring back what was forgotten.
const OLDEST: i64 = 300;

/// How DPoP proofs are judged. For [`AuthenticatorBuilder::dpop`](crate::authenticator::AuthenticatorBuilder::dpop).
#[must_use = "settings do nothing until the builder has them"]
pub struct Dpop {
    required: bool,
    algorithms: Vec<SigningAlgorithm>,
    max_age: Duration,
    nonces: NonceKey,
    store: Option<DynReplayStore>,
}

/// Where the key of nonces comes from.
enum NonceKey {
    NoNonces,
    Random,
    Shared(Zeroizing<Vec<u8>>),
}

impl Dpop {
    /// Takes tokens bound to a key beside plain ones. Proofs by ES256 or `EdDSA`, of the last 300 s,
    /// each used once in this process; no nonces.
    pub fn new() -> Self {
        Self {
            required: false,
            algorithms: vec![SigningAlgorithm::Es256, SigningAlgorithm::EdDsa],
            max_age: Duration::from_secs(300),
            nonces: NonceKey::NoNonces,
            store: None,
        }
    }

    /// Refuses access tokens without a proof, and says so in the metadata
    /// (`dpop_bound_access_tokens_required`, RFC 9728 §2). API tokens are not concerned.
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The algorithms of proofs, the preferred one first. Default: ES256 and `EdDSA`. A client with an
    /// RSA key makes proofs that are longer, and slower to make.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = SigningAlgorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// How long ago a proof may have been made, and how far ahead, by a clock that is wrong. Default
    /// 300 s; 5 s to 300 s.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// Asks for a nonce of this server in every proof (RFC 9449 §9), so that none can be made in
    /// advance. `key`, at least 32 random bytes, is for replicas that share it; nothing else is kept. A
    /// nonce serves for 2 to 4 minutes; the next one comes with a response that answers an older one.
    pub fn nonces(mut self, key: impl AsRef<[u8]>) -> Self {
        self.nonces = NonceKey::Shared(Zeroizing::new(key.as_ref().to_vec()));
        self
    }

    /// The same with a key of this process alone.
    pub fn nonces_random(mut self) -> Self {
        self.nonces = NonceKey::Random;
        self
    }

    /// Where used proofs are kept. Default: in this process, about a million of them, so that each
    /// replica takes a proof once.
    pub fn replay_store(mut self, store: impl ReplayStore) -> Self {
        self.store = Some(DynReplayStore::new(store));
        self
    }

    pub(crate) fn has_store(&self) -> bool {
        self.store.is_some()
    }

    /// Adds every mistake to `problems`.
    pub(crate) fn examine(&self, problems: &mut Problems) -> Option<Rules> {
        if self.algorithms.is_empty() {
            let remedy = "no proof could be good; name one at least, e.g. SigningAlgorithm::Es256";
            problems.add("dpop.algorithms", "[]", remedy);
        }
        let seconds = self.max_age.as_secs();
        if !MAX_AGE.contains(&seconds) || self.max_age.subsec_nanos() > 0 {
            let remedy = "use whole seconds from 5 to 300; 300 is the default";
            problems.add("dpop.max_age", format!("{:?}", self.max_age), remedy);
        }
        let key = match &self.nonces {
            NonceKey::NoNonces => None,
            NonceKey::Random => {
                Some(KeyedHash::random(Nonces::PURPOSE).map_err(|error| error.to_string()))
            }
            // Never the key itself.
            NonceKey::Shared(key) => Some(
                KeyedHash::shared(Nonces::PURPOSE, key)
                    .ok_or_else(|| format!("{} bytes", key.len())),
            ),
        };
        let key = key.transpose().map_err(|problem| {
            let remedy = "a key of at least 32 random bytes is needed";
            problems.add("dpop.nonces", problem, remedy);
        });
        let names: Vec<_> = self.algorithms.iter().map(|one| one.name()).collect();
        Some(Rules {
            required: self.required,
            names: names.join(" "),
            algorithms: self.algorithms.clone(),
            max_age: i64::try_from(seconds).ok()?,
            nonces: key.ok()?.map(Nonces::new),
            nonces_last: matches!(self.nonces, NonceKey::Random),
            replays: match &self.store {
                Some(store) => Replays::There(store.clone()),
                None => Replays::Here(Arc::default()),
            },
        })
    }
}

impl Default for Dpop {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Dpop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dpop")
            .field("required", &self.required)
            .field("algorithms", &self.algorithms)
            .field("max_age", &self.max_age)
            .finish_non_exhaustive()
    }
}

/// The settings after every check.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) required: bool,
    /// The names of `algorithms`, separated by spaces.
    pub(crate) names: String,
    algorithms: Vec<SigningAlgorithm>,
    /// In seconds.
    max_age: i64,
    nonces: Option<Nonces>,
    /// Whether they are of this process alone, and so of all its settings.
    nonces_last: bool,
    pub(crate) replays: Replays,
}

/// What outlives settings: a proof that was used stays used, and a nonce that was given stays good.
#[derive(Debug, Default)]
pub(crate) struct Lasting {
    replays: OnceLock<Replays>,
    nonces: OnceLock<Nonces>,
}

impl Rules {
    /// The same rules over what lasts, or what lasts from now on.
    pub(crate) fn lasting(mut self, lasting: &Lasting) -> Self {
        self.replays = lasting.replays.get_or_init(|| self.replays).clone();
        if self.nonces_last {
            self.nonces = self
                .nonces
                .map(|own| lasting.nonces.get_or_init(|| own).clone());
        }
        self
    }

    pub(crate) fn algorithms(&self) -> impl Iterator<Item = &'static str> {
        self.algorithms.iter().map(|one| one.name())
    }

    /// The nonce that proofs should contain from now on, where they need one.
    pub(crate) fn nonce(&self, now: UnixTime) -> Option<HeaderValue> {
        self.nonces.as_ref()?.newest(now)
    }
}
