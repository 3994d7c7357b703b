//! What the one who watches the fleet has in hand: credentials, changes, and requests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::sleep;
use tower_mcp_auth::api_token::NewToken;
use tower_mcp_auth::testing::TestIssuer;

use super::BoxError;
use super::change::{Admin, Change};
use super::server::{ADMIN_KEY, RESOURCE, Settings};

/// How often a change is tried again that an outage came between, and how long it takes until then.
const ATTEMPTS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// How an answer of a server is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    Refused,
    /// 503, or no answer: not let in, and nothing said about the credential.
    Unavailable,
}

pub(crate) struct World {
    pub(crate) admin: Admin,
    pub(crate) servers: Vec<String>,
    issuer: TestIssuer,
    client: Client,
    admin_key: String,
    pub(crate) requests: AtomicU64,
    /// Why changes had to be tried again, and how often.
    retried: Mutex<BTreeMap<String, u64>>,
}

impl World {
    /// `servers` are addresses with their ports.
    pub(crate) async fn new(
        settings: &Settings,
        issuer: TestIssuer,
        servers: &[String],
    ) -> Result<Self, BoxError> {
        let store = settings.store().await?;
        let tokens = settings.tokens(&store);
        let client = Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(5))
            .build()?;
        Ok(Self {
            admin: Admin {
                store,
                tokens,
                issuer: settings.issuer.clone(),
                handle: None,
            },
            servers: servers.iter().map(|at| format!("http://{at}")).collect(),
            issuer,
            client,
            admin_key: settings.admin_key.clone(),
            requests: AtomicU64::new(0),
            retried: Mutex::default(),
        })
    }

    /// A service-account key: its id and its text.
    pub(crate) async fn key(&self, organization: &str) -> Result<(String, String), BoxError> {
        let mut attempt = 0;
        loop {
            let wish = NewToken::service_account(organization, "bot").created_by("fleet");
            match self.admin.tokens.issue(wish.scopes(["read:issues"])).await {
                Ok(issued) => {
                    let id = issued.record.id().to_string();
                    return Ok((id, issued.token.expose().to_owned()));
                }
                Err(error) if attempt == ATTEMPTS => return Err(error.into()),
                Err(_) => attempt += 1,
            }
            sleep(PAUSE).await;
        }
    }

    /// An access token, good for two hours.
    pub(crate) fn access_token(&self, organization: &str, subject: &str, client: &str) -> String {
        let token = self.issuer.token(RESOURCE).subject(subject).client(client);
        let token = token.claim("org_id", organization).scope("read:issues");
        token.expires_in(7200).sign()
    }

    /// Presents a credential to one server.
    pub(crate) async fn present(&self, server: &str, credential: &str) -> Verdict {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "whoami"}});
        let request = self.client.post(format!("{server}/mcp"));
        match request.bearer_auth(credential).json(&call).send().await {
            Ok(answer) => match answer.status().as_u16() {
                200 => Verdict::Accepted,
                401 | 403 => Verdict::Refused,
                _ => Verdict::Unavailable,
            },
            Err(_) => Verdict::Unavailable,
        }
    }

    /// Makes a change on one server, or with none of them, and says when the attempt began that
    /// succeeded: the commit is later.
    pub(crate) async fn make(
        &self,
        change: &Change,
        server: Option<&str>,
    ) -> Result<Instant, BoxError> {
        let mut attempt = 0;
        loop {
            let began = Instant::now();
            let made = match server {
                Some(server) => self.ask(server, change).await,
                None => self.admin.make(change).await,
            };
            match made {
                Ok(()) => return Ok(began),
                Err(error) if attempt == ATTEMPTS => return Err(error),
                Err(error) => {
                    attempt += 1;
                    let mut retried = self.retried.lock().unwrap_or_else(PoisonError::into_inner);
                    *retried.entry(error.to_string()).or_default() += 1;
                }
            }
            sleep(PAUSE).await;
        }
    }

    pub(crate) fn retried(&self) -> BTreeMap<String, u64> {
        let retried = self.retried.lock().unwrap_or_else(PoisonError::into_inner);
        retried.clone()
    }

    async fn ask(&self, server: &str, change: &Change) -> Result<(), BoxError> {
        let request = self.client.post(format!("{server}/admin"));
        let request = request.header(ADMIN_KEY, &self.admin_key).json(change);
        let answer = request.send().await?;
        match answer.status().as_u16() {
            200 => Ok(()),
            status => Err(format!("{status}: {}", answer.text().await?.trim_end()).into()),
        }
    }

    /// What each server says of itself.
    pub(crate) async fn health(&self) -> Result<Vec<Value>, BoxError> {
        let mut all = Vec::new();
        for server in &self.servers {
            let request = self.client.get(format!("{server}/healthz"));
            all.push(request.send().await?.json().await?);
        }
        Ok(all)
    }
}
