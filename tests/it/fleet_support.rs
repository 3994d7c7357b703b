//! Several processes over one database that writes news of its records into its log.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tower_mcp_auth::api_token::{
    ApiTokenStore, ApiTokens, IssuedToken, MemoryStore, NewToken, Peppers, TokenId, TokenQuery,
    TokenRecord, Written,
};
use tower_mcp_auth::clock::UnixTime;
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::{MemoryPolicyStore, PolicyChanges, PolicyStore, PutError};
use tower_mcp_auth::revocation::{
    MemoryRevocationLog, RecordChange, RevocationEntry, RevocationLog,
};
use tower_mcp_auth::testing::{MemoryAudit, TestIssuer};
use tower_mcp_auth::{Authenticator, BackendError, Issuer, OrganizationPolicy, SigningAlgorithm};

use crate::outage::TokioClock;
use crate::streams_support::{EVENTS, Open};
use crate::support::{I, NOW, R, described, post};
use crate::tokens_support::{ADA, Faults, basic, issue, organization};

pub const SECOND: Duration = Duration::from_secs(1);

/// The longest two processes disagree: a pause of two seconds and a fifth, and the spacing.
pub const POLL: Duration = Duration::from_millis(2500);

/// The tables that all processes share.
#[derive(Clone, Default)]
pub struct Database {
    pub tokens: MemoryStore,
    pub policies: MemoryPolicyStore,
    /// Another one after a failover.
    pub log: Arc<Mutex<MemoryRevocationLog>>,
}

impl Database {
    pub fn log(&self) -> MemoryRevocationLog {
        self.log.lock().unwrap().clone()
    }

    pub async fn append(&self, entry: RevocationEntry) {
        self.log().append(entry).await.unwrap();
    }

    pub async fn tell(&self, change: &RecordChange) {
        let at = UnixTime::from_secs(NOW);
        self.append(RevocationEntry::changed(change, at)).await;
    }

    /// Puts a policy as another process does that nobody here hears of, but for the log.
    pub async fn put(&self, policy: OrganizationPolicy) {
        let organization = policy.organization().clone();
        let now = self.policies.load(&organization).await.unwrap();
        let version = now.map_or(0, |now| now.version());
        self.policies.put(policy, version).await.unwrap();
    }
}

/// What hints a process gets.
#[derive(Clone, Default)]
pub enum Hinting {
    #[default]
    Never,
    When(Arc<Notify>),
    Always,
    Panics,
}

/// The way of one process to the database, which can fail. Clones share it.
#[derive(Clone, Default)]
pub struct Store {
    pub database: Database,
    pub changes: PolicyChanges,
    pub reads: Faults,
    pub finds: Faults,
    pub loads: Faults,
    pub hinting: Hinting,
}

impl ApiTokenStore for Store {
    async fn find(&self, id: &TokenId) -> Result<Option<TokenRecord>, BackendError> {
        self.finds.meet().await?;
        self.database.tokens.find(id).await
    }

    async fn insert(&self, record: &TokenRecord) -> Result<Written, BackendError> {
        self.database.tokens.insert(record).await
    }

    async fn update(&self, record: &TokenRecord) -> Result<Written, BackendError> {
        let written = self.database.tokens.update(record).await?;
        if written == Written::Done {
            let id = record.id().as_str().to_owned();
            self.database.tell(&RecordChange::ApiToken(id)).await;
        }
        Ok(written)
    }

    async fn list(&self, query: &TokenQuery) -> Result<Vec<TokenRecord>, BackendError> {
        self.database.tokens.list(query).await
    }

    async fn touch(&self, used: &[(TokenId, UnixTime)]) -> Result<(), BackendError> {
        self.database.tokens.touch(used).await
    }
}

impl PolicyStore for Store {
    async fn load(
        &self,
        organization: &OrganizationId,
    ) -> Result<Option<OrganizationPolicy>, BackendError> {
        self.loads.meet().await?;
        self.database.policies.load(organization).await
    }

    async fn put(
        &self,
        policy: OrganizationPolicy,
        expected: u64,
    ) -> Result<OrganizationPolicy, PutError> {
        let stored = self.database.policies.put(policy, expected).await?;
        let organization = stored.organization().clone();
        self.database
            .tell(&RecordChange::Policy(organization.clone()))
            .await;
        self.changes.announce(&organization);
        Ok(stored)
    }

    fn changes(&self) -> &PolicyChanges {
        &self.changes
    }
}

impl RevocationLog for Store {
    async fn append(&self, entry: RevocationEntry) -> Result<u64, BackendError> {
        self.database.log().append(entry).await
    }

    async fn read_since(
        &self,
        sequence: u64,
        limit: usize,
    ) -> Result<Vec<(u64, RevocationEntry)>, BackendError> {
        self.reads.meet().await?;
        self.database.log().read_since(sequence, limit).await
    }

    async fn hinted(&self) {
        match &self.hinting {
            Hinting::Never => std::future::pending().await,
            Hinting::When(notify) => notify.notified().await,
            Hinting::Always => {}
            Hinting::Panics => panic!("a fault of the log"),
        }
    }
}

/// One issuer and one database for any number of processes.
pub struct Fleet {
    pub issuer: TestIssuer,
    pub clock: TokioClock,
    pub database: Database,
    peppers: Peppers,
    pub ada: IssuedToken,
}

/// One of the processes: it shares the database with the others, and nothing else.
pub struct Process {
    pub store: Store,
    pub tokens: ApiTokens,
    pub auth: Authenticator,
    pub audit: MemoryAudit,
}

/// The policy of `acme` as the fleet starts with it.
pub fn acme() -> OrganizationPolicy {
    OrganizationPolicy::new(organization("acme")).api_tokens(true)
}

impl Fleet {
    pub async fn new() -> Self {
        let clock = TokioClock(Instant::now());
        let issuer = TestIssuer::builder()
            .url(I)
            .clock(clock.clone())
            .algorithms([SigningAlgorithm::Es256])
            .in_process();
        let (database, peppers) = (Database::default(), Peppers::generate().unwrap());
        database.put(acme()).await;
        let tokens = ApiTokens::new(database.tokens.clone(), peppers.clone());
        let tokens = tokens.clock(clock.clone());
        Self {
            ada: issue(&tokens, NewToken::personal("acme", "ada", ADA)).await,
            issuer,
            clock,
            database,
            peppers,
        }
    }

    pub fn process(&self) -> Process {
        self.hinted(Hinting::Never)
    }

    pub fn hinted(&self, hinting: Hinting) -> Process {
        let store = Store {
            database: self.database.clone(),
            hinting,
            ..Store::default()
        };
        let tokens = ApiTokens::new(store.clone(), self.peppers.clone());
        let tokens = tokens.clock(self.clock.clone());
        let audit = MemoryAudit::new();
        let resource = described(Issuer::new(I).organization_claim("org_id"));
        let auth = Authenticator::builder(resource)
            .clock(self.clock.clone())
            .fetch(self.issuer.fetch())
            .api_tokens(tokens.clone())
            .policies(store.clone())
            .audit(audit.clone())
            .revocations(store.clone())
            .build()
            .unwrap();
        Process {
            store,
            tokens,
            auth,
            audit,
        }
    }

    /// A process that has read the log.
    pub async fn warm(&self) -> Process {
        let process = self.process();
        process.auth.warm_up(SECOND).await.unwrap();
        process
    }

    pub fn access_token(&self, id: &str) -> String {
        let token = self.issuer.token(R).claim("org_id", "acme");
        format!("Bearer {}", token.claim("jti", id).expires_in(3600).sign())
    }

    pub fn api_token(&self) -> String {
        basic(ADA, &self.ada)
    }
}

impl Process {
    /// The code of the refusal, or `let in`.
    pub async fn judge(&self, authorization: &str) -> &'static str {
        let request = post().header("authorization", authorization);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let judged = self.auth.authenticate(&parts).await;
        judged.map_or_else(|refused| refused.reason().code(), |_| "let in")
    }

    pub async fn put(&self, policy: OrganizationPolicy) {
        let now = self.store.database.policies.load(policy.organization());
        let version = now.await.unwrap().map_or(0, |now| now.version());
        self.store.put(policy, version).await.unwrap();
    }

    /// An open stream that has nothing to say.
    pub async fn stream(&self, authorization: &str) -> Open {
        let request = post().header("authorization", authorization);
        let mut open = Open::by(&self.auth, request, EVENTS).await;
        open.assert_open();
        open
    }

    /// The names of what is on record since the last look, of one kind, with the policies' versions.
    pub fn recorded(&self, kind: &str) -> Vec<String> {
        let records = self.audit.take();
        let wanted = records
            .iter()
            .filter(|one| one.event.name().starts_with(kind));
        let named = wanted.map(|one| {
            let version = one.policy.as_ref().map(|policy| policy.version.to_string());
            format!("{} {}", one.event.name(), version.unwrap_or_default())
        });
        named.map(|name| name.trim_end().to_owned()).collect()
    }
}

/// Long enough for every process to have read what there is.
pub async fn one_poll() {
    sleep(POLL).await;
}
