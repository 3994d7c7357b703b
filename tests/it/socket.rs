//! Bytes on a TCP socket, without a client library's opinions, against axum behind the layer.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use http::HeaderMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tower_mcp_auth::testing::{TestIssuer, TokenBuilder};
use tower_mcp_auth::{AuthContext, Authenticator, Issuer, McpAuthLayer, ProtectedResource};

struct Server {
    issuer: TestIssuer,
    resource: String,
    address: SocketAddr,
    task: AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Says who called and which headers arrived.
async fn inner(auth: AuthContext, headers: HeaderMap) -> String {
    let mut names: Vec<_> = headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    format!("{}: {}", auth.principal().subject(), names.join(","))
}

impl Server {
    async fn start() -> Self {
        let issuer = TestIssuer::start().await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let resource = format!("http://{address}/mcp");
        let protected = ProtectedResource::new(&resource)
            .issuer(Issuer::new(issuer.url()))
            .baseline_scopes(["read:issues"]);
        let auth = Authenticator::builder(protected).build().unwrap();
        let app = Router::new()
            .route("/mcp", any(inner))
            .layer(McpAuthLayer::new(auth));
        let task = tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            issuer,
            resource,
            address,
            task: task.abort_handle(),
        }
    }

    fn token(&self) -> TokenBuilder {
        self.issuer.token(self.resource.as_str())
    }

    fn metadata_url(&self) -> String {
        let address = self.address;
        format!("http://{address}/.well-known/oauth-protected-resource/mcp")
    }

    /// All requests at once on one connection, and all that comes back until it closes.
    async fn exchange(&self, requests: &[&[&str]]) -> Vec<Reply> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut bytes = String::new();
        for (index, lines) in requests.iter().enumerate() {
            let last = index + 1 == requests.len();
            let host = format!("Host: {}", self.address);
            let connection = if last { "close" } else { "keep-alive" };
            let connection = format!("Connection: {connection}");
            let first = ["POST /mcp HTTP/1.1", &host].into_iter();
            let rest = [&*connection, "Content-Length: 0", "\r\n"];
            let lines = first.chain(lines.iter().copied()).chain(rest);
            bytes += &lines.collect::<Vec<_>>().join("\r\n");
        }
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        let read = tokio::time::timeout(Duration::from_secs(10), read).await;
        read.expect("the server closes the connection").unwrap();
        Reply::split(&answer)
    }

    async fn send(&self, lines: &[&str]) -> Reply {
        let mut replies = self.exchange(&[lines]).await;
        assert_eq!(replies.len(), 1, "{replies:?}");
        replies.remove(0)
    }
}

#[derive(Debug)]
struct Reply {
    /// Status line and header lines, as they came.
    head: Vec<String>,
    body: String,
}

impl Reply {
    fn split(mut bytes: &str) -> Vec<Self> {
        let mut replies = Vec::new();
        while let Some((head, rest)) = bytes.split_once("\r\n\r\n") {
            let head: Vec<_> = head.split("\r\n").map(str::to_owned).collect();
            let length = head
                .iter()
                .find_map(|line| line.strip_prefix("content-length: "))
                .expect("a length");
            let (body, rest) = rest.split_at(length.parse().unwrap());
            bytes = rest;
            let body = body.to_owned();
            replies.push(Self { head, body });
        }
        assert_eq!(bytes, "", "bytes after the last answer");
        replies
    }

    fn status(&self) -> &str {
        &self.head[0]
    }

    fn lines(&self, name: &str) -> Vec<&str> {
        let prefix = format!("{name}: ");
        let lines = self.head.iter().filter_map(|l| l.strip_prefix(&prefix));
        lines.collect()
    }
}

#[tokio::test]
async fn auth_07_prm_18_no_credential_on_the_wire() {
    let server = Server::start().await;
    let reply = server.send(&[]).await;
    assert_eq!(reply.status(), "HTTP/1.1 401 Unauthorized");
    let challenge = format!(
        r#"Bearer resource_metadata="{}", scope="read:issues""#,
        server.metadata_url()
    );
    assert_eq!(reply.lines("www-authenticate"), [challenge]);
    assert_eq!(reply.lines("cache-control"), ["no-store"]);
    assert_eq!(reply.lines("content-type"), ["application/json"]);
    let body: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(body["error"], "authentication_required");
}

#[tokio::test]
async fn jwt_19_prm_18_expired_and_foreign_tokens_on_the_wire() {
    let server = Server::start().await;
    let foreign = server.issuer.token("https://other.example/mcp").sign();
    let expired = server.token().expires_in(-61).sign();
    for (token, description) in [
        (
            expired,
            "The access token expired; refresh it or log in again",
        ),
        (
            foreign,
            "The access token is for another resource; ask its issuer for one with this server as the resource",
        ),
    ] {
        let reply = server
            .send(&[&format!("Authorization: Bearer {token}")])
            .await;
        assert_eq!(reply.status(), "HTTP/1.1 401 Unauthorized");
        let challenge = format!(
            r#"Bearer error="invalid_token", error_description="{description}", resource_metadata="{}""#,
            server.metadata_url()
        );
        assert_eq!(reply.lines("www-authenticate"), [challenge]);
        assert!(!reply.body.contains(&token), "T42: the token is not echoed");
    }
}

// also: T46
#[tokio::test]
async fn mcp_21_a_good_token_lets_the_request_in_and_stays_outside() {
    let server = Server::start().await;
    let good = server.token().sign();
    for line in [
        format!("Authorization: Bearer {good}"),
        format!("AUTHORIZATION: bearer {good}"),
        format!("authorization:\tBearer {good} "),
    ] {
        let reply = server.send(&[&line, "DPoP: proof"]).await;
        assert_eq!(reply.status(), "HTTP/1.1 200 OK", "{line}");
        assert_eq!(reply.body, "alice: connection,content-length,host");
    }
}

#[tokio::test]
async fn auth_11_two_authorization_lines_on_the_wire() {
    let server = Server::start().await;
    let good = format!("Authorization: Bearer {}", server.token().sign());
    let basic = "authorization: Basic YTpi";
    for lines in [[&*good, &*good], [&*good, basic], [basic, &*good]] {
        let reply = server.send(&lines).await;
        assert_eq!(reply.status(), "HTTP/1.1 400 Bad Request", "{lines:?}");
        let challenges = reply.lines("www-authenticate");
        assert_eq!(challenges.len(), 1);
        assert!(
            challenges[0].starts_with(r#"Bearer error="invalid_request""#),
            "{challenges:?}"
        );
    }
}

#[tokio::test]
async fn auth_16_a_connection_is_not_logged_in() {
    let server = Server::start().await;
    let good = format!("Authorization: Bearer {}", server.token().sign());
    let replies = server.exchange(&[&[&good], &[], &[&good]]).await;
    let statuses: Vec<_> = replies.iter().map(Reply::status).collect();
    assert_eq!(
        statuses,
        [
            "HTTP/1.1 200 OK",
            "HTTP/1.1 401 Unauthorized",
            "HTTP/1.1 200 OK"
        ]
    );
}
