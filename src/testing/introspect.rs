//! The introspection endpoint (RFC 7662), and the tokens it knows about.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::answer::{self, OAuthError, Params};
use super::encoding::{base64url, random};
use super::state::State;

const SIGNED: &str = "application/token-introspection+jwt";

/// What one request to the introspection endpoint said, from
/// [`TestIssuer::introspections`](super::TestIssuer::introspections).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IntrospectionRequest {
    /// The `Authorization` line.
    pub authorization: Option<String>,
    /// The `Accept` line.
    pub accept: Option<String>,
    /// The form, decoded, in the order it was sent.
    pub form: Vec<(String, String)>,
}

impl IntrospectionRequest {
    /// The first value of a form field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.form.iter();
        let (_, value) = fields.find(|(field, _)| field == name)?;
        Some(value)
    }
}

impl fmt::Debug for IntrospectionRequest {
    /// No credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntrospectionRequest")
            .field("accept", &self.accept)
            .finish_non_exhaustive()
    }
}

#[derive(Default)]
pub(super) struct Introspections {
    tokens: HashMap<String, String>,
    /// Media type and text of every answer.
    fixed: Option<(String, String)>,
    asked: Vec<IntrospectionRequest>,
    /// Ids of assertions seen.
    spent: Vec<String>,
}

impl Introspections {
    /// Makes a token known of which this is said.
    pub(super) fn issue(&mut self, said: String) -> String {
        let token = format!("opaque_{}", random::<24>());
        self.tokens.insert(token.clone(), said);
        token
    }

    pub(super) fn forget(&mut self, token: &str) -> bool {
        self.tokens.remove(token).is_some()
    }

    pub(super) fn fix(&mut self, answer: Option<(String, String)>) {
        self.fixed = answer;
    }

    pub(super) fn asked(&self) -> Vec<IntrospectionRequest> {
        self.asked.clone()
    }
}

/// Notes a request, whatever becomes of it.
pub(super) fn note(state: &State, headers: &HeaderMap, body: &[u8]) {
    let line = |name: HeaderName| {
        let mut lines = headers.get_all(name).iter();
        lines.next()?.to_str().ok().map(str::to_owned)
    };
    state.introspections().asked.push(IntrospectionRequest {
        authorization: line(AUTHORIZATION),
        accept: line(ACCEPT),
        form: form_urlencoded::parse(body).into_owned().collect(),
    });
}

/// Says what a token is worth.
pub(super) fn introspect(state: &Arc<State>, headers: &HeaderMap, body: &[u8]) -> Response<Bytes> {
    match answer(state, headers, &Params::parse(body)) {
        Ok((kind, text)) => {
            let mut response = answer::no_store(answer::json_text(StatusCode::OK, text));
            let kind = HeaderValue::from_str(&kind).expect("a media type");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
        Err(error) => error.into_json(),
    }
}

fn answer(
    state: &Arc<State>,
    headers: &HeaderMap,
    params: &Params,
) -> Result<(String, String), OAuthError> {
    let client = match params.one("client_assertion")? {
        Some(assertion) => by_assertion(state, assertion)?,
        None => state.clients().authenticate(headers, params)?.id,
    };
    let token = params.required("token")?;
    if let Some(fixed) = state.introspections().fixed.clone() {
        return Ok(fixed);
    }
    let known = state.introspections().tokens.get(token).cloned();
    let now = state.settings().clock.now().as_secs();
    let alive = |said: &String| {
        let said: Value = serde_json::from_str(said).unwrap_or_default();
        said["exp"].as_i64().is_none_or(|exp| now < exp)
    };
    let said = known.filter(alive);
    let said = said.unwrap_or_else(|| json!({"active": false}).to_string());
    let wants_signed = headers.get_all(ACCEPT).iter().any(|line| line == SIGNED);
    if wants_signed {
        let text = signed(state, &client, &said, now);
        return Ok((SIGNED.to_owned(), text));
    }
    Ok(("application/json".to_owned(), said))
}

/// RFC 9701 §5.
fn signed(state: &State, client: &str, said: &str, now: i64) -> String {
    let key = state.keys().signer();
    let algorithm = key.algorithm();
    let header =
        json!({"typ": "token-introspection+jwt", "alg": algorithm.name(), "kid": key.kid()});
    let said: Value = serde_json::from_str(said).unwrap_or_default();
    let claims =
        json!({"iss": state.url(), "aud": client, "iat": now, "token_introspection": said});
    let message = [header, claims].map(|part| base64url(part.to_string()));
    let message = message.join(".");
    let signature = base64url(key.sign(algorithm, message.as_bytes()));
    format!("{message}.{signature}")
}

/// The client behind a `private_key_jwt` (RFC 7523 §3).
fn by_assertion(state: &State, assertion: &str) -> Result<String, OAuthError> {
    let wrong = |why: &str| OAuthError::new("invalid_client", why);
    let (message, signature) = assertion.rsplit_once('.').ok_or_else(|| wrong("no JWT"))?;
    let (header, claims) = message.split_once('.').ok_or_else(|| wrong("no JWT"))?;
    let read = |part: &str| -> Option<Map<String, Value>> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
    };
    let (header, claims) = read(header)
        .zip(read(claims))
        .ok_or_else(|| wrong("no JSON"))?;
    let claim = |name| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let key = state
        .clients()
        .key(claim("sub"))
        .ok_or_else(|| wrong("unknown client"))?;
    let algorithm: &'static dyn VerificationAlgorithm =
        match header.get("alg").and_then(Value::as_str) {
            Some("RS256") => &RSA_PKCS1_2048_8192_SHA256,
            Some("PS256") => &RSA_PSS_2048_8192_SHA256,
            Some("ES256") => &ECDSA_P256_SHA256_FIXED,
            Some("ES384") => &ECDSA_P384_SHA384_FIXED,
            Some("EdDSA") => &ED25519,
            _ => return Err(wrong("the algorithm")),
        };
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
    let verified = UnparsedPublicKey::new(algorithm, key).verify(message.as_bytes(), &signature);
    verified.map_err(|_| wrong("the signature"))?;
    let now = state.settings().clock.now().as_secs();
    let exp = claims.get("exp").and_then(Value::as_i64).unwrap_or(0);
    let id = claim("jti").to_owned();
    let mut introspections = state.introspections();
    let fresh = !id.is_empty() && !introspections.spent.contains(&id);
    if claim("iss") != claim("sub") || claim("aud") != state.url() || exp <= now || !fresh {
        return Err(wrong("the claims"));
    }
    introspections.spent.push(id);
    Ok(claim("sub").to_owned())
}
