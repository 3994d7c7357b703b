//! The `Authorization` header: exactly one line, a scheme, one credential (AUTH-9..11, AUTH-17).

use http::HeaderMap;
use http::header::{AUTHORIZATION, CONNECTION};

use crate::rejection::Reason;

/// What a request presents, nothing verified.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Presented<'a> {
    /// `Bearer`, with its token68.
    Bearer(&'a str),
}

/// Reads the credential of a request. `limit` is in bytes, over the whole header value.
pub(crate) fn read(headers: &HeaderMap, limit: usize) -> Result<Presented<'_>, Reason> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let Some(line) = lines.next() else {
        return Err(Reason::MissingCredential);
    };
    // Two lines would mean two readings: the peer in front may have judged the other one.
    if lines.next().is_some() {
        return Err(Reason::DuplicateAuthorization);
    }
    if is_hop_by_hop(headers) {
        return Err(Reason::HopByHopAuthorization);
    }
    if line.len() > limit {
        return Err(Reason::CredentialTooLarge);
    }
    let bytes = line.as_bytes();
    let scheme_end = bytes
        .iter()
        .position(|byte| *byte == b' ')
        .unwrap_or(bytes.len());
    let (scheme, rest) = bytes.split_at(scheme_end);
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(Reason::UnsupportedScheme);
    }
    // Spaces only before the credential (OAuth 2.1 §5.1.1); servers strip any white space after it.
    let credential = rest.trim_ascii_end();
    let spaces = credential.iter().take_while(|byte| **byte == b' ').count();
    let (_, credential) = credential.split_at(spaces);
    match std::str::from_utf8(credential) {
        Ok(credential) if is_token68(credential) => Ok(Presented::Bearer(credential)),
        _ => Err(Reason::MalformedCredential),
    }
}

/// Whether `Connection` asks the next hop to drop `Authorization` (RFC 9110 §7.6.1): whoever sent
/// that meant some hop to decide without it.
fn is_hop_by_hop(headers: &HeaderMap) -> bool {
    headers.get_all(CONNECTION).iter().any(|line| {
        line.as_bytes()
            .split(|byte| *byte == b',')
            .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"authorization"))
    })
}

/// RFC 9110 §11.2: `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
fn is_token68(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty()
        && body.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn read_lines(lines: &[&[u8]]) -> Result<String, Reason> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(line).unwrap());
        }
        read(&headers, 8192).map(|Presented::Bearer(token)| token.to_owned())
    }

    #[test]
    fn auth_09_the_scheme_is_compared_without_case() {
        for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
            assert_eq!(
                read_lines(&[format!("{scheme} a.b.c").as_bytes()]).unwrap(),
                "a.b.c"
            );
        }
        assert_eq!(read_lines(&[b"Bearerx a"]), Err(Reason::UnsupportedScheme));
        assert_eq!(read_lines(&[b"Digest a"]), Err(Reason::UnsupportedScheme));
        assert_eq!(read_lines(&[b""]), Err(Reason::UnsupportedScheme));
        assert_eq!(read_lines(&[]), Err(Reason::MissingCredential));
    }

    #[test]
    fn auth_10_one_or_more_spaces_then_one_token68() {
        assert_eq!(read_lines(&[b"Bearer    abc=="]).unwrap(), "abc==");
        for bad in [
            &b"Bearer"[..],
            b"Bearer ",
            b"Bearer a b",
            b"Bearer a,b",
            b"Bearer a, Bearer b",
            b"Bearer =",
            b"Bearer a=b",
            b"Bearer \"a\"",
            b"Bearer {\"payload\":\"\"}",
            b"Bearer \xe9",
            b"Bearer a\tb",
            b"Bearer a%20b",
        ] {
            assert_eq!(
                read_lines(&[bad]),
                Err(Reason::MalformedCredential),
                "{bad:?}"
            );
        }
        // A tab is not the separator the grammar allows.
        assert_eq!(
            read_lines(&[b"Bearer\tabc"]),
            Err(Reason::UnsupportedScheme)
        );
    }

    #[test]
    fn auth_11_two_lines_are_refused_whatever_they_hold() {
        for lines in [
            [&b"Bearer a"[..], b"Bearer a"],
            [b"Bearer a", b"Basic b"],
            [b"", b"Bearer a"],
        ] {
            assert_eq!(read_lines(&lines), Err(Reason::DuplicateAuthorization));
        }
    }

    #[test]
    fn t40_a_hop_by_hop_credential_is_refused() {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer a"));
        headers.append(CONNECTION, HeaderValue::from_static("keep-alive"));
        assert!(read(&headers, 8192).is_ok());
        headers.append(
            CONNECTION,
            HeaderValue::from_static("close , AUTHORIZATION"),
        );
        assert_eq!(
            read(&headers, 8192).unwrap_err(),
            Reason::HopByHopAuthorization
        );
    }

    #[test]
    fn auth_17_the_limit_counts_the_whole_value() {
        let exact = format!("Bearer {}", "a".repeat(8192 - 7));
        assert!(read_lines(&[exact.as_bytes()]).is_ok());
        assert_eq!(
            read_lines(&[format!("{exact}a").as_bytes()]),
            Err(Reason::CredentialTooLarge)
        );
    }

    proptest! {
        #[test]
        fn edge_11_any_header_bytes_are_read_without_a_panic(bytes in prop::collection::vec(prop_oneof![Just(b'\t'), 0x20..=0x7e_u8, 0x80..=0xff_u8], 0..80)) {
            let _ = read_lines(&[&bytes]);
            let _ = read_lines(&[&[b"Bearer ".as_slice(), &bytes].concat()]);
        }
    }
}
