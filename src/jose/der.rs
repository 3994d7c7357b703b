//! As much DER as private keys need (ITU-T X.690).

use zeroize::Zeroizing;

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const OBJECT_ID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
/// `[1]`, constructed: the public half within an EC private key (RFC 5915 §3).
pub(super) const PUBLIC_HALF: u8 = 0xa1;

/// One element of these parts.
pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    // Reserved at once: a secret that moves leaves a copy behind.
    let mut whole = Zeroizing::new(Vec::with_capacity(length.saturating_add(10)));
    whole.push(tag);
    let digits = length.to_be_bytes();
    let digits = digits.iter().copied().skip_while(|digit| *digit == 0);
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => whole.push(short),
        _ => {
            let count = u8::try_from(digits.clone().count()).unwrap_or(0);
            whole.push(0x80 | count);
            whole.extend(digits);
        }
    }
    for part in parts {
        whole.extend_from_slice(part);
    }
    whole
}

/// A number that is not negative.
pub(super) fn number(digits: &[u8]) -> Zeroizing<Vec<u8>> {
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    let digits = digits.get(zeros..).unwrap_or_default();
    if digits.first().is_none_or(|first| *first >= 0x80) {
        element(INTEGER, &[&[0], digits])
    } else {
        element(INTEGER, &[digits])
    }
}

/// Takes an element of this tag off the front.
pub(super) fn take<'d>(input: &mut &'d [u8], tag: u8) -> Option<&'d [u8]> {
    let (found, rest) = input.split_first()?;
    let (first, mut rest) = rest.split_first()?;
    if *found != tag {
        return None;
    }
    let mut length = usize::from(*first);
    if length >= 0x80 {
        let (digits, after) = rest.split_at_checked(length & 0x7f)?;
        if digits.len() > 4 {
            return None;
        }
        length = digits
            .iter()
            .fold(0, |length, digit| (length << 8) | usize::from(*digit));
        rest = after;
    }
    let (content, rest) = rest.split_at_checked(length)?;
    *input = rest;
    Some(content)
}
