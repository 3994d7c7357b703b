//! Signatures. The only file that names `jsonwebtoken`.
//!
//! The process-wide provider of that crate is left alone: it panics when feature unification has
//! turned both implementations on, and another crate may have installed one we never saw.

use jsonwebtoken::crypto::CryptoProvider;
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};

use crate::algorithm::SigningAlgorithm;

/// Which implementation checks signatures; for the log line at start.
#[cfg(feature = "aws-lc-rs")]
pub(crate) const CRYPTO: &str = "aws-lc-rs";
/// Which implementation checks signatures; for the log line at start.
#[cfg(not(feature = "aws-lc-rs"))]
pub(crate) const CRYPTO: &str = "rust-crypto";

/// The longest RSA modulus the implementation verifies with, in bits.
#[cfg(feature = "aws-lc-rs")]
pub(super) const MAX_RSA_BITS: usize = 8192;
/// The longest RSA modulus the implementation verifies with, in bits.
#[cfg(not(feature = "aws-lc-rs"))]
pub(super) const MAX_RSA_BITS: usize = 4096;

#[cfg(feature = "aws-lc-rs")]
fn provider() -> &'static CryptoProvider {
    &jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER
}

#[cfg(not(feature = "aws-lc-rs"))]
fn provider() -> &'static CryptoProvider {
    &jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER
}

const fn foreign(algorithm: SigningAlgorithm) -> Algorithm {
    match algorithm {
        SigningAlgorithm::Rs256 => Algorithm::RS256,
        SigningAlgorithm::Rs384 => Algorithm::RS384,
        SigningAlgorithm::Rs512 => Algorithm::RS512,
        SigningAlgorithm::Ps256 => Algorithm::PS256,
        SigningAlgorithm::Ps384 => Algorithm::PS384,
        SigningAlgorithm::Ps512 => Algorithm::PS512,
        SigningAlgorithm::Es256 => Algorithm::ES256,
        SigningAlgorithm::Es384 => Algorithm::ES384,
        SigningAlgorithm::EdDsa => Algorithm::EdDSA,
    }
}

/// A public key with the one algorithm it may be used for (RFC 8725bis §3.1).
///
/// The algorithm belongs to the key and never comes from a token's header, so a header cannot
/// choose how a key is used.
#[derive(Debug)]
pub(crate) struct PublicKey {
    algorithm: SigningAlgorithm,
    key: DecodingKey,
}

impl PublicKey {
    /// An RSA key: big-endian modulus and exponent, without leading zeros.
    pub(super) fn rsa(algorithm: SigningAlgorithm, n: &[u8], e: &[u8]) -> Option<Self> {
        Self::new(algorithm, DecodingKey::from_rsa_raw_components(n, e))
    }

    /// A point on the curve of `algorithm`: both coordinates in full length.
    pub(super) fn ec(algorithm: SigningAlgorithm, x: &[u8], y: &[u8]) -> Option<Self> {
        // Uncompressed form of SEC 1 §2.3.3: what both implementations call the DER of an EC key.
        let mut point = Vec::with_capacity(1 + x.len() + y.len());
        point.push(4);
        point.extend_from_slice(x);
        point.extend_from_slice(y);
        Self::new(algorithm, DecodingKey::from_ec_der(&point))
    }

    /// An Ed25519 key (RFC 8032 §5.1.5): the 32 bytes of its point.
    pub(super) fn ed25519(x: &[u8]) -> Option<Self> {
        Self::new(SigningAlgorithm::EdDsa, DecodingKey::from_ed_der(x))
    }

    /// `None` if the implementation refuses the key outright. Not every one looks at this point;
    /// a bad key that gets past here verifies nothing.
    fn new(algorithm: SigningAlgorithm, key: DecodingKey) -> Option<Self> {
        (provider().verifier_factory)(&foreign(algorithm), &key)
            .is_ok()
            .then_some(Self { algorithm, key })
    }

    pub(crate) fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    /// Whether `signature` (raw bytes, JWS form) is this key's over `message`.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        (provider().verifier_factory)(&foreign(self.algorithm), &self.key)
            .is_ok_and(|verifier| verifier.verify(message, &signature.to_vec()).is_ok())
    }

    /// Whether both are the same key for the same algorithm.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        let material = match (self.key.kind(), other.key.kind()) {
            (DecodingKeyKind::SecretOrDer(one), DecodingKeyKind::SecretOrDer(two)) => one == two,
            (
                DecodingKeyKind::RsaModulusExponent { n, e },
                DecodingKeyKind::RsaModulusExponent { n: n2, e: e2 },
            ) => n == n2 && e == e2,
            _ => false,
        };
        material && self.algorithm == other.algorithm
    }
}
