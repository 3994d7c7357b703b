//! What an issuer's answer about an opaque token is worth, on a plain `Value`.

use serde_json::{Map, Value};
use tower_mcp_auth::AuthContext;

use crate::world::{ISSUERS, NOW, RESOURCE};

/// The plainest answer that lets its subject in.
pub const PLAIN: &str =
    r#"{"active":true,"sub":"a","client_id":"c","org_id":"acme","aud":"https://mcp.example.com/mcp","scope":"read"}"#;

/// That a party is the one that an answer may let in.
pub fn is_let_in(party: &AuthContext, (subject, scopes): (String, Vec<String>)) {
    let principal = party.principal();
    assert_eq!(principal.subject().as_str(), subject);
    assert_eq!(principal.scopes().iter().collect::<Vec<_>>(), scopes);
    assert_eq!(principal.issuer(), ISSUERS[0]);
}

/// Whom an answer may let in, if anybody: the subject and the scopes.
#[must_use]
pub fn lets_in(mut said: Map<String, Value>) -> Option<(String, Vec<String>)> {
    said.retain(|_, value| !value.is_null());
    let text = |name: &str| said.get(name).and_then(Value::as_str);
    let absent = |names: &[&str]| names.iter().all(|name| !said.contains_key(*name));
    if said.get("active") != Some(&Value::Bool(true)) {
        return None;
    }
    if !absent(&["iss"]) && text("iss") != Some(ISSUERS[0]) {
        return None;
    }
    let ours = |value: &Value| {
        let name = value.as_str().unwrap_or_default();
        let (site, path) = name.split_at_checked(23).unwrap_or_default();
        name == "other-name" || format!("{}{path}", site.to_ascii_lowercase()) == RESOURCE
    };
    let named = match said.get("aud")? {
        Value::Array(all) => all.iter().all(Value::is_string) && all.iter().any(ours),
        one => ours(one),
    };
    let kind = text("token_type").unwrap_or("bearer").to_ascii_lowercase();
    let kind = said.get("token_type").is_none_or(Value::is_string)
        && ["bearer", "access_token", "dpop"].contains(&kind.as_str());
    let used = absent(&["token_use"]) || matches!(text("token_use"), Some("access" | "access_token"));
    let time = |name: &str| match said.get(name) {
        None => Some(None),
        Some(value) => value.as_f64().filter(|time| (0.0..253_402_300_800.0).contains(time)).map(Some),
    };
    let now = NOW as f64;
    let late = time("exp")?.is_some_and(|exp| now > exp.floor() + 30.0 || exp.floor() > now + 86_430.0);
    let early = [time("nbf")?, time("iat")?].into_iter().flatten().any(|time| time.floor() > now + 30.0);
    // What it is bound to cannot be shown here.
    let bound = said.contains_key("cnf");
    if !named || !kind || !used || late || early || bound {
        return None;
    }
    let client = text("client_id").filter(|name| !name.is_empty())?;
    let alone = absent(&["username"]).then_some(client);
    let subject = if absent(&["sub"]) { alone? } else { text("sub")? };
    let organization = text("org_id").filter(|name| *name != "default" && !name.is_empty())?;
    let mut scopes: Vec<String> = text("scope").unwrap_or_default().split(' ').map(Into::into).collect();
    scopes.retain(|scope| !scope.is_empty());
    scopes.sort();
    scopes.dedup();
    let good = (absent(&["scope"]) || said["scope"].is_string()) && !organization.contains('\0');
    good.then(|| (subject.to_owned(), scopes))
}
