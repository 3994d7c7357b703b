//! "Did you mean": the nearest of the words that would have been right.

/// The word that was probably meant, if one is near enough.
pub(super) fn nearest<'w>(
    found: &str,
    words: impl IntoIterator<Item = &'w str>,
) -> Option<&'w str> {
    /// Nobody types a longer name by mistake, and the work grows with its square.
    const LONGEST: usize = 64;
    let found = found.to_lowercase().replace('-', "_");
    let length = found.chars().count();
    if length > LONGEST {
        return None;
    }
    let allowed = (length / 3).clamp(1, 3);
    words
        .into_iter()
        .map(|word| (distance(&found, &word.to_lowercase()), word))
        .filter(|(far, word)| *far <= allowed && *far < word.chars().count())
        .min_by_key(|(far, _)| *far)
        .map(|(_, word)| word)
}

/// How many letters differ: insertions, deletions and replacements (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (line, from) in from.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line.saturating_add(1);
        for (to, cell) in to.chars().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal.saturating_add(usize::from(from != to));
            diagonal = *cell;
            left = replaced
                .min(cell.saturating_add(1))
                .min(left.saturating_add(1));
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = line.saturating_add(1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_meant() {
        let words = ["identifier", "profile", "audiences", "leeway"];
        for (found, meant) in [
            ("profil", Some("profile")),
            ("Profile", Some("profile")),
            ("identifer", Some("identifier")),
            ("audience", Some("audiences")),
            ("leewya", Some("leeway")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(found, words), meant, "{found}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), words), None);
    }

    #[test]
    fn distances_are_those_of_levenshtein() {
        for (from, to, far) in [
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("abc", "abc", 0),
            ("ab", "ba", 2),
        ] {
            assert_eq!(distance(from, to), far, "{from} {to}");
            assert_eq!(distance(to, from), far, "{to} {from}");
        }
    }
}
