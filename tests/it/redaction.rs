//! No credential in logs, answers or `Debug`, and no forged log lines (EDGE-10, T48, T49).

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Empty, Full};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::middleware::RequestBody;
use tower_mcp_auth::testing::{Fault, TestIssuer};
use tower_mcp_auth::{AuthContext, McpAuthLayer};
use tracing::Level;
use tracing::subscriber::DefaultGuard;

use crate::support::{Answer, I, World, post};

/// What a forger puts into a text that might be logged.
const HOSTILE: &str = "x\r\n2026-11-22T00:00:00Z INFO forged\u{1b}[2J\u{202e}\u{2028}y\u{7f}\u{9b}";

/// Everything logged on this thread, from any crate, at any level.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn start() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Every piece of twelve characters of what proves something.
fn pieces(credential: &str) -> Vec<&str> {
    let secret = credential.rsplit('.').next().unwrap();
    (0..secret.len().saturating_sub(11))
        .map(|at| &secret[at..at + 12])
        .collect()
}

/// Sends `credential` as Bearer through an inner service that describes all it can see.
async fn describe(world: &World, credential: &str) -> String {
    let inner = service_fn(|request: Request<RequestBody<Empty<Bytes>>>| async move {
        let auth = request.extensions().get::<AuthContext>().unwrap();
        tracing::trace!(?request, ?auth, "inner");
        let said = format!(
            "{request:?} {auth:?} {:?} {:?}",
            auth.principal(),
            auth.key()
        );
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(said)))
    });
    let service = McpAuthLayer::new(world.auth.clone()).layer(inner);
    let shown = format!("{service:?}");
    let request = post().header("authorization", format!("Bearer {credential}"));
    let future = service.oneshot(request.body(Empty::new()).unwrap());
    let answer = Answer::read(future.await.unwrap()).await;
    let rejection = answer.rejection.as_ref().map(ToString::to_string);
    format!(
        "{shown} {answer:?} {rejection:?} {}",
        String::from_utf8_lossy(&answer.body)
    )
}

#[tokio::test]
async fn edge_10_t48_no_piece_of_a_credential_is_repeated_anywhere() {
    let (log, _guard) = Log::start();
    let world = World::cold().rebuilt(|auth| auth.require_scopes(["read:issues"]));
    let forwarding = World::cold().rebuilt(AuthenticatorBuilder::insecure_forward_credential);
    let down = World::cold();
    down.issuer.fail_all(Fault::Refuse);
    let token = world.token();
    let credentials = [
        token.sign(),
        token.clone().expires_in(-60).sign(),
        token.clone().audience("https://other.example").sign(),
        token.clone().scope("none").sign(),
        token.clone().header("kid", "nobody").sign(),
        token.clone().header("typ", "JWT").sign(),
        token.clone().header("crit", "x").sign(),
        token.clone().claim("iss", 7).sign(),
        token.clone().without("sub").sign(),
        token.clone().tamper(|bytes| bytes[5] ^= 1).sign(),
        token.clone().hmac("secret").sign(),
        token.clone().raw_claims("{").sign(),
        format!("{}=", token.sign()),
        format!("{},", token.sign()),
        "mcps_c4n4ryc4n4ry0123456789abcdef".to_owned(),
    ];
    for credential in &credentials {
        for world in [&world, &world, &down] {
            let seen = describe(world, credential).await;
            for piece in pieces(credential) {
                assert!(!seen.contains(piece), "{piece} in {seen}");
            }
        }
    }
    for _ in ["cold", "warm"] {
        let credential = forwarding.token().sign();
        let seen = describe(&forwarding, &credential).await;
        assert!(seen.contains("\"authorization\": Sensitive"), "{seen}");
        for piece in pieces(&credential) {
            assert!(
                !seen.contains(piece) && !log.text().contains(piece),
                "{piece}"
            );
        }
    }
    let log = log.text();
    for known in [
        "expired",
        "wrong_audience",
        "keys refreshed",
        "TRACE",
        "DEBUG",
        "WARN",
        "inner",
    ] {
        assert!(log.contains(known), "{known} was not captured");
    }
    for credential in &credentials {
        for piece in pieces(credential) {
            assert!(!log.contains(piece), "{piece} in the log");
        }
    }
}

#[tokio::test]
async fn edge_10_the_query_of_a_key_location_is_not_shown() {
    let (log, _guard) = Log::start();
    let world = World::custom(
        |resource| resource,
        |issuer| issuer.jwks_uri(format!("{I}/jwks?api_key=c4n4ry")),
    );
    world.issuer.set_jwks_text("{}");
    let answer = world.bearer(&world.token().sign()).await;
    let cause = answer.rejection.unwrap().cause().unwrap().report();
    assert!(cause.contains("cannot be used"), "{cause}");
    assert!(!cause.contains("c4n4ry"), "{cause}");
    assert!(log.text().contains("keys not refreshed"));
    assert!(!log.text().contains("c4n4ry"), "{}", log.text());
}

/// Each refused request logs why, and needs no good token to be refused.
#[tokio::test]
async fn t49_an_issuer_cannot_fill_the_log_with_its_own_text() {
    let long = "\u{1b}x".repeat(30_000);
    let in_metadata = |member: &'static str| {
        let long = long.clone();
        move |issuer: &TestIssuer| issuer.set_metadata_field(member, long)
    };
    let keys = serde_json::json!({ "keys": long }).to_string();
    fills_no_log(in_metadata("jwks_uri")).await;
    fills_no_log(in_metadata("issuer")).await;
    fills_no_log(|issuer| issuer.set_jwks_text(keys)).await;
}

async fn fills_no_log(spoil: impl FnOnce(&TestIssuer)) {
    let (log, _guard) = Log::start();
    let world = World::cold();
    spoil(&world.issuer);
    for _ in 0..3 {
        let answer = world.bearer(&world.token().sign()).await;
        assert_eq!(answer.code(), "issuer_unavailable");
    }
    let log = log.text();
    assert!(log.contains("keys not refreshed"));
    let ours = log.lines().filter(|line| line.contains("tower_mcp_auth"));
    let longest = ours.map(str::len).max().unwrap();
    assert!(longest < 4096, "{longest}");
    assert!(!log.contains('\u{1b}'));
}

#[tokio::test]
async fn edge_10_a_request_that_waits_for_keys_shows_no_credential() {
    let world = World::cold();
    let token = world.token().sign();
    let request = post()
        .header("authorization", format!("Bearer {token}"))
        .body(Empty::<Bytes>::new())
        .unwrap();
    let mut service = McpAuthLayer::new(world.auth.clone()).layer(world.probe.clone());
    std::future::poll_fn(|cx| Service::<Request<Empty<Bytes>>>::poll_ready(&mut service, cx))
        .await
        .unwrap();
    let waiting = service.call(request);
    let shown = format!(
        "{waiting:?} {service:?} {:?} {:?}",
        world.auth, world.issuer
    );
    assert!(shown.contains("deciding"), "{shown}");
    for piece in pieces(&token) {
        assert!(!shown.contains(piece), "{shown}");
    }
}

#[tokio::test]
async fn t49_nobody_forges_a_log_line() {
    let (log, _guard) = Log::start();
    let world = World::warm().await;
    let hostile = HOSTILE;
    let token = world.token();
    for token in [
        token.clone().header("kid", hostile),
        token.clone().header("typ", hostile),
        token.clone().header("alg", hostile),
        token.clone().header(hostile, 1),
        token.clone().claim("iss", hostile),
        token.clone().claim("sub", hostile),
        token.clone().claim("client_id", hostile),
        token.clone().claim("scope", hostile),
        token.clone().claim("aud", hostile),
        token.clone().claim(hostile, hostile),
        token
            .clone()
            .raw_claims(format!("{{\"a\":1,\"{hostile}\":2}}")),
    ] {
        world.bearer(&token.sign()).await;
    }
    for (name, value) in [
        ("origin", &b"https://evil\xff\xe2\x80\xae.test\t"[..]),
        ("host", b"evil\t\xc2\x9b"),
    ] {
        let value = http::HeaderValue::from_bytes(value).unwrap();
        world.send(Request::post("/mcp").header(name, value)).await;
    }
    let id = "forged\tINFO";
    world.send(post().header("x-request-id", id)).await;
    let log = log.text();
    assert!(
        log.contains("unknown_issuer") && log.contains("origin_not_allowed"),
        "{log}"
    );
    assert_lines_are_ours(&log);
}

#[track_caller]
fn assert_lines_are_ours(log: &str) {
    for line in log.lines() {
        assert!(
            line.contains(" tower_mcp_auth"),
            "of another's making: {line}"
        );
    }
    for bad in [
        '\u{1b}', '\u{202e}', '\u{2028}', '\u{7f}', '\u{9b}', '\r', '\t',
    ] {
        assert!(!log.contains(bad), "{bad:?} in {log:?}");
    }
}

#[tokio::test]
async fn t49_nor_does_the_issuer() {
    let (log, _guard) = Log::start();
    let key = serde_json::json!({"keys": [
        {"kty": HOSTILE, "kid": HOSTILE, "alg": HOSTILE, "use": HOSTILE},
        {"kty": "EC", "crv": HOSTILE, "kid": HOSTILE, "x": HOSTILE, "y": "AA"},
        {"kty": "oct", "kid": HOSTILE, "k": "AAAA"},
    ]});
    let lies: [&dyn Fn(&TestIssuer); 9] = [
        &|issuer| issuer.set_metadata_field("issuer", HOSTILE),
        &|issuer| issuer.set_metadata_field("issuer", serde_json::json!([HOSTILE])),
        &|issuer| issuer.set_metadata_field("jwks_uri", HOSTILE),
        &|issuer| issuer.set_metadata_field("jwks_uri", format!("https://h/{HOSTILE}")),
        &|issuer| issuer.set_metadata_text(HOSTILE),
        &|issuer| issuer.set_metadata_header("content-type", "text/\tforged"),
        &|issuer| issuer.set_jwks_text(format!("{{\"keys\": [{{\"{HOSTILE}\": 1}}]}}")),
        &|issuer| issuer.set_jwks(key.clone()),
        &|issuer| issuer.set_jwks(serde_json::json!({"keys": HOSTILE})),
    ];
    for lie in lies {
        let world = World::cold();
        lie(&world.issuer);
        let answer = world.bearer(&world.token().sign()).await;
        assert_eq!(answer.status, 503, "{:?}", answer.rejection);
        assert!(!answer.body.windows(6).any(|piece| piece == b"forged"));
    }
    let log = log.text();
    assert!(
        log.matches("keys not refreshed").count() >= lies.len(),
        "{log}"
    );
    assert_lines_are_ours(&log);
}
