//! The authorization endpoint (RFC 6749 §4.1.1): a request is checked, put to the user, and
//! answered by a redirect.

use bytes::Bytes;
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use url::Url;

use super::answer::{OAuthError, Params, no_store};
use super::consent;
use super::grants::{Asked, grant_scopes, target_resources};
use super::state::{Consent, State};

/// Why a request does not reach the user.
enum Refusal {
    /// Nobody may be redirected to: the client or its redirect URI is in doubt.
    Page(String),
    Redirect(Return, OAuthError),
}

/// Where the user's browser goes next.
struct Return {
    redirect_uri: String,
    state: Option<String>,
}

/// `GET`: shows the consent page, or grants at once.
pub(super) fn ask(state: &State, query: &str) -> Response<Bytes> {
    let now = state.settings().clock.monotonic();
    let asked = match check(state, &Params::parse(query.as_bytes())) {
        Ok(asked) => asked,
        Err(Refusal::Page(why)) => return consent::error_page(&why),
        Err(Refusal::Redirect(back, error)) => {
            let answer = error_pairs(&error);
            return redirect(state, StatusCode::FOUND, &back, &answer);
        }
    };
    if state.settings().consent == Consent::Automatic {
        let subject = state.settings().users.first();
        let subject = subject.map_or_else(String::new, |user| user.subject.clone());
        return grant(state, StatusCode::FOUND, asked, subject);
    }
    let (id, cookie) = state.grants().open_page(asked.clone(), now);
    let mut page = consent::page(state, &asked, &id);
    let secure = if state.url().starts_with("https:") {
        "; Secure"
    } else {
        ""
    };
    let path = state.base();
    let cookie = format!(
        "consent-{id}={cookie}; Path={path}/authorize; Max-Age=600; HttpOnly; SameSite=Strict{secure}"
    );
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        page.headers_mut().insert(SET_COOKIE, cookie);
    }
    page
}

/// `POST`: the user's answer from the consent page.
pub(super) fn decide(state: &State, headers: &HeaderMap, body: &[u8]) -> Response<Bytes> {
    let form = Params::parse(body);
    let field = |name| form.one(name).ok().flatten().unwrap_or_default();
    let id = field("request");
    let now = state.settings().clock.monotonic();
    let cookie = page_cookie(headers, id);
    let Some(asked) = state.grants().answer_page(id, &cookie, now) else {
        return consent::error_page(
            "This request was answered already, is too old, or was opened in another browser.",
        );
    };
    let users = &state.settings().users;
    let user = users.iter().find(|user| user.subject == field("user"));
    match (field("decision"), user) {
        ("allow", Some(user)) => grant(state, StatusCode::SEE_OTHER, asked, user.subject.clone()),
        ("allow", None) => consent::error_page("There is no such user."),
        _ => {
            let error = OAuthError::new("access_denied", "the user said no");
            let back = Return {
                redirect_uri: asked.redirect_uri,
                state: asked.state,
            };
            redirect(state, StatusCode::SEE_OTHER, &back, &error_pairs(&error))
        }
    }
}

fn check(state: &State, params: &Params) -> Result<Asked, Refusal> {
    let page = |error: OAuthError| Refusal::Page(error.description);
    let client_id = params.required("client_id").map_err(page)?;
    let redirect_uri = params.required("redirect_uri").map_err(page)?;
    let client = state.clients().find(client_id).cloned();
    let client = client
        .ok_or_else(|| Refusal::Page(format!("There is no client {client_id:?} registered.")))?;
    if !client.may_return_to(redirect_uri) {
        let why = format!("{client_id:?} has not registered the redirect URI {redirect_uri:?}.");
        return Err(Refusal::Page(why));
    }
    let mut back = Return {
        redirect_uri: redirect_uri.to_owned(),
        state: None,
    };
    match params.one("state") {
        Ok(value) => back.state = value.map(str::to_owned),
        Err(error) => return Err(Refusal::Redirect(back, error)),
    }
    if !client.may_use(super::clients::CODE) {
        let error = OAuthError::new("unauthorized_client", "not registered for codes");
        return Err(Refusal::Redirect(back, error));
    }
    match read(state, params) {
        Ok((challenge, scopes, resources)) => Ok(Asked {
            client_id: client.id,
            client_name: client.name,
            redirect_uri: back.redirect_uri,
            state: back.state,
            challenge,
            scopes,
            resources,
        }),
        Err(error) => Err(Refusal::Redirect(back, error)),
    }
}

/// Challenge, scopes and resources of a request that is otherwise in order.
fn read(state: &State, params: &Params) -> Result<(String, Vec<String>, Vec<String>), OAuthError> {
    if params.required("response_type")? != "code" {
        let why = "only the response type \"code\" exists";
        return Err(OAuthError::new("unsupported_response_type", why));
    }
    let challenge = params.required("code_challenge")?;
    // RFC 7636 §4.3: left out, the method would be "plain".
    if params.one("code_challenge_method")? != Some("S256") {
        let why = "code_challenge_method must be S256";
        return Err(OAuthError::new("invalid_request", why));
    }
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if challenge.len() != 43 || !challenge.bytes().all(base64url) {
        let why = "code_challenge is not a SHA-256 hash in base64url";
        return Err(OAuthError::new("invalid_request", why));
    }
    let scopes = grant_scopes(state.settings(), params.one("scope")?)?;
    let resources = target_resources(state.settings(), &params.all("resource"))?;
    Ok((challenge.to_owned(), scopes, resources))
}

fn grant(state: &State, status: StatusCode, asked: Asked, subject: String) -> Response<Bytes> {
    let now = state.settings().clock.monotonic();
    let back = Return {
        redirect_uri: asked.redirect_uri.clone(),
        state: asked.state.clone(),
    };
    let code = state.grants().issue_code(asked, subject, now);
    redirect(state, status, &back, &[("code", &code)])
}

fn error_pairs(error: &OAuthError) -> [(&'static str, &str); 2] {
    [
        ("error", error.code),
        ("error_description", &error.description),
    ]
}

/// Sends the browser back with `state` and `iss` (RFC 9207 §2) beside the answer.
fn redirect(
    state: &State,
    status: StatusCode,
    back: &Return,
    answer: &[(&str, &str)],
) -> Response<Bytes> {
    let Ok(mut target) = Url::parse(&back.redirect_uri) else {
        return consent::error_page("The redirect URI cannot be read.");
    };
    {
        let mut query = target.query_pairs_mut();
        query.extend_pairs(answer);
        if let Some(value) = &back.state {
            query.append_pair("state", value);
        }
        query.append_pair("iss", state.url());
    }
    let Ok(location) = HeaderValue::from_str(target.as_str()) else {
        return consent::error_page("The redirect URI cannot be written into a header.");
    };
    let mut response = no_store(Response::new(Bytes::new()));
    *response.status_mut() = status;
    response.headers_mut().insert(LOCATION, location);
    response
}

fn page_cookie(headers: &HeaderMap, id: &str) -> String {
    let name = format!("consent-{id}");
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split("; "))
        .filter_map(|cookie| cookie.split_once('='))
        .find(|(cookie, _)| *cookie == name)
        .map_or_else(String::new, |(_, value)| value.to_owned())
}
