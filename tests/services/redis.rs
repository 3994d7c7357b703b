//! What processes tell each other through Redis, and what happens without it.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{FutureExt, poll};
use http::{Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_mcp_auth::backend::{RedisHints, RedisReplayStore};
use tower_mcp_auth::clock::{Clock, SystemClock, UnixTime};
use tower_mcp_auth::dpop::{Claim, Dpop, ProofId, ReplayStore};
use tower_mcp_auth::revocation::Hints;
use tower_mcp_auth::testing::{DpopKey, TestIssuer};
use tower_mcp_auth::{Authenticator, Issuer, McpAuthLayer, ProtectedResource};

use crate::support::{Private, Which, eventually, redis_url, unique};

const R: &str = "https://mcp.example.com/mcp";
const I: &str = "https://auth.example.com/t1";

/// How soon a store recovers by itself.
const RECOVERY: Duration = Duration::from_secs(5);

/// A hint comes at once, or within this on a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// How long a call may take: 250 ms, and what a machine adds that compiles something else. Far less than
/// an attempt to connect (2 s), which no call waits for.
const BOUND: Duration = Duration::from_secs(1);

fn proof(number: u8) -> ProofId {
    ProofId::from([number; 32])
}

fn in_seconds(seconds: i64) -> UnixTime {
    SystemClock::new().now().plus_secs(seconds)
}

fn store(prefix: &str) -> RedisReplayStore {
    RedisReplayStore::new(&redis_url())
        .unwrap()
        .key_prefix(prefix)
}

async fn raw() -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(redis_url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn dpop_09_of_many_claims_at_once_over_two_stores_one_is_first() {
    let prefix = unique("dpop");
    let (one, other) = (store(&prefix), store(&prefix));
    let until = in_seconds(60);
    for round in 0..20 {
        let claims = (0..16).map(|number| {
            let store = if number % 2 == 0 { &one } else { &other }.clone();
            tokio::spawn(async move { store.claim(proof(round), until).await.unwrap() })
        });
        let claims = join_all(claims).await;
        let firsts = claims
            .into_iter()
            .filter(|claim| *claim.as_ref().unwrap() == Claim::First);
        assert_eq!(firsts.count(), 1, "round {round}");
    }
    // Another server in the same Redis.
    let elsewhere = store(&unique("dpop"));
    let claim = elsewhere.claim(proof(0), until).await.unwrap();
    assert_eq!(claim, Claim::First);
}

#[tokio::test]
async fn dpop_09_a_claim_ends_at_its_time() {
    let prefix = unique("dpop");
    let store = store(&prefix);
    let until = in_seconds(300);
    assert_eq!(store.claim(proof(1), until).await.unwrap(), Claim::First);
    let key = format!("{prefix}:dpop:{}", "01".repeat(32));
    let ends: i64 = redis::cmd("EXPIRETIME")
        .arg(&key)
        .query_async(&mut raw().await)
        .await
        .unwrap();
    assert_eq!(ends, until.as_secs());
    // A time that has come keeps nothing, and is no mistake.
    for until in [
        in_seconds(-10),
        UnixTime::from_secs(0),
        UnixTime::from_secs(-5),
    ] {
        for _ in 0..2 {
            assert_eq!(store.claim(proof(2), until).await.unwrap(), Claim::First);
        }
    }
    let until = in_seconds(2);
    assert_eq!(store.claim(proof(3), until).await.unwrap(), Claim::First);
    assert_eq!(store.claim(proof(3), until).await.unwrap(), Claim::Again);
    let ended = async || match store.claim(proof(3), in_seconds(60)).await.unwrap() {
        Claim::First => Some(SystemClock::new().now()),
        Claim::Again => None,
    };
    let free = eventually("the claim ends", SOON, ended).await;
    assert!(free >= until, "{free:?} {until:?}");
}

/// A server with DPoP: one process of several.
struct Process {
    auth: Authenticator,
}

impl Process {
    async fn new(issuer: &TestIssuer, store: RedisReplayStore) -> Self {
        let resource = ProtectedResource::new(R).issuer(Issuer::new(I));
        let auth = Authenticator::builder(resource)
            .fetch(issuer.fetch())
            .dpop(Dpop::new().replay_store(store))
            .build()
            .unwrap();
        auth.warm_up(Duration::from_secs(5)).await.unwrap();
        Self { auth }
    }

    async fn send(&self, token: &str, proof: &str) -> (StatusCode, bool) {
        let request = Request::post("/mcp")
            .header("host", "mcp.example.com")
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", proof)
            .body(Empty::<Bytes>::new())
            .unwrap();
        let inner = service_fn(|_| async {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::new(Bytes::new())))
        });
        let service = McpAuthLayer::new(self.auth.clone()).layer(inner);
        let response = service.oneshot(request).await.unwrap();
        let later = response.headers().contains_key("retry-after");
        (response.status(), later)
    }
}

fn issuer() -> TestIssuer {
    TestIssuer::builder().url(I).in_process()
}

#[tokio::test]
async fn dpop_09_two_processes_take_a_proof_once_together() {
    let (issuer, key, prefix) = (issuer(), DpopKey::generate(), unique("dpop"));
    let one = Process::new(&issuer, store(&prefix)).await;
    let other = Process::new(&issuer, store(&prefix)).await;
    let token = issuer.token(R).dpop_key(&key).sign();
    let proof = key.proof("POST", R, &token).sign();
    assert_eq!(one.send(&token, &proof).await.0, StatusCode::OK);
    for process in [&other, &one] {
        let status = process.send(&token, &proof).await.0;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    let next = key.proof("POST", R, &token).sign();
    assert_eq!(other.send(&token, &next).await.0, StatusCode::OK);
}

#[tokio::test]
async fn dpop_09_a_frozen_redis_is_503_until_it_thaws() {
    let servers = Private::start();
    let store = RedisReplayStore::new(&servers.redis_url).unwrap();
    let (issuer, key) = (issuer(), DpopKey::generate());
    let process = Process::new(&issuer, store.clone()).await;
    let token = issuer.token(R).dpop_key(&key).sign();
    let send = async || {
        let proof = key.proof("POST", R, &token).sign();
        process.send(&token, &proof).await
    };
    assert_eq!(send().await.0, StatusCode::OK);
    servers.freeze(Which::Redis);
    // On the open connection, while another is being opened, and many at once.
    for round in 0..6 {
        let claims = (0..16).map(|number| {
            let store = store.clone();
            async move {
                let began = Instant::now();
                let claim = store.claim(proof(number), in_seconds(60)).await;
                (claim, began.elapsed())
            }
        });
        for (claim, took) in join_all(claims).await {
            let error = claim.unwrap_err();
            assert!(took < BOUND, "round {round}: {took:?} {}", error.report());
        }
        assert_eq!(send().await, (StatusCode::SERVICE_UNAVAILABLE, true));
    }
    servers.thaw(Which::Redis);
    let works = async || (send().await.0 == StatusCode::OK).then_some(());
    eventually("requests are let in again", RECOVERY, works).await;
}

#[tokio::test]
async fn dpop_09_a_redis_that_died_is_used_again_when_it_is_back() {
    let servers = Private::start();
    let store = RedisReplayStore::new(&servers.redis_url).unwrap();
    let until = in_seconds(600);
    assert_eq!(store.claim(proof(0), until).await.unwrap(), Claim::First);
    servers.kill(Which::Redis);
    for _ in 0..50 {
        let began = Instant::now();
        let error = store.claim(proof(0), until).await.unwrap_err();
        assert!(began.elapsed() < BOUND, "{}", error.report());
    }
    servers.restart(Which::Redis);
    let works = async || store.claim(proof(1), until).await.ok();
    let claim = eventually("claims work again", RECOVERY, works).await;
    assert_eq!(claim, Claim::First);
    // Restarted while nobody looked, as by a deployment: nobody hears of it.
    servers.restart(Which::Redis);
    let claim = store.claim(proof(2), until).await.unwrap();
    assert_eq!(claim, Claim::First);
}

#[tokio::test]
async fn a_store_that_was_never_reached_says_so_at_once_and_without_the_password() {
    // Nobody listens there: the port is one that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let store = RedisReplayStore::new(&format!("redis://mcp:hunter2@{address}/0")).unwrap();
    for _ in 0..3 {
        let error = store.claim(proof(0), in_seconds(60)).await.unwrap_err();
        assert!(
            error.report().contains(&address.to_string()),
            "{}",
            error.report()
        );
        let shown = format!("{} {error:?} {store:?}", error.report());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    // A server that is there and refuses the password.
    let wrong = redis_url().replace("redis://", "redis://mcp:hunter2@");
    let store = RedisReplayStore::new(&wrong).unwrap();
    let error = store.claim(proof(0), in_seconds(60)).await.unwrap_err();
    let shown = format!("{} {error:?}", error.report());
    assert!(!shown.contains("hunter2"), "{shown}");
}

/// The server there speaks no TLS. Enough to see that TLS has its cryptography, whatever the build.
#[tokio::test]
async fn tls_is_spoken_where_the_url_says_so() {
    let url = redis_url().replace("redis://", "rediss://");
    let store = RedisReplayStore::new(&url).unwrap();
    let error = store.claim(proof(0), in_seconds(60)).await.unwrap_err();
    let report = error.report();
    assert!(!report.contains("given up"), "it panicked: {report}");
    assert!(rustls_chose(), "{report}");
}

fn rustls_chose() -> bool {
    rustls::crypto::CryptoProvider::get_default().is_some()
}

fn hints(url: &str, channel: &str) -> RedisHints {
    RedisHints::new(url).unwrap().channel(channel)
}

/// Listens, and has told of its new connection.
async fn listening(url: &str, channel: &str) -> RedisHints {
    let hints = hints(url, channel);
    heard(&hints).await;
    hints
}

#[track_caller]
fn assert_silent(hints: &RedisHints) {
    assert!(
        hints.received().now_or_never().is_none(),
        "nothing was sent"
    );
}

async fn heard(hints: &RedisHints) {
    tokio::time::timeout(SOON, hints.received())
        .await
        .expect("a hint");
}

#[tokio::test]
async fn r22_a_hint_is_heard_by_every_process() {
    let (url, channel) = (redis_url(), unique("hints"));
    let (one, other) = (
        listening(&url, &channel).await,
        listening(&url, &channel).await,
    );
    let clone = one.clone();
    let elsewhere = listening(&url, &unique("hints")).await;
    assert_silent(&one);
    let sender = hints(&url, &channel);
    for _ in 0..3 {
        sender.send().await.unwrap();
        for listener in [&one, &other, &clone] {
            heard(listener).await;
            assert_silent(listener);
        }
    }
    // Their own as well, and two that wait on one value are both told.
    let (mut first, mut second) = (Box::pin(one.received()), Box::pin(one.received()));
    assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
    one.send().await.unwrap();
    tokio::time::timeout(SOON, futures_util::future::join(first, second))
        .await
        .expect("both");
    assert_silent(&elsewhere);
}

#[tokio::test]
async fn r22_a_hint_is_not_lost_on_who_stopped_waiting() {
    let (url, channel) = (redis_url(), unique("hints"));
    let (one, witness) = (
        listening(&url, &channel).await,
        listening(&url, &channel).await,
    );
    {
        let mut waits = Box::pin(one.received());
        assert!(poll!(&mut waits).is_pending());
        one.send().await.unwrap();
        heard(&witness).await;
        // `waits` was perhaps woken, and is dropped before it was asked.
    }
    heard(&one).await;
}

#[tokio::test]
async fn r22_a_lost_connection_counts_as_a_hint_and_is_opened_again() {
    let servers = Private::start();
    let (url, channel) = (servers.redis_url.clone(), unique("hints"));
    let listener = listening(&url, &channel).await;
    let client = redis::Client::open(url.as_str()).unwrap();
    let mut admin = client.get_multiplexed_async_connection().await.unwrap();
    let killed: usize = redis::cmd("CLIENT")
        .arg(&["KILL", "TYPE", "pubsub"])
        .query_async(&mut admin)
        .await
        .unwrap();
    assert_eq!(killed, 1);
    heard(&listener).await;
    let sender = hints(&url, &channel);
    sender.send().await.unwrap();
    heard(&listener).await;
    assert_silent(&listener);

    servers.kill(Which::Redis);
    assert!(sender.send().await.is_err());
    assert_silent(&listener);
    servers.restart(Which::Redis);
    heard(&listener).await;
    let sent = async || sender.send().await.ok();
    eventually("hints are sent again", RECOVERY, sent).await;
    heard(&listener).await;
}

/// Frozen, Redis neither takes hints nor closes anything; nobody waits for it.
#[tokio::test]
async fn r22_hints_to_a_frozen_redis_fail_soon() {
    let servers = Private::start();
    let channel = unique("hints");
    let (listener, sender) = (
        listening(&servers.redis_url, &channel).await,
        hints(&servers.redis_url, &channel),
    );
    sender.send().await.unwrap();
    heard(&listener).await;
    servers.freeze(Which::Redis);
    for _ in 0..3 {
        let began = Instant::now();
        assert!(sender.send().await.is_err());
        assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    }
    assert_silent(&listener);
    servers.thaw(Which::Redis);
    let sent = async || sender.send().await.ok();
    eventually("hints are sent again", RECOVERY, sent).await;
    heard(&listener).await;
}

#[tokio::test]
async fn a_listener_ends_with_its_last_clone() {
    let (url, channel) = (redis_url(), unique("hints"));
    let listener = listening(&url, &channel).await;
    let clone = listener.clone();
    let mut admin = raw().await;
    let mut listeners = async || {
        let answer: (String, usize) = redis::cmd("PUBSUB")
            .arg(&["NUMSUB", &channel])
            .query_async(&mut admin)
            .await
            .unwrap();
        answer.1
    };
    drop(listener);
    assert_eq!(listeners().await, 1);
    drop(clone);
    let none = async || (listeners().await == 0).then_some(());
    eventually("the listener is gone", SOON, none).await;
}
