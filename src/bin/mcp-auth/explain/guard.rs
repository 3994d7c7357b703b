//! The last look at what is printed: no piece of a secret, whatever a credential holds.

use zeroize::Zeroizing;

use super::read::Given;

/// The shortest piece that is kept back, in characters.
const PIECE: usize = 12;

/// The secret parts of a credential.
pub(super) struct Guard(Vec<Zeroizing<Vec<char>>>);

impl Guard {
    pub(super) fn new(given: &Given) -> Self {
        let secrets = given.secrets().iter();
        Self(
            secrets
                .map(|secret| Zeroizing::new(secret.chars().collect()))
                .collect(),
        )
    }

    /// The text, with `…` for everything that is also a piece of a secret.
    pub(super) fn clean(&self, text: &str) -> String {
        let text: Zeroizing<Vec<char>> = Zeroizing::new(text.chars().collect());
        let mut hidden = vec![false; text.len()];
        for (at, window) in text.windows(PIECE).enumerate() {
            if self
                .0
                .iter()
                .any(|secret| secret.windows(PIECE).any(|piece| piece == window))
            {
                hidden
                    .iter_mut()
                    .skip(at)
                    .take(PIECE)
                    .for_each(|place| *place = true);
            }
        }
        let mut clean = String::new();
        for (c, hidden) in text.iter().zip(hidden) {
            if !hidden {
                clean.push(*c);
            } else if !clean.ends_with('…') {
                clean.push('…');
            }
        }
        clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_twelve_characters_are_kept_back() {
        let guard = Guard(vec![Zeroizing::new("0123456789abcdef".chars().collect())]);
        assert_eq!(guard.clean("x 0123456789abcdef y 456789abcdef"), "x … y …");
        assert_eq!(
            guard.clean("0123456789a, then z456789abcde"),
            "0123456789a, then z456789abcde"
        );
        assert_eq!(guard.clean("short"), "short");
    }
}
