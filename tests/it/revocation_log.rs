//! Several processes with one log of revocations (R22, R23), in paused time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tower_mcp_auth::api_token::{ApiTokens, IssuedToken, MemoryStore, NewToken, Peppers};
use tower_mcp_auth::clock::UnixTime;
use tower_mcp_auth::policy::{MemoryPolicyStore, OrganizationPolicy};
use tower_mcp_auth::revocation::{
    MemoryRevocationLog, RevocationEntry, RevocationLog, RevocationTarget,
};
use tower_mcp_auth::testing::{MemoryAudit, TestIssuer};
use tower_mcp_auth::{Authenticator, BackendError, Issuer, SigningAlgorithm};

use crate::outage::TokioClock;
use crate::support::{I, NOW, R, described, post};
use crate::tokens_support::{ADA, Faults, Mood, OUTAGES, basic, issue, organization};

const SECOND: Duration = Duration::from_secs(1);

/// The longest two processes disagree: a pause of two seconds and a fifth, and the spacing.
const POLL: Duration = Duration::from_millis(2500);

/// A log that can fail, and hide or lose what it has. Clones share it.
#[derive(Clone, Default)]
struct Log {
    inner: Arc<Mutex<MemoryRevocationLog>>,
    appends: Faults,
    reads: Faults,
    /// The number of an entry that cannot be seen yet.
    hidden: Arc<AtomicU64>,
}

impl Log {
    fn inner(&self) -> MemoryRevocationLog {
        self.inner.lock().unwrap().clone()
    }

    async fn put(&self, target: RevocationTarget, at: i64) {
        let entry = RevocationEntry::new(&target, UnixTime::from_secs(at));
        self.inner().append(entry).await.unwrap();
    }

    async fn len(&self) -> usize {
        self.inner().read_since(0, usize::MAX).await.unwrap().len()
    }
}

impl RevocationLog for Log {
    async fn append(&self, entry: RevocationEntry) -> Result<u64, BackendError> {
        self.appends.meet().await?;
        self.inner().append(entry).await
    }

    async fn read_since(
        &self,
        sequence: u64,
        limit: usize,
    ) -> Result<Vec<(u64, RevocationEntry)>, BackendError> {
        self.reads.meet().await?;
        let mut page = self.inner().read_since(sequence, limit).await?;
        let hidden = self.hidden.load(Ordering::SeqCst);
        page.retain(|(number, _)| *number != hidden);
        Ok(page)
    }
}

/// One issuer, one store and one log for any number of processes.
struct Site {
    issuer: TestIssuer,
    clock: TokioClock,
    tokens: ApiTokens,
    ada: IssuedToken,
    log: Log,
}

/// One of the processes.
struct Process {
    auth: Authenticator,
    audit: MemoryAudit,
}

impl Site {
    async fn new() -> Self {
        let clock = TokioClock(Instant::now());
        let issuer = TestIssuer::builder()
            .url(I)
            .clock(clock.clone())
            .algorithms([SigningAlgorithm::Es256])
            .in_process();
        let tokens = ApiTokens::new(MemoryStore::new(), Peppers::generate().unwrap());
        let tokens = tokens.clock(clock.clone());
        Self {
            ada: issue(&tokens, NewToken::personal("acme", "ada", ADA)).await,
            issuer,
            clock,
            tokens,
            log: Log::default(),
        }
    }

    fn process(&self) -> Process {
        let acme = OrganizationPolicy::new(organization("acme")).api_tokens(true);
        let audit = MemoryAudit::new();
        let resource = described(Issuer::new(I).organization_claim("org_id"));
        let auth = Authenticator::builder(resource)
            .clock(self.clock.clone())
            .fetch(self.issuer.fetch())
            .api_tokens(self.tokens.clone())
            .policies(MemoryPolicyStore::new().with(acme).unwrap())
            .audit(audit.clone())
            .revocations(self.log.clone())
            .build()
            .unwrap();
        Process { auth, audit }
    }

    async fn warm(&self) -> Process {
        let process = self.process();
        process.auth.warm_up(SECOND).await.unwrap();
        process
    }

    fn access_token(&self, id: &str) -> String {
        let token = self.issuer.token(R).claim("org_id", "acme");
        format!("Bearer {}", token.claim("jti", id).expires_in(3600).sign())
    }

    fn api_token(&self) -> String {
        basic(ADA, &self.ada)
    }
}

impl Process {
    /// The code of the refusal, or `let in`.
    async fn judge(&self, authorization: &str) -> &'static str {
        let request = post().header("authorization", authorization);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let judged = self.auth.authenticate(&parts).await;
        judged.map_or_else(|refused| refused.reason().code(), |_| "let in")
    }

    fn applied(&self) -> usize {
        let records = self.audit.take();
        let applied = records
            .iter()
            .filter(|one| one.event.name() == "revocation.applied");
        applied.count()
    }
}

fn token(id: &str) -> RevocationTarget {
    RevocationTarget::Token {
        issuer: I.into(),
        id: id.into(),
    }
}

// also: R21
#[tokio::test(start_paused = true)]
async fn r23_what_one_process_revokes_the_others_refuse_within_one_poll() {
    let site = Site::new().await;
    let [one, other] = [site.warm().await, site.warm().await];
    let [dead, lives] = ["j-1", "j-2"].map(|id| site.access_token(id));
    for process in [&one, &other] {
        assert_eq!(process.judge(&dead).await, "let in");
    }
    let _before = (one.audit.take(), other.audit.take());
    one.auth.handle().revoke_token(I, "j-1").await.unwrap();
    assert_eq!(one.judge(&dead).await, "revoked");
    sleep(POLL).await;
    assert_eq!(other.judge(&dead).await, "revoked");
    for process in [&one, &other] {
        assert_eq!(process.judge(&lives).await, "let in");
        assert_eq!(process.auth.revocation_status().unwrap().sequence, 1);
        // Once, though one of them revoked it and read it too.
        assert_eq!(process.applied(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn r22_a_push_is_a_hint_that_may_come_twice_late_or_never() {
    let site = Site::new().await;
    let [one, other] = [site.warm().await, site.warm().await];
    let dead = site.access_token("j-1");
    assert_eq!(other.judge(&dead).await, "let in");
    let handle = other.auth.handle();
    // Before there is anything to hear of.
    handle.notify();
    sleep(SECOND / 5).await;
    one.auth.handle().revoke_token(I, "j-1").await.unwrap();
    let reads = site.log.reads.calls();
    for _ in 0..1000 {
        handle.notify();
    }
    sleep(SECOND / 5).await;
    assert_eq!(other.judge(&dead).await, "revoked");
    // A thousand pushes were two reads at most, and one more of the other process.
    assert!(site.log.reads.calls() - reads <= 3);
    handle.notify();
    sleep(POLL).await;
    assert_eq!(other.judge(&dead).await, "revoked");
    assert_eq!(other.auth.revocations(), 1);
    assert_eq!(other.applied(), 1);
}

#[tokio::test(start_paused = true)]
async fn revoke_17_what_the_log_does_not_take_is_not_revoked() {
    for mood in OUTAGES {
        let site = Site::new().await;
        let one = site.warm().await;
        let mine = site.access_token("j-1");
        assert_eq!(one.judge(&mine).await, "let in");
        let _before = one.audit.take();
        site.log.appends.set(mood);
        let began = Instant::now();
        assert!(one.auth.handle().revoke_token(I, "j-1").await.is_err());
        assert!(began.elapsed() <= 6 * SECOND, "{mood:?}");
        assert_eq!(one.judge(&mine).await, "let in");
        assert_eq!((one.applied(), site.log.len().await), (0, 0));
        site.log.appends.set(Mood::Well);
        one.auth.handle().revoke_token(I, "j-1").await.unwrap();
        assert_eq!(one.judge(&mine).await, "revoked");
    }
}

#[tokio::test(start_paused = true)]
async fn r23_a_process_that_starts_reads_all_of_the_log_first() {
    let site = Site::new().await;
    for id in 0..2500 {
        site.log.put(token(&format!("j-{id}")), NOW).await;
    }
    let process = site.process();
    assert!(!process.auth.is_ready());
    // The first request waits for it.
    assert_eq!(process.judge(&site.access_token("j-2499")).await, "revoked");
    assert_eq!(process.judge(&site.access_token("j-2500")).await, "let in");
    assert!(process.auth.is_ready());
    let status = process.auth.revocation_status().unwrap();
    assert_eq!((status.sequence, status.targets), (2500, 2500));
    // What was revoked before it started is no news.
    assert_eq!(process.applied(), 0);
}

#[tokio::test(start_paused = true)]
async fn r23_before_the_log_was_read_nobody_is_let_in() {
    for mood in OUTAGES {
        let site = Site::new().await;
        site.log.put(token("j-1"), NOW).await;
        site.log.reads.set(mood);
        let process = site.process();
        let began = Instant::now();
        for authorization in [site.access_token("j-2"), site.api_token()] {
            let judged = process.judge(&authorization).await;
            assert_eq!(judged, "revocations_unavailable", "{mood:?}");
        }
        assert!(began.elapsed() <= 5 * SECOND, "{mood:?}");
        let failed = process.auth.warm_up(SECOND).await.unwrap_err();
        assert!(failed.report().contains("revocation log"), "{failed}");
        let status = process.auth.revocation_status().unwrap();
        assert_eq!((status.is_current, status.age), (false, None));
        site.log.reads.set(Mood::Well);
        sleep(2 * POLL).await;
        assert_eq!(process.judge(&site.access_token("j-2")).await, "let in");
        assert_eq!(process.judge(&site.access_token("j-1")).await, "revoked");
    }
}

#[tokio::test(start_paused = true)]
async fn r23_after_sixty_seconds_without_the_log_no_api_token_is_taken() {
    for mood in OUTAGES {
        let site = Site::new().await;
        let process = site.warm().await;
        let (oauth, api) = (site.access_token("j-1"), site.api_token());
        for authorization in [&oauth, &api] {
            assert_eq!(process.judge(authorization).await, "let in");
        }
        site.log.reads.set(mood);
        sleep(57 * SECOND).await;
        for authorization in [&oauth, &api] {
            assert_eq!(process.judge(authorization).await, "let in", "{mood:?}");
        }
        sleep(4 * SECOND).await;
        assert_eq!(process.judge(&oauth).await, "let in");
        assert_eq!(process.judge(&api).await, "revocations_unavailable");
        let status = process.auth.revocation_status().unwrap();
        assert!(!status.is_current && status.last_error.is_some());
        assert!(status.age.unwrap() > 60 * SECOND);
        // What this process knows to be revoked it says, whatever the log.
        site.log.put(token("j-2"), NOW).await;
        site.log.reads.set(Mood::Well);
        sleep(2 * POLL).await;
        assert_eq!(process.judge(&api).await, "let in");
        assert_eq!(process.judge(&site.access_token("j-2")).await, "revoked");
        let status = process.auth.revocation_status().unwrap();
        assert!(status.is_current && status.last_error.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn r22_an_entry_that_is_seen_late_is_not_skipped() {
    let site = Site::new().await;
    let process = site.warm().await;
    site.log.put(token("j-1"), NOW).await;
    sleep(POLL).await;
    site.log.hidden.store(2, Ordering::SeqCst);
    site.log.put(token("j-2"), NOW).await;
    site.log.put(token("j-3"), NOW).await;
    sleep(POLL).await;
    let status = process.auth.revocation_status().unwrap();
    assert_eq!(status.sequence, 1);
    assert!(status.last_error.unwrap().report().contains("from 1 to 3"));
    site.log.hidden.store(0, Ordering::SeqCst);
    sleep(POLL).await;
    for id in ["j-1", "j-2", "j-3"] {
        assert_eq!(process.judge(&site.access_token(id)).await, "revoked");
    }
    assert_eq!(process.auth.revocation_status().unwrap().sequence, 3);
}

/// Restored from a backup, or begun anew.
#[tokio::test(start_paused = true)]
async fn r22_a_log_that_is_not_the_one_it_was_is_read_from_the_beginning() {
    let site = Site::new().await;
    for id in ["j-1", "j-2", "j-3"] {
        site.log.put(token(id), NOW).await;
    }
    let process = site.warm().await;
    *site.log.inner.lock().unwrap() = MemoryRevocationLog::new();
    site.log.put(token("j-9"), NOW).await;
    sleep(POLL).await;
    for id in ["j-1", "j-9"] {
        assert_eq!(process.judge(&site.access_token(id)).await, "revoked");
    }
    assert_eq!(process.auth.revocation_status().unwrap().sequence, 1);
}

#[tokio::test(start_paused = true)]
async fn revoke_12_unknown_kinds_are_passed_over_and_old_ones_forgotten() {
    let site = Site::new().await;
    let entry = RevocationEntry::new(&token("j-1"), UnixTime::from_secs(NOW));
    let unknown = RevocationEntry {
        kind: "device".into(),
        ..entry.clone()
    };
    let ended = RevocationEntry {
        expires_at: NOW,
        ..entry.clone()
    };
    // From a clock that is a year ahead: it counts from here, and not for a year of new logins.
    let wild = RevocationEntry::new(
        &RevocationTarget::Issuer(I.into()),
        UnixTime::from_secs(NOW + 366 * 86_400),
    );
    for entry in [unknown, ended, wild] {
        site.log.inner().append(entry).await.unwrap();
    }
    let process = site.warm().await;
    let status = process.auth.revocation_status().unwrap();
    assert_eq!((status.sequence, status.targets), (3, 1));
    assert_eq!(process.judge(&site.access_token("j-1")).await, "revoked");
    sleep(301 * SECOND).await;
    assert_eq!(process.judge(&site.access_token("j-1")).await, "let in");
}

#[tokio::test(start_paused = true)]
async fn r28_the_task_ends_with_its_authenticator() {
    let site = Site::new().await;
    let process = site.warm().await;
    let handle = process.auth.handle();
    drop(process);
    sleep(POLL).await;
    let reads = site.log.reads.calls();
    // The handle keeps what it revokes in alive.
    sleep(POLL).await;
    assert!(site.log.reads.calls() > reads);
    drop(handle);
    let reads = site.log.reads.calls();
    sleep(10 * POLL).await;
    assert_eq!(site.log.reads.calls(), reads);
}

/// The first request decides in which runtime the task runs. When that is gone, the next one does.
#[test]
fn r28_the_task_begins_again_where_its_runtime_ended() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap()
    };
    let site = runtime().block_on(Site::new());
    let process = site.process();
    for id in ["j-1", "j-2"] {
        let judged = runtime().block_on(async {
            let token = site.access_token(id);
            assert_eq!(process.judge(&token).await, "let in");
            site.log.put(self::token(id), NOW).await;
            sleep(POLL).await;
            process.judge(&token).await
        });
        assert_eq!(judged, "revoked", "{id}");
    }
}

/// A log that does not care what it is asked.
#[derive(Clone, Default)]
struct Deaf(Faults);

impl RevocationLog for Deaf {
    async fn append(&self, _: RevocationEntry) -> Result<u64, BackendError> {
        Ok(1)
    }

    async fn read_since(
        &self,
        _: u64,
        limit: usize,
    ) -> Result<Vec<(u64, RevocationEntry)>, BackendError> {
        self.0.meet().await?;
        let entry = RevocationEntry::new(&token("j-1"), UnixTime::from_secs(NOW));
        Ok((1..).zip(std::iter::repeat_n(entry, limit)).collect())
    }
}

#[tokio::test(start_paused = true)]
async fn r22_a_log_that_has_no_end_is_an_outage_and_not_read_for_ever() {
    let issuer = TestIssuer::builder().in_process();
    let log = Deaf::default();
    let auth = Authenticator::builder(described(Issuer::new(issuer.url())))
        .fetch(issuer.fetch())
        .revocations(log.clone())
        .build()
        .unwrap();
    auth.warm_up(SECOND).await.unwrap_err();
    // Two reads, the second at once after the first that failed, of a few pages each.
    assert!((1..=8).contains(&log.0.calls()), "{}", log.0.calls());
    let status = auth.revocation_status().unwrap();
    assert!(!status.is_current && status.last_error.is_some());
}
