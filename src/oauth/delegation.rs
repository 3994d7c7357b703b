//! How somebody logged in (`amr`, RFC 8176), and who acts for them (`act`, RFC 8693 §4.1).

use super::claims::{MAX_LIST, malformed, text};
use crate::ident::{ClientId, Subject};
use crate::jose::json::{Json, Object};
use crate::principal::Actor;
use crate::rejection::Rejection;

/// The longest chain of delegation. RFC 8693 sets no bound; more than this is nobody's design.
const MAX_ACTORS: usize = 4;

/// An array of nothing but strings.
pub(super) fn methods(claims: &Object<'_>) -> Result<Box<[Box<str>]>, Rejection> {
    match claims.get("amr") {
        None => Ok(Box::default()),
        Some(Json::Array(items)) if items.len() <= MAX_LIST => items
            .iter()
            .map(|item| {
                item.as_str()
                    .map(Into::into)
                    .ok_or_else(|| malformed("amr"))
            })
            .collect(),
        Some(_) => Err(malformed("amr")),
    }
}

/// The actor of the token with those before. Each is an object that names somebody; one that cannot
/// be read is not left out, since the token would then say less than its issuer did.
pub(super) fn actor(claims: &Object<'_>) -> Result<Option<Box<Actor>>, Rejection> {
    nested(claims, MAX_ACTORS)
}

fn nested(claims: &Object<'_>, left: usize) -> Result<Option<Box<Actor>>, Rejection> {
    let act = match claims.get("act") {
        None => return Ok(None),
        Some(Json::Object(act)) if left > 0 => act,
        Some(_) => return Err(malformed("act")),
    };
    let subject = text(act, "sub")?.map(|name| Subject::new(name).ok_or_else(|| malformed("act")));
    let client = text(act, "client_id")?;
    let client = client.map(|name| ClientId::new(name).ok_or_else(|| malformed("act")));
    let actor = Actor {
        issuer: text(act, "iss")?.map(Into::into),
        subject: subject.transpose()?,
        client: client.transpose()?,
        before: nested(act, left - 1)?,
    };
    if actor.subject.is_none() && actor.client.is_none() {
        return Err(malformed("act"));
    }
    Ok(Some(Box::new(actor)))
}
