//! The ids of the events of a stream, sealed as they pass (T44).

use std::fmt;

use bytes::Bytes;
use http::HeaderValue;

use crate::context::AuthContext;
use crate::session::Seals;

/// The longest line of an id that is sealed, in bytes. A longer id leads nowhere.
const MOST: usize = 1024;

/// How a line of an id begins (HTML, "Parsing an event stream").
const FIELD: &[u8] = b"id:";

/// Adds the seal of whom they are for to ids of events, wherever frames begin and end. What has no id
/// passes as it is.
pub(crate) struct EventIds {
    seals: Seals,
    /// Nobody, where a stream needs no credential.
    owner: Option<AuthContext>,
    /// The line under way, as long as it may be one of an id.
    line: Vec<u8>,
    is_other: bool,
}

impl EventIds {
    pub(crate) fn new(seals: Seals, owner: Option<AuthContext>) -> Self {
        Self {
            seals,
            owner,
            line: Vec::new(),
            is_other: false,
        }
    }

    /// The next bytes of the stream.
    pub(super) fn seal(&mut self, data: Bytes) -> Bytes {
        let (mut sealed, mut copied, mut at) = (Vec::new(), 0, 0);
        while let Some(rest) = data.get(at..).filter(|rest| !rest.is_empty()) {
            let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let line = rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest);
            self.note(line);
            at += line.len();
            if end.is_none() {
                break;
            }
            if let Some(seal) = self.end_line() {
                sealed.extend_from_slice(data.get(copied..at).unwrap_or_default());
                sealed.extend_from_slice(&seal);
                copied = at;
            }
            at += 1;
        }
        if sealed.is_empty() {
            return data;
        }
        sealed.extend_from_slice(data.get(copied..).unwrap_or_default());
        sealed.into()
    }

    fn note(&mut self, more: &[u8]) {
        let differs = |(a, b): (&u8, &u8)| a != b;
        let expected = FIELD.get(self.line.len()..).unwrap_or_default();
        self.is_other |= expected.iter().zip(more).any(differs)
            || self.line.len().saturating_add(more.len()) > MOST;
        if !self.is_other {
            self.line.extend_from_slice(more);
        }
    }

    /// The seal that belongs behind the line, if it is one of an id.
    fn end_line(&mut self) -> Option<Vec<u8>> {
        let seal = self.seal_of_line();
        self.line.clear();
        self.is_other = false;
        seal
    }

    fn seal_of_line(&self) -> Option<Vec<u8>> {
        let id = self.line.strip_prefix(FIELD).filter(|_| !self.is_other)?;
        let id = id.strip_prefix(b" ").unwrap_or(id);
        if id.is_empty() {
            return None;
        }
        let owner = self.owner.as_ref().map(AuthContext::owner);
        let sealed = self.seals.seal(&HeaderValue::from_bytes(id).ok()?, owner)?;
        sealed.as_bytes().strip_prefix(id).map(<[u8]>::to_vec)
    }
}

impl fmt::Debug for EventIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventIds")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::keyed_hash::KeyedHash;
    use crate::session::Sessions;

    fn seals() -> Seals {
        let key = KeyedHash::shared(Sessions::PURPOSE, &[7; 32]).unwrap();
        Sessions::new(key).events
    }

    fn sealed(pieces: &[&[u8]]) -> Vec<u8> {
        let mut ids = EventIds::new(seals(), None);
        let pieces = pieces.iter().map(|piece| Bytes::copy_from_slice(piece));
        pieces.flat_map(|piece| ids.seal(piece)).collect()
    }

    fn seal_of(id: &str) -> String {
        let id = HeaderValue::from_str(id).unwrap();
        let sealed = seals().seal(&id, None).unwrap();
        sealed.to_str().unwrap().to_owned()
    }

    #[test]
    fn t44_ids_of_events_are_sealed_and_nothing_else() {
        let (one, two) = (seal_of("1"), seal_of("2/0"));
        for end in ["\n", "\r", "\r\n"] {
            let stream = |one: &str, two: &str| {
                let lines = [
                    &*format!("id: {one}"),
                    "data: id: 1",
                    "",
                    "id",
                    "id:",
                    "id: ",
                    "ids: 1",
                    " id: 1",
                    "i",
                    "ID: 1",
                    &*format!("id:{two}"),
                    "data",
                    ":id: 1",
                    "",
                    "id: 1",
                ];
                lines.join(end)
            };
            // The last line has no end, and so is no line yet.
            let expected = stream(&one, &two);
            assert_eq!(
                sealed(&[stream("1", "2/0").as_bytes()]),
                expected.as_bytes()
            );
        }
        let long = format!("id: {}\n", "x".repeat(MOST));
        assert_eq!(sealed(&[long.as_bytes()]), long.as_bytes());
    }

    #[test]
    fn mcp_22_what_has_no_id_passes_without_a_copy() {
        let data = Bytes::from_static(b"event: message\ndata: {}\n\n");
        let passed = EventIds::new(seals(), None).seal(data.clone());
        assert_eq!(passed.as_ptr(), data.as_ptr());
    }

    proptest! {
        #[test]
        fn t44_however_a_stream_is_cut_its_ids_are_sealed(text in "(id: ?|data: ?)?[0-9id:]{0,3}(\n|\r|\r\n)".prop_map(|line| line.repeat(3)), at in any::<prop::sample::Index>()) {
            let (one, two) = text.as_bytes().split_at(at.index(text.len()));
            prop_assert_eq!(sealed(&[one, two]), sealed(&[text.as_bytes()]));
            let bytes: Vec<_> = text.as_bytes().chunks(1).collect();
            prop_assert_eq!(sealed(&bytes), sealed(&[text.as_bytes()]));
        }
    }
}
