//! Clients: configured beforehand or registered at run time (RFC 7591), and how they prove who
//! they are (RFC 6749 §2.3).

use std::collections::HashMap;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::answer::{self, OAuthError, Params};
use super::encoding::{from_base64, random};
use super::state::State;

pub(super) const CODE: &str = "authorization_code";
pub(super) const REFRESH: &str = "refresh_token";
pub(super) const CREDENTIALS: &str = "client_credentials";

const AUTH_METHODS: [&str; 3] = ["none", "client_secret_basic", "client_secret_post"];

#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) id: String,
    /// None for a public client.
    pub(super) secret: Option<String>,
    pub(super) name: Option<String>,
    pub(super) redirect_uris: Vec<String>,
    pub(super) grant_types: Vec<String>,
    /// A public key, for assertions at the introspection endpoint: DER `SubjectPublicKeyInfo`.
    pub(super) key: Option<Vec<u8>>,
}

impl Client {
    /// One that authenticates by its key alone.
    pub(super) fn keyed(id: String, key: Vec<u8>) -> Self {
        Self {
            key: Some(key),
            // Nobody knows it.
            ..Self::confidential(id, random::<32>())
        }
    }

    pub(super) fn confidential(id: String, secret: String) -> Self {
        Self {
            key: None,
            id,
            secret: Some(secret),
            name: None,
            redirect_uris: Vec::new(),
            grant_types: vec![CREDENTIALS.into()],
        }
    }

    pub(super) fn public(id: String, redirect_uris: Vec<String>) -> Self {
        Self {
            key: None,
            id,
            secret: None,
            name: None,
            redirect_uris,
            grant_types: vec![CODE.into(), REFRESH.into()],
        }
    }

    pub(super) fn may_use(&self, grant_type: &str) -> bool {
        self.grant_types.iter().any(|allowed| allowed == grant_type)
    }

    /// Whether the client has registered this URI (RFC 9700 §2.1: exact match, but for the port of
    /// a loopback address, RFC 8252 §7.3).
    pub(super) fn may_return_to(&self, redirect_uri: &str) -> bool {
        self.redirect_uris
            .iter()
            .any(|known| known == redirect_uri || same_but_port(known, redirect_uri))
    }

    fn has_secret(&self, given: Option<&str>) -> bool {
        match (&self.secret, given) {
            (Some(secret), Some(given)) => {
                let equal = |text: &str| {
                    verify_slices_are_equal(secret.as_bytes(), text.as_bytes()).is_ok()
                };
                equal(given) || equal(&form_decoded(given))
            }
            (None, None) => true,
            _ => false,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Clients(HashMap<String, Client>);

impl Clients {
    pub(super) fn add(&mut self, client: Client) {
        self.0.insert(client.id.clone(), client);
    }

    /// The key a client authenticates by.
    pub(super) fn key(&self, id: &str) -> Option<Vec<u8>> {
        self.find(id)?.key.clone()
    }

    pub(super) fn find(&self, id: &str) -> Option<&Client> {
        self.0.get(id)
    }

    /// The client that sent this token request.
    ///
    /// # Errors
    /// `invalid_client` if it is unknown or its secret is wrong, `invalid_request` if it uses two
    /// ways to authenticate at once.
    pub(super) fn authenticate(
        &self,
        headers: &HeaderMap,
        params: &Params,
    ) -> Result<Client, OAuthError> {
        let wrong = || OAuthError::new("invalid_client", "unknown client or wrong secret");
        let in_body = params.one("client_id")?;
        let (id, secret) = match basic_credentials(headers)? {
            Some((id, secret)) => {
                let other = in_body.is_some_and(|other| other != id && other != form_decoded(&id));
                if other || params.one("client_secret")?.is_some() {
                    let twice = "the client authenticates in two ways";
                    return Err(OAuthError::new("invalid_request", twice));
                }
                (id, Some(secret))
            }
            None => (
                in_body.ok_or_else(wrong)?.to_owned(),
                params.one("client_secret")?.map(str::to_owned),
            ),
        };
        self.find(&id)
            .or_else(|| self.find(&form_decoded(&id)))
            .filter(|client| client.has_secret(secret.as_deref()))
            .cloned()
            .ok_or_else(wrong)
    }
}

/// Id and secret of HTTP Basic as sent, without the form encoding of RFC 6749 §2.3.1 undone:
/// many clients leave it out, so both readings are tried.
fn basic_credentials(headers: &HeaderMap) -> Result<Option<(String, String)>, OAuthError> {
    let lines: Vec<_> = headers.get_all(AUTHORIZATION).iter().collect();
    let line = match lines.as_slice() {
        [] => return Ok(None),
        [line] => line,
        _ => {
            let twice = "more than one Authorization header";
            return Err(OAuthError::new("invalid_request", twice));
        }
    };
    line.to_str()
        .ok()
        .and_then(|line| line.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
        .and_then(|(_, encoded)| from_base64(encoded.trim()))
        .and_then(|pair| {
            let (id, secret) = pair.split_once(':')?;
            Some(Some((id.to_owned(), secret.to_owned())))
        })
        .ok_or_else(|| OAuthError::new("invalid_client", "unreadable Authorization header"))
}

fn form_decoded(text: &str) -> String {
    form_urlencoded::parse(text.as_bytes())
        .next()
        .map_or_else(String::new, |(name, _)| name.into_owned())
}

/// Registers a client (RFC 7591 §3).
pub(super) fn register(state: &State, body: &[u8]) -> Response<Bytes> {
    match registration(body) {
        Ok((client, mut answer)) => {
            answer["client_id_issued_at"] = state.settings().clock.now().as_secs().into();
            state.clients().add(client);
            answer::no_store(answer::json(StatusCode::CREATED, &answer))
        }
        Err(error) => error.into_json(),
    }
}

fn registration(body: &[u8]) -> Result<(Client, Value), OAuthError> {
    let invalid = |why: String| OAuthError::new("invalid_client_metadata", why);
    let request: Value =
        serde_json::from_slice(body).map_err(|_| invalid("the body is not JSON".into()))?;
    let redirect_uris = strings(&request, "redirect_uris")?.unwrap_or_default();
    let grant_types = strings(&request, "grant_types")?.unwrap_or_else(|| vec![CODE.into()]);
    let auth_method = match request.get("token_endpoint_auth_method") {
        None => "client_secret_basic",
        Some(method) => AUTH_METHODS
            .into_iter()
            .find(|known| method == known)
            .ok_or_else(|| invalid(format!("token_endpoint_auth_method {method}")))?,
    };
    if let Some(unknown) = grant_types
        .iter()
        .find(|grant| ![CODE, REFRESH, CREDENTIALS].contains(&grant.as_str()))
    {
        return Err(invalid(format!("grant type {unknown:?}")));
    }
    let public = auth_method == "none";
    if public && grant_types.iter().any(|grant| grant == CREDENTIALS) {
        let why = "client_credentials needs a client secret";
        return Err(invalid(why.into()));
    }
    check_redirect_uris(&redirect_uris, &grant_types)?;
    let client = Client {
        key: None,
        id: random::<12>(),
        secret: (!public).then(random::<32>),
        name: request
            .get("client_name")
            .and_then(Value::as_str)
            .map(str::to_owned),
        redirect_uris,
        grant_types,
    };
    let answer = registered(&client, auth_method);
    Ok((client, answer))
}

/// The answer of RFC 7591 §3.2.1, but for the time.
fn registered(client: &Client, auth_method: &str) -> Value {
    let mut answer = json!({
        "client_id": client.id,
        "redirect_uris": client.redirect_uris,
        "grant_types": client.grant_types,
        "response_types": ["code"],
        "token_endpoint_auth_method": auth_method,
    });
    if let Some(name) = &client.name {
        answer["client_name"] = name.as_str().into();
    }
    if let Some(secret) = &client.secret {
        answer["client_secret"] = secret.as_str().into();
        answer["client_secret_expires_at"] = 0.into();
    }
    answer
}

fn strings(request: &Value, name: &str) -> Result<Option<Vec<String>>, OAuthError> {
    let Some(value) = request.get(name) else {
        return Ok(None);
    };
    value
        .as_array()
        .and_then(|items| {
            items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
        })
        .map(Some)
        .ok_or_else(|| {
            let why = format!("{name} is not an array of strings");
            OAuthError::new("invalid_client_metadata", why)
        })
}

fn check_redirect_uris(uris: &[String], grant_types: &[String]) -> Result<(), OAuthError> {
    let invalid = |why: String| Err(OAuthError::new("invalid_redirect_uri", why));
    if uris.is_empty() && grant_types.iter().any(|grant| grant == CODE) {
        return invalid("redirect_uris is empty".into());
    }
    match uris.iter().find(|uri| !safe_redirect_uri(uri)) {
        Some(uri) => invalid(format!("{uri:?} is not https, loopback or an app's scheme")),
        None => Ok(()),
    }
}

fn safe_redirect_uri(uri: &str) -> bool {
    let Ok(url) = Url::parse(uri) else {
        return false;
    };
    let scheme_ok = match url.scheme() {
        "https" => true,
        "http" => is_loopback(&url),
        "about" | "blob" | "data" | "file" | "filesystem" | "javascript" | "vbscript" | "ws"
        | "wss" => false,
        _private => true,
    };
    scheme_ok && url.fragment().is_none() && url.username().is_empty() && url.password().is_none()
}

fn is_loopback(url: &Url) -> bool {
    matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"))
}

fn same_but_port(known: &str, given: &str) -> bool {
    let (Ok(mut known), Ok(mut given)) = (Url::parse(known), Url::parse(given)) else {
        return false;
    };
    if known.scheme() != "http" || !is_loopback(&known) {
        return false;
    }
    // An http URL with a host can always lose its port.
    known.set_port(None).is_ok() && given.set_port(None).is_ok() && known == given
}
