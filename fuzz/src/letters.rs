//! Base64 letter by letter, in both alphabets: no library, no speed, one spelling for each value.

const COMMON: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

fn decode(text: &[u8], last_two: [u8; 2]) -> Option<Vec<u8>> {
    let value = |letter: u8| {
        let place = COMMON.iter().chain(&last_two).position(|one| *one == letter)?;
        u32::try_from(place).ok()
    };
    let mut bytes = Vec::new();
    for group in text.chunks(4) {
        let mut bits = 0_u32;
        for letter in group {
            bits = bits << 6 | value(*letter)?;
        }
        let (whole, rest) = match group.len() {
            4 => (3, 0),
            3 => (2, 2),
            2 => (1, 4),
            _ => return None,
        };
        if bits & ((1 << rest) - 1) != 0 {
            return None;
        }
        let all = (bits >> rest).to_be_bytes();
        bytes.extend_from_slice(&all[4 - whole..]);
    }
    Some(bytes)
}

/// RFC 4648 §5 without padding.
#[must_use]
pub fn url_safe(text: &str) -> Option<Vec<u8>> {
    decode(text.as_bytes(), *b"-_")
}

/// RFC 4648 §4 with its padding.
#[must_use]
pub fn standard(text: &str) -> Option<Vec<u8>> {
    let plain = text.trim_end_matches('=');
    let padding = text.len() - plain.len();
    if text.len() % 4 != 0 || padding > 2 {
        return None;
    }
    decode(plain.as_bytes(), *b"+/")
}
