//! Signed answers about an opaque token (RFC 9701), through a whole authenticator. Nothing but an answer that
//! its issuer signed, now and for us, lets anybody in.
//!
//! The first byte says how the input is read: as the text of an answer, as header and payload to sign, or as
//! changes to a good answer.
#![no_main]

use std::sync::LazyLock;

use serde_json::{Map, Value};
use tower_mcp_auth::authenticator::Authenticator;
use tower_mcp_auth_fuzz::answer::{is_let_in, lets_in};
use tower_mcp_auth_fuzz::changes::{changed_answer, compact};
use tower_mcp_auth_fuzz::fuzz_target;
use tower_mcp_auth_fuzz::input::Input;
use tower_mcp_auth_fuzz::json::strict_object;
use tower_mcp_auth_fuzz::letters::url_safe;
use tower_mcp_auth_fuzz::world::{Answers, ISSUERS, KEYS, NOW, RESOURCE, ask_about_one, authenticator};

static AUTH: LazyLock<Authenticator> = LazyLock::new(|| authenticator(Answers::Signed));

fn is_signed(header: &Map<String, Value>, signed: &[u8], signature: &[u8]) -> bool {
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    let typ = text("typ").unwrap_or_default().to_ascii_lowercase();
    let typ = typ == "token-introspection+jwt" || typ == "application/token-introspection+jwt";
    let extended = ["crit", "b64", "jwk", "jku", "x5u"].iter().any(|name| header.contains_key(*name));
    let named = header.get("kid").is_none_or(Value::is_string);
    let good = KEYS.verify(text("kid"), text("alg").unwrap_or_default(), signed, signature);
    typ && !extended && named && good == Some(true)
}

fn naive(answer: &str) -> Option<(String, Vec<String>)> {
    let answer = answer.trim_ascii();
    let parts: Vec<_> = answer.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        return None;
    };
    let signed = &answer[..header.len() + 1 + payload.len()];
    let header = strict_object(&url_safe(header)?, 8, 256)?;
    if !is_signed(&header, signed.as_bytes(), &url_safe(signature)?) {
        return None;
    }
    let claims = strict_object(&url_safe(payload)?, 16, 256)?;
    let ours = |name: &Value| [RESOURCE, "other-name", "us"].iter().any(|one| name == one);
    let for_us = match claims.get("aud")? {
        Value::Array(all) => all.iter().any(ours),
        one => ours(one),
    };
    let made = claims.get("iat")?.as_f64()?.floor();
    let now = (NOW - 90) as f64 <= made && made <= (NOW + 30) as f64;
    let by_them = claims.get("iss")? == ISSUERS[0];
    let said = claims.get("token_introspection")?.as_object()?.clone();
    if by_them && for_us && now { lets_in(said) } else { None }
}

fuzz_target!(|data: &[u8]| {
    let untouched = data.len() <= 2 && data.first().is_some_and(|way| way % 4 > 1);
    let answer = compact(&mut Input(data), changed_answer);
    let ours = match ask_about_one(&AUTH, answer.clone().into_bytes()) {
        Ok(ours) => ours,
        Err(rejection) => {
            assert!(!untouched, "{rejection:?}: {answer}");
            return;
        }
    };
    let theirs = naive(&answer).unwrap_or_else(|| panic!("somebody may be let in: {answer}"));
    is_let_in(&ours, theirs);
});
