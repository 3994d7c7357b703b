//! Failures added up in a real Redis (EDGE-6, T29, R21).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{interval, timeout};
use tower_mcp_auth::api_token::{ApiTokens, IssuedToken, MemoryStore, NewToken, Peppers};
use tower_mcp_auth::authenticator::PeerAddress;
use tower_mcp_auth::backend::RedisFailures;
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::{MemoryPolicyStore, PolicyStore};
use tower_mcp_auth::throttle::{Bucket, Failures, SharedFailures};
use tower_mcp_auth::{Authenticator, Issuer, OrganizationPolicy, ProtectedResource, Reason};

use crate::support::{redis_url, unique};

const ATTACKER: &str = "203.0.113.66";
const VICTIM: &str = "198.51.100.7";

/// Several processes of one server, and somebody who is let in by each.
struct Fleet {
    processes: Vec<Authenticator>,
    robot: IssuedToken,
}

impl Fleet {
    async fn new(size: usize, failures: &RedisFailures) -> Self {
        let tokens = ApiTokens::new(MemoryStore::new(), Peppers::generate().unwrap());
        let policies = MemoryPolicyStore::new();
        let acme = OrganizationId::new("acme").unwrap();
        let policy = OrganizationPolicy::new(acme).api_tokens(true);
        policies.put(policy, 0).await.unwrap();
        let new = NewToken::service_account("acme", "robot").created_by("ada");
        let robot = tokens.issue(new.scopes(["read:issues"])).await.unwrap();
        let process = || {
            let resource = ProtectedResource::new("https://mcp.example.com/mcp")
                .issuer(Issuer::new("https://auth.example.com").organization_claim("org_id"));
            Authenticator::builder(resource)
                .api_tokens(tokens.clone())
                .policies(policies.clone())
                .shared_failures(failures.clone())
                .build()
                .unwrap()
        };
        Self {
            processes: (0..size).map(|_| process()).collect(),
            robot,
        }
    }

    async fn present(&self, process: usize, address: &str, credential: &str) -> Option<Reason> {
        let address: IpAddr = address.parse().unwrap();
        let request = Request::post("https://mcp.example.com/mcp")
            .extension(PeerAddress(address))
            .header("authorization", credential);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let answer = self.processes[process].authenticate(&parts).await;
        answer.err().map(|rejection| rejection.reason())
    }

    async fn fail(&self, process: usize, address: &str, times: u32) {
        for _ in 0..times {
            let reason = self.present(process, address, "Basic %%%").await;
            assert_eq!(reason, Some(Reason::MalformedBasic));
        }
    }

    /// Asked with a good credential: that counts for nothing.
    async fn is_slowed(&self, process: usize, address: &str) -> bool {
        let good = format!("Bearer {}", self.robot.token.expose());
        match self.present(process, address, &good).await {
            None => false,
            Some(Reason::TooManyFailures) => true,
            Some(other) => panic!("{other:?}"),
        }
    }

    /// Waits for up to 10 s, about ten exchanges.
    async fn becomes_slow(&self, process: usize, address: &str) {
        let mut ticks = interval(Duration::from_millis(20));
        for _ in 0..500 {
            ticks.tick().await;
            if self.is_slowed(process, address).await {
                return;
            }
        }
        panic!("process {process} never heard of {address}");
    }
}

/// Keys of one test alone.
fn failures(url: &str) -> RedisFailures {
    RedisFailures::new(url)
        .unwrap()
        .key_prefix(&unique("failures"))
}

#[tokio::test]
async fn edge_06_failures_spread_over_processes_are_one_clients() {
    let fleet = Fleet::new(3, &failures(&redis_url())).await;
    // Fewer than any process alone would mind, and together more than it forgives meanwhile.
    for process in 0..3 {
        fleet.fail(process, ATTACKER, 12).await;
    }
    for process in 0..3 {
        fleet.becomes_slow(process, ATTACKER).await;
        assert!(!fleet.is_slowed(process, VICTIM).await);
        fleet.fail(process, VICTIM, 1).await;
        assert!(!fleet.is_slowed(process, VICTIM).await);
    }
}

#[tokio::test]
async fn edge_06_redis_adds_up_and_tells_of_others() {
    let store = failures(&redis_url());
    let failures = |name: u8, count| Failures {
        bucket: Bucket::from_bytes([name; 16]),
        count,
    };
    let told = store
        .exchange(7, vec![failures(1, 3), failures(0, 1)])
        .await;
    assert!(told.unwrap().contains(&failures(1, 3)));
    let told = store.exchange(7, vec![failures(1, 4)]).await.unwrap();
    assert!(told.contains(&failures(1, 7)) && told.contains(&failures(0, 1)));
    assert_eq!(store.exchange(8, Vec::new()).await.unwrap(), []);
    assert_eq!(
        store.exchange(8, vec![failures(1, 1)]).await.unwrap()[0].count,
        1
    );
    // Of many, those with most; and in any case those that were told.
    let many: Vec<_> = (0..1000_u32)
        .map(|number| Failures {
            bucket: Bucket::from_bytes(u128::from(number + 1000).to_be_bytes()),
            count: 10,
        })
        .collect();
    assert_eq!(store.exchange(9, many).await.unwrap().len(), 2000);
    let told = store.exchange(9, vec![failures(5, 2)]).await.unwrap();
    assert_eq!(told.len(), 1001);
    assert_eq!(told[0], failures(5, 2));
    assert!(told[1..].iter().all(|others| others.count == 10));
}

#[tokio::test]
async fn r21_without_redis_every_process_has_its_own_limits_and_comes_back() {
    let link = Link::to(&redis_url()).await;
    let store = failures(&link.url);
    let fleet = Fleet::new(2, &store).await;
    fleet.fail(0, "192.0.2.1", 14).await;
    fleet.fail(1, "192.0.2.1", 14).await;
    fleet.becomes_slow(1, "192.0.2.1").await;

    link.cut(true);
    assert!(store.exchange(1, Vec::new()).await.is_err());
    for process in 0..2 {
        fleet.fail(process, ATTACKER, 20).await;
        assert!(fleet.is_slowed(process, ATTACKER).await);
        assert!(!fleet.is_slowed(process, VICTIM).await);
    }

    link.cut(false);
    let mut ticks = interval(Duration::from_millis(20));
    let back = async {
        while store.exchange(1, Vec::new()).await.is_err() {
            ticks.tick().await;
        }
    };
    timeout(Duration::from_secs(10), back).await.unwrap();
    fleet.fail(0, VICTIM, 18).await;
    fleet.fail(1, VICTIM, 18).await;
    for process in 0..2 {
        fleet.becomes_slow(process, VICTIM).await;
    }
}

/// A line to Redis that can be cut.
struct Link {
    url: String,
    cut: Arc<watch::Sender<bool>>,
}

impl Link {
    async fn to(url: &str) -> Self {
        let (host, database) = url
            .strip_prefix("redis://")
            .and_then(|rest| rest.split_once('/').or(Some((rest, ""))))
            .expect("MCP_AUTH_TEST_REDIS is redis://host:port");
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await;
        let listener = listener.unwrap();
        let address = listener.local_addr().unwrap();
        let cut = Arc::new(watch::Sender::new(false));
        let (switch, host) = (cut.clone(), host.to_owned());
        // Ends with the runtime of the test.
        tokio::spawn(async move {
            while let Ok((mut from, _)) = listener.accept().await {
                let (mut is_cut, host) = (switch.subscribe(), host.clone());
                tokio::spawn(async move {
                    if *is_cut.borrow() {
                        return;
                    }
                    let mut to = TcpStream::connect(host).await.unwrap();
                    tokio::select! {
                        _ = is_cut.wait_for(|cut| *cut) => {}
                        _ = copy_bidirectional(&mut from, &mut to) => {}
                    }
                });
            }
        });
        Self {
            url: format!("redis://{address}/{database}"),
            cut,
        }
    }

    fn cut(&self, cut: bool) {
        self.cut.send_replace(cut);
    }
}
