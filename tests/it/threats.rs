//! Threats and faults that no other file meets by the way (T3, T12, T15, T16, T50, R27).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tower_mcp_auth::api_token::{ApiTokens, MemoryStore, Peppers};
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::policy::MemoryPolicyStore;
use tower_mcp_auth::testing::{MemoryAudit, TestIssuer};
use tower_mcp_auth::{Authenticator, Issuer, ProtectedResource, ToolRules};

use crate::support::{I, R, World, described};

const SECOND: Duration = Duration::from_secs(1);

type Set<'a> = Box<dyn Fn(&[u8]) -> AuthenticatorBuilder + 'a>;

/// The builder names the setting, whether its key is absent or a byte short, and never the key.
#[test]
fn t03_keys_of_our_own_have_32_bytes_or_nothing_is_built() {
    let auth = || Authenticator::builder(described(Issuer::new(I)));
    let tokens = |secret: &[u8]| ApiTokens::new(MemoryStore::new(), Peppers::new("a", secret));
    let mut settings: Vec<(&str, Set<'_>)> = vec![
        (
            "session_key",
            Box::new(|key| auth().tools(ToolRules::new()).session_key(key)),
        ),
        (
            "audit_key",
            Box::new(|key| auth().audit(MemoryAudit::new()).audit_key(key)),
        ),
        (
            "pepper",
            Box::new(|key| {
                auth()
                    .policies(MemoryPolicyStore::new())
                    .api_tokens(tokens(key))
            }),
        ),
    ];
    #[cfg(feature = "dpop")]
    settings.push((
        "dpop.nonces",
        Box::new(|key| auth().dpop(tower_mcp_auth::dpop::Dpop::new().nonces(key))),
    ));
    for (setting, set) in settings {
        for weak in [&b""[..], &b"hunter2canary-hunter2canary-123"[..]] {
            let error = set(weak).build().expect_err(setting);
            assert_eq!(error.problems().len(), 1, "{setting}: {error}");
            assert!(error.to_string().contains(setting), "{error}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
        let error = set(b"hunter2canary-hunter2canary-1234").build().err();
        assert!(error.is_none(), "{setting}: {error:?}");
    }
}

/// Everything in such a header leads to a server that would answer, and no question arrives there.
#[tokio::test]
async fn t12_no_address_in_a_token_is_ever_asked() {
    let world = World::cold();
    let canary = TestIssuer::builder()
        .url("https://canary.example.com/t2")
        .clock(world.clock.clone())
        .in_process();
    let network = world.issuer.fetch().and(canary.fetch());
    let world = world
        .rebuilt(|auth| auth.fetch(network.clone()))
        .warmed()
        .await;
    world.bearer(&world.token().sign()).await.assert_let_in();
    let jwk = canary.public_jwk(&canary.signing_kid());
    let forged = || canary.token(R).claim("iss", I);
    let place = canary.endpoint("/jwks");
    let tokens = [
        (forged().header("jku", place.clone()), "embedded_key"),
        (forged().header("x5u", place.clone()), "embedded_key"),
        (forged().header("jwk", jwk), "embedded_key"),
        (forged().header("kid", place.clone()), "unknown_key"),
        (forged().header("iss", canary.url()), "unknown_key"),
        (canary.token(R), "unknown_issuer"),
    ];
    for (token, reason) in tokens {
        let answer = world.bearer(&token.sign()).await;
        answer.assert_invalid_token(reason);
    }
    assert_eq!(canary.requests(), Vec::<String>::new());
    // They would have been answered.
    let resource = described(Issuer::new(canary.url()));
    let trusting = Authenticator::builder(resource).fetch(network).build();
    trusting.unwrap().warm_up(SECOND).await.unwrap();
    assert_eq!(canary.hits().jwks, 1);
}

#[tokio::test]
async fn t15_nothing_is_decrypted_or_inflated() {
    let world = World::warm().await;
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let jwe = |header: &str, rest: &str| format!("{}.{rest}", part(header));
    let good = world.token().sign();
    let plain = format!("{}.{}.", part(r#"{"alg":"none"}"#), part("{}"));
    let bomb = "A".repeat(4000);
    let cases = [
        // CVE-2026-29000: an unsigned token inside an encrypted one.
        jwe(
            r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","cty":"JWT"}"#,
            &format!("AA.AA.{}.AA", part(&plain)),
        ),
        jwe(
            r#"{"alg":"dir","enc":"A256GCM","zip":"DEF"}"#,
            &format!("..{bomb}.AA"),
        ),
        jwe(
            r#"{"alg":"PBES2-HS256+A128KW","p2c":2147483647,"enc":"A128GCM"}"#,
            "AA.AA.AA.AA",
        ),
        // A good token as the cleartext, and one with two parts more.
        jwe(
            r#"{"alg":"dir","enc":"A256GCM"}"#,
            &format!("..{}.AA", part(&good)),
        ),
        format!("{good}.AA.AA"),
        // Three parts, and a header that asks for one or the other.
        world.token().header("zip", "DEF").sign(),
        world.token().header("enc", "A256GCM").sign(),
    ];
    for token in cases {
        let answer = world.bearer(&token).await;
        answer.assert_invalid_token("encrypted_token");
    }
    assert_eq!(world.probe.calls(), 0);
}

/// CVE-2022-39227: one text that two readers take for two tokens.
#[tokio::test]
async fn t16_no_serialization_but_the_compact_one_lets_anybody_in() {
    let world = World::warm().await;
    let good = world.token().sign();
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let forged = URL_SAFE_NO_PAD.encode(r#"{"sub":"root"}"#);
    let polyglot = format!(
        r#"{{"  {header}.{forged}.":"","protected":"{header}","payload":"{payload}","signature":"{signature}"}}"#
    );
    let general = json!({
        "payload": payload,
        "signatures": [{"protected": header, "signature": signature}],
    });
    let flat = json!({"protected": header, "payload": payload, "signature": signature});
    for text in [polyglot, general.to_string(), flat.to_string()] {
        let coded = URL_SAFE_NO_PAD.encode(&text);
        for credential in [
            text,
            coded.clone(),
            format!("{coded}.{payload}.{signature}"),
        ] {
            let answer = world.bearer(&credential).await;
            assert_eq!(answer.status, 401, "{credential}");
            assert_eq!(answer.json()["error"], "invalid_token", "{credential}");
        }
    }
    assert_eq!(world.probe.calls(), 0);
    world.bearer(&good).await.assert_let_in();
}

/// What the lock file holds is what is tested here; each floor is the first release without the fault.
#[test]
fn t50_no_dependency_below_its_first_sound_release_is_locked() {
    let locked = include_str!("../../Cargo.lock");
    let mut versions: BTreeMap<&str, Vec<Vec<u64>>> = BTreeMap::new();
    let mut depending = Vec::new();
    for package in locked.split("[[package]]").skip(1) {
        let member = |name: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim_matches(['=', ' ', '"']))
        };
        let name = member("name").unwrap();
        let version = member("version").unwrap().split(['+', '-']).next().unwrap();
        let numbers = version.split('.').map(|part| part.parse().unwrap());
        versions.entry(name).or_default().push(numbers.collect());
        if package.contains("\n \"rsa\"") {
            depending.push(name);
        }
    }
    let floors: [(&str, [u64; 3]); 4] = [
        ("moka", [0, 12, 16]),
        ("h2", [0, 4, 16]),
        ("rmcp", [2, 1, 0]),
        ("tracing-subscriber", [0, 3, 20]),
    ];
    let mut faults = String::new();
    for (name, floor) in floors {
        let found = versions
            .get(name)
            .unwrap_or_else(|| panic!("{name} is not locked"));
        for version in found.iter().filter(|version| ***version < floor[..]) {
            writeln!(faults, "{name} {version:?} is below {floor:?}").unwrap();
        }
    }
    assert_eq!(faults, "");
    // Its timing fault has no fix (RUSTSEC-2023-0071). Nobody who did not ask for `rust-crypto`, or for
    // a database this crate has no driver for, builds it.
    assert_eq!(depending, ["jsonwebtoken", "sqlx-mysql"]);
    let manifest = include_str!("../../Cargo.toml");
    assert!(manifest.contains("rust-crypto = [\"jsonwebtoken/rust_crypto\"]"));
    assert_eq!(manifest.matches("rust_crypto").count(), 1);
    assert!(!manifest.contains("mysql"));
}

/// An issuer costs something when a token of its own comes, and a stranger's name costs nothing.
#[tokio::test]
async fn r27_a_thousand_issuers_are_asked_for_their_own_tokens_only() {
    let world = World::cold();
    let other = TestIssuer::builder()
        .url("https://auth.example.com/i500")
        .clock(world.clock.clone())
        .in_process();
    let idle = TestIssuer::builder()
        .url("https://auth.example.com/i998")
        .clock(world.clock.clone())
        .in_process();
    let network = world.issuer.fetch().and(other.fetch()).and(idle.fetch());
    // With the one of the world, the most there may be.
    let many = (0..999).map(|number| Issuer::new(format!("https://auth.example.com/i{number}")));
    let resource = many.fold(described(Issuer::new(I)), ProtectedResource::issuer);
    let auth = Authenticator::builder(resource)
        .clock(world.clock.clone())
        .fetch(network)
        .build()
        .unwrap();
    let world = World { auth, ..world };
    assert_eq!(world.issuer.requests().len() + other.requests().len(), 0);
    world.bearer(&world.token().sign()).await.assert_let_in();
    world.bearer(&other.token(R).sign()).await.assert_let_in();
    for number in 999..1100 {
        let name = format!("https://auth.example.com/i{number}");
        let token = other.token(R).claim("iss", name).sign();
        world
            .bearer(&token)
            .await
            .assert_invalid_token("unknown_issuer");
    }
    for asked in [&world.issuer, &other] {
        let hits = asked.hits();
        assert_eq!((hits.metadata, hits.jwks), (1, 1));
    }
    assert_eq!(idle.requests(), Vec::<String>::new());
}

#[test]
fn r27_more_than_a_thousand_issuers_are_refused_when_built() {
    let build = |count: usize| {
        let many = (0..count).map(|n| Issuer::new(format!("https://auth.example.com/i{n}")));
        let resource = many.fold(ProtectedResource::new(R), ProtectedResource::issuer);
        Authenticator::builder(resource).build()
    };
    build(1000).unwrap();
    let error = build(1001).unwrap_err();
    let [problem] = error.problems() else {
        panic!("{error}");
    };
    assert_eq!(
        (problem.field.as_str(), problem.value.as_str()),
        ("issuer", "1001 issuers")
    );
    assert!(problem.remedy.contains("at most 1,000"), "{problem}");
}
