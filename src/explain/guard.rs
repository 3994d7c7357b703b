//! The last look at what is told: no piece of a secret, and nothing that acts.

use std::collections::HashSet;

use crate::audit::AuditText;
use crate::secret::SecretText;

/// The shortest piece that is kept back, in characters.
const PIECE: usize = 12;

/// The secret parts of a request.
pub(super) struct Guard(Vec<SecretText>);

impl Guard {
    pub(super) fn new(secrets: Vec<SecretText>) -> Self {
        Self(secrets)
    }

    /// The text, with `…` for everything that is also a piece of a secret, and safe in any log (T49).
    pub(super) fn clean(&self, text: &str) -> String {
        let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let ends = starts.iter().copied().skip(PIECE).chain([text.len()]);
        let windows: Vec<&str> = starts
            .iter()
            .zip(ends)
            .filter_map(|(start, end)| text.get(*start..end))
            .collect();
        let wanted: HashSet<&str> = windows.iter().copied().collect();
        let mut secret = HashSet::new();
        for one in &self.0 {
            find(one.expose(), &wanted, &mut secret);
        }
        let mut clean = String::new();
        let mut hidden = 0_usize;
        for (at, letter) in text.chars().enumerate() {
            if windows.get(at).is_some_and(|piece| secret.contains(piece)) {
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

/// Which of the pieces stand in a secret.
fn find<'t>(secret: &str, wanted: &HashSet<&'t str>, found: &mut HashSet<&'t str>) {
    let starts: Vec<usize> = secret.char_indices().map(|(at, _)| at).collect();
    let ends = starts.iter().copied().skip(PIECE).chain([secret.len()]);
    for (start, end) in starts.iter().zip(ends) {
        let piece = secret.get(*start..end);
        found.extend(piece.and_then(|piece| wanted.get(piece).copied()));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn guard(secret: &str) -> Guard {
        Guard::new(vec![SecretText::new(secret)])
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
