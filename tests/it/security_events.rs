//! Security event tokens pushed to this server (R30; RFC 8935, RFC 8417, CAEP, RISC).

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_mcp_auth::events::{SecurityEventReceiver, Transmitter};
use tower_mcp_auth::revocation::{MemoryRevocationLog, RevocationLog};
use tower_mcp_auth::testing::{Endpoint, Fault, TestIssuer, TokenBuilder};
use tower_mcp_auth::{Issuer, SigningAlgorithm};

use crate::support::{Answer, I, NOW, R, World};

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";

struct Receiving {
    world: World,
    receiver: SecurityEventReceiver,
}

impl Receiving {
    async fn new() -> Self {
        Self::of(World::warm().await)
    }

    fn of(world: World) -> Self {
        let receiver = SecurityEventReceiver::new(&world.auth, [Issuer::new(I)]).unwrap();
        Self { world, receiver }
    }

    /// A perfect token without events.
    fn bare(&self) -> TokenBuilder {
        set(&self.world.issuer)
    }

    fn event(&self, uri: impl Into<String>, event: &Value) -> TokenBuilder {
        self.bare().claim("events", json!({uri.into(): event}))
    }

    /// That the session of a subject was revoked.
    fn session_revoked(&self, subject: &str) -> TokenBuilder {
        self.event(format!("{CAEP}session-revoked"), &json!({}))
            .claim("sub_id", iss_sub(subject))
    }

    async fn push(&self, token: impl Into<Bytes>) -> Answer {
        self.post(Some("application/secevent+jwt"), token).await
    }

    async fn post(&self, media_type: Option<&str>, token: impl Into<Bytes>) -> Answer {
        let mut request = Request::post("/events");
        if let Some(media_type) = media_type {
            request = request.header("content-type", media_type);
        }
        let request = request.body(Full::new(token.into())).unwrap();
        Answer::read(self.receiver.clone().oneshot(request).await.unwrap()).await
    }

    #[track_caller]
    fn access_token(&self, subject: &str) -> String {
        self.world.token().subject(subject).sign()
    }
}

fn set(issuer: &TestIssuer) -> TokenBuilder {
    let token = issuer.token(R).header("typ", "secevent+jwt");
    ["sub", "client_id", "scope", "exp"]
        .into_iter()
        .fold(token, TokenBuilder::without)
}

fn iss_sub(subject: &str) -> Value {
    json!({"format": "iss_sub", "iss": I, "sub": subject})
}

#[track_caller]
fn assert_error(answer: &Answer, error: &str) {
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{:?}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let body = answer.json();
    assert_eq!(body["err"], error, "{body}");
    assert!(
        body["description"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    );
}

#[tokio::test]
async fn r30_a_revoked_session_ends_what_its_subject_holds() {
    let site = Receiving::new().await;
    let [alice, bob] = ["alice", "bob"].map(|subject| site.access_token(subject));
    for token in [&alice, &bob] {
        site.world.bearer(token).await.assert_let_in();
    }
    let answer = site.push(site.session_revoked("alice").sign()).await;
    assert_eq!(
        (answer.status, answer.body.len()),
        (StatusCode::ACCEPTED, 0)
    );
    site.world
        .bearer(&alice)
        .await
        .assert_invalid_token("revoked");
    site.world.bearer(&bob).await.assert_let_in();
    site.world.clock.advance(Duration::from_secs(1));
    let again = site.access_token("alice");
    site.world.bearer(&again).await.assert_let_in();
}

#[tokio::test]
async fn r30_each_event_ends_what_it_says_and_no_more() {
    let cases = [
        (CAEP, "session-revoked", json!({}), true),
        (
            CAEP,
            "credential-change",
            json!({"change_type": "revoke", "credential_type": "password"}),
            true,
        ),
        (
            CAEP,
            "credential-change",
            json!({"change_type": "update"}),
            true,
        ),
        (
            CAEP,
            "credential-change",
            json!({"change_type": "delete"}),
            true,
        ),
        (
            CAEP,
            "credential-change",
            json!({"change_type": "create"}),
            false,
        ),
        (CAEP, "token-claims-change", json!({"claims": {}}), false),
        (CAEP, "session-established", json!({}), false),
        (
            RISC,
            "account-disabled",
            json!({"reason": "hijacking"}),
            true,
        ),
        (RISC, "account-purged", json!({}), true),
        (
            RISC,
            "credential-compromise",
            json!({"credential_type": "password"}),
            true,
        ),
        (RISC, "sessions-revoked", json!({}), true),
        (RISC, "account-enabled", json!({}), false),
        (
            "https://elsewhere.example/",
            "session-revoked",
            json!({}),
            false,
        ),
    ];
    for (family, name, event, ends) in cases {
        let site = Receiving::new().await;
        let token = site.event(format!("{family}{name}"), &event);
        let token = token.claim("sub_id", iss_sub("alice"));
        let answer = site.push(token.sign()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{name} {event}");
        let code = site.world.bearer(&site.access_token("alice")).await.code();
        assert_eq!(code == "revoked", ends, "{name} {event}");
    }
}

#[tokio::test]
async fn r30_a_subject_in_every_form_that_means_something() {
    let aliases = json!({"format": "aliases", "identifiers": [
        {"format": "email", "email": "alice@acme.example"}, iss_sub("alice")
    ]});
    let complex =
        json!({"format": "complex", "user": aliases, "session": {"format": "opaque", "id": "s"}});
    let draft = json!({"subject_type": "iss-sub", "iss": I, "sub": "alice"});
    let token = json!({"format": "jwt_id", "iss": I, "jti": "j-1"});
    for subject in [
        iss_sub("alice"),
        aliases,
        complex.clone(),
        draft,
        token,
        json!({"user": iss_sub("alice")}),
    ] {
        for in_event in [false, true] {
            let site = Receiving::new().await;
            let uri = format!("{CAEP}session-revoked");
            let set = if in_event {
                site.event(uri, &json!({"subject": subject}))
            } else {
                site.event(uri, &json!({})).claim("sub_id", subject.clone())
            };
            let mine = site.world.token().claim("jti", "j-1").sign();
            let bobs = site.access_token("bob");
            assert_eq!(
                site.push(set.sign()).await.status,
                StatusCode::ACCEPTED,
                "{subject}"
            );
            assert_eq!(
                site.world.bearer(&mine).await.code(),
                "revoked",
                "{subject}"
            );
            site.world.bearer(&bobs).await.assert_let_in();
        }
    }
}

#[tokio::test]
async fn r30_a_subject_that_means_nothing_is_said_to_the_transmitter() {
    let site = Receiving::new().await;
    let bad = [
        json!({"format": "email", "email": "alice@acme.example"}),
        json!({"format": "opaque", "id": "alice"}),
        json!({"format": "iss_sub", "iss": "https://elsewhere.example", "sub": "alice"}),
        json!({"format": "iss_sub", "sub": "alice"}),
        json!({"format": "iss_sub", "iss": I, "sub": ""}),
        json!({"format": "jwt_id", "iss": I}),
        json!({"format": "complex", "session": {"format": "opaque", "id": "s"}}),
        json!({"format": "aliases", "identifiers": []}),
        json!({"user": {"user": {"user": {"user": iss_sub("alice")}}}}),
        json!("alice"),
        json!(null),
    ];
    let event = || site.event(format!("{CAEP}session-revoked"), &json!({}));
    for subject in bad {
        let token = event().claim("sub_id", subject.clone());
        let answer = site.push(token.sign()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{subject}");
        assert_error(&answer, "invalid_request");
    }
    assert_error(&site.push(event().sign()).await, "invalid_request");
    let two = site.event(
        format!("{CAEP}session-revoked"),
        &json!({"subject": iss_sub("bob")}),
    );
    let two = two.claim("sub_id", iss_sub("alice"));
    assert_error(&site.push(two.sign()).await, "invalid_request");
    let vague = site.event(format!("{CAEP}credential-change"), &json!({}));
    let vague = vague.claim("sub_id", iss_sub("alice"));
    assert_error(&site.push(vague.sign()).await, "invalid_request");
    // One bad event, and nothing of the token is done.
    let both = site.bare().claim("sub_id", iss_sub("alice")).claim(
        "events",
        json!({format!("{CAEP}session-revoked"): {}, format!("{CAEP}credential-change"): {}}),
    );
    assert_error(&site.push(both.sign()).await, "invalid_request");
    assert_eq!(site.world.auth.revocations(), 0);
}

#[tokio::test]
async fn r30_what_is_no_good_is_refused_with_the_code_of_rfc_8935() {
    let site = Receiving::new().await;
    let good = || site.session_revoked("alice");
    let stranger = TestIssuer::builder()
        .url("https://elsewhere.example")
        .clock(site.world.clock.clone())
        .algorithms([SigningAlgorithm::Es256])
        .in_process();
    let forged = TestIssuer::builder()
        .url(I)
        .clock(site.world.clock.clone())
        .algorithms([SigningAlgorithm::Es256])
        .key_id(site.world.issuer.signing_kid())
        .in_process();
    let events = json!({format!("{CAEP}session-revoked"): {}});
    let of = |issuer: &TestIssuer| {
        set(issuer)
            .claim("events", events.clone())
            .claim("sub_id", iss_sub("alice"))
    };
    let cases = [
        (
            "typ at+jwt",
            good().header("typ", "at+jwt"),
            "invalid_request",
        ),
        ("typ JWT", good().header("typ", "JWT"), "invalid_request"),
        ("no typ", good().without_header("typ"), "invalid_request"),
        (
            "typ logout+jwt",
            good().header("typ", "logout+jwt"),
            "invalid_request",
        ),
        ("no events", site.bare(), "invalid_request"),
        (
            "events no object",
            site.bare().claim("events", json!([])),
            "invalid_request",
        ),
        ("no jti", good().without("jti"), "invalid_request"),
        ("jti empty", good().claim("jti", ""), "invalid_request"),
        ("no iat", good().without("iat"), "invalid_request"),
        ("iat in the future", good().issued_in(31), "invalid_request"),
        (
            "iat a week old",
            good().issued_in(-7 * 86_400 - 1),
            "invalid_request",
        ),
        ("expired", good().claim("exp", NOW - 31), "invalid_request"),
        (
            "toe no number",
            good().claim("toe", "now"),
            "invalid_request",
        ),
        (
            "aud of another",
            good().audience("https://other.example"),
            "invalid_audience",
        ),
        ("no aud", good().without("aud"), "invalid_audience"),
        ("iss of another", of(&stranger), "invalid_issuer"),
        (
            "iss in a list",
            good().claim("iss", json!([I])),
            "invalid_request",
        ),
        (
            "signature",
            good().tamper(|signature| signature[5] ^= 1),
            "authentication_failed",
        ),
        ("forged", of(&forged), "authentication_failed"),
        ("unknown key", good().header("kid", "k-9"), "invalid_key"),
        ("none", good().unsigned(), "invalid_key"),
        ("HMAC", good().hmac("secret"), "invalid_key"),
        ("jwk", good().header("jwk", json!({})), "invalid_key"),
        (
            "crit",
            good().header("crit", json!(["exp"])),
            "invalid_request",
        ),
    ];
    for (name, token, error) in cases {
        let answer = site.push(token.sign()).await;
        assert_eq!(answer.json()["err"], error, "{name}");
        assert_error(&answer, error);
    }
    for garbage in ["", "a.b", "a.b.c", "a.b.c.d.e", "\u{1f511}"] {
        assert_error(&site.push(garbage).await, "invalid_request");
    }
    assert_error(&site.push(&b"\xff.\xff.\xff"[..]).await, "invalid_request");
    assert_eq!(site.world.auth.revocations(), 0);
    assert_eq!(site.push(good().sign()).await.status, StatusCode::ACCEPTED);
}

/// Neither is the other, with everything else as it should be.
#[tokio::test]
async fn r30_an_access_token_is_no_event_and_an_event_no_access_token() {
    let site = Receiving::new().await;
    let events = json!({format!("{CAEP}session-revoked"): {}});
    let both = || site.world.token().claim("events", events.clone());
    let access_token = both().claim("sub_id", iss_sub("alice"));
    assert_error(&site.push(access_token.sign()).await, "invalid_request");
    assert_error(
        &site.push(site.access_token("alice")).await,
        "invalid_request",
    );
    let event = access_token.clone().header("typ", "secevent+jwt");
    assert_eq!(
        site.world.bearer(&event.sign()).await.code(),
        "wrong_token_type"
    );
    assert_eq!(
        site.world.bearer(&access_token.sign()).await.code(),
        "wrong_token_type"
    );
}

#[tokio::test]
async fn r30_a_replay_or_a_late_delivery_ends_no_newer_login() {
    let site = Receiving::new().await;
    let token = site.session_revoked("alice").sign();
    let late = site.session_revoked("alice").sign();
    let told = json!({"event_timestamp": NOW, "reason_admin": {"en": "left"}});
    let told = site.event(format!("{CAEP}session-revoked"), &told);
    let told = told.claim("sub_id", iss_sub("alice")).issued_in(60);
    let before = site.access_token("alice");
    assert_eq!(site.push(token.clone()).await.status, StatusCode::ACCEPTED);
    site.world.clock.advance(Duration::from_secs(60));
    let newer = site.access_token("alice");
    let told = told.issued_in(0).sign();
    for again in [token, late, told] {
        assert_eq!(site.push(again).await.status, StatusCode::ACCEPTED);
        site.world
            .bearer(&before)
            .await
            .assert_invalid_token("revoked");
        site.world.bearer(&newer).await.assert_let_in();
    }
    // Nor does one that says it happened tomorrow end what comes after it.
    let tomorrow = json!({"event_timestamp": NOW + 86_400});
    let tomorrow = site.event(format!("{CAEP}session-revoked"), &tomorrow);
    let tomorrow = tomorrow.claim("sub_id", iss_sub("alice")).sign();
    assert_eq!(site.push(tomorrow).await.status, StatusCode::ACCEPTED);
    site.world
        .bearer(&newer)
        .await
        .assert_invalid_token("revoked");
    site.world.clock.advance(Duration::from_secs(1));
    site.world
        .bearer(&site.access_token("alice"))
        .await
        .assert_let_in();
}

#[tokio::test]
async fn r30_a_replay_is_not_written_again() {
    let log = MemoryRevocationLog::new();
    let world = World::cold().rebuilt(|builder| builder.revocations(log.clone()));
    let site = Receiving::of(world.warmed().await);
    let token = site.session_revoked("alice").sign();
    for _ in 0..3 {
        assert_eq!(site.push(token.clone()).await.status, StatusCode::ACCEPTED);
    }
    let written = log.read_since(0, 10).await.unwrap();
    assert_eq!(written.len(), 1);
    assert!(
        written[0]
            .1
            .reason
            .as_ref()
            .unwrap()
            .starts_with("session-revoked, ")
    );
}

#[tokio::test]
async fn r30_what_is_no_push_is_told_so() {
    let site = Receiving::new().await;
    let token = site.session_revoked("alice").sign();
    for media_type in [
        None,
        Some("application/jwt"),
        Some("application/json"),
        Some(""),
    ] {
        assert_error(
            &site.post(media_type, token.clone()).await,
            "invalid_request",
        );
    }
    let request = Request::get("/events")
        .body(Full::<Bytes>::default())
        .unwrap();
    let answer = Answer::read(site.receiver.clone().oneshot(request).await.unwrap()).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.header("allow"), Some("POST"));
    let encoded = Request::post("/events")
        .header("content-type", "application/secevent+jwt")
        .header("content-encoding", "gzip")
        .body(Full::<Bytes>::from(token.clone()))
        .unwrap();
    let answer = Answer::read(site.receiver.clone().oneshot(encoded).await.unwrap()).await;
    assert_error(&answer, "invalid_request");
    let long = site.push("x".repeat(64 * 1024 + 1)).await;
    assert_eq!(long.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(long.json()["err"], "invalid_request");
    assert_eq!(site.world.auth.revocations(), 0);
    let media_type = Some("Application/SecEvent+JWT; charset=us-ascii");
    assert_eq!(
        site.post(media_type, token).await.status,
        StatusCode::ACCEPTED
    );
}

#[tokio::test]
async fn r30_our_outage_is_503_and_the_transmitter_tries_again() {
    let site = Receiving::of(World::cold());
    site.world.issuer.fail(Endpoint::Jwks, Fault::Status(500));
    let token = site.session_revoked("alice").sign();
    let answer = site.push(token.clone()).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        answer
            .header("retry-after")
            .unwrap()
            .parse::<u64>()
            .unwrap()
            >= 1
    );
    site.world.issuer.heal();
    site.world.clock.advance(Duration::from_secs(60));
    assert_eq!(site.push(token).await.status, StatusCode::ACCEPTED);
    assert_eq!(site.world.auth.revocations(), 1);
}

/// A log that takes nothing.
#[derive(Clone)]
struct DiskFull;

impl RevocationLog for DiskFull {
    async fn append(
        &self,
        _: tower_mcp_auth::revocation::RevocationEntry,
    ) -> Result<u64, tower_mcp_auth::BackendError> {
        Err(tower_mcp_auth::BackendError::new("disk full"))
    }

    async fn read_since(
        &self,
        _: u64,
        _: usize,
    ) -> Result<Vec<(u64, tower_mcp_auth::revocation::RevocationEntry)>, tower_mcp_auth::BackendError>
    {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn r30_what_the_log_does_not_take_is_not_accepted() {
    let world = World::cold().rebuilt(|builder| builder.revocations(DiskFull));
    let site = Receiving::of(world.warmed().await);
    let token = site.session_revoked("alice").sign();
    for _ in 0..2 {
        let answer = site.push(token.clone()).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.body.is_empty());
    }
    assert_eq!(site.world.auth.revocations(), 0);
}

#[tokio::test]
async fn r30_a_transmitter_of_its_own_speaks_for_whom_it_may() {
    const OWN: &str = "https://events.example.com";
    let world = World::cold();
    let own = TestIssuer::builder()
        .url(OWN)
        .clock(world.clock.clone())
        .algorithms([SigningAlgorithm::Es256])
        .in_process();
    let fetch = {
        let (events, issuer) = (own.fetch(), world.issuer.fetch());
        tower::service_fn(move |request: Request<_>| {
            let is_own = request.uri().host() == Some("events.example.com");
            let chosen = if is_own { &events } else { &issuer };
            chosen.clone().oneshot(request)
        })
    };
    let world = world.rebuilt(|builder| builder.fetch(fetch)).warmed().await;
    let transmitter = || Transmitter::new(Issuer::new(OWN).audience("receiver-7"));
    let receiving = |transmitter| SecurityEventReceiver::new(&world.auth, [transmitter]).unwrap();
    let token = set(&own)
        .audience("receiver-7")
        .claim("events", json!({format!("{CAEP}session-revoked"): {}}))
        .claim("sub_id", iss_sub("alice"));
    let push = async |receiver: SecurityEventReceiver| {
        let request = Request::post("/events").header("content-type", "application/secevent+jwt");
        let request = request.body(Full::<Bytes>::from(token.sign())).unwrap();
        Answer::read(receiver.oneshot(request).await.unwrap()).await
    };
    assert_error(&push(receiving(transmitter())).await, "invalid_request");
    assert_eq!(world.auth.revocations(), 0);
    let trusted = transmitter().speaks_for(I);
    assert_eq!(push(receiving(trusted)).await.status, StatusCode::ACCEPTED);
    assert_eq!(world.auth.revocations(), 1);
    // It reports; its tokens open nothing.
    let access = own.token(R).sign();
    assert_eq!(world.bearer(&access).await.code(), "unknown_issuer");
}

#[tokio::test]
async fn r30_a_stolen_key_reports_nothing() {
    let site = Receiving::new().await;
    let handle = site.world.auth.handle();
    let kid = site.world.issuer.signing_kid();
    handle.revoke_key(I, &kid).await.unwrap();
    let token = site.session_revoked("alice").sign();
    assert_error(&site.push(token).await, "invalid_key");
    assert_eq!(site.world.auth.revocations(), 1);
}

#[tokio::test]
async fn r30_a_receiver_without_transmitters_is_a_mistake() {
    let world = World::cold();
    let none: [Issuer; 0] = [];
    let error = SecurityEventReceiver::new(&world.auth, none).unwrap_err();
    assert_eq!(error.problems().len(), 1);
    let twice = [
        Issuer::new(I),
        Issuer::new(I),
        Issuer::new("http://plain.example"),
    ];
    let error = SecurityEventReceiver::new(&world.auth, twice).unwrap_err();
    assert_eq!(error.problems().len(), 2, "{error}");
}
