//! Secrets, and every piece of twelve characters of each form of them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

const LENGTH: usize = 12;

#[derive(Default)]
pub struct Canaries {
    names: Vec<String>,
    pieces: HashMap<[u8; LENGTH], usize>,
    /// The first three bytes of each, so that most of a text needs no look-up.
    starts: HashSet<u32>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn start(piece: &[u8]) -> u32 {
    u32::from_be_bytes([0, piece[0], piece[1], piece[2]])
}

impl Canaries {
    /// The text itself, in hex, and in base64 wherever in a longer text it stands.
    pub fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
        let mut forms = vec![
            secret.to_vec(),
            hex(secret).into(),
            hex(secret).to_uppercase().into(),
        ];
        for before in 0..3 {
            let text = [&b"~~"[..before], secret].concat();
            // What depends on what stands before or behind is cut away.
            let start = if before == 0 { 0 } else { 4 };
            for coded in [STANDARD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                let end = text.len() / 3 * 4;
                forms.push(coded.as_bytes()[start..end].to_vec());
            }
        }
        forms
    }

    pub fn add(&mut self, name: &str, secret: impl AsRef<[u8]>) {
        let secret = secret.as_ref();
        assert!(secret.len() >= LENGTH, "{name} is too short to be found");
        let number = self.names.len();
        self.names.push(name.to_owned());
        for form in Self::forms(secret) {
            for piece in form.windows(LENGTH) {
                self.starts.insert(start(piece));
                self.pieces
                    .entry(piece.try_into().unwrap())
                    .or_insert(number);
            }
        }
    }

    /// A text with dots, such as an access token, of which each part is a secret.
    pub fn add_parts(&mut self, name: &str, token: &str) {
        // The header says the same for all tokens of a key, and is no secret.
        for part in token.split('.').skip(1).filter(|part| part.len() >= LENGTH) {
            self.add(name, part);
        }
    }

    /// An API token: all but its public id.
    pub fn add_token(&mut self, name: &str, token: &str) {
        self.add(name, token.rsplit('_').next().unwrap());
    }

    pub fn secrets(&self) -> usize {
        self.names.len()
    }

    pub fn windows(&self) -> usize {
        self.pieces.len()
    }

    /// Each secret that is found, with where it was found first.
    pub fn found(&self, text: &[u8]) -> BTreeMap<&str, String> {
        let mut found = BTreeMap::new();
        let mut begins = vec![false; 1 << 24];
        for start in &self.starts {
            begins[usize::try_from(*start).unwrap()] = true;
        }
        for (at, piece) in text.windows(LENGTH).enumerate() {
            if !begins[usize::try_from(start(piece)).unwrap()] {
                continue;
            }
            let known = <&[u8; LENGTH]>::try_from(piece).ok();
            if let Some(number) = known.and_then(|piece| self.pieces.get(piece)) {
                let around = &text[at.saturating_sub(200)..text.len().min(at + 60)];
                let around = || String::from_utf8_lossy(around).into_owned();
                found.entry(&*self.names[*number]).or_insert_with(around);
            }
        }
        found
    }
}
