//! One issuer, one clock, one protected probe: the fixture of every test in this binary.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use serde_json::Value;
use tower::{Layer, Service, ServiceExt};
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::testing::{ManualClock, TestIssuer, TokenBuilder};
use tower_mcp_auth::{
    AuthContext, Authenticator, Issuer, McpAuthLayer, ProtectedResource, SigningAlgorithm,
};

/// The resource, its metadata URL and its issuer, as in the fixture of requirements.
pub const R: &str = "https://mcp.example.com/mcp";
pub const P: &str = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";
pub const I: &str = "https://auth.example.com/t1";

/// When every test begins, in seconds since the epoch.
pub const NOW: i64 = 1_800_000_000;

/// A protected probe with its issuer.
pub struct World {
    pub issuer: TestIssuer,
    pub clock: ManualClock,
    pub auth: Authenticator,
    pub probe: Probe,
}

impl World {
    /// Issuer `I` with one ES256 key, keys not fetched yet.
    pub fn cold() -> Self {
        Self::custom(|resource| resource, |issuer| issuer)
    }

    /// The same, keys at hand.
    pub async fn warm() -> Self {
        Self::cold().warmed().await
    }

    pub fn custom(
        resource: impl FnOnce(ProtectedResource) -> ProtectedResource,
        trusted: impl FnOnce(Issuer) -> Issuer,
    ) -> Self {
        Self::with_algorithms([SigningAlgorithm::Es256], resource, trusted)
    }

    pub fn with_algorithms(
        algorithms: impl IntoIterator<Item = SigningAlgorithm>,
        resource: impl FnOnce(ProtectedResource) -> ProtectedResource,
        trusted: impl FnOnce(Issuer) -> Issuer,
    ) -> Self {
        let clock = ManualClock::at(NOW);
        let issuer = TestIssuer::builder()
            .url(I)
            .clock(clock.clone())
            .algorithms(algorithms)
            .in_process();
        let resource = resource(described(trusted(Issuer::new(I))));
        let auth = Authenticator::builder(resource)
            .clock(clock.clone())
            .fetch(issuer.fetch())
            .build()
            .unwrap();
        Self {
            issuer,
            clock,
            auth,
            probe: Probe::default(),
        }
    }

    /// The same issuer and clock, another authenticator.
    pub fn rebuilt(
        mut self,
        configure: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder,
    ) -> Self {
        let builder = Authenticator::builder(described(Issuer::new(I)))
            .clock(self.clock.clone())
            .fetch(self.issuer.fetch());
        self.auth = configure(builder).build().unwrap();
        self
    }

    pub async fn warmed(self) -> Self {
        self.auth.warm_up(Duration::from_secs(5)).await.unwrap();
        self
    }

    /// A perfect token for `R`, to be broken.
    pub fn token(&self) -> TokenBuilder {
        self.issuer.token(R)
    }

    pub fn service(
        &self,
    ) -> impl Service<
        Request<Empty<Bytes>>,
        Response = Response<tower_mcp_auth::middleware::ResponseBody<Full<Bytes>>>,
        Error = Infallible,
    > + Clone {
        McpAuthLayer::new(self.auth.clone()).layer(self.probe.clone())
    }

    pub async fn send(&self, request: http::request::Builder) -> Answer {
        let response = self
            .service()
            .oneshot(request.body(Empty::new()).unwrap())
            .await
            .unwrap();
        Answer::read(response).await
    }

    /// Sends a POST with this `Authorization` value.
    pub async fn present(&self, authorization: impl AsRef<[u8]>) -> Answer {
        let value = http::HeaderValue::from_bytes(authorization.as_ref()).unwrap();
        self.send(post().header("authorization", value)).await
    }

    pub async fn bearer(&self, token: &str) -> Answer {
        self.present(format!("Bearer {token}")).await
    }
}

/// The resource of every test, trusting this issuer.
pub fn described(issuer: Issuer) -> ProtectedResource {
    ProtectedResource::new(R)
        .issuer(issuer)
        .baseline_scopes(["read:issues"])
}

/// A POST to the resource as a client sends it.
pub fn post() -> http::request::Builder {
    Request::post("/mcp").header("host", "mcp.example.com")
}

/// What came back, body read.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// What the layer recorded for outer layers.
    pub rejection: Option<tower_mcp_auth::Rejection>,
}

impl Answer {
    pub async fn read<B>(response: Response<B>) -> Self
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: std::fmt::Debug,
    {
        let (parts, body) = response.into_parts();
        Self {
            status: parts.status,
            rejection: parts.extensions.get::<tower_mcp_auth::Rejection>().cloned(),
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?} {:?}", self.status, self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let lines: Vec<_> = self.headers.get_all(name).iter().collect();
        assert!(lines.len() <= 1, "{name} stands {} times", lines.len());
        lines.first().map(|line| line.to_str().unwrap())
    }

    pub fn challenge(&self) -> &str {
        self.header("www-authenticate").unwrap_or("")
    }

    pub fn code(&self) -> &'static str {
        self.rejection
            .as_ref()
            .map_or("", |rejection| rejection.reason().code())
    }

    /// The code as the client reads it; [`code`](Self::code) does not travel over a socket.
    pub fn code_in_body(&self) -> String {
        self.json()["error"].as_str().unwrap().to_owned()
    }

    /// Refused as a bad token, for exactly this reason, without calling the inner service.
    #[track_caller]
    pub fn assert_invalid_token(&self, reason: &str) {
        assert_eq!(self.code(), reason, "{:?} {:?}", self.status, self.body);
        assert_eq!(self.status, StatusCode::UNAUTHORIZED);
        assert_eq!(self.json()["error"], "invalid_token");
        assert!(
            self.challenge()
                .starts_with("Bearer error=\"invalid_token\""),
            "{}",
            self.challenge()
        );
        assert!(
            self.challenge()
                .contains(&format!("resource_metadata=\"{P}\""))
        );
    }

    #[track_caller]
    pub fn assert_let_in(&self) {
        assert_eq!(
            self.status,
            StatusCode::OK,
            "{} {:?}",
            self.code(),
            self.body
        );
    }
}

/// The inner service: says who called, counts calls and clones, and panics when called unready.
#[derive(Debug, Default)]
pub struct Probe {
    pub seen: Arc<Seen>,
    ready: bool,
}

#[derive(Debug, Default)]
pub struct Seen {
    pub calls: AtomicUsize,
    pub clones: AtomicUsize,
    pub credential_forwarded: AtomicBool,
    pub sensitive: AtomicBool,
}

impl Probe {
    pub fn calls(&self) -> usize {
        self.seen.calls.load(Ordering::SeqCst)
    }

    pub fn clones(&self) -> usize {
        self.seen.clones.load(Ordering::SeqCst)
    }
}

impl Clone for Probe {
    fn clone(&self) -> Self {
        self.seen.clones.fetch_add(1, Ordering::SeqCst);
        // Readiness belongs to one value and is not inherited (tower-service's contract).
        Self {
            seen: self.seen.clone(),
            ready: false,
        }
    }
}

impl<B> Service<Request<B>> for Probe {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        assert!(
            std::mem::take(&mut self.ready),
            "called without having been polled ready"
        );
        self.seen.calls.fetch_add(1, Ordering::SeqCst);
        if let Some(value) = request.headers().get_all("authorization").iter().next() {
            self.seen.credential_forwarded.store(true, Ordering::SeqCst);
            self.seen
                .sensitive
                .store(value.is_sensitive(), Ordering::SeqCst);
        }
        let auth = request
            .extensions()
            .get::<AuthContext>()
            .expect("an AuthContext");
        let principal = auth.principal();
        let said = serde_json::json!({
            "subject": principal.subject().as_str(),
            "issuer": principal.issuer(),
            "kind": format!("{:?}", principal.kind()),
            "client": principal.client().map(tower_mcp_auth::ident::ClientId::as_str),
            "organization": auth.organization().as_str(),
            "tenant": principal.tenant().map(tower_mcp_auth::ident::TenantId::as_str),
            "scopes": auth.scopes().to_string(),
            "roles": principal.roles().collect::<Vec<_>>(),
            "groups": principal.groups().collect::<Vec<_>>(),
            "entitlements": principal.entitlements().collect::<Vec<_>>(),
            "method": auth.method().name(),
            "key": auth.key().as_str(),
        });
        ready(Ok(Response::new(Full::from(said.to_string()))))
    }
}
