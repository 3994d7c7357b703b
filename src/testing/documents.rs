//! The metadata document and the key set, as they are or as a test wants them.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::answer;
use super::state::State;
use crate::algorithm::SigningAlgorithm;

/// The places where a metadata document may be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Discovery {
    /// `/.well-known/oauth-authorization-server{path}` (RFC 8414 §3.1).
    OAuth,
    /// `/.well-known/openid-configuration{path}` (RFC 8414 §5, the form MCP clients try second).
    OidcInserted,
    /// `{path}/.well-known/openid-configuration` (OpenID Connect Discovery 1.0 §4).
    OidcAppended,
}

impl Discovery {
    /// Every place; the default.
    pub const ALL: [Self; 3] = [Self::OAuth, Self::OidcInserted, Self::OidcAppended];

    pub(super) fn path(self, base: &str) -> String {
        match self {
            Self::OAuth => format!("/.well-known/oauth-authorization-server{base}"),
            Self::OidcInserted => format!("/.well-known/openid-configuration{base}"),
            Self::OidcAppended => format!("{base}/.well-known/openid-configuration"),
        }
    }
}

/// What a test has changed about the documents.
pub(super) struct Documents {
    pub(super) discovery: Vec<Discovery>,
    pub(super) metadata: Document,
    pub(super) jwks: Document,
}

#[derive(Default)]
pub(super) struct Document {
    text: Option<String>,
    members: Map<String, Value>,
    removed: Vec<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Documents {
    pub(super) fn new(discovery: Vec<Discovery>) -> Self {
        Self {
            discovery,
            metadata: Document::default(),
            jwks: Document::default(),
        }
    }
}

impl Document {
    pub(super) fn set_text(&mut self, text: String) {
        self.text = Some(text);
    }

    pub(super) fn set_member(&mut self, name: String, value: Value) {
        self.removed.retain(|removed| *removed != name);
        self.members.insert(name, value);
    }

    pub(super) fn remove_member(&mut self, name: String) {
        self.members.remove(&name);
        self.removed.push(name);
    }

    pub(super) fn set_header(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value));
    }

    fn answer(&self, mut document: Value) -> Response<Bytes> {
        let text = self.text.clone().unwrap_or_else(|| {
            if let Value::Object(members) = &mut document {
                members.extend(self.members.clone());
                members.retain(|name, _| !self.removed.contains(name));
            }
            document.to_string()
        });
        let mut response = answer::json_text(StatusCode::OK, text);
        for (name, value) in &self.headers {
            response.headers_mut().insert(name, value.clone());
        }
        response
    }
}

/// Serves the metadata, if it is served at any of these places.
pub(super) fn metadata(state: &State, places: &[Discovery]) -> Response<Bytes> {
    let document = metadata_document(state);
    let documents = state.documents();
    if places
        .iter()
        .any(|place| documents.discovery.contains(place))
    {
        documents.metadata.answer(document)
    } else {
        answer::not_found()
    }
}

pub(super) fn jwks(state: &State) -> Response<Bytes> {
    let document = state.keys().jwks();
    state.documents().jwks.answer(document)
}

fn metadata_document(state: &State) -> Value {
    let auth_methods = ["none", "client_secret_basic", "client_secret_post"];
    json!({
        "issuer": state.url(),
        "authorization_endpoint": state.below("/authorize"),
        "token_endpoint": state.below("/token"),
        "registration_endpoint": state.below("/register"),
        "introspection_endpoint": state.below("/introspect"),
        "jwks_uri": state.below("/jwks"),
        "scopes_supported": state.settings().scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "token_endpoint_auth_methods_supported": auth_methods,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        // Required of a document found by OpenID Connect Discovery 1.0 §3, though nobody here
        // issues ID tokens.
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [SigningAlgorithm::Rs256.name()],
    })
}
