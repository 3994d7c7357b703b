//! The names a request brings along, under which other systems know it.

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};

use super::only_line;

/// Names one request in answers, logs and audit records.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Longest request id taken from a request, in bytes.
const MAX_REQUEST_ID: usize = 128;

/// The request's own id. Sent on to logs and answers, hence only what can do no harm there: 1 to
/// 128 of `[A-Za-z0-9._-]`.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<&str> {
    request_id_line(headers)?.to_str().ok()
}

/// The same, as a value that is cheap to keep.
pub(crate) fn request_id_line(headers: &HeaderMap) -> Option<&HeaderValue> {
    let id = only_line(headers, &X_REQUEST_ID).ok()??;
    let harmless = (1..=MAX_REQUEST_ID).contains(&id.len())
        && id
            .as_bytes()
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    harmless.then_some(id)
}

/// The trace id of a well-formed `traceparent` (W3C Trace Context §3.2.2): 32 lower-case
/// hexadecimal digits, not all zero. Anybody can send one: it correlates, it proves nothing.
pub(crate) fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let line = only_line(headers, &TRACEPARENT).ok()??.to_str().ok()?;
    let mut parts = line.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let (parent, flags) = (parts.next()?, parts.next()?);
    // Only versions to come may have more parts; ff is none.
    let ends = version != "00" || parts.next().is_none();
    let well_formed = is_hex(version, 2)
        && version != "ff"
        && is_hex(trace, 32)
        && is_hex(parent, 16)
        && is_hex(flags, 2)
        && !is_zero(trace)
        && !is_zero(parent)
        && ends;
    well_formed.then_some(trace)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_zero(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'0')
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn with(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(TRACEPARENT, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    #[test]
    fn edge_08_a_well_formed_trace_id_is_taken() {
        for line in [
            format!("00-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-00"),
            format!("cc-{TRACE}-00f067aa0ba902b7-01-what-the-future-holds"),
        ] {
            assert_eq!(trace_id(&with(&[&line])), Some(TRACE), "{line}");
        }
    }

    #[test]
    fn edge_08_any_other_is_left_out() {
        let good = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let zero = "0".repeat(32);
        for line in [
            String::new(),
            TRACE.to_owned(),
            format!("00-{TRACE}"),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            format!("{good}-more"),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("0-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{zero}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-0000000000000000-01"),
            good.to_uppercase(),
            good.replace('4', "g"),
            format!(" {good}"),
        ] {
            assert_eq!(trace_id(&with(&[&line])), None, "{line}");
        }
        assert_eq!(trace_id(&with(&[&good, &good])), None);
        assert_eq!(trace_id(&HeaderMap::new()), None);
    }

    proptest! {
        #[test]
        fn t49_any_line_gives_a_trace_id_or_none(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let mut headers = HeaderMap::new();
                headers.insert(TRACEPARENT, value);
                prop_assert!(trace_id(&headers).is_none_or(|id| is_hex(id, 32)));
            }
        }
    }
}
