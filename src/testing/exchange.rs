//! The token endpoint (RFC 6749 §3.2).

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};

use super::answer::{self, OAuthError, Params};
use super::clients::{CODE, CREDENTIALS, Client, REFRESH};
use super::encoding::base64url;
use super::grants::{Granted, grant_scopes, target_resources};
use super::state::State;
use super::token::TokenBuilder;

/// Exchanges what a client has for tokens.
pub(super) fn token(state: &Arc<State>, headers: &HeaderMap, body: &[u8]) -> Response<Bytes> {
    match exchange(state, headers, &Params::parse(body)) {
        Ok(answer) => answer::no_store(answer::json(StatusCode::OK, &answer)),
        Err(error) => error.into_json(),
    }
}

fn exchange(state: &Arc<State>, headers: &HeaderMap, params: &Params) -> Result<Value, OAuthError> {
    let grant_type = params.required("grant_type")?;
    let client = state.clients().authenticate(headers, params)?;
    if ![CODE, REFRESH, CREDENTIALS].contains(&grant_type) {
        let why = format!("grant type {grant_type:?}");
        return Err(OAuthError::new("unsupported_grant_type", why));
    }
    if !client.may_use(grant_type) {
        let why = format!("not registered for {grant_type}");
        return Err(OAuthError::new("unauthorized_client", why));
    }
    match grant_type {
        CODE => by_code(state, &client, params),
        REFRESH => by_refresh(state, &client, params),
        _ => by_credentials(state, &client, params),
    }
}

fn by_code(state: &Arc<State>, client: &Client, params: &Params) -> Result<Value, OAuthError> {
    let invalid = |why: &str| Err(OAuthError::new("invalid_grant", why));
    let code = params.required("code")?;
    let verifier = params.required("code_verifier")?;
    let now = state.settings().clock.monotonic();
    let redeemed = state.grants().redeem(code, now);
    let Some(redeemed) = redeemed.filter(|it| it.granted.client_id == client.id) else {
        return invalid("the code is unknown, spent, expired, or another client's");
    };
    if params.one("redirect_uri")? != Some(redeemed.redirect_uri.as_str()) {
        return invalid("redirect_uri is not the one of the authorization request");
    }
    let length_ok = (43..=128).contains(&verifier.len()); // RFC 7636 §4.1
    if !length_ok || base64url(digest(&SHA256, verifier.as_bytes())) != redeemed.challenge {
        return invalid("code_verifier does not match the challenge");
    }
    let resources = narrowed_resources(&redeemed.granted, params)?;
    let mut answer = access_token(state, &redeemed.granted, &resources);
    if client.may_use(REFRESH) {
        answer["refresh_token"] = state.grants().issue_refresh(redeemed.granted).into();
    }
    Ok(answer)
}

fn by_refresh(state: &Arc<State>, client: &Client, params: &Params) -> Result<Value, OAuthError> {
    let token = params.required("refresh_token")?;
    let granted = state.grants().refresh(token, &client.id);
    let Some(granted) = granted else {
        let why = "the refresh token is unknown, spent, or another client's";
        return Err(OAuthError::new("invalid_grant", why));
    };
    let resources = narrowed_resources(&granted, params)?;
    let mut narrowed = granted.clone();
    if let Some(scope) = params.one("scope")? {
        // RFC 6749 §6: no more than was granted; the next refresh may have it all again.
        let wanted: Vec<String> = scope.split(' ').map(str::to_owned).collect();
        if !wanted.iter().all(|scope| granted.scopes.contains(scope)) {
            let why = "more than was granted";
            return Err(OAuthError::new("invalid_scope", why));
        }
        narrowed.scopes = wanted;
    }
    let mut answer = access_token(state, &narrowed, &resources);
    answer["refresh_token"] = state.grants().issue_refresh(granted).into();
    Ok(answer)
}

fn by_credentials(
    state: &Arc<State>,
    client: &Client,
    params: &Params,
) -> Result<Value, OAuthError> {
    let scopes = grant_scopes(state.settings(), params.one("scope")?)?;
    let resources = target_resources(state.settings(), &params.all("resource"))?;
    // RFC 9068 §2.2: without a resource owner, `sub` is the client.
    let granted = Granted::to_client(client.id.clone(), scopes, resources.clone());
    Ok(access_token(state, &granted, &resources))
}

/// The resources a token request asks for: those granted, or fewer (RFC 8707 §2.2).
fn narrowed_resources(granted: &Granted, params: &Params) -> Result<Vec<String>, OAuthError> {
    let wanted: Vec<String> = params
        .all("resource")
        .into_iter()
        .map(str::to_owned)
        .collect();
    if wanted.is_empty() {
        return Ok(granted.resources.clone());
    }
    if wanted.iter().all(|uri| granted.resources.contains(uri)) {
        Ok(wanted)
    } else {
        let why = "a resource that was not granted";
        Err(OAuthError::new("invalid_target", why))
    }
}

/// The answer of RFC 6749 §5.1, without a refresh token.
fn access_token(state: &Arc<State>, granted: &Granted, resources: &[String]) -> Value {
    let audience = match resources {
        [only] => json!(only),
        several => json!(several),
    };
    let lifetime = state.settings().token_lifetime.as_secs();
    let scope = granted.scopes.join(" ");
    let token = TokenBuilder::new(Arc::clone(state), audience)
        .subject(granted.subject.as_str())
        .client(granted.client_id.as_str())
        .scope(scope.as_str())
        .expires_in(i64::try_from(lifetime).unwrap_or(i64::MAX));
    json!({
        "access_token": token.sign(),
        "token_type": "Bearer",
        "expires_in": lifetime,
        "scope": scope,
    })
}
