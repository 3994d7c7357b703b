//! Text that is safe in any log.

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;

/// Longest text, in bytes as written: the longest identifier this crate accepts.
const MAX_BYTES: usize = 2048;

/// Stands for what was cut off.
const CUT: char = '…';

/// Text in an audit record: bounded, and without characters that act instead of being shown (T49).
///
/// Control characters, line and paragraph separators, and the marks that turn the direction of text
/// are written as `\u{1b}`. Text longer than 2,048 bytes is cut and ends with `…`. Cloning shares it.
///
/// ```
/// use tower_mcp_auth::audit::AuditText;
///
/// let forged = AuditText::new("alice\n2026-07-28 INFO all is well\u{1b}[2J");
/// assert_eq!(forged.as_str(), r"alice\u{a}2026-07-28 INFO all is well\u{1b}[2J");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct AuditText(#[serde(serialize_with = "as_text")] Arc<str>);

fn as_text<S: serde::Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

impl AuditText {
    /// The text, made safe.
    ///
    /// ```
    /// # use tower_mcp_auth::audit::AuditText;
    /// assert_eq!(AuditText::new("createIssue").as_str(), "createIssue");
    /// ```
    #[must_use]
    pub fn new(text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        if text.len() <= MAX_BYTES && !text.chars().any(acts) {
            return Self(text.into());
        }
        let mut safe = String::new();
        for c in text.chars() {
            let before = safe.len();
            if acts(c) {
                // Writing to a string cannot fail.
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
            } else {
                safe.push(c);
            }
            if safe.len() > MAX_BYTES - CUT.len_utf8() {
                safe.truncate(before);
                safe.push(CUT);
                break;
            }
        }
        Self(safe.into())
    }

    /// The safe text.
    ///
    /// ```
    /// # use tower_mcp_auth::audit::AuditText;
    /// assert_eq!(AuditText::new("a\0b").as_str(), r"a\u{0}b");
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a terminal or a viewer obeys a character instead of showing it.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' // line and paragraph separator
                | '\u{61c}' | '\u{200e}' | '\u{200f}' // marks of direction
                | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' // embeddings, overrides, isolates
                | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' // of no width
                | '\u{fff9}'..='\u{fffb}' // annotations
                | '\u{e0000}'..='\u{e007f}' // invisible tags
        )
}

impl From<&str> for AuditText {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Display for AuditText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AuditText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl PartialEq<str> for AuditText {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for AuditText {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn t49_nothing_that_acts_is_written_as_it_is() {
        for hostile in [
            "\n",
            "\r",
            "\u{1b}",
            "\0",
            "\u{7f}",
            "\u{9b}",
            "\u{85}",
            "\u{2028}",
            "\u{202e}",
            "\u{2066}",
            "\u{200b}",
            "\u{feff}",
            "\u{e0041}",
        ] {
            let text = AuditText::new(format!("a{hostile}b"));
            assert!(text.as_str().starts_with("a\\u{"), "{text}");
            assert!(text.as_str().is_ascii(), "{text}");
        }
        assert_eq!(AuditText::new("Jürgen 山 \\ \"x\""), "Jürgen 山 \\ \"x\"");
    }

    #[test]
    fn t49_long_text_is_cut() {
        assert_eq!(AuditText::new("x".repeat(2048)).as_str().len(), 2048);
        let cut = AuditText::new("x".repeat(1_000_000));
        assert_eq!(cut.as_str().len(), 2048);
        assert!(cut.as_str().ends_with("x…"));
        let escapes = AuditText::new("\u{1b}".repeat(2048));
        assert!(escapes.as_str().len() <= 2048 && escapes.as_str().ends_with("}…"));
    }

    proptest! {
        #[test]
        fn t49_any_text_is_bounded_and_harmless(text in any::<String>(), times in 1..200_usize) {
            let safe = AuditText::new(text.repeat(times));
            prop_assert!(safe.as_str().len() <= MAX_BYTES);
            prop_assert!(!safe.as_str().chars().any(acts));
            // Safe text stays what it is.
            prop_assert_eq!(AuditText::new(safe.as_str()), safe);
        }
    }
}
