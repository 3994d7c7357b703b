//! The lines that carry a credential, against a reader that works on the joined text.
#![no_main]

use http::header::{AUTHORIZATION, CONNECTION, HeaderName};
use http::{HeaderMap, HeaderValue};
use tower_mcp_auth::fuzzing::{basic, credential, glances};
use tower_mcp_auth_fuzz::fuzz_target;
use tower_mcp_auth_fuzz::input::Input;
use tower_mcp_auth_fuzz::letters::standard;

const KEY: HeaderName = HeaderName::from_static("x-api-key");
const LIMIT: usize = 256;

/// RFC 9110 §11.2 and §11.4, and the rules about lines: what may be read, or nothing.
fn naive(lines: &[(HeaderName, Vec<u8>)], with_key: bool) -> Option<(&'static str, String)> {
    let of = |name: &HeaderName| -> Vec<&Vec<u8>> {
        lines.iter().filter(|(known, _)| known == name).map(|(_, line)| line).collect()
    };
    let (authorization, keys) = (of(&AUTHORIZATION), of(&KEY));
    let keys = if with_key { keys } else { Vec::new() };
    let (name, line) = match (&authorization[..], &keys[..]) {
        ([line], []) => ("authorization", *line),
        ([], [line]) => ("x-api-key", *line),
        _ => return None,
    };
    for connection in of(&CONNECTION) {
        let options = String::from_utf8_lossy(connection).to_ascii_lowercase();
        if options.split(',').any(|option| option.trim_matches([' ', '\t']) == name) {
            return None;
        }
    }
    if line.len() > LIMIT {
        return None;
    }
    if name == "x-api-key" {
        let text = String::from_utf8(line.clone()).ok()?;
        let text = text.trim_matches([' ', '\t']);
        let word = !text.is_empty() && text.chars().all(|c| ('!'..='~').contains(&c));
        return word.then(|| ("key", text.to_owned()));
    }
    let split = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    let scheme = String::from_utf8_lossy(&line[..split]).to_lowercase();
    let rest = &line[split..];
    if scheme == "basic" {
        let text = std::str::from_utf8(rest).map(|text| text.trim_start_matches(' ').trim_end_matches([' ', '\t']));
        return Some(("basic", text.unwrap_or("\u{fffd}").to_owned()));
    }
    let scheme = ["bearer", "dpop"].into_iter().find(|known| *known == scheme)?;
    let text = String::from_utf8(rest.to_vec()).ok()?;
    let text = text.trim_start_matches(' ').trim_end_matches([' ', '\t']);
    let letters = text.trim_end_matches('=');
    let good = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
    (!letters.is_empty() && letters.chars().all(good)).then(|| (scheme, text.to_owned()))
}

/// RFC 7617 §2, and no control characters anywhere.
fn naive_basic(text: &str) -> Option<(String, String)> {
    let text = text.trim_matches(|c: char| c.is_ascii_whitespace());
    let text = String::from_utf8(standard(text)?).ok()?;
    let (email, secret) = text.split_once(':')?;
    let good = !email.is_empty() && !secret.is_empty() && !text.chars().any(char::is_control);
    good.then(|| (email.to_owned(), secret.to_owned()))
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let with_key = input.yes();
    let mut headers = HeaderMap::new();
    let mut lines = Vec::new();
    while !input.is_empty() && lines.len() < 40 {
        let name = input.pick(&[AUTHORIZATION, AUTHORIZATION, CONNECTION, KEY]).clone();
        let prefix = *input.pick(&["", "Bearer ", "Basic ", "DPoP ", "bEARER", "close, "]);
        let line = [prefix.as_bytes(), input.chunk()].concat();
        let Ok(value) = HeaderValue::from_bytes(&line) else { continue };
        headers.append(&name, value);
        lines.push((name, line));
    }
    let key = with_key.then_some(KEY);
    let ours = credential(&headers, LIMIT, key.as_ref());
    let theirs = naive(&lines, with_key);
    assert_eq!(ours.ok().map(|(scheme, text)| (scheme, text.to_owned())), theirs, "{lines:?}");
    if let Ok(("basic", text)) = ours {
        assert_eq!(basic(text).ok(), naive_basic(text), "{text:?}");
    }
    for line in headers.get_all(AUTHORIZATION) {
        let (_, token) = glances(&headers, line);
        assert!(token.is_none_or(|token| line.as_bytes().ends_with(token.as_bytes()) || !token.is_empty()));
    }
});
