//! Where a request's credential stands: one `Authorization` line, a scheme, one credential
//! (AUTH-9..11, AUTH-17); or, where an operator allows it, one line of a header for API keys.

use http::header::{AUTHORIZATION, CONNECTION, HeaderName};
use http::{HeaderMap, HeaderValue};

use super::only_line;
use crate::rejection::Reason;

/// How a credential is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Bearer,
    Basic,
    /// With a proof in another header (RFC 9449 §7.1).
    Dpop,
    /// The line of the API key header.
    ApiKey,
}

/// A credential where it stands, not read yet: its bytes without the scheme and the white space
/// around them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found<'h> {
    pub(crate) scheme: Scheme,
    pub(crate) bytes: &'h [u8],
}

/// What a request presents, nothing verified.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Presented<'a> {
    /// `Bearer`, with its token68.
    Bearer(&'a str),
    /// `Basic`, with whatever follows: `wire::basic` says what is wrong with it.
    Basic(&'a str),
    /// `DPoP`, with its token68.
    Dpop(&'a str),
    /// The line of the API key header: one word of printable ASCII.
    ApiKey(&'a str),
}

/// Finds the credential of a request and reads it.
pub(crate) fn read<'h>(
    headers: &'h HeaderMap,
    limit: usize,
    api_key_header: Option<&HeaderName>,
) -> Result<Presented<'h>, Reason> {
    find(headers, limit, api_key_header)?.read()
}

/// The token in the value of an `Authorization` line, if its scheme is one of access tokens.
pub(crate) fn access_token(line: &HeaderValue) -> Option<&str> {
    match authorization(line).and_then(Found::read) {
        Ok(Presented::Bearer(token) | Presented::Dpop(token)) => Some(token),
        _ => None,
    }
}

/// Finds the credential of a request. `limit` is in bytes, over the whole header value.
///
/// `api_key_header` is a second place for a credential, and must not be `Authorization`. Where it
/// is configured and present, `Authorization` must be absent: nobody could say which of two
/// credentials the proxy in front has judged (T39).
pub(crate) fn find<'h>(
    headers: &'h HeaderMap,
    limit: usize,
    api_key_header: Option<&HeaderName>,
) -> Result<Found<'h>, Reason> {
    if let Some(name) = api_key_header {
        let line = only_line(headers, name).map_err(|_| Reason::DuplicateCredential)?;
        if let Some(line) = line {
            if headers.contains_key(AUTHORIZATION) {
                return Err(Reason::DuplicateCredential);
            }
            check_framing(headers, name, line, limit)?;
            return Ok(Found {
                scheme: Scheme::ApiKey,
                bytes: line.as_bytes().trim_ascii(),
            });
        }
    }
    // Two lines would mean two readings: the peer in front may have judged the other one.
    let line = only_line(headers, &AUTHORIZATION).map_err(|_| Reason::DuplicateAuthorization)?;
    let line = line.ok_or(Reason::MissingCredential)?;
    check_framing(headers, &AUTHORIZATION, line, limit)?;
    authorization(line)
}

/// Whether a request tries the scheme `DPoP`, for the wording of an answer.
pub(crate) fn is_dpop(headers: &HeaderMap) -> bool {
    let line = only_line(headers, &AUTHORIZATION).ok().flatten();
    let found = line.and_then(|line| authorization(line).ok());
    found.is_some_and(|found| found.scheme == Scheme::Dpop)
}

/// What holds for any header line that carries a credential.
fn check_framing(
    headers: &HeaderMap,
    name: &HeaderName,
    line: &HeaderValue,
    limit: usize,
) -> Result<(), Reason> {
    if is_hop_by_hop(headers, name) {
        return Err(Reason::HopByHopAuthorization);
    }
    if line.len() > limit {
        return Err(Reason::CredentialTooLarge);
    }
    Ok(())
}

fn authorization(line: &HeaderValue) -> Result<Found<'_>, Reason> {
    let bytes = line.as_bytes();
    let scheme_end = bytes.iter().position(|byte| *byte == b' ');
    let (scheme, rest) = bytes.split_at(scheme_end.unwrap_or(bytes.len()));
    // Spaces only before the credential (OAuth 2.1 §5.1.1); servers strip any white space after it.
    let credential = rest.trim_ascii_end();
    let spaces = credential.iter().take_while(|byte| **byte == b' ').count();
    let (_, bytes) = credential.split_at(spaces);
    let scheme = if scheme.eq_ignore_ascii_case(b"bearer") {
        Scheme::Bearer
    } else if scheme.eq_ignore_ascii_case(b"basic") {
        Scheme::Basic
    } else if scheme.eq_ignore_ascii_case(b"dpop") {
        Scheme::Dpop
    } else {
        return Err(Reason::UnsupportedScheme);
    };
    Ok(Found { scheme, bytes })
}

impl<'h> Found<'h> {
    /// What it says, if that can be a credential of its scheme.
    pub(crate) fn read(self) -> Result<Presented<'h>, Reason> {
        let text = std::str::from_utf8(self.bytes);
        match (self.scheme, text) {
            (Scheme::Bearer, Ok(text)) if is_token68(text) => Ok(Presented::Bearer(text)),
            (Scheme::Dpop, Ok(text)) if is_token68(text) => Ok(Presented::Dpop(text)),
            (Scheme::Bearer | Scheme::Dpop, _) => Err(Reason::MalformedCredential),
            // Bytes that are no text are no Base64 either, and neither is what stands for them here.
            (Scheme::Basic, text) => Ok(Presented::Basic(text.unwrap_or("\u{fffd}"))),
            (Scheme::ApiKey, Ok(text))
                if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) =>
            {
                Ok(Presented::ApiKey(text))
            }
            (Scheme::ApiKey, _) => Err(Reason::UnrecognizedCredential),
        }
    }
}

/// Whether `Connection` asks the next hop to drop the header `name` (RFC 9110 §7.6.1): whoever
/// sent that meant some hop to decide without it.
fn is_hop_by_hop(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get_all(CONNECTION).iter().any(|line| {
        line.as_bytes().split(|byte| *byte == b',').any(|option| {
            option
                .trim_ascii()
                .eq_ignore_ascii_case(name.as_str().as_bytes())
        })
    })
}

/// RFC 9110 §11.2: `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
fn is_token68(text: &str) -> bool {
    let body = text.trim_end_matches('=').as_bytes();
    // A whole chunk at a time and without a branch, so that the compiler takes many bytes at once.
    let good = |chunk: &[u8]| {
        chunk
            .iter()
            .fold(true, |good, byte| good & is_letter(*byte))
    };
    !body.is_empty() && body.chunks(128).all(good)
}

/// A letter of a token68 but for `=`: `-`, `.`, `/` and the digits stand in a row.
#[expect(clippy::needless_bitwise_bool, reason = "a branch would cost more")]
const fn is_letter(byte: u8) -> bool {
    let latin = (byte | 0x20).wrapping_sub(b'a') < 26;
    let row = byte.wrapping_sub(b'-') < 13;
    latin | row | (byte == b'_') | (byte == b'~') | (byte == b'+')
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
        read(&headers, 8192, None).map(|presented| match presented {
            Presented::Bearer(token) => token.to_owned(),
            Presented::Basic(rest) => format!("Basic {rest}"),
            Presented::Dpop(token) => format!("DPoP {token}"),
            Presented::ApiKey(_) => panic!("no API key header is configured"),
        })
    }

    const KEY: HeaderName = HeaderName::from_static("x-api-key");

    fn read_key(lines: &[(HeaderName, &[u8])]) -> Result<String, Reason> {
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            headers.append(name, HeaderValue::from_bytes(line).unwrap());
        }
        read(&headers, 64, Some(&KEY)).map(|presented| format!("{presented:?}"))
    }

    #[test]
    fn auth_10_the_letters_are_those_of_rfc_9110() {
        for byte in 0..=u8::MAX {
            let listed = byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
            assert_eq!(is_letter(byte), listed, "{byte:#x}");
        }
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
        assert!(read(&headers, 8192, None).is_ok());
        headers.append(
            CONNECTION,
            HeaderValue::from_static("close , AUTHORIZATION"),
        );
        assert_eq!(
            read(&headers, 8192, None).unwrap_err(),
            Reason::HopByHopAuthorization
        );
    }

    #[test]
    fn bas_05_what_follows_basic_is_kept_as_it_is() {
        for (line, kept) in [
            (&b"Basic YTpi"[..], "Basic YTpi"),
            (b"bASIC   AAAA BBBB  ", "Basic AAAA BBBB"),
            (b"Basic", "Basic "),
            (b"Basic %%%", "Basic %%%"),
            (b"Basic \xff", "Basic \u{fffd}"),
        ] {
            assert_eq!(read_lines(&[line]).unwrap(), kept);
        }
        assert_eq!(
            read_lines(&[b"Basic\tYTpi"]),
            Err(Reason::UnsupportedScheme)
        );
    }

    #[test]
    fn keysa_01_the_api_key_header_counts_only_where_it_is_configured() {
        let line = (KEY, &b" mcps_abc "[..]);
        assert_eq!(
            read_key(std::slice::from_ref(&line)).unwrap(),
            "ApiKey(\"mcps_abc\")"
        );
        let mut headers = HeaderMap::new();
        headers.append(KEY, HeaderValue::from_static("mcps_abc"));
        assert_eq!(read(&headers, 64, None), Err(Reason::MissingCredential));
        assert_eq!(
            read_key(&[(AUTHORIZATION, b"Bearer a")]).unwrap(),
            "Bearer(\"a\")"
        );
        assert_eq!(read_key(&[]), Err(Reason::MissingCredential));
        for bad in [&b""[..], b"  ", b"a b", b"a\xe9", b"a\tb"] {
            assert_eq!(read_key(&[(KEY, bad)]), Err(Reason::UnrecognizedCredential));
        }
        assert_eq!(
            read_key(&[(KEY, &[b'a'; 65])]),
            Err(Reason::CredentialTooLarge)
        );
        assert_eq!(
            read_key(&[line, (CONNECTION, b"X-Api-Key")]),
            Err(Reason::HopByHopAuthorization)
        );
    }

    #[test]
    fn t39_two_credentials_are_refused_wherever_they_stand() {
        for (authorization, key) in [
            (&b"Bearer a"[..], &b"b"[..]),
            (b"Basic YTpi", b"b"),
            (b"", b""),
        ] {
            assert_eq!(
                read_key(&[(AUTHORIZATION, authorization), (KEY, key)]),
                Err(Reason::DuplicateCredential)
            );
        }
        assert_eq!(
            read_key(&[(KEY, b"a"), (KEY, b"a")]),
            Err(Reason::DuplicateCredential)
        );
        let message = Reason::DuplicateCredential.answer().message;
        assert!(message.contains("Authorization") && message.contains("API key header"));
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
            let _ = read_lines(&[&[b"Basic ".as_slice(), &bytes].concat()]);
            let _ = read_key(&[(KEY, &bytes)]);
        }
    }
}
