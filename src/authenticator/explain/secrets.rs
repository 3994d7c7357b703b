//! What of a request is nobody's to read.

use http::header::{AUTHORIZATION, COOKIE, HeaderName, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderValue};

use crate::authenticator::Inner;
use crate::secret::SecretText;
use crate::session::MCP_SESSION_ID;
use crate::wire::basic::read_basic;

const DPOP: HeaderName = HeaderName::from_static("dpop");

/// Every credential with its secret part; of an API token that is what follows its id.
pub(super) fn of(inner: &Inner, headers: &HeaderMap) -> Vec<SecretText> {
    let mut all = Vec::new();
    for line in headers.get_all(AUTHORIZATION) {
        let text = text(line);
        // With an unknown scheme, or none, the whole line may be a token.
        let credential = text.split_once(' ').map_or(&*text, |(_, rest)| rest.trim());
        all.push(secret(inner, credential));
        if let Ok(basic) = read_basic(credential) {
            all.push(secret(inner, basic.secret()));
        }
    }
    let key = inner.api_key_header().cloned();
    for line in key.iter().flat_map(|name| headers.get_all(name)) {
        all.push(secret(inner, text(line).trim()));
    }
    for name in [DPOP, MCP_SESSION_ID.clone(), COOKIE, PROXY_AUTHORIZATION] {
        let lines = headers.get_all(name);
        all.extend(lines.iter().map(|line| SecretText::of(text(line))));
    }
    all
}

fn text(line: &HeaderValue) -> String {
    String::from_utf8_lossy(line.as_bytes()).into_owned()
}

fn secret(inner: &Inner, credential: &str) -> SecretText {
    let tokens = inner.shared.tokens.as_ref();
    let is_whole = tokens.is_some_and(|tokens| tokens.id_of(credential).is_some());
    let tail = credential.rsplit('_').next().filter(|_| is_whole);
    SecretText::new(tail.unwrap_or(credential))
}
