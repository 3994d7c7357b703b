//! What an answer needs to know of its request.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};

use crate::wire::correlation::request_id_line;
use crate::wire::only_line;

/// What an answer needs to know of its request, kept while the request itself is on its way.
#[derive(Clone, Debug)]
pub(crate) struct RequestFacts {
    /// The request's own `x-request-id` if it is harmless, else one of ours: always 1 to 128 of
    /// `[A-Za-z0-9._-]`.
    pub(crate) request_id: String,
    /// Whether the client speaks gRPC, and so finds the outcome in `grpc-status` only.
    pub(crate) grpc: bool,
    /// Whether the answer must have no content (RFC 9110 §9.3.2). Over HTTP/2 nobody below us
    /// takes it off, and clients then report a protocol error.
    pub(crate) head: bool,
    /// Whether the credential came with the scheme `DPoP`, where that is taken: errors then belong to
    /// the DPoP challenge (RFC 9449 §7.1).
    pub(crate) dpop: bool,
}

impl RequestFacts {
    pub(crate) fn of(method: &Method, headers: &HeaderMap) -> Self {
        RequestMarks::of(method, headers).facts()
    }
}

/// What [`RequestFacts`] are made of, for requests that are hardly ever refused: cheap to take along.
#[derive(Clone, Debug)]
pub(crate) struct RequestMarks {
    id: Option<HeaderValue>,
    grpc: bool,
    head: bool,
    dpop: bool,
}

impl RequestMarks {
    pub(crate) fn of(method: &Method, headers: &HeaderMap) -> Self {
        Self {
            id: request_id_line(headers).cloned(),
            grpc: is_grpc(headers),
            head: *method == Method::HEAD,
            dpop: false,
        }
    }

    /// The same, of a request whose credential came with the scheme `DPoP` or with another one.
    pub(crate) fn with_dpop(self, dpop: bool) -> Self {
        Self { dpop, ..self }
    }

    /// The request id, the same from now on.
    pub(crate) fn fixed_id(&mut self) -> String {
        let id = self.facts().request_id;
        if self.id.is_none() {
            self.id = HeaderValue::from_str(&id).ok();
        }
        id
    }

    pub(crate) fn facts(&self) -> RequestFacts {
        let id = self.id.as_ref().and_then(|id| id.to_str().ok());
        RequestFacts {
            request_id: id.map_or_else(new_request_id, str::to_owned),
            grpc: self.grpc,
            head: self.head,
            dpop: self.dpop,
        }
    }
}

/// `application/grpc`, with or without a codec (`+proto`) or parameters.
///
/// Not `application/grpc-web`: such a client is a browser library that takes a plain HTTP status
/// for what it is (401 is `UNAUTHENTICATED`, 403 `PERMISSION_DENIED`, 503 `UNAVAILABLE`), while
/// trailers-only answers of the native protocol are not part of its framing. Where a translating
/// layer stands outside this crate, the request arrives as `application/grpc` anyway.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let Ok(Some(value)) = only_line(headers, &CONTENT_TYPE) else {
        return false;
    };
    let value = value.as_bytes();
    let name = b"application/grpc";
    value
        .get(..name.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(name))
        && matches!(value.get(name.len()), None | Some(b'+' | b';' | b' '))
}

/// 128 bits as hex. A keyed hash of a counter: no two alike in practice, across processes too. It
/// identifies, it does not protect, so predictability would be no loss.
fn new_request_id() -> String {
    static KEYS: LazyLock<[RandomState; 2]> =
        LazyLock::new(|| [RandomState::new(), RandomState::new()]);
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let halves = KEYS.each_ref().map(|key| key.hash_one(count).to_be_bytes());
    let mut id = vec![0; 32];
    for (place, byte) in id
        .as_chunks_mut::<2>()
        .0
        .iter_mut()
        .zip(halves.as_flattened())
    {
        *place = [hex_digit(byte >> 4), hex_digit(byte & 15)];
    }
    // Digits are text.
    String::from_utf8(id).unwrap_or_default()
}

const fn hex_digit(value: u8) -> u8 {
    if value < 10 {
        b'0' + value
    } else {
        b'a' + value - 10
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::HeaderName;
    use proptest::prelude::*;

    use super::*;
    use crate::wire::correlation::X_REQUEST_ID;

    fn with(name: &HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    #[test]
    fn grpc_is_told_by_the_media_type_alone() {
        for (value, grpc) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("Application/gRPC;charset=utf-8", true),
            ("application/grpc-web", false),
            ("application/grpc-web+proto", false),
            ("application/grpcfoo", false),
            ("application/json", false),
            ("application/grp", false),
        ] {
            let facts = RequestFacts::of(&Method::POST, &with(&CONTENT_TYPE, &[value]));
            assert_eq!(facts.grpc, grpc, "{value}");
        }
        assert!(!RequestFacts::of(&Method::POST, &HeaderMap::new()).grpc);
        assert!(
            !RequestFacts::of(
                &Method::POST,
                &with(&CONTENT_TYPE, &["application/grpc"; 2])
            )
            .grpc
        );
    }

    #[test]
    fn a_harmless_request_id_is_kept() {
        let facts = RequestFacts::of(&Method::POST, &with(&X_REQUEST_ID, &["a.B_9-x"]));
        assert_eq!(facts.request_id, "a.B_9-x");
    }

    #[test]
    fn other_request_ids_are_replaced_by_distinct_ones() {
        let long = "x".repeat(129);
        for values in [
            &["a b"][..],
            &[""],
            &["<script>"],
            &["é"],
            &["a", "b"],
            &[&long],
        ] {
            let id = RequestFacts::of(&Method::POST, &with(&X_REQUEST_ID, values)).request_id;
            assert_eq!(id.len(), 32, "{values:?}");
            assert!(id.bytes().all(|b| b.is_ascii_hexdigit()));
        }
        assert_ne!(new_request_id(), new_request_id());
    }

    proptest! {
        #[test]
        fn edge_11_any_header_bytes_give_a_harmless_id(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let mut headers = HeaderMap::new();
                headers.insert(X_REQUEST_ID, value.clone());
                headers.insert(CONTENT_TYPE, value);
                let id = RequestFacts::of(&Method::POST, &headers).request_id;
                prop_assert!((1..=128).contains(&id.len()));
                prop_assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)));
            }
        }
    }
}
