//! How this server authenticates where it asks (RFC 6749 §2.3, RFC 7523 §2.2, RFC 8705 §2).

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::HeaderValue;
use serde_json::json;
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::clock::UnixTime;
use crate::error::BackendError;
use crate::fetch::Form;
use crate::issuer::{Client, Proof};
use crate::jose::SigningKey;
use crate::secret::SecretText;

/// The media type of a signed answer (RFC 9701 §8.2).
const SIGNED: &str = "application/token-introspection+jwt";

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How long an assertion is good, in seconds.
const ASSERTION_LIFE: i64 = 60;

/// A client whose key was read.
#[derive(Clone)]
pub(crate) struct Identity {
    id: String,
    proof: Ready,
}

#[derive(Clone)]
enum Ready {
    Basic(Arc<SecretText>),
    Post(Arc<SecretText>),
    Key(Arc<SigningKey>, Option<String>),
    Connection,
}

impl Identity {
    /// Reads the key, if it is one.
    ///
    /// # Errors
    ///
    /// What is wrong with the key, without anything of it.
    pub(crate) fn read(client: &Client) -> Result<Self, &'static str> {
        let proof = match &client.proof {
            Proof::Basic(secret) => Ready::Basic(secret.clone()),
            Proof::Post(secret) => Ready::Post(secret.clone()),
            Proof::Connection => Ready::Connection,
            Proof::Key(text, algorithm, named) => {
                let key = SigningKey::read(text.expose(), *algorithm)?;
                let key_id = named.clone().or_else(|| key.key_id().map(str::to_owned));
                Ready::Key(Arc::new(key), key_id)
            }
        };
        let id = client.id.clone();
        Ok(Self { id, proof })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The question about one token (RFC 7662 §2.1). `issuer` is its identifier.
    pub(super) fn form(
        &self,
        token: &str,
        signed: bool,
        issuer: &str,
        now: UnixTime,
    ) -> Result<Form, BackendError> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("token", token)
            .append_pair("token_type_hint", "access_token");
        let mut authorization = None;
        match &self.proof {
            Ready::Basic(secret) => authorization = Some(basic(&self.id, secret)?),
            Ready::Post(secret) => {
                form.append_pair("client_id", &self.id)
                    .append_pair("client_secret", secret.expose());
            }
            Ready::Key(key, key_id) => {
                let assertion = self.assertion(key, key_id.as_deref(), issuer, now)?;
                form.append_pair("client_id", &self.id)
                    .append_pair("client_assertion_type", ASSERTION)
                    .append_pair("client_assertion", &assertion);
            }
            Ready::Connection => {
                form.append_pair("client_id", &self.id);
            }
        }
        Ok(Form {
            body: form.finish(),
            authorization,
            accept: signed.then_some(SIGNED),
        })
    }

    /// RFC 7523 §3, addressed to the issuer and to nobody else.
    fn assertion(
        &self,
        key: &SigningKey,
        key_id: Option<&str>,
        issuer: &str,
        now: UnixTime,
    ) -> Result<String, BackendError> {
        let mut id = [0; 16];
        getrandom::fill(&mut id)
            .map_err(|error| BackendError::with_source("no random bytes", error))?;
        let mut header = json!({"typ": "JWT", "alg": key.algorithm().name()});
        if let (Some(members), Some(key_id)) = (header.as_object_mut(), key_id) {
            members.insert("kid".to_owned(), key_id.into());
        }
        let claims = json!({
            "iss": self.id,
            "sub": self.id,
            "aud": issuer,
            "jti": URL_SAFE_NO_PAD.encode(id),
            "iat": now.as_secs(),
            "exp": now.plus_secs(ASSERTION_LIFE).as_secs(),
        });
        let parts = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let message = parts.join(".");
        let signature = key.sign(message.as_bytes());
        let signature =
            signature.ok_or_else(|| BackendError::new("the client assertion cannot be signed"))?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// Id and secret are form-encoded before they are joined (RFC 6749 §2.3.1).
fn basic(id: &str, secret: &SecretText) -> Result<HeaderValue, BackendError> {
    let encoded = |text: &str| -> Zeroizing<String> {
        Zeroizing::new(form_urlencoded::byte_serialize(text.as_bytes()).collect())
    };
    let pair = Zeroizing::new(format!("{}:{}", *encoded(id), *encoded(secret.expose())));
    let line = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    HeaderValue::from_str(&line)
        .map_err(|_| BackendError::new("the client secret does not fit into a header"))
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.id).finish()
    }
}
