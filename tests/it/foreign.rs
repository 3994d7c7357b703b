//! API tokens of a format made elsewhere: recognised by shape, verified by their maker.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use tower_mcp_auth::api_token::foreign::{
    ForeignCredential, ForeignToken, ForeignTokenBuilder, ForeignTokens,
};
use tower_mcp_auth::api_token::{Email, LocalPart, TokenKind};
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::clock::UnixTime;
use tower_mcp_auth::enrich::EnrichmentMode;
use tower_mcp_auth::policy::{PolicyStore, TrustedProxies};
use tower_mcp_auth::{
    AuthMethod, Authenticator, BackendError, Issuer, OrganizationPolicy, PrincipalKind,
};

use crate::redaction::Log;
use crate::support::{Answer, I, NOW, described, post};
use crate::tokens_support::{
    ADA, Faults, GIL, Mood, OUTAGES, Policies, Profile, TokenWorld, assert_outage, encoded, from,
    organization,
};

const ADAS: &str = "pat-ada-N7xQ2mZk9TfW4rLb";
const ROBOTS: &str = "svc-robot-H3vD8sYp5KcJ6nGe";
const GILS: &str = "pat-gil-B1wU4tXa7MqR9zVo";
const GLOBEX: &str = "svc-globex-C5yE2uPi8LdS3hFj";

type Table = HashMap<String, ForeignTokenBuilder>;
/// A text and the address beside it.
type Asked = (String, Option<String>);

/// Knows `pat-…` and `svc-…`.
#[derive(Clone)]
struct Vendor {
    faults: Faults,
    known: Arc<Mutex<Table>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    shown: Arc<Mutex<Vec<String>>>,
    /// Looks at the token only.
    careless: bool,
    /// Takes everything for its own.
    greedy: bool,
    rule: LocalPart,
}

impl Vendor {
    fn new() -> Self {
        let ada = ForeignToken::personal("v-ada", "acme", "ada", ADA);
        let gil = ForeignToken::personal("v-gil", "globex", "gil", GIL);
        let key = |id, organization| ForeignToken::service_account(id, organization, "robot");
        let known = [
            (ADAS, ada),
            (GILS, gil),
            (ROBOTS, key("v-robot", "acme").created_by("ada")),
            (GLOBEX, key("v-globex", "globex")),
        ];
        let known = known.map(|(text, token)| (text.to_owned(), whole(token)));
        Self {
            faults: Faults::default(),
            known: Arc::new(Mutex::new(known.into())),
            asked: Arc::default(),
            shown: Arc::default(),
            careless: false,
            greedy: false,
            rule: LocalPart::Exact,
        }
    }

    fn issues(&self, text: &str, token: ForeignTokenBuilder) {
        self.known.lock().unwrap().insert(text.to_owned(), token);
    }

    fn revokes(&self, text: &str) {
        self.known.lock().unwrap().remove(text);
    }
}

fn whole(token: ForeignTokenBuilder) -> ForeignTokenBuilder {
    let born = UnixTime::from_secs(NOW - 60);
    token
        .scopes(["read:issues"])
        .created_at(born)
        .expires_at(born.plus_secs(90 * 86_400))
}

impl ForeignTokens for Vendor {
    fn recognise(&self, credential: &str) -> Option<TokenKind> {
        self.shown.lock().unwrap().push(credential.to_owned());
        match credential.get(..4) {
            Some("pat-") => Some(TokenKind::Personal),
            Some("svc-") => Some(TokenKind::ServiceAccount),
            Some("boom") => panic!("a fault of the recogniser"),
            _ => self.greedy.then_some(TokenKind::ServiceAccount),
        }
    }

    async fn verify(
        &self,
        credential: ForeignCredential<'_>,
    ) -> Result<Option<ForeignToken>, BackendError> {
        let email = credential.email().map(Email::as_str);
        let text = credential.expose().to_owned();
        let asked = (text.clone(), email.map(str::to_owned));
        self.asked.lock().unwrap().push(asked);
        self.faults.meet().await?;
        let token = self.known.lock().unwrap().get(&text).cloned();
        let Some(token) = token else {
            return Ok(None);
        };
        let token = token.build()?;
        let whose = token.owner().email().map(Email::as_str);
        let other = whose.zip(email).is_some_and(|(whose, sent)| whose != sent);
        Ok((self.careless || !other).then_some(token))
    }

    fn local_part(&self) -> LocalPart {
        self.rule
    }
}

async fn world(vendor: &Vendor) -> TokenWorld {
    custom(vendor, |builder| builder).await
}

async fn custom(
    vendor: &Vendor,
    configure: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder,
) -> TokenWorld {
    TokenWorld::with(|builder, _| configure(builder.foreign_tokens("vendor", vendor.clone()))).await
}

fn basic(email: &str, text: &str) -> String {
    encoded(format!("{email}:{text}"))
}

fn bearer(text: &str) -> String {
    format!("Bearer {text}")
}

#[track_caller]
fn assert_refused(answer: &Answer, reason: &str) {
    assert_eq!(answer.code(), reason, "{:?}", answer.body);
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

fn note(answer: &Answer) -> &str {
    answer.rejection.as_ref().unwrap().note().unwrap_or("")
}

#[tokio::test]
async fn bas_01_keysa_02_a_good_token_says_who_it_is() {
    let vendor = Vendor::new();
    let world = custom(&vendor, |builder| {
        builder.enrich(
            crate::tokens_support::Directory::default(),
            EnrichmentMode::Required,
        )
    })
    .await;
    let ada = world.context(basic(ADA, ADAS)).await.unwrap();
    let principal = ada.principal();
    assert_eq!(ada.method(), AuthMethod::ApiToken);
    assert_eq!(principal.kind(), PrincipalKind::User);
    assert_eq!(principal.issuer(), "vendor");
    assert_eq!(principal.subject().as_str(), "ada");
    assert_eq!(principal.email(), Some(ADA));
    assert_eq!(principal.token_id(), Some("v-ada"));
    assert_eq!(principal.created_by().unwrap().as_str(), "ada");
    assert_eq!(principal.issued_at(), Some(UnixTime::from_secs(NOW - 60)));
    assert_eq!(ada.organization(), &organization("acme"));
    assert_eq!(ada.scopes().to_string(), "read:issues");
    assert_eq!(ada.user::<Profile>().unwrap().who, "ada");
    let robot = world.context(bearer(ROBOTS)).await.unwrap();
    assert_eq!(robot.method(), AuthMethod::ServiceAccountKey);
    assert_eq!(robot.principal().kind(), PrincipalKind::ServiceAccount);
    assert_eq!(robot.principal().email(), None);
    assert_eq!(robot.principal().created_by().unwrap().as_str(), "ada");
    // The record names the token and never shows it.
    let records = world.audit.take();
    let ids = records.iter().map(|record| {
        let id = record.credential.as_ref().unwrap().id.as_ref();
        id.unwrap().as_str().to_owned()
    });
    assert_eq!(ids.collect::<Vec<_>>(), ["v-ada", "v-robot"]);
    // Nobody is sent a credential.
    world.present(basic(ADA, ADAS)).await.assert_let_in();
    let forwarded = &world.probe.seen.credential_forwarded;
    assert!(!forwarded.load(std::sync::atomic::Ordering::SeqCst));
}

#[tokio::test]
async fn bas_01_ours_and_theirs_side_by_side_and_theirs_alone() {
    let vendor = Vendor::new();
    let both = world(&vendor).await;
    both.ada().await.assert_let_in();
    both.robot().await.assert_let_in();
    both.present(bearer(ROBOTS)).await.assert_let_in();
    let ours = both.acme_key.token.expose();
    assert!(!vendor.shown.lock().unwrap().contains(&ours.to_owned()));

    let policies = Policies::default();
    let acme = OrganizationPolicy::new(organization("acme")).api_tokens(true);
    policies.put(acme, 0).await.unwrap();
    let mut alone = TokenWorld::new().await;
    alone.auth = Authenticator::builder(described(Issuer::new(I).organization_claim("org_id")))
        .clock(alone.clock.clone())
        .fetch(alone.issuer.fetch())
        .foreign_tokens("vendor", vendor)
        .api_key_header("x-api-key")
        .policies(policies)
        .build()
        .unwrap();
    alone.present(bearer(ROBOTS)).await.assert_let_in();
    alone.present(basic(ADA, ADAS)).await.assert_let_in();
    let oauth = bearer(&alone.access_token().sign());
    alone.present(oauth).await.assert_let_in();
    let in_header = post().header("x-api-key", ROBOTS);
    alone.send(in_header).await.assert_let_in();
    assert_refused(&alone.robot().await, "unrecognized_credential");
    let answer = alone.ada().await;
    assert_refused(&answer, "invalid_api_token");
    assert!(answer.json()["hint"].is_string());
    let nobody = alone.send(post()).await;
    assert!(
        nobody.json()["allowed_methods"]
            .to_string()
            .contains("api_token")
    );
}

#[tokio::test]
async fn t33_every_foreign_kind_with_every_scheme() {
    let vendor = Vendor::new();
    let world = custom(&vendor, |builder| builder.api_key_header("x-api-key")).await;
    let as_bearer = |text: &str| ("authorization", bearer(text));
    let as_basic = |text: &str| ("authorization", basic(ADA, text));
    let as_dpop = |text: &str| ("authorization", format!("DPoP {text}"));
    let in_header = |text: &str| ("x-api-key", text.to_owned());
    let matrix = [
        (as_basic(ADAS), ""),
        (as_bearer(ADAS), "wrong_scheme_for_token"),
        (in_header(ADAS), "wrong_scheme_for_token"),
        (as_dpop(ADAS), "unsupported_scheme"),
        (as_basic(ROBOTS), "wrong_scheme_for_token"),
        (as_bearer(ROBOTS), ""),
        (in_header(ROBOTS), ""),
        (as_dpop(ROBOTS), "unsupported_scheme"),
        (as_bearer("opaque"), "unrecognized_credential"),
        (in_header("opaque"), "invalid_api_token"),
        (as_basic("opaque"), "invalid_api_token"),
    ];
    let mut let_in = 0;
    for ((header, value), code) in matrix {
        let answer = world.send(post().header(header, &value)).await;
        assert_eq!(answer.code(), code, "{header}: {value}");
        assert_eq!(answer.status.is_success(), code.is_empty());
        if code == "wrong_scheme_for_token" {
            let message = answer.json()["message"].as_str().unwrap().to_owned();
            let right = if value.contains("pat-") {
                "Basic"
            } else {
                "Bearer"
            };
            assert!(message.contains(right), "{message}");
        }
        let_in += usize::from(code.is_empty());
    }
    assert_eq!(world.probe.calls(), let_in);
    // Nobody was asked about any of the others.
    assert_eq!(
        *vendor.asked.lock().unwrap(),
        [
            (ADAS.to_owned(), Some(ADA.to_owned())),
            (ROBOTS.to_owned(), None)
        ]
    );
}

#[tokio::test]
async fn t33_a_credential_that_two_formats_claim_is_nobodys() {
    let (one, two) = (Vendor::new(), Vendor::new());
    let world = TokenWorld::with(|builder, _| {
        builder
            .foreign_tokens("one", one.clone())
            .foreign_tokens("two", two.clone())
    })
    .await;
    let answer = world.present(bearer(ROBOTS)).await;
    assert_refused(&answer, "unrecognized_credential");
    assert_eq!(note(&answer), "claimed by one and two");
    assert!(!String::from_utf8_lossy(&answer.body).contains("two"));
    let answer = world.present(basic(ADA, ADAS)).await;
    assert_refused(&answer, "invalid_api_token");
    assert_eq!(note(&answer), "claimed by one and two");
    assert!(!answer.challenge().contains("error"), "BAS-11");
    assert_eq!(one.faults.calls() + two.faults.calls(), 0);
}

#[tokio::test]
async fn t33_jwt_02_a_signed_token_is_shown_to_no_recogniser() {
    let vendor = Vendor {
        greedy: true,
        ..Vendor::new()
    };
    let world = custom(&vendor, |builder| builder.api_key_header("x-api-key")).await;
    let token = world.access_token();
    let good = token.clone().sign();
    world.present(bearer(&good)).await.assert_let_in();
    let tampered = token.tamper(|bytes| bytes[5] ^= 1).sign();
    assert_refused(&world.present(bearer(&tampered)).await, "bad_signature");
    let encrypted = format!("{good}.a.b");
    assert_refused(&world.present(bearer(&encrypted)).await, "encrypted_token");
    assert_refused(&world.present(basic(ADA, &good)).await, "invalid_api_token");
    let in_header = world.send(post().header("x-api-key", &good)).await;
    assert_refused(&in_header, "invalid_api_token");
    assert_refused(&world.present("Bearer eyJ.eyJ.").await, "malformed_token");
    // Ours neither.
    world.robot().await.assert_let_in();
    world.ada().await.assert_let_in();
    assert!(vendor.shown.lock().unwrap().is_empty());
    // Dots alone make no signed token.
    assert_refused(&world.present("Bearer SG.a.b").await, "invalid_api_token");
    assert_eq!(vendor.asked.lock().unwrap()[0].0, "SG.a.b");
}

#[tokio::test]
async fn r14_many_requests_ask_once() {
    let vendor = Vendor::new();
    let world = world(&vendor).await;
    let all = (0..200).map(|_| world.present(basic(ADA, ADAS)));
    for answer in futures_util::future::join_all(all).await {
        answer.assert_let_in();
    }
    for _ in 0..50 {
        world.present(basic(ADA, ADAS)).await.assert_let_in();
    }
    assert_eq!(vendor.faults.calls(), 1);
    world.clock.advance(Duration::from_secs(29));
    world.present(basic(ADA, ADAS)).await.assert_let_in();
    assert_eq!(vendor.faults.calls(), 1);
    world.clock.advance(Duration::from_secs(1));
    world.present(basic(ADA, ADAS)).await.assert_let_in();
    assert_eq!(vendor.faults.calls(), 2);
}

#[tokio::test]
async fn bas_09_revoked_at_the_vendor_is_refused_within_the_bound() {
    let vendor = Vendor::new();
    let world = world(&vendor).await;
    world.present(bearer(ROBOTS)).await.assert_let_in();
    vendor.revokes(ROBOTS);
    world.clock.advance(Duration::from_secs(30));
    assert_refused(&world.present(bearer(ROBOTS)).await, "invalid_api_token");
    // That there is none is not asked by every request, and not believed for long.
    world.present(bearer(ROBOTS)).await;
    assert_eq!(vendor.faults.calls(), 2);
    vendor.issues(
        ROBOTS,
        whole(ForeignToken::service_account("v", "acme", "r")),
    );
    world.clock.advance(Duration::from_secs(2));
    world.present(bearer(ROBOTS)).await.assert_let_in();
}

#[tokio::test(start_paused = true)]
async fn r19_without_the_vendor_nobody_can_know() {
    for mood in OUTAGES {
        let vendor = Vendor::new();
        let world = world(&vendor).await;
        vendor.faults.set(mood);
        for _ in 0..3 {
            let ada = world.present(basic(ADA, ADAS)).await;
            assert_outage(&ada, "store_unavailable");
            let robot = world.present(bearer(ROBOTS)).await;
            assert_outage(&robot, "store_unavailable");
        }
        assert_eq!(vendor.faults.calls(), 2);
        vendor.faults.set(Mood::Well);
        world.clock.advance(Duration::from_secs(1));
        world.present(basic(ADA, ADAS)).await.assert_let_in();
    }
}

#[tokio::test(start_paused = true)]
async fn r19_a_known_token_works_for_a_minute_and_not_longer() {
    for mood in OUTAGES {
        let vendor = Vendor::new();
        let world = world(&vendor).await;
        world.present(basic(ADA, ADAS)).await.assert_let_in();
        vendor.faults.set(mood);
        for _ in 0..3 {
            world.clock.advance(Duration::from_millis(19_999));
            world.present(basic(ADA, ADAS)).await.assert_let_in();
        }
        world.clock.advance(Duration::from_millis(3));
        let answer = world.present(basic(ADA, ADAS)).await;
        assert_outage(&answer, "store_unavailable");
    }
}

// also: T27
#[tokio::test]
async fn bas_07_every_failure_one_answer() {
    for careless in [false, true] {
        let vendor = Vendor {
            careless,
            ..Vendor::new()
        };
        let world = world(&vendor).await;
        let over = ForeignToken::personal("v-old", "acme", "ada", ADA)
            .scopes(["read:issues"])
            .created_at(UnixTime::from_secs(NOW - 60))
            .expires_at(UnixTime::from_secs(NOW));
        vendor.issues("pat-over", over);
        let other = if careless { "WrongEmail" } else { "Unknown" };
        let cases = [
            ("Unknown", basic(ADA, "pat-unknown")),
            ("Expired", basic(ADA, "pat-over")),
            (other, basic("bob@acme.example", ADAS)),
            ("NoAddress", basic("ada", ADAS)),
        ];
        let mut answers = Vec::new();
        for (fault, authorization) in cases {
            let request = post().header("x-request-id", "one-for-all");
            let request = request.header("authorization", authorization);
            let answer = world.send(request).await;
            assert_refused(&answer, "invalid_api_token");
            assert_eq!(note(&answer), format!("vendor: {fault}"));
            assert!(!answer.challenge().contains("error"), "BAS-11");
            answers.push((answer.status, answer.headers, answer.body));
        }
        for answer in &answers {
            assert_eq!(answer, &answers[0]);
        }
        assert_eq!(world.probe.calls(), 0);
    }
}

#[tokio::test]
async fn t21_the_address_is_part_of_what_is_known() {
    for careless in [false, true] {
        let vendor = Vendor {
            careless,
            ..Vendor::new()
        };
        let world = world(&vendor).await;
        world.present(basic(ADA, ADAS)).await.assert_let_in();
        let bob = world.present(basic("bob@acme.example", ADAS)).await;
        assert_refused(&bob, "invalid_api_token");
        world.present(basic(ADA, ADAS)).await.assert_let_in();
        let bob = world.present(basic("bob@acme.example", ADAS)).await;
        assert_refused(&bob, "invalid_api_token");
        let asked = vendor.asked.lock().unwrap().clone();
        let addresses: Vec<_> = asked.iter().map(|(_, email)| email.as_deref()).collect();
        assert_eq!(addresses, [Some(ADA), Some("bob@acme.example")]);
    }
}

#[tokio::test]
async fn bas_08_the_domain_has_no_case_the_local_part_does() {
    let vendor = Vendor::new();
    let exact = world(&vendor).await;
    for same in [ADA, "ada@ACME.Example"] {
        exact.present(basic(same, ADAS)).await.assert_let_in();
    }
    assert_eq!(vendor.faults.calls(), 1);
    let other = exact.present(basic("Ada@acme.example", ADAS)).await;
    assert_refused(&other, "invalid_api_token");

    let vendor = Vendor {
        rule: LocalPart::AnyAsciiCase,
        ..Vendor::new()
    };
    let folding = world(&vendor).await;
    for same in ["ADA@acme.example", ADA, "Ada@ACME.example"] {
        folding.present(basic(same, ADAS)).await.assert_let_in();
    }
    let asked = vendor.asked.lock().unwrap().clone();
    assert_eq!(asked, [(ADAS.to_owned(), Some(ADA.to_owned()))]);
}

#[tokio::test]
async fn keysa_04_switched_off_is_said_after_proof_only() {
    let vendor = Vendor::new();
    let world = world(&vendor).await;
    let good = [basic(GIL, GILS), bearer(GLOBEX)];
    for authorization in &good {
        let answer = world.present(authorization).await;
        assert_refused(&answer, "method_disabled");
        assert_eq!(answer.json()["error"], "auth_method_disabled");
        assert_eq!(answer.json()["policy"], "globex");
    }
    for bad in [
        basic(GIL, "pat-guess"),
        bearer("svc-guess"),
        basic(ADA, GILS),
    ] {
        assert_refused(&world.present(bad).await, "invalid_api_token");
    }
    let globex = OrganizationPolicy::new(organization("globex")).api_tokens(true);
    world.policies.put(globex, 0).await.unwrap();
    for authorization in &good {
        world.present(authorization).await.assert_let_in();
    }
}

#[tokio::test]
async fn t28_t29_failures_are_counted_by_address_and_by_token() {
    let vendor = Vendor::new();
    let world = world(&vendor).await;
    let (attacker, victim) = ("203.0.113.66", "198.51.100.7");
    for guess in 0..5 {
        let wrong = basic(&format!("guess{guess}@acme.example"), ADAS);
        let answer = world.present_from(attacker, wrong).await;
        assert_refused(&answer, "invalid_api_token");
    }
    // Whatever the address beside it, it was one token.
    let answer = world.present_from(attacker, basic(ADA, ADAS)).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.json()["limit"], "failed_credentials_per_token");
    let robot = world.present_from(attacker, bearer(ROBOTS)).await;
    robot.assert_let_in();
    let asked = vendor.faults.calls();
    for guess in 0..40 {
        let wrong = bearer(&format!("svc-guess-{guess}"));
        world.present_from(attacker, wrong).await;
    }
    assert_eq!(vendor.faults.calls(), asked + 15, "20 failures in all");
    let answer = world.present_from(attacker, bearer(ROBOTS)).await;
    assert_eq!(answer.json()["limit"], "failed_credentials_per_address");
    // Elsewhere nobody notices.
    let ada = world.present_from(victim, basic(ADA, ADAS)).await;
    ada.assert_let_in();
}

#[tokio::test]
async fn bas_14_a_token_sent_in_the_clear_is_not_verified() {
    let vendor = Vendor::new();
    let proxies = TrustedProxies::new(["10.0.0.0/8"]).unwrap();
    let world = custom(&vendor, |builder| builder.trusted_proxies(proxies)).await;
    for authorization in [basic(ADA, ADAS), bearer(ROBOTS)] {
        let request = from("10.0.0.1")
            .header("x-forwarded-for", "203.0.113.9")
            .header("x-forwarded-proto", "http");
        let answer = world
            .send(request.header("authorization", authorization))
            .await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::FORBIDDEN, "insecure_transport")
        );
    }
    assert_eq!(vendor.faults.calls(), 0);
}

#[tokio::test]
async fn bas_13_scp_08_keysa_03_a_tokens_own_limits_hold() {
    let vendor = Vendor::new();
    let world = custom(&vendor, |builder| builder.require_scopes(["read:issues"])).await;
    let key = || ForeignToken::service_account("v-2", "acme", "ci");
    let none: [&str; 0] = [];
    vendor.issues("svc-unscoped", whole(key()).scopes(none));
    vendor.issues("svc-other", whole(key()).scopes(["write:issues"]));
    vendor.issues("svc-inside", whole(key()).networks(["203.0.113.0/24"]));
    let answer = world.present(bearer("svc-unscoped")).await;
    assert_eq!(answer.code(), "unscoped_token");
    assert_eq!(answer.json()["granted_scopes"], Value::Array(Vec::new()));
    let answer = world.present(bearer("svc-other")).await;
    assert_eq!(answer.code(), "api_token_lacks_scope");
    assert_eq!(answer.header("www-authenticate"), None);
    let inside = bearer("svc-inside");
    let answer = world.present_from("203.0.113.5", &inside).await;
    answer.assert_let_in();
    let answer = world.present_from("203.0.114.5", &inside).await;
    assert_eq!(answer.code(), "network_not_allowed");
    assert_eq!(answer.json()["rule"], "token_networks");
}

#[tokio::test]
async fn t23_every_hit_looks_at_the_time() {
    let vendor = Vendor::new();
    let soon = whole(ForeignToken::service_account("v-3", "acme", "ci"));
    vendor.issues("svc-soon", soon.expires_at(UnixTime::from_secs(NOW + 10)));
    let world = world(&vendor).await;
    world.present(bearer("svc-soon")).await.assert_let_in();
    world.clock.advance(Duration::from_secs(9));
    world.present(bearer("svc-soon")).await.assert_let_in();
    world.clock.advance(Duration::from_secs(1));
    assert_refused(
        &world.present(bearer("svc-soon")).await,
        "invalid_api_token",
    );
    assert_eq!(vendor.faults.calls(), 1);
}

#[tokio::test]
async fn revoke_01_to_05_the_handle_knows_foreign_tokens() {
    let vendor = Vendor::new();
    let world = world(&vendor).await;
    let handle = world.auth.handle();
    let second = whole(ForeignToken::personal("v-ada-2", "acme", "ada", ADA));
    vendor.issues("pat-second", second);
    world.present(basic(ADA, ADAS)).await.assert_let_in();
    handle.revoke_token("elsewhere", "v-ada").await.unwrap();
    world.present(basic(ADA, ADAS)).await.assert_let_in();
    handle.revoke_token("vendor", "v-ada").await.unwrap();
    assert_eq!(world.present(basic(ADA, ADAS)).await.code(), "revoked");
    let second = basic(ADA, "pat-second");
    let key = world.context(&second).await.unwrap().key();
    handle.revoke_principal(&key).await.unwrap();
    assert_eq!(world.present(&second).await.code(), "revoked");
    let third = ForeignToken::personal("v-ada-3", "acme", "ada", ADA);
    let third = whole(third).created_at(UnixTime::from_secs(NOW + 1));
    vendor.issues("pat-third", third);
    world.clock.advance(Duration::from_secs(1));
    world.present(basic(ADA, "pat-third")).await.assert_let_in();
    world.present(bearer(ROBOTS)).await.assert_let_in();
    let asked = vendor.faults.calls();
    handle.flush();
    world.present(bearer(ROBOTS)).await.assert_let_in();
    assert_eq!(vendor.faults.calls(), asked + 1);
    handle.revoke_issuer("vendor").await.unwrap();
    assert_eq!(world.present(bearer(ROBOTS)).await.code(), "revoked");
    world.robot().await.assert_let_in();
    handle
        .revoke_organization(&organization("acme"))
        .await
        .unwrap();
    assert_eq!(world.robot().await.code(), "revoked");
}

#[tokio::test]
async fn mcp_19_an_authority_makes_one_person_of_both_ways_in() {
    let vendor = Vendor::new();
    let world = world(&vendor).await;
    let ada = whole(ForeignToken::personal("v-ada", "acme", "ada", ADA));
    vendor.issues(ADAS, ada.authority(I));
    let by_token = world.context(basic(ADA, ADAS)).await.unwrap();
    let oauth = bearer(&world.access_token().subject("ada").sign());
    let by_oauth = world.context(oauth).await.unwrap();
    assert_eq!(by_token.key(), by_oauth.key());
    world.auth.handle().revoke_token(I, "v-ada").await.unwrap();
    assert_eq!(world.present(basic(ADA, ADAS)).await.code(), "revoked");
}

#[tokio::test]
async fn r15_an_answer_that_cannot_be_is_an_outage_with_a_reason() {
    let (log, _guard) = Log::start();
    let vendor = Vendor::new();
    let world = world(&vendor).await;
    let key = || whole(ForeignToken::service_account("v-4", "acme", "ci"));
    let cases = [
        ("svc-1", key().scopes(["a b"]), "scopes = "),
        ("svc-2", key().networks(["10.0.0.1/8"]), "networks = "),
        (
            "svc-3",
            key().expires_at(UnixTime::from_secs(0)),
            "expires_at = ",
        ),
        (
            "svc-4",
            whole(ForeignToken::personal("v", "acme", "ada", ADA)),
            "a personal token for a service_account one",
        ),
        (
            "svc-5-c4n4ry",
            whole(ForeignToken::service_account("svc-5-c4n4ry", "acme", "ci")),
            "its own secret",
        ),
    ];
    for (text, token, words) in cases {
        vendor.issues(text, token);
        let answer = world.present(bearer(text)).await;
        assert_outage(&answer, "store_unavailable");
        assert!(!String::from_utf8_lossy(&answer.body).contains(words));
        assert!(log.text().contains(words), "{words} in {}", log.text());
    }
    assert!(log.text().contains("vendor"));
    assert!(!log.text().contains("c4n4ry"));
    assert_eq!(world.probe.calls(), 0);
}

#[tokio::test]
async fn r15_a_panic_in_a_recogniser_is_an_answer() {
    let world = world(&Vendor::new()).await;
    let answer = world.present("Bearer boom").await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::INTERNAL_SERVER_ERROR, "internal")
    );
    world.present(bearer(ROBOTS)).await.assert_let_in();
}

#[tokio::test(start_paused = true)]
async fn edge_10_t48_no_foreign_credential_is_repeated_anywhere() {
    let (log, _guard) = Log::start();
    let vendor = Vendor::new();
    let world = custom(&vendor, |builder| builder.api_key_header("x-api-key")).await;
    let secrets = ["pat-s3cr3tc4n4ry", "svc-s3cr3tc4n4ry"];
    let mut seen = vec![format!("{:?} {:?}", world.auth, world.auth.handle())];
    for (mood, fresh) in [
        (Mood::Well, true),
        (Mood::Down, false),
        (Mood::Hangs, false),
        (Mood::Panics, false),
    ] {
        vendor.faults.set(mood);
        world.auth.handle().flush();
        if fresh {
            vendor.issues(
                secrets[1],
                whole(ForeignToken::service_account("v", "acme", "r")),
            );
        }
        for secret in secrets {
            for value in [basic(ADA, secret), bearer(secret)] {
                let answer = world.present(value).await;
                let why = answer
                    .rejection
                    .as_ref()
                    .map(|why| format!("{why} {why:?}"));
                seen.push(format!("{answer:?} {why:?}"));
            }
            world.send(post().header("x-api-key", secret)).await;
        }
        world.clock.advance(Duration::from_secs(61));
    }
    seen.push(log.text());
    let seen = seen.concat();
    assert!(seen.contains("foreign tokens") && seen.contains("wrong_scheme_for_token"));
    assert!(!seen.contains("s3cr3t"), "{seen}");
    assert!(!seen.contains(&basic("", secrets[0])[6..]));
}

#[tokio::test]
async fn t38_every_mistake_in_formats_is_named_at_once() {
    let auth = || Authenticator::builder(described(Issuer::new(I)));
    let vendor = Vendor::new;
    let error = auth()
        .foreign_tokens("", vendor())
        .foreign_tokens("one", vendor())
        .foreign_tokens("one", vendor())
        .foreign_tokens("a\nb", vendor())
        .build()
        .unwrap_err();
    let found: Vec<_> = error
        .problems()
        .iter()
        .map(|problem| (problem.field.as_str(), problem.value.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("foreign_tokens[0]", ""),
            ("foreign_tokens[2]", "one"),
            ("foreign_tokens[3]", "a\nb"),
            ("policies", "none"),
        ]
    );
    assert!(
        error
            .problems()
            .iter()
            .all(|problem| !problem.remedy.is_empty())
    );

    let world = TokenWorld::new().await;
    let error = auth()
        .api_tokens(world.tokens.clone())
        .foreign_tokens("api-tokens", vendor())
        .policies(world.policies.clone())
        .build()
        .unwrap_err();
    let [problem] = error.problems() else {
        panic!("{error}")
    };
    assert_eq!(problem.field, "foreign_tokens[0]");
    assert!(problem.remedy.contains("authority"), "{problem}");
}
