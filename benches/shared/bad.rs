//! Bad credentials, each of which was never seen before.

use std::cell::Cell;
use std::net::Ipv4Addr;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

/// Makes them cheaply: whoever makes them is on the same machine as the server.
pub(crate) struct Bad {
    header: Value,
    claims: Value,
    signature: Vec<u8>,
    made: Cell<u32>,
}

impl Bad {
    /// Access tokens of these look like this one.
    pub(crate) fn like(token: &str) -> Self {
        let mut parts = token
            .split('.')
            .map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
        let mut part = || parts.next().unwrap();
        let (header, claims, signature) = (part(), part(), part());
        Self {
            header: serde_json::from_slice(&header).unwrap(),
            claims: serde_json::from_slice(&claims).unwrap(),
            signature,
            made: Cell::new(0),
        }
    }

    /// The next, and an address nobody came from before.
    pub(crate) fn next(&self) -> (String, Ipv4Addr) {
        let nth = self.made.get();
        self.made.set(nth.wrapping_add(1));
        let from = Ipv4Addr::from_bits(0x0100_0000_u32.wrapping_add(nth));
        let header = match nth % 6 {
            // Good but for its signature.
            0 | 1 => format!("Bearer {}", self.token(nth, "", "")),
            2 => format!("Bearer {}", self.token(nth, "kid", "")),
            3 => format!("Bearer {}", self.token(nth, "", "iss")),
            4 => format!("Bearer {}", api_token('s', nth)),
            _ => {
                let pair = format!("nobody-{nth}@acme.example:{}", api_token('u', nth));
                format!("Basic {}", STANDARD.encode(pair))
            }
        };
        (header, from)
    }

    fn token(&self, nth: u32, other_header: &str, other_claim: &str) -> String {
        let with = |value: &Value, name: &str, text: String| {
            let mut value = value.clone();
            if let Some(members) = value.as_object_mut().filter(|_| !name.is_empty()) {
                members.insert(name.to_owned(), text.into());
            }
            value
        };
        let header = with(&self.header, other_header, format!("key-{nth}"));
        let claims = with(&self.claims, "jti", format!("bad-{nth}"));
        let claims = with(&claims, other_claim, format!("https://{nth}.example.com"));
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signature = URL_SAFE_NO_PAD.encode(&self.signature);
        format!("{}.{}.{signature}", part(header), part(claims))
    }
}

/// A well-formed API token that nobody issued.
fn api_token(kind: char, nth: u32) -> String {
    let text = format!("mcp{kind}_{nth:016}_{nth:043}");
    let checksum = base62(crc32fast::hash(text.as_bytes()));
    text + &checksum
}

/// Six digits of 0-9, A-Z, a-z.
fn base62(mut number: u32) -> String {
    let digits = ('0'..='9').chain('A'..='Z').chain('a'..='z');
    let digits: Vec<char> = digits.collect();
    let mut text = Vec::new();
    for _ in 0..6 {
        text.push(
            digits
                .get(usize::try_from(number % 62).unwrap())
                .copied()
                .unwrap(),
        );
        number /= 62;
    }
    text.iter().rev().collect()
}
