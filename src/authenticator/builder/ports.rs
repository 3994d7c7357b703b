//! What connects an authenticator to the world around it.

use std::net::IpAddr;
use std::sync::Arc;

use http::Extensions;

use super::AuthenticatorBuilder;
use crate::api_token::ApiTokens;
use crate::api_token::foreign::{DynForeignTokens, ForeignTokens};
use crate::authenticator::foreign::Format;
use crate::authenticator::sender::PeerOf;
use crate::clock::Clock;
use crate::enrich::{ContextEnricher, DynEnricher, EnrichmentMode};
use crate::fetch::{DynFetch, Fetch};
use crate::policy::{DynPolicyStore, PolicyStore};
use crate::revocation::{DynRevocationLog, RevocationLog};
use crate::throttle::{DynSharedFailures, SharedFailures};

/// The parts that do I/O, keep something, or are code of the user's. An authenticator has the same
/// ones for as long as it lives.
#[derive(Clone, Default)]
pub(in crate::authenticator) struct Ports {
    pub(in crate::authenticator) clock: Option<Arc<dyn Clock>>,
    pub(in crate::authenticator) fetch: Option<DynFetch>,
    pub(in crate::authenticator) tokens: Option<ApiTokens>,
    pub(in crate::authenticator) foreign: Vec<Format>,
    pub(in crate::authenticator) shared_failures: Option<DynSharedFailures>,
    pub(in crate::authenticator) policies: Option<DynPolicyStore>,
    pub(in crate::authenticator) enricher: Option<(DynEnricher, EnrichmentMode)>,
    pub(in crate::authenticator) revocations: Option<DynRevocationLog>,
    pub(in crate::authenticator) peer_of: Option<Arc<PeerOf>>,
}

impl Ports {
    /// Whether anybody could present an API token.
    pub(super) fn take_tokens(&self) -> bool {
        self.tokens.is_some() || !self.foreign.is_empty()
    }
}

impl AuthenticatorBuilder {
    /// How metadata and keys are fetched: any Tower service that answers HTTP requests. Default:
    /// [`HttpClient`](crate::HttpClient) (feature `client`).
    #[must_use]
    pub fn fetch(mut self, fetch: impl Fetch) -> Self {
        self.ports.fetch = Some(DynFetch::new(fetch));
        self
    }

    /// Where the time comes from. Default: the machine's clocks.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.ports.clock = Some(Arc::new(clock));
        self
    }

    /// Takes API tokens too: personal ones as `Basic`, service-account keys as `Bearer`. Without
    /// this line: OAuth only. It needs [`policies`](Self::policies), because an organization's
    /// administrator decides whether its tokens count; without a stored policy they do not.
    #[must_use]
    pub fn api_tokens(mut self, tokens: ApiTokens) -> Self {
        self.ports.tokens = Some(tokens);
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
        self.ports.foreign.push(Format {
            name: name.as_ref().into(),
            tokens: DynForeignTokens::new(tokens),
        });
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
        self.ports.shared_failures = Some(DynSharedFailures::new(failures));
        self
    }

    /// The rules of organizations' administrators. An organization without a stored policy is OAuth
    /// only. A change made in this process is in force at once. One made elsewhere is within about two
    /// seconds if the store writes [news](crate::revocation::RecordChange) into the log given to
    /// [`revocations`](Self::revocations), and otherwise within 30 s. Policies serve 5 min while their
    /// store fails; then, and after news of a change that cannot be read, requests get 503.
    #[must_use]
    pub fn policies(mut self, store: impl PolicyStore) -> Self {
        self.ports.policies = Some(DynPolicyStore::new(store));
        self
    }

    /// Adds what your own directory knows to every context. With
    /// [`EnrichmentMode::Required`] a directory that does not answer means 503.
    #[must_use]
    pub fn enrich(mut self, enricher: impl ContextEnricher, mode: EnrichmentMode) -> Self {
        self.ports.enricher = Some((DynEnricher::new(enricher), mode));
        self
    }

    /// Shares revocations with the other processes of this server. What is revoked through
    /// [`AuthHandle`](crate::authenticator::AuthHandle) is written to the log first; what others write
    /// is read every two seconds, or at once after a [hint](RevocationLog::hinted), by one task in the
    /// runtime of the first request. With the revocations come news of API tokens and policies, if their stores write
    /// them there. Default: none; a revocation then holds in this process alone.
    ///
    /// Before the log was read once, nobody is let in (503); when it could not be read for 60 s, no
    /// API token is, and access tokens are until they expire. See [`revocation`](crate::revocation).
    #[must_use]
    pub fn revocations(mut self, log: impl RevocationLog) -> Self {
        self.ports.revocations = Some(DynRevocationLog::new(log));
        self
    }

    /// Where your server keeps the address of a connection's peer, among the extensions of a
    /// request. Default: [`PeerAddress`](crate::authenticator::PeerAddress).
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
        self.ports.peer_of = Some(Arc::new(find));
        self
    }
}
