//! Rules by name: exact ones by one hash look-up, patterns in the order of how specific they are.

use std::collections::HashMap;

use super::dispatch::Dispatcher;
use super::pattern::{MAX_NAME, Pattern};
use super::rule::ToolRule;
use super::uri::{filled_in, is_plain};

/// Most rules of one kind, and most patterns among them: those are tried one by one.
const MAX_RULES: usize = 20_000;
const MAX_PATTERNS: usize = 1000;

const NAME: &str = "write a name of 1 to 2048 bytes without control characters or outer spaces";
const TWICE: &str = "there is a rule for this already; write one rule with all conditions";
const FULL: &str = "write at most 20000 rules, 1000 of them with wildcards; use patterns for more";
const URI: &str = "write the URI in plain form: small letters in scheme and host, no empty or dot segments, no fragment, no needless escapes; e.g. file:///projects/**";

/// A rule, and for a dispatcher what finds the rule of each call.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) rule: ToolRule,
    pub(super) dispatcher: Option<Dispatcher>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    exact: HashMap<Box<str>, Entry>,
    /// The most specific first.
    patterns: Vec<(Pattern, Entry)>,
}

impl Table {
    /// Adds a rule, or says why it cannot be one. The first of two for the same name stays.
    pub(super) fn insert(&mut self, name: &str, entry: Entry) -> Result<(), &'static str> {
        let outer_space = name.trim().len() != name.len();
        if name.is_empty()
            || name.len() > MAX_NAME
            || outer_space
            || name.chars().any(char::is_control)
        {
            return Err(NAME);
        }
        if self.exact.len() + self.patterns.len() >= MAX_RULES {
            return Err(FULL);
        }
        match Pattern::parse(name) {
            None if self.exact.contains_key(name) => return Err(TWICE),
            None => {
                self.exact.insert(name.into(), entry);
            }
            Some(pattern) => {
                let pattern = pattern?;
                if self.patterns.len() >= MAX_PATTERNS {
                    return Err(FULL);
                }
                let more_specific = |(known, _): &(Pattern, Entry)| known.rank() < pattern.rank();
                let at = self.patterns.partition_point(more_specific);
                if self
                    .patterns
                    .get(at)
                    .is_some_and(|(known, _)| known.as_str() == name)
                {
                    return Err(TWICE);
                }
                self.patterns.insert(at, (pattern, entry));
            }
        }
        Ok(())
    }

    /// The same for the URI of a resource, which must be one that [`find_uri`](Self::find_uri) can
    /// come upon.
    pub(super) fn insert_uri(&mut self, uri: &str, entry: Entry) -> Result<(), &'static str> {
        let filled = filled_in(uri);
        // A final slash is for whoever spells it out.
        let exact = filled.strip_suffix('/').unwrap_or(&filled);
        let example = |letter| uri.replace("**", letter).replace('*', letter);
        let plain = if uri.contains('*') {
            uri == "**" || is_plain(&example("x")) || is_plain(&example("1"))
        } else {
            is_plain(&filled) || is_plain(exact)
        };
        if plain {
            self.insert(uri, entry)
        } else {
            Err(URI)
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<&Entry> {
        self.exact
            .get(name)
            .or_else(|| self.by_pattern(name, false))
    }

    /// Whether a rule names exactly this.
    pub(super) fn has(&self, name: &str) -> bool {
        self.exact.contains_key(name)
    }

    /// A resource by its URI. Patterns see plain URIs only, and a query only if they have one
    /// themselves: a server may ignore it.
    pub(super) fn find_uri(&self, uri: &str) -> Option<&Entry> {
        self.exact.get(uri).or_else(|| self.by_plain_uri(uri))
    }

    /// Resources by the template of their URIs.
    pub(super) fn find_template(&self, template: &str) -> Option<&Entry> {
        self.exact.get(template).or_else(|| {
            let short = template.len() <= MAX_NAME;
            short.then(|| self.by_plain_uri(&filled_in(template)))?
        })
    }

    fn by_plain_uri(&self, uri: &str) -> Option<&Entry> {
        is_plain(uri).then(|| self.by_pattern(uri, uri.contains('?')))?
    }

    fn by_pattern(&self, name: &str, with_query: bool) -> Option<&Entry> {
        self.patterns
            .iter()
            .find(|(pattern, _)| {
                (!with_query || pattern.as_str().contains('?')) && pattern.matches(name)
            })
            .map(|(_, entry)| entry)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        let exact = self.exact.iter().map(|(name, entry)| (&**name, entry));
        let patterns = self.patterns.iter();
        exact.chain(patterns.map(|(pattern, entry)| (pattern.as_str(), entry)))
    }
}
