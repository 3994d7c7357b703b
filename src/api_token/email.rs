//! E-mail addresses as names of people: compared, never sent to (BAS-8, T30).

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use icu_normalizer::ComposingNormalizerBorrowed;
use subtle::{Choice, ConstantTimeEq};

/// Longest address, in bytes (RFC 5321 §4.5.3.1.3, less the angle brackets).
const MAX_BYTES: usize = 254;
/// Longest local part, in bytes (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL_BYTES: usize = 64;
/// Longest label of a domain, in bytes (RFC 1035 §2.3.4).
const MAX_LABEL_BYTES: usize = 63;

/// How the part before the `@` is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LocalPart {
    /// Byte for byte. The receiving host alone knows what case means there (RFC 5321 §2.4).
    #[default]
    Exact,
    /// ASCII letters in either case. For organizations whose directory treats `A.Smith` and
    /// `a.smith` as one person.
    AnyAsciiCase,
}

/// An address of a person: `local@domain`.
///
/// Deliberately narrower than RFC 5322, because a rule that is easy to state is hard to trick:
/// exactly one `@`; no blank, control character, colon, quote or angle bracket; the domain in
/// ASCII, so that an internationalized one is written as its A-label (`xn--…`). The domain is kept
/// in lower case, which for ASCII is one unambiguous fold.
///
/// A local part outside ASCII is kept in normalization form C (Unicode Standard Annex #15), because
/// keyboards differ in how they write `é`. No letter is folded into another one, and a character that
/// is another spelling of an ASCII one, such as the Kelvin sign, makes no address.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email {
    text: Arc<str>,
    /// Where the `@` is, in bytes.
    at: usize,
}

impl Email {
    /// The address, or `None` if it breaks one of the rules above or is longer than 254 bytes
    /// (64 before the `@`).
    #[must_use]
    pub fn new(value: &str) -> Option<Self> {
        let (local, domain) = split(value)?;
        let local = normal(local)?;
        Some(Self {
            text: format!("{local}@{}", domain.to_ascii_lowercase()).into(),
            at: local.len(),
        })
    }

    /// The address, with its domain in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part behind the `@`, in lower case.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.parts().1
    }

    /// Whether both are the same person's address.
    #[must_use]
    pub fn matches(&self, other: &Self, rule: LocalPart) -> bool {
        self.is(&other.text, rule)
    }

    /// Whether `sent` is an address, and this one. Makes no copy of an ASCII one: it is on the request
    /// path.
    pub(crate) fn is(&self, sent: &str, rule: LocalPart) -> bool {
        let Some((sent_local, sent_domain)) = split(sent) else {
            return false;
        };
        let Some(sent_local) = normal(sent_local) else {
            return false;
        };
        let (local, domain) = self.parts();
        let fold_local = rule == LocalPart::AnyAsciiCase;
        let same_local = equal(local, &sent_local, fold_local);
        (same_local & equal(domain, sent_domain, true)).into()
    }

    fn parts(&self) -> (&str, &str) {
        let (local, domain) = self.text.split_at_checked(self.at).unwrap_or_default();
        (local, domain.strip_prefix('@').unwrap_or_default())
    }
}

impl fmt::Debug for Email {
    /// Personal data: only the domain is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Email(…@{})", self.domain())
    }
}

/// The two parts of an address, if it is one.
fn split(value: &str) -> Option<(&str, &str)> {
    let (local, domain) = value.split_once('@')?;
    let fits = value.len() <= MAX_BYTES && is_local_part(local) && is_domain(domain);
    fits.then_some((local, domain))
}

/// A local part in normalization form C; `None` if that makes ASCII of what was not, as it does of
/// the Greek question mark.
fn normal(local: &str) -> Option<Cow<'_, str>> {
    if local.is_ascii() {
        return Some(Cow::Borrowed(local));
    }
    let nfc = ComposingNormalizerBorrowed::new_nfc();
    let disguised = |c: char| !c.is_ascii() && nfc.normalize(c.encode_utf8(&mut [0; 4])).is_ascii();
    if local.contains(disguised) {
        return None;
    }
    Some(nfc.normalize(local))
}

/// Equality in a time that depends on the lengths alone; `fold` takes ASCII capitals for small.
fn equal(one: &str, other: &str, fold: bool) -> Choice {
    let folded = |byte: u8| {
        if fold {
            byte.to_ascii_lowercase()
        } else {
            byte
        }
    };
    let pairs = one.bytes().zip(other.bytes());
    let differences = pairs.fold(0, |found, (a, b)| found | (folded(a) ^ folded(b)));
    differences.ct_eq(&0) & Choice::from(u8::from(one.len() == other.len()))
}

fn is_local_part(local: &str) -> bool {
    let odd = |c: char| c.is_control() || c.is_whitespace() || "@:\"<>(),;\\[]".contains(c);
    (1..=MAX_LOCAL_BYTES).contains(&local.len()) && !local.contains(odd)
}

fn is_domain(domain: &str) -> bool {
    domain.split('.').all(|label| {
        (1..=MAX_LABEL_BYTES).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(text: &str) -> Email {
        Email::new(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn bas_08_the_domain_folds_and_the_local_part_does_not() {
        let stored = email("A.Smith@X.IO");
        assert_eq!(stored.as_str(), "A.Smith@x.io");
        assert!(stored.matches(&email("A.Smith@x.io"), LocalPart::Exact));
        assert!(!stored.matches(&email("a.smith@x.io"), LocalPart::Exact));
        assert!(stored.matches(&email("a.smith@X.io"), LocalPart::AnyAsciiCase));
        for other in [
            "A.Smith@x.io.evil",
            "A.Smith@y.io",
            "A.Smit@hx.io",
            "A.Smithx.i@o",
        ] {
            assert!(
                !stored.matches(&email(other), LocalPart::AnyAsciiCase),
                "{other}"
            );
        }
    }

    #[test]
    fn t30_no_unicode_letter_is_folded_into_another() {
        // Long s, dotless i, sharp s, a capital: each folds to an ordinary spelling under some
        // Unicode rule.
        for (stored, sent) in [
            ("smith@x.io", "\u{17f}mith@x.io"),
            ("ivan@x.io", "\u{131}van@x.io"),
            ("strasse@x.io", "stra\u{df}e@x.io"),
            ("JOS\u{c9}@x.io", "jos\u{e9}@x.io"),
        ] {
            assert!(
                !email(stored).matches(&email(sent), LocalPart::AnyAsciiCase),
                "{sent:?}"
            );
        }
        assert!(email("jos\u{e9}@x.io").matches(&email("jos\u{e9}@X.io"), LocalPart::Exact));
    }

    #[test]
    fn bas_08_one_letter_typed_in_two_ways_is_one_letter() {
        let composed = email("jos\u{e9}@x.io");
        assert_eq!(email("jose\u{301}@x.io"), composed);
        assert!(composed.is("jose\u{301}@X.io", LocalPart::Exact));
        assert!(!composed.is("jose@x.io", LocalPart::Exact));
    }

    #[test]
    fn t30_no_other_spelling_of_an_ascii_character_is_an_address() {
        // The Kelvin sign, the Greek question mark and varia; beside a letter that loses an ASCII one.
        for odd in [
            "mi\u{212a}e@x.io",
            "a\u{37e}b@x.io",
            "a\u{1fef}@x.io",
            "e\u{301}\u{212a}@x.io",
        ] {
            assert!(Email::new(odd).is_none(), "{odd:?}");
            assert!(
                !email("mike@x.io").is(odd, LocalPart::AnyAsciiCase),
                "{odd:?}"
            );
        }
    }

    #[test]
    fn t30_whatever_is_not_one_plain_address_is_refused() {
        for bad in [
            "",
            "@",
            "a",
            "a@",
            "@x.io",
            "a@evil@corp",
            "a@@x.io",
            "\"a@b\"@x.io",
            "a b@x.io",
            "a\u{a0}b@x.io",
            "a@x.io ",
            " a@x.io",
            "a@x.io\n",
            "a@x\0.io",
            "a:b@x.io",
            "<a@x.io>",
            "a@x.io,b@y.io",
            "a@x.io;b@y.io",
            "a@.io",
            "a@x.",
            "a@x..io",
            "a@-x.io",
            "a@x-.io",
            "a@[127.0.0.1]",
            "a@b\u{fc}cher.de",
            "a@\u{212a}.io",
            "a@x\u{3002}io",
            "a@x.io%40y.io",
            "a@x_y.io",
            "a(comment)@x.io",
        ] {
            assert!(Email::new(bad).is_none(), "{bad:?}");
        }
        for good in [
            "a@x.io",
            "a+b@x.io",
            "o'brien@x.io",
            "a@localhost",
            "a@xn--bcher-kva.de",
        ] {
            assert!(Email::new(good).is_some(), "{good:?}");
        }
    }

    #[test]
    fn t30_lengths_are_bounded() {
        assert!(Email::new(&format!("{}@x.io", "a".repeat(64))).is_some());
        assert!(Email::new(&format!("{}@x.io", "a".repeat(65))).is_none());
        assert!(Email::new(&format!("a@{}.io", "a".repeat(64))).is_none());
        assert!(Email::new(&format!("a@{}io", "abc.".repeat(63))).is_none());
    }

    #[test]
    fn t48_debug_shows_no_person() {
        assert_eq!(format!("{:?}", email("a.smith@x.io")), "Email(…@x.io)");
    }
}
