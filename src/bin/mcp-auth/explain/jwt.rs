//! What a JWT says of itself.

use serde_json::{Map, Value};
use tower_mcp_auth::clock::UnixTime;

use super::read::Jwt;

impl Jwt {
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
