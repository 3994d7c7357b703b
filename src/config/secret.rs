//! Secrets: given as they are, or as the place where they are. Never shown.

use std::path::Path as FilePath;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::read::{Path, Reader, Setting};
use super::shape::Shape;
use crate::secret::SecretText;

/// Longest file of a secret, in bytes.
pub(super) const LONGEST: u64 = 64 * 1024;

/// A secret: text, `{ file = "/run/secrets/x" }` or `{ env = "NAME" }`.
pub(super) struct Secret(SecretText);

impl Secret {
    pub(super) fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The bytes that a key is written for, in base64.
    pub(super) fn key(&self, at: &str, reader: &mut Reader<'_>) -> Option<Zeroizing<Vec<u8>>> {
        let key = STANDARD.decode(self.expose().trim());
        if key.is_err() {
            let remedy = "write the base64 of at least 32 random bytes, as `openssl rand -base64 32` prints it";
            reader.add(at, "…", remedy);
        }
        key.ok().map(Zeroizing::new)
    }
}

impl Setting for Secret {
    fn shape() -> Shape {
        Shape::Secret
    }

    fn read(value: &Value, at: &Path, reader: &mut Reader<'_>) -> Option<Self> {
        let text = match value {
            Value::String(text) => Some(SecretText::new(text)),
            Value::Object(place) => fetch(place, at, reader),
            _ => {
                reader.add(at.as_str(), "…", FORM);
                None
            }
        }?;
        if text.expose().is_empty() {
            let remedy = "the secret is empty; write it, or leave the name out";
            reader.add(at.as_str(), "", remedy);
            return None;
        }
        Some(Self(text))
    }
}

const FORM: &str =
    "write { file = \"/run/secrets/name\" }, { env = \"NAME\" }, or the secret as text";

/// What is not the name of a file or a variable may be the secret itself, so it is not shown.
fn fetch(place: &Map<String, Value>, at: &Path, reader: &mut Reader<'_>) -> Option<SecretText> {
    let mut members = place.iter();
    match (members.next(), members.next()) {
        (Some((name, Value::String(file))), None) if name == "file" => {
            let text = read_file(FilePath::new(file));
            text.map_err(|problem| {
                let shown = if looks_like_path(file) { file } else { "…" };
                reader.add(at.as_str(), shown, format!("the file {problem}"));
            })
            .ok()
        }
        (Some((name, Value::String(variable))), None) if name == "env" => {
            let text = reader.variable(variable);
            if text.is_none() {
                let shown = if looks_like_variable(variable) {
                    variable
                } else {
                    "…"
                };
                reader.add(
                    at.as_str(),
                    shown,
                    "this variable is not set, or is no text",
                );
            }
            text
        }
        _ => {
            reader.add(at.as_str(), "…", FORM);
            None
        }
    }
}

fn looks_like_path(text: &str) -> bool {
    text.starts_with(['/', '.', '~']) && !text.contains("://")
}

fn looks_like_variable(text: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    text.contains('_') && text.bytes().all(is_good)
}

/// The paths of secrets that are given as text.
pub(super) fn literal(shape: &Shape, value: &Value, at: &Path, found: &mut Vec<String>) {
    match (shape, value) {
        (Shape::Secret, Value::String(_)) => found.push(at.to_string()),
        (Shape::Table(table), Value::Object(members)) => {
            for member in &table.members {
                if let Some(value) = members.get(member.name) {
                    literal(&member.shape, value, &at.member(member.name), found);
                }
            }
        }
        (Shape::List(item), Value::Array(items)) => {
            for (index, value) in items.iter().enumerate() {
                literal(item, value, &at.item(index), found);
            }
        }
        _ => {}
    }
}

/// The text of a file without the line end that editors put there. What went wrong is told without a word of
/// the text.
pub(super) fn read_file(path: &FilePath) -> Result<SecretText, String> {
    let bytes = Zeroizing::new(read_bytes(path, LONGEST)?);
    let text = std::str::from_utf8(&bytes).map_err(|_| "is not UTF-8 text")?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(SecretText::new(text.strip_suffix('\r').unwrap_or(text)))
}

/// A file of certificates, such as that of a whole distribution.
#[cfg(any(feature = "client", feature = "redis"))]
pub(super) fn read_certificates(path: &FilePath) -> Result<Vec<u8>, String> {
    read_bytes(path, 4 * 1024 * 1024)
}

/// Why a file cannot be used, without its name, which may be a secret that stands in the wrong place.
pub(super) fn cause(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            "there is no such file or folder; a relative name counts from the folder in which the program was started"
                .into()
        }
        kind => kind.to_string(),
    }
}

/// The bytes of a file, `most` of them at most.
pub(super) fn read_bytes(path: &FilePath, most: u64) -> Result<Vec<u8>, String> {
    use std::io::Read;

    let unreadable = |error: std::io::Error| format!("cannot be read: {}", cause(&error));
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    // One byte more tells a file that is too long from one that just fits.
    let mut file = file.take(most.saturating_add(1));
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > most) {
        return Err(format!("is longer than {}", super::shape::size(most)));
    }
    Ok(bytes)
}
