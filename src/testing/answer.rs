//! Answers and form bodies, as the endpoints write and read them.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_TYPE,
    PRAGMA, WWW_AUTHENTICATE,
};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};
use url::form_urlencoded;

pub(super) fn json(status: StatusCode, document: &Value) -> Response<Bytes> {
    json_text(status, document.to_string())
}

pub(super) fn json_text(status: StatusCode, text: String) -> Response<Bytes> {
    typed(status, text, "application/json")
}

pub(super) fn html(status: StatusCode, page: impl Into<String>) -> Response<Bytes> {
    typed(status, page.into(), "text/html; charset=utf-8")
}

pub(super) fn not_found() -> Response<Bytes> {
    json(StatusCode::NOT_FOUND, &json!({"error": "not_found"}))
}

pub(super) fn method_not_allowed(allow: &'static str) -> Response<Bytes> {
    let body = json!({"error": "method_not_allowed"});
    let mut response = json(StatusCode::METHOD_NOT_ALLOWED, &body);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// Keeps an answer with secrets in it out of every cache (RFC 6749 §5.1).
pub(super) fn no_store(mut response: Response<Bytes>) -> Response<Bytes> {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// Lets any web page read the answer: browser MCP clients run on origins nobody knows beforehand,
/// and nothing here depends on cookies.
pub(super) fn any_origin(mut response: Response<Bytes>) -> Response<Bytes> {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("WWW-Authenticate, Retry-After"),
    );
    response
}

/// The answer to a CORS preflight.
pub(super) fn preflight() -> Response<Bytes> {
    let mut response = any_origin(Response::new(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, OPTIONS"),
    );
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Authorization, Content-Type, MCP-Protocol-Version"),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

fn typed(status: StatusCode, body: String, content_type: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An OAuth error, for a redirect (RFC 6749 §4.1.2.1) or a JSON body (§5.2).
#[derive(Debug)]
pub(super) struct OAuthError {
    pub(super) code: &'static str,
    pub(super) description: String,
}

impl OAuthError {
    pub(super) fn new(code: &'static str, description: impl Into<String>) -> Self {
        let description = description.into();
        Self { code, description }
    }

    pub(super) fn into_json(self) -> Response<Bytes> {
        let status = match self.code {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            _ => StatusCode::BAD_REQUEST,
        };
        let body = json!({"error": self.code, "error_description": self.description});
        let mut response = no_store(json(status, &body));
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"token\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// Parameters of a query or a form. One without a value counts as left out (RFC 6749 §3.1).
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    pub(super) fn parse(encoded: &[u8]) -> Self {
        Self(
            form_urlencoded::parse(encoded)
                .into_owned()
                .filter(|(_, value)| !value.is_empty())
                .collect(),
        )
    }

    /// The parameter's value, if it is there.
    ///
    /// # Errors
    /// `invalid_request` if it is there twice (RFC 6749 §3.1).
    pub(super) fn one(&self, name: &str) -> Result<Option<&str>, OAuthError> {
        match self.all(name).as_slice() {
            [] => Ok(None),
            [value] => Ok(Some(value)),
            _ => Err(OAuthError::new(
                "invalid_request",
                format!("{name} is given more than once"),
            )),
        }
    }

    /// # Errors
    /// `invalid_request` if the parameter is missing or there twice.
    pub(super) fn required(&self, name: &str) -> Result<&str, OAuthError> {
        self.one(name)?
            .ok_or_else(|| OAuthError::new("invalid_request", format!("{name} is missing")))
    }

    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        self.0
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }
}
