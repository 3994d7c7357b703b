//! Between bytes and nouns: pure, and free of panics whatever the bytes.

pub(crate) mod authorization;
pub(crate) mod basic;
pub(crate) mod challenge;
pub(crate) mod correlation;

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};

/// A header that may stand once stands several times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Duplicate;

/// The one line of header `name`, if there is any. Whoever takes the first of two lines disagrees
/// with the proxy that took the last (T39).
pub(crate) fn only_line<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'h HeaderValue>, Duplicate> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (line, None) => Ok(line),
        (_, Some(_)) => Err(Duplicate),
    }
}

#[cfg(test)]
mod tests {
    use http::header::ORIGIN;

    use super::*;

    #[test]
    fn t39_two_lines_are_never_read_as_one() {
        let mut headers = HeaderMap::new();
        assert_eq!(only_line(&headers, &ORIGIN), Ok(None));
        headers.append(ORIGIN, HeaderValue::from_static("a"));
        assert_eq!(
            only_line(&headers, &ORIGIN),
            Ok(Some(&HeaderValue::from_static("a")))
        );
        headers.append(ORIGIN, HeaderValue::from_static("a"));
        assert_eq!(only_line(&headers, &ORIGIN), Err(Duplicate));
    }
}
