//! How the server is put together that is asked.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use tower_mcp_auth::api_token::{ApiTokens, MemoryStore, Peppers};
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::fetch::Fetch;
use tower_mcp_auth::policy::MemoryPolicyStore;
use tower_mcp_auth::{Authenticator, ConfigError, Issuer, Profile, ProtectedResource};

use super::read::Given;
use super::server::Known;
use super::stores::ReadOnly;
use crate::args::Dialect;
use crate::failure::Failure;

/// Stands for a name that was not given. Nothing is ever sent there.
const NOWHERE: &str = "https://not-given.invalid/";

/// Where the keys in the file are said to be.
pub(super) const KEYS: &str = "https://not-given.invalid/jwks";

impl Known<'_> {
    pub(super) fn server(&self, given: &Given) -> Result<Authenticator, Failure> {
        let claimed = given.jwt().and_then(|jwt| jwt.issuer());
        if self.wanted.issuer.is_none()
            && let Some(claimed) = claimed
            && let Ok(server) = self.build(given, claimed)?
        {
            return Ok(server);
        }
        let issuer = self.wanted.issuer.as_deref().unwrap_or(NOWHERE);
        self.build(given, issuer)?.map_err(Failure::from)
    }

    fn build(
        &self,
        given: &Given,
        issuer: &str,
    ) -> Result<Result<Authenticator, ConfigError>, Failure> {
        let mut trusted = Issuer::new(issuer).profile(self.profile(given));
        trusted = trusted.jwks_uri(KEYS);
        if let Some(claim) = &self.wanted.organization_claim {
            trusted = trusted.organization_claim(claim);
        }
        let resource = self.wanted.resource.as_deref();
        let mut protected = ProtectedResource::new(resource.unwrap_or(NOWHERE)).issuer(trusted);
        if resource.is_none() {
            let audiences = given.jwt().map(|jwt| jwt.audiences()).unwrap_or_default();
            protected = audiences
                .into_iter()
                .fold(protected, ProtectedResource::audience);
        }
        let builder = Authenticator::builder(protected).fetch(self.documents());
        Ok(self.with_tokens(builder)?.build())
    }

    /// The keys in the file, whatever is asked for.
    fn documents(&self) -> impl Fetch + use<> {
        let keys: Arc<str> = self.keys.as_deref().unwrap_or(r#"{"keys":[]}"#).into();
        tower::service_fn(move |_: Request<Full<Bytes>>| {
            let mut answer = Response::new(Full::new(Bytes::copy_from_slice(keys.as_bytes())));
            let json = HeaderValue::from_static("application/json");
            answer.headers_mut().insert(CONTENT_TYPE, json);
            std::future::ready(Ok::<_, Infallible>(answer))
        })
    }

    fn with_tokens(&self, builder: AuthenticatorBuilder) -> Result<AuthenticatorBuilder, Failure> {
        let brand = &self.global.brand;
        Ok(match (&self.store, &self.peppers) {
            (Some(store), Some(peppers)) => {
                let store = ReadOnly(store.clone());
                let tokens = ApiTokens::new(store.clone(), peppers.peppers.clone()).brand(brand);
                builder
                    .api_tokens(tokens)
                    .policies(store.clone())
                    .revocations(store)
            }
            (store, _) => {
                // Its text is judged all the same.
                let tokens = ApiTokens::new(MemoryStore::new(), Peppers::generate()?).brand(brand);
                let builder = builder.api_tokens(tokens);
                match store {
                    Some(store) => {
                        let store = ReadOnly(store.clone());
                        builder.policies(store.clone()).revocations(store)
                    }
                    None => builder.policies(MemoryPolicyStore::new()),
                }
            }
        })
    }

    fn profile(&self, given: &Given) -> Profile {
        match self.wanted.profile {
            Dialect::Rfc9068 => Profile::rfc9068(),
            Dialect::Auth0 => Profile::auth0(),
            Dialect::Okta => Profile::okta(),
            Dialect::EntraId => Profile::entra_id(),
            Dialect::Keycloak => Profile::keycloak(),
            // The list of clients is not known here: its own is on it.
            Dialect::Cognito => {
                Profile::cognito(given.jwt().and_then(|jwt| jwt.client()).or(Some("any")))
            }
            Dialect::Hydra => Profile::hydra(),
            Dialect::Atlassian => Profile::atlassian(),
        }
    }
}
