//! What a token is bound to (`cnf`, RFC 7800).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A SHA-256 that stands for a key or a certificate.
pub(crate) type Thumbprint = [u8; 32];

/// What the sender of a token has to show beside it: the token alone is worth nothing.
///
/// A token may be bound to a key (DPoP, RFC 9449 §6), to a client certificate (RFC 8705 §3.1), or to
/// both; then both must be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Confirmation {
    key: Option<Thumbprint>,
    certificate: Option<Thumbprint>,
}

impl Confirmation {
    /// `None` if the token would be bound to nothing.
    pub(crate) fn new(key: Option<Thumbprint>, certificate: Option<Thumbprint>) -> Option<Self> {
        let bound = key.is_some() || certificate.is_some();
        bound.then_some(Self { key, certificate })
    }

    /// The thumbprint of the key that has to sign a DPoP proof (`jkt`, RFC 7638 with SHA-256).
    #[must_use]
    pub fn key(&self) -> Option<&[u8; 32]> {
        self.key.as_ref()
    }

    /// The SHA-256 of the client certificate in DER (`x5t#S256`).
    #[must_use]
    pub fn certificate(&self) -> Option<&[u8; 32]> {
        self.certificate.as_ref()
    }
}

/// A SHA-256 as tokens write it: 43 letters of base64url, the canonical ones.
pub(crate) fn read_thumbprint(text: &str) -> Option<Thumbprint> {
    // Counted before anything is decoded.
    if text.len() != 43 {
        return None;
    }
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mtls_03_only_the_canonical_letters_of_a_sha_256_are_a_thumbprint() {
        let good = "A".repeat(43);
        assert_eq!(read_thumbprint(&good), Some([0; 32]));
        for bad in [
            "",
            "x",
            &good[1..],
            &format!("{good}A"),
            &format!("{good}="),
            // The last letter has two bits too many.
            &format!("{}B", &good[1..]),
            &format!("{}+", &good[1..]),
            &format!(" {}", &good[1..]),
        ] {
            assert_eq!(read_thumbprint(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_token_bound_to_nothing_is_no_bound_token() {
        assert_eq!(Confirmation::new(None, None), None);
        let bound = Confirmation::new(Some([1; 32]), None).unwrap();
        assert_eq!((bound.key(), bound.certificate()), (Some(&[1; 32]), None));
    }
}
