//! OAuth scopes as sets of whole, case-sensitive words (OAuth 2.1 §1.4.1).

use std::fmt;
use std::sync::{Arc, LazyLock};

/// Most scopes read from one token; more is not a scope list but an attack on whoever compares them.
pub(crate) const MAX_SCOPES: usize = 256;

/// A sorted set of scopes. Cloning shares it.
///
/// ```
/// use tower_mcp_auth::ScopeSet;
///
/// let granted = ScopeSet::parse("write:issues read:issues").unwrap();
/// let required = ScopeSet::parse("read:issues delete:issues").unwrap();
/// assert!(granted.contains("read:issues"));
/// assert_eq!(granted.missing(&required).to_string(), "delete:issues");
/// assert!(ScopeSet::parse("read\u{a0}write").is_none());
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ScopeSet(Arc<[Box<str>]>);

impl ScopeSet {
    /// No scope at all: also what a token without a scope claim has (SCP-10).
    #[must_use]
    pub fn empty() -> Self {
        static SHARED: LazyLock<ScopeSet> = LazyLock::new(|| ScopeSet(Arc::from([])));
        SHARED.clone()
    }

    /// Reads the value of a `scope` claim or parameter: words separated by one or more spaces
    /// (0x20) and by nothing else.
    ///
    /// `None` if any byte is outside the grammar of OAuth 2.1 §1.4.1 (`%x21 / %x23-5B / %x5D-7E`),
    /// or if there are more than 256 words. A peer that split at a no-break space granted what
    /// followed it; here such a value is no scope list.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        Self::from_words(value.split(' ').filter(|word| !word.is_empty()))
    }

    /// The set of the given words; `None` if one is empty or outside the grammar.
    #[must_use]
    pub fn from_words<I>(words: I) -> Option<Self>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut set: Vec<Box<str>> = Vec::new();
        for word in words {
            let word = word.as_ref();
            if !is_scope_token(word) || set.len() >= MAX_SCOPES {
                return None;
            }
            set.push(word.into());
        }
        if set.is_empty() {
            return Some(Self::empty());
        }
        set.sort_unstable();
        set.dedup();
        Some(Self(set.into()))
    }

    /// Whether exactly this scope is in the set.
    #[must_use]
    pub fn contains(&self, scope: &str) -> bool {
        self.0.binary_search_by(|held| (**held).cmp(scope)).is_ok()
    }

    /// Those of `required` that this set lacks.
    #[must_use]
    pub fn missing(&self, required: &Self) -> Self {
        Self(
            required
                .0
                .iter()
                .filter(|scope| !self.contains(scope))
                .cloned()
                .collect(),
        )
    }

    /// Whether nothing of `required` is missing. Makes no set: it is asked on every request.
    #[must_use]
    pub fn covers(&self, required: &Self) -> bool {
        required.0.iter().all(|scope| self.contains(scope))
    }

    /// The scopes of both sets.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut words = self.0.to_vec();
        words.extend(other.0.iter().cloned());
        words.sort_unstable();
        words.dedup();
        Self(words.into())
    }

    /// The scopes in alphabetical order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// How many scopes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Default for ScopeSet {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Display for ScopeSet {
    /// The form of a `scope` parameter: words separated by one space.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, scope) in self.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope)?;
        }
        Ok(())
    }
}

impl fmt::Debug for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScopeSet({self})")
    }
}

/// `const`, so that scopes in the source can be checked where they are compiled.
pub(crate) const fn is_scope_token(word: &str) -> bool {
    let mut bytes = word.as_bytes();
    if bytes.is_empty() {
        return false;
    }
    while let [byte, rest @ ..] = bytes {
        if !matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E) {
            return false;
        }
        bytes = rest;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scp_09_only_spaces_separate_and_case_counts() {
        let scopes = ScopeSet::parse("  read:issues   write:issues ").unwrap();
        assert_eq!(scopes.to_string(), "read:issues write:issues");
        assert!(!scopes.contains("Read:issues"));
        for bad in ["a\tb", "a\u{a0}b", "a\"b", "a\\b", "é", "a\nb", "a\u{0}"] {
            assert!(ScopeSet::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn missing_and_union_are_set_operations() {
        let held = ScopeSet::parse("a b").unwrap();
        let wanted = ScopeSet::parse("b c").unwrap();
        assert_eq!(held.missing(&wanted).to_string(), "c");
        assert_eq!(held.union(&wanted).to_string(), "a b c");
        assert!(held.missing(&ScopeSet::empty()).is_empty());
        assert!(!held.covers(&wanted) && held.covers(&held));
        assert!(held.covers(&ScopeSet::empty()) && !ScopeSet::empty().covers(&held));
        assert_eq!(ScopeSet::parse("a a a").unwrap().len(), 1);
    }

    #[test]
    fn a_flood_of_scopes_is_no_scope_list() {
        let words: Vec<String> = (0..257).map(|n| format!("s{n}")).collect();
        assert!(ScopeSet::parse(&words.join(" ")).is_none());
    }
}
