//! Opaque tokens, by what their issuer says about them (RFC 7662, RFC 9701; OPQ, R18, T21, T24).

use std::task::Poll;
use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::testing::{Endpoint, Fault, ManualClock, TestIssuer, TokenBuilder};
use tower_mcp_auth::{Authenticator, Introspection, Issuer, ProtectedResource, SigningAlgorithm};

use crate::redaction::Log;
use crate::support::{Answer, I, NOW, Probe, R, World, described};
use crate::tokens_support::{TokenWorld, assert_outage};

const ID: &str = "mcp server";
const SECRET: &str = "p+ss w:rd/ä%";

fn asking() -> Introspection {
    Introspection::new().client_secret_basic(ID, SECRET)
}

fn issuer(clock: &ManualClock, url: &str) -> TestIssuer {
    let builder = TestIssuer::builder().url(url).clock(clock.clone());
    builder.client(ID, SECRET).in_process()
}

fn world(introspection: Introspection) -> World {
    custom(
        |trusted| trusted.introspection(introspection),
        |builder| builder,
    )
}

fn custom(
    trusted: impl FnOnce(Issuer) -> Issuer,
    configure: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder,
) -> World {
    let clock = ManualClock::at(NOW);
    let issuer = issuer(&clock, I);
    let builder = Authenticator::builder(described(trusted(Issuer::new(I))))
        .clock(clock.clone())
        .fetch(issuer.fetch());
    World {
        auth: configure(builder).build().unwrap(),
        issuer,
        clock,
        probe: Probe::default(),
    }
}

/// Says this of every token.
async fn said(world: &World, answer: Value) -> Answer {
    said_text(world, &answer.to_string()).await
}

async fn said_text(world: &World, text: &str) -> Answer {
    world.issuer.answer_introspection("application/json", text);
    world.auth.handle().flush();
    world.bearer("any").await
}

/// What is said of a good token, to be broken.
fn good() -> Value {
    json!({
        "active": true, "iss": I, "sub": "alice", "client_id": "c", "aud": R,
        "scope": "read:issues", "exp": NOW + 300, "iat": NOW, "token_type": "Bearer",
    })
}

fn with(member: &str, value: Value) -> Value {
    let mut answer = good();
    answer[member] = value;
    answer
}

fn without(member: &str) -> Value {
    let mut answer = good();
    answer.as_object_mut().unwrap().remove(member).unwrap();
    answer
}

#[tokio::test(start_paused = true)]
async fn opq_01_the_question_is_an_authenticated_form() {
    let world = world(asking());
    let token = world.token().scope("read:issues").opaque();
    world.bearer(&token).await.assert_let_in();
    let [asked] = &world.issuer.introspections()[..] else {
        panic!("one question");
    };
    let form = [
        ("token", token.as_str()),
        ("token_type_hint", "access_token"),
    ];
    let form = form.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(asked.form, form);
    assert_eq!(asked.accept.as_deref(), Some("application/json"));
    // RFC 6749 §2.3.1: each half form-encoded, then joined, then base64.
    let line = "Basic bWNwK3NlcnZlcjpwJTJCc3MrdyUzQXJkJTJGJUMzJUE0JTI1";
    assert_eq!(asked.authorization.as_deref(), Some(line));
}

#[tokio::test(start_paused = true)]
async fn opq_01_a_secret_in_the_form() {
    let world = world(Introspection::new().client_secret_post(ID, SECRET));
    world.bearer(&world.token().opaque()).await.assert_let_in();
    let asked = &world.issuer.introspections()[0];
    assert_eq!(asked.field("client_id"), Some(ID));
    assert_eq!(asked.field("client_secret"), Some(SECRET));
    assert_eq!(asked.authorization, None);
}

#[tokio::test(start_paused = true)]
async fn opq_01_a_client_known_by_its_connection_says_who_it_is() {
    let clock = ManualClock::at(NOW);
    let issuer = TestIssuer::builder().url(I).clock(clock.clone());
    let issuer = issuer.public_client("by-tls", ["https://mcp.example.com/cb"]);
    let issuer = issuer.in_process();
    let trusted = Issuer::new(I).introspection(Introspection::new().client_id("by-tls"));
    let auth = Authenticator::builder(described(trusted))
        .clock(clock.clone())
        .fetch(issuer.fetch());
    let world = World {
        auth: auth.build().unwrap(),
        issuer,
        clock,
        probe: Probe::default(),
    };
    world.bearer(&world.token().opaque()).await.assert_let_in();
    let asked = &world.issuer.introspections()[0];
    assert_eq!(asked.field("client_id"), Some("by-tls"));
    assert_eq!((asked.authorization.as_ref(), asked.form.len()), (None, 3));
}

#[tokio::test(start_paused = true)]
async fn opq_01_private_key_jwt_is_new_for_every_call() {
    let all = [
        SigningAlgorithm::Es256,
        SigningAlgorithm::EdDsa,
        SigningAlgorithm::Ps256,
    ];
    for algorithm in all {
        let clock = ManualClock::at(NOW);
        // Keys of another issuer, for their private halves.
        let maker = TestIssuer::builder().algorithms([algorithm]).in_process();
        let kid = maker.signing_kid();
        let issuer = TestIssuer::builder()
            .url(I)
            .clock(clock.clone())
            .client_key(ID, maker.public_der(&kid))
            .in_process();
        let der = maker.private_der(&kid);
        let asking = Introspection::new()
            .private_key_jwt(ID, pem(&der), algorithm)
            .key_id("k-1");
        let trusted = Issuer::new(I).introspection(asking);
        let auth = Authenticator::builder(described(trusted))
            .clock(clock.clone())
            .fetch(issuer.fetch());
        let world = World {
            auth: auth.build().unwrap(),
            issuer,
            clock,
            probe: Probe::default(),
        };
        for _ in 0..3 {
            // The test issuer takes no assertion twice.
            world.bearer(&world.token().opaque()).await.assert_let_in();
        }
        let asked = &world.issuer.introspections()[0];
        let jwt_bearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        assert_eq!(asked.field("client_assertion_type"), Some(jwt_bearer));
        let assertion = asked.field("client_assertion").unwrap();
        let header: Value = decoded(assertion.split('.').next().unwrap());
        assert_eq!(
            header,
            json!({"typ": "JWT", "alg": algorithm.name(), "kid": "k-1"})
        );
        let claims: Value = decoded(assertion.split('.').nth(1).unwrap());
        assert_eq!(claims["exp"], NOW + 60);
    }
}

fn decoded(part: &str) -> Value {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part);
    serde_json::from_slice(&bytes.unwrap()).unwrap()
}

fn pem(der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

#[tokio::test(start_paused = true)]
async fn opq_01_a_configured_endpoint_needs_no_metadata() {
    let world = world(asking().endpoint(format!("{I}/introspect")));
    world.bearer(&world.token().opaque()).await.assert_let_in();
    assert_eq!(world.issuer.hits().metadata, 0);
}

#[tokio::test(start_paused = true)]
async fn opq_01_an_issuer_without_keys_is_asked_all_the_same() {
    let world = world(asking());
    world.issuer.remove_metadata_field("jwks_uri");
    assert!(!world.auth.is_ready());
    let ready = world.auth.warm_up(Duration::from_secs(5)).await;
    assert!(ready.is_ok() && world.auth.is_ready(), "{ready:?}");
    world.bearer(&world.token().opaque()).await.assert_let_in();
    world.issuer.remove_metadata_field("introspection_endpoint");
    let cold = self::world(asking());
    cold.issuer.remove_metadata_field("introspection_endpoint");
    assert_outage(&cold.bearer("any").await, "issuer_unavailable");
}

#[tokio::test(start_paused = true)]
async fn opq_01_an_endpoint_that_moved_is_looked_for_again() {
    let world = world(asking());
    let old = format!("{I}/elsewhere");
    world
        .issuer
        .set_metadata_field("introspection_endpoint", old);
    assert_outage(&world.bearer("any").await, "issuer_unavailable");
    let new = format!("{I}/introspect");
    world
        .issuer
        .set_metadata_field("introspection_endpoint", new);
    world.clock.advance(Duration::from_millis(1001));
    world.bearer(&world.token().opaque()).await.assert_let_in();
}

/// The endpoint is known, and works: that nobody says any more where it is costs no answer.
#[tokio::test(start_paused = true)]
async fn opq_06_metadata_that_cannot_be_had_again_costs_no_answer() {
    for fault in [Fault::Hang, Fault::Refuse, Fault::Status(500)] {
        let world = world(asking());
        world.bearer(&world.token().opaque()).await.assert_let_in();
        world.issuer.fail(Endpoint::Metadata, fault);
        world.clock.advance(Duration::from_secs(3601));
        let before = world.issuer.hits().metadata;
        let tokens: Vec<String> = (0..20).map(|_| world.token().opaque()).collect();
        let asked = tokens.iter().map(|token| world.bearer(token));
        for answer in join_all(asked).await {
            answer.assert_let_in();
        }
        for _ in 0..20 {
            world.clock.advance(Duration::from_millis(400));
            world.bearer(&world.token().opaque()).await.assert_let_in();
        }
        assert_eq!(
            world.issuer.hits().metadata,
            before + 1,
            "asked again at once"
        );
        world.issuer.heal();
        world.clock.advance(Duration::from_secs(10));
        world.bearer(&world.token().opaque()).await.assert_let_in();
        assert!(world.issuer.hits().metadata > before + 1, "asked no more");
    }
}

#[tokio::test(start_paused = true)]
async fn t43_metadata_of_an_issuer_elsewhere_cannot_name_this_machine() {
    let world = world(asking());
    for endpoint in [
        "http://127.0.0.1:9/introspect",
        "https://localhost/x",
        "http://as.example/x",
    ] {
        world
            .issuer
            .set_metadata_field("introspection_endpoint", endpoint);
        assert_outage(
            &world
                .bearer(endpoint.trim_matches('/').split('/').next_back().unwrap())
                .await,
            "issuer_unavailable",
        );
    }
    assert_eq!(world.issuer.hits().introspect, 0);
}

#[tokio::test(start_paused = true)]
async fn opq_02_only_the_json_value_true_is_active() {
    let world = world(asking());
    said(&world, good()).await.assert_let_in();
    for active in [
        json!(false),
        json!("true"),
        json!(1),
        json!(null),
        json!([true]),
        json!({"active": true}),
    ] {
        let answer = said(&world, with("active", active)).await;
        answer.assert_invalid_token("inactive_token");
    }
    let answer = said(&world, without("active")).await;
    answer.assert_invalid_token("inactive_token");
    said(&world, json!({}))
        .await
        .assert_invalid_token("inactive_token");
}

#[tokio::test(start_paused = true)]
async fn opq_03_the_audience_is_checked() {
    let world = world(asking());
    for other in [
        json!("https://other.example/mcp"),
        json!([]),
        json!(["https://other.example", "https://mcp.example.com"]),
    ] {
        let answer = said(&world, with("aud", other)).await;
        answer.assert_invalid_token("wrong_audience");
    }
    let answer = said(&world, without("aud")).await;
    answer.assert_invalid_token("wrong_audience");
    let answer = said(&world, with("aud", json!(null))).await;
    answer.assert_invalid_token("wrong_audience");
    said(&world, with("aud", json!(["x", R])))
        .await
        .assert_let_in();
}

#[tokio::test(start_paused = true)]
async fn opq_03_an_endpoint_of_this_resource_alone_need_not_say_so() {
    let world = world(asking().answers_only_for_this_resource());
    said(&world, without("aud")).await.assert_let_in();
    for none in [json!(null), json!([])] {
        said(&world, with("aud", none)).await.assert_let_in();
    }
    let other = said(&world, with("aud", json!("https://other.example"))).await;
    other.assert_invalid_token("wrong_audience");
    // So do issuers answer about refresh tokens.
    for aud in [None, Some(json!([]))] {
        let mut answer = without("token_type");
        answer.as_object_mut().unwrap().remove("aud");
        if let Some(aud) = aud {
            answer["aud"] = aud;
        }
        let answer = said(&world, answer).await;
        answer.assert_invalid_token("wrong_token_type");
    }
}

#[tokio::test(start_paused = true)]
async fn opq_04_times_and_issuer_count_if_they_are_there() {
    let world = world(asking());
    for (member, value, reason) in [
        ("exp", json!(NOW - 31), "expired"),
        ("nbf", json!(NOW + 31), "not_yet_valid"),
        ("iat", json!(NOW + 31), "issued_in_future"),
        ("exp", json!(NOW + 86_400 + 31), "lifetime_too_long"),
        ("iss", json!("https://other.example"), "unknown_issuer"),
        ("iss", json!(format!("{I}/")), "unknown_issuer"),
        ("iss", json!([I]), "malformed_claim"),
        ("exp", json!("soon"), "malformed_claim"),
        ("aud", json!({"x": R}), "malformed_claim"),
        ("sub", json!(7), "malformed_claim"),
        ("scope", json!(["read:issues"]), "malformed_claim"),
        ("client_id", json!([]), "malformed_claim"),
    ] {
        let answer = said(&world, with(member, value.clone())).await;
        assert_eq!(answer.code(), reason, "{member} {value}");
        answer.assert_invalid_token(reason);
    }
    for member in ["iss", "exp", "iat", "token_type", "scope"] {
        said(&world, without(member)).await.assert_let_in();
        // Some issuers write what they leave out.
        said(&world, with(member, json!(null)))
            .await
            .assert_let_in();
    }
}

#[tokio::test(start_paused = true)]
async fn opq_05_an_answer_serves_for_its_lifetime_and_never_beyond_exp() {
    for (exp, lifetime, last) in [(300, 30, 30), (300, 10, 10), (20, 30, 20)] {
        let world = world(asking().lifetime(Duration::from_secs(lifetime)));
        let token = world.token().expires_in(exp).opaque();
        world.bearer(&token).await.assert_let_in();
        world.issuer.fail(Endpoint::Introspect, Fault::Status(500));
        world.clock.advance(Duration::from_millis(last * 1000 - 1));
        world.bearer(&token).await.assert_let_in();
        world.clock.advance(Duration::from_millis(2));
        assert_outage(&world.bearer(&token).await, "issuer_unavailable");
    }
}

#[tokio::test(start_paused = true)]
async fn opq_05_a_revoked_token_ends_within_the_lifetime() {
    let world = world(asking());
    let token = world.token().opaque();
    world.bearer(&token).await.assert_let_in();
    world.issuer.deactivate(&token);
    world.clock.advance(Duration::from_secs(30));
    world
        .bearer(&token)
        .await
        .assert_invalid_token("inactive_token");
}

#[tokio::test(start_paused = true)]
async fn opq_05_a_token_in_use_is_asked_about_ahead_of_time() {
    let world = world(asking());
    let token = world.token().opaque();
    world.bearer(&token).await.assert_let_in();
    for _ in 0..4 {
        world.clock.advance(Duration::from_secs(20));
        let calls = world.issuer.hits().introspect;
        world.bearer(&token).await.assert_let_in();
        assert_eq!(world.issuer.hits().introspect, calls, "nobody waited");
        settle().await;
        assert_eq!(world.issuer.hits().introspect, calls + 1);
    }
}

/// Lets tasks in the background run.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn opq_05_a_token_that_is_not_active_is_asked_about_every_five_seconds() {
    let world = world(asking());
    for _ in 0..3 {
        world
            .bearer("nobodys")
            .await
            .assert_invalid_token("inactive_token");
    }
    assert_eq!(world.issuer.hits().introspect, 1);
    world.clock.advance(Duration::from_millis(5001));
    world
        .bearer("nobodys")
        .await
        .assert_invalid_token("inactive_token");
    assert_eq!(world.issuer.hits().introspect, 2);
}

#[tokio::test(start_paused = true)]
async fn t24_unknown_tokens_push_out_no_good_one() {
    let world = world(asking());
    let token = world.token().opaque();
    world.bearer(&token).await.assert_let_in();
    for nth in 0..10_100 {
        let answer = world.bearer(&format!("guess{nth}")).await;
        assert_eq!(answer.code(), "inactive_token");
    }
    let calls = world.issuer.hits().introspect;
    world.bearer(&token).await.assert_let_in();
    assert_eq!(world.issuer.hits().introspect, calls);
}

#[tokio::test]
async fn opq_05_fifty_requests_with_one_new_token_make_one_call() {
    for bytes in [0, 32 * 1024 * 1024] {
        let world = custom(
            |trusted| trusted.introspection(asking()),
            |builder| builder.verified_token_bytes(bytes),
        );
        let token = world.token().opaque();
        for answer in join_all((0..50).map(|_| world.bearer(&token))).await {
            answer.assert_let_in();
        }
        assert_eq!(world.issuer.hits().introspect, 1);
        assert_eq!(world.issuer.hits().metadata, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn opq_06_trouble_at_the_endpoint_is_503() {
    let faults = [
        Fault::Refuse,
        Fault::Hang,
        Fault::Slow(Duration::from_secs(3)),
        Fault::Drip(Duration::from_millis(100)),
        Fault::Status(401),
        Fault::Status(400),
        Fault::Status(404),
        Fault::Status(500),
        Fault::RetryAfter(429, "5".into()),
        Fault::Html,
        Fault::Cut,
        Fault::Truncated,
        Fault::Huge(65 * 1024),
        Fault::WrongType,
        Fault::Compressed,
        Fault::Redirect(format!("{I}/elsewhere")),
    ];
    for fault in faults {
        let world = world(asking());
        let token = world.token().opaque();
        world.issuer.fail(Endpoint::Introspect, fault.clone());
        let started = tokio::time::Instant::now();
        assert_outage(&world.bearer(&token).await, "issuer_unavailable");
        assert!(started.elapsed() <= Duration::from_secs(2), "{fault:?}");
        assert_eq!(world.probe.calls(), 0);
        world.issuer.heal();
        world.clock.advance(Duration::from_millis(1001));
        world.bearer(&token).await.assert_let_in();
    }
}

#[tokio::test(start_paused = true)]
async fn opq_06_a_wrong_secret_of_ours_is_our_trouble() {
    let world = world(Introspection::new().client_secret_basic(ID, "wrong"));
    assert_outage(&world.bearer("any").await, "issuer_unavailable");
}

#[tokio::test(start_paused = true)]
async fn opq_06_an_answer_that_can_be_read_in_two_ways_is_none() {
    let world = world(asking());
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    let wide = (0..300).map(|n| format!("\"m{n}\":1")).collect::<Vec<_>>();
    let text = good().to_string();
    let rest = text.strip_prefix('{').unwrap();
    for text in [
        String::new(),
        "true".to_owned(),
        "[]".to_owned(),
        format!("[{text}]"),
        format!("{text}{text}"),
        format!("{{\"active\":false,{rest}"),
        format!("{{\"sub\":\"mallory\",{rest}"),
        format!("{{\"\\u0073ub\":\"mallory\",{rest}"),
        format!("{{\"x\":{{\"a\":1,\"a\":2}},{rest}"),
        format!("{{\"x\":1e400,{rest}"),
        format!("{{\"x\":{deep},{rest}"),
        format!("{{{},{rest}", wide.join(",")),
        format!("\u{feff}{text}"),
    ] {
        world.clock.advance(Duration::from_secs(60));
        let answer = said_text(&world, &text).await;
        assert_outage(&answer, "issuer_unavailable");
    }
}

#[tokio::test(start_paused = true)]
async fn r18_answers_serve_to_their_bound_then_503_then_recovery() {
    for fault in [Fault::Status(500), Fault::Hang, Fault::Refuse] {
        let world = world(asking());
        let token = world.token().opaque();
        world.bearer(&token).await.assert_let_in();
        world.issuer.fail(Endpoint::Introspect, fault);
        let mut served = 0;
        for _ in 0..40 {
            world.clock.advance(Duration::from_secs(1));
            let started = tokio::time::Instant::now();
            let answer = world.bearer(&token).await;
            assert!(started.elapsed() <= Duration::from_secs(2));
            match answer.status {
                StatusCode::OK => served += 1,
                _ => assert_outage(&answer, "issuer_unavailable"),
            }
        }
        assert_eq!(served, 29, "good until the 30th second");
        world.issuer.heal();
        let mut waited = 0;
        while world.bearer(&token).await.status != StatusCode::OK {
            world.clock.advance(Duration::from_secs(1));
            waited += 1;
            assert!(waited <= 30, "recovery within 30 s");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r18_an_endpoint_that_fails_five_times_is_left_alone() {
    let world = world(asking());
    world.issuer.fail(Endpoint::Introspect, Fault::Status(503));
    for nth in 0..50 {
        assert_outage(
            &world.bearer(&format!("t{nth}")).await,
            "issuer_unavailable",
        );
    }
    assert_eq!(world.issuer.hits().introspect, 5);
    world.clock.advance(Duration::from_secs(1));
    for nth in 0..50 {
        assert_outage(
            &world.bearer(&format!("u{nth}")).await,
            "issuer_unavailable",
        );
    }
    assert_eq!(world.issuer.hits().introspect, 6, "one attempt");
    world.issuer.heal();
    world.clock.advance(Duration::from_secs(25));
    for _ in 0..20 {
        world.bearer(&world.token().opaque()).await.assert_let_in();
    }
}

#[tokio::test(start_paused = true)]
async fn r18_a_token_the_endpoint_does_not_like_locks_nobody_else_out() {
    let world = world(asking());
    world.issuer.fail(Endpoint::Introspect, Fault::Status(400));
    for nth in 0..20 {
        assert_outage(
            &world.bearer(&format!("t{nth}")).await,
            "issuer_unavailable",
        );
    }
    assert_eq!(world.issuer.hits().introspect, 20);
    world.issuer.heal();
    world.bearer(&world.token().opaque()).await.assert_let_in();
}

#[tokio::test(start_paused = true)]
async fn r18_no_more_than_64_calls_are_under_way() {
    let world = world(asking());
    // The endpoint is known first.
    world.bearer(&world.token().opaque()).await.assert_let_in();
    world.issuer.fail(Endpoint::Introspect, Fault::Hang);
    let before = world.issuer.hits().introspect;
    let tokens: Vec<String> = (0..400).map(|nth| format!("t{nth}")).collect();
    let mut all: Vec<_> = tokens
        .iter()
        .map(|token| Box::pin(world.bearer(token)))
        .collect();
    let mut refused = 0;
    for one in &mut all {
        if let Poll::Ready(answer) = futures_util::poll!(one) {
            assert_outage(&answer, "issuer_unavailable");
            refused += 1;
        }
    }
    assert_eq!(refused, 400 - 64 - 256, "these know at once");
    settle().await;
    assert_eq!(world.issuer.hits().introspect, before + 64);
}

#[tokio::test(start_paused = true)]
async fn opq_08_signed_answers() {
    let world = world(asking().signed_responses());
    let token = world.token().opaque();
    for _ in 0..3 {
        world.bearer(&token).await.assert_let_in();
    }
    let asked = &world.issuer.introspections()[0];
    let accept = "application/token-introspection+jwt";
    assert_eq!(asked.accept.as_deref(), Some(accept));
    world
        .bearer("nobodys")
        .await
        .assert_invalid_token("inactive_token");
}

/// A signed answer, to be broken.
fn signed(world: &World, claims: &Value) -> TokenBuilder {
    let token = world.token().raw_claims(claims.to_string());
    token.header("typ", "token-introspection+jwt")
}

fn envelope() -> Value {
    json!({"iss": I, "aud": ID, "iat": NOW, "token_introspection": good()})
}

fn changed(member: &str, value: Value) -> Value {
    let mut envelope = envelope();
    envelope[member] = value;
    envelope
}

async fn said_signed(world: &World, text: &str) -> Answer {
    let kind = "application/token-introspection+jwt";
    world.issuer.answer_introspection(kind, text);
    world.auth.handle().flush();
    // Past the pauses of the answers before.
    world.clock.advance(Duration::from_millis(1));
    world.bearer("any").await
}

#[tokio::test(start_paused = true)]
async fn opq_08_what_is_not_signed_for_us_by_the_issuer_is_no_answer() {
    let fresh = || world(asking().signed_responses());
    let ok = fresh();
    for good in [
        envelope(),
        changed("aud", json!(["x", ID])),
        changed("aud", json!(R)),
    ] {
        said_signed(&ok, &signed(&ok, &good).sign())
            .await
            .assert_let_in();
    }
    let full = signed(&ok, &envelope()).header("typ", "application/Token-Introspection+JWT");
    said_signed(&ok, &full.sign()).await.assert_let_in();
    let late = json!(NOW - 91);
    for claims in [
        changed("aud", json!("https://other.example")),
        changed("aud", json!(null)),
        changed("aud", json!([])),
        changed("iss", json!("https://other.example")),
        changed("iss", json!(null)),
        changed("iat", json!(null)),
        changed("iat", late),
        changed("iat", json!(NOW + 60)),
        changed("token_introspection", json!(null)),
        changed("token_introspection", json!("active")),
        changed("token_introspection", json!([good()])),
        good(),
    ] {
        let world = fresh();
        let text = signed(&world, &claims).sign();
        let answer = said_signed(&world, &text).await;
        assert_eq!(answer.code(), "issuer_unavailable", "{claims}");
        assert_outage(&answer, "issuer_unavailable");
    }
}

#[tokio::test(start_paused = true)]
async fn opq_08_type_algorithm_and_signature_are_those_of_a_signed_answer() {
    let stranger = issuer(&ManualClock::at(NOW), "https://stranger.example");
    let forged = stranger.token(R).raw_claims(envelope().to_string());
    let forged = forged.header("typ", "token-introspection+jwt").sign();
    let world = world(asking().signed_responses());
    let build = || signed(&world, &envelope());
    let good = build().sign();
    for text in [
        build().header("typ", "at+jwt").sign(),
        build().header("typ", "JWT").sign(),
        build().without_header("typ").sign(),
        build().unsigned().sign(),
        build()
            .hmac(world.issuer.public_pem(&world.issuer.signing_kid()))
            .sign(),
        build().header("alg", "ES384").sign(),
        build().header("crit", json!(["x"])).sign(),
        build().tamper(|signature| signature[4] ^= 1).sign(),
        forged,
        format!("{good}x"),
        format!("{good}.x.y"),
        good.split_once('.').unwrap().1.to_owned(),
        self::good().to_string(),
        String::new(),
    ] {
        let answer = said_signed(&world, &text).await;
        assert_eq!(answer.code(), "issuer_unavailable", "{text}");
        world.clock.advance(Duration::from_secs(30));
        world.auth.handle().flush();
    }
    // An issuer that leaves the signature out is not believed.
    let plain = said_text(&world, &self::good().to_string()).await;
    assert_outage(&plain, "issuer_unavailable");
    world.clock.advance(Duration::from_secs(30));
    let now = world.clock.clone();
    let now = tower_mcp_auth::clock::Clock::now(&now).as_secs();
    let mut claims = changed("iat", json!(now));
    claims["token_introspection"]["exp"] = json!(now + 60);
    let answer = said_signed(&world, &signed(&world, &claims).sign()).await;
    answer.assert_let_in();
}

#[tokio::test(start_paused = true)]
async fn opq_09_what_is_said_is_carried_into_the_principal() {
    let world = custom(
        |trusted| {
            let trusted = trusted.organization_claim("org_id").tenant_claim("site");
            trusted.introspection(asking())
        },
        |builder| builder,
    );
    let mut answer = good();
    for (member, value) in [
        ("org_id", json!("acme")),
        ("site", json!("site-1")),
        ("roles", json!(["admin"])),
        ("groups", json!(["g"])),
        ("acr", json!("gold")),
        ("auth_time", json!(NOW - 60)),
        ("jti", json!("t-1")),
        ("username", json!("ada")),
    ] {
        answer[member] = value;
    }
    let letter = said(&world, answer.clone()).await;
    letter.assert_let_in();
    let said = letter.json();
    assert_eq!(said["subject"], "alice");
    assert_eq!(said["client"], "c");
    assert_eq!(said["issuer"], I);
    assert_eq!(said["kind"], "User");
    assert_eq!(said["organization"], "acme");
    assert_eq!(said["tenant"], "site-1");
    assert_eq!(said["scopes"], "read:issues");
    assert_eq!(said["roles"], json!(["admin"]));
    assert_eq!(said["method"], "oauth2");
    let request = crate::support::post().header("authorization", "Bearer any");
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let context = world.auth.authenticate(&parts).await.unwrap();
    let principal = context.principal();
    assert_eq!(principal.authentication_class(), Some("gold"));
    assert_eq!(principal.authenticated_at().unwrap().as_secs(), NOW - 60);
    assert_eq!(principal.expires_at().as_secs(), NOW + 300);
    assert_eq!(principal.token_id(), Some("t-1"));
    assert_eq!(principal.claims()["username"], "ada");
}

#[tokio::test(start_paused = true)]
async fn opq_09_signed_answers_are_carried_too() {
    let world = world(asking().signed_responses());
    let mut claims = envelope();
    claims["token_introspection"]["acr"] = json!("gold");
    said_signed(&world, &signed(&world, &claims).sign())
        .await
        .assert_let_in();
    let request = crate::support::post().header("authorization", "Bearer any");
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let context = world.auth.authenticate(&parts).await.unwrap();
    assert_eq!(context.principal().authentication_class(), Some("gold"));
    assert_eq!(context.principal().claims()["active"], true);
}

#[tokio::test(start_paused = true)]
async fn opq_09_a_bound_token_is_no_bearer_token() {
    let world = world(asking());
    for (member, value) in [
        ("cnf", json!({"jkt": "x"})),
        ("cnf", json!({"x5t#S256": "x"})),
        ("cnf", json!({})),
        ("cnf", json!(null)),
        ("token_type", json!("DPoP")),
        ("token_type", json!("dpop")),
    ] {
        let answer = said(&world, with(member, value.clone())).await;
        assert_eq!(answer.code(), "sender_constrained", "{member} {value}");
        answer.assert_invalid_token("sender_constrained");
    }
}

#[tokio::test(start_paused = true)]
async fn opq_02_an_active_refresh_token_is_no_access_token() {
    let world = world(asking());
    for (member, value) in [
        ("token_use", json!("refresh_token")),
        ("token_use", json!(["access_token"])),
        ("token_type", json!("refresh_token")),
        ("token_type", json!("N_A")),
        ("token_type", json!(7)),
        ("typ", json!("Refresh")),
        ("typ", json!("Offline")),
    ] {
        let answer = said(&world, with(member, value.clone())).await;
        assert_eq!(answer.code(), "wrong_token_type", "{member} {value}");
    }
    for (member, value) in [
        ("token_use", json!("access_token")),
        ("token_use", json!("access")),
        ("token_type", json!("bearer")),
        ("token_type", json!("access_token")),
        ("typ", json!("Bearer")),
    ] {
        said(&world, with(member, value)).await.assert_let_in();
    }
}

#[tokio::test(start_paused = true)]
async fn opq_09_a_token_without_a_subject_is_its_clients() {
    let world = world(asking());
    let answer = said(&world, without("sub")).await;
    answer.assert_let_in();
    assert_eq!(answer.json()["subject"], "c");
    assert_eq!(answer.json()["kind"], "Client");
    let mut somebodys = without("sub");
    somebodys["username"] = json!("ada");
    let answer = said(&world, somebodys).await;
    answer.assert_invalid_token("missing_claim");
    let answer = said(&world, without("client_id")).await;
    answer.assert_invalid_token("missing_claim");
    let answer = said(&world, with("sub", json!(""))).await;
    answer.assert_invalid_token("malformed_claim");
}

#[tokio::test(start_paused = true)]
async fn opq_09_a_profile_that_names_claims_otherwise_reads_the_standard_ones_first() {
    let world = custom(
        |trusted| {
            let trusted = trusted.profile(tower_mcp_auth::Profile::okta());
            trusted.introspection(asking())
        },
        |builder| builder,
    );
    let answer = said(&world, good()).await;
    answer.assert_let_in();
    assert_eq!(answer.json()["client"], "c");
    assert_eq!(answer.json()["scopes"], "read:issues");
}

#[tokio::test(start_paused = true)]
async fn opq_09_answers_as_hydra_and_keycloak_write_them() {
    let world = world(asking());
    let hydra = json!({
        "active": true, "scope": "read:issues", "client_id": "c", "sub": "alice",
        "exp": NOW + 300, "iat": NOW, "nbf": NOW, "aud": [R], "iss": I, "ext": null,
        "obfuscated_subject": null, "username": null,
        "token_type": "Bearer", "token_use": "access_token",
    });
    let answer = said(&world, hydra).await;
    answer.assert_let_in();
    assert_eq!(answer.json()["kind"], "User");

    let world = custom(
        |trusted| {
            let trusted = trusted.profile(tower_mcp_auth::Profile::keycloak());
            trusted.introspection(asking())
        },
        |builder| builder,
    );
    let keycloak = json!({
        "exp": NOW + 300, "iat": NOW, "auth_time": NOW - 5, "jti": "onrtac:1", "iss": I,
        "aud": [R, "account"], "sub": "f:1:alice", "typ": "Bearer", "azp": "c", "sid": "s",
        "acr": "1", "allowed-origins": ["*"], "realm_access": {"roles": ["admin"]},
        "scope": "read:issues", "email_verified": false, "preferred_username": "alice",
        "client_id": "c", "username": "alice", "token_type": "Bearer", "active": true,
    });
    let answer = said(&world, keycloak).await;
    answer.assert_let_in();
    assert_eq!(answer.json()["roles"], json!(["admin"]));
    assert_eq!(answer.json()["kind"], "User");
}

#[tokio::test(start_paused = true)]
async fn r18_an_unreadable_answer_locks_nobody_else_out() {
    let world = world(asking());
    world
        .issuer
        .answer_introspection("application/json", r#"{"active":true,"active":true}"#);
    for nth in 0..20 {
        let answer = world.bearer(&format!("t{nth}")).await;
        assert_outage(&answer, "issuer_unavailable");
    }
    world.issuer.reset_introspection();
    world.bearer(&world.token().opaque()).await.assert_let_in();
}

#[tokio::test(start_paused = true)]
async fn jwt_01_shape_alone_decides_who_judges() {
    let world = world(asking());
    let jwt = world.token().scope("read:issues").sign();
    world.bearer(&jwt).await.assert_let_in();
    for text in ["a.b.c", "v4.public.payload", "a.b.c.d.e"] {
        let answer = world.bearer(text).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{text}");
    }
    assert_eq!(world.issuer.hits().introspect, 0, "no JWT is shown");
    for text in ["a.b", "ya29.x", "abc"] {
        let answer = world.bearer(text).await;
        answer.assert_invalid_token("inactive_token");
    }
    assert_eq!(world.issuer.hits().introspect, 3);
    let basic = world.present("Basic YTpi").await;
    assert_eq!(basic.code(), "unsupported_scheme");
    assert_eq!(world.issuer.hits().introspect, 3);
}

#[tokio::test(start_paused = true)]
async fn jwt_01_without_introspection_nothing_has_changed() {
    let world = World::warm().await;
    let token = world.token().opaque();
    let answer = world.bearer(&token).await;
    answer.assert_invalid_token("unrecognized_credential");
    assert_eq!(world.issuer.hits().introspect, 0);
}

/// Two issuers that are asked, each for tokens of its own beginning.
struct Two {
    world: World,
    other: TestIssuer,
}

const OTHER: &str = "https://other-as.example";

fn two(first: Introspection, second: Introspection) -> Two {
    let clock = ManualClock::at(NOW);
    let (issuer, other) = (issuer(&clock, I), issuer(&clock, OTHER));
    let resource = described(Issuer::new(I).introspection(first))
        .issuer(Issuer::new(OTHER).introspection(second));
    let auth = Authenticator::builder(resource)
        .clock(clock.clone())
        .fetch(issuer.fetch().and(other.fetch()))
        .build()
        .unwrap();
    let probe = Probe::default();
    let world = World {
        issuer,
        clock,
        auth,
        probe,
    };
    Two { world, other }
}

#[tokio::test(start_paused = true)]
async fn t21_a_token_is_shown_to_its_own_issuer_only() {
    let Two { world, other } = two(
        asking().token_prefix("one_").token_prefix("uno_"),
        asking().recognises(|token| token.starts_with("two_") || token == "uno_two"),
    );
    let answer = json!({"active": true, "aud": R, "sub": "s", "client_id": "c", "exp": NOW + 60});
    for issuer in [&world.issuer, &other] {
        issuer.answer_introspection("application/json", answer.to_string());
    }
    for (token, whose) in [("one_x", I), ("uno_x", I), ("two_x", OTHER)] {
        let answer = world.bearer(token).await;
        answer.assert_let_in();
        assert_eq!(answer.json()["issuer"], whose);
    }
    let hits = |issuer: &TestIssuer| issuer.hits().introspect;
    assert_eq!((hits(&world.issuer), hits(&other)), (2, 1));
    let none = world.bearer("three_x").await;
    none.assert_invalid_token("unrecognized_credential");
    let both = world.bearer("uno_two").await;
    both.assert_invalid_token("unrecognized_credential");
    let quarrel = both.rejection.as_ref().unwrap().note().unwrap();
    assert!(quarrel.contains(I) && quarrel.contains(OTHER), "{quarrel}");
    assert_eq!((hits(&world.issuer), hits(&other)), (2, 1));
}

#[tokio::test]
async fn t21_the_same_token_at_two_authorities_is_two_tokens() {
    // Each authenticator asks its own issuer; both run through the same requests at once.
    let clock = ManualClock::at(NOW);
    let worlds = [(I, "ada"), (OTHER, "bob")].map(|(url, subject)| {
        let issuer = issuer(&clock, url);
        let answer = json!({
            "active": true, "aud": R, "sub": subject, "client_id": "c", "iss": url,
        });
        issuer.answer_introspection("application/json", answer.to_string());
        let trusted = Issuer::new(url).introspection(asking());
        let auth = Authenticator::builder(described(trusted))
            .clock(clock.clone())
            .fetch(issuer.fetch());
        let world = World {
            auth: auth.build().unwrap(),
            issuer,
            clock: clock.clone(),
            probe: Probe::default(),
        };
        (world, url, subject)
    });
    for round in 0..200 {
        let token = format!("same{}", round % 20);
        let asked = worlds.iter().map(|(world, url, subject)| {
            let token = token.clone();
            async move {
                let answer = world.bearer(&token).await.json();
                assert_eq!(answer["issuer"], *url);
                assert_eq!(answer["subject"], *subject);
            }
        });
        join_all(asked).await;
    }
}

#[tokio::test(start_paused = true)]
async fn t21_mounts_share_the_answer_and_each_judges_it() {
    let world = world(asking());
    let other = "https://mcp.example.com/v2/mcp";
    let mount = world.auth.mount(ProtectedResource::new(other)).unwrap();
    let token = world.token().opaque();
    let elsewhere = world.issuer.token(other).opaque();
    let ask = |auth: &Authenticator, token: &str| {
        let request = crate::support::post().header("authorization", format!("Bearer {token}"));
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let auth = auth.clone();
        async move {
            let answer = auth.authenticate(&parts).await;
            answer
                .map(|_| ())
                .map_err(|rejection| rejection.reason().code())
        }
    };
    for _ in 0..3 {
        assert_eq!(ask(&world.auth, &token).await, Ok(()));
        assert_eq!(ask(&mount, &elsewhere).await, Ok(()));
        assert_eq!(ask(&mount, &token).await, Err("wrong_audience"));
        assert_eq!(ask(&world.auth, &elsewhere).await, Err("wrong_audience"));
    }
    assert_eq!(world.issuer.hits().introspect, 2);
}

#[tokio::test(start_paused = true)]
async fn t22_a_remembered_answer_is_judged_at_every_request() {
    let world = custom(
        |trusted| trusted.introspection(asking()),
        |builder| builder.verified_token_bytes(1024 * 1024),
    );
    let token = world.token().expires_in(10).opaque();
    for _ in 0..4 {
        world.bearer(&token).await.assert_let_in();
    }
    assert_eq!(world.auth.verified_tokens(), 1);
    world.auth.handle().revoke_issuer(I).await.unwrap();
    world.bearer(&token).await.assert_invalid_token("revoked");
    world.clock.advance(Duration::from_secs(1));
    let other = world.token().opaque();
    world.bearer(&other).await.assert_let_in();
    // Set by an administrator: no answer is as old as the wall clock says.
    world.clock.jump_wall(341);
    world.bearer(&other).await.assert_invalid_token("expired");
}

#[tokio::test(start_paused = true)]
async fn a_flush_forgets_answers() {
    let world = world(asking());
    let token = world.token().opaque();
    world.bearer(&token).await.assert_let_in();
    world.issuer.deactivate(&token);
    world.bearer(&token).await.assert_let_in();
    world.auth.handle().flush();
    assert_eq!(world.auth.verified_tokens(), 0);
    world
        .bearer(&token)
        .await
        .assert_invalid_token("inactive_token");
}

#[tokio::test(start_paused = true)]
async fn r15_a_recogniser_that_panics_ends_its_request_only() {
    let world = world(asking().recognises(|token| {
        assert_ne!(token, "boom", "a fault of the recogniser");
        true
    }));
    let answer = world.bearer("boom").await;
    assert_eq!(answer.code(), "internal");
    world.bearer(&world.token().opaque()).await.assert_let_in();
}

#[tokio::test(start_paused = true)]
async fn t28_neither_token_nor_secret_is_ever_shown() {
    let (log, _guard) = Log::start();
    let world = world(asking());
    let token = world.token().opaque();
    world.bearer(&token).await.assert_let_in();
    world
        .bearer("nobodys-token")
        .await
        .assert_invalid_token("inactive_token");
    for fault in [
        Fault::Status(401),
        Fault::Html,
        Fault::Refuse,
        Fault::Hang,
        Fault::Cut,
    ] {
        world.issuer.fail(Endpoint::Introspect, fault);
        world.auth.handle().flush();
        world.clock.advance(Duration::from_secs(30));
        let answer = world.bearer(&token).await;
        let said = format!("{answer:?}");
        assert!(!said.contains(&token) && !said.contains("p+ss"), "{said}");
    }
    let said = format!(
        "{:?} {:?} {:?}",
        world.auth,
        asking(),
        world.issuer.introspections()
    );
    let text = format!("{}{said}", log.text());
    assert!(text.contains("did not answer"), "{text}");
    let encoded = "bWNwK3NlcnZlcjpwJTJCc3MrdyUzQXJkJTJGJUMzJUE0JTI1";
    for secret in [token.as_str(), "nobodys-token", SECRET, "p%2Bss", encoded] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

/// A world with organizations and streams whose issuer is asked.
async fn streaming() -> TokenWorld {
    let mut world = TokenWorld::new().await;
    let asking = Introspection::new().client_secret_basic("mcp", "introspecting");
    let trusted = Issuer::new(I).organization_claim("org_id");
    world.auth = Authenticator::builder(described(trusted.introspection(asking)))
        .clock(world.clock.clone())
        .fetch(world.issuer.fetch())
        .api_tokens(world.tokens.clone())
        .policies(world.policies.clone())
        .audit(world.audit.clone())
        .build()
        .unwrap();
    world
}

#[tokio::test(start_paused = true)]
async fn mcp_20_a_stream_ends_when_its_token_is_no_longer_active() {
    let world = streaming().await;
    let token = world.access_token().opaque();
    let mut open = world.events(&format!("Bearer {token}")).await;
    world.pass(45).await;
    open.assert_passes("data: 1\n\n");
    world.issuer.deactivate(&token);
    world.pass(61).await;
    open.ended_for("inactive_token").await;
    let ended = world.audit.take();
    assert_eq!(ended.last().unwrap().event.name(), "stream.ended");
}

#[tokio::test(start_paused = true)]
async fn mcp_20_a_stream_without_exp_goes_on_while_its_token_is_active() {
    let world = streaming().await;
    let token = world.access_token().without("exp").opaque();
    let mut open = world.events(&format!("Bearer {token}")).await;
    for _ in 0..20 {
        world.pass(61).await;
        open.assert_open();
        settle().await;
        open.assert_passes("data: 1\n\n");
    }
    world.issuer.deactivate(&token);
    world.pass(61).await;
    open.ended_for("inactive_token").await;
}

#[tokio::test(start_paused = true)]
async fn mcp_20_a_stream_ends_with_exp_and_with_a_revocation_here() {
    let world = streaming().await;
    let token = world.access_token().expires_in(100).opaque();
    let bearer = format!("Bearer {token}");
    let mut open = world.events(&bearer).await;
    world.pass(59).await;
    open.assert_open();
    world.pass(71).await;
    open.ended_for("expired").await;

    let bearer = format!("Bearer {}", world.access_token().opaque());
    let mut open = world.events(&bearer).await;
    world.auth.handle().revoke_issuer(I).await.unwrap();
    open.ended_for("revoked").await;
}

#[tokio::test(start_paused = true)]
async fn mcp_20_a_flush_asks_again_for_streams_too() {
    let world = streaming().await;
    let token = world.access_token().opaque();
    let mut open = world.events(&format!("Bearer {token}")).await;
    world.auth.handle().flush();
    open.feed("data: 1\n\n");
    assert!(open.next().await.is_some(), "still good");
    world.issuer.deactivate(&token);
    world.auth.handle().flush();
    open.ended_for("inactive_token").await;
}

#[tokio::test(start_paused = true)]
async fn mcp_20_a_token_that_became_another_partys_ends_its_stream() {
    let world = streaming().await;
    let answer = |subject: &str| {
        let mut answer = good();
        answer["org_id"] = json!("acme");
        answer["sub"] = json!(subject);
        answer.to_string()
    };
    let kind = "application/json";
    world.issuer.answer_introspection(kind, answer("ada"));
    let mut open = world.events("Bearer any").await;
    world.issuer.answer_introspection(kind, answer("bob"));
    world.auth.handle().flush();
    open.ended_for("inactive_token").await;
}

#[tokio::test(start_paused = true)]
async fn opq_05_api_tokens_come_first_and_are_shown_to_nobody() {
    let world = streaming().await;
    world.robot().await.assert_let_in();
    world.ada().await.assert_let_in();
    let damaged = format!("Bearer {}x", world.acme_key.token.expose());
    let answer = world.present(&damaged).await;
    assert_eq!(answer.json()["error"], "invalid_credentials");
    assert_eq!(world.issuer.hits().introspect, 0);
    let opaque = format!("Bearer {}", world.access_token().opaque());
    world.present(&opaque).await.assert_let_in();
    let record = world.audit.take().pop().unwrap();
    assert_eq!(record.method, Some("oauth2"));
    let nobodys = world.present("Bearer nobodys").await;
    nobodys.assert_invalid_token("inactive_token");
    let record = world.audit.take().pop().unwrap();
    assert_eq!(record.method, Some("oauth2"));
}

#[test]
fn edge_10_every_mistake_is_named_and_no_secret_repeated() {
    let key = "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----";
    let es256 = SigningAlgorithm::Es256;
    let resource = ProtectedResource::new(R)
        .issuer(Issuer::new(I).introspection(Introspection::new()))
        .issuer(
            Issuer::new("https://b.example").introspection(
                asking()
                    .client_secret_post(ID, SECRET)
                    .endpoint("http://b.example/x")
                    .lifetime(Duration::from_secs(31))
                    .token_prefix(""),
            ),
        )
        .issuer(
            Issuer::new("https://c.example").introspection(
                Introspection::new()
                    .private_key_jwt(ID, key, es256)
                    .token_prefix("c_"),
            ),
        )
        .issuer(
            Issuer::new("https://d.example").introspection(
                Introspection::new()
                    .client_secret_basic("", "")
                    .lifetime(Duration::ZERO)
                    .token_prefix("d_"),
            ),
        );
    let error = Authenticator::builder(resource).build().unwrap_err();
    let found: Vec<_> = error
        .problems()
        .iter()
        .map(|problem| problem.field.as_str())
        .collect();
    for field in [
        "issuer[0].introspection",
        "issuer[1].introspection",
        "issuer[1].introspection.endpoint",
        "issuer[1].introspection.lifetime",
        "issuer[1].introspection.token_prefix",
        "issuer[2].introspection.private_key_jwt",
        "issuer[3].introspection.client",
        "issuer[3].introspection.client_secret",
        "issuer[3].introspection.lifetime",
    ] {
        assert!(found.contains(&field), "{field} in {found:#?}");
    }
    let text = error.to_string();
    assert!(text.contains("several issuers are asked"), "{text}");
    assert!(text.contains("openssl pkcs8"), "{text}");
    assert!(!text.contains("AAAA") && !text.contains("p+ss"), "{text}");
}
