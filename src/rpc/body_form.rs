//! Which bodies have to be read as a message.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};

use crate::wire::only_line;

use super::fault::MessageFault;

/// What the body of a request is to a JSON-RPC server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyForm {
    /// A message, or nothing that may pass.
    Json,
    /// Nothing it would read.
    Other,
}

/// Tells by method and headers whether the body is a message. In doubt it is one.
pub(crate) fn body_form(method: &Method, headers: &HeaderMap) -> Result<BodyForm, MessageFault> {
    if matches!(
        *method,
        Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS
    ) {
        return Ok(BodyForm::Other);
    }
    let media_type = only_line(headers, &CONTENT_TYPE).map_err(|_| MessageFault::ContentType)?;
    let plain = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(plain) {
        return Err(MessageFault::ContentEncoding);
    }
    match media_type {
        Some(media_type) if is_never_json(media_type) => Ok(BodyForm::Other),
        Some(media_type) if has_other_charset(media_type) => Err(MessageFault::Charset),
        _ => Ok(BodyForm::Json),
    }
}

/// JSON is UTF-8 (RFC 8259 §8.1), but some servers decode it as the charset says, and in UTF-7 a
/// text that is plain for us has quotes in it.
fn has_other_charset(media_type: &HeaderValue) -> bool {
    let known = |value: &[u8]| {
        ["utf-8", "utf8", "us-ascii"]
            .iter()
            .any(|name| value.eq_ignore_ascii_case(name.as_bytes()))
    };
    let mut parameters = media_type.as_bytes().split(|byte| b";,".contains(byte));
    parameters.any(|parameter| {
        let equals = parameter.iter().position(|byte| *byte == b'=');
        let Some((name, value)) = equals.and_then(|at| parameter.split_at_checked(at)) else {
            return false;
        };
        let name = name.trim_ascii_start().get(..b"charset".len());
        let value = value.strip_prefix(b"=").unwrap_or(value).trim_ascii();
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        let value = value.strip_suffix(b"\"").unwrap_or(value);
        name.is_some_and(|name| name.eq_ignore_ascii_case(b"charset")) && !known(value)
    })
}

/// Media types that no JSON-RPC server should read; one that does gets no message with them, see
/// [`RequestBody`](crate::middleware::RequestBody). A comma may be two lines that somebody joined, and a
/// server may take the other one.
fn is_never_json(media_type: &HeaderValue) -> bool {
    let Some(media_type) = media_type.to_str().ok().filter(|line| !line.contains(',')) else {
        return false;
    };
    let essence = media_type.split(';').next().unwrap_or_default();
    let Some((kind, subtype)) = essence.trim_matches([' ', '\t']).split_once('/') else {
        return false;
    };
    let is = |text: &str, known: &str| text.eq_ignore_ascii_case(known);
    if is(kind, "application") {
        let grpc = subtype.get(..4).is_some_and(|start| is(start, "grpc"));
        return grpc || is(subtype, "octet-stream");
    }
    ["multipart", "image", "audio", "video"]
        .iter()
        .any(|known| is(kind, known))
}
