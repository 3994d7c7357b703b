//! Requests that go away at every point where they can (G10).

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::poll;
use http::StatusCode;
use http_body::Frame;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt};
use tower_mcp_auth::api_token::NewToken;
use tower_mcp_auth::audit::AuditEvent;
use tower_mcp_auth::middleware::RequestBody;
use tower_mcp_auth::testing::MemoryAudit;
use tower_mcp_auth::{McpAuthLayer, ToolRules};

use super::quiet;
use super::site::{Kind, Mood, Part, Setup, Site};
use crate::streams_support::fed;
use crate::support::{World, post};
use crate::tokens_support::{TokenWorld, basic, issue};

/// More turns than any request takes.
const MOST: usize = 500;

pub fn is_long() -> bool {
    std::env::var_os("TOWER_MCP_AUTH_TEST_LONG").is_some_and(|long| long == "1")
}

/// Numbers that are the same in every run (Marsaglia's xorshift64*).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % most
    }
}

type Request = Pin<Box<dyn Future<Output = StatusCode>>>;

fn send(site: &Site, kind: Kind) -> Request {
    let service = McpAuthLayer::new(site.auth.clone()).layer(site.probe.clone());
    let answer = service.oneshot(site.good_request(kind));
    Box::pin(async move { answer.await.unwrap().status() })
}

fn abandoned(audit: &MemoryAudit) -> usize {
    let records = audit.take();
    let abandoned = |record: &&_| {
        let record: &tower_mcp_auth::audit::AuditRecord = record;
        record.event == AuditEvent::AuthAbandoned
    };
    records.iter().filter(abandoned).count()
}

/// Dropped after each number of turns it could have, cold, along the whole way: log, keys or record
/// or introspection, policy, directory, replay store. The next one finds everything as if nothing
/// had been, and nothing was asked for twice.
#[tokio::test(start_paused = true)]
async fn g10_r14_dropped_at_every_point_it_changes_nothing_for_others() {
    let mut points = 0;
    for bound in [false, true] {
        for kind in Kind::ALL {
            for turns in 0..MOST {
                let setup = Setup {
                    bound,
                    ..Setup::PLAIN
                };
                let site = Site::new(setup).await;
                // Making the tokens asked it.
                site.parts.store.take_calls();
                let mut request = send(&site, kind);
                let mut ended = None;
                for _ in 0..turns {
                    if let Poll::Ready(status) = poll!(&mut request) {
                        ended = Some(status);
                        break;
                    }
                    yield_now().await;
                }
                drop(request);
                let at = format!("{kind:?}, bound: {bound}, after {turns} turns");
                let left = usize::from(ended.is_none() && turns > 0);
                assert_eq!(abandoned(&site.audit.kept), left, "{at}");
                let start = Instant::now();
                assert_eq!(site.good(kind).await.status, StatusCode::OK, "{at}");
                assert_eq!(start.elapsed(), Duration::ZERO, "{at}: a wake-up was lost");
                assert_eq!(abandoned(&site.audit.kept), 0, "{at}");
                let hits = site.issuer.hits();
                let asked = [hits.metadata, hits.jwks, hits.introspect];
                assert!(asked.iter().all(|times| *times <= 1), "{at}: {asked:?}");
                let asked = [
                    &site.parts.store,
                    &site.parts.policies,
                    &site.parts.directory,
                ]
                .map(Part::take_calls);
                // What is known of tokens before the log was read once is read again after that.
                let most = [2, 1, 1];
                assert!(
                    asked.iter().zip(most).all(|(times, most)| *times <= most),
                    "{at}: {asked:?}"
                );
                points += left;
                if let Some(status) = ended {
                    assert_eq!(status, StatusCode::OK, "{at}");
                    break;
                }
                assert!(turns + 1 < MOST, "{at}: never ends");
            }
        }
    }
    println!("dropped at {points} points");
    assert!(points >= 32, "{points}");
}

/// The same while its body comes, a byte at a time.
#[tokio::test(start_paused = true)]
async fn g10_dropped_within_its_body_it_is_on_record_once() {
    const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list"}}"#;
    let audit = MemoryAudit::new();
    let rules = ToolRules::new().tool("list", ["read:issues"]);
    let world = World::cold().rebuilt(|builder| builder.tools(rules).audit(audit.clone()));
    let token = format!("Bearer {}", world.token().scope("read:issues").sign());
    for sent in 0..=CALL.len() {
        let (feed, body) = fed();
        let request = post().header("authorization", &token).body(body).unwrap();
        let inner = tower::service_fn(|request: http::Request<RequestBody<_>>| async {
            drop(request);
            Ok::<_, std::convert::Infallible>(http::Response::new(
                http_body_util::Empty::<Bytes>::new(),
            ))
        });
        let mut request = Box::pin(
            McpAuthLayer::new(world.auth.clone())
                .layer(inner)
                .oneshot(request),
        );
        for byte in CALL.as_bytes()[..sent].chunks(1) {
            feed.send(Frame::data(Bytes::copy_from_slice(byte)))
                .unwrap();
            assert!(poll!(&mut request).is_pending());
            yield_now().await;
        }
        assert!(poll!(&mut request).is_pending());
        drop(request);
        assert_eq!(abandoned(&audit), 1, "after {sent} bytes");
    }
    assert_eq!(world.issuer.hits().jwks, 1);
}

/// Places in the queue before a store (R19) come back: those under way, those that wait, and those
/// whose requests are gone.
#[tokio::test(start_paused = true)]
async fn g10_r19_whoever_goes_away_takes_no_place_along() {
    const PLACES: usize = 64 + 256;
    let world = TokenWorld::new().await;
    let mut tokens = Vec::new();
    for nth in 0..PLACES + 80 {
        let email = format!("p{nth}@acme.example");
        let token = issue(
            &world.tokens,
            NewToken::personal("acme", format!("p{nth}"), &email),
        )
        .await;
        tokens.push(basic(&email, &token));
    }
    for round in 0..3 {
        world.store.faults.set(crate::tokens_support::Mood::Hangs);
        let mut gone: Vec<_> = tokens
            .iter()
            .map(|token| Box::pin(world.present(token)))
            .collect();
        let mut answered = 0;
        for request in &mut gone {
            answered += usize::from(poll!(request).is_ready());
        }
        assert_eq!(
            answered, 80,
            "round {round}: beyond the bound it is 503 at once"
        );
        yield_now().await;
        drop(gone);
        // The reads under way end by their deadline.
        sleep(Duration::from_secs(4)).await;
        world.store.faults.set(crate::tokens_support::Mood::Well);
        world.clock.advance(Duration::from_secs(2));
        let all = join_all(tokens[..PLACES].iter().map(|token| world.present(token))).await;
        for answer in all {
            answer.assert_let_in();
        }
        world.auth.handle().flush();
    }
}

/// Requests of all kinds that begin, go on, wait and go away in any order, while a part fails or is
/// slow or nothing does: 10,000 that go away, a million with `TOWER_MCP_AUTH_TEST_LONG=1`. Then
/// everything is well, and everybody is let in.
#[tokio::test(start_paused = true)]
async fn g10_r14_r15_ten_thousand_cancellations_in_any_order() {
    quiet();
    let wanted = if is_long() { 1_000_000 } else { 10_000 };
    let first = std::env::var("TOWER_MCP_AUTH_TEST_SEED").ok();
    let first: u64 = first.map_or(1, |seed| seed.parse().unwrap());
    let (mut gone, mut seed) = (0, first);
    while gone < wanted {
        let bound = seed % 2 == 0;
        let site = Site::new(Setup {
            bound,
            ..Setup::PLAIN
        })
        .await;
        for nth in 0..250 {
            gone += schedule(&site, seed, nth == 0).await;
            seed += 1;
        }
        let minutes = usize::try_from(site.clock.elapsed().as_secs() / 60).unwrap();
        assert!(site.issuer.hits().jwks <= 1 + minutes);
    }
    println!(
        "{gone} cancellations in {} schedules, seeds from {first}",
        seed - first
    );
}

/// One schedule, perhaps the first of its site; how many requests went away in it.
async fn schedule(site: &Site, seed: u64, is_first: bool) -> usize {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let parts = &site.parts;
    if random.below(2) == 0 {
        site.auth.handle().flush();
    }
    let fails = random.below(2) == 0;
    if fails {
        let parts = [
            &parts.store,
            &parts.policies,
            &parts.directory,
            &parts.replays,
            &parts.fetch,
        ];
        let slow = Mood::Slow(Duration::from_millis(random.next() % 600));
        let moods = [Mood::Down, Mood::Panics, Mood::Hangs, slow];
        parts[random.below(parts.len())].set(moods[random.below(moods.len())]);
    }
    for part in [&parts.store, &parts.policies, &parts.directory] {
        part.take_calls();
    }
    let introspected = site.issuer.hits().introspect;
    let _before = site.audit.kept.take();
    let (mut requests, mut gone): (Vec<(Request, bool)>, usize) = (Vec::new(), 0);
    for _ in 0..30 {
        match random.below(8) {
            0..3 => requests.push((send(site, Kind::ALL[random.below(4)]), false)),
            3..6 if !requests.is_empty() => {
                let at = random.below(requests.len());
                requests[at].1 = true;
                if poll!(&mut requests[at].0).is_ready() {
                    drop(requests.swap_remove(at));
                }
            }
            6 if !requests.is_empty() => {
                gone += usize::from(requests.swap_remove(random.below(requests.len())).1);
            }
            _ if random.below(4) == 0 => sleep(Duration::from_millis(random.next() % 40)).await,
            _ => yield_now().await,
        }
    }
    gone += requests.drain(..).filter(|(_, begun)| *begun).count();
    assert_eq!(abandoned(&site.audit.kept), gone, "seed {seed}");
    if !fails {
        let asked = [&parts.policies, &parts.directory, &parts.store].map(Part::take_calls);
        // Two API tokens; what is known of them before the log was read once is read again after that.
        let records = if is_first { 4 } else { 2 };
        assert!(
            asked[0] <= 1 && asked[1] <= 4 && asked[2] <= records,
            "seed {seed}: {asked:?}"
        );
        assert!(
            site.issuer.hits().introspect <= introspected + 1,
            "seed {seed}"
        );
    }
    site.heal();
    if fails {
        // The longest deadline, which is that of a fetch of keys (5 s), and the longest pause after a failure
        // that is not the fifth.
        sleep(Duration::from_secs(8)).await;
    }
    for kind in Kind::ALL {
        let start = Instant::now();
        let answer = site.good(kind).await;
        assert_eq!(
            answer.status,
            StatusCode::OK,
            "seed {seed}: {kind:?} {}",
            answer.code()
        );
        assert!(
            start.elapsed() <= Duration::from_secs(2),
            "seed {seed}: {kind:?}"
        );
    }
    gone
}
