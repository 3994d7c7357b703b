//! Secrets in use: presented rightly and wrongly, to servers that are well and that are not.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tower::{Layer, ServiceExt, service_fn};
use tower_mcp_auth::audit::{JsonLinesAudit, TracingAudit};
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::middleware::RequestBody;
use tower_mcp_auth::testing::{Fault, TestIssuer};
use tower_mcp_auth::{
    AuthContext, Authenticator, Introspection, Issuer, McpAuthLayer, ProtectedResource, Rejection,
    ToolRules,
};

use crate::canaries::Canaries;
use crate::configured::secret;
use crate::heard::Heard;
use crate::support::{R, post};
use crate::tokens_support::{ADA, Mood, TokenWorld, basic, bearer, damaged, encoded};

const CALL: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"get"}}"#;
const DENIED: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"wipe"}}"#;

fn rules() -> ToolRules {
    ToolRules::new()
        .tool("get", ["read:issues"])
        .tool("wipe", ["admin:all"])
}

/// Describes all it can see, and begins a session.
async fn inner<B>(request: Request<RequestBody<B>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (mut parts, _) = request.into_parts();
    // What a client writes into its own URL is handed on as it is (AUTH-12); a server that logs it shows it.
    parts.uri = http::Uri::from_static("/mcp");
    let auth = parts.extensions.get::<AuthContext>().unwrap();
    tracing::trace!(?parts, ?auth, "inner");
    let said = format!(
        "{parts:?} {auth:#?} {:?} {:?}",
        auth.principal(),
        auth.key()
    );
    let session = secret("inner-session");
    let response = Response::builder().header("mcp-session-id", session);
    Ok(response.body(Full::from(said)).unwrap())
}

/// Sends it, and keeps all that comes back but the session id, which is the client's to have.
async fn send(
    heard: &Heard,
    auth: &Authenticator,
    request: Request<Full<Bytes>>,
    canaries: &mut Canaries,
) {
    let service = McpAuthLayer::new(auth.clone()).layer(service_fn(inner));
    let future = service.oneshot(request);
    let mut response = future.await.unwrap();
    if let Some(id) = response.headers_mut().remove("mcp-session-id") {
        canaries.add(
            "session id",
            id.as_bytes().rsplit(|byte| *byte == b'.').next().unwrap(),
        );
    }
    heard.show(&response);
    if let Some(rejection) = response.extensions().get::<Rejection>() {
        heard.show(rejection);
        heard.say(rejection.to_string());
        if let Some(cause) = rejection.cause() {
            heard.say(cause.report());
            heard.fail(cause);
        }
    }
    let body = response.into_body().collect().await;
    heard.say(
        body.map(http_body_util::Collected::to_bytes)
            .unwrap_or_default(),
    );
}

/// The ways a client may present a credential, or try to.
fn requests(authorization: &str) -> Vec<Request<Full<Bytes>>> {
    let json = || post().header("content-type", "application/json");
    let text = authorization.split(' ').nth(1).unwrap_or("");
    let escaped: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let with = || json().header("authorization", authorization);
    let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#;
    let all = [
        (with(), CALL),
        (with(), DENIED),
        (with(), initialize),
        (with(), "{"),
        (with().header("origin", "https://evil.example"), CALL),
        (with().header("authorization", authorization), CALL),
        (with().header("connection", "authorization"), CALL),
        (
            with().header("mcp-session-id", secret("made-up-session")),
            CALL,
        ),
        (with().header("mcp-name", text), CALL),
        (with().method("GET"), ""),
        (with().header("content-encoding", "gzip"), CALL),
        (with().uri(format!("/mcp?access_token={escaped}")), CALL),
        (json().uri(format!("/mcp?access_token={escaped}")), CALL),
        (json().header("cookie", text), CALL),
        (
            json().header("authorization", format!("Negotiate {text}")),
            CALL,
        ),
        (
            json().header("authorization", format!("{authorization},x")),
            CALL,
        ),
        (
            json().header("authorization", format!("{authorization}=")),
            CALL,
        ),
        (json().header("authorization", text), CALL),
        (json().header("x-api-key", text), CALL),
    ];
    let sent = all
        .into_iter()
        .map(|(request, body)| request.body(Full::from(body)));
    sent.filter_map(Result::ok).collect()
}

/// Good and bad credentials of every kind; each is a secret from now on.
fn credentials(world: &TokenWorld, canaries: &mut Canaries) -> Vec<String> {
    let token = world.access_token();
    let tokens = [
        token.sign(),
        token.clone().expires_in(-600).sign(),
        token.clone().audience("https://other.example").sign(),
        token.clone().scope("none").sign(),
        token.clone().header("kid", "nobody").sign(),
        token.clone().header("typ", "JWT").sign(),
        token.clone().header("crit", "x").sign(),
        token
            .clone()
            .claim("iss", "https://stranger.example")
            .sign(),
        token.clone().claim("org_id", 7).sign(),
        token.clone().without("sub").sign(),
        token.clone().tamper(|bytes| bytes[5] ^= 1).sign(),
        token.clone().hmac("secret").sign(),
        token.clone().unsigned().sign(),
        token.clone().raw_claims("{").sign(),
        token
            .clone()
            .claim("cnf", serde_json::json!({"jkt": "x"}))
            .sign(),
    ];
    let mut all = Vec::new();
    for token in tokens {
        canaries.add_parts("access token", &token);
        all.push(format!("Bearer {token}"));
        all.push(format!("DPoP {token}"));
    }
    for issued in [
        &world.acme_user,
        &world.globex_user,
        &world.acme_key,
        &world.globex_key,
    ] {
        let (whole, broken) = (issued.token.expose(), damaged(issued));
        canaries.add_token("API token", whole);
        all.extend([
            bearer(issued),
            basic(ADA, issued),
            basic("mallory@evil.example", issued),
        ]);
        all.extend([
            format!("Bearer {broken}"),
            encoded(format!("{ADA}:{broken}")),
        ]);
        all.push(encoded(whole));
        all.push(format!("Basic {ADA}:{whole}"));
        all.push(encoded(format!("{ADA}:{whole}\n")));
    }
    for name in ["password", "opaque"] {
        canaries.add("password", secret(name));
        all.push(encoded(format!("{ADA}:{}", secret(name))));
        all.push(format!("Bearer {}", secret(name)));
    }
    all
}

fn settings(heard: &Heard, builder: AuthenticatorBuilder) -> AuthenticatorBuilder {
    let lines = JsonLinesAudit::new(heard.said_ear()).unwrap();
    let builder = builder
        .tools(rules())
        .session_key(secret("session"))
        .audit(lines);
    let builder = builder.audit_key(secret("audit"));
    #[cfg(feature = "dpop")]
    let builder = builder.dpop(tower_mcp_auth::dpop::Dpop::new().nonces(secret("nonces")));
    builder
}

/// Every credential in every way while all is well, with everything it needs down, and where the
/// credential is handed on.
pub async fn in_process(heard: &Heard, canaries: &mut Canaries) {
    for name in ["inner-session", "made-up-session"] {
        canaries.add("session", secret(name));
    }
    let well = TokenWorld::with(|builder, _| settings(heard, builder)).await;
    let logging =
        TokenWorld::with(|builder, _| builder.tools(rules()).audit(TracingAudit::new())).await;
    let forwarding =
        TokenWorld::with(|builder, _| settings(heard, builder).insecure_forward_credential()).await;
    for world in [&well, &logging, &forwarding] {
        for (number, credential) in credentials(world, canaries).iter().enumerate() {
            // Whoever fails too often would only be told to wait.
            world.clock.advance(Duration::from_millis(
                3000 * u64::try_from(number % 2).unwrap(),
            ));
            for request in requests(credential) {
                send(heard, &world.auth, request, canaries).await;
            }
        }
        let records = world.audit.take();
        for record in &records {
            heard.say(record.to_json());
        }
        heard.show(&records);
        heard.show(&world.auth);
        heard.show(&world.auth.handle());
        heard.show(&world.issuer);
    }
    for mood in [Mood::Down, Mood::Panics] {
        let world = TokenWorld::with(|builder, _| settings(heard, builder)).await;
        world.store.faults.set(mood);
        world.policies.faults.set(mood);
        world.issuer.fail_all(Fault::Html);
        for credential in credentials(&world, canaries) {
            for request in requests(&credential).into_iter().take(2) {
                send(heard, &world.auth, request, canaries).await;
            }
        }
    }
    #[cfg(feature = "dpop")]
    bound(heard, canaries, &well).await;
}

#[cfg(feature = "dpop")]
async fn bound(heard: &Heard, canaries: &mut Canaries, world: &TokenWorld) {
    use tower_mcp_auth::clock::Clock;
    use tower_mcp_auth::testing::DpopKey;

    let key = DpopKey::generate();
    let token = world.access_token().dpop_key(&key).sign();
    canaries.add_parts("bound token", &token);
    let now = world.clock.now();
    let good = || key.proof("POST", R, &token).at(now);
    for proof in [
        good(),
        good().tamper(),
        good().without("ath"),
        good().at(now.plus_secs(-4000)),
        good().header("typ", "x"),
        good().nonce(secret("made-up-nonce")),
        DpopKey::generate().proof("POST", R, &token).at(now),
    ] {
        let proof = proof.sign();
        // What a proof says is public; what proves it is not.
        canaries.add("proof", proof.rsplit('.').next().unwrap());
        for _ in 0..2 {
            let request = post()
                .header("authorization", format!("DPoP {token}"))
                .header("dpop", &proof);
            let request = request
                .header("content-type", "application/json")
                .body(Full::from(CALL));
            send(heard, &world.auth, request.unwrap(), canaries).await;
        }
    }
}

/// The same with real connections: to an issuer that is asked about opaque tokens, and from clients.
pub async fn over_sockets(heard: &Heard, canaries: &mut Canaries) {
    let id = secret("introspecting");
    canaries.add("introspection", &id);
    let issuer = TestIssuer::builder()
        .client("mcp", &id)
        .start()
        .await
        .unwrap();
    let ways = [
        Introspection::new().client_secret_basic("mcp", &id),
        Introspection::new().client_secret_post("mcp", &id),
        Introspection::new().client_secret_basic("nobody", &id),
    ];
    for way in ways {
        let resource =
            ProtectedResource::new(R).issuer(Issuer::new(issuer.url()).introspection(way));
        let builder = Authenticator::builder(resource)
            .tools(rules())
            .audit(TracingAudit::new());
        let auth = builder.build().unwrap();
        let service = McpAuthLayer::new(auth.clone()).layer(service_fn(inner));
        let server = crate::server::Loopback::serve(service);
        let mut all = Vec::new();
        for token in [
            issuer.token(R),
            issuer.token("https://other.example"),
            issuer.token(R).expires_in(-900),
        ] {
            let (signed, opaque) = (token.sign(), token.opaque());
            canaries.add_parts("access token", &signed);
            canaries.add("opaque token", &opaque);
            all.extend([signed, opaque]);
        }
        for fault in [
            None,
            Some(Fault::Status(500)),
            Some(Fault::Html),
            Some(Fault::Refuse),
        ] {
            if let Some(fault) = fault {
                issuer.fail_all(fault);
            }
            for token in &all {
                for version in [1, 2] {
                    ask(heard, server.address, version, token).await;
                }
            }
        }
        issuer.heal();
    }
}

/// One request over a connection of its own.
async fn ask(heard: &Heard, address: std::net::SocketAddr, version: u8, token: &str) {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let mut value = http::HeaderValue::try_from(format!("Bearer {token}")).unwrap();
    // What the client here logs is its own affair; what it says on the wire is the same.
    value.set_sensitive(true);
    let request = Request::post("http://mcp.example.com/mcp").header("host", "mcp.example.com");
    let request = request
        .header("content-type", "application/json")
        .header("authorization", value);
    let request = request.body(Full::<Bytes>::from(CALL)).unwrap();
    let response = if version == 1 {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await
    } else {
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await;
        let (mut sender, connection) = handshake.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await
    };
    let mut response = response.unwrap();
    response.headers_mut().remove("mcp-session-id");
    heard.show(&response);
    heard.say(response.into_body().collect().await.unwrap().to_bytes());
}
