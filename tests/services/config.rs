//! One file for several processes: what it opens in a real Postgres and a real Redis.

use std::net::IpAddr;
use std::time::Duration;

use http::Request;
use tower_mcp_auth::api_token::{ApiTokens, IssuedToken, NewToken, Peppers};
use tower_mcp_auth::authenticator::PeerAddress;
use tower_mcp_auth::backend::SqlStore;
use tower_mcp_auth::config::Config;
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::PolicyStore;
use tower_mcp_auth::testing::{DpopKey, TestIssuer};
use tower_mcp_auth::{Authenticator, OrganizationPolicy, Reason};

use crate::support::{Database, eventually, redis_url, unique};

const R: &str = "https://mcp.example.com/mcp";
const I: &str = "https://auth.example.com/t1";
const SECRET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
const PEPPER: &str = "one:MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY";

/// What comes by hint comes at once; by itself within 2 s and a fifth. Both on a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// Processes that were started with one file.
struct Fleet {
    processes: Vec<Authenticator>,
    issuer: TestIssuer,
    store: SqlStore,
    channel: String,
}

impl Fleet {
    async fn new() -> Self {
        let (database, channel) = (Database::create().await, unique("config"));
        let text = format!(
            "[resource]
            identifier = '{R}'
            [[issuers]]
            identifier = '{I}'
            [database]
            url = '{}'
            max_connections = 4
            migrate = true
            [redis]
            url = '{}'
            channel = '{channel}'
            key_prefix = '{channel}'
            [policies]
            store = 'database'
            [api_tokens]
            peppers = '{PEPPER}'
            [dpop]
            max_age = '60s'
            ",
            database.url,
            redis_url(),
        );
        let issuer = TestIssuer::builder().url(I).in_process();
        let mut processes = Vec::new();
        for _ in 0..3 {
            let config = Config::from_toml(&text).unwrap();
            let opened = config.open().await.unwrap();
            let process = opened.fetch(issuer.fetch()).build().unwrap();
            process.warm_up(SOON).await.unwrap();
            processes.push(process);
        }
        Self {
            processes,
            issuer,
            store: SqlStore::connect(database.url).await.unwrap(),
            channel,
        }
    }

    /// A key of an organization that takes keys, issued by a program of another configuration.
    async fn robot(&self) -> (ApiTokens, IssuedToken) {
        let acme = OrganizationId::new("acme").unwrap();
        let policy = OrganizationPolicy::new(acme).api_tokens(true);
        self.store.put(policy, 0).await.unwrap();
        let tokens = ApiTokens::new(self.store.clone(), Peppers::new("one", SECRET));
        let new = NewToken::service_account("acme", "robot").created_by("ada");
        let robot = tokens.issue(new.scopes(["read:issues"])).await.unwrap();
        (tokens, robot)
    }

    async fn present(&self, process: usize, header: &str, proof: Option<&str>) -> Option<Reason> {
        self.present_from("192.0.2.1", process, header, proof).await
    }

    async fn present_from(
        &self,
        address: &str,
        process: usize,
        header: &str,
        proof: Option<&str>,
    ) -> Option<Reason> {
        let address: IpAddr = address.parse().unwrap();
        let mut request = Request::post(R)
            .extension(PeerAddress(address))
            .header("authorization", header);
        if let Some(proof) = proof {
            request = request.header("dpop", proof);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let answer = self.processes[process].authenticate(&head).await;
        answer.err().map(|refusal| refusal.reason())
    }
}

#[tokio::test]
async fn r20_r22_processes_of_one_file_share_tokens_policies_and_revocations() {
    let fleet = Fleet::new().await;
    let (tokens, robot) = fleet.robot().await;
    let header = format!("Bearer {}", robot.token.expose());
    for process in 0..3 {
        assert_eq!(fleet.present(process, &header, None).await, None);
    }
    tokens.revoke(robot.record.id()).await.unwrap();
    for process in 0..3 {
        let refused = async || fleet.present(process, &header, None).await;
        let reason = eventually("the revocation", SOON, refused).await;
        assert_eq!(reason, Reason::InvalidApiToken);
    }
}

/// The channel of the file is the one that is listened to, by each process.
#[tokio::test]
async fn r22_processes_of_one_file_listen_to_its_channel() {
    let fleet = Fleet::new().await;
    let client = redis::Client::open(redis_url()).unwrap();
    let mut raw = client.get_multiplexed_async_connection().await.unwrap();
    let listening = async || {
        let mut asked = redis::cmd("PUBSUB");
        asked.arg("NUMSUB").arg(&fleet.channel);
        let answer: (String, u32) = asked.query_async(&mut raw).await.unwrap();
        (answer.1 == 3).then_some(())
    };
    eventually("three listeners", SOON, listening).await;
}

#[tokio::test]
async fn dpop_09_processes_of_one_file_take_a_proof_once_together() {
    let fleet = Fleet::new().await;
    let key = DpopKey::generate();
    let token = fleet.issuer.token(R).dpop_key(&key).sign();
    let (header, proof) = (format!("DPoP {token}"), key.proof("POST", R, &token).sign());
    assert_eq!(fleet.present(0, &header, Some(&proof)).await, None);
    for process in [1, 2, 0] {
        let reason = fleet.present(process, &header, Some(&proof)).await;
        assert_eq!(reason, Some(Reason::DpopReplayed));
    }
}

#[tokio::test]
async fn edge_06_processes_of_one_file_add_up_failures() {
    let fleet = Fleet::new().await;
    let attacker = "203.0.113.66";
    let (_, robot) = fleet.robot().await;
    // Fewer than any process alone would mind.
    for process in 0..3 {
        for _ in 0..12 {
            let answer = fleet.present_from(attacker, process, "Basic %%%", None);
            assert_eq!(answer.await, Some(Reason::MalformedBasic));
        }
    }
    // Asked with a good credential: that counts for nothing.
    let token = format!("Bearer {}", robot.token.expose());
    for process in 0..3 {
        let slowed = async || fleet.present_from(attacker, process, &token, None).await;
        let reason = eventually("the attacker is slowed", SOON, slowed).await;
        assert_eq!(reason, Reason::TooManyFailures);
        assert_eq!(fleet.present(process, &token, None).await, None);
    }
}
