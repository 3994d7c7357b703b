//! The mistakes people make, by what the server makes of them.

use serde_json::Value;
use tower_mcp_auth::Reason;

use super::api_token::{Found, method};
use super::read::{Given, Jwt, Kind, Scheme};
use crate::peppers;
use crate::times;

/// What is known besides the credential.
pub(super) struct Circumstances<'k> {
    pub(super) found: Option<&'k Found>,
    pub(super) peppers: Option<&'k peppers::Known>,
    pub(super) resource: Option<&'k str>,
    pub(super) issuer: Option<&'k str>,
    /// The text of the key file.
    pub(super) keys: Option<&'k str>,
}

/// What to do about a refusal.
pub(super) fn advice(
    given: &Given,
    reason: Reason,
    note: &str,
    known: &Circumstances<'_>,
) -> Vec<String> {
    let mut advice = written(given, reason);
    let more = match (reason, given.jwt()) {
        (Reason::InvalidApiToken, _) => Some(of_api_token(note, known)),
        (Reason::MethodDisabled, _) => known.found.map(|found| {
            let (_, kind) = method(found.record.kind());
            format!(
                "mcp-auth policy allow-tokens {} {kind}",
                found.record.organization()
            )
        }),
        (Reason::WrongSchemeForToken, _) => Some(wrong_scheme(given)),
        (Reason::UnsupportedScheme, Some(_)) if given.scheme == Scheme::Dpop => Some(
            "a server with Dpop takes this scheme, with a proof that is not looked at here; give the token alone to \
             look at the rest"
                .to_owned(),
        ),
        (_, Some(jwt)) => of_jwt(jwt, reason, known),
        _ => None,
    };
    advice.extend(more);
    advice
}

/// Mistakes in how it is written.
fn written(given: &Given, reason: Reason) -> Vec<String> {
    let mut advice = Vec::new();
    if given.doubled {
        advice.push(
            "the scheme stands there twice; configure the token alone, the client adds the word"
                .to_owned(),
        );
    }
    if given.credential.starts_with(['"', '\'', '<', '{']) {
        advice.push("quotes or brackets stand around the token; leave them out".to_owned());
    }
    if given.scheme == Scheme::Basic && given.token.contains(':') {
        advice.push(
            "there are two colons: everything after the first counts as the token; write email:token and nothing else"
                .to_owned(),
        );
    }
    match &given.kind {
        Kind::OtherBrand(brand) => advice.push(format!(
            "it is another server's; if it is this server's, say so here with --brand {brand}"
        )),
        Kind::Opaque if reason == Reason::UnrecognizedCredential => advice.push(
            "a server takes an opaque token only if it asks its issuer (Introspection) or its maker (foreign_tokens); \
             that cannot be looked at here"
                .to_owned(),
        ),
        Kind::Encrypted => advice.push("ask the issuer for signed tokens instead of encrypted ones".to_owned()),
        _ => {}
    }
    advice
}

fn wrong_scheme(given: &Given) -> String {
    if given.scheme == Scheme::Basic {
        return "a service-account key is sent as it is, without an email: Authorization: Bearer KEY".to_owned();
    }
    "a personal token is sent with its email: Authorization: Basic $(printf %s 'EMAIL:TOKEN' | base64 -w0)".to_owned()
}

fn of_api_token(note: &str, known: &Circumstances<'_>) -> String {
    let sealed = known
        .found
        .map(|found| found.record.pepper().as_str())
        .unwrap_or_default();
    let listed = known
        .peppers
        .map(|known| known.ids.join(", "))
        .unwrap_or_default();
    let advice = match note {
        "Unknown" => {
            "this database has no such token: is it that of the server, and was the token issued there?"
        }
        "PepperGone" => {
            return format!(
                "it is sealed with the pepper {sealed}, and the pepper file has only {listed}: add the line of {sealed}"
            );
        }
        "WrongSecret" => {
            return format!(
                "the id is known and the secret is not its: was the token rolled? If you are sure of it, the pepper \
                 {sealed} in the pepper file is not the one it was sealed with"
            );
        }
        "WrongEmail" => {
            "the email is not its owner's: write it exactly as `mcp-auth token show ID` does"
        }
        "Revoked" | "Expired" => "this one is over; make a new one: mcp-auth token issue",
        "OwnerInactive" => {
            "its owner may not act; once that changes: mcp-auth token owner-active --org … --owner … true"
        }
        _ => "copy the token again, all of it and nothing else",
    };
    advice.to_owned()
}

fn of_jwt(jwt: &Jwt, reason: Reason, known: &Circumstances<'_>) -> Option<String> {
    let now = times::now();
    let ago = |name| jwt.time(name).map(|time| times::relative(time, now));
    Some(match reason {
        Reason::WrongTokenType if jwt.is_id_token() => {
            "this is an ID token, made for the client to read; send the access token of the same login".to_owned()
        }
        Reason::WrongTokenType => {
            "its typ is not at+jwt (RFC 9068); if the issuer writes access tokens in a dialect, name it with --profile"
                .to_owned()
        }
        Reason::WrongAudience => wrong_audience(jwt, known),
        Reason::Expired => format!("it expired {}; use the refresh token, or log in again", ago("exp")?),
        Reason::NotYetValid => format!("it begins {}; set the clocks", ago("nbf")?),
        Reason::IssuedInFuture => format!("it was issued {}; set the clocks", ago("iat")?),
        Reason::UnknownIssuer => unknown_issuer(jwt, known),
        Reason::UnknownKey => {
            let kid = jwt.header("kid").unwrap_or("no kid");
            format!("the token names the key {kid}; the file has {}", kids(known.keys?))
        }
        Reason::AlgorithmNotAllowed => {
            "here RS256, PS256, ES256 and EdDSA are allowed, as by default; a server may allow more with \
             Issuer::algorithms, but never none and HS256"
                .to_owned()
        }
        Reason::SenderConstrained => "it is bound to a key (cnf): only with that key's proof does it count".to_owned(),
        _ => return None,
    })
}

fn wrong_audience(jwt: &Jwt, known: &Circumstances<'_>) -> String {
    let meant = jwt.audiences();
    wrong_name("aud", &meant, known.resource).unwrap_or_else(|| {
        let wanted = known.resource.unwrap_or("the URL of the server");
        let meant = if meant.is_empty() {
            "nobody".to_owned()
        } else {
            meant.join(" ")
        };
        format!("it is meant for {meant}; ask the issuer for one with resource={wanted}")
    })
}

fn unknown_issuer(jwt: &Jwt, known: &Circumstances<'_>) -> String {
    let issuer = jwt.issuer().unwrap_or("nobody");
    let near = wrong_name("iss", &[issuer], known.issuer);
    near.unwrap_or_else(|| match known.issuer {
        Some(trusted) => format!("its issuer is {issuer}; the server trusts {trusted}"),
        None => format!("its issuer is {issuer}: no URL that a server could trust"),
    })
}

/// Names that differ in nothing but a slash at the end, or in case.
fn wrong_name(claim: &str, found: &[&str], wanted: Option<&str>) -> Option<String> {
    let wanted = wanted?;
    let plain = |name: &str| name.trim_end_matches('/').to_ascii_lowercase();
    let near = found.iter().find(|name| plain(name) == plain(wanted))?;
    Some(format!(
        "{claim} is {near} and the server compares with {wanted}: every character counts, the last slash too"
    ))
}

fn kids(keys: &str) -> String {
    let keys: Value = serde_json::from_str(keys).unwrap_or_default();
    let keys = keys
        .get("keys")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let kids: Vec<_> = keys.filter_map(|key| key.get("kid")?.as_str()).collect();
    if kids.is_empty() {
        "none".to_owned()
    } else {
        kids.join(", ")
    }
}
