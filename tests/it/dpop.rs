//! Tokens bound to a key, their proofs, and what attackers make of them (DPOP-1..14).

use std::collections::HashSet;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use futures_util::poll;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::clock::{Clock, UnixTime};
use tower_mcp_auth::dpop::{Claim, Dpop, ProofId, ReplayStore};
use tower_mcp_auth::middleware::RequestBody;
use tower_mcp_auth::testing::{DpopKey, Fault, MemoryAudit, ProofBuilder};
use tower_mcp_auth::{
    AuthenticateLayer, AuthorizeToolLayer, BackendError, McpAuthLayer, ProtectedResource, Reason,
    SigningAlgorithm, ToolRules,
};

use crate::streams_support::fed;
use crate::support::{Answer, P, R, World, post};
use crate::tokens_support::TokenWorld;

/// A server that takes DPoP, and a client with a key.
struct Bound {
    world: World,
    key: DpopKey,
}

impl Bound {
    fn cold(configure: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder) -> Self {
        Self {
            world: World::cold().rebuilt(configure),
            key: DpopKey::generate(),
        }
    }

    async fn new(settings: Dpop) -> Self {
        let mut bound = Self::cold(|builder| builder.dpop(settings));
        bound.world = bound.world.warmed().await;
        bound
    }

    fn token(&self) -> String {
        self.world.token().dpop_key(&self.key).sign()
    }

    /// A good proof for a POST with this token, to be broken.
    fn proof(&self, token: &str) -> ProofBuilder {
        self.proof_for("POST", R, token)
    }

    fn proof_for(&self, method: &str, url: &str, token: &str) -> ProofBuilder {
        self.key
            .proof(method, url, token)
            .at(self.world.clock.now())
    }

    async fn send(&self, token: &str, proof: impl AsRef<str>) -> Answer {
        self.send_lines(token, &[proof.as_ref()]).await
    }

    async fn send_lines(&self, token: &str, proofs: &[&str]) -> Answer {
        let mut request = post().header("authorization", format!("DPoP {token}"));
        for proof in proofs {
            request = request.header("dpop", *proof);
        }
        self.world.send(request).await
    }
}

fn challenges(answer: &Answer) -> Vec<&str> {
    let lines = answer.headers.get_all("www-authenticate").iter();
    lines.map(|line| line.to_str().unwrap()).collect()
}

/// Refused for this reason; the error stands on the DPoP line alone, after a Bearer line (DPOP-12,
/// AUTH-3).
#[track_caller]
fn assert_refused(answer: &Answer, reason: &str, error: &str) {
    assert_eq!(
        answer.code(),
        reason,
        "{:?} {:?}",
        answer.rejection,
        answer.body
    );
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.json()["error"], error);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let [bearer, dpop] = challenges(answer)[..] else {
        panic!("two challenges: {:?}", answer.headers);
    };
    assert_eq!(bearer, format!("Bearer resource_metadata=\"{P}\""));
    assert!(
        dpop.starts_with(&format!("DPoP error=\"{error}\", error_description=\"")),
        "{dpop}"
    );
    assert!(dpop.contains("algs=\"ES256 EdDSA\""), "{dpop}");
    let nonce = answer.header("dpop-nonce");
    assert_eq!(nonce.is_some(), error == "use_dpop_nonce");
}

#[track_caller]
fn assert_bad_proof(answer: &Answer, note: &str) {
    assert_refused(answer, "invalid_dpop_proof", "invalid_dpop_proof");
    assert_eq!(answer.rejection.as_ref().unwrap().note(), Some(note));
}

#[tokio::test]
async fn dpop_01_exactly_one_header_with_one_proof() {
    let bound = Bound::new(Dpop::new()).await;
    let token = bound.token();
    let proof = || bound.proof(&token).sign();
    let none = bound.send_lines(&token, &[]).await;
    assert_refused(&none, "missing_dpop_proof", "invalid_dpop_proof");
    let twice = bound.send_lines(&token, &[&proof(), &proof()]).await;
    assert_bad_proof(&twice, "two DPoP headers");
    for bad in [
        format!("{}, {}", proof(), proof()),
        format!("{},{}", proof(), proof()),
        format!("\"{}\"", proof()),
        format!("DPoP {}", proof()),
        format!("{}=", proof()),
        format!("{}.", proof()),
        String::new(),
        "a.b".into(),
        "a.b.c.d.e".into(),
    ] {
        assert_bad_proof(&bound.send(&token, &bad).await, "no compact JWS");
    }
    let long = bound.proof(&token).claim("x", "x".repeat(8192)).sign();
    assert_bad_proof(&bound.send(&token, long).await, "longer than 8 KiB");
    assert_eq!(bound.world.probe.calls(), 0);
    for scheme in ["DPoP", "dpop", "DPOP"] {
        let request = post().header("authorization", format!("{scheme} {token}"));
        let answer = bound.world.send(request.header("dpop", proof())).await;
        answer.assert_let_in();
    }
}

#[tokio::test]
async fn dpop_02_what_signs_a_proof_is_the_public_key_in_it() {
    let bound = Bound::new(Dpop::new()).await;
    let token = bound.token();
    let proof = || bound.proof(&token);
    let jwk = bound.key.public_jwk();
    let with = |member: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[member] = value;
        jwk
    };
    for (bad, note) in [
        (proof().without_header("typ"), "typ"),
        (proof().header("typ", "JWT"), "typ"),
        (proof().header("typ", "at+jwt"), "typ"),
        (proof().header("typ", json!(["dpop+jwt"])), "typ"),
        (proof().header("alg", "none"), "alg"),
        (proof().hmac(jwk.to_string()), "alg"),
        (proof().header("alg", "RS256"), "alg"),
        (proof().header("alg", "es256"), "alg"),
        (proof().without_header("alg"), "alg"),
        (proof().without_header("jwk"), "jwk"),
        (proof().header("jwk", json!([jwk])), "jwk"),
        (proof().header("jwk", jwk.to_string()), "jwk"),
        (
            proof().header("jwk", with("d", json!("AAAA"))),
            "jwk holds a secret",
        ),
        (
            proof().header("jwk", with("k", json!("AAAA"))),
            "jwk holds a secret",
        ),
        (
            proof().header("jwk", with("d", json!(null))),
            "jwk holds a secret",
        ),
        (proof().header("alg", "EdDSA"), "jwk"),
        (proof().header("jwk", with("use", json!("enc"))), "jwk"),
        (proof().header("crit", json!(["exp"])), "crit or b64"),
        (proof().header("b64", false), "crit or b64"),
        (proof().tamper(), "signature"),
        (
            proof().raw_header("{\"typ\":\"dpop+jwt\",\"typ\":\"dpop+jwt\"}"),
            "header is not strict JSON",
        ),
        (
            proof().raw_claims("{\"jti\":\"a\",\"jti\":\"b\"}"),
            "payload is not strict JSON",
        ),
        (proof().raw_claims("[]"), "payload is not strict JSON"),
    ] {
        assert_bad_proof(&bound.send(&token, bad.sign()).await, note);
    }
    let oct = json!({"kty": "oct", "kid": "a"});
    let answer = bound.send(&token, proof().header("jwk", oct).sign()).await;
    assert_refused(&answer, "dpop_key_mismatch", "invalid_token");
    assert_eq!(bound.world.probe.calls(), 0);
    bound.send(&token, proof().sign()).await.assert_let_in();
    // The same refusals now that the key has been read and is remembered with its token.
    let secret = proof().header("jwk", with("d", json!("AAAA")));
    assert_bad_proof(
        &bound.send(&token, secret.sign()).await,
        "jwk holds a secret",
    );
    assert_bad_proof(
        &bound.send(&token, proof().tamper().sign()).await,
        "signature",
    );
    assert_bad_proof(
        &bound
            .send(&token, proof().header("alg", "EdDSA").sign())
            .await,
        "jwk",
    );
}

#[tokio::test]
async fn dpop_02_chains_and_addresses_of_keys_are_not_looked_at() {
    let bound = Bound::new(Dpop::new()).await;
    let token = bound.token();
    let proof = bound
        .proof(&token)
        .header("x5c", json!(["bm90IGEgY2VydGlmaWNhdGU="]))
        .header("x5u", "https://evil.example/chain")
        .header("jku", "https://evil.example/keys")
        .header("kid", 7);
    bound.send(&token, proof.sign()).await.assert_let_in();
    let requests = bound.world.issuer.requests();
    assert!(
        requests.iter().all(|path| !path.contains("evil")),
        "{requests:?}"
    );
}

#[tokio::test]
async fn dpop_02_every_algorithm_on_the_list_signs_and_no_other() {
    use SigningAlgorithm::{EdDsa, Es256, Es384, Ps256, Rs256};
    let all = [Es256, Es384, EdDsa, Rs256, Ps256];
    let mut bound = Bound::new(Dpop::new().algorithms(all)).await;
    for algorithm in all {
        bound.key = DpopKey::with_algorithm(algorithm);
        let token = bound.token();
        for _ in 0..2 {
            let answer = bound.send(&token, bound.proof(&token).sign()).await;
            answer.assert_let_in();
        }
        let forged = bound.proof(&token).tamper().sign();
        assert_eq!(
            bound.send(&token, forged).await.code(),
            "invalid_dpop_proof"
        );
    }
    bound = Bound::new(Dpop::new()).await;
    bound.key = DpopKey::with_algorithm(Es384);
    let token = bound.token();
    assert_bad_proof(&bound.send(&token, bound.proof(&token).sign()).await, "alg");
}

#[tokio::test]
async fn dpop_03_a_proof_is_for_one_method_and_one_url() {
    let bound = Bound::new(Dpop::new()).await;
    let token = bound.token();
    for (method, url, note) in [
        ("GET", R, Some("htm")),
        ("post", R, Some("htm")),
        ("POST", "https://mcp.example.com/other", Some("htu")),
        ("POST", "https://mcp.example.com/mcp/x", Some("htu")),
        ("POST", "http://mcp.example.com/mcp", Some("htu")),
        ("POST", "https://other.example.com/mcp", Some("htu")),
        ("POST", "https://mcp.example.com:8443/mcp", Some("htu")),
        ("POST", "/mcp", Some("htu")),
        ("POST", "https://mcp.example.com:443/mcp", None),
        ("POST", "HTTPS://MCP.EXAMPLE.COM/mcp", None),
        ("POST", "https://mcp.example.com/mcp?a=b#c", None),
    ] {
        let answer = bound
            .send(&token, bound.proof_for(method, url, &token).sign())
            .await;
        match note {
            Some(note) => assert_bad_proof(&answer, note),
            None => answer.assert_let_in(),
        }
    }
    for name in ["htm", "htu"] {
        for proof in [
            bound.proof(&token).without(name),
            bound.proof(&token).claim(name, json!([R])),
        ] {
            assert_bad_proof(&bound.send(&token, proof.sign()).await, name);
        }
    }
}

#[tokio::test]
async fn dpop_03_every_mount_is_a_url_of_its_own() {
    const V2: &str = "https://mcp.example.com/v2/mcp";
    let mut bound = Bound::new(Dpop::new()).await;
    let first = bound.world.auth.clone();
    bound.world.auth = first.mount(ProtectedResource::new(V2)).unwrap();
    let token = bound
        .world
        .issuer
        .token(json!([R, V2]))
        .dpop_key(&bound.key)
        .sign();
    let (for_first, for_second) = (
        bound.proof(&token).sign(),
        bound.proof_for("POST", V2, &token).sign(),
    );
    assert_eq!(
        bound.send(&token, &for_first).await.code(),
        "invalid_dpop_proof"
    );
    bound.send(&token, &for_second).await.assert_let_in();
    bound.world.auth = first;
    bound.send(&token, &for_first).await.assert_let_in();
    assert_eq!(
        bound.send(&token, &for_second).await.code(),
        "invalid_dpop_proof"
    );
}

#[tokio::test]
async fn dpop_04_a_proof_is_five_minutes_old_at_most() {
    let bound = Bound::new(Dpop::new()).await;
    let token = bound.token();
    for (age, good) in [
        (-301, false),
        (-299, true),
        (0, true),
        (299, true),
        (301, false),
    ] {
        let made = bound.world.clock.now().plus_secs(age);
        let answer = bound
            .send(&token, bound.proof(&token).at(made).sign())
            .await;
        if good {
            answer.assert_let_in();
        } else {
            assert_bad_proof(&answer, "iat is too long ago or ahead");
        }
    }
    for bad in [json!("1800000000"), json!(null), json!(-1), json!(1e30)] {
        assert_bad_proof(
            &bound
                .send(&token, bound.proof(&token).claim("iat", bad).sign())
                .await,
            "iat",
        );
    }
    assert_bad_proof(
        &bound
            .send(&token, bound.proof(&token).without("iat").sign())
            .await,
        "iat",
    );
}

#[tokio::test]
async fn dpop_05_a_proof_is_for_one_token() {
    let bound = Bound::new(Dpop::new()).await;
    let (token, other) = (bound.token(), bound.token());
    assert_bad_proof(&bound.send(&token, bound.proof(&other).sign()).await, "ath");
    assert_bad_proof(
        &bound
            .send(&token, bound.proof(&token).without("ath").sign())
            .await,
        "ath",
    );
    let padded = bound.proof(&token).claims_text();
    let padded: Value = serde_json::from_str(&padded).unwrap();
    let padded = format!("{}=", padded["ath"].as_str().unwrap());
    assert_bad_proof(
        &bound
            .send(&token, bound.proof(&token).claim("ath", padded).sign())
            .await,
        "ath",
    );
    bound
        .send(&token, bound.proof(&token).sign())
        .await
        .assert_let_in();
    bound
        .send(&other, bound.proof(&other).sign())
        .await
        .assert_let_in();
}

#[tokio::test]
async fn dpop_06_a_stolen_token_is_worth_nothing_without_its_key() {
    let bound = Bound::new(Dpop::new()).await;
    let token = bound.token();
    bound
        .send(&token, bound.proof(&token).sign())
        .await
        .assert_let_in();
    let thief = DpopKey::generate();
    let at = bound.world.clock.now();
    let stolen = thief.proof("POST", R, &token).at(at);
    let answer = bound.send(&token, stolen.sign()).await;
    assert_refused(&answer, "dpop_key_mismatch", "invalid_token");
    // The owner's key in the header, the thief's signature.
    let forged = stolen.header("jwk", bound.key.public_jwk());
    assert_bad_proof(&bound.send(&token, forged.sign()).await, "signature");
    assert_eq!(bound.world.probe.calls(), 1);
}

#[tokio::test]
async fn dpop_07_a_bound_token_is_never_a_plain_one() {
    let bound = Bound::new(Dpop::new()).await;
    let token = bound.token();
    bound
        .send(&token, bound.proof(&token).sign())
        .await
        .assert_let_in();
    let request = post().header("authorization", format!("Bearer {token}"));
    for request in [
        post().header("authorization", format!("Bearer {token}")),
        request.header("dpop", bound.proof(&token).sign()),
    ] {
        let answer = bound.world.send(request).await;
        assert_eq!(answer.code(), "sender_constrained");
        let [bearer, dpop] = challenges(&answer)[..] else {
            panic!("two challenges")
        };
        assert!(
            bearer.starts_with("Bearer error=\"invalid_token\""),
            "{bearer}"
        );
        assert_eq!(
            dpop,
            format!("DPoP algs=\"ES256 EdDSA\", resource_metadata=\"{P}\"")
        );
    }
    assert_eq!(bound.world.probe.calls(), 1);
}

#[tokio::test]
async fn dpop_08_an_unbound_token_is_nothing_for_the_scheme() {
    let bound = Bound::new(Dpop::new()).await;
    let token = bound.world.token().sign();
    for _ in 0..2 {
        let answer = bound.send(&token, bound.proof(&token).sign()).await;
        assert_refused(&answer, "unbound_token", "invalid_token");
        bound.world.bearer(&token).await.assert_let_in();
    }
    let answer = bound.send("no-token", bound.proof("no-token").sign()).await;
    assert_refused(&answer, "unrecognized_credential", "invalid_token");
}

#[tokio::test]
async fn dpop_09_a_proof_is_used_once() {
    let bound = Bound::new(Dpop::new()).await;
    let token = bound.token();
    let proof = bound.proof(&token).sign();
    bound.send(&token, &proof).await.assert_let_in();
    for _ in 0..2 {
        let answer = bound.send(&token, &proof).await;
        assert_refused(&answer, "dpop_replayed", "invalid_dpop_proof");
        assert!(answer.rejection.unwrap().note().is_none());
    }
    // Another proof with the same id is the same proof; with another id it is another one.
    let id = |id: &str| bound.proof(&token).claim("jti", id).sign();
    bound.send(&token, id("one")).await.assert_let_in();
    assert_eq!(bound.send(&token, id("one")).await.code(), "dpop_replayed");
    bound.send(&token, id("two")).await.assert_let_in();
    for bad in [json!(""), json!(1), json!(null), json!("x".repeat(257))] {
        assert_bad_proof(
            &bound
                .send(&token, bound.proof(&token).claim("jti", bad).sign())
                .await,
            "jti",
        );
    }
    // Until it is too old anyway.
    bound.world.clock.advance(Duration::from_secs(299));
    assert_eq!(bound.send(&token, &proof).await.code(), "dpop_replayed");
}

#[tokio::test]
async fn dpop_09_a_refused_request_uses_no_proof_up() {
    let settings =
        |builder: AuthenticatorBuilder| builder.dpop(Dpop::new()).require_scopes(["read:issues"]);
    let bound = Bound::cold(settings);
    // The issuer is down, and then it is back.
    let token = bound.token();
    let proof = bound.proof(&token).sign();
    bound.world.issuer.fail_all(Fault::Status(503));
    let outage = bound.send(&token, &proof).await;
    assert_eq!(outage.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(challenges(&outage), [""; 0]);
    bound.world.issuer.heal();
    bound.world.clock.advance(Duration::from_secs(60));
    bound.send(&token, &proof).await.assert_let_in();
    assert_eq!(bound.world.issuer.hits().jwks, 1);
    // Scopes are missing: on the DPoP line, as all errors.
    let poor = bound
        .world
        .token()
        .dpop_key(&bound.key)
        .scope("other")
        .sign();
    let answer = bound.send(&poor, bound.proof(&poor).sign()).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let [bearer, dpop] = challenges(&answer)[..] else {
        panic!("two challenges")
    };
    assert_eq!(bearer, format!("Bearer resource_metadata=\"{P}\""));
    assert!(
        dpop.starts_with("DPoP error=\"insufficient_scope\", scope=\"read:issues\""),
        "{dpop}"
    );
}

/// A request that has to wait is judged more than once, and its proof only in the end.
#[tokio::test]
async fn dpop_09_a_request_that_waits_is_not_refused_for_its_own_proof() {
    let bound = Bound::cold(|builder| builder.dpop(Dpop::new()));
    let token = bound.token();
    let proof = bound.proof(&token).sign();
    bound.send(&token, &proof).await.assert_let_in();
    assert_eq!(
        bound.world.issuer.hits().jwks,
        1,
        "the first request waited for keys"
    );
    assert_eq!(bound.send(&token, &proof).await.code(), "dpop_replayed");
}

/// The credential is judged again after a slow body, and the proof is not.
#[tokio::test]
async fn dpop_09_a_slow_body_needs_no_second_proof() {
    const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list"}}"#;
    let rules = ToolRules::new().tool("list", ["read:issues"]);
    let mut bound = Bound::cold(|builder| builder.dpop(Dpop::new()).tools(rules));
    bound.world = bound.world.warmed().await;
    for revoked in ["https://elsewhere.example", crate::support::I] {
        let token = bound
            .world
            .token()
            .dpop_key(&bound.key)
            .expires_in(3600)
            .sign();
        let (feed, body) = fed();
        let request = post()
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", bound.proof(&token).sign());
        let inner = service_fn(|request: Request<RequestBody<_>>| async {
            let read = request.into_body().collect().await.unwrap().to_bytes();
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::new(read)))
        });
        let service = McpAuthLayer::new(bound.world.auth.clone()).layer(inner);
        let mut answer = pin!(service.oneshot(request.body(body).unwrap()));
        feed.send(Frame::data(CALL[..30].to_owned().into()))
            .unwrap();
        assert!(poll!(&mut answer).is_pending());
        bound.world.clock.advance(Duration::from_secs(400));
        bound
            .world
            .auth
            .handle()
            .revoke_issuer(revoked)
            .await
            .unwrap();
        feed.send(Frame::data(CALL[30..].to_owned().into()))
            .unwrap();
        drop(feed);
        let answer = Answer::read(answer.await.unwrap()).await;
        if revoked == crate::support::I {
            assert_refused(&answer, "revoked", "invalid_token");
        } else {
            assert_eq!(answer.body, CALL, "{}", answer.code());
        }
    }
}

/// A store that several processes share, and that can fail.
#[derive(Default)]
struct Shared {
    used: Mutex<HashSet<ProofId>>,
    until: Mutex<Option<UnixTime>>,
    mood: Mutex<&'static str>,
}

impl ReplayStore for &'static Shared {
    async fn claim(&self, proof: ProofId, until: UnixTime) -> Result<Claim, BackendError> {
        tokio::task::yield_now().await;
        *self.until.lock().unwrap() = Some(until);
        let mood = *self.mood.lock().unwrap();
        match mood {
            "down" => Err(BackendError::new("connection refused by cache.internal")),
            "hangs" => std::future::pending().await,
            "panics" => panic!("a fault of the store"),
            _ if self.used.lock().unwrap().insert(proof) => Ok(Claim::First),
            _ => Ok(Claim::Again),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dpop_09_replicas_share_a_store() {
    let store: &'static Shared = Box::leak(Box::default());
    let one = Bound::new(Dpop::new().replay_store(store)).await;
    let token = one.token();
    let proof = one.proof(&token).sign();
    one.send(&token, &proof).await.assert_let_in();
    let until = one.world.clock.now().plus_secs(300 + 60);
    assert_eq!(*store.until.lock().unwrap(), Some(until));
    assert_eq!(one.send(&token, &proof).await.code(), "dpop_replayed");
    let two = one
        .world
        .rebuilt(|builder| builder.dpop(Dpop::new().replay_store(store)));
    let two = Bound {
        world: two,
        key: one.key,
    };
    // Keys have to be fetched first, and the store is asked after that.
    assert_eq!(two.send(&token, &proof).await.code(), "dpop_replayed");
    for (mood, status) in [("down", 503), ("hangs", 503), ("panics", 500), ("", 200)] {
        *store.mood.lock().unwrap() = mood;
        let answer = two.send(&token, two.proof(&token).sign()).await;
        assert_eq!(answer.status, status, "{mood}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("cache.internal"));
    }
}

#[tokio::test]
async fn dpop_10_the_life_of_a_nonce() {
    let bound = Bound::new(Dpop::new().nonces([7; 32])).await;
    let token = bound.token();
    let first = bound.send(&token, bound.proof(&token).sign()).await;
    assert_refused(&first, "dpop_nonce_needed", "use_dpop_nonce");
    let nonce = first.header("dpop-nonce").unwrap().to_owned();
    assert!(nonce.len() >= 22, "{nonce}");
    let with = |nonce: &str| bound.proof(&token).nonce(nonce).sign();
    // It serves, for several proofs, and no other is given out meanwhile.
    for _ in 0..2 {
        let answer = bound.send(&token, with(&nonce)).await;
        answer.assert_let_in();
        assert_eq!(answer.header("dpop-nonce"), None);
    }
    for bad in ["", "made-up", &nonce.to_uppercase()] {
        assert_refused(
            &bound.send(&token, with(bad)).await,
            "dpop_nonce_needed",
            "use_dpop_nonce",
        );
    }
    let number = bound.proof(&token).claim("nonce", 7).sign();
    assert_refused(
        &bound.send(&token, number).await,
        "dpop_nonce_needed",
        "use_dpop_nonce",
    );
    // The next one rides on the answer to an older one.
    bound.world.clock.advance(Duration::from_secs(120));
    let answer = bound.send(&token, with(&nonce)).await;
    answer.assert_let_in();
    let next = answer.header("dpop-nonce").unwrap().to_owned();
    assert_ne!(next, nonce);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    bound.send(&token, with(&next)).await.assert_let_in();
    // And then the old one is over.
    bound.world.clock.advance(Duration::from_secs(120));
    let stale = bound.send(&token, with(&nonce)).await;
    assert_refused(&stale, "dpop_nonce_needed", "use_dpop_nonce");
    bound
        .send(&token, with(stale.header("dpop-nonce").unwrap()))
        .await
        .assert_let_in();
}

#[tokio::test]
async fn dpop_10_replicas_with_a_key_share_nonces_and_others_do_not() {
    let one = Bound::new(Dpop::new().nonces([7; 32])).await;
    let token = one.token();
    let asked = one.send(&token, one.proof(&token).sign()).await;
    let nonce = asked.header("dpop-nonce").unwrap().to_owned();
    let Bound { world, key } = one;
    let same = Bound {
        world: world
            .rebuilt(|b| b.dpop(Dpop::new().nonces([7; 32])))
            .warmed()
            .await,
        key,
    };
    same.send(&token, same.proof(&token).nonce(&nonce).sign())
        .await
        .assert_let_in();
    let Bound { world, key } = same;
    let other = Bound {
        world: world
            .rebuilt(|b| b.dpop(Dpop::new().nonces_random()))
            .warmed()
            .await,
        key,
    };
    let answer = other
        .send(&token, other.proof(&token).nonce(&nonce).sign())
        .await;
    assert_refused(&answer, "dpop_nonce_needed", "use_dpop_nonce");
}

/// Whatever a reload says about proofs in between.
#[tokio::test]
async fn dpop_09_a_used_proof_stays_used_through_reloads() {
    use crate::reload::settings;

    let bound = Bound::new(Dpop::new().nonces_random()).await;
    let token = bound.token();
    let asked = bound.send(&token, bound.proof(&token).sign()).await;
    let nonce = asked.header("dpop-nonce").unwrap();
    let proof = || bound.proof(&token).nonce(nonce).sign();
    let used = proof();
    bound.send(&token, &used).await.assert_let_in();
    let reload = |settings| bound.world.auth.reload(settings);
    let minute = Dpop::new().max_age(Duration::from_secs(60));
    for settings in [
        settings().dpop(minute.nonces_random()),
        settings(),
        settings().dpop(Dpop::new().nonces_random()),
    ] {
        reload(settings).unwrap();
    }
    assert_eq!(bound.send(&token, &used).await.code(), "dpop_replayed");
    // The nonces are the same as well.
    bound.send(&token, proof()).await.assert_let_in();

    let store: &'static Shared = Box::leak(Box::default());
    let named = settings().dpop(Dpop::new().replay_store(store));
    let error = reload(named).unwrap_err();
    assert_eq!(error.problems()[0].field, "dpop.replay_store");
}

/// Nor does one that was too old, and forgotten, come back when proofs may be older.
#[tokio::test]
async fn dpop_09_a_used_proof_stays_used_when_proofs_may_be_older() {
    use crate::reload::settings;

    let minute = || Dpop::new().max_age(Duration::from_secs(60));
    let bound = Bound::new(minute()).await;
    let token = bound.token();
    let used = bound.proof(&token).sign();
    bound.send(&token, &used).await.assert_let_in();
    for _ in 0..2 {
        // In time for both generations of a memory of two minutes, with enough to reach every part of it.
        bound.world.clock.advance(Duration::from_secs(121));
        for _ in 0..200 {
            let other = bound.proof(&token).sign();
            bound.send(&token, other).await.assert_let_in();
        }
    }
    let auth = &bound.world.auth;
    auth.reload(settings().dpop(Dpop::new())).unwrap();
    assert_eq!(bound.send(&token, &used).await.code(), "dpop_replayed");

    // A store is told to keep it for as long.
    let store: &'static Shared = Box::leak(Box::default());
    let bound = Bound::new(minute().replay_store(store)).await;
    let token = bound.token();
    let made = bound.world.clock.now();
    let answer = bound.send(&token, bound.proof(&token).sign()).await;
    answer.assert_let_in();
    let until = *store.until.lock().unwrap();
    assert_eq!(until, Some(made.plus_secs(300 + 60)));
}

#[tokio::test]
async fn dpop_11_a_nonce_is_for_one_client_and_readable_by_pages() {
    let bound = Bound::new(Dpop::new().nonces_random()).await;
    let token = bound.token();
    let answer = tower_mcp_auth::cors(&bound.world.auth.resource())
        .layer(bound.world.service())
        .oneshot(
            post()
                .header("origin", "https://mcp.example.com")
                .header("authorization", format!("DPoP {token}"))
                .header("dpop", bound.proof(&token).sign())
                .body(Empty::<Bytes>::new())
                .unwrap(),
        )
        .await
        .unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert!(answer.headers().contains_key("dpop-nonce"));
    let exposed = answer.headers()["access-control-expose-headers"]
        .to_str()
        .unwrap();
    assert!(
        exposed.contains("dpop-nonce") && exposed.contains("www-authenticate"),
        "{exposed}"
    );
}

#[tokio::test]
async fn auth_03_dpop_12_bearer_is_the_first_line_and_dpop_the_second() {
    let bound = Bound::cold(|builder| builder.dpop(Dpop::new()));
    let plain = format!("DPoP algs=\"ES256 EdDSA\", resource_metadata=\"{P}\"");
    let none = bound.world.send(post()).await;
    let expected = format!("Bearer resource_metadata=\"{P}\", scope=\"read:issues\"");
    assert_eq!(challenges(&none), [expected.as_str(), plain.as_str()]);
    let bad = bound.world.bearer("a.b.c").await;
    let [bearer, dpop] = challenges(&bad)[..] else {
        panic!("two challenges")
    };
    assert!(
        bearer.starts_with("Bearer error=\"invalid_token\""),
        "{bearer}"
    );
    assert_eq!(dpop, plain);
    let framing = post()
        .header("authorization", "Bearer a")
        .header("authorization", "Bearer a");
    assert_eq!(challenges(&bound.world.send(framing).await).len(), 1);
    let tried = bound.send("a.b.c", "a.b.c").await;
    assert_refused(&tried, "malformed_token", "invalid_token");
}

#[tokio::test]
async fn dpop_13_plain_tokens_are_refused_where_proofs_are_required() {
    let bound = Bound::new(Dpop::new().required()).await;
    let answer = bound.world.bearer(&bound.world.token().sign()).await;
    assert_eq!(answer.code(), "dpop_required");
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let [bearer, dpop] = challenges(&answer)[..] else {
        panic!("two challenges")
    };
    assert!(
        bearer.starts_with("Bearer error=\"invalid_token\""),
        "{bearer}"
    );
    assert!(dpop.starts_with("DPoP algs=\"ES256 EdDSA\""), "{dpop}");
    assert_eq!(bound.world.probe.calls(), 0);
    let token = bound.token();
    bound
        .send(&token, bound.proof(&token).sign())
        .await
        .assert_let_in();
}

/// An early draft of MCP wanted a hash of the body in proofs; nobody else has it.
#[tokio::test]
async fn dpop_14_a_proof_says_nothing_of_the_body() {
    let bound = Bound::new(Dpop::new()).await;
    let token = bound.token();
    let claims = bound.proof(&token).claims_text();
    assert!(!claims.contains("digest"), "{claims}");
    bound
        .send(&token, bound.proof(&token).sign())
        .await
        .assert_let_in();
}

#[tokio::test]
async fn prm_14_the_document_says_what_is_on() {
    let document = |settings: Dpop| -> Value {
        let bound = Bound::cold(|builder| builder.dpop(settings));
        let mounted = bound
            .world
            .auth
            .mount(ProtectedResource::new("https://mcp.example.com/v2"));
        let mounted: Value =
            serde_json::from_slice(mounted.unwrap().resource().document()).unwrap();
        let document: Value =
            serde_json::from_slice(bound.world.auth.resource().document()).unwrap();
        let name = "dpop_signing_alg_values_supported";
        assert_eq!(mounted[name], document[name]);
        document
    };
    let plain = document(Dpop::new());
    assert_eq!(
        plain["dpop_signing_alg_values_supported"],
        json!(["ES256", "EdDSA"])
    );
    assert_eq!(plain.get("dpop_bound_access_tokens_required"), None);
    let strict = document(Dpop::new().required().algorithms([SigningAlgorithm::Es256]));
    assert_eq!(
        strict["dpop_signing_alg_values_supported"],
        json!(["ES256"])
    );
    assert_eq!(strict["dpop_bound_access_tokens_required"], true);
}

#[tokio::test]
async fn dpop_06_a_handler_sees_what_its_token_is_bound_to() {
    let bound = Bound::new(Dpop::new()).await;
    let token = bound.token();
    let request = post()
        .header("authorization", format!("DPoP {token}"))
        .header("dpop", bound.proof(&token).sign());
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let context = bound.world.auth.authenticate(&parts).await.unwrap();
    let confirmation = context.principal().confirmation().unwrap();
    assert!(confirmation.key().is_some() && confirmation.certificate().is_none());
}

#[tokio::test]
async fn edge_08_who_has_lost_a_token_is_on_record() {
    let audit = MemoryAudit::new();
    let mut bound = Bound::cold(|builder| builder.dpop(Dpop::new()).audit(audit.clone()));
    bound.world = bound.world.warmed().await;
    let token = bound.token();
    let proof = bound.proof(&token).sign();
    let thief = DpopKey::generate().proof("POST", R, &token);
    let thief = thief.at(bound.world.clock.now()).sign();
    for (proof, reason) in [
        (&thief, Some("dpop_key_mismatch")),
        (&proof, None),
        (&proof, Some("dpop_replayed")),
    ] {
        bound.send(&token, proof).await;
        let [record] = &audit.take()[..] else {
            panic!("one record of each");
        };
        assert_eq!(record.reason.map(Reason::code), reason);
        assert_eq!(record.principal.as_ref().unwrap().subject.as_str(), "alice");
        assert_eq!(record.method, Some("oauth2"));
        assert!(!record.to_json().contains(proof.as_str()));
    }
}

/// The operation is judged by an inner layer, which sees no credential any more.
#[tokio::test]
async fn dpop_12_split_layers_answer_as_the_whole() {
    let rules = ToolRules::new().tool("wipe", ["admin:all"]);
    let mut bound = Bound::cold(|builder| builder.dpop(Dpop::new()).tools(rules));
    bound.world = bound.world.warmed().await;
    let auth = bound.world.auth.clone();
    let inner = || bound.world.probe.clone();
    let whole = McpAuthLayer::new(auth.clone()).layer(inner());
    let split =
        AuthenticateLayer::new(auth.clone()).layer(AuthorizeToolLayer::new(auth).layer(inner()));
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wipe"}}"#;
    let token = bound.token();
    let request = || {
        let request = post()
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", bound.proof(&token).sign());
        request.body(Full::<Bytes>::from(call)).unwrap()
    };
    for answer in [
        Answer::read(whole.oneshot(request()).await.unwrap()).await,
        Answer::read(split.oneshot(request()).await.unwrap()).await,
    ] {
        assert_eq!(answer.code(), "insufficient_scope", "{:?}", answer.body);
        let [bearer, dpop] = challenges(&answer)[..] else {
            panic!("two challenges");
        };
        assert_eq!(bearer, format!("Bearer resource_metadata=\"{P}\""));
        assert!(
            dpop.starts_with("DPoP error=\"insufficient_scope\", scope=\""),
            "{dpop}"
        );
    }
}

#[tokio::test]
async fn dpop_13_api_tokens_are_not_concerned() {
    let settings = |builder: AuthenticatorBuilder, _: &_| {
        builder
            .dpop(Dpop::new().required())
            .basic_challenge("mcp.example.com")
    };
    let world = TokenWorld::with(settings).await;
    world.robot().await.assert_let_in();
    world.ada().await.assert_let_in();
    let none = world.send(post()).await;
    let schemes: Vec<_> = challenges(&none)
        .iter()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(schemes, ["Bearer", "DPoP", "Basic"]);
    // An API token is bound to nobody's key, also once it is remembered.
    for key in [&world.acme_key, &world.acme_user] {
        let answer = world.present(format!("DPoP {}", key.token.expose())).await;
        assert_refused(&answer, "unrecognized_credential", "invalid_token");
    }
    let answer = world
        .present(format!("Bearer {}", world.access_token().sign()))
        .await;
    assert_eq!(answer.code(), "dpop_required");
}
