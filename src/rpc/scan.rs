//! A scanner that checks a whole JSON text (RFC 8259) and builds nothing.

use std::borrow::Cow;

use super::fault::MessageFault;
use super::open::Open;

/// The content of a string, as written between its quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'b> {
    raw: &'b str,
    escaped: bool,
}

impl<'b> Text<'b> {
    /// The string itself, if it was written without escapes.
    pub(super) fn plain(self) -> Option<&'b str> {
        (!self.escaped).then_some(self.raw)
    }

    pub(super) fn decode(self) -> Result<Cow<'b, str>, MessageFault> {
        if !self.escaped {
            return Ok(Cow::Borrowed(self.raw));
        }
        let mut decoded = String::with_capacity(self.raw.len());
        let mut rest = self.raw;
        while let Some((before, after)) = rest.split_once('\\') {
            decoded.push_str(before);
            let (char, length) = escape(after.as_bytes())?;
            decoded.push(char);
            rest = after.get(length..).ok_or(MessageFault::NotJson)?;
        }
        decoded.push_str(rest);
        Ok(Cow::Owned(decoded))
    }
}

/// A value, as it stands in the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'b> {
    pub(super) raw: &'b str,
    pub(super) kind: ValueKind<'b>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum ValueKind<'b> {
    Null,
    Bool,
    Number,
    Text(Text<'b>),
    Array,
    Object,
}

/// What stands next in the innermost array or object.
pub(super) enum Step<'b> {
    /// Its end.
    Closed,
    /// A value.
    Item,
    /// A member of this name, whose value is next.
    Member(Text<'b>),
}

/// A place in a text. Every method leaves it behind what it read.
pub(super) struct Scanner<'b> {
    text: &'b str,
    at: usize,
    open: Open<'b>,
    /// Nothing stands yet in the innermost array or object.
    fresh: bool,
}

impl<'b> Scanner<'b> {
    pub(super) fn new(text: &'b str) -> Self {
        Self {
            text,
            at: 0,
            open: Open::new(),
            fresh: false,
        }
    }

    fn rest(&self) -> &'b [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// The next byte that is no white space.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.text.as_bytes().get(self.at).copied() {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// Nothing may stand behind the value.
    pub(super) fn end(&mut self) -> Result<(), MessageFault> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(MessageFault::NotJson),
        }
    }

    /// Steps over the bracket or brace that [`Self::peek`] found.
    #[inline]
    pub(super) fn enter(&mut self, object: bool) -> Result<(), MessageFault> {
        self.open.enter(object)?;
        self.at += 1;
        self.fresh = true;
        Ok(())
    }

    #[inline]
    pub(super) fn step(&mut self) -> Result<Step<'b>, MessageFault> {
        let object = self.open.in_object();
        let fresh = std::mem::replace(&mut self.fresh, false);
        match self.peek() {
            Some(b'}') if object => return Ok(self.leave()),
            Some(b']') if !object => return Ok(self.leave()),
            Some(b',') if !fresh => self.at += 1,
            Some(_) if fresh => {}
            _ => return Err(MessageFault::NotJson),
        }
        if !object {
            return Ok(Step::Item);
        }
        if self.peek() != Some(b'"') {
            return Err(MessageFault::NotJson);
        }
        let name = self.string()?;
        self.open.add(name)?;
        if self.peek() != Some(b':') {
            return Err(MessageFault::NotJson);
        }
        self.at += 1;
        Ok(Step::Member(name))
    }

    fn leave(&mut self) -> Step<'b> {
        self.at += 1;
        self.open.leave();
        Step::Closed
    }

    /// Reads a whole value, whatever it nests.
    pub(super) fn value(&mut self) -> Result<Value<'b>, MessageFault> {
        let first = self.peek().ok_or(MessageFault::NotJson)?;
        let start = self.at;
        let kind = match first {
            b'{' => self.nest(true).map(|()| ValueKind::Object),
            b'[' => self.nest(false).map(|()| ValueKind::Array),
            _ => self.scalar(first),
        }?;
        let raw = self.text.get(start..self.at).ok_or(MessageFault::NotJson)?;
        Ok(Value { raw, kind })
    }

    /// Reads an array or object to its end. The levels below are counted, not called.
    fn nest(&mut self, object: bool) -> Result<(), MessageFault> {
        let outside = self.open.depth();
        self.enter(object)?;
        while self.open.depth() > outside {
            if matches!(self.step()?, Step::Closed) {
                continue;
            }
            match self.peek().ok_or(MessageFault::NotJson)? {
                b'{' => self.enter(true)?,
                b'[' => self.enter(false)?,
                first => {
                    self.scalar(first)?;
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn scalar(&mut self, first: u8) -> Result<ValueKind<'b>, MessageFault> {
        match first {
            b'"' => self.string().map(ValueKind::Text),
            b't' => self.word(b"true", ValueKind::Bool),
            b'f' => self.word(b"false", ValueKind::Bool),
            b'n' => self.word(b"null", ValueKind::Null),
            _ => self.number().map(|()| ValueKind::Number),
        }
    }

    fn word(&mut self, word: &[u8], kind: ValueKind<'b>) -> Result<ValueKind<'b>, MessageFault> {
        if !self.rest().starts_with(word) {
            return Err(MessageFault::NotJson);
        }
        self.at += word.len();
        Ok(kind)
    }

    /// RFC 8259 §6: `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`, and within the range of
    /// `f64`: `serde_json` refuses what is beyond.
    fn number(&mut self) -> Result<(), MessageFault> {
        let start = self.at;
        self.skip(b"-");
        if !self.skip(b"0") {
            self.digits()?;
        }
        if self.skip(b".") {
            self.digits()?;
        }
        let exponent = self.skip(b"eE");
        if exponent {
            self.skip(b"+-");
            self.digits()?;
        }
        if !exponent && self.at - start < 300 {
            return Ok(());
        }
        let number = self.text.get(start..self.at).unwrap_or_default();
        match serde_json::from_str::<f64>(number) {
            Ok(_) => Ok(()),
            Err(_) => Err(MessageFault::NotJson),
        }
    }

    /// Steps over one byte if it is any of these.
    fn skip(&mut self, any: &[u8]) -> bool {
        let found = self.rest().first().is_some_and(|byte| any.contains(byte));
        self.at += usize::from(found);
        found
    }

    fn digits(&mut self) -> Result<(), MessageFault> {
        let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit());
        match digits.count() {
            0 => Err(MessageFault::NotJson),
            count => {
                self.at += count;
                Ok(())
            }
        }
    }

    /// Reads the string that begins at the quote here.
    #[inline]
    fn string(&mut self) -> Result<Text<'b>, MessageFault> {
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            let rest = self.rest();
            let run = plain_run(rest);
            self.at += run + 1;
            match rest.get(run) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += escape(self.rest())?.1;
                }
                _ => return Err(MessageFault::NotJson),
            }
        }
        let raw = self
            .text
            .get(start..self.at - 1)
            .ok_or(MessageFault::NotJson)?;
        Ok(Text { raw, escaped })
    }
}

/// How many bytes stand for themselves, up to a quote, a backslash or a control character. Looks at
/// eight at a time.
#[inline]
fn plain_run(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);
    const QUOTES: u64 = u64::from_ne_bytes([b'"'; 8]);
    const BACKSLASHES: u64 = u64::from_ne_bytes([b'\\'; 8]);
    const SPACES: u64 = u64::from_ne_bytes([b' '; 8]);
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & TOPS;
    let mut rest = bytes;
    while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
        // Little-endian: the lowest bit found is exact, those above may be borrowed.
        let word = u64::from_le_bytes(*chunk);
        let control = word.wrapping_sub(SPACES) & !word & TOPS;
        let found = zeros(word ^ QUOTES) | zeros(word ^ BACKSLASHES) | control;
        if found != 0 {
            let plain = usize::try_from(found.trailing_zeros() / 8).unwrap_or(0);
            return bytes.len() - rest.len() + plain;
        }
        rest = after;
    }
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..b' ');
    let tail = rest.iter().position(special).unwrap_or(rest.len());
    bytes.len() - rest.len() + tail
}

/// The character of the escape behind a backslash, and the length of the escape. Both halves of a
/// surrogate pair are one escape; a half alone is no character.
fn escape(bytes: &[u8]) -> Result<(char, usize), MessageFault> {
    let char = match bytes.first().ok_or(MessageFault::NotJson)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(bytes).ok_or(MessageFault::NotJson),
        _ => return Err(MessageFault::NotJson),
    };
    Ok((char, 1))
}

/// `uXXXX`, or `uXXXX\uXXXX` for a surrogate pair.
fn unicode(bytes: &[u8]) -> Option<(char, usize)> {
    let first = hex4(bytes.get(1..5)?)?;
    if !(0xD800..0xDC00).contains(&first) {
        return Some((char::from_u32(first)?, 5));
    }
    if bytes.get(5..7)? != b"\\u" {
        return None;
    }
    let second = hex4(bytes.get(7..11)?)?;
    if !(0xDC00..0xE000).contains(&second) {
        return None;
    }
    let joined = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
    Some((char::from_u32(joined)?, 11))
}

fn hex4(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| {
        Some(number << 4 | char::from(*digit).to_digit(16)?)
    })
}
