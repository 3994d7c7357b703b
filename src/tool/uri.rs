//! Resource URIs that every reader reads alike.
//!
//! A rule is about a text, a server acts on what the text means to it. Where the two can differ, a
//! rule can be walked around: `file:///public/../secret` is below `file:///public/` for a
//! pattern and is not for a file system. So patterns see plain URIs only, and everything else is
//! nobody's.

use std::borrow::Cow;

use url::Url;

use super::pattern::MAX_NAME;

/// Whether a URI is in the one form that resolving, normalizing and decoding leave as it is.
pub(super) fn is_plain(uri: &str) -> bool {
    let clean = |byte: u8| byte.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&byte);
    if uri.len() > MAX_NAME || !uri.bytes().all(clean) || !has_plain_escapes(uri) {
        return false;
    }
    let Some((scheme, rest)) = uri.split_once(':') else {
        return false;
    };
    let small = |byte: u8| !byte.is_ascii_uppercase();
    if !scheme.bytes().all(small) || !has_plain_path(rest) {
        return false;
    }
    // The independent reader: whatever it repairs is not plain, be it a port, a host or a slash.
    Url::parse(uri).is_ok_and(|url| url.as_str() == uri)
}

fn has_plain_path(rest: &str) -> bool {
    let hierarchy = rest.split('?').next().unwrap_or(rest);
    let path = match hierarchy.strip_prefix("//") {
        None => hierarchy,
        Some(rest) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            if authority.contains(['@', '%']) {
                return false;
            }
            path
        }
    };
    let path = path.strip_prefix('/').unwrap_or(path);
    // Some readers cut a segment off at its first semicolon, others take that for a separator.
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    path.is_empty() || path.split(['/', ';']).all(plain)
}

/// Escapes are of bytes that need one, in capitals, and of UTF-8. A slash, a backslash, a percent
/// sign or a control character is never escaped: whoever decodes once too often, or once too
/// early, would see another path.
fn has_plain_escapes(uri: &str) -> bool {
    let mut decoded = Vec::new();
    let mut parts = uri.split('%');
    decoded.extend(parts.next().unwrap_or_default().bytes());
    for part in parts {
        let Some((digits, rest)) = part.split_at_checked(2) else {
            return false;
        };
        let capital = |byte: u8| matches!(byte, b'0'..=b'9' | b'A'..=b'F');
        let Ok(byte) = u8::from_str_radix(digits, 16) else {
            return false;
        };
        let needless = byte.is_ascii_alphanumeric() || b"-._~/\\%".contains(&byte);
        if !digits.bytes().all(capital) || needless || byte.is_ascii_control() {
            return false;
        }
        decoded.push(byte);
        decoded.extend(rest.bytes());
    }
    std::str::from_utf8(&decoded).is_ok()
}

/// What a URI template (RFC 6570) looks like once filled in: each `{…}` becomes one letter.
/// `completion/complete` names resources by their templates. A text without `{` stays as it is, and
/// a broken template keeps a brace, by which it is not plain.
pub(super) fn filled_in(template: &str) -> Cow<'_, str> {
    if !template.contains('{') {
        return Cow::Borrowed(template);
    }
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        match after.split_once('}') {
            Some((expression, after)) if is_expression(expression) => {
                filled.push('x');
                rest = after;
            }
            _ => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    Cow::Owned(filled)
}

fn is_expression(text: &str) -> bool {
    let names = text.trim_start_matches(['+', '#', '.', '/', ';', '?', '&']);
    text.len() <= names.len() + 1
        && !names.is_empty()
        && names
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_,*:".contains(&byte))
}
