//! Security event tokens, signed: what they revoke, against the same rules on a plain `Value`.
//!
//! The input is the payload, where `@` in a place of its own stands for claims of a good token.
#![no_main]

use std::sync::LazyLock;

use serde_json::{Map, Value};
use tower_mcp_auth::clock::UnixTime;
use tower_mcp_auth::fuzzing::Tokens;
use tower_mcp_auth_fuzz::fuzz_target;
use tower_mcp_auth_fuzz::input::Input;
use tower_mcp_auth_fuzz::json::strict_object;
use tower_mcp_auth_fuzz::world::{ISSUERS, KEYS, NOW, RESOURCE, tokens};

static TOKENS: LazyLock<Tokens> = LazyLock::new(tokens);
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";
const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const TYPES: [&str; 4] = ["secevent+jwt", "application/SECEVENT+jwt", "at+jwt", "JWT"];

type Object = Map<String, Value>;

fn text<'v>(object: &'v Object, name: &str) -> Option<&'v str> {
    object.get(name).and_then(Value::as_str)
}

/// Times that count are of this calendar.
fn time(object: &Object, name: &str) -> Result<Option<i64>, ()> {
    match object.get(name) {
        None => Ok(None),
        Some(value) => {
            let time = value.as_f64().filter(|time| (0.0..253_402_300_800.0).contains(time));
            time.map(|time| Some(time.floor() as i64)).ok_or(())
        }
    }
}

/// What one subject stands for: `iss` and the `sub` or `jti`.
fn subject(subject: &Object, depth: usize) -> Result<Vec<(char, String)>, ()> {
    let inner = |value: Option<&Value>| match value.and_then(Value::as_object) {
        Some(inner) if depth > 1 => self::subject(inner, depth - 1),
        _ => Err(()),
    };
    let format = text(subject, "format").or(text(subject, "subject_type"));
    let name = match format.map(|format| format.replace('-', "_")).as_deref() {
        Some("iss_sub") => ('s', "sub"),
        Some("jwt_id") => ('j', "jti"),
        Some("aliases") => {
            let all = subject.get("identifiers").and_then(Value::as_array).ok_or(())?;
            let known: Vec<_> = all.iter().filter_map(|one| inner(Some(one)).ok()).flatten().collect();
            return if all.len() > 64 || known.is_empty() { Err(()) } else { Ok(known) };
        }
        Some("complex") => return inner(subject.get("user")),
        None if subject.contains_key("user") => return inner(subject.get("user")),
        _ => return Err(()),
    };
    let value = text(subject, name.1).filter(|value| !value.is_empty()).ok_or(())?;
    let bad = name.0 == 's' && (value.len() > 2048 || value.chars().any(char::is_control));
    let ours = text(subject, "iss") == Some(ISSUERS[0]);
    if bad || !ours { Err(()) } else { Ok(vec![(name.0, value.to_owned())]) }
}

/// `Err` if the token must be refused.
fn naive(payload: &[u8], typ: &str) -> Result<Vec<(char, String)>, ()> {
    let claims = strict_object(payload, 16, 256).ok_or(())?;
    let events = claims.get("events").and_then(Value::as_object).ok_or(())?;
    let made = time(&claims, "iat")?.ok_or(())?;
    let late = time(&claims, "exp")?.is_some_and(|exp| NOW > exp + 30);
    let early = made > NOW + 30 || time(&claims, "nbf")?.is_some_and(|nbf| nbf > NOW + 30);
    let old = NOW - made > 7 * 86_400;
    time(&claims, "toe")?;
    let all = match claims.get("aud") {
        Some(Value::Array(all)) => all.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    let ours = |name: &Value| {
        let (site, path) = name.as_str().and_then(|name| name.split_at_checked(23)).unwrap_or_default();
        name == "other-name" || format!("{}{path}", site.to_ascii_lowercase()) == RESOURCE
    };
    let named = all.iter().all(Value::is_string) && all.iter().any(ours);
    let id = text(&claims, "jti").is_some_and(|id| !id.is_empty());
    let typ = typ.to_ascii_lowercase().ends_with("secevent+jwt");
    if late || early || old || !named || !id || !typ || text(&claims, "iss") != Some(ISSUERS[0]) {
        return Err(());
    }
    let mut targets = Vec::new();
    for (uri, event) in events {
        let event = event.as_object().ok_or(())?;
        let revokes = match (uri.strip_prefix(RISC), uri.strip_prefix(CAEP)) {
            (Some(kind), _) => {
                ["account-disabled", "account-purged", "credential-compromise", "sessions-revoked"].contains(&kind)
            }
            (_, Some("session-revoked")) => true,
            (_, Some("credential-change")) => match text(event, "change_type").ok_or(())? {
                "revoke" | "update" | "delete" => true,
                "create" => false,
                _ => return Err(()),
            },
            _ => false,
        };
        if !revokes {
            continue;
        }
        let mut named = Vec::new();
        for value in [claims.get("sub_id"), event.get("subject")].into_iter().flatten() {
            named.push(subject(value.as_object().ok_or(())?, 3)?);
        }
        named.dedup();
        let [one] = &named[..] else { return Err(()) };
        targets.extend(one.clone());
        time(event, "event_timestamp")?;
    }
    Ok(targets)
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let (typ, ecdsa) = (*input.pick(&TYPES), input.yes());
    let good = format!("\"iss\":\"{}\",\"jti\":\"j\",\"iat\":{},\"aud\":\"{RESOURCE}\"", ISSUERS[0], NOW - 9);
    let payload = String::from_utf8_lossy(input.0).replace('@', &good).replace("#R", RISC).replace("#C", CAEP);
    let payload = payload.replace("#I", ISSUERS[0]);
    let (alg, kid) = if ecdsa { ("ES256", "es") } else { ("EdDSA", "ed") };
    let header = format!("{{\"alg\":\"{alg}\",\"kid\":\"{kid}\",\"typ\":\"{typ}\"}}");
    let token = KEYS.sign(header.as_bytes(), payload.as_bytes(), ecdsa);
    let speaks_for = [ISSUERS[0].to_owned()];
    let now = UnixTime::from_secs(NOW);
    let ours = TOKENS.event(&token, &speaks_for, now).expect("its keys are there");
    let theirs = naive(payload.as_bytes(), typ);
    assert_eq!(ours.is_ok(), theirs.is_ok(), "{ours:?}: {payload}");
    if let (Ok((_, ours)), Ok(mut theirs)) = (ours, theirs) {
        let mut ours: Vec<_> = ours.iter().map(|target| format!("{target:?}")).collect();
        ours.sort();
        theirs.sort();
        assert_eq!(ours.len(), theirs.len(), "{ours:?}: {payload}");
    }
    // Never one in place of the other.
    let access = TOKENS.access(&token, now).expect("its keys are there");
    assert!(access.is_err() || typ == "at+jwt" || typ == "JWT", "{payload}");
});
