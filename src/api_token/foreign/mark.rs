//! What a credential is known by, once its text is gone (T21).

use super::super::email::Email;
use super::super::format::TokenKind;
use crate::keyed_hash::KeyedHash;

/// A credential as a cache knows it: nobody can go back from here, and nobody outside this process
/// can get here.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Mark([u8; 32]);

impl Mark {
    /// Sixteen digits of it: enough to count failures by.
    pub(crate) fn name(&self) -> [u8; 16] {
        let mut name = [b'0'; 16];
        let nibbles = self.0.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        for (place, nibble) in name.iter_mut().zip(nibbles) {
            *place = if nibble < 10 {
                b'0' + nibble
            } else {
                b'a' + nibble - 10
            };
        }
        name
    }
}

/// Makes marks under a key that ends with the process.
#[derive(Clone)]
pub(crate) struct Marker(KeyedHash);

/// What is marked besides the text.
#[derive(Clone, Copy)]
pub(crate) struct Marked<'a> {
    /// The format's name.
    pub(crate) format: &'a str,
    pub(crate) kind: TokenKind,
    pub(crate) text: &'a str,
    pub(crate) email: Option<&'a Email>,
}

/// Two names of one credential.
pub(crate) struct Marks {
    /// By the text alone, whatever email came with it: what failures are counted by.
    pub(crate) credential: Mark,
    /// With the email: what facts are found by.
    pub(crate) presented: Mark,
}

impl Marker {
    /// With a new random key.
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        KeyedHash::random("tower-mcp-auth foreign token v1").map(Self)
    }

    pub(crate) fn mark(&self, marked: Marked<'_>) -> Marks {
        let kind = marked.kind.as_str();
        let credential = [marked.format, kind, marked.text].map(str::as_bytes);
        // Nobody's address is empty.
        let email = marked.email.map_or("", Email::as_str);
        let presented = [marked.format, kind, marked.text, email].map(str::as_bytes);
        Marks {
            credential: Mark(self.0.of(&credential)),
            presented: Mark(self.0.of(&presented)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn marked<'a>(format: &'a str, text: &'a str, email: Option<&'a Email>) -> Marked<'a> {
        Marked {
            format,
            kind: TokenKind::Personal,
            text,
            email,
        }
    }

    #[test]
    fn t21_every_part_counts_and_none_can_pass_for_another() {
        let marker = Marker::new().unwrap();
        let (ada, bob) = (Email::new("a@x.io"), Email::new("b@x.io"));
        let service = Marked {
            kind: TokenKind::ServiceAccount,
            ..marked("vendor", "token", None)
        };
        let parts = [
            marked("vendor", "token", None),
            marked("vendor", "token", ada.as_ref()),
            marked("vendor", "token", bob.as_ref()),
            marked("vendor", "tokena@x.io", None),
            marked("vendort", "oken", None),
            marked("vendo", "rtoken", None),
            marked("other", "token", None),
            service,
        ];
        let marks = parts.map(|part| marker.mark(part));
        let presented: HashSet<_> = marks.iter().map(|mark| mark.presented).collect();
        assert_eq!(presented.len(), parts.len());
        let credentials: HashSet<_> = marks.iter().map(|mark| mark.credential).collect();
        assert_eq!(credentials.len(), parts.len() - 2, "whatever the email");
        let again = marker.mark(parts[1]);
        assert!(again.presented == marks[1].presented);
        let elsewhere = Marker::new().unwrap().mark(parts[1]);
        assert!(elsewhere.presented != marks[1].presented, "another process");
    }

    #[test]
    fn t28_a_name_is_hexadecimal() {
        let mut bytes = [0xff; 32];
        bytes[0] = 0x09;
        bytes[1] = 0xa0;
        assert_eq!(&Mark(bytes).name(), b"09a0ffffffffffff");
    }
}
