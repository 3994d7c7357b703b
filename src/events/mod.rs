//! Revocation by what an identity provider reports: security event tokens (RFC 8417), pushed to this
//! server (RFC 8935).
//!
//! A [`SecurityEventReceiver`] is a Tower service for one path. What it is told goes the way of every
//! revocation through [`AuthHandle`](crate::authenticator::AuthHandle): into the shared
//! [log](crate::revocation) if there is one, on record, and to the end of open streams.
//!
//! ```
//! # #[cfg(feature = "axum")] {
//! use axum::{Router, routing::any};
//! use tower_mcp_auth::events::SecurityEventReceiver;
//! use tower_mcp_auth::{Authenticator, Issuer, McpAuthLayer, ProtectedResource};
//!
//! # fn example(mcp: axum::routing::MethodRouter) -> Result<Router, tower_mcp_auth::ConfigError> {
//! let identity_provider = Issuer::new("https://auth.example.com/t1");
//! let auth = Authenticator::builder(
//!     ProtectedResource::new("https://mcp.example.com/mcp").issuer(identity_provider.clone()),
//! )
//! .build()?;
//! let receiver = SecurityEventReceiver::new(&auth, [identity_provider])?;
//! let app = Router::new()
//!     .route("/mcp", mcp)
//!     .layer(McpAuthLayer::new(auth))
//!     .route_service("/events", receiver); // outside the layer: it judges its own tokens
//! # Ok(app)
//! # }
//! # }
//! ```
//!
//! # What is understood
//!
//! | event | what ends |
//! | --- | --- |
//! | CAEP `session-revoked` | what the subject was issued up to the event |
//! | CAEP `credential-change` with `revoke`, `update` or `delete` | the same; with `create` nothing |
//! | RISC `account-disabled`, `account-purged`, `credential-compromise`, `sessions-revoked` | the same |
//! | any other | nothing; it is accepted and passed over (RFC 8417 §1) |
//!
//! "Up to the event" is its `event_timestamp`, else `toe`, else `iat`, and never later than now: a token
//! that is delivered late, or again, does not end a newer login.
//!
//! The subject (RFC 9493; `sub_id` of the token, or `subject` in the event) is an `iss_sub`, a `jwt_id`,
//! `aliases` some of which are (at most 64; all that are), or a complex subject whose `user` is: then the user as a whole, since
//! access tokens do not say their session. Anything else is refused with `invalid_request`, so that it
//! is noticed at the transmitter that nothing was ended. API tokens end only if they are the same
//! principal's, by their issuer.
//!
//! # Answers
//!
//! 202 when everything is done, also for a token that was done before; 400 and an `err` of RFC 8935 §2.4
//! if it is no good; 413 if it is longer than 64 KiB; 503 and `Retry-After` where it cannot be judged or
//! written now.

mod answer;
mod event;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use tower_service::Service;

use crate::authenticator::Authenticator;
use crate::error::{BoxError, ConfigError, Problems};
use crate::issuer::Issuer;
use crate::oauth::jwt::{Attempt, Trust};
use crate::oauth::set::{MAX_AGE, Outcome, Verified, validate};
use crate::rejection::{Reason, Rejection};
use crate::wire::only_line;

const TARGET: &str = "tower_mcp_auth::events";

/// The longest token.
const MAX_BYTES: usize = 64 * 1024;

/// How long its body may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// How many tokens are known to be done. Doing one again changes nothing but the log.
const REMEMBERED: u64 = 10_000;

/// Who may report events, and about whom.
///
/// ```
/// use tower_mcp_auth::Issuer;
/// use tower_mcp_auth::events::Transmitter;
///
/// // A transmitter of its own, with keys of its own, for the subjects of the authorization server:
/// let transmitter = Transmitter::new(
///     Issuer::new("https://events.example.com").jwks_uri("https://events.example.com/jwks.json"),
/// )
/// .speaks_for("https://auth.example.com/t1");
/// ```
#[derive(Clone, Debug)]
pub struct Transmitter {
    issuer: Issuer,
    speaks_for: Vec<String>,
}

impl Transmitter {
    /// A transmitter with the `iss`, keys, algorithms, leeway and further audiences of this issuer; the
    /// rest of its settings is about access tokens. It speaks for its own subjects.
    ///
    /// If the authenticator accepts its access tokens too, their keys are shared, unless `issuer` says
    /// where other keys are.
    #[must_use]
    pub fn new(issuer: Issuer) -> Self {
        Self {
            speaks_for: vec![issuer.identifier.clone()],
            issuer,
        }
    }

    /// Another issuer whose subjects and tokens it may end. May be called several times.
    #[must_use]
    pub fn speaks_for(mut self, issuer: impl Into<String>) -> Self {
        self.speaks_for.push(issuer.into());
        self
    }
}

impl From<Issuer> for Transmitter {
    fn from(issuer: Issuer) -> Self {
        Self::new(issuer)
    }
}

/// Takes security event tokens and revokes what they say. Cloning shares it.
///
/// A Tower service for `POST` of `application/secevent+jwt`; see the [module](self).
#[derive(Clone)]
pub struct SecurityEventReceiver(Arc<Inner>);

struct Inner {
    auth: Authenticator,
    trust: Trust,
    speaks_for: Vec<(String, Vec<String>)>,
    /// Issuer and `jti` of tokens that were done.
    done: moka::sync::Cache<(Arc<str>, Box<str>), ()>,
}

impl SecurityEventReceiver {
    /// A receiver of what these transmitters report. It fetches keys as the authenticator does.
    ///
    /// # Errors
    ///
    /// Every mistake in the transmitters; that there is none; that two have the same identifier.
    pub fn new<T: Into<Transmitter>>(
        auth: &Authenticator,
        transmitters: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConfigError> {
        let mut problems = Problems::default();
        let transmitters: Vec<Transmitter> = transmitters.into_iter().map(Into::into).collect();
        if transmitters.is_empty() {
            problems.add(
                "transmitters",
                "[]",
                "nobody could report anything; list at least one",
            );
        }
        let mut speaks_for: Vec<(String, Vec<String>)> = Vec::new();
        for (index, transmitter) in transmitters.iter().enumerate() {
            let field = format!("transmitters[{index}]");
            transmitter.issuer.examine(&field, &mut problems);
            let identifier = &transmitter.issuer.identifier;
            if speaks_for.iter().any(|(known, _)| known == identifier) {
                problems.add(field, identifier, "listed twice; merge the two");
            }
            speaks_for.push((identifier.clone(), transmitter.speaks_for.clone()));
        }
        problems.or(Some(()))?;
        let trusted = transmitters
            .into_iter()
            .map(|transmitter| auth.other_issuer(transmitter.issuer));
        Ok(Self(Arc::new(Inner {
            trust: Trust::new(trusted),
            auth: auth.clone(),
            speaks_for,
            done: moka::sync::Cache::builder()
                .max_capacity(REMEMBERED)
                .time_to_live(MAX_AGE)
                .build(),
        })))
    }
}

impl Inner {
    async fn receive(&self, token: &str) -> Result<(), Rejection> {
        let verified = self.verify(token).await?;
        let issuer = verified.issuer.name.clone();
        if let Some(key_id) = &verified.key_id
            && self.auth.distrusts_key(&issuer, key_id)
        {
            return Err(Reason::Revoked.into());
        }
        let done = (issuer.clone(), verified.id.clone());
        if self.done.contains_key(&done) {
            return Ok(());
        }
        let known = self.speaks_for.iter().find(|(name, _)| **name == *issuer);
        let speaks_for = known.map_or(&[][..], |(_, speaks_for)| speaks_for);
        let orders = event::orders(&verified, speaks_for, self.auth.clock().now())?;
        let handle = self.auth.handle();
        for order in orders {
            let revoked = handle.revoke_by(order.target, order.entry).await;
            // Not done, and so not remembered: the transmitter sends it again.
            revoked.map_err(|error| {
                let (reason, cause) = (Reason::RevocationsUnavailable, Some(Arc::new(error)));
                Rejection::unavailable(reason, Duration::from_secs(2), cause)
            })?;
        }
        self.done.insert(done, ());
        Ok(())
    }

    async fn verify(&self, token: &str) -> Result<Verified, Rejection> {
        let look = |attempt| {
            let now = self.auth.clock().now();
            validate(token, &self.trust, &self.auth.resource(), now, attempt)
        };
        match look(Attempt::First) {
            Outcome::Decided(decided) => return decided,
            Outcome::Wait(wait) => wait.done().await,
        }
        match look(Attempt::AfterWait) {
            Outcome::Decided(decided) => decided,
            Outcome::Wait(_) => Err(Reason::IssuerUnavailable.into()),
        }
    }

    async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body,
        B::Error: Into<BoxError>,
    {
        if request.method() != Method::POST {
            return answer::wrong_method();
        }
        if !is_event_token(request.headers()) {
            let description = "Send a security event token as application/secevent+jwt.";
            return answer::unreadable(StatusCode::BAD_REQUEST, description);
        }
        let body = Limited::new(request.into_body(), MAX_BYTES).collect();
        let body = match tokio::time::timeout(DEADLINE, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                let description = "The token is longer than 64 KiB.";
                return answer::unreadable(StatusCode::PAYLOAD_TOO_LARGE, description);
            }
            Ok(Err(_)) | Err(_) => {
                let description = "The body did not come to its end.";
                return answer::unreadable(StatusCode::BAD_REQUEST, description);
            }
        };
        // What is no text is no token either.
        let token = std::str::from_utf8(&body).unwrap_or_default();
        match self.receive(token).await {
            Ok(()) => answer::accepted(),
            Err(rejection) => {
                let (reason, note) = (rejection.reason().code(), rejection.note());
                tracing::warn!(target: TARGET, reason, note, "a security event was refused");
                answer::refused(&rejection)
            }
        }
    }
}

/// What a token revokes, for the targets in `fuzz/`.
#[cfg(fuzzing)]
pub(crate) fn targets(
    token: &Verified,
    speaks_for: &[String],
    now: crate::clock::UnixTime,
) -> Result<Vec<crate::revocation::RevocationTarget>, Rejection> {
    let orders = event::orders(token, speaks_for, now)?;
    Ok(orders.into_iter().map(|order| order.target).collect())
}

/// Exactly one `Content-Type`, and nothing done to the body.
fn is_event_token(headers: &HeaderMap) -> bool {
    let Ok(Some(media_type)) = only_line(headers, &CONTENT_TYPE) else {
        return false;
    };
    let essence = media_type.as_bytes().split(|byte| *byte == b';').next();
    let essence = essence.unwrap_or_default().trim_ascii();
    essence.eq_ignore_ascii_case(b"application/secevent+jwt")
        && !headers.contains_key(CONTENT_ENCODING)
}

impl<B> Service<Request<B>> for SecurityEventReceiver
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let inner = self.0.clone();
        Box::pin(async move {
            // Clock, fetch and log are the user's and may panic (R15).
            let answered = AssertUnwindSafe(inner.answer(request)).catch_unwind();
            Ok(answered.await.unwrap_or_else(|_| answer::internal()))
        })
    }
}

impl fmt::Debug for SecurityEventReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transmitters: Vec<&str> = self.0.trust.issuers().map(|issuer| &*issuer.name).collect();
        f.debug_struct("SecurityEventReceiver")
            .field("transmitters", &transmitters)
            .finish_non_exhaustive()
    }
}
