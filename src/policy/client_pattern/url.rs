//! A client's URL, taken apart without repairing anything in it.

use super::{is_dot_segment, is_scheme, port_number};

/// The longest URL looked at, in bytes: that of an identifier.
const MAX_BYTES: usize = 2048;

pub(super) struct ClientUrl<'a> {
    pub(super) scheme: &'a str,
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
    pub(super) path: &'a str,
    pub(super) has_query: bool,
}

impl<'a> ClientUrl<'a> {
    /// `None` for everything that two readers might read differently. A URL parser for browsers
    /// would repair it, and the client behind the repaired URL may be another one.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        if text.len() > MAX_BYTES || !text.bytes().all(is_plain) {
            return None;
        }
        let (scheme, rest) = text.split_once(':')?;
        if !is_scheme(scheme) {
            return None;
        }
        let (before_query, has_query) = match rest.split_once('?') {
            Some((before, _)) => (before, true),
            None => (rest, false),
        };
        let (authority, path) = match before_query.strip_prefix("//") {
            Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
            // `com.example.app:/callback` (RFC 8252 §7.1): no authority.
            None => ("", before_query),
        };
        let (host, port) = match authority.split_once(':') {
            Some(("", _)) => return None,
            Some((host, port)) => (host, Some(port_number(port)?)),
            None => (authority, None),
        };
        if host.contains(['@', '%', '[', ']']) || !is_plain_path(path) {
            return None;
        }
        Some(Self {
            scheme,
            host,
            port,
            path,
            has_query,
        })
    }
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(
            byte,
            b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'
        )
}

/// Whether every reader of URLs reads this path as the same one.
pub(super) fn is_plain_path(path: &str) -> bool {
    let encoded_slash =
        |at: &[u8]| at.eq_ignore_ascii_case(b"%2f") || at.eq_ignore_ascii_case(b"%5c");
    path.bytes().all(is_plain)
        && !path.split('/').any(is_dot_segment)
        && !path.as_bytes().windows(3).any(encoded_slash)
}
