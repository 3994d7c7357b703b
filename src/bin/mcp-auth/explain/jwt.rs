//! What a JWT says of itself.

use serde_json::{Map, Value};
use tower_mcp_auth::clock::UnixTime;

use super::read::Jwt;
use super::{Mark, Steps};
use crate::table::escape;
use crate::times;
use crate::token_list::plain;

/// The claims that decide, or that people ask about.
const TOLD: [&str; 14] = [
    "iss",
    "sub",
    "aud",
    "client_id",
    "azp",
    "scope",
    "scp",
    "iat",
    "nbf",
    "exp",
    "auth_time",
    "jti",
    "cnf",
    "token_use",
];

/// The longest value that is repeated, in characters.
const LONGEST: usize = 200;

impl Jwt {
    pub(super) fn tell(&self, steps: &mut Steps) {
        for name in ["alg", "typ", "kid"] {
            let text = self.header.get(name).map_or("(absent)".to_owned(), shown);
            steps.add(Mark::Fact, name, text);
        }
        for name in TOLD {
            if let Some(value) = self.claims.get(name) {
                let time = matches!(name, "iat" | "nbf" | "exp" | "auth_time");
                let moment = value.as_f64().filter(|_| time).and_then(moment);
                steps.add(
                    Mark::Fact,
                    name,
                    moment.map_or_else(|| shown(value), times::both),
                );
            }
        }
        if self.claims.is_empty() {
            steps.add(Mark::Bad, "claims", "there are none that can be read");
        }
    }

    pub(super) fn issuer(&self) -> Option<&str> {
        text(&self.claims, "iss")
    }

    /// Whom it says it is for.
    pub(super) fn audiences(&self) -> Vec<&str> {
        let aud = self.claims.get("aud");
        let many = aud.and_then(Value::as_array).into_iter().flatten();
        many.chain(aud)
            .filter_map(Value::as_str)
            .filter(|name| !name.is_empty())
            .collect()
    }

    /// Its client, wherever issuers write it.
    pub(super) fn client(&self) -> Option<&str> {
        let names = ["client_id", "azp", "cid", "appid"];
        names.iter().find_map(|name| text(&self.claims, name))
    }

    pub(super) fn time(&self, name: &str) -> Option<UnixTime> {
        self.claims
            .get(name)
            .and_then(Value::as_f64)
            .and_then(moment)
    }

    /// Whether it counts only with the proof of a key.
    pub(super) fn is_bound(&self) -> bool {
        self.claims.contains_key("cnf")
    }

    pub(super) fn is_id_token(&self) -> bool {
        ["nonce", "at_hash", "c_hash"]
            .iter()
            .any(|mark| self.claims.contains_key(*mark))
            || text(&self.claims, "token_use") == Some("id")
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        text(&self.header, name)
    }
}

fn text<'j>(object: &'j Map<String, Value>, name: &str) -> Option<&'j str> {
    object.get(name).and_then(Value::as_str)
}

/// Whole seconds; what no calendar has is not a moment.
fn moment(seconds: f64) -> Option<UnixTime> {
    let whole = format!("{:.0}", seconds.trunc());
    whole
        .parse()
        .ok()
        .filter(|seconds: &i64| seconds.unsigned_abs() < 253_402_300_800)
        .map(UnixTime::from_secs)
}

/// A value on one line, not too long.
pub(super) fn shown(value: &Value) -> String {
    let text = match value {
        Value::Object(_) => value.to_string(),
        other => plain(other),
    };
    let text = escape(&text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
