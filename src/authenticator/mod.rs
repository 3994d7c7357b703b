//! The one decision: from the head of a request to an [`AuthContext`] or a [`Rejection`].

mod binding;
mod builder;
mod carried;
mod decide;
#[cfg(feature = "events")]
mod events;
mod evidence;
mod explain;
mod follower;
mod foreign;
mod gauges;
mod ground;
mod health;
mod held;
mod issued;
mod lease;
mod limits;
mod mounts;
mod need;
mod news;
mod observed;
mod opaque;
mod operations;
mod options;
mod puts;
mod reload;
mod remembered;
mod required;
mod revocation;
mod revoked;
mod rules;
mod sender;
mod slot;
mod status;
mod tokens;
mod trail;
mod uses;

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};

use futures_util::FutureExt;
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method};

use crate::context::{AuthContext, Operations};
use crate::oauth::introspection::Introspector;
use crate::oauth::jwt::Trust;
use crate::policy::ClientPattern;
use crate::rejection::{Reason, Rejection};
use crate::resource::{ProtectedResource, Resource};
use crate::scope::ScopeSet;
use crate::session::Sessions;
use crate::throttle::ThrottleSettings;

use binding::Bindings;
use decide::Kept;
use ground::Ground;
use need::{Waited, settle};
use remembered::Memory;
use sender::{Sender, Senders};
use slot::Slot;
use tokens::Tokens;

pub use builder::AuthenticatorBuilder;
pub use follower::RevocationStatus;
pub use health::{Condition, Health, Part, PartHealth};
pub(crate) use observed::{Conclusion, Observation};
pub use operations::ChallengeScopes;
pub use revocation::AuthHandle;
pub(crate) use sender::Arrival;
pub use sender::PeerAddress;

pub use crate::oauth::keys::{IssuerStatus, KeyState};
pub use crate::pulse::Fault;

pub(crate) use lease::{Lease, Opening, Verdict};
pub(crate) use slot::Current;
pub(crate) use tokens::UsedToken;

/// Decides who a request comes from, for one protected resource. Cloning shares it.
///
/// ```
/// use tower_mcp_auth::{Authenticator, Issuer, McpAuthLayer, ProtectedResource};
///
/// # fn main() -> Result<(), tower_mcp_auth::ConfigError> {
/// let auth = Authenticator::builder(
///     ProtectedResource::new("https://mcp.example.com/mcp")
///         .issuer(Issuer::new("https://auth.example.com/t1"))
///         .baseline_scopes(["read:issues"]),
/// )
/// .build()?;
///
/// let layer = McpAuthLayer::new(auth);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Authenticator(Arc<Slot>);

/// A mount in one generation of its settings. It never changes.
struct Inner {
    resource: Resource,
    required_scopes: ScopeSet,
    credential_limit: usize,
    forward_credential: bool,
    trust: Trust,
    /// Tells the mounts of a server apart.
    mount: u64,
    known_scopes: ScopeSet,
    operations: Option<Arc<Operations>>,
    challenge_scopes: ChallengeScopes,
    asks: OnceLock<[Rejection; 2]>,
    shared: Arc<Shared>,
    ground: Arc<Ground>,
    /// Where newer settings will be.
    slot: Weak<Slot>,
}

/// What all mounts of a server have in common in one generation of its settings.
struct Shared {
    generation: u64,
    tokens: Option<Tokens>,
    introspectors: Vec<Arc<Introspector>>,
    bindings: Bindings,
    /// Of this generation alone: what others proved was proved by other settings.
    memory: Option<Memory>,
    throttle: ThrottleSettings,
    senders: Senders,
    supported_clients: Vec<ClientPattern>,
    disabled_is_forbidden: bool,
    basic_challenge: Option<HeaderValue>,
    close_streams: bool,
    span_user_data: bool,
}

/// What a decision looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'r> {
    pub(crate) method: &'r Method,
    pub(crate) path: &'r str,
    pub(crate) headers: &'r HeaderMap,
    pub(crate) extensions: &'r Extensions,
}

/// A decision, or the work left until there is one.
pub(crate) enum Begin {
    /// Everything needed was in memory.
    Decided(Result<AuthContext, Rejection>),
    /// An issuer's keys have to be fetched first. The future owns what it needs: dropping it
    /// changes nothing for others who wait for the same fetch.
    Pending(Pin<Box<dyn Future<Output = Result<AuthContext, Rejection>> + Send>>),
}

impl Authenticator {
    /// Starts from the resource to protect.
    #[must_use]
    pub fn builder(resource: ProtectedResource) -> AuthenticatorBuilder {
        AuthenticatorBuilder::new(resource)
    }

    /// Judges the credential of a request, without any HTTP around it: for servers that are not
    /// Tower services. [`McpAuthLayer`](crate::McpAuthLayer) does this and everything else.
    ///
    /// # Errors
    ///
    /// Why the request is to be refused.
    pub async fn authenticate(&self, parts: &Parts) -> Result<AuthContext, Rejection> {
        let head = Head {
            method: &parts.method,
            path: parts.uri.path(),
            headers: &parts.headers,
            extensions: &parts.extensions,
        };
        let current = self.latest();
        let arrival = current.arrival(head);
        let mut observation = Observation::default();
        let begin = || current.begin(head, arrival);
        let decision = match current.watch(head.method, &mut observation, begin) {
            Begin::Decided(decision) => decision,
            Begin::Pending(decision) => decision.await,
        };
        let decision = decision.and_then(|context| {
            let admit = || current.admit_on_record(head, Some(&context), (None, None), arrival);
            observation.in_scope(admit).map(|()| context)
        });
        let end = Conclusion {
            head,
            decision: decision.as_ref().map(Some),
            operation: None,
            arrival,
        };
        let span = current.conclude(end, &mut observation);
        if let Err(rejection) = &decision
            && rejection.reason() != Reason::AuditUnavailable
        {
            span.in_scope(|| current.audit(head, rejection, None, None, arrival));
        }
        decision
    }

    /// Revokes and flushes while the server runs.
    #[must_use]
    pub fn handle(&self) -> AuthHandle {
        AuthHandle(self.0.clone())
    }
}

impl Current {
    pub(crate) fn forwards_credential(&self) -> bool {
        self.0.forward_credential
    }

    /// The seals of session ids, unless sessions are left alone.
    pub(crate) fn sessions(&self) -> Option<&Sessions> {
        self.0.ground.sessions.as_ref()
    }

    /// The header besides `Authorization` that may carry a credential.
    pub(crate) fn api_key_header(&self) -> Option<&HeaderName> {
        self.0.api_key_header()
    }

    /// The challenge after the Bearer one, if there is to be a second.
    pub(crate) fn basic_challenge(&self) -> Option<&HeaderValue> {
        self.0.shared.basic_challenge.as_ref()
    }

    /// Decides at once if everything needed is in memory. A panic in a part supplied by the user
    /// (a clock) is a refusal, not the end of the connection (R15).
    pub(crate) fn begin(&self, head: Head<'_>, arrival: Arrival) -> Begin {
        self.begin_after(Waited::default(), head, arrival)
    }

    /// Decides as [`begin`](Self::begin) does, after these waits.
    fn begin_after(&self, waited: Waited, head: Head<'_>, arrival: Arrival) -> Begin {
        let Some(sender) = arrival.sender else {
            return Begin::Decided(Err(Reason::Internal.into()));
        };
        catch_unwind(AssertUnwindSafe(|| {
            self.decide(head, sender, (arrival, waited))
        }))
        .unwrap_or_else(|_| Begin::Decided(Err(Reason::Internal.into())))
    }

    fn decide(
        &self,
        head: Head<'_>,
        sender: Sender,
        (arrival, mut waited): (Arrival, Waited),
    ) -> Begin {
        let inner = &self.0;
        let found = match inner.present(head.headers) {
            Ok(found) => found,
            Err(rejection) => return Begin::Decided(Err(rejection)),
        };
        let asked = inner.asked_at_once(&sender, (arrival, waited));
        let need = match inner.attempt(found, head, asked) {
            Ok(admission) => {
                return match inner.finish(admission) {
                    Begin::Pending(decision) => self.watched(decision, head, arrival),
                    decided @ Begin::Decided(_) => decided,
                };
            }
            Err(need) => need,
        };
        let wait = match need.wait(&mut waited) {
            Ok(wait) => wait,
            Err(rejection) => return Begin::Decided(Err(rejection)),
        };
        let (inner, kept) = (inner.clone(), Kept::of(found, head));
        let decision = async move {
            let attempt = |waited| {
                let asked = inner.asked(&sender, waited);
                inner.attempt(kept.found(), kept.head(), asked)
            };
            let admission = settle(wait, waited, attempt).await?;
            match inner.finish(admission) {
                Begin::Pending(decision) => decision.await,
                Begin::Decided(decision) => decision,
            }
        };
        self.watched(decision, head, arrival)
    }

    /// A decision that has to wait: on record if it is given up, a refusal if it panics.
    fn watched(
        &self,
        decision: impl Future<Output = Result<AuthContext, Rejection>> + Send + 'static,
        head: Head<'_>,
        arrival: Arrival,
    ) -> Begin {
        let guarded = AssertUnwindSafe(decision).catch_unwind();
        let unfinished = self.unfinished(head, arrival);
        Begin::Pending(Box::pin(guarded.map(move |result| {
            unfinished.finish();
            result.unwrap_or_else(|_| Err(Reason::Internal.into()))
        })))
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator")
            .field("resource", &self.0.newest.load().resource.identifier())
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Current")
            .field("resource", &self.0.resource.identifier())
            .field("generation", &self.0.shared.generation)
            .finish_non_exhaustive()
    }
}
