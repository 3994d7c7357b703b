//! Calls of the MCP server, so that there is something to watch.

use std::time::Duration;

use serde_json::json;
use tower_mcp_auth::testing::TestIssuer;

use super::desk::Desk;
use super::server::BoxError;
use super::time::Time;

/// Time between two calls.
const PAUSE: Duration = Duration::from_secs(4);

/// A client that acme knows, one that the operator supports, and one that nobody does.
const OWN: &str = "https://chat.acme.example/client.json";
const SUPPORTED: &str = "https://assistant.example/client.json";
const UNKNOWN: &str = "https://notes.example/client.json";

pub(crate) struct Traffic {
    http: reqwest::Client,
    issuer: TestIssuer,
    mcp: String,
    /// Of acme's build bot.
    key: String,
    time: Time,
}

/// Who calls what.
enum Call {
    /// Subject, organization, client, scopes.
    Person([&'static str; 4], &'static str),
    Key(&'static str),
}

const ROUND: [Call; 8] = [
    Call::Key("searchIssues"),
    Call::Person(["adam", "acme", OWN, "read:issues"], "searchIssues"),
    Call::Person(["adam", "acme", SUPPORTED, "read:pages"], "readPage"),
    Call::Person(["anna", "acme", UNKNOWN, "read:issues"], "searchIssues"),
    Call::Person(["anna", "acme", OWN, "write:issues"], "createIssue"),
    Call::Person(["gina", "globex", SUPPORTED, "read:issues"], "searchIssues"),
    Call::Key("createIssue"),
    Call::Person(["adam", "acme", SUPPORTED, "read:pages"], "deletePage"),
];

impl Traffic {
    pub(crate) fn new(desk: &Desk, issuer: TestIssuer, key: String) -> Result<Self, BoxError> {
        Ok(Self {
            http: reqwest::Client::builder().no_proxy().build()?,
            issuer,
            mcp: desk.mcp.clone(),
            key,
            time: desk.time.clone(),
        })
    }

    /// Until it is stopped.
    pub(crate) async fn forever(self) {
        for call in ROUND.iter().cycle() {
            if let Err(error) = self.send(call).await {
                tracing::warn!(error, "a call of the demo got no answer");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// One round, during which a clock that stands is set forward.
    pub(crate) async fn once(&self) -> Result<(), BoxError> {
        for (call, seconds) in ROUND.iter().zip([7, 12, 5, 31, 9, 18, 44, 3]) {
            if let Time::Standing(clock) = &self.time {
                clock.advance(Duration::from_secs(seconds));
            }
            self.send(call).await?;
        }
        Ok(())
    }

    async fn send(&self, call: &Call) -> Result<(), BoxError> {
        let (credential, tool) = match call {
            Call::Key(tool) => (self.key.clone(), tool),
            Call::Person(person, tool) => (self.token(person), tool),
        };
        let message = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool},
        });
        let request = self.http.post(&self.mcp).bearer_auth(credential);
        let request = request.header("accept", "application/json, text/event-stream");
        request.json(&message).send().await?; // whatever the answer is: the audit has it
        Ok(())
    }

    /// An access token, as the issuer would give it to a client.
    fn token(&self, [subject, organization, client, scopes]: &[&str; 4]) -> String {
        let token = self.issuer.token(&*self.mcp).subject(*subject);
        let token = token.claim("org_id", *organization).client(*client);
        token.scope(*scopes).sign()
    }
}
