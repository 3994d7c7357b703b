//! What a security event says is to be revoked (CAEP 1.0, RISC 1.0, RFC 9493).

use crate::clock::UnixTime;
use crate::ident::Subject;
use crate::jose::compact::payload_object;
use crate::jose::json::{Json, Object};
use crate::oauth::claims::time;
use crate::oauth::set::Verified;
use crate::principal::PrincipalKey;
use crate::rejection::{Reason, Rejection};
use crate::revocation::{RevocationEntry, RevocationTarget};

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";

/// How deep subjects may stand in each other: a complex one of aliases of simple ones.
const MAX_DEPTH: usize = 3;

/// Most aliases of one subject.
const MAX_ALIASES: usize = 64;

/// A revocation that an event asks for.
pub(super) struct Order {
    pub(super) target: RevocationTarget,
    pub(super) entry: RevocationEntry,
}

/// Everything the events of a token ask for. Events nobody here knows ask for nothing (RFC 8417 §1).
///
/// # Errors
///
/// An event that is known does not say what it must, or speaks of a subject that means nothing here:
/// then nothing of the token is done, and the transmitter is told.
pub(super) fn orders(
    token: &Verified,
    speaks_for: &[String],
    now: UnixTime,
) -> Result<Vec<Order>, Rejection> {
    let claims = payload_object(&token.payload)?;
    let Some(Json::Object(events)) = claims.get("events") else {
        return Err(invalid("events"));
    };
    let mut orders = Vec::new();
    for (uri, event) in events.iter() {
        let Json::Object(event) = event else {
            return Err(invalid("an event is no object"));
        };
        if !revokes(uri, event)? {
            continue;
        }
        let targets = subject(&claims, event, speaks_for)?;
        // A credential that was issued after the event is not meant, however late this is delivered.
        let at = time(event, "event_timestamp")?.unwrap_or(token.happened_at);
        let name = uri.rsplit('/').next().unwrap_or_default();
        let reason = format!("{name}, {} of {}", token.id, token.issuer.name);
        orders.extend(targets.into_iter().map(|target| {
            let entry = RevocationEntry::new(&target, at.min(now)).because(&reason);
            Order { target, entry }
        }));
    }
    Ok(orders)
}

fn invalid(note: &'static str) -> Rejection {
    Rejection::new(Reason::MalformedClaim).with_note(note)
}

/// Whether what a subject holds ends by such an event.
fn revokes(uri: &str, event: &Object<'_>) -> Result<bool, Rejection> {
    if let Some(kind) = uri.strip_prefix(RISC) {
        return Ok(matches!(
            kind,
            "account-disabled" | "account-purged" | "credential-compromise" | "sessions-revoked"
        ));
    }
    match uri.strip_prefix(CAEP) {
        Some("session-revoked") => Ok(true),
        Some("credential-change") => match event.get("change_type").and_then(Json::as_str) {
            Some("revoke" | "update" | "delete") => Ok(true),
            // A credential more takes nothing from those that are there.
            Some("create") => Ok(false),
            _ => Err(invalid("change_type")),
        },
        _ => Ok(false),
    }
}

/// Whom an event is about: `sub_id` of the token (RFC 9493 §4.1), or `subject` of the event, where
/// earlier drafts have it. Both are one, or nobody can say whom.
fn subject(
    claims: &Object<'_>,
    event: &Object<'_>,
    speaks_for: &[String],
) -> Result<Vec<RevocationTarget>, Rejection> {
    let read = |subject: Option<&Json<'_>>| match subject {
        None => Ok(None),
        Some(Json::Object(subject)) => named(subject, speaks_for, MAX_DEPTH).map(Some),
        Some(_) => Err(invalid("subject")),
    };
    match (read(claims.get("sub_id"))?, read(event.get("subject"))?) {
        (Some(one), Some(other)) if one != other => Err(invalid("two subjects")),
        (Some(subject), _) | (None, Some(subject)) => Ok(subject),
        (None, None) => Err(invalid("no subject")),
    }
}

fn named(
    subject: &Object<'_>,
    speaks_for: &[String],
    depth: usize,
) -> Result<Vec<RevocationTarget>, Rejection> {
    let text = |name: &str| subject.get(name).and_then(Json::as_str);
    let issuer = || {
        let issuer = text("iss").filter(|issuer| speaks_for.iter().any(|known| known == issuer));
        issuer.ok_or_else(|| invalid("a subject of an issuer the transmitter does not speak for"))
    };
    let inner = |value: Option<&Json<'_>>| match value {
        Some(Json::Object(inner)) if depth > 1 => named(inner, speaks_for, depth - 1),
        _ => Err(invalid("a subject without a user")),
    };
    // `subject_type` is how drafts before RFC 9493 call it, with hyphens.
    match text("format").or(text("subject_type")) {
        Some("iss_sub" | "iss-sub") => {
            let name = text("sub").and_then(Subject::new);
            let name = name.ok_or_else(|| invalid("sub of the subject"))?;
            let key = PrincipalKey::of_subject(issuer()?, &name);
            Ok(vec![RevocationTarget::Principal(key)])
        }
        Some("jwt_id" | "jwt-id") => {
            let id = text("jti").filter(|id| !id.is_empty());
            let id = id.ok_or_else(|| invalid("jti of the subject"))?;
            Ok(vec![RevocationTarget::Token {
                issuer: issuer()?.to_owned(),
                id: id.to_owned(),
            }])
        }
        Some("aliases") => {
            let Some(Json::Array(aliases)) = subject.get("identifiers") else {
                return Err(invalid("identifiers of the subject"));
            };
            if aliases.len() > MAX_ALIASES {
                return Err(invalid("too many aliases"));
            }
            // All names of one subject: under each of them it may hold something.
            let known = aliases.iter().filter_map(|alias| inner(Some(alias)).ok());
            let known: Vec<_> = known.flatten().collect();
            if known.is_empty() {
                return Err(invalid("no alias means anything here"));
            }
            Ok(known)
        }
        // More than the one session or device is ended with its user: what a token belongs to besides
        // is not known here.
        Some("complex") => inner(subject.get("user")),
        None if subject.has("user") => inner(subject.get("user")),
        _ => Err(invalid("a subject of a format that means nothing here")),
    }
}
