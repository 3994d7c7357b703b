//! What clients notice of an issuer in trouble (requirements KEY, threats R), from outside.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::StatusCode;
use http_body_util::Empty;
use tokio::time::Instant;
use tower::{Layer, ServiceExt};
use tower_mcp_auth::clock::{Clock, UnixTime};
use tower_mcp_auth::testing::{Endpoint, Fault, TestIssuer};
use tower_mcp_auth::{
    Authenticator, Freshness, Issuer, McpAuthLayer, ProtectedResource, SigningAlgorithm,
};

use crate::support::{Answer, I, NOW, Probe, R, post};

pub const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Tokio's clock, which these tests pause: sleeping moves issuer, server and timers alike.
#[derive(Clone, Debug)]
pub struct TokioClock(pub Instant);

impl Clock for TokioClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(NOW).plus_secs(i64::try_from(self.0.elapsed().as_secs()).unwrap())
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

pub struct Server {
    pub issuer: TestIssuer,
    pub auth: Authenticator,
    pub probe: Probe,
}

fn issuer(url: &str, clock: &TokioClock) -> TestIssuer {
    TestIssuer::builder()
        .url(url)
        .clock(clock.clone())
        .algorithms([SigningAlgorithm::Es256])
        .in_process()
}

impl Server {
    pub fn new() -> Self {
        Self::with(|issuer| issuer)
    }

    fn with(trusted: impl FnOnce(Issuer) -> Issuer) -> Self {
        let clock = TokioClock(Instant::now());
        let issuer = issuer(I, &clock);
        let resource = ProtectedResource::new(R).issuer(trusted(Issuer::new(I)));
        let auth = Authenticator::builder(resource)
            .clock(clock)
            .fetch(issuer.fetch())
            .build()
            .unwrap();
        Self {
            issuer,
            auth,
            probe: Probe::default(),
        }
    }

    pub async fn warmed(self) -> Self {
        self.auth.warm_up(MINUTE).await.unwrap();
        self
    }

    pub async fn send(&self, request: http::request::Builder) -> Answer {
        let response = McpAuthLayer::new(self.auth.clone())
            .layer(self.probe.clone())
            .oneshot(request.body(Empty::<Bytes>::new()).unwrap());
        Answer::read(response.await.unwrap()).await
    }

    pub async fn bearer(&self, token: &str) -> Answer {
        self.send(post().header("authorization", format!("Bearer {token}")))
            .await
    }

    /// A request that is as good as can be.
    pub async fn valid(&self) -> Answer {
        self.bearer(&self.issuer.token(R).sign()).await
    }

    /// Sends good requests every second until one is let in; says how long that took. Everything
    /// before must be 503.
    async fn recovery(&self) -> Duration {
        let start = Instant::now();
        loop {
            let answer = self.valid().await;
            if answer.status == StatusCode::OK {
                return start.elapsed();
            }
            assert_unavailable(&answer);
            assert!(start.elapsed() < HOUR, "never recovered");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// E7: keep your token and come back.
#[track_caller]
pub fn assert_unavailable(answer: &Answer) {
    assert_eq!(
        answer.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "{:?}",
        answer.rejection
    );
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&seconds), "{seconds}");
    assert_eq!(answer.challenge(), "", "a 401 in disguise");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = answer.json();
    assert_eq!(body["error"], "temporarily_unavailable");
    assert_eq!(body["retry_after_seconds"], seconds);
    assert!(
        !body.to_string().contains("auth.example.com"),
        "our affairs stay ours"
    );
}

/// Every way an issuer's documents can be unusable for good.
fn faults() -> Vec<Fault> {
    vec![
        Fault::Refuse,
        Fault::Hang,
        Fault::Slow(MINUTE),
        Fault::Status(500),
        Fault::Status(404),
        Fault::RetryAfter(429, "20".into()),
        Fault::RetryAfter(503, "Fri, 31 Dec 9999 23:59:59 GMT".into()),
        Fault::RetryAfter(503, "99999999999999999999".into()),
        Fault::Html,
        Fault::Truncated,
        Fault::Cut,
        Fault::Drip(Duration::from_secs(1)),
        Fault::Huge(512 * 1024),
        Fault::Empty,
        Fault::Redirect("https://169.254.169.254/latest".into()),
        Fault::WrongType,
        Fault::Compressed,
    ]
}

fn places() -> [Endpoint; 2] {
    [Endpoint::Metadata, Endpoint::Jwks]
}

#[tokio::test(start_paused = true)]
async fn key_06_r01_an_issuer_down_at_start_is_503_and_then_comes_back() {
    let server = Server::new();
    server.issuer.fail_all(Fault::Refuse);
    assert!(server.auth.warm_up(MINUTE).await.is_err());
    for _ in 0..30 {
        assert_unavailable(&server.valid().await);
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    assert!(!server.auth.is_ready());
    assert_eq!(server.probe.calls(), 0);
    server.issuer.heal();
    assert!(server.recovery().await <= Duration::from_secs(31));
}

#[tokio::test(start_paused = true)]
async fn key_06_bad_tokens_are_401_and_other_issuers_work_meanwhile() {
    let clock = TokioClock(Instant::now());
    let down = issuer(I, &clock);
    let up = issuer("https://other.example.com", &clock);
    let resource = ProtectedResource::new(R)
        .issuer(Issuer::new(I))
        .issuer(Issuer::new("https://other.example.com"));
    let auth = Authenticator::builder(resource)
        .clock(clock)
        .fetch(down.fetch().and(up.fetch()))
        .build()
        .unwrap();
    down.fail_all(Fault::Hang);
    let server = Server {
        issuer: down,
        auth,
        probe: Probe::default(),
    };
    assert_unavailable(&server.valid().await);
    let start = Instant::now();
    assert_eq!(
        server.bearer(&up.token(R).sign()).await.status,
        StatusCode::OK
    );
    let expired = server.issuer.token(R).expires_in(-60).sign();
    assert_eq!(server.bearer(&expired).await.code(), "expired");
    let foreign = server
        .issuer
        .token(R)
        .claim("iss", "https://evil.test")
        .sign();
    assert_eq!(server.bearer(&foreign).await.code(), "unknown_issuer");
    assert_eq!(
        start.elapsed(),
        Duration::ZERO,
        "nobody waits for another's issuer"
    );
}

#[tokio::test(start_paused = true)]
async fn r05_every_fault_is_503_without_keys_and_unnoticed_with_them() {
    for fault in faults().into_iter().chain([Fault::WrongIssuer]) {
        for place in places() {
            if fault == Fault::WrongIssuer && place == Endpoint::Jwks {
                continue;
            }
            let cold = Server::new();
            cold.issuer.fail(place, fault.clone());
            let start = Instant::now();
            assert_unavailable(&cold.valid().await);
            assert!(
                start.elapsed() <= Duration::from_secs(2),
                "R3: {fault:?} {place:?}"
            );
            cold.issuer.heal();
            let recovery = cold.recovery().await;
            assert!(
                recovery <= Duration::from_secs(331),
                "{fault:?}: {recovery:?}"
            );

            let warm = Server::new().warmed().await;
            warm.issuer.fail(place, fault.clone());
            for _ in 0..60 {
                let start = Instant::now();
                let answer = warm.valid().await;
                assert_eq!(answer.status, StatusCode::OK, "{fault:?} {place:?}");
                assert!(
                    start.elapsed() <= Duration::from_secs(2),
                    "R3: {fault:?} {place:?}"
                );
                tokio::time::sleep(Duration::from_secs(20)).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r04_a_flapping_issuer_is_not_noticed() {
    let server = Server::new();
    server.issuer.fail_all(Fault::Alternate);
    server.recovery().await;
    for _ in 0..360 {
        let start = Instant::now();
        assert_eq!(server.valid().await.status, StatusCode::OK);
        assert_eq!(start.elapsed(), Duration::ZERO, "off the request path");
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn r02_a_day_of_outage_fails_no_valid_request_and_then_it_is_over() {
    let server = Server::new().warmed().await;
    server.issuer.fail_all(Fault::Refuse);
    let start = Instant::now();
    while start.elapsed() < 24 * HOUR {
        assert_eq!(
            server.valid().await.status,
            StatusCode::OK,
            "{:?}",
            start.elapsed()
        );
        tokio::time::sleep(MINUTE).await;
    }
    assert!(server.auth.is_ready());
    tokio::time::sleep_until(start + 24 * HOUR + 5 * MINUTE).await;
    assert_unavailable(&server.valid().await);
    assert!(!server.auth.is_ready());
    server.issuer.heal();
    assert!(server.recovery().await <= Duration::from_secs(31));
}

#[tokio::test(start_paused = true)]
async fn r02_without_a_stale_window_keys_end_with_their_lifetime() {
    let none = Freshness::default().stale(Duration::ZERO);
    let server = Server::with(|issuer| issuer.freshness(none)).warmed().await;
    server.issuer.fail_all(Fault::Status(500));
    tokio::time::sleep(Duration::from_secs(299)).await;
    assert_eq!(server.valid().await.status, StatusCode::OK);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_unavailable(&server.valid().await);
}

// also: G4
#[tokio::test(start_paused = true)]
async fn r13_r14_ten_thousand_cold_callers_are_one_fetch() {
    let server = Server::new();
    server
        .issuer
        .fail_all(Fault::Slow(Duration::from_millis(300)));
    let token = server.issuer.token(R).sign();
    let gone = (0..100).map(|_| Box::pin(server.bearer(&token)));
    for call in gone {
        let waited = tokio::time::timeout(Duration::from_millis(1), call).await;
        assert!(waited.is_err(), "was answered without keys");
    }
    let calls = (0..10_000).map(|_| server.bearer(&token));
    for answer in join_all(calls).await {
        assert_eq!(answer.status, StatusCode::OK);
    }
    assert_eq!(server.probe.calls(), 10_000);
    let hits = server.issuer.hits();
    assert_eq!((hits.metadata, hits.jwks), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn key_06_a_grpc_client_sees_unavailable() {
    let server = Server::new();
    server.issuer.fail_all(Fault::Status(503));
    let token = server.issuer.token(R).sign();
    let request = post()
        .header("content-type", "application/grpc+proto")
        .header("authorization", format!("Bearer {token}"));
    let answer = server.send(request).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), Some("application/grpc"));
    assert_eq!(answer.header("grpc-status"), Some("14"));
    assert!(answer.header("grpc-message").is_some());
    let pushback: u64 = answer
        .header("grpc-retry-pushback-ms")
        .unwrap()
        .parse()
        .unwrap();
    assert!((1000..=30_000).contains(&pushback));
    assert!(answer.body.is_empty());
    assert_eq!(answer.code(), "issuer_unavailable");
}
