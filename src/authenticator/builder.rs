//! From configuration to [`Authenticator`], with every mistake reported at once.

mod assemble;
mod bindings;
mod examine;
mod introspections;
mod messages;
mod ports;
mod renew;
mod telemetry;

use std::fmt;

use bindings::BindingSettings;
use messages::Messages;
use telemetry::TelemetrySettings;

use super::Authenticator;
use super::options::Options;
use crate::error::{ConfigError, Problems};
use crate::fetch::DynFetch;
use crate::policy::{ClientPattern, TrustedProxies};
use crate::resource::ProtectedResource;
use crate::throttle::ThrottleSettings;

pub(super) use ports::Ports;

/// Configures an [`Authenticator`]. Nothing is checked before [`build`](Self::build).
pub struct AuthenticatorBuilder {
    resource: ProtectedResource,
    required_scopes: Vec<String>,
    credential_limit: usize,
    verified_bytes: u64,
    forward_credential: bool,
    close_streams: bool,
    ports: Ports,
    api_key_header: Option<String>,
    throttle: ThrottleSettings,
    supported_clients: Vec<ClientPattern>,
    disabled_is_forbidden: bool,
    proxies: TrustedProxies,
    pub(super) options: Options,
    messages: Messages,
    bindings: BindingSettings,
    telemetry: TelemetrySettings,
}

impl AuthenticatorBuilder {
    pub(super) fn new(resource: ProtectedResource) -> Self {
        Self {
            resource,
            required_scopes: Vec::new(),
            credential_limit: 8 * 1024,
            verified_bytes: default_verified_bytes(),
            forward_credential: false,
            close_streams: true,
            ports: Ports::default(),
            api_key_header: None,
            throttle: ThrottleSettings::new(),
            supported_clients: Vec::new(),
            disabled_is_forbidden: false,
            proxies: TrustedProxies::none(),
            options: Options::default(),
            messages: Messages::default(),
            bindings: BindingSettings::default(),
            telemetry: TelemetrySettings::default(),
        }
    }

    /// Scopes every request needs, whatever it asks for. A token without them is answered with 403
    /// and a challenge that names them. Default: none.
    #[must_use]
    pub fn require_scopes<I>(mut self, scopes: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.required_scopes
            .extend(scopes.into_iter().map(Into::into));
        self
    }

    /// The longest `Authorization` value looked at, in bytes. Default 8,192; 1,024 to 16,384.
    #[must_use]
    pub fn max_credential_bytes(mut self, bytes: usize) -> Self {
        self.credential_limit = bytes;
        self
    }

    /// How many bytes of facts about verified credentials are remembered, so that an equal access
    /// token needs no second look at its signature, and an equal API token none at its secret.
    /// Default 32 MiB, about 30,000 tokens; up to 16 GiB; 0 verifies every token every time.
    /// Decisions are the same either way: what is remembered is who a token belongs to, and expiry,
    /// keys, its record, revocation, policy and scopes are judged on every request.
    ///
    /// With the feature `testing`, the environment variable `TOWER_MCP_AUTH_VERIFIED_TOKEN_BYTES`
    /// sets the default, so that a test-suite can be run with and without this memory.
    #[must_use]
    pub fn verified_token_bytes(mut self, bytes: u64) -> Self {
        self.verified_bytes = bytes;
        self
    }

    /// Leaves `Authorization` in the request given to the inner service, marked sensitive.
    ///
    /// An attacker gains: every service behind this one, and every log it writes, may hold a live
    /// credential. MCP forbids passing a client's token on to another service.
    #[must_use]
    pub fn insecure_forward_credential(mut self) -> Self {
        self.forward_credential = true;
        self
    }

    /// Whether event streams and gRPC responses end with the credential that opened them: at its
    /// expiry plus the leeway, on a revocation, and on a policy that no longer lets its holder in
    /// ([how](crate::middleware::auth#open-streams)). Default: `true`.
    ///
    /// With `false` a stream is judged once, when it is opened: whoever has opened one keeps reading
    /// after logout, dismissal and revocation, for as long as the connection lasts.
    #[must_use]
    pub fn close_streams(mut self, close: bool) -> Self {
        self.close_streams = close;
        self
    }

    /// Takes a service-account key in this header too, such as `x-api-key`, for clients that cannot
    /// set `Authorization`. A request with both is refused. Answers to requests with it are
    /// `Cache-Control: private` where the service says nothing, because shared caches do not know
    /// this header for a credential. Default: none.
    #[must_use]
    pub fn api_key_header(mut self, name: impl Into<String>) -> Self {
        self.api_key_header = Some(name.into());
        self
    }

    /// How failed API tokens are slowed down, up to not at all. Access tokens are not counted: no
    /// signature can be guessed, and expired ones are everyday.
    #[must_use]
    pub fn throttle(mut self, settings: ThrottleSettings) -> Self {
        self.throttle = settings;
        self
    }

    /// The OAuth clients this server supports, for organizations that allow "supported clients" as
    /// a whole.
    #[must_use]
    pub fn supported_clients(mut self, clients: impl IntoIterator<Item = ClientPattern>) -> Self {
        self.supported_clients = clients.into_iter().collect();
        self
    }

    /// Answers a switched-off authentication method with 403 and no challenge, instead of the 401
    /// from which clients start a login (POL-2).
    #[must_use]
    pub fn disabled_method_is_forbidden(mut self) -> Self {
        self.disabled_is_forbidden = true;
        self
    }

    /// The proxies whose forwarded headers count. Default: none; the peer is the client.
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// Checks everything and builds. Does no I/O and needs no runtime: keys are fetched at the
    /// first request, or by [`Authenticator::warm_up`].
    ///
    /// # Errors
    ///
    /// Every mistake found, each with its setting, its value and what to do about it.
    pub fn build(self) -> Result<Authenticator, ConfigError> {
        let examined = self.examine(Problems::default(), None)?;
        Ok(self.assemble(examined))
    }
}

/// See [`AuthenticatorBuilder::verified_token_bytes`].
const VERIFIED_BYTES: u64 = 32 * 1024 * 1024;

#[cfg(feature = "testing")]
fn default_verified_bytes() -> u64 {
    let wanted = std::env::var("TOWER_MCP_AUTH_VERIFIED_TOKEN_BYTES").ok();
    wanted
        .and_then(|wanted| wanted.parse().ok())
        .unwrap_or(VERIFIED_BYTES)
}

#[cfg(not(feature = "testing"))]
fn default_verified_bytes() -> u64 {
    VERIFIED_BYTES
}

#[cfg(feature = "client")]
#[expect(
    clippy::unnecessary_wraps,
    reason = "the other half of a pair chosen by feature"
)]
fn default_fetch() -> Option<DynFetch> {
    Some(DynFetch::new(crate::backend::HttpClient::new()))
}

#[cfg(not(feature = "client"))]
fn default_fetch() -> Option<DynFetch> {
    None
}

impl fmt::Debug for AuthenticatorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticatorBuilder")
            .field("resource", &self.resource)
            .field("required_scopes", &self.required_scopes)
            .finish_non_exhaustive()
    }
}
