//! Peppers: the keys that verifiers are computed with, kept outside the token store (T25).

use std::fmt;
use std::sync::Arc;

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::format::{TokenId, TokenKind};
use crate::error::Problems;

/// What a store keeps instead of a secret.
pub(crate) type Verifier = [u8; 32];

const DOMAIN: &[u8] = b"mcpauth:v1";
/// Shortest pepper, in bytes: the output length of SHA-256 (RFC 2104 §3).
const MIN_BYTES: usize = 32;
/// The block length of SHA-256, in bytes.
const BLOCK: usize = 64;

/// Names a pepper in the token store. Not a secret.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PepperId(Arc<str>);

impl PepperId {
    /// The id; `None` unless it is 1 to 64 ASCII letters, digits, `.`, `-` or `_`.
    #[must_use]
    pub fn new(value: &str) -> Option<Self> {
        let fits = (1..=64).contains(&value.len())
            && value
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        fits.then(|| Self(value.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PepperId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for PepperId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key an HMAC begins with: the pepper, padded to one block.
struct Pepper {
    id: PepperId,
    block: Zeroizing<[u8; BLOCK]>,
}

impl Pepper {
    fn new(id: PepperId, secret: &[u8]) -> Self {
        // RFC 2104 §2: a key longer than a block is hashed first.
        let mut block = Zeroizing::new([0; BLOCK]);
        if secret.len() > BLOCK {
            let digest = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(secret)));
            for (place, byte) in block.iter_mut().zip(digest.iter()) {
                *place = *byte;
            }
        } else {
            for (place, byte) in block.iter_mut().zip(secret) {
                *place = *byte;
            }
        }
        Self { id, block }
    }

    fn mac(&self) -> Hmac<Sha256> {
        <Hmac<Sha256> as KeyInit>::new((&*self.block).into())
    }
}

/// One or more peppers. The one added last computes new verifiers; every one checks old ones.
///
/// A pepper is the difference between a leaked database and leaked credentials: keep it in a
/// secret manager, never next to the tokens. A token whose pepper is gone cannot be verified any
/// more. Wiped when the last clone is dropped; what a computation leaves on the stack is not.
///
/// # Rotation
///
/// With several machines, first let all of them know the new pepper, then let it sign:
///
/// ```
/// use tower_mcp_auth::api_token::Peppers;
/// # let (old, new) = ([1; 32], [2; 32]);
///
/// let today = Peppers::new("2026", old);
/// let tomorrow = Peppers::new("2027", new).and("2026", old); // known, not yet signing
/// let from_then_on = Peppers::new("2026", old).and("2027", new); // the last one signs
/// ```
///
/// The old one goes when the last token signed with it has expired or was rolled: at the latest
/// 365 days later.
#[derive(Clone)]
pub struct Peppers {
    /// In the order given; never empty.
    known: Arc<[Arc<Pepper>]>,
    signer: Arc<Pepper>,
    problems: Problems,
}

impl Peppers {
    /// One pepper. `id` is 1 to 64 ASCII letters, digits, `.`, `-` or `_`; `secret` at least 32
    /// bytes from a cryptographic random source, as bytes, not as their hexadecimal text.
    ///
    /// Nothing is refused here: a mistake is reported with all others when the first token is
    /// issued or the authenticator is built.
    #[must_use]
    pub fn new(id: impl AsRef<str>, secret: impl AsRef<[u8]>) -> Self {
        let mut problems = Problems::default();
        let signer = Arc::new(examined(id.as_ref(), secret.as_ref(), &mut problems));
        Self {
            known: Arc::from([Arc::clone(&signer)]),
            signer,
            problems,
        }
    }

    /// Adds a newer pepper, which computes verifiers from now on.
    #[must_use]
    pub fn and(mut self, id: impl AsRef<str>, secret: impl AsRef<[u8]>) -> Self {
        let added = Arc::new(examined(id.as_ref(), secret.as_ref(), &mut self.problems));
        if self.known.iter().any(|pepper| pepper.id == added.id) {
            let remedy = "two peppers have this id; give each its own";
            self.problems.add("api_tokens.pepper.id", &added.id, remedy);
        }
        self.signer = Arc::clone(&added);
        self.known = self.known.iter().cloned().chain([added]).collect();
        self
    }

    /// A random pepper named `generated`, for tests and development.
    ///
    /// **Not for production:** it is gone with the process, and with it every token.
    ///
    /// # Errors
    ///
    /// [`BackendError`](crate::BackendError) if the operating system gives no random bytes.
    pub fn generate() -> Result<Self, crate::BackendError> {
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *secret).map_err(|error| {
            crate::BackendError::with_source("the operating system gave no random bytes", error)
        })?;
        Ok(Self::new("generated", *secret))
    }

    pub(crate) fn problems(&self) -> &Problems {
        &self.problems
    }

    /// The pepper that computes new verifiers.
    pub(crate) fn signer(&self) -> &PepperId {
        &self.signer.id
    }

    /// Whether verifiers of this pepper can be checked.
    pub(crate) fn knows(&self, id: &PepperId) -> bool {
        self.known.iter().any(|pepper| pepper.id == *id)
    }

    /// The verifier of a secret under a pepper; under the signing one if that pepper is unknown, so
    /// that the work is the same.
    pub(crate) fn verifier(
        &self,
        pepper: &PepperId,
        kind: TokenKind,
        id: &TokenId,
        secret: &str,
    ) -> Verifier {
        let found = self.known.iter().find(|known| known.id == *pepper);
        let mut mac = found.unwrap_or(&self.signer).mac();
        let id = id.as_str().as_bytes();
        mac.update(DOMAIN);
        mac.update(&[kind.byte()]);
        // A length in front of the id: no two pairs of id and secret share one input.
        mac.update(&u8::try_from(id.len()).unwrap_or(u8::MAX).to_be_bytes());
        mac.update(id);
        mac.update(secret.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

fn examined(id: &str, secret: &[u8], problems: &mut Problems) -> Pepper {
    if secret.len() < MIN_BYTES {
        let remedy = "a pepper needs at least 32 random bytes, for instance from `openssl rand 32`";
        let value = format!("({} bytes)", secret.len());
        problems.add("api_tokens.pepper.secret", value, remedy);
    } else if secret.iter().all(|byte| Some(byte) == secret.first()) {
        let remedy = "this pepper is one byte repeated; take random bytes";
        problems.add("api_tokens.pepper.secret", "(not shown)", remedy);
    }
    let id = PepperId::new(id).unwrap_or_else(|| {
        let remedy = "a pepper's id is 1 to 64 ASCII letters, digits, `.`, `-` or `_`";
        problems.add("api_tokens.pepper.id", id, remedy);
        PepperId("invalid".into())
    });
    Pepper::new(id, secret)
}

impl fmt::Debug for Peppers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.known.iter().map(|pepper| &pepper.id).collect();
        f.debug_struct("Peppers")
            .field("known", &ids)
            .field("signer", &self.signer.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: impl AsRef<[u8]>) -> String {
        let digits: Vec<_> = bytes.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        digits.concat()
    }

    #[test]
    fn hmac_gives_the_known_answers_of_rfc_4231() {
        let answer = |key: &[u8], data: &[u8]| {
            let mut mac = Pepper::new(PepperId::new("k").unwrap(), key).mac();
            mac.update(data);
            hex(mac.finalize().into_bytes())
        };
        assert_eq!(
            answer(b"Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            answer(
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First"
            ),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn the_verifier_depends_on_pepper_kind_id_and_secret() {
        let peppers =
            Peppers::new("a", b"0123456789abcdef0123456789abcdef").and("b", [1, 2].repeat(16));
        let id = |text| TokenId::new(text).unwrap();
        let of = |pepper: &str, kind, id: &TokenId, secret: &str| {
            peppers.verifier(&PepperId::new(pepper).unwrap(), kind, id, secret)
        };
        let first = id("AAAAAAAAAAAAAAAA");
        let all = [
            of("a", TokenKind::Personal, &first, "s"),
            of("b", TokenKind::Personal, &first, "s"),
            of("a", TokenKind::ServiceAccount, &first, "s"),
            of("a", TokenKind::Personal, &id("AAAAAAAAAAAAAAAB"), "s"),
            of("a", TokenKind::Personal, &first, "t"),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(
                !all.iter().skip(index + 1).any(|other| other == one),
                "{index}"
            );
        }
        assert_eq!(*peppers.signer(), PepperId::new("b").unwrap());
    }

    #[test]
    fn the_stored_form_of_version_1_does_not_change() {
        // Independently: HMAC-SHA-256 over "mcpauth:v1" "s" 0x10 "0123456789ABCDEF" "secret".
        let peppers = Peppers::new("k", b"0123456789abcdef0123456789abcdef");
        let id = TokenId::new("0123456789ABCDEF").unwrap();
        let verifier = peppers.verifier(peppers.signer(), TokenKind::ServiceAccount, &id, "secret");
        assert_eq!(
            hex(verifier),
            "8b718a4990dea0bb8463b41d841e0bc334c90bacc1824da10dbd919db73340c7"
        );
    }

    #[test]
    fn t03_weak_and_doubled_peppers_are_all_reported() {
        let peppers = Peppers::new("a b", "short")
            .and("c", [7; 32])
            .and("c", [1, 2].repeat(16));
        let error = peppers.problems().clone().or(Some(())).unwrap_err();
        assert_eq!(error.problems().len(), 4, "{error}");
        assert!(!error.to_string().contains("short"));
        let fine = Peppers::generate().unwrap();
        assert!(fine.problems().clone().or(Some(())).is_ok());
    }

    #[test]
    fn t48_debug_shows_ids_only() {
        let peppers = Peppers::new("2026", b"0123456789abcdef0123456789abcdef");
        assert_eq!(
            format!("{peppers:?}"),
            "Peppers { known: [\"2026\"], signer: \"2026\", .. }"
        );
    }
}
