//! A strict reader for the JSON inside tokens (T8, T14, T17).
//!
//! General JSON libraries keep the last of two equal members, or the first; two of them in one
//! system disagree, and the token means two things. Here a duplicate at any depth refuses the whole
//! text (RFC 7519 §4), names are compared after unescaping, and depth and size are bounded before
//! anything is built.

mod object;

use std::borrow::Cow;

pub(crate) use object::Object;

/// A JSON value borrowed from its text where no escape stands in the way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    /// The digits as written: what a number means depends on the claim.
    Number(&'a str),
    String(Cow<'a, str>),
    Array(Vec<Self>),
    Object(Object<'a>),
}

/// The text is not JSON, or not JSON we accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Most members and array items in one text, over all depths.
const MAX_VALUES: usize = 256;

/// The fewest bytes that most members take, with name and punctuation.
const BYTES_A_MEMBER: usize = 24;

/// Digits that stand for a number within `f64` in any case.
const FEW_DIGITS: usize = 18;

/// Reads a text that must be one object, nested at most `depth` deep.
pub(crate) fn parse_object(text: &[u8], depth: usize) -> Result<Object<'_>, Malformed> {
    let text = std::str::from_utf8(text).map_err(|_| Malformed)?;
    let mut reader = Reader {
        text,
        at: 0,
        values: 0,
    };
    reader.skip_space();
    if reader.peek() != Some(b'{') {
        return Err(Malformed);
    }
    let Json::Object(object) = reader.value(depth)? else {
        return Err(Malformed);
    };
    reader.skip_space();
    if reader.peek().is_some() {
        return Err(Malformed);
    }
    Ok(object)
}

impl Json<'_> {
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    values: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.next() == Some(byte) {
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    fn slice(&self, from: usize, to: usize) -> Result<&'a str, Malformed> {
        self.text.get(from..to).ok_or(Malformed)
    }

    fn value(&mut self, depth: usize) -> Result<Json<'a>, Malformed> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(Malformed);
        }
        match self.peek().ok_or(Malformed)? {
            b'{' => self.object(depth.checked_sub(1).ok_or(Malformed)?),
            b'[' => self.array(depth.checked_sub(1).ok_or(Malformed)?),
            b'"' => self.string().map(Json::String),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'n' => self.word("null", Json::Null),
            _ => self.number().map(Json::Number),
        }
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Result<Json<'a>, Malformed> {
        let end = self.at + word.len();
        if self.slice(self.at, end)? != word {
            return Err(Malformed);
        }
        self.at = end;
        Ok(value)
    }

    fn object(&mut self, depth: usize) -> Result<Json<'a>, Malformed> {
        // The outermost is at once as large as it will be, as a rule.
        let is_outermost = self.values == 1;
        let room = (self.text.len() / BYTES_A_MEMBER).clamp(4, 16);
        let mut object = Object::with_capacity(if is_outermost { room } else { 0 });
        self.expect(b'{')?;
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(object));
        }
        loop {
            self.skip_space();
            let name = self.string()?;
            if object.has(&name) {
                return Err(Malformed);
            }
            self.skip_space();
            self.expect(b':')?;
            self.skip_space();
            let value = self.value(depth)?;
            object.push(name, value);
            self.skip_space();
            match self.next() {
                Some(b',') => {}
                Some(b'}') => return Ok(Json::Object(object)),
                _ => return Err(Malformed),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json<'a>, Malformed> {
        let mut items = Vec::new();
        self.expect(b'[')?;
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::Array(items));
        }
        loop {
            self.skip_space();
            items.push(self.value(depth)?);
            self.skip_space();
            match self.next() {
                Some(b',') => {}
                Some(b']') => return Ok(Json::Array(items)),
                _ => return Err(Malformed),
            }
        }
    }

    /// RFC 8259 §6: `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`, and finite: a text with a
    /// number beyond `f64` cannot be read by `serde_json`, so `Principal::claims` would lack
    /// every claim of a token we took.
    fn number(&mut self) -> Result<&'a str, Malformed> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let number = self.slice(start, self.at)?;
        // Only an exponent or many digits lead out of `f64`.
        let small = number.len() <= FEW_DIGITS && !number.contains(['e', 'E']);
        if !small && serde_json::from_str::<f64>(number).is_err() {
            return Err(Malformed);
        }
        Ok(number)
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start {
            Err(Malformed)
        } else {
            Ok(())
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        self.expect(b'"')?;
        let mut run = self.at;
        let mut unescaped: Option<String> = None;
        loop {
            self.skip_plain();
            match self.next().ok_or(Malformed)? {
                b'"' => {
                    let tail = self.slice(run, self.at - 1)?;
                    return Ok(match unescaped {
                        None => Cow::Borrowed(tail),
                        Some(text) => Cow::Owned(text + tail),
                    });
                }
                b'\\' => {
                    let text = unescaped.get_or_insert_default();
                    text.push_str(self.text.get(run..self.at - 1).ok_or(Malformed)?);
                    text.push(self.escape()?);
                    run = self.at;
                }
                0x00..=0x1F => return Err(Malformed),
                _ => {}
            }
        }
    }

    /// Past all that stands for itself in a string.
    fn skip_plain(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0x00..=0x1F);
        self.at += rest.iter().position(special).unwrap_or(rest.len());
    }

    fn escape(&mut self) -> Result<char, Malformed> {
        Ok(match self.next().ok_or(Malformed)? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(),
            _ => return Err(Malformed),
        })
    }

    /// `\uXXXX`, joined with its second half if it is a surrogate; a lone surrogate is no text.
    fn unicode_escape(&mut self) -> Result<char, Malformed> {
        let first = self.hex4()?;
        if !(0xD800..0xDC00).contains(&first) {
            return char::from_u32(first).ok_or(Malformed);
        }
        self.expect(b'\\')?;
        self.expect(b'u')?;
        let second = self.hex4()?;
        if !(0xDC00..0xE000).contains(&second) {
            return Err(Malformed);
        }
        char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)).ok_or(Malformed)
    }

    fn hex4(&mut self) -> Result<u32, Malformed> {
        let digits = self.slice(self.at, self.at + 4)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Malformed);
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn plain(json: &Json<'_>) -> Value {
        match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(digits) => serde_json::from_str(digits).unwrap(),
            Json::String(text) => Value::String(text.to_string()),
            Json::Array(items) => items.iter().map(plain).collect(),
            Json::Object(object) => object
                .iter()
                .map(|(name, value)| (name.to_string(), plain(value)))
                .collect(),
        }
    }

    fn accepts(text: &str) -> bool {
        parse_object(text.as_bytes(), 16).is_ok()
    }

    // also: T14
    #[test]
    fn jwt_17_duplicates_are_refused_at_any_depth_and_however_written() {
        assert!(!accepts(r#"{"aud":"a","aud":"b"}"#));
        assert!(!accepts(r#"{"aud":"a","\u0061ud":"b"}"#));
        assert!(!accepts(r#"{"x":[{"y":{"z":1,"z":1}}]}"#));
        assert!(accepts(r#"{"x":{"a":1},"y":{"a":1}}"#));
    }

    #[test]
    fn jwt_17_every_escape_is_read() {
        let text = r#"{"\u0061":"\"\\\/\b\f\n\r\t \u0041 \u00e9 \u20AC \ud83d\ude00"}"#;
        let object = parse_object(text.as_bytes(), 16).unwrap();
        let expected = "\"\\/\u{8}\u{c}\n\r\t A é € 😀";
        assert_eq!(object.get("a").and_then(Json::as_str), Some(expected));
    }

    #[test]
    fn t17_depth_and_size_are_bounded() {
        let nested = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        assert!(accepts(&nested(16)));
        assert!(!accepts(&nested(17)));
        assert!(!accepts(&nested(100_000)));
        let wide = |members: usize| {
            let members: Vec<String> = (0..members).map(|n| format!("\"m{n}\":1")).collect();
            format!("{{{}}}", members.join(","))
        };
        assert!(accepts(&wide(255)));
        assert!(!accepts(&wide(256)));
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "[]",
            "1",
            "null",
            "\"a\"",
            "{}x",
            "{} {}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{'a':1}",
            "{\"a\":01}",
            "{\"a\":+1}",
            "{\"a\":.5}",
            "{\"a\":1.}",
            "{\"a\":1e}",
            "{\"a\":-}",
            "{\"a\":NaN}",
            "{\"a\":1e400}",
            "{\"a\":[-1e400]}",
            "{\"a\":Infinity}",
            "{\"a\":tru}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\\ud800\\u0041\"}",
            "{\"a\":\"\\u12\"}",
            "{\"a\":\"\\u+123\"}",
            "\u{feff}{}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":\"",
        ] {
            assert!(!accepts(text), "{text:?}");
        }
        assert!(parse_object(b"{\"a\":\"\xff\"}", 16).is_err());
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 48, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_serde_writes_reads_back_the_same(members in prop::collection::hash_map(any::<String>(), json_value(), 0..6), pretty in any::<bool>()) {
            let value = Value::Object(members.into_iter().collect());
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let read = parse_object(text.as_bytes(), 16).unwrap();
            // Not `value`: serde_json itself does not read every float back to the last digit.
            let expected: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(plain(&Json::Object(read)), expected);
        }

        #[test]
        fn whatever_we_accept_serde_accepts_with_the_same_meaning(text in r#"[\{\}\[\]":,0-9a-f\\uetrn. \-]{0,24}"#) {
            let text = format!("{{\"a\":{text}}}");
            if let Ok(read) = parse_object(text.as_bytes(), 16) {
                prop_assert_eq!(Some(plain(&Json::Object(read))), serde_json::from_str::<Value>(&text).ok());
            }
        }

        #[test]
        fn edge_11_arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = parse_object(&bytes, 16);
        }
    }
}
