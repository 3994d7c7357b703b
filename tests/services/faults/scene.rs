//! One process under test, another that revokes, and who calls.

use std::time::Duration;

use http::Request;
use http::header::AUTHORIZATION;
use tokio::time::timeout;
use tower_mcp_auth::api_token::{ApiTokens, NewToken, Peppers, TokenId};
use tower_mcp_auth::authenticator::PeerAddress;
use tower_mcp_auth::backend::{RedisHints, SqlStore};
use tower_mcp_auth::clock::{Clock, SystemClock};
use tower_mcp_auth::ident::{OrganizationId, Subject};
use tower_mcp_auth::policy::PolicyStore;
use tower_mcp_auth::revocation::{RevocationEntry, RevocationLog, RevocationTarget};
use tower_mcp_auth::testing::{ManualClock, TestIssuer};
use tower_mcp_auth::throttle::ThrottleSettings;
use tower_mcp_auth::{Authenticator, Issuer, OrganizationPolicy, ProtectedResource};

use super::outage::Fault;
use crate::support::{Database, Private, eventually};

const R: &str = "https://mcp.example.com/mcp";
const I: &str = "https://auth.example.com/t1";
const PEPPER: &str = "0123456789abcdef0123456789abcdef";

/// How soon everything works again, without a restart of the process.
pub const RECOVERY: Duration = Duration::from_secs(30);
/// Nobody waits longer for an answer, whatever it is: two deadlines, and what a busy machine adds.
const ANSWER: Duration = Duration::from_secs(8);

pub struct Scene {
    pub servers: Private,
    pub database: Database,
    pub clock: ManualClock,
    pub auth: Authenticator,
    /// Of the process under test.
    pub store: SqlStore,
    issuer: TestIssuer,
    other: SqlStore,
    other_tokens: ApiTokens,
    doomed: TokenId,
    /// `Authorization` values. Of somebody who is let in all the time:
    pub key: String,
    pub access: String,
    /// The same, never presented before the fault.
    pub cold: String,
    /// Of somebody who is let in until they are revoked.
    pub leaver_key: String,
    leaver_access: String,
    doomed_key: String,
    /// Revoked before the fault; known as that, and never presented.
    pub dead_warm: String,
    pub dead_cold: String,
}

impl Scene {
    pub async fn new(fault: Fault) -> Self {
        let servers = Private::start();
        let database = Database::create_in(&servers.postgres_url).await;
        let builder = SqlStore::builder(&*database.url).migrate(true);
        let other = builder.open().await.unwrap();
        let other_tokens = tokens(&other);
        let acme = OrganizationId::new("acme").unwrap();
        let policy = OrganizationPolicy::new(acme).api_tokens(true);
        other.put(policy, 0).await.unwrap();
        let clock = ManualClock::new(SystemClock::new().now());
        let issuer = TestIssuer::builder()
            .url(I)
            .clock(clock.clone())
            .in_process();

        let connections = if fault == Fault::PoolExhausted { 2 } else { 16 };
        let builder = SqlStore::builder(&*database.url).max_connections(connections);
        let hints = RedisHints::new(&servers.redis_url).unwrap();
        let store = builder.hints(hints).open().await.unwrap();
        let resource =
            ProtectedResource::new(R).issuer(Issuer::new(I).organization_claim("org_id"));
        let auth = Authenticator::builder(resource)
            .fetch(issuer.fetch())
            .clock(clock.clone())
            .api_tokens(tokens(&store).clock(clock.clone()))
            .policies(store.clone())
            .revocations(store.clone())
            .throttle(ThrottleSettings::off())
            .build()
            .unwrap();
        auth.warm_up(Duration::from_secs(10)).await.unwrap();

        let (_, key) = issue(&other_tokens, "ada").await;
        let (_, cold) = issue(&other_tokens, "carl").await;
        let (_, leaver_key) = issue(&other_tokens, "leaver").await;
        let (doomed, doomed_key) = issue(&other_tokens, "dora").await;
        let (warm_id, dead_warm) = issue(&other_tokens, "dirk").await;
        let (cold_id, dead_cold) = issue(&other_tokens, "dana").await;
        for id in [warm_id, cold_id] {
            other_tokens.revoke(&id).await.unwrap().unwrap();
        }
        let mut scene = Self {
            servers,
            database,
            clock,
            auth,
            store,
            issuer,
            other,
            other_tokens,
            doomed,
            key,
            access: String::new(),
            cold,
            leaver_key,
            leaver_access: String::new(),
            doomed_key,
            dead_warm,
            dead_cold,
        };
        scene.access = scene.access_token("acme", "ada");
        scene.leaver_access = scene.access_token("acme", "leaver");
        scene.warm_up().await;
        scene
    }

    async fn warm_up(&self) {
        for credential in [&self.key, &self.access, &self.leaver_key] {
            assert_eq!(self.ask(credential).await, 200);
        }
        for credential in [&self.leaver_access, &self.doomed_key] {
            assert_eq!(self.ask(credential).await, 200);
        }
        assert_eq!(self.ask(&self.dead_warm).await, 401);
        // The news of how the scene was set is heard now, and not in the midst of the fault.
        let last = self.other.read_since(0, 1000).await.unwrap().len();
        let heard = async || {
            let status = self.auth.revocation_status().unwrap();
            (status.sequence >= u64::try_from(last).unwrap()).then_some(())
        };
        eventually("the log is read", RECOVERY, heard).await;
        for credential in [&self.key, &self.leaver_key, &self.doomed_key] {
            assert_eq!(self.ask(credential).await, 200);
        }
        assert_eq!(self.ask(&self.dead_warm).await, 401);
    }

    pub fn access_token(&self, organization: &str, subject: &str) -> String {
        let token = self.issuer.token(R).subject(subject);
        let token = token.claim("org_id", organization).expires_in(3600).sign();
        format!("Bearer {token}")
    }

    /// Access tokens of organizations that nobody has seen here.
    pub fn strangers(&self, count: usize) -> Vec<String> {
        let organizations = (0..count).map(|number| format!("org-{number}"));
        organizations
            .map(|organization| self.access_token(&organization, "stranger"))
            .collect()
    }

    /// The status that a request with this credential gets.
    pub async fn ask(&self, credential: &str) -> u16 {
        let request = Request::post("/mcp").header(AUTHORIZATION, credential);
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        head.extensions.insert(PeerAddress([127, 0, 0, 1].into()));
        let answer = timeout(ANSWER, self.auth.authenticate(&head)).await;
        match answer.expect("an answer in time") {
            Ok(_) => 200,
            Err(refusal) => refusal.status().as_u16(),
        }
    }

    fn leaver(&self) -> RevocationEntry {
        let target = RevocationTarget::User {
            organization: OrganizationId::new("acme").unwrap(),
            subject: Subject::new("leaver").unwrap(),
        };
        RevocationEntry::new(&target, self.clock.now())
    }

    /// Whether the process under test can revoke, and the other one; a failure revokes nothing.
    pub async fn can_revoke(&self) -> bool {
        let entry = self.leaver();
        let target = entry.target().unwrap();
        let here = timeout(ANSWER, self.auth.handle().revoke(target)).await;
        let there = timeout(ANSWER, self.other.append(entry)).await;
        let done =
            here.expect("an answer in time").is_ok() || there.expect("an answer in time").is_ok();
        if !done {
            for credential in [&self.leaver_key, &self.leaver_access] {
                assert_eq!(self.ask(credential).await, 200, "nothing is revoked");
            }
        }
        done
    }

    /// The other process revokes a person and a key.
    pub async fn revoke(&self) {
        let by_log = async || self.other.append(self.leaver()).await.ok();
        eventually("the log takes a revocation", RECOVERY, by_log).await;
        let by_record = async || self.other_tokens.revoke(&self.doomed).await.ok();
        let record = eventually("a key is revoked", RECOVERY, by_record).await;
        assert!(record.unwrap().revoked_at().is_some());
    }

    /// What was revoked is refused here. Until then an API token may be let in or not known.
    pub async fn until_obeyed(&self) {
        for credential in [&self.leaver_access, &self.leaver_key, &self.doomed_key] {
            let obeyed = async || match self.ask(credential).await {
                401 => Some(()),
                200 => None,
                503 => {
                    self.clock.advance(Duration::from_secs(1));
                    None
                }
                other => panic!("{other}"),
            };
            eventually("a revocation is obeyed", RECOVERY, obeyed).await;
        }
    }

    /// Everybody is let in who should be, without a restart.
    pub async fn until_recovered(&self) {
        for credential in [&self.access, &self.key, &self.cold] {
            let let_in = async || match self.ask(credential).await {
                200 => Some(()),
                503 => {
                    self.clock.advance(Duration::from_secs(1));
                    None
                }
                other => panic!("{other}"),
            };
            eventually("everybody is let in again", RECOVERY, let_in).await;
        }
    }

    pub async fn assert_refused_for_good(&self) {
        for _ in 0..3 {
            for credential in [&self.leaver_access, &self.leaver_key, &self.doomed_key] {
                assert_eq!(self.ask(credential).await, 401);
            }
            for credential in [&self.dead_warm, &self.dead_cold] {
                assert_eq!(self.ask(credential).await, 401);
            }
            assert_eq!(self.ask(&self.key).await, 200);
            assert_eq!(self.ask(&self.access).await, 200);
        }
    }
}

fn tokens(store: &SqlStore) -> ApiTokens {
    ApiTokens::new(store.clone(), Peppers::new("one", PEPPER))
}

/// A personal token, as `Authorization` has it.
async fn issue(tokens: &ApiTokens, who: &str) -> (TokenId, String) {
    let email = format!("{who}@acme.example");
    let wish = NewToken::personal("acme", who, &email).scopes(["read:issues"]);
    let issued = tokens.issue(wish).await.unwrap();
    let pair = format!("{email}:{}", issued.token.expose());
    (*issued.record.id(), format!("Basic {}", base64(&pair)))
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}
