//! How a response that goes on is ended so that its client knows why: by a last event, or a status.

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use serde::Serialize;

use super::facts::is_grpc;
use super::render::{GRPC_MESSAGE, GRPC_STATUS, insert_text, percent_encoded};
use crate::rejection::Rejection;
use crate::wire::only_line;

/// The rest of a gRPC message is let through up to this length: the most a client takes by default.
const MOST_REST: u64 = 4 * 1024 * 1024;

/// What is kept of a body on its way, to end it well.
#[derive(Debug)]
pub(crate) enum Framing {
    /// `text/event-stream`: the last bytes.
    Events([u8; 4]),
    /// The same in a content coding, in which nothing of ours can be said.
    Coded,
    /// `application/grpc`: where in a message it stands.
    Grpc(Messages),
}

impl Framing {
    /// Whether a response with these headers is one that goes on.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        if is_grpc(headers) {
            return Some(Self::Grpc(Messages::default()));
        }
        if !is_event_stream(headers) {
            return None;
        }
        let mut codings = headers.get_all(CONTENT_ENCODING).iter();
        if codings.all(|coding| coding == "identity") {
            // Nothing sent yet is as good as a blank line.
            Some(Self::Events(*b"\n\n\n\n"))
        } else {
            Some(Self::Coded)
        }
    }

    /// Takes note of what passes.
    pub(super) fn note(&mut self, data: &[u8]) {
        match self {
            Self::Events(last) => keep_last(last, data),
            Self::Coded => {}
            Self::Grpc(messages) => messages.note(data),
        }
    }

    /// How many of the next bytes must still pass before it can end, beyond reasonable bounds none.
    pub(super) fn rest(&self, data: &[u8]) -> Option<usize> {
        match self {
            Self::Grpc(messages) => messages.rest(data),
            _ => None,
        }
    }

    /// The last frame.
    pub(super) fn farewell(&self, rejection: &Rejection) -> Option<Frame<Bytes>> {
        match self {
            Self::Events(last) => Some(Frame::data(last_event(rejection, !ends_blank(last)))),
            Self::Coded => None,
            Self::Grpc(_) => Some(Frame::trailers(trailers(rejection))),
        }
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let Ok(Some(value)) = only_line(headers, &CONTENT_TYPE) else {
        return false;
    };
    let (value, name) = (value.as_bytes(), b"text/event-stream");
    value
        .get(..name.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(name))
        && matches!(value.get(name.len()), None | Some(b';' | b' ' | b'\t'))
}

fn keep_last(last: &mut [u8; 4], data: &[u8]) {
    let tail = data
        .get(data.len().saturating_sub(last.len())..)
        .unwrap_or(data);
    last.rotate_left(tail.len());
    let kept = last.len().saturating_sub(tail.len());
    for (slot, byte) in last.iter_mut().skip(kept).zip(tail) {
        *slot = *byte;
    }
}

/// Lines of an event stream end with CR LF, LF or CR; an event ends with an empty one.
fn ends_blank(last: &[u8]) -> bool {
    let without_line_end = |bytes: &'_ [u8]| -> Option<usize> {
        match bytes {
            [.., b'\r', b'\n'] => bytes.len().checked_sub(2),
            [.., b'\n' | b'\r'] => bytes.len().checked_sub(1),
            _ => None,
        }
    };
    without_line_end(last)
        .and_then(|length| last.get(..length))
        .and_then(without_line_end)
        .is_some()
}

/// What a client reads; nothing of our notes.
#[derive(Serialize)]
struct Ended<'a> {
    error: &'static str,
    reason: &'static str,
    message: &'a str,
}

fn last_event(rejection: &Rejection, within_event: bool) -> Bytes {
    let ended = Ended {
        error: rejection.answer().error,
        reason: rejection.reason().code(),
        message: rejection.message(),
    };
    // Three strings always serialize, and JSON has no line ends in it.
    let json = serde_json::to_string(&ended).unwrap_or_default();
    let separator = if within_event { "\n\n" } else { "" };
    format!("{separator}event: authorization_ended\ndata: {json}\n\n").into()
}

fn trailers(rejection: &Rejection) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(2);
    let status = HeaderValue::from(u16::from(rejection.answer().grpc.number()));
    trailers.insert(GRPC_STATUS, status);
    insert_text(
        &mut trailers,
        GRPC_MESSAGE,
        &percent_encoded(rejection.message()),
    );
    trailers
}

/// Where a gRPC body stands among its length-prefixed messages: a flag and four bytes of length
/// before each (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Messages {
    /// Bytes of the prefix seen, 0 to 4.
    prefix: u8,
    length: u32,
    /// Bytes of the message to come.
    left: u32,
}

impl Messages {
    fn is_between(self) -> bool {
        self.prefix == 0 && self.left == 0
    }

    fn note(&mut self, data: &[u8]) {
        self.advance(data, false);
    }

    /// Goes through `data`, or to the end of the message under way if `once`. Returns what is left.
    fn advance<'d>(&mut self, mut data: &'d [u8], once: bool) -> &'d [u8] {
        loop {
            if self.left > 0 {
                let left = usize::try_from(self.left).unwrap_or(usize::MAX);
                let Some(rest) = data.get(left..) else {
                    let seen = u32::try_from(data.len()).unwrap_or(u32::MAX);
                    self.left = self.left.saturating_sub(seen);
                    return &[];
                };
                (self.left, data) = (0, rest);
                if once {
                    return data;
                }
            }
            let Some((byte, rest)) = data.split_first() else {
                return data;
            };
            data = rest;
            self.prefix = self.prefix.saturating_add(1);
            // The flag is shifted out.
            self.length = self.length.wrapping_shl(8) | u32::from(*byte);
            if self.prefix == 5 {
                (self.left, self.prefix) = (self.length, 0);
                if once && self.left == 0 {
                    return data;
                }
            }
        }
    }

    /// How many of these bytes end the message under way; `None` if none is, or it is too long.
    fn rest(self, data: &[u8]) -> Option<usize> {
        if self.is_between() || u64::from(self.left) > MOST_REST {
            return None;
        }
        let mut ahead = self;
        let after = ahead.advance(data, true);
        Some(data.len().saturating_sub(after.len()))
    }
}

#[cfg(test)]
mod tests;
