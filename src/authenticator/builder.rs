//! From configuration to [`Authenticator`], with every mistake reported at once.

mod assemble;
mod bindings;
mod examine;
mod introspections;
mod messages;
mod telemetry;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::Extensions;

use assemble::assemble;
use bindings::BindingSettings;
use messages::Messages;
use telemetry::TelemetrySettings;

use super::Authenticator;
use super::foreign::Format;
use super::options::Options;
use super::sender::Senders;
use crate::api_token::ApiTokens;
use crate::api_token::foreign::{DynForeignTokens, ForeignTokens};
use crate::clock::{Clock, SystemClock};
use crate::enrich::{ContextEnricher, DynEnricher, EnrichmentMode};
use crate::error::ConfigError;
use crate::fetch::{DynFetch, Fetch};
use crate::policy::{ClientPattern, DynPolicyStore, PolicyStore, TrustedProxies};
use crate::resource::ProtectedResource;
use crate::revocation::{DynRevocationLog, RevocationLog};
use crate::throttle::{DynSharedFailures, SharedFailures, ThrottleSettings};

/// Configures an [`Authenticator`]. Nothing is checked before [`build`](Self::build).
pub struct AuthenticatorBuilder {
    resource: ProtectedResource,
    required_scopes: Vec<String>,
    credential_limit: usize,
    verified_bytes: u64,
    forward_credential: bool,
    close_streams: bool,
    clock: Arc<dyn Clock>,
    fetch: Option<DynFetch>,
    tokens: Option<ApiTokens>,
    foreign: Vec<Format>,
    api_key_header: Option<String>,
    throttle: ThrottleSettings,
    shared_failures: Option<DynSharedFailures>,
    policies: Option<DynPolicyStore>,
    supported_clients: Vec<ClientPattern>,
    disabled_is_forbidden: bool,
    enricher: Option<(DynEnricher, EnrichmentMode)>,
    revocations: Option<DynRevocationLog>,
    senders: Senders,
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
            clock: Arc::new(SystemClock::new()),
            fetch: None,
            tokens: None,
            foreign: Vec::new(),
            api_key_header: None,
            throttle: ThrottleSettings::new(),
            shared_failures: None,
            policies: None,
            supported_clients: Vec::new(),
            disabled_is_forbidden: false,
            enricher: None,
            revocations: None,
            senders: Senders::default(),
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

    /// How metadata and keys are fetched: any Tower service that answers HTTP requests. Default:
    /// [`HttpClient`](crate::HttpClient) (feature `client`).
    #[must_use]
    pub fn fetch(mut self, fetch: impl Fetch) -> Self {
        self.fetch = Some(DynFetch::new(fetch));
        self
    }

    /// Where the time comes from. Default: the machine's clocks.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
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

    /// Takes API tokens too: personal ones as `Basic`, service-account keys as `Bearer`. Without
    /// this line: OAuth only. It needs [`policies`](Self::policies), because an organization's
    /// administrator decides whether its tokens count; without a stored policy they do not.
    #[must_use]
    pub fn api_tokens(mut self, tokens: ApiTokens) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Takes API tokens of a format of yours too, or of a vendor's, under the same rules as
    /// [`api_tokens`](Self::api_tokens) and with or without them; see
    /// [`foreign`](crate::api_token::foreign). May be called once for each format.
    ///
    /// The name tells formats apart: it is the issuer of their principals, unless a token says
    /// another, and stands in logs.
    #[must_use]
    pub fn foreign_tokens(mut self, name: impl AsRef<str>, tokens: impl ForeignTokens) -> Self {
        self.foreign.push(Format {
            name: name.as_ref().into(),
            tokens: DynForeignTokens::new(tokens),
        });
        self
    }

    /// Takes a service-account key in this header too, such as `x-api-key`, for clients that cannot
    /// set `Authorization`. A request with both is refused. Default: none.
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

    /// Counts failures together with the other processes of this server, so that whoever fails at all
    /// of them gets about one limit, not one for each. Default: none; every process counts its own.
    ///
    /// One task tells and hears once a second while anybody fails, in the runtime of the first failure,
    /// and ends with the authenticator. No request waits for it, and without the store every process
    /// goes on with its own limits. See [`throttle`](crate::throttle#several-processes).
    #[must_use]
    pub fn shared_failures(mut self, failures: impl SharedFailures) -> Self {
        self.shared_failures = Some(DynSharedFailures::new(failures));
        self
    }

    /// The rules of organizations' administrators. An organization without a stored policy is OAuth
    /// only. A change made in this process is in force at once. One made elsewhere is within about two
    /// seconds if the store writes [news](crate::revocation::RecordChange) into the log given to
    /// [`revocations`](Self::revocations), and otherwise within 30 s. Policies serve 5 min while their
    /// store fails; then, and after news of a change that cannot be read, requests get 503.
    #[must_use]
    pub fn policies(mut self, store: impl PolicyStore) -> Self {
        self.policies = Some(DynPolicyStore::new(store));
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

    /// Adds what your own directory knows to every context. With
    /// [`EnrichmentMode::Required`] a directory that does not answer means 503.
    #[must_use]
    pub fn enrich(mut self, enricher: impl ContextEnricher, mode: EnrichmentMode) -> Self {
        self.enricher = Some((DynEnricher::new(enricher), mode));
        self
    }

    /// Shares revocations with the other processes of this server. What is revoked through
    /// [`AuthHandle`](super::AuthHandle) is written to the log first; what others write is read every
    /// two seconds, or at once after a [hint](RevocationLog::hinted), by one task in the runtime of the
    /// first request. With the revocations come news of API tokens and policies, if their stores write
    /// them there. Default: none; a revocation then holds in this process alone.
    ///
    /// Before the log was read once, nobody is let in (503); when it could not be read for 60 s, no
    /// API token is, and access tokens are until they expire. See [`revocation`](crate::revocation).
    #[must_use]
    pub fn revocations(mut self, log: impl RevocationLog) -> Self {
        self.revocations = Some(DynRevocationLog::new(log));
        self
    }

    /// Where your server keeps the address of a connection's peer, among the extensions of a
    /// request. Default: [`PeerAddress`](super::PeerAddress).
    ///
    /// ```
    /// # use std::net::{IpAddr, SocketAddr};
    /// # use tower_mcp_auth::{Authenticator, ProtectedResource};
    /// # struct ConnectInfo<T>(T); // axum's
    /// # let builder = Authenticator::builder(ProtectedResource::new("https://mcp.example.com/mcp"));
    /// builder.peer_address(|extensions| {
    ///     extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip())
    /// });
    /// ```
    #[must_use]
    pub fn peer_address(
        mut self,
        find: impl Fn(&Extensions) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        self.senders.peer_of = Box::new(find);
        self
    }

    /// The proxies whose forwarded headers count. Default: none; the peer is the client.
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.senders.proxies = proxies;
        self
    }

    /// Checks everything and builds. Does no I/O and needs no runtime: keys are fetched at the
    /// first request, or by [`Authenticator::warm_up`].
    ///
    /// # Errors
    ///
    /// Every mistake found, each with its setting, its value and what to do about it.
    pub fn build(self) -> Result<Authenticator, ConfigError> {
        let examined = self.examine()?;
        Ok(assemble(self, examined))
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
