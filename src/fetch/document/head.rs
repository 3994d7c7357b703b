//! What the header lines of an answer say, read strictly: a line that must be alone and is not
//! makes the answer unusable instead of being resolved by guessing.

use std::time::Duration;

use http::HeaderMap;
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, RETRY_AFTER,
};

/// However long an issuer asks us to stay away, we look again after this.
const LONGEST_RETRY_AFTER: u64 = 5 * 60;

/// RFC 9111 §1.2.2: a larger delta is read as this one.
const LONGEST_MAX_AGE: u64 = 1 << 31;

/// Refuses a 200 whose head already shows that the body is unusable; else its declared length.
///
/// The media type must be the one asked for, or else JSON.
pub(super) fn check(headers: &HeaderMap, accept: Option<&str>) -> Result<Option<usize>, String> {
    let wanted = accept.unwrap_or("JSON");
    let is_wanted = |value: &str| match accept {
        Some(accept) => essence(value).eq_ignore_ascii_case(accept),
        None => is_json(value),
    };
    match single(headers, &CONTENT_TYPE)? {
        Some(value) if is_wanted(value) => {}
        Some(value) => {
            let value: String = value.chars().take(80).collect();
            return Err(format!("content-type {value:?} instead of {wanted}"));
        }
        None => return Err(format!("no content-type, expected {wanted}")),
    }
    if let Some(value) = single(headers, &CONTENT_ENCODING)?
        && !value.trim().eq_ignore_ascii_case("identity")
    {
        return Err("the body is content-encoded although identity was asked for".to_owned());
    }
    let Some(value) = single(headers, &CONTENT_LENGTH)? else {
        return Ok(None);
    };
    let declared = number(value).ok_or("content-length is malformed")?;
    Ok(Some(usize::try_from(declared).unwrap_or(usize::MAX)))
}

pub(super) fn too_long(cap: usize) -> String {
    format!("the body is longer than {cap} bytes")
}

/// The value of a header line that may occur once at most.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, String> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (None, _) => Ok(None),
        (Some(line), None) => line
            .to_str()
            .map(Some)
            .map_err(|_| format!("{name} is malformed")),
        (Some(_), Some(_)) => Err(format!("more than one {name} line")),
    }
}

/// A media type without its parameters.
fn essence(content_type: &str) -> &str {
    content_type
        .split_once(';')
        .map_or(content_type, |(essence, _)| essence)
        .trim()
}

/// `application/json` or `application/*+json` (RFC 6839 §3.1), parameters allowed.
fn is_json(content_type: &str) -> bool {
    let essence = essence(content_type).to_ascii_lowercase();
    let Some(subtype) = essence.strip_prefix("application/") else {
        return false;
    };
    let is_name = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    subtype == "json" || subtype.strip_suffix("+json").is_some_and(is_name)
}

/// `Cache-Control` (RFC 9111 §5.2) as a lifetime. A doubt is settled against caching: the smallest
/// of several `max-age` counts, and `no-store` or `no-cache` outweigh every other directive.
pub(super) fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let mut shortest = None;
    let mut malformed = false;
    for line in headers.get_all(CACHE_CONTROL) {
        let Ok(line) = line.to_str() else {
            malformed = true;
            continue;
        };
        for directive in line.split(',') {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            let name = name.trim();
            if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
                return Some(Duration::ZERO);
            }
            if name.eq_ignore_ascii_case("max-age") {
                match number(unquoted(value.trim())) {
                    Some(found) => shortest = Some(shortest.map_or(found, |s: u64| s.min(found))),
                    None => malformed = true,
                }
            }
        }
    }
    shortest
        .filter(|_| !malformed)
        .map(|seconds| Duration::from_secs(seconds.min(LONGEST_MAX_AGE)))
}

/// `Retry-After` (RFC 9110 §10.2.3) in seconds, capped; a date, a malformed or a doubled line is
/// as good as none.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = single(headers, &RETRY_AFTER).ok().flatten()?;
    let seconds = number(value.trim())?;
    Some(Duration::from_secs(seconds.min(LONGEST_RETRY_AFTER)))
}

/// `1*DIGIT`. A number beyond `u64` is a valid, very large one.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// RFC 9111 §5.2 asks recipients to read both forms of an argument.
fn unquoted(value: &str) -> &str {
    value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(value)
}
