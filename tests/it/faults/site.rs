//! A server with every part that can fail, and credentials of every kind for it.

use std::collections::{BTreeSet, HashSet};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{Empty, Full};
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt, service_fn};
use tower_mcp_auth::api_token::foreign::{ForeignCredential, ForeignToken, ForeignTokens};
use tower_mcp_auth::api_token::{
    ApiTokenStore, ApiTokens, IssuedToken, MemoryStore, NewToken, Peppers, TokenId, TokenKind,
    TokenQuery, TokenRecord, Written,
};
use tower_mcp_auth::audit::{AuditRecord, AuditSink, JsonLinesAudit};
use tower_mcp_auth::authenticator::PeerAddress;
use tower_mcp_auth::clock::{Clock, UnixTime};
use tower_mcp_auth::dpop::{Claim, Dpop, ProofId, ReplayStore};
use tower_mcp_auth::enrich::{ContextEnricher, Enrichment, EnrichmentMode, UserFacts};
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::{MemoryPolicyStore, PolicyChanges, PolicyStore, PutError};
use tower_mcp_auth::revocation::{
    MemoryRevocationLog, RevocationEntry, RevocationLog, RevocationTarget,
};
use tower_mcp_auth::testing::{DpopKey, MemoryAudit, TestIssuer};
use tower_mcp_auth::throttle::{Failures, SharedFailures};
use tower_mcp_auth::{
    Authenticator, BackendError, Introspection, Issuer, McpAuthLayer, OrganizationPolicy,
    Principal, SigningAlgorithm,
};

use crate::support::{Answer, I, NOW, Probe, R, described, post};
use crate::tokens_support::{ADA, basic, bearer, issue, organization, stranger};

const SECOND: Duration = Duration::from_secs(1);

/// Where the bad credentials come from: what they cost is not charged to the good ones.
const ATTACKER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 66));
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));

/// What a part does when it is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    #[default]
    Well,
    Down,
    Hangs,
    Panics,
    Slow(Duration),
    /// Answers that there is nothing.
    Empty,
    /// Answers for somebody else.
    Corrupt,
}

/// The mood of one part, and how often it was asked. Clones share both.
#[derive(Clone, Debug, Default)]
pub struct Part(Arc<(Mutex<Mood>, AtomicUsize)>);

impl Part {
    pub fn set(&self, mood: Mood) {
        *self.0.0.lock().unwrap() = mood;
    }

    pub fn mood(&self) -> Mood {
        *self.0.0.lock().unwrap()
    }

    /// How often it was asked since the last time somebody wanted to know.
    pub fn take_calls(&self) -> usize {
        self.0.1.swap(0, Ordering::SeqCst)
    }

    /// The failures every part has in common; what is left for it to do is in the mood.
    pub async fn meet(&self) -> Result<Mood, BackendError> {
        let mood = self.mood();
        self.0.1.fetch_add(1, Ordering::SeqCst);
        match mood {
            Mood::Down => Err(BackendError::new("connection refused by db.internal")),
            Mood::Hangs => std::future::pending().await,
            Mood::Slow(time) => {
                sleep(time).await;
                Ok(mood)
            }
            mood => {
                self.at_once();
                // Even a part that is well lets others have a turn.
                tokio::task::yield_now().await;
                Ok(mood)
            }
        }
    }

    pub fn at_once(&self) {
        assert!(self.mood() != Mood::Panics, "a fault of a part");
    }
}

/// What a clock does besides going.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tick {
    #[default]
    Well,
    /// Set by so many seconds.
    Jump(i64),
    Frozen(Duration),
    /// Reading the time of day panics, or the time since a moment.
    WallPanics,
    MonotonicPanics,
}

/// Tokio's clock with faults. Clones share it.
#[derive(Clone, Debug)]
pub struct SickClock(Arc<(Instant, Mutex<Tick>)>);

impl SickClock {
    pub fn new() -> Self {
        Self(Arc::new((Instant::now(), Mutex::default())))
    }

    pub fn set(&self, tick: Tick) {
        *self.0.1.lock().unwrap() = tick;
    }

    pub fn elapsed(&self) -> Duration {
        self.0.0.elapsed()
    }

    fn read(&self) -> (Tick, Duration) {
        let tick = *self.0.1.lock().unwrap();
        match tick {
            Tick::Frozen(at) => (tick, at),
            _ => (tick, self.elapsed()),
        }
    }
}

impl Clock for SickClock {
    fn now(&self) -> UnixTime {
        let (tick, elapsed) = self.read();
        assert!(tick != Tick::WallPanics, "a fault of the clock");
        let jump = if let Tick::Jump(by) = tick { by } else { 0 };
        UnixTime::from_secs(NOW)
            .plus_secs(i64::try_from(elapsed.as_secs()).unwrap())
            .plus_secs(jump)
    }

    fn monotonic(&self) -> Duration {
        let (tick, elapsed) = self.read();
        assert!(tick != Tick::MonotonicPanics, "a fault of the clock");
        elapsed
    }
}

/// Writes records behind a queue, can panic, and its writer can stand still.
#[derive(Clone)]
pub struct Sink {
    pub part: Part,
    pub kept: MemoryAudit,
    pub lines: JsonLinesAudit,
    pub gate: Gate,
}

impl AuditSink for Sink {
    fn record(&self, record: &AuditRecord) {
        self.part.at_once();
        self.kept.record(record);
        self.lines.record(record);
    }
}

/// A writer that waits while it is shut, or that fails.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<(bool, bool)>, Condvar)>);

impl Gate {
    pub fn set(&self, shut: bool, failing: bool) {
        *self.0.0.lock().unwrap() = (shut, failing);
        self.0.1.notify_all();
    }
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let state = self.0.0.lock().unwrap();
        let state = self.0.1.wait_while(state, |state| state.0).unwrap();
        if state.1 {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[derive(Clone, Default)]
pub struct Store {
    inner: MemoryStore,
    part: Part,
    /// Whose record a corrupt store answers with.
    other: Arc<Mutex<Option<TokenId>>>,
}

impl ApiTokenStore for Store {
    async fn find(&self, id: &TokenId) -> Result<Option<TokenRecord>, BackendError> {
        match self.part.meet().await? {
            Mood::Empty => Ok(None),
            Mood::Corrupt => {
                let other = self.other.lock().unwrap().unwrap();
                self.inner.find(&other).await
            }
            _ => self.inner.find(id).await,
        }
    }

    async fn insert(&self, record: &TokenRecord) -> Result<Written, BackendError> {
        self.inner.insert(record).await
    }

    async fn update(&self, record: &TokenRecord) -> Result<Written, BackendError> {
        self.inner.update(record).await
    }

    async fn list(&self, query: &TokenQuery) -> Result<Vec<TokenRecord>, BackendError> {
        self.inner.list(query).await
    }

    async fn touch(&self, used: &[(TokenId, UnixTime)]) -> Result<(), BackendError> {
        if self.part.mood() != Mood::Well {
            self.part.meet().await?;
        }
        self.inner.touch(used).await
    }
}

#[derive(Clone, Default)]
struct Policies {
    inner: MemoryPolicyStore,
    part: Part,
}

impl PolicyStore for Policies {
    async fn load(
        &self,
        organization: &OrganizationId,
    ) -> Result<Option<OrganizationPolicy>, BackendError> {
        match self.part.meet().await? {
            Mood::Empty => Ok(None),
            Mood::Corrupt => {
                let other = crate::tokens_support::organization("initech");
                Ok(Some(OrganizationPolicy::new(other).api_tokens(true)))
            }
            _ => self.inner.load(organization).await,
        }
    }

    async fn put(
        &self,
        policy: OrganizationPolicy,
        expected: u64,
    ) -> Result<OrganizationPolicy, PutError> {
        self.inner.put(policy, expected).await
    }

    fn changes(&self) -> &PolicyChanges {
        self.inner.changes()
    }
}

#[derive(Clone, Default)]
struct Directory(Part);

impl ContextEnricher for Directory {
    async fn enrich(
        &self,
        principal: &Principal,
        _: &OrganizationId,
    ) -> Result<Enrichment, BackendError> {
        Ok(match self.0.meet().await? {
            Mood::Empty => Enrichment::new(),
            _ => Enrichment::new().user(UserFacts::new(principal.subject().as_str())),
        })
    }
}

#[derive(Clone)]
struct Log {
    inner: MemoryRevocationLog,
    part: Part,
}

impl RevocationLog for Log {
    async fn append(&self, entry: RevocationEntry) -> Result<u64, BackendError> {
        self.part.meet().await?;
        self.inner.append(entry).await
    }

    async fn read_since(
        &self,
        sequence: u64,
        limit: usize,
    ) -> Result<Vec<(u64, RevocationEntry)>, BackendError> {
        match self.part.meet().await? {
            // Another log, of which nothing is known.
            Mood::Empty => Ok(Vec::new()),
            Mood::Corrupt => {
                let mut page = self.inner.read_since(sequence, limit).await?;
                for (number, entry) in &mut page {
                    *number = number.wrapping_add(7);
                    entry.kind = "\0".into();
                }
                Ok(page)
            }
            _ => self.inner.read_since(sequence, limit).await,
        }
    }

    async fn hinted(&self) {
        self.part.at_once();
        std::future::pending::<()>().await;
    }
}

#[derive(Clone, Default)]
struct Replays {
    used: Arc<Mutex<HashSet<ProofId>>>,
    part: Part,
}

impl ReplayStore for Replays {
    async fn claim(&self, proof: ProofId, _: UnixTime) -> Result<Claim, BackendError> {
        let mood = self.part.meet().await?;
        let first = self.used.lock().unwrap().insert(proof);
        Ok(if first && mood != Mood::Corrupt {
            Claim::First
        } else {
            Claim::Again
        })
    }
}

#[derive(Clone, Default)]
struct Shared(Part);

impl SharedFailures for Shared {
    async fn exchange(&self, _: u64, told: Vec<Failures>) -> Result<Vec<Failures>, BackendError> {
        self.0.meet().await?;
        Ok(told)
    }
}

/// A vendor's tokens, none of which is shown here: its recogniser stands in everybody's way.
#[derive(Clone, Default)]
struct Vendor(Part);

impl ForeignTokens for Vendor {
    fn recognise(&self, credential: &str) -> Option<TokenKind> {
        self.0.at_once();
        credential
            .starts_with("vendor-")
            .then_some(TokenKind::ServiceAccount)
    }

    async fn verify(&self, _: ForeignCredential<'_>) -> Result<Option<ForeignToken>, BackendError> {
        Ok(None)
    }
}

/// The moods of all parts but the issuer, whose faults it keeps itself.
#[derive(Clone, Default)]
pub struct Parts {
    pub store: Part,
    pub policies: Part,
    pub directory: Part,
    pub log: Part,
    pub replays: Part,
    pub shared: Part,
    /// The `Fetch` itself: `Down` is a failed handshake.
    pub fetch: Part,
    /// The function that finds a peer's address.
    pub peer: Part,
    /// The function that recognises opaque tokens.
    pub opaque: Part,
    /// The recogniser of a vendor's tokens.
    pub vendor: Part,
}

impl Parts {
    fn all(&self) -> [&Part; 10] {
        [
            &self.store,
            &self.policies,
            &self.directory,
            &self.log,
            &self.replays,
            &self.shared,
            &self.fetch,
            &self.peer,
            &self.opaque,
            &self.vendor,
        ]
    }
}

/// What kind of credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Jwt,
    Opaque,
    Personal,
    Service,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Jwt, Self::Opaque, Self::Personal, Self::Service];
}

/// How a site is set up.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Whether what was proved about credentials is remembered.
    pub memory: bool,
    pub enrichment: EnrichmentMode,
    /// Whether access tokens are bound to a key, so that the replay store is asked.
    pub bound: bool,
}

impl Setup {
    pub const PLAIN: Self = Self {
        memory: true,
        enrichment: EnrichmentMode::Required,
        bound: false,
    };
}

pub struct Site {
    pub issuer: TestIssuer,
    pub clock: SickClock,
    pub parts: Parts,
    pub audit: Sink,
    pub auth: Authenticator,
    pub probe: Probe,
    /// Every host that was asked for anything.
    pub hosts: Arc<Mutex<BTreeSet<String>>>,
    setup: Setup,
    key: DpopKey,
    pub good: [String; 4],
    bad: [Vec<(&'static str, String)>; 4],
}

/// The issuer's clock never fails: its tokens are right whatever ours says.
pub fn issuer(clock: &SickClock) -> TestIssuer {
    TestIssuer::builder()
        .url(I)
        .clock(crate::outage::TokioClock(clock.0.0))
        .algorithms([SigningAlgorithm::Es256])
        .client("mcp", "introspecting")
        .key_id("k1")
        .in_process()
}

fn access(
    issuer: &TestIssuer,
    setup: Setup,
    key: &DpopKey,
) -> tower_mcp_auth::testing::TokenBuilder {
    let token = issuer.token(R).claim("org_id", "acme").scope("read:issues");
    // Two hours old, so that an hour back is no time before its own.
    let token = token.issued_in(-7200).expires_in(6 * 3600);
    if setup.bound {
        token.dpop_key(key)
    } else {
        token
    }
}

async fn api_tokens(
    tokens: &ApiTokens,
    kind: Kind,
) -> (IssuedToken, Vec<(&'static str, IssuedToken)>) {
    let new = |organization: &str| match kind {
        Kind::Personal => NewToken::personal(organization, "ada", ADA),
        _ => NewToken::service_account(organization, "robot").created_by("ada"),
    };
    let revoked = issue(tokens, new("acme")).await;
    tokens.revoke(revoked.record.id()).await.unwrap();
    let bad = vec![
        ("revoked", revoked),
        (
            "expired",
            issue(tokens, new("acme").expires_in(SECOND)).await,
        ),
        (
            "of an organization that takes none",
            issue(tokens, new("globex")).await,
        ),
        ("unknown", stranger(new("acme")).await),
    ];
    (issue(tokens, new("acme")).await, bad)
}

fn shown(token: &IssuedToken, kind: Kind) -> String {
    match kind {
        Kind::Personal => basic(ADA, token),
        _ => bearer(token),
    }
}

impl Site {
    /// Everything well, nothing asked for yet, every credential made.
    pub async fn new(setup: Setup) -> Self {
        let (clock, parts, key) = (SickClock::new(), Parts::default(), DpopKey::generate());
        let issuer = issuer(&clock);
        let store = Store {
            part: parts.store.clone(),
            ..Store::default()
        };
        let tokens = ApiTokens::new(store.clone(), Peppers::generate().unwrap());
        let tokens = tokens.clock(clock.clone());
        let (personal, bad_personal) = api_tokens(&tokens, Kind::Personal).await;
        let (service, bad_service) = api_tokens(&tokens, Kind::Service).await;
        let somebody = NewToken::personal("acme", "somebody", "somebody@acme.example");
        let somebody = issue(&tokens, somebody).await;
        *store.other.lock().unwrap() = Some(*somebody.record.id());
        let log = Log {
            inner: MemoryRevocationLog::new(),
            part: parts.log.clone(),
        };
        let gone = RevocationTarget::Token {
            issuer: I.into(),
            id: "gone".into(),
        };
        let entry = RevocationEntry::new(&gone, clock.now());
        log.inner.append(entry).await.unwrap();
        let bad = [
            bad_access_tokens(&issuer, &clock, setup, &key),
            bad_opaque_tokens(&issuer, setup, &key),
            bad_personal
                .iter()
                .map(|(why, token)| (*why, shown(token, Kind::Personal)))
                .collect(),
            bad_service
                .iter()
                .map(|(why, token)| (*why, shown(token, Kind::Service)))
                .collect(),
        ];
        let scheme = if setup.bound { "DPoP" } else { "Bearer" };
        let token = access(&issuer, setup, &key);
        let good = [
            format!("{scheme} {}", token.clone().claim("jti", "fine").sign()),
            format!("{scheme} {}", token.opaque()),
            shown(&personal, Kind::Personal),
            shown(&service, Kind::Service),
        ];
        let gate = Gate::default();
        let audit = Sink {
            part: Part::default(),
            kept: MemoryAudit::new(),
            lines: JsonLinesAudit::with_capacity(gate.clone(), 8).unwrap(),
            gate,
        };
        let hosts = Arc::new(Mutex::new(BTreeSet::new()));
        let auth = build(
            setup,
            &clock,
            &parts,
            (&issuer, hosts.clone()),
            (tokens, log, audit.clone()),
        )
        .await;
        // By then the token with a life of a second is over.
        sleep(2 * SECOND).await;
        Self {
            issuer,
            clock,
            parts,
            audit,
            auth,
            probe: Probe::default(),
            hosts,
            setup,
            key,
            good,
            bad,
        }
    }

    /// Shows a good credential of each kind and every bad one, while everything is well.
    pub async fn warmed(self) -> Self {
        self.auth.warm_up(Duration::from_secs(5)).await.unwrap();
        for kind in Kind::ALL {
            let answer = self.good(kind).await;
            assert_eq!(answer.status, StatusCode::OK, "{kind:?} {answer:?}");
            for (why, credential) in &self.bad[kind as usize] {
                let answer = self.present(credential, ATTACKER).await;
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{kind:?}, {why}");
            }
        }
        // An unknown key may be asked for again.
        sleep(11 * SECOND).await;
        self
    }

    pub fn request(&self, credential: &str, from: IpAddr) -> Request<Empty<Bytes>> {
        let mut request = post()
            .header("authorization", credential)
            .extension(PeerAddress(from));
        if let Some(token) = credential.strip_prefix("DPoP ") {
            let now = UnixTime::from_secs(NOW);
            let now = now.plus_secs(i64::try_from(self.clock.elapsed().as_secs()).unwrap());
            request = request.header("dpop", self.key.proof("POST", R, token).at(now).sign());
        }
        request.body(Empty::new()).unwrap()
    }

    pub async fn present(&self, credential: &str, from: IpAddr) -> Answer {
        let service = McpAuthLayer::new(self.auth.clone()).layer(self.probe.clone());
        let answer = service.oneshot(self.request(credential, from));
        Answer::read(answer.await.unwrap()).await
    }

    pub async fn good(&self, kind: Kind) -> Answer {
        self.present(&self.good[kind as usize], CLIENT).await
    }

    pub fn good_request(&self, kind: Kind) -> Request<Empty<Bytes>> {
        self.request(&self.good[kind as usize], CLIENT)
    }

    /// None of the bad credentials of this kind is taken, whatever the state of the site.
    pub async fn assert_closed(
        &self,
        kind: Kind,
        but: Option<&str>,
        cell: &str,
        wrong: &mut Vec<String>,
    ) -> usize {
        let shown = self.bad[kind as usize]
            .iter()
            .filter(|(why, _)| Some(*why) != but);
        for (why, credential) in shown.clone() {
            let start = Instant::now();
            let status = self.present(credential, ATTACKER).await.status;
            if !status.is_client_error() && !status.is_server_error() {
                wrong.push(format!(
                    "FAIL-OPEN: {cell}: {why} was answered with {status}"
                ));
            }
            if start.elapsed() > 4 * SECOND {
                wrong.push(format!("{cell}: {why} took {:?}", start.elapsed()));
            }
        }
        shown.count()
    }

    /// Makes an access token as the good one is, with the keys of now.
    pub fn renew(&mut self) {
        let scheme = if self.setup.bound { "DPoP" } else { "Bearer" };
        let token = access(&self.issuer, self.setup, &self.key);
        self.good[0] = format!("{scheme} {}", token.sign());
        self.good[1] = format!("{scheme} {}", token.opaque());
    }

    pub fn heal(&self) {
        self.issuer.heal();
        self.issuer.reset_documents();
        self.issuer.reset_introspection();
        for part in self.parts.all() {
            part.set(Mood::Well);
        }
        self.audit.part.set(Mood::Well);
        self.audit.gate.set(false, false);
        self.clock.set(Tick::Well);
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // Closing a sink waits for its writer.
        self.audit.gate.set(false, false);
    }
}

fn bad_access_tokens(
    issuer: &TestIssuer,
    clock: &SickClock,
    setup: Setup,
    key: &DpopKey,
) -> Vec<(&'static str, String)> {
    // The same name, the same key id, other keys.
    let forger = self::issuer(clock);
    let scheme = if setup.bound { "DPoP" } else { "Bearer" };
    let mut bad = vec![
        (
            "revoked",
            access(issuer, setup, key).claim("jti", "gone").sign(),
        ),
        ("expired", access(issuer, setup, key).expires_in(-60).sign()),
        ("forged", access(&forger, setup, key).sign()),
        (
            "of an unknown key",
            access(&forger, setup, key).header("kid", "k9").sign(),
        ),
        (
            "for another server",
            access(issuer, setup, key)
                .audience("https://elsewhere.example")
                .sign(),
        ),
        (
            "of another issuer",
            access(issuer, setup, key)
                .claim("iss", "https://evil.example")
                .sign(),
        ),
    ];
    for (_, token) in &mut bad {
        token.insert_str(0, &format!("{scheme} "));
    }
    if setup.bound {
        bad.push((
            "without its key",
            format!("Bearer {}", access(issuer, setup, key).sign()),
        ));
    }
    bad
}

fn bad_opaque_tokens(
    issuer: &TestIssuer,
    setup: Setup,
    key: &DpopKey,
) -> Vec<(&'static str, String)> {
    let scheme = if setup.bound { "DPoP" } else { "Bearer" };
    let revoked = access(issuer, setup, key).opaque();
    issuer.deactivate(&revoked);
    vec![
        ("revoked", format!("{scheme} {revoked}")),
        (
            "expired",
            format!(
                "{scheme} {}",
                access(issuer, setup, key).expires_in(-60).opaque()
            ),
        ),
        ("unknown", format!("{scheme} op_1234567890abcdef")),
        (
            "for another server",
            format!(
                "{scheme} {}",
                access(issuer, setup, key)
                    .audience("https://elsewhere.example")
                    .opaque()
            ),
        ),
    ]
}

async fn build(
    setup: Setup,
    clock: &SickClock,
    parts: &Parts,
    (issuer, hosts): (&TestIssuer, Arc<Mutex<BTreeSet<String>>>),
    (tokens, log, audit): (ApiTokens, Log, Sink),
) -> Authenticator {
    let recognises = parts.opaque.clone();
    let introspection = Introspection::new()
        .client_secret_basic("mcp", "introspecting")
        .recognises(move |token| {
            recognises.at_once();
            !token.starts_with("vendor-")
        });
    let trusted = Issuer::new(I)
        .organization_claim("org_id")
        .introspection(introspection);
    let policies = Policies {
        part: parts.policies.clone(),
        ..Policies::default()
    };
    let acme = OrganizationPolicy::new(organization("acme")).api_tokens(true);
    policies.put(acme, 0).await.unwrap();
    let replays = Replays {
        part: parts.replays.clone(),
        ..Replays::default()
    };
    let peer = parts.peer.clone();
    let mut builder = Authenticator::builder(described(trusted))
        .clock(clock.clone())
        .fetch(fetch(issuer, parts.fetch.clone(), hosts))
        .api_tokens(tokens)
        .foreign_tokens("vendor", Vendor(parts.vendor.clone()))
        .policies(policies)
        .enrich(Directory(parts.directory.clone()), setup.enrichment)
        .revocations(log)
        .shared_failures(Shared(parts.shared.clone()))
        .dpop(Dpop::new().replay_store(replays))
        .audit(audit)
        .peer_address(move |extensions| {
            peer.at_once();
            extensions.get::<PeerAddress>().map(|peer| peer.0)
        });
    if !setup.memory {
        builder = builder.verified_token_bytes(0);
    }
    builder.build().unwrap()
}

fn fetch(
    issuer: &TestIssuer,
    part: Part,
    hosts: Arc<Mutex<BTreeSet<String>>>,
) -> impl tower_mcp_auth::fetch::Fetch {
    let issuer = issuer.fetch();
    service_fn(move |request: Request<Full<Bytes>>| {
        let (issuer, part) = (issuer.clone(), part.clone());
        let host = request.uri().host().unwrap_or_default().to_owned();
        hosts.lock().unwrap().insert(host);
        async move {
            match part.meet().await {
                Err(_) => Err(std::io::Error::other("invalid peer certificate: Expired")),
                Ok(_) => issuer.oneshot(request).await,
            }
        }
    })
}
