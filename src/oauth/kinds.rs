//! Which kind of token, and whose: the signs that single vendors give.

use crate::ident::{ClientId, Subject};
use crate::jose::json::{Json, Object};
use crate::profile::ClientMark;

/// Atlassian signs authorization codes and refresh tokens for the same audience (JWT-5).
pub(super) fn is_atlassian_non_access(claims: &Object<'_>) -> bool {
    claims
        .get("https://id.atlassian.com/atl_token_type")
        .and_then(Json::as_str)
        .is_some_and(|kind| kind == "AUTH_CODE" || kind.ends_with("REFRESH"))
}

/// A SPIFFE id is a program's, never a person's (SPIFFE-ID §2); it may come without a client (EXT-3).
pub(super) fn is_workload(subject: &Subject) -> bool {
    subject.as_str().starts_with("spiffe://")
}

/// Whether no person stands behind the client, by the sign its issuer gives (JWT-21).
pub(super) fn acts_alone(claims: &Object<'_>, mark: ClientMark, client: Option<&ClientId>) -> bool {
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
