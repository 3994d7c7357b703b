//! Which kind of token, and whose: the signs that single vendors give.

use super::claims::is_unaddressed;
use crate::ident::{ClientId, Subject};
use crate::jose::json::{Json, Object};
use crate::principal::PrincipalKind;
use crate::profile::ClientMark;
use crate::rejection::{Reason, Rejection};

/// Marks of tokens that are not access tokens but may carry the same `typ` (JWT-5, T11).
pub(super) fn check(
    claims: &Object<'_>,
    marker: Option<(&'static str, &'static str)>,
) -> Result<(), Rejection> {
    for mark in ["nonce", "at_hash", "c_hash", "events"] {
        if claims.has(mark) {
            return wrong(mark);
        }
    }
    if claims.has("token_use") && text_of(claims, "token_use") != Some("access") {
        return wrong("token_use");
    }
    check_payload_type(claims)?;
    match marker {
        Some((claim, value)) if text_of(claims, claim) != Some(value) => wrong(claim),
        _ => Ok(()),
    }
}

/// The same of an answer about a token: issuers name other kinds in their own words, and answer
/// about refresh tokens too (RFC 7662 §2.1).
///
/// `unaddressed` says that an answer need not say for whom the token is. Then it has to say what it is.
pub(super) fn check_answer(claims: &Object<'_>, unaddressed: bool) -> Result<(), Rejection> {
    let kinds = ["token_type", "token_use"];
    if unaddressed && is_unaddressed(claims) && !kinds.iter().any(|kind| claims.has(kind)) {
        return wrong("no aud, token_type or token_use");
    }
    let kind = match (claims.has("token_type"), text_of(claims, "token_type")) {
        (false, _) => "bearer".to_owned(),
        (true, kind) => kind.unwrap_or_default().to_ascii_lowercase(),
    };
    let keyed = matches!(claims.get("cnf"), Some(Json::Object(cnf)) if cnf.has("jkt"));
    // What a token is bound to must not be lost with `cnf` (RFC 9449 §6.2).
    if kind == "dpop" && !keyed {
        return Err(Rejection::new(Reason::SenderConstrained).with_note("token_type"));
    }
    if !["bearer", "access_token", "dpop"].contains(&kind.as_str()) {
        return wrong("token_type");
    }
    let used = text_of(claims, "token_use");
    if claims.has("token_use") && !matches!(used, Some("access" | "access_token")) {
        return wrong("token_use");
    }
    check_payload_type(claims)
}

fn check_payload_type(claims: &Object<'_>) -> Result<(), Rejection> {
    // Keycloak writes the kind of token into the payload.
    let typ = text_of(claims, "typ");
    if typ.is_some_and(|typ| ["ID", "Refresh", "Offline", "Logout"].contains(&typ)) {
        return wrong("typ in the payload");
    }
    if is_atlassian_non_access(claims) {
        return wrong("atl_token_type");
    }
    Ok(())
}

fn wrong(note: &'static str) -> Result<(), Rejection> {
    Err(Rejection::new(Reason::WrongTokenType).with_note(note))
}

fn text_of<'c>(claims: &'c Object<'_>, name: &str) -> Option<&'c str> {
    claims.get(name).and_then(Json::as_str)
}

/// Atlassian signs authorization codes and refresh tokens for the same audience (JWT-5).
fn is_atlassian_non_access(claims: &Object<'_>) -> bool {
    claims
        .get("https://id.atlassian.com/atl_token_type")
        .and_then(Json::as_str)
        .is_some_and(|kind| kind == "AUTH_CODE" || kind.ends_with("REFRESH"))
}

/// A client on its own behalf never passes for a person: `sub` alone does not decide (JWT-21).
pub(super) fn of(
    claims: &Object<'_>,
    mark: ClientMark,
    subject: &Subject,
    client: Option<&ClientId>,
) -> PrincipalKind {
    let says = |name, value| text_of(claims, name) == Some(value);
    // Auth0 appends a suffix, and its RFC 9068 tokens have no other sign.
    let name = subject.as_str();
    let name = name.strip_suffix("@clients").unwrap_or(name);
    let own_name = client.is_some_and(|client| client == name || client == subject.as_str());
    // Auth0's own dialect and Entra ID say so in a claim.
    let says_so = says("gty", "client-credentials") || says("idtyp", "app");
    if own_name || says_so || is_workload(subject) || acts_alone(claims, mark, client) {
        PrincipalKind::Client
    } else {
        PrincipalKind::User
    }
}

/// A SPIFFE id is a program's, never a person's (SPIFFE-ID §2); it may come without a client (EXT-3).
fn is_workload(subject: &Subject) -> bool {
    subject.as_str().starts_with("spiffe://")
}

/// Whether no person stands behind the client, by the sign its issuer gives (JWT-21).
fn acts_alone(claims: &Object<'_>, mark: ClientMark, client: Option<&ClientId>) -> bool {
    match mark {
        ClientMark::Standard => false,
        ClientMark::NoScopes => !claims.has("scp"),
        ClientMark::ServiceAccount => {
            let user = claims.get("preferred_username").and_then(Json::as_str);
            let account = user.and_then(|user| user.strip_prefix("service-account-"));
            // User names are lower case; `clientHost` is written for service accounts alone.
            claims.has("clientHost")
                || account.is_some_and(|account| {
                    client.is_some_and(|client| client.as_str().eq_ignore_ascii_case(account))
                })
        }
    }
}
