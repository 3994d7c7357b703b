//! Names with wildcards, matched in one pass.

use std::cmp::Reverse;

/// The longest name a rule can be about, in bytes; a longer one matches no pattern.
pub(super) const MAX_NAME: usize = 2048;

/// States fit a machine word of two halves: that is what makes matching linear.
const MAX_MIDDLE: usize = 127;

const ADJACENT: &str = "put some text between two wildcards; * is anything but /, ** anything";
const LONG: &str = "use at most 127 characters from the first wildcard to the last";

/// A text with `*` (any run of characters but `/`, perhaps none) and `**` (any run at all).
///
/// Between the first and the last wildcard it is a set of states in the bits of one number, moved
/// by each byte: no backtracking, so no name is slow.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: Box<str>,
    prefix: Box<str>,
    suffix: Box<str>,
    /// Where `*`, `**` and each byte stand, from the first wildcard to the last.
    stars: u128,
    globstars: u128,
    letters: Box<[(u8, u128)]>,
    accept: u128,
    /// How many bytes are not wildcards.
    literals: usize,
    wildcards: usize,
}

impl Pattern {
    /// `None` for a text without wildcards.
    pub(super) fn parse(text: &str) -> Option<Result<Self, &'static str>> {
        let (first, last) = (text.find('*')?, text.rfind('*')?);
        let prefix = text.get(..first)?;
        let suffix = text.get(last + 1..)?;
        Some(Self::new(text, prefix, suffix))
    }

    fn new(text: &str, prefix: &str, suffix: &str) -> Result<Self, &'static str> {
        let middle = text.as_bytes();
        let middle = middle.strip_prefix(prefix.as_bytes()).unwrap_or(middle);
        let middle = middle.strip_suffix(suffix.as_bytes()).unwrap_or(middle);
        if middle.len() > MAX_MIDDLE {
            return Err(LONG);
        }
        let mut pattern = Self {
            text: text.into(),
            prefix: prefix.into(),
            suffix: suffix.into(),
            stars: 0,
            globstars: 0,
            letters: Box::default(),
            accept: 0,
            literals: prefix.len() + suffix.len(),
            wildcards: 0,
        };
        pattern.read(middle)?;
        Ok(pattern)
    }

    /// Gives each byte and each wildcard from the first wildcard to the last a bit of its own.
    fn read(&mut self, middle: &[u8]) -> Result<(), &'static str> {
        let mut letters: Vec<(u8, u128)> = Vec::new();
        let (mut rest, mut bit) = (middle, 1);
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match after {
                [b'*', b'*', ..] if byte == b'*' => return Err(ADJACENT),
                [b'*', after @ ..] if byte == b'*' => {
                    self.globstars |= bit;
                    rest = after;
                }
                _ if byte == b'*' => self.stars |= bit,
                _ => match letters.iter_mut().find(|(letter, _)| *letter == byte) {
                    Some((_, places)) => *places |= bit,
                    None => letters.push((byte, bit)),
                },
            }
            let wildcard = byte == b'*';
            self.wildcards += usize::from(wildcard);
            self.literals += usize::from(!wildcard);
            bit <<= 1;
        }
        self.accept = bit;
        self.letters = letters.into();
        Ok(())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn globstars(&self) -> u32 {
        self.globstars.count_ones()
    }

    /// Sorts the most specific first: the longest text before the first wildcard, then the most
    /// text in all, then the fewest `**`, then the fewest wildcards; the text itself decides the
    /// rest, so that the order in which rules are written never matters.
    pub(super) fn rank(&self) -> impl Ord + use<'_> {
        (
            Reverse(self.prefix.len()),
            Reverse(self.literals),
            self.globstars(),
            self.wildcards,
            &*self.text,
        )
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        if name.len() > MAX_NAME {
            return false;
        }
        let Some(middle) = name
            .strip_prefix(&*self.prefix)
            .and_then(|rest| rest.strip_suffix(&*self.suffix))
        else {
            return false;
        };
        let mut state = self.skip(1);
        for byte in middle.bytes() {
            let letter = self.letters.iter().find(|(letter, _)| *letter == byte);
            let places = letter.map_or(0, |(_, places)| *places);
            let mut next = ((state & places) << 1) | (state & self.globstars);
            if byte != b'/' {
                next |= state & self.stars;
            }
            state = self.skip(next);
            if state == 0 {
                return false;
            }
        }
        state & self.accept != 0
    }

    /// A wildcard may stand for nothing. No two are adjacent, so one step is enough.
    fn skip(&self, state: u128) -> u128 {
        state | ((state & (self.stars | self.globstars)) << 1)
    }
}
