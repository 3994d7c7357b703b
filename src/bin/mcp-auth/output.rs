//! What is printed: results to stdout, remarks to stderr, both as text or as JSON.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write};

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::table::{escape, is_unsafe};

/// Where results go, and in which form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out {
    pub(crate) json: bool,
}

#[expect(
    clippy::unused_self,
    reason = "who has no `Out` prints nothing, whichever form was asked for"
)]
impl Out {
    /// One line of text, in which nothing can move the cursor.
    pub(crate) fn line(self, text: &str) -> Result<(), Failure> {
        raw(&format!("{}\n", escape(text)))
    }

    /// Lines that may hold escaped data only.
    pub(crate) fn lines(self, text: &str) -> Result<(), Failure> {
        text.lines().try_for_each(|line| self.line(line))
    }

    /// A result as JSON: whole and indented.
    pub(crate) fn value(self, value: &Value) -> Result<(), Failure> {
        raw(&format!("{}\n", json_text(value, true)))
    }

    /// One of many results as JSON, on a line of its own.
    pub(crate) fn value_line(self, value: &Value) -> Result<(), Failure> {
        raw(&format!("{}\n", json_text(value, false)))
    }

    /// A remark that is no part of the result.
    pub(crate) fn note(self, text: &str) {
        let mut stderr = std::io::stderr().lock();
        let _ = if self.json {
            writeln!(stderr, "{}", json_text(&json!({ "note": text }), false))
        } else {
            writeln!(stderr, "{}", escape(text))
        };
    }
}

/// Writes to stdout as it is.
pub(crate) fn raw(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::unread()),
        written => written
            .map_err(|error| Failure::failed("stdout is closed", error, "redirect it elsewhere")),
    }
}

/// JSON in which nothing can move the cursor: serde escapes only some of what can.
pub(crate) fn json_text(value: &Value, pretty: bool) -> String {
    let text = if pretty {
        serde_json::to_string_pretty(value)
    } else {
        serde_json::to_string(value)
    };
    let mut safe = String::new();
    for c in text.unwrap_or_default().chars() {
        if c != '\n' && is_unsafe(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to memory does not fail.
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_json_and_moves_no_cursor() {
        let value = json!({ "name": "a\u{1b}[2J\u{9b}2J\u{202e}é\u{e0001}" });
        for pretty in [false, true] {
            let text = json_text(&value, pretty);
            assert!(!text.chars().any(|c| c != '\n' && is_unsafe(c)), "{text:?}");
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
    }
}
