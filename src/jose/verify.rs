//! Signatures of others. With `sign.rs`, the only file that names `jsonwebtoken`.
//!
//! Its verifiers keep a key as bytes and read it again at every signature, a sixth of the work for
//! RSA. With aws-lc-rs a key is therefore read once, when its set is, and `jsonwebtoken` says which
//! material fits which algorithm; the pure Rust implementation verifies through `jsonwebtoken`.
//!
//! The process-wide provider of that crate is left alone: it panics when feature unification has
//! turned both implementations on, and another crate may have installed one we never saw.

#[cfg(feature = "aws-lc-rs")]
use aws_lc_rs::signature::{
    self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm,
};
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
pub(super) fn provider() -> &'static CryptoProvider {
    &jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER
}

#[cfg(not(feature = "aws-lc-rs"))]
pub(super) fn provider() -> &'static CryptoProvider {
    &jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER
}

pub(super) const fn foreign(algorithm: SigningAlgorithm) -> Algorithm {
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
    #[cfg(feature = "aws-lc-rs")]
    parsed: ParsedPublicKey,
}

/// The same key, read for good. Only with the algorithm it is bound to.
#[cfg(feature = "aws-lc-rs")]
fn parsed(algorithm: SigningAlgorithm, key: &DecodingKey) -> Option<ParsedPublicKey> {
    let curve: &'static dyn VerificationAlgorithm = match algorithm {
        SigningAlgorithm::Rs256 => return parsed_rsa(&signature::RSA_PKCS1_2048_8192_SHA256, key),
        SigningAlgorithm::Rs384 => return parsed_rsa(&signature::RSA_PKCS1_2048_8192_SHA384, key),
        SigningAlgorithm::Rs512 => return parsed_rsa(&signature::RSA_PKCS1_2048_8192_SHA512, key),
        SigningAlgorithm::Ps256 => return parsed_rsa(&signature::RSA_PSS_2048_8192_SHA256, key),
        SigningAlgorithm::Ps384 => return parsed_rsa(&signature::RSA_PSS_2048_8192_SHA384, key),
        SigningAlgorithm::Ps512 => return parsed_rsa(&signature::RSA_PSS_2048_8192_SHA512, key),
        SigningAlgorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
        SigningAlgorithm::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
        SigningAlgorithm::EdDsa => &signature::ED25519,
    };
    match key.kind() {
        DecodingKeyKind::SecretOrDer(point) => ParsedPublicKey::new(curve, point).ok(),
        DecodingKeyKind::RsaModulusExponent { .. } => None,
    }
}

#[cfg(feature = "aws-lc-rs")]
fn parsed_rsa(parameters: &'static RsaParameters, key: &DecodingKey) -> Option<ParsedPublicKey> {
    match key.kind() {
        DecodingKeyKind::RsaModulusExponent { n, e } => {
            let components = RsaPublicKeyComponents { n, e };
            components.to_parsed_public_key(parameters).ok()
        }
        DecodingKeyKind::SecretOrDer(_) => None,
    }
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
        (provider().verifier_factory)(&foreign(algorithm), &key).ok()?;
        Some(Self {
            algorithm,
            #[cfg(feature = "aws-lc-rs")]
            parsed: parsed(algorithm, &key)?,
            key,
        })
    }

    pub(crate) fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    /// Whether `signature` (raw bytes, JWS form) is this key's over `message`.
    #[cfg(feature = "aws-lc-rs")]
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.parsed.verify_sig(message, signature).is_ok()
    }

    /// Whether `signature` (raw bytes, JWS form) is this key's over `message`.
    #[cfg(not(feature = "aws-lc-rs"))]
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
