//! Secrets that cannot be printed and are wiped when dropped.

use std::fmt;

use zeroize::Zeroizing;

/// A credential's text. No `Display`, no `Clone`, no comparison; `Debug` shows nothing.
pub(crate) struct SecretText(Zeroizing<String>);

impl SecretText {
    pub(crate) fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// Takes over a text that stands nowhere else.
    pub(crate) fn of(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The secret itself. Every use of this method is a place to review.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
}
