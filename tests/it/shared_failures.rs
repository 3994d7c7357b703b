//! Processes that add up their failures (EDGE-6, T28, T29, R21), in paused time.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};
use tower_mcp_auth::BackendError;
use tower_mcp_auth::api_token::NewToken;
use tower_mcp_auth::throttle::{Bucket, Failures, SharedFailures, ThrottleSettings};
use tracing::Level;

use crate::outage::{MINUTE, TokioClock};
use crate::tokens_support::{
    ADA, Faults, Mood, OUTAGES, TokenWorld, basic, bearer, from, stranger,
};

const ATTACKER: &str = "203.0.113.66";
const VICTIM: &str = "198.51.100.7";
const BAD: &str = "Basic %%%";

/// By when everything was told and heard: two exchanges, and the longest they take.
const TOLD: Duration = Duration::from_millis(3100);

/// What was told, call by call.
type Calls = Vec<(u64, Vec<Failures>)>;

/// A store that can fail. Clones share it.
#[derive(Clone, Default)]
struct Store {
    sums: Arc<Mutex<BTreeMap<(u64, Bucket), u32>>>,
    calls: Arc<Mutex<Calls>>,
    /// Answered for every bucket, whatever was told.
    lie: Arc<Mutex<Option<u32>>>,
    faults: Faults,
}

impl SharedFailures for Store {
    async fn exchange(
        &self,
        minute: u64,
        failures: Vec<Failures>,
    ) -> Result<Vec<Failures>, BackendError> {
        self.calls.lock().unwrap().push((minute, failures.clone()));
        self.faults.meet().await?;
        let mut sums = self.sums.lock().unwrap();
        for Failures { bucket, count } in failures {
            *sums.entry((minute, bucket)).or_default() += count;
        }
        let lie = *self.lie.lock().unwrap();
        let known = sums.iter().filter(|((of, _), _)| *of == minute);
        Ok(known
            .map(|((_, bucket), count)| Failures {
                bucket: *bucket,
                count: lie.unwrap_or(*count),
            })
            .collect())
    }
}

impl Store {
    fn calls(&self) -> Calls {
        self.calls.lock().unwrap().clone()
    }

    /// How many failures it was told of, over all buckets.
    fn told(&self) -> u32 {
        let calls = self.calls();
        let failures = calls.iter().flat_map(|(_, failures)| failures);
        failures.map(|failures| failures.count).sum()
    }

    /// One of the processes that use it, at the time of Tokio.
    async fn process(&self) -> TokenWorld {
        self.process_with(ThrottleSettings::new(), TokioClock(Instant::now()))
            .await
    }

    async fn process_with(&self, settings: ThrottleSettings, clock: TokioClock) -> TokenWorld {
        TokenWorld::with(|builder, _| {
            builder
                .clock(clock)
                .throttle(settings)
                .shared_failures(self.clone())
        })
        .await
    }
}

/// Fails that often, or panics if it may not.
async fn fail(world: &TokenWorld, address: &str, times: u32) {
    for _ in 0..times {
        let answer = world.present_from(address, BAD).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
}

#[track_caller]
fn assert_throttled(answer: &crate::support::Answer) {
    assert_eq!(answer.code(), "too_many_failures", "{:?}", answer.status);
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
}

#[tokio::test(start_paused = true)]
async fn edge_06_failures_at_another_process_count_here() {
    let store = Store::default();
    let (here, there) = (store.process().await, store.process().await);
    fail(&there, ATTACKER, 20).await;
    sleep(TOLD).await;
    // Others' failures alone refuse nobody; the first one here brings them in.
    fail(&here, ATTACKER, 1).await;
    sleep(TOLD).await;
    assert_throttled(&here.present_from(ATTACKER, BAD).await);
    // Once they are known here, they count at once.
    fail(&there, VICTIM, 20).await;
    sleep(TOLD).await;
    fail(&here, VICTIM, 1).await;
    assert_throttled(&here.present_from(VICTIM, BAD).await);
    fail(&here, "198.51.100.8", 20).await;
}

#[tokio::test(start_paused = true)]
async fn edge_06_failures_with_one_token_at_another_process_count_here() {
    let store = Store::default();
    let (here, there) = (store.process().await, store.process().await);
    let guess = stranger(NewToken::personal("acme", "ada", ADA)).await;
    for world in [&there, &there, &there, &here, &here] {
        let answer = world.present_from(ATTACKER, basic(ADA, &guess)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    sleep(TOLD).await;
    let answer = here.present_from(ATTACKER, basic(ADA, &guess)).await;
    assert_throttled(&answer);
    assert_eq!(answer.json()["limit"], "failed_credentials_per_token");
    // With another token it still may, from there.
    let good = basic(ADA, &here.acme_user);
    here.present_from(ATTACKER, good).await.assert_let_in();
}

#[tokio::test(start_paused = true)]
async fn t28_who_fails_everywhere_gets_about_one_limit() {
    let store = Store::default();
    let mut fleet = Vec::new();
    for _ in 0..8 {
        fleet.push(store.process().await);
    }
    let mut failures = [0_u32; 10];
    for failures in &mut failures {
        for _ in 0..60 {
            for world in &fleet {
                let answer = world.present_from(ATTACKER, BAD).await;
                if answer.status == StatusCode::UNAUTHORIZED {
                    *failures += 1;
                }
            }
            sleep(Duration::from_secs(1)).await;
        }
    }
    // Of one process it is 40 in the first minute, and then 20 each.
    let [first, later @ ..] = failures;
    assert!((20..60).contains(&first), "{failures:?}");
    assert!(later.iter().sum::<u32>() <= 9 * 25, "{failures:?}");
    assert!(later.iter().sum::<u32>() >= 9 * 10, "{failures:?}");
}

#[tokio::test(start_paused = true)]
async fn t29_a_good_credential_is_never_slowed_by_others() {
    let store = Store::default();
    let (here, there) = (store.process().await, store.process().await);
    let good = basic(ADA, &here.acme_user);
    let wrong = basic("eve@acme.example", &here.acme_user);
    for _ in 0..60 {
        for world in [&here, &there] {
            world.present_from(ATTACKER, BAD).await;
            world.present_from(ATTACKER, &wrong).await;
        }
        here.present_from(VICTIM, &good).await.assert_let_in();
        sleep(Duration::from_secs(1)).await;
    }
    assert_throttled(&here.present_from(ATTACKER, &good).await);
    let told: Vec<_> = store
        .calls()
        .into_iter()
        .flat_map(|(_, told)| told)
        .collect();
    let mut buckets: Vec<_> = told.iter().map(|failures| failures.bucket).collect();
    buckets.sort();
    buckets.dedup();
    // The attacker's address, and the tokens it tried from there; nothing of the victim.
    assert_eq!(buckets.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn t29_a_store_that_lies_slows_nobody_who_does_not_fail() {
    let store = Store::default();
    let (here, there) = (store.process().await, store.process().await);
    *store.lie.lock().unwrap() = Some(u32::MAX);
    let good = basic(ADA, &here.acme_user);
    // That the victim failed is a lie; that the attacker did, is not.
    fail(&there, VICTIM, 1).await;
    fail(&here, ATTACKER, 1).await;
    for _ in 0..30 {
        sleep(Duration::from_secs(1)).await;
        here.present_from(VICTIM, &good).await.assert_let_in();
        here.present_from(VICTIM, bearer(&here.acme_key))
            .await
            .assert_let_in();
    }
    // Even then it is over after a minute without news.
    fail(&here, VICTIM, 1).await;
    assert_throttled(&here.present_from(VICTIM, &good).await);
    *store.lie.lock().unwrap() = Some(0);
    sleep(2 * MINUTE).await;
    here.present_from(VICTIM, &good).await.assert_let_in();
}

#[tokio::test(start_paused = true)]
async fn t29_clients_whose_address_is_not_known_are_not_thrown_together() {
    let store = Store::default();
    let (here, there) = (store.process().await, store.process().await);
    for _ in 0..30 {
        there.present(BAD).await;
        here.present(BAD).await;
        sleep(TOLD).await;
    }
    assert_eq!(store.calls(), []);
    assert_eq!(here.present(BAD).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test(start_paused = true)]
async fn r21_a_store_that_fails_hangs_or_panics_changes_nothing() {
    for mood in OUTAGES {
        let store = Store::default();
        let (here, there) = (store.process().await, store.process().await);
        let log = Log::default();
        let subscriber = tracing::subscriber::set_default(log.clone());
        store.faults.set(mood);
        let start = Instant::now();
        fail(&there, ATTACKER, 20).await;
        fail(&here, ATTACKER, 20).await;
        assert_throttled(&here.present_from(ATTACKER, BAD).await);
        assert_eq!(start.elapsed(), Duration::ZERO, "{mood:?}: somebody waited");
        sleep(10 * TOLD).await;
        fail(&here, ATTACKER, 10).await;
        let good = basic(ADA, &here.acme_user);
        here.present_from(VICTIM, &good).await.assert_let_in();
        assert_eq!(log.count(Level::WARN), 2, "{mood:?}: once in each process");
        assert_eq!(log.count(Level::INFO), 0);

        store.faults.set(Mood::Well);
        sleep(TOLD).await;
        assert_eq!(log.count(Level::INFO), 2, "{mood:?}");
        fail(&there, VICTIM, 18).await;
        fail(&here, VICTIM, 5).await;
        sleep(TOLD).await;
        assert_throttled(&here.present_from(VICTIM, BAD).await);
        assert_eq!(log.count(Level::WARN), 2);
        drop(subscriber);
    }
}

#[tokio::test(start_paused = true)]
async fn edge_06_nothing_is_told_twice_and_a_process_is_not_charged_for_itself() {
    let store = Store::default();
    let here = store.process().await;
    for told in 1..=19 {
        fail(&here, ATTACKER, 1).await;
        assert_eq!(store.told(), told - 1);
        tokio::task::yield_now().await;
        sleep(Duration::from_millis(100)).await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(store.told(), told);
    }
    sleep(Duration::from_secs(5)).await;
    assert_eq!(store.told(), 19);
    // 24 s have forgiven 8 of them.
    fail(&here, ATTACKER, 9).await;
}

#[tokio::test(start_paused = true)]
async fn r21_what_may_have_arrived_is_not_told_again() {
    let store = Store::default();
    let here = store.process().await;
    store.faults.set(Mood::Down);
    fail(&here, ATTACKER, 5).await;
    sleep(10 * TOLD).await;
    store.faults.set(Mood::Well);
    sleep(TOLD).await;
    assert_eq!(store.told(), 5);
    assert!(store.sums.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn edge_06_what_is_told_at_the_end_of_a_minute_is_heard_in_the_next() {
    let store = Store::default();
    let clock = TokioClock(Instant::now());
    let mut fleet = Vec::new();
    for _ in 0..2 {
        let settings = ThrottleSettings::new();
        fleet.push(store.process_with(settings, clock.clone()).await);
    }
    let [here, there] = fleet.as_slice() else {
        unreachable!()
    };
    sleep(Duration::from_secs(50)).await;
    fail(here, ATTACKER, 1).await;
    sleep(Duration::from_millis(9_500)).await;
    // Told in the last half second, when `here` has asked for the last time.
    fail(there, ATTACKER, 20).await;
    sleep(Duration::from_millis(1_500)).await;
    assert_throttled(&here.present_from(ATTACKER, BAD).await);
    // The new minute begins with nothing: nobody is charged for the old one again.
    sleep(2 * MINUTE).await;
    fail(here, ATTACKER, 20).await;
}

#[tokio::test(start_paused = true)]
async fn edge_06_nothing_runs_without_failures_and_nothing_after_the_authenticator() {
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let store = Store::default();
    let here = store.process().await;
    let good = basic(ADA, &here.acme_user);
    here.present_from(VICTIM, &good).await.assert_let_in();
    sleep(MINUTE).await;
    let before = tasks();
    for _ in 0..100 {
        here.present_from(VICTIM, &good).await.assert_let_in();
        here.present_from(ATTACKER, "Bearer e.e.e").await;
    }
    sleep(5 * MINUTE).await;
    assert_eq!((tasks(), store.calls().len()), (before, 0));

    fail(&here, ATTACKER, 3).await;
    assert_eq!(tasks(), before + 1);
    sleep(3 * MINUTE).await;
    let asked = store.calls().len();
    assert!((60..=130).contains(&asked), "{asked}");
    // Asleep, and woken by the next failure at once.
    sleep(10 * MINUTE).await;
    assert_eq!(store.calls().len(), asked);
    fail(&here, ATTACKER, 1).await;
    sleep(Duration::from_millis(10)).await;
    assert_eq!(store.calls().len(), asked + 1);
    assert_eq!(tasks(), before + 1);

    drop(here);
    sleep(Duration::from_millis(10)).await;
    assert!(tasks() <= before);
    sleep(5 * MINUTE).await;
    assert_eq!(store.calls().len(), asked + 1);
}

#[tokio::test(start_paused = true)]
async fn t28_a_flood_of_addresses_is_told_in_parts_and_up_to_a_bound() {
    let store = Store::default();
    let settings = ThrottleSettings::new().no_limit_per_credential();
    let here = store
        .process_with(settings, TokioClock(Instant::now()))
        .await;
    store.faults.set(Mood::Down);
    fail(&here, ATTACKER, 2).await;
    for host in 0..12_000_u32 {
        let address = Ipv4Addr::from_bits(0x0a00_0000 + host).to_string();
        // Every tenth fails twice.
        let times = if host % 10 == 0 { 2 } else { 1 };
        for _ in 0..times {
            let request = from(&address).header("authorization", BAD);
            let (parts, ()) = request.body(()).unwrap().into_parts();
            assert!(here.auth.authenticate(&parts).await.is_err());
        }
    }
    sleep(Duration::from_secs(15)).await;
    let calls = store.calls();
    let sizes: Vec<_> = calls.iter().map(|(_, told)| told.len()).collect();
    assert!(sizes.iter().all(|size| *size <= 1000), "{sizes:?}");
    assert_eq!(sizes.iter().sum::<usize>(), 10_000, "{sizes:?}");
    assert!(calls[0].1.iter().all(|failures| failures.count == 2));
    // It goes on with everybody it knows.
    store.faults.set(Mood::Well);
    fail(&here, ATTACKER, 10).await;
    sleep(TOLD).await;
    assert_eq!(store.sums.lock().unwrap().values().sum::<u32>(), 10);
}

#[test]
fn edge_06_without_a_runtime_the_limits_of_this_process_go_on() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let store = Store::default();
    let world = runtime.block_on(TokenWorld::with(|builder, _| {
        builder.shared_failures(store.clone())
    }));
    drop(runtime);
    for _ in 0..20 {
        let answer = futures_util::FutureExt::now_or_never(world.present_from(ATTACKER, BAD));
        assert_eq!(answer.unwrap().status, StatusCode::UNAUTHORIZED);
    }
    let answer = futures_util::FutureExt::now_or_never(world.present_from(ATTACKER, BAD));
    assert_throttled(&answer.unwrap());
    assert_eq!(store.calls(), []);
}

/// Counts what the throttle logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Level>>>);

impl Log {
    fn count(&self, level: Level) -> usize {
        let levels = self.0.lock().unwrap();
        levels.iter().filter(|logged| **logged == level).count()
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "tower_mcp_auth::throttle"
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        self.0.lock().unwrap().push(*event.metadata().level());
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
