//! One program that uses rmcp's client.

use std::collections::HashMap;
use std::error::Error;
use std::iter::successors;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderValue;
use http::header::AUTHORIZATION;
use rmcp::model::{CallToolRequestParams, ProgressNotificationParam, ProtocolVersion};
use rmcp::service::{
    ClientInitializeError, ClientLifecycleMode, ClientServiceExt, NotificationContext,
    RunningService,
};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::auth::{AuthClient, AuthorizationCallback, AuthorizationRequest, OAuthState};
use rmcp::transport::streamable_http_client::{
    AuthRequiredError, InsufficientScopeError, StreamableHttpClientTransportConfig,
};
use rmcp::{ClientHandler, RoleClient};
use serde_json::Value;
use url::Url;

use super::Failure;
use super::given::Given;

/// Where clients are sent back to. Nobody listens there.
pub(crate) const CALLBACK: &str = "http://127.0.0.1:3030/callback";

/// What goes with requests.
pub(crate) enum Login {
    Nothing,
    Header(HeaderValue),
    OAuth(AuthClient<reqwest::Client>),
}

#[derive(Clone, Default)]
struct Watcher(Arc<Mutex<Vec<f64>>>);

impl ClientHandler for Watcher {
    async fn on_progress(
        &self,
        progress: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(progress.progress);
    }
}

pub(crate) struct App<'g> {
    given: &'g Given,
    url: String,
    pub(crate) login: Login,
    client: Option<RunningService<RoleClient, Watcher>>,
    watcher: Watcher,
    /// Where the metadata of this client are, if it has some.
    pub(crate) document: Option<&'static str>,
    /// The last login page.
    page: Option<Url>,
}

impl<'g> App<'g> {
    pub(crate) fn new(given: &'g Given, url: &str) -> Self {
        Self {
            given,
            url: url.to_owned(),
            login: Login::Nothing,
            client: None,
            watcher: Watcher::default(),
            document: None,
            page: None,
        }
    }

    pub(crate) async fn connect(&mut self) -> Result<(), Failure> {
        self.client = Some(self.try_connect().await?);
        Ok(())
    }

    async fn try_connect(
        &self,
    ) -> Result<RunningService<RoleClient, Watcher>, ClientInitializeError> {
        let config = StreamableHttpClientTransportConfig::with_uri(&*self.url);
        let mode = match &*self.given.protocol {
            "2025-11-25" => ClientLifecycleMode::Initialize,
            _ => ClientLifecycleMode::Discover {
                preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            },
        };
        let watcher = self.watcher.clone();
        let transport = match &self.login {
            Login::OAuth(http) => {
                let transport = StreamableHttpClientTransport::with_client(http.clone(), config);
                return watcher.serve_with_lifecycle(transport, mode).await;
            }
            Login::Nothing => config,
            Login::Header(header) => {
                config.custom_headers(HashMap::from([(AUTHORIZATION, header.clone())]))
            }
        };
        let transport = StreamableHttpClientTransport::from_config(transport);
        watcher.serve_with_lifecycle(transport, mode).await
    }

    /// From nothing but the challenge of a refusal to tokens.
    pub(crate) async fn log_in(&mut self) -> Result<(), Failure> {
        self.client = None;
        let old = std::mem::replace(&mut self.login, Login::Nothing);
        if let Login::Header(header) = old {
            self.login = Login::Header(header);
        }
        let refused = self.try_connect().await;
        let refused = refused.err().ok_or("let in without a login")?;
        let challenge = refused.auth_challenge().ok_or("no challenge")?.to_owned();

        let mut oauth = OAuthState::new(&*self.url, None).await?;
        let request = AuthorizationRequest::new(CALLBACK).with_client_name("real");
        let mut request = request.with_challenge(challenge);
        if let Some(document) = self.document {
            request = request.with_client_metadata_url(document);
        }
        oauth.start_authorization(request).await?;
        let page = oauth.get_authorization_url().await?;
        self.page = Some(page.parse()?);
        let back = self.given.visit(&page).await?;
        oauth.handle_callback_url(back.as_str()).await?;
        let manager = oauth.into_authorization_manager().ok_or("not logged in")?;
        self.login = Login::OAuth(AuthClient::new(reqwest::Client::new(), manager));
        Ok(())
    }

    /// More scopes, by the same registration.
    pub(crate) async fn step_up(&self, required: &str) -> Result<(), Failure> {
        let Login::OAuth(http) = &self.login else {
            return Err("not logged in".into());
        };
        let manager = http.auth_manager.lock().await;
        let page = manager.request_scope_upgrade(required).await?;
        let back = self.given.visit(&page).await?;
        if let Some((_, error)) = back.query_pairs().find(|(name, _)| name == "error") {
            return Err(error.into_owned().into());
        }
        let back = AuthorizationCallback::from_redirect_url(back.as_str())?;
        let (code, state, issuer) = (&back.code, &back.csrf_token, back.issuer.as_deref());
        let exchanged = manager.exchange_code_for_token_with_issuer(code, state, issuer);
        exchanged.await?;
        Ok(())
    }

    /// The structured result of a tool.
    pub(crate) async fn call(&self, tool: &'static str, given: Value) -> Result<Value, Failure> {
        let arguments = given.as_object().cloned().unwrap_or_default();
        let call = CallToolRequestParams::new(tool).with_arguments(arguments);
        let client = self.client.as_ref().ok_or("not connected")?;
        let result = client.call_tool(call).await?;
        if result.is_error == Some(true) {
            return Err(format!("{result:?}").into());
        }
        result.structured_content.ok_or_else(|| "no result".into())
    }

    /// A parameter of the last login page.
    pub(crate) fn asked(&self, parameter: &str) -> Option<String> {
        let mut pairs = self.page.as_ref()?.query_pairs();
        let (_, value) = pairs.find(|(name, _)| name == parameter)?;
        Some(value.into_owned())
    }

    pub(crate) fn progress(&self) -> Vec<f64> {
        let seen = self.watcher.0.lock();
        seen.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    successors(Some(error), |error| (*error).source())
}

/// What it takes, if this is the refusal of a tool.
pub(crate) fn required_scope(error: &(dyn Error + 'static)) -> Option<String> {
    let found = causes(error).find_map(|error| error.downcast_ref::<InsufficientScopeError>())?;
    found.get_required_scope().map(str::to_owned)
}

/// The challenge, if this is the refusal of a credential.
pub(crate) fn challenge(error: &(dyn Error + 'static)) -> Option<String> {
    let found = causes(error).find_map(|error| error.downcast_ref::<AuthRequiredError>())?;
    Some(found.www_authenticate_header.clone())
}
