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
    let media_type = String::from_utf8_lossy(media_type.as_bytes()).to_ascii_lowercase();
    media_type.split([';', ',']).any(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or_default();
        let value = value.trim_matches([' ', '\t', '"']);
        name.trim_start().starts_with("charset") && !matches!(value, "utf-8" | "utf8" | "us-ascii")
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
