//! The console as an OAuth client: authorization code with PKCE (RFC 7636), `resource` (RFC 8707), `iss` (RFC 9207).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::HeaderValue;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use url::Url;
use url::form_urlencoded::Serializer;

use super::server::BoxError;

/// As registered at the issuer.
pub(crate) const CLIENT: &str = "admin-console";
/// How long somebody may stay at the issuer.
const PATIENCE: Duration = Duration::from_secs(600);
/// Logins begun and not ended that are remembered.
const PENDING: usize = 1000;
const DEADLINE: Duration = Duration::from_secs(5);

pub(crate) struct OAuth {
    http: reqwest::Client,
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    redirect: String,
    resource: String,
    pending: Mutex<HashMap<String, Pending>>,
}

struct Pending {
    verifier: String,
    since: Duration,
}

/// What the console needs of an issuer's metadata (RFC 8414 §2).
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
}

impl OAuth {
    /// # Errors
    /// The issuer does not answer, or says that it is another one.
    pub(crate) async fn discover(
        issuer: &str,
        origin: &str,
        resource: &str,
    ) -> Result<Self, BoxError> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(DEADLINE)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let place = format!("{issuer}/.well-known/oauth-authorization-server");
        let answer = http.get(place).send().await?.error_for_status()?;
        let metadata: Metadata = answer.json().await?;
        if metadata.issuer != issuer {
            return Err(format!("{issuer} says that it is {}", metadata.issuer).into());
        }
        Ok(Self {
            http,
            issuer: metadata.issuer,
            authorization_endpoint: metadata.authorization_endpoint,
            token_endpoint: metadata.token_endpoint,
            redirect: format!("{origin}/callback"),
            resource: resource.to_owned(),
            pending: Mutex::default(),
        })
    }

    /// Begins a login: its `state`, and where the browser goes.
    pub(crate) fn begin(&self, now: Duration) -> Result<(String, String), BoxError> {
        let (state, verifier) = (random()?, random()?);
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
        let mut place = self.authorization_endpoint.clone();
        place.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", CLIENT),
            ("redirect_uri", &self.redirect),
            ("resource", &self.resource),
            ("state", &state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let mut pending = self.lock();
        pending.retain(|_, one| now.saturating_sub(one.since) < PATIENCE);
        if pending.len() >= PENDING {
            return Err("too many people are logging in".into());
        }
        let since = now;
        pending.insert(state.clone(), Pending { verifier, since });
        Ok((state, place.into()))
    }

    /// Ends the login with this `state`, whether it succeeds or not.
    fn end(&self, state: &str, now: Duration) -> Option<Pending> {
        let ended = self.lock().remove(state);
        ended.filter(|one| now.saturating_sub(one.since) < PATIENCE)
    }

    /// Exchanges a code; the value of `Authorization` it gives.
    ///
    /// # Errors
    /// A sentence for the log, without code and token.
    pub(crate) async fn exchange(
        &self,
        (state, iss): (&str, &str),
        code: &str,
        now: Duration,
    ) -> Result<HeaderValue, BoxError> {
        let pending = self.end(state, now).ok_or("a login nobody has begun")?;
        if iss != self.issuer {
            return Err("the answer is of another issuer".into());
        }
        let form = Serializer::new(String::new())
            .extend_pairs([
                ("grant_type", "authorization_code"),
                ("client_id", CLIENT),
                ("redirect_uri", &self.redirect),
                ("resource", &self.resource),
                ("code", code),
                ("code_verifier", &pending.verifier),
            ])
            .finish();
        let request = self.http.post(self.token_endpoint.clone());
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(form).send().await?.error_for_status()?;
        let granted: Granted = answer.json().await?;
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", granted.access_token))?;
        bearer.set_sensitive(true);
        Ok(bearer)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 256 random bits.
pub(crate) fn random() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
