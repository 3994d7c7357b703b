//! The last look at what is told: no piece of a secret, and nothing that acts.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use crate::audit::AuditText;
use crate::secret::SecretText;

/// The shortest piece that is kept back, in characters.
const PIECE: usize = 12;

/// The pieces of the secret parts of a request, as hashes. Two pieces of one hash hide a word too many.
pub(super) struct Guard {
    pieces: HashSet<u64>,
    hasher: RandomState,
}

impl Guard {
    pub(super) fn new(secrets: &[SecretText]) -> Self {
        let hasher = RandomState::new();
        let pieces = secrets.iter().flat_map(|secret| pieces_of(secret.expose()));
        Self {
            pieces: pieces.map(|piece| hasher.hash_one(piece)).collect(),
            hasher,
        }
    }

    /// The text, with `…` for everything that is also a piece of a secret, and safe in any log (T49).
    pub(super) fn clean(&self, text: &str) -> String {
        let mut pieces = pieces_of(text);
        let mut clean = String::new();
        let mut hidden = 0_usize;
        for letter in text.chars() {
            let piece = pieces.next();
            if piece.is_some_and(|piece| self.pieces.contains(&self.hasher.hash_one(piece))) {
                hidden = PIECE;
            }
            if hidden == 0 {
                clean.push(letter);
            } else if !clean.ends_with('…') {
                clean.push('…');
            }
            hidden = hidden.saturating_sub(1);
        }
        AuditText::new(clean).as_str().to_owned()
    }
}

/// Every piece of a text, from each of its letters on.
fn pieces_of(text: &str) -> impl Iterator<Item = &str> {
    let ends = text
        .char_indices()
        .map(|(at, letter)| at + letter.len_utf8());
    let starts = text.char_indices().map(|(at, _)| at);
    let pieces = starts.zip(ends.skip(PIECE - 1));
    pieces.filter_map(|(start, end)| text.get(start..end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn guard(secret: &str) -> Guard {
        Guard::new(&[SecretText::new(secret)])
    }

    #[test]
    fn t48_pieces_of_twelve_characters_are_kept_back() {
        let guard = guard("0123456789abcdef");
        assert_eq!(guard.clean("x 0123456789abcdef y 456789abcdef"), "x … y …");
        assert_eq!(
            guard.clean("0123456789a, then z456789abcde"),
            "0123456789a, then z456789abcde"
        );
        assert_eq!(guard.clean("short"), "short");
        assert_eq!(guard.clean(""), "");
    }

    #[test]
    fn t49_what_acts_is_written_out() {
        assert_eq!(guard("x").clean("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
    }

    proptest! {
        #[test]
        fn t48_no_piece_of_any_secret_is_left(secret in "[a-zé]{0,40}", before in ".{0,20}", after in ".{0,20}", cut in 0..40_usize) {
            let part: String = secret.chars().skip(cut).collect();
            let clean: Vec<char> = guard(&secret).clean(&format!("{before}{part}{after}")).chars().collect();
            let secret: Vec<char> = secret.chars().collect();
            for piece in secret.windows(PIECE) {
                prop_assert!(!clean.windows(PIECE).any(|window| window == piece));
            }
        }
    }
}
