//! The Basic credential of a personal API token: `base64(email:api_token)` (RFC 7617 §2).
//!
//! Most people meet this scheme in a shell line, and most of their mistakes are the shell's: lines
//! wrapped at 76 columns, a newline that `echo` adds, a token without its email. Each gets its own
//! words, since a bare 401 costs an afternoon.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::secret::SecretText;

/// A well-formed Basic credential, nothing verified. `Debug` shows neither half.
#[cfg_attr(test, derive(Debug))]
pub(crate) struct BasicCredential {
    text: SecretText,
    /// Where the first colon stands.
    colon: usize,
}

impl BasicCredential {
    /// What stands before the first colon. Never empty.
    pub(crate) fn email(&self) -> &str {
        self.text.expose().get(..self.colon).unwrap_or_default()
    }

    /// Everything after it, colons included. Never empty. Every use is a place to review.
    pub(crate) fn secret(&self) -> &str {
        self.text.expose().get(self.colon + 1..).unwrap_or_default()
    }
}

/// What is wrong with a Basic credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BasicFault {
    /// Nothing follows the scheme.
    Missing,
    /// It contains a colon, which no Base64 does: sent as it is.
    NotEncoded,
    /// Base64 in several pieces (BAS-5).
    Wrapped,
    /// `-` or `_`: the other alphabet, or a bare token.
    UrlSafe,
    /// Neither alphabet, or padding that does not fit (BAS-1).
    NotBase64,
    /// The octets are no text (BAS-2).
    NotUtf8,
    /// One word without a colon: a token without its email (BAS-3).
    NoColon,
    /// Nothing before the colon.
    EmptyEmail,
    /// Nothing after it.
    EmptySecret,
    /// A line end after the secret, and nothing else wrong (BAS-4).
    TrailingNewline,
    /// Any other control character.
    ControlCharacter,
}

impl BasicFault {
    /// Every fault, for tests and documentation.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 11] = [
        Self::Missing,
        Self::NotEncoded,
        Self::Wrapped,
        Self::UrlSafe,
        Self::NotBase64,
        Self::NotUtf8,
        Self::NoColon,
        Self::EmptyEmail,
        Self::EmptySecret,
        Self::TrailingNewline,
        Self::ControlCharacter,
    ];

    /// What to tell the person who sent it. It says nothing about any account, so it may be told
    /// to anybody; printable ASCII without quote, backslash and `=` (AUTH-6, AUTH-8).
    pub(crate) const fn hint(self) -> &'static str {
        match self {
            Self::Missing => {
                "The Basic credential is empty: send the base64 of email:api_token after the word Basic."
            }
            Self::NotEncoded => {
                "The Basic credential is not encoded: send the base64 of email:api_token, not the text itself."
            }
            Self::Wrapped => {
                "The Basic credential is base64 wrapped into several lines: encode it with base64 -w0."
            }
            Self::UrlSafe => {
                "The Basic credential holds - or _, which standard base64 does not: encode email:api_token, and not with the URL-safe alphabet."
            }
            Self::NotBase64 => {
                "The Basic credential is not valid base64: encode email:api_token with the standard alphabet and keep the padding."
            }
            Self::NotUtf8 => {
                "The Basic credential does not decode to UTF-8 text: encode email:api_token as UTF-8."
            }
            Self::NoColon => {
                "The Basic credential holds no colon and looks like only a token: encode email:api_token."
            }
            Self::EmptyEmail => {
                "The Basic credential has no email before the colon: encode email:api_token."
            }
            Self::EmptySecret => {
                "The Basic credential has no API token after the colon: encode email:api_token."
            }
            Self::TrailingNewline => {
                "The Basic credential ends with a line break: encode it with echo -n or printf, so that none is added."
            }
            Self::ControlCharacter => {
                "The Basic credential holds a control character: encode exactly email:api_token."
            }
        }
    }

    /// The stable word for the operator's log.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::NotEncoded => "not_encoded",
            Self::Wrapped => "wrapped",
            Self::UrlSafe => "url_safe",
            Self::NotBase64 => "not_base64",
            Self::NotUtf8 => "not_utf8",
            Self::NoColon => "no_colon",
            Self::EmptyEmail => "empty_email",
            Self::EmptySecret => "empty_secret",
            Self::TrailingNewline => "trailing_newline",
            Self::ControlCharacter => "control_character",
        }
    }
}

/// Reads what follows the scheme `Basic`. The caller bounds its length.
pub(crate) fn read_basic(credential: &str) -> Result<BasicCredential, BasicFault> {
    let mut octets = decode(credential.trim_ascii()).ok_or_else(|| encoding_fault(credential))?;
    let text = std::str::from_utf8(&octets).map_err(|_| BasicFault::NotUtf8)?;
    let line = text.trim_end_matches(['\r', '\n']);
    let (email, secret) = line.split_once(':').ok_or(BasicFault::NoColon)?;
    if line.chars().any(char::is_control) {
        return Err(BasicFault::ControlCharacter);
    }
    if email.is_empty() {
        return Err(BasicFault::EmptyEmail);
    }
    if secret.is_empty() {
        return Err(BasicFault::EmptySecret);
    }
    // Never repaired: a secret with a newline in it is not the secret that was issued.
    if line.len() < text.len() {
        return Err(BasicFault::TrailingNewline);
    }
    let colon = email.len();
    let text = String::from_utf8(std::mem::take(&mut *octets));
    // The octets were text a moment ago; were they not, they would be wiped with the error.
    let text = text.map_err(|error| {
        drop(Zeroizing::new(error.into_bytes()));
        BasicFault::NotUtf8
    })?;
    Ok(BasicCredential {
        colon,
        text: SecretText::of(text),
    })
}

/// Canonical standard Base64 with its padding, into memory that is wiped. Never grows while
/// decoding, which would leave copies behind.
fn decode(credential: &str) -> Option<Zeroizing<Vec<u8>>> {
    if credential.is_empty() {
        return None;
    }
    let room = base64::decoded_len_estimate(credential.len());
    let mut octets = Zeroizing::new(vec![0; room]);
    let length = STANDARD.decode_slice(credential, &mut octets).ok()?;
    octets.truncate(length);
    Some(octets)
}

/// Why a credential could not be decoded, as helpfully as its letters allow.
fn encoding_fault(credential: &str) -> BasicFault {
    let credential = credential.trim_ascii();
    let holds = |wanted: fn(u8) -> bool| credential.bytes().any(wanted);
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    if credential.is_empty() {
        BasicFault::Missing
    } else if holds(|byte| byte == b':') {
        BasicFault::NotEncoded
    } else if holds(|byte| byte.is_ascii_whitespace())
        && credential
            .bytes()
            .all(|byte| byte.is_ascii_whitespace() || is_base64(byte))
    {
        BasicFault::Wrapped
    } else if holds(|byte| matches!(byte, b'-' | b'_'))
        && credential
            .bytes()
            .all(|byte| matches!(byte, b'-' | b'_') || is_base64(byte))
    {
        BasicFault::UrlSafe
    } else {
        BasicFault::NotBase64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(octets: impl AsRef<[u8]>) -> String {
        STANDARD.encode(octets)
    }

    fn read(text: &str) -> Result<(String, String), BasicFault> {
        read_basic(text).map(|basic| (basic.email().to_owned(), basic.secret().to_owned()))
    }

    #[test]
    fn bas_01_only_canonical_standard_base64_is_decoded() {
        assert_eq!(
            read("YUB4LmlvOnQ="),
            Ok(("a@x.io".to_owned(), "t".to_owned()))
        );
        for (bad, fault) in [
            ("", BasicFault::Missing),
            ("   ", BasicFault::Missing),
            ("%%%", BasicFault::NotBase64),
            ("YQ", BasicFault::NotBase64),
            ("YUB4LmlvOnQ", BasicFault::NotBase64),
            ("YUB4LmlvOnQ==", BasicFault::NotBase64),
            // The last symbol has bits that stand for nothing: two spellings of one credential.
            ("YUB4LmlvOnR=", BasicFault::NotBase64),
            ("YUB4LmlvOnQ=, Bearer x", BasicFault::NotBase64),
            ("\u{fffd}", BasicFault::NotBase64),
            ("a@x.io:secret", BasicFault::NotEncoded),
            ("YT_-", BasicFault::UrlSafe),
            ("mcpu_abcdefgh", BasicFault::UrlSafe),
        ] {
            assert_eq!(read(bad), Err(fault), "{bad}");
        }
    }

    #[test]
    fn bas_01_an_empty_half_is_refused() {
        assert_eq!(read("Og=="), Err(BasicFault::EmptyEmail));
        assert_eq!(read(&encoded(":t")), Err(BasicFault::EmptyEmail));
        assert_eq!(read(&encoded("a@x.io:")), Err(BasicFault::EmptySecret));
        assert_eq!(read(&encoded("a@x.io:\n")), Err(BasicFault::EmptySecret));
    }

    #[test]
    fn bas_02_octets_that_are_no_utf8_are_refused() {
        assert_eq!(read("/w=="), Err(BasicFault::NotUtf8));
        assert_eq!(read(&encoded(b"a:\xff")), Err(BasicFault::NotUtf8));
        let umlaut = ("b\u{fc}ro@x.io".to_owned(), "gr\u{fc}n".to_owned());
        assert_eq!(
            read(&encoded(format!("{}:{}", umlaut.0, umlaut.1))),
            Ok(umlaut)
        );
    }

    #[test]
    fn bas_03_the_first_colon_divides() {
        assert_eq!(
            read(&encoded("a@x.io:t:1")),
            Ok(("a@x.io".to_owned(), "t:1".to_owned()))
        );
        assert_eq!(read(&encoded("only-a-token")), Err(BasicFault::NoColon));
        assert_eq!(read(&encoded("only-a-token\n")), Err(BasicFault::NoColon));
    }

    #[test]
    fn bas_04_control_characters_are_refused_and_a_newline_gets_its_own_hint() {
        for text in ["a@x.io:t\n", "a@x.io:t\r\n", "a@x.io:t\n\n"] {
            assert_eq!(read(&encoded(text)), Err(BasicFault::TrailingNewline));
        }
        for text in [
            "a@x.io:t\0",
            "a@x.io:\tt",
            "a\n@x.io:t",
            "a@x.io:a\nb",
            "a@x.io:t\u{7f}",
            "a@x.io:t\u{85}",
            "\u{1b}a@x.io:t\n",
        ] {
            assert_eq!(read(&encoded(text)), Err(BasicFault::ControlCharacter));
        }
    }

    #[test]
    fn bas_05_wrapped_base64_gets_its_own_hint() {
        assert_eq!(read("AAAA BBBB"), Err(BasicFault::Wrapped));
        assert_eq!(read("YUB4 Lmlv\tOnQ="), Err(BasicFault::Wrapped));
        assert!(BasicFault::Wrapped.hint().contains("base64 -w0"));
        // White space around it is not inside it.
        assert!(read("  YUB4LmlvOnQ=  ").is_ok());
    }

    #[test]
    fn bas_11_hints_are_distinct_and_fit_a_challenge() {
        let mut seen = std::collections::HashSet::new();
        for fault in BasicFault::ALL {
            let hint = fault.hint();
            assert!(
                hint.bytes().all(|byte| matches!(byte, b' '..=b'~')),
                "{hint}"
            );
            assert!(!hint.contains(['"', '\\', '=']), "{hint}");
            assert!(
                seen.insert(hint) && seen.insert(fault.code()),
                "{}",
                fault.code()
            );
        }
    }

    #[test]
    fn t48_debug_shows_neither_half() {
        let basic = read_basic(&encoded("alice@x.io:hunter2")).unwrap();
        let shown = format!("{basic:?}");
        assert!(
            !shown.contains("alice") && !shown.contains("hunter2"),
            "{shown}"
        );
    }

    proptest! {
        #[test]
        fn edge_11_any_text_is_read_without_a_panic(text in any::<String>(), octets in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = read_basic(&text);
            let _ = read_basic(&String::from_utf8_lossy(&octets));
            let outcome = read(&encoded(&octets));
            // Whatever is accepted is the octets that were sent, and nothing else.
            if let Ok((email, secret)) = outcome {
                prop_assert_eq!(format!("{email}:{secret}").into_bytes(), octets);
            }
        }

        #[test]
        fn bas_03_whatever_has_two_clean_halves_is_read(email in "[^\\p{Cc}:]{1,40}", secret in "\\P{Cc}{1,40}") {
            prop_assert_eq!(read(&encoded(format!("{email}:{secret}"))), Ok((email, secret)));
        }

        #[test]
        fn bas_01_no_two_credentials_read_alike(text in "[A-Za-z0-9+/]{0,12}={0,3}") {
            if let Ok((email, secret)) = read(&text) {
                prop_assert_eq!(encoded(format!("{email}:{secret}")), text);
            }
        }
    }
}
