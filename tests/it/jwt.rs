//! JWT access tokens (requirements JWT-1..24) and the probes of threats §7.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Value, json};
use tower_mcp_auth::testing::{ManualClock, TestIssuer, TokenBuilder};
use tower_mcp_auth::{Authenticator, Issuer, Profile, ProtectedResource, SigningAlgorithm};

use crate::support::{I, NOW, Probe, R, World};

/// Every mutation must be refused, for the reason beside it, and never reach the probe.
async fn refused(world: &World, cases: impl IntoIterator<Item = (String, &'static str)>) {
    world.bearer(&world.token().sign()).await.assert_let_in();
    let before = world.probe.calls();
    for (token, reason) in cases {
        let answer = world.bearer(&token).await;
        assert_eq!(answer.code(), reason, "{token}\n{:?}", answer.rejection);
        answer.assert_invalid_token(reason);
    }
    assert_eq!(
        world.probe.calls(),
        before,
        "a bad token reached the inner service"
    );
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "takes the end of a chain of setters"
)]
fn signed(token: TokenBuilder, reason: &'static str) -> (String, &'static str) {
    (token.sign(), reason)
}

/// Ten JSON shapes no string claim may have.
fn not_strings() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1.5),
        json!([]),
        json!(["x"]),
        json!({}),
        json!({"a": "x"}),
        json!([null]),
        json!(1e300),
    ]
}

#[tokio::test]
async fn jwt_01_a_good_token_becomes_a_typed_principal() {
    let world = World::warm().await;
    let token = world
        .token()
        .subject("alice")
        .client("ide")
        .scope("write:issues read:issues")
        .sign();
    let answer = world.bearer(&token).await;
    answer.assert_let_in();
    let said = answer.json();
    assert_eq!(said["subject"], "alice");
    assert_eq!(said["issuer"], I);
    assert_eq!(said["kind"], "User");
    assert_eq!(said["client"], "ide");
    assert_eq!(said["organization"], "default");
    assert_eq!(said["scopes"], "read:issues write:issues");
    assert_eq!(said["method"], "oauth2");
}

#[tokio::test]
async fn jwt_01_a_credential_of_no_known_shape_is_an_invalid_token() {
    let world = World::warm().await;
    refused(
        &world,
        [
            "opaque",
            "a.b",
            "a.b.c.d",
            "mcps_0123456789abcdef_xyz",
            "=a",
        ]
        .map(|credential| {
            let reason = if credential == "=a" {
                "malformed_credential"
            } else {
                "unrecognized_credential"
            };
            (credential.to_owned(), reason)
        }),
    )
    .await;
}

// also: T16, T6
#[tokio::test]
async fn jwt_03_only_the_compact_serialization_is_a_token() {
    let world = World::warm().await;
    let good = world.token().sign();
    let (head, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = head.split_once('.').unwrap();
    let json = |text: &str| URL_SAFE_NO_PAD.encode(text);
    refused(
        &world,
        [
            (
                format!("{{\"payload\":\"{payload}\",\"signature\":\"{signature}\"}}"),
                "malformed_credential",
            ),
            (format!("{good}=="), "malformed_token"),
            (
                format!("{header}=.{payload}.{signature}"),
                "malformed_token",
            ),
            (
                format!("{header}.{payload}=.{signature}"),
                "malformed_credential",
            ),
            (format!("{header}.{payload}."), "bad_signature"),
            (format!(".{payload}.{signature}"), "malformed_token"),
            (format!("{header}..{signature}"), "malformed_token"),
            (
                format!("{}.{payload}.{signature}", json("[]")),
                "malformed_token",
            ),
            (
                format!("{header}.{}.{signature}", json("\"x\"")),
                "malformed_token",
            ),
            (
                format!("{header}.{payload}.{}", signature.replace(['-', '_'], "+")),
                "malformed_token",
            ),
        ]
        .into_iter()
        // `payload=` is no token68 only where `=` is followed by more text; both are refusals.
        .map(|(token, reason)| {
            if token.contains("=.") {
                (token, "malformed_credential")
            } else {
                (token, reason)
            }
        })
        .filter(|(token, reason)| {
            *reason != "malformed_token" || !token.ends_with(signature) || token.len() != good.len()
        }),
    )
    .await;
}

#[tokio::test]
async fn jwt_04_the_type_must_say_access_token() {
    let world = World::warm().await;
    let types = [
        "JWT",
        "jwt",
        "dpop+jwt",
        "oauth-id-jag+jwt",
        "logout+jwt",
        "secevent+jwt",
        "token-introspection+jwt",
        "",
        "at+JWT+x",
        "text/at+jwt",
    ];
    refused(
        &world,
        types
            .map(|typ| signed(world.token().header("typ", typ), "wrong_token_type"))
            .into_iter()
            .chain([
                signed(world.token().without_header("typ"), "wrong_token_type"),
                signed(world.token().header("typ", 1), "malformed_token"),
            ]),
    )
    .await;
    for typ in ["application/at+jwt", "AT+JWT"] {
        world
            .bearer(&world.token().header("typ", typ).sign())
            .await
            .assert_let_in();
    }
}

// also: T11
#[tokio::test]
async fn jwt_05_a_legacy_issuer_opts_in_and_its_id_tokens_stay_out() {
    let world = World::custom(
        |r| r,
        |issuer| issuer.profile(Profile::rfc9068().any_jwt_type()),
    )
    .warmed()
    .await;
    let jwt = || world.token().header("typ", "JWT");
    world.bearer(&jwt().sign()).await.assert_let_in();
    world
        .bearer(&jwt().without_header("typ").sign())
        .await
        .assert_let_in();
    refused(
        &world,
        [
            signed(jwt().audience("test-client"), "wrong_audience"),
            signed(jwt().claim("nonce", "n"), "wrong_token_type"),
            signed(jwt().claim("at_hash", "h"), "wrong_token_type"),
            signed(jwt().claim("c_hash", "h"), "wrong_token_type"),
            signed(jwt().claim("events", json!({})), "wrong_token_type"),
            signed(jwt().claim("token_use", "id"), "wrong_token_type"),
            signed(jwt().claim("token_use", json!(["id"])), "wrong_token_type"),
            signed(jwt().claim("typ", "ID"), "wrong_token_type"),
            signed(jwt().claim("typ", "Refresh"), "wrong_token_type"),
            signed(jwt().header("typ", "logout+jwt"), "wrong_token_type"),
        ],
    )
    .await;
}

// also: T1, T2
#[tokio::test]
async fn jwt_06_a_public_key_is_never_a_shared_secret() {
    let world = World::with_algorithms([SigningAlgorithm::Rs256], |r| r, |i| i)
        .warmed()
        .await;
    let kid = world.issuer.signing_kid();
    let jwk = world.issuer.public_jwk(&kid);
    let pem = world.issuer.public_pem(&kid);
    let modulus = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    let secrets: Vec<Vec<u8>> = vec![
        pem.clone().into_bytes(),
        format!(" {pem}").into_bytes(),
        pem.trim_end().to_owned().into_bytes(),
        world.issuer.public_der(&kid),
        jwk.to_string().into_bytes(),
        jwk["n"].as_str().unwrap().as_bytes().to_vec(),
        modulus,
        Vec::new(),
    ];
    refused(
        &world,
        secrets
            .into_iter()
            .map(|secret| signed(world.token().hmac(secret), "algorithm_not_allowed")),
    )
    .await;
    refused(
        &world,
        [
            "none", "None", "NONE", "HS256", "HS512", "rs256", "RS256 ", "",
        ]
        .into_iter()
        .map(|alg| signed(world.token().header("alg", alg), "algorithm_not_allowed")),
    )
    .await;
    refused(
        &world,
        [signed(world.token().unsigned(), "algorithm_not_allowed")],
    )
    .await;
}

#[tokio::test]
async fn jwt_06_an_algorithm_the_issuer_may_not_use_is_refused() {
    let world = World::with_algorithms(
        [SigningAlgorithm::Es256, SigningAlgorithm::Es384],
        |r| r,
        |issuer| issuer.algorithms([SigningAlgorithm::Es256]),
    )
    .warmed()
    .await;
    let token = |algorithm| world.token().algorithm(algorithm);
    world
        .bearer(&token(SigningAlgorithm::Es256).sign())
        .await
        .assert_let_in();
    world
        .bearer(&token(SigningAlgorithm::Es384).sign())
        .await
        .assert_invalid_token("algorithm_not_allowed");
}

#[tokio::test]
async fn jwt_06_every_supported_algorithm_works_end_to_end() {
    let world = World::with_algorithms(
        SigningAlgorithm::ALL,
        |r| r,
        |issuer| issuer.algorithms(SigningAlgorithm::ALL),
    )
    .warmed()
    .await;
    for algorithm in SigningAlgorithm::ALL {
        let token = world.token().algorithm(algorithm);
        world.bearer(&token.sign()).await.assert_let_in();
        let broken = token.tamper(|signature| signature[7] ^= 1);
        world
            .bearer(&broken.sign())
            .await
            .assert_invalid_token("bad_signature");
    }
}

#[tokio::test]
async fn jwt_07_a_key_serves_exactly_one_algorithm() {
    let world = World::with_algorithms(
        [SigningAlgorithm::Rs256, SigningAlgorithm::Ps256],
        |r| r,
        |i| i,
    )
    .warmed()
    .await;
    let kids = world.issuer.kids();
    assert_eq!(kids.len(), 2);
    let (rs, ps) = (
        world.token().algorithm(SigningAlgorithm::Rs256),
        world.token().algorithm(SigningAlgorithm::Ps256),
    );
    world.bearer(&rs.sign()).await.assert_let_in();
    world.bearer(&ps.sign()).await.assert_let_in();
    for (token, alg) in [(rs, "PS256"), (ps, "RS256")] {
        let answer = world.bearer(&token.header("alg", alg).sign()).await;
        assert!(
            ["unknown_key", "bad_signature"].contains(&answer.code()),
            "{}",
            answer.code()
        );
        answer.assert_invalid_token(answer.code());
    }
}

// also: T12
#[tokio::test]
async fn jwt_08_keys_in_the_token_are_not_looked_at() {
    let world = World::warm().await;
    let attacker = TestIssuer::builder()
        .url(I)
        .clock(world.clock.clone())
        .in_process();
    let jwk = attacker.public_jwk(&attacker.signing_kid());
    let hits = world.issuer.requests().len();
    let forged = |name: &str, value: Value| attacker.token(R).header(name.to_owned(), value);
    refused(
        &world,
        [
            signed(forged("jwk", jwk.clone()), "embedded_key"),
            signed(
                forged("jku", json!("https://evil.test/jwks")),
                "embedded_key",
            ),
            signed(
                forged("x5u", json!("https://evil.test/cert")),
                "embedded_key",
            ),
            signed(forged("x5c", json!(["MIIB"])), "unknown_key"),
            signed(world.token().header("jwk", jwk), "embedded_key"),
        ],
    )
    .await;
    let asked = world.issuer.requests();
    assert!(
        asked.len() <= hits + 1 && asked.iter().all(|path| !path.contains("evil")),
        "{asked:?}"
    );
}

#[tokio::test]
async fn jwt_09_a_key_counts_only_for_its_own_issuer() {
    let clock = ManualClock::at(NOW);
    let make = |url: &str| {
        TestIssuer::builder()
            .url(url)
            .clock(clock.clone())
            .key_id("shared")
            .in_process()
    };
    let (a, b) = (make("https://a.example.com"), make("https://b.example.com"));
    let auth = Authenticator::builder(
        ProtectedResource::new(R)
            .issuer(Issuer::new(a.url()))
            .issuer(Issuer::new(b.url())),
    )
    .clock(clock.clone())
    .fetch(a.fetch().and(b.fetch()))
    .build()
    .unwrap();
    let world = World {
        issuer: a.clone(),
        clock,
        auth,
        probe: Probe::default(),
    }
    .warmed()
    .await;
    world.bearer(&a.token(R).sign()).await.assert_let_in();
    world.bearer(&b.token(R).sign()).await.assert_let_in();
    world
        .bearer(&b.token(R).claim("iss", a.url()).sign())
        .await
        .assert_invalid_token("bad_signature");
}

// also: T9
#[tokio::test]
async fn jwt_10_the_issuer_is_one_string_and_exact() {
    let world = World::warm().await;
    let near = [
        format!("{I}/"),
        I.to_uppercase(),
        "https://auth.example.com".into(),
        format!("{I}2"),
        "https://auth.example.com/t".into(),
        format!(" {I}"),
        String::new(),
        I.replace("https", "http"),
        // A Cyrillic letter, and how a browser writes that name.
        I.replace("auth", "\u{430}uth"),
        I.replace("auth", "xn--uth-5cd"),
    ];
    let mut cases: Vec<_> = near
        .into_iter()
        .map(|iss| signed(world.token().claim("iss", iss), "unknown_issuer"))
        .collect();
    cases.push(signed(world.token().without("iss"), "missing_claim"));
    cases.push(signed(
        world.token().claim("iss", json!(["https://evil.test", I])),
        "malformed_claim",
    ));
    cases.extend(
        not_strings()
            .into_iter()
            .map(|iss| signed(world.token().claim("iss", iss), "malformed_claim")),
    );
    refused(&world, cases).await;
}

// also: T10
#[tokio::test]
async fn jwt_11_the_audience_must_name_this_resource() {
    let world = World::warm().await;
    let foreign = [
        "https://mcp.example.com",
        "https://mcp.example.com/",
        "https://mcp.example.com/mcp/",
        "https://mcp.example.com/mc",
        "https://mcp.example.com/mcp2",
        "https://mcp.example.com/MCP",
        "http://mcp.example.com/mcp",
        "https://mcp.example.com:443/mcp",
        "https://mcp.example.com/mcp?x",
        "https://mcp.example.com/mcp#",
        "https://mcp.example.com.evil.test/mcp",
        "https://evil.test/https://mcp.example.com/mcp",
        "mcp.example.com/mcp",
        "",
        "test-client",
        "https://mcp.example.com/%6dcp",
    ];
    let mut cases: Vec<_> = foreign
        .iter()
        .map(|aud| signed(world.token().audience(*aud), "wrong_audience"))
        .collect();
    cases.push(signed(
        world.token().audience(json!(foreign)),
        "wrong_audience",
    ));
    cases.push(signed(world.token().audience(json!([])), "wrong_audience"));
    cases.push(signed(world.token().without("aud"), "wrong_audience"));
    for aud in [
        json!(5),
        json!({"a": R}),
        json!(null),
        json!(true),
        json!([R, 5]),
        json!(["https://evil.test", 5]),
        json!([[R]]),
        json!([null]),
    ] {
        cases.push(signed(world.token().audience(aud), "malformed_claim"));
    }
    refused(&world, cases).await;
    world
        .bearer(
            &world
                .token()
                .audience(json!(["https://other.example", R]))
                .sign(),
        )
        .await
        .assert_let_in();
}

#[tokio::test]
async fn jwt_12_case_of_scheme_and_host_does_not_count_and_aliases_are_listed() {
    let world = World::custom(
        |resource| resource.audience("https://old.example.com/mcp"),
        |issuer| issuer.audience("api://issues"),
    )
    .warmed()
    .await;
    for audience in [
        "HTTPS://MCP.Example.com/mcp",
        "https://old.example.com/mcp",
        "https://OLD.example.com/mcp",
        "api://issues",
    ] {
        world
            .bearer(&world.token().audience(audience).sign())
            .await
            .assert_let_in();
    }
    for audience in [
        "https://old.example.com/MCP",
        "API://issues",
        "api://issues/x",
        "https://old.example.com",
    ] {
        world
            .bearer(&world.token().audience(audience).sign())
            .await
            .assert_invalid_token("wrong_audience");
    }
}

// also: R17, T18
#[tokio::test]
async fn jwt_13_expiry_is_required_and_leeway_is_small() {
    let world = World::warm().await;
    for good in [-30, -29, 0, 1, 3600, 86_400 + 30] {
        world
            .bearer(&world.token().expires_in(good).sign())
            .await
            .assert_let_in();
    }
    refused(
        &world,
        [
            signed(world.token().expires_in(-31), "expired"),
            signed(world.token().expires_in(-61), "expired"),
            signed(world.token().expires_in(86_400 + 31), "lifetime_too_long"),
            signed(world.token().without("exp"), "missing_claim"),
        ],
    )
    .await;
    let expired = world.bearer(&world.token().expires_in(-61).sign()).await;
    assert!(
        expired
            .challenge()
            .contains("error_description=\"The access token expired; refresh it or log in again\""),
        "{}",
        expired.challenge()
    );
    assert!(
        expired.json()["message"]
            .as_str()
            .unwrap()
            .contains("expired")
    );
}

#[tokio::test]
async fn jwt_13_a_token_expires_while_the_server_runs() {
    let world = World::warm().await;
    let token = world.token().expires_in(60).sign();
    world.bearer(&token).await.assert_let_in();
    world.clock.jump_wall(90);
    world.bearer(&token).await.assert_let_in();
    world.clock.jump_wall(1);
    world.bearer(&token).await.assert_invalid_token("expired");
}

// also: T18, R17
#[tokio::test]
async fn jwt_14_tokens_from_the_future_are_refused() {
    let world = World::warm().await;
    world
        .bearer(&world.token().claim("nbf", NOW + 30).sign())
        .await
        .assert_let_in();
    world
        .bearer(&world.token().claim("iat", NOW + 30).sign())
        .await
        .assert_let_in();
    refused(
        &world,
        [
            signed(world.token().claim("nbf", NOW + 31), "not_yet_valid"),
            signed(world.token().claim("nbf", NOW + 120), "not_yet_valid"),
            signed(world.token().claim("iat", NOW + 31), "issued_in_future"),
            signed(
                world.token().claim("iat", 3_976_000_000_i64),
                "issued_in_future",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn jwt_15_the_strict_profile_requires_its_claims() {
    let world = World::warm().await;
    refused(
        &world,
        ["sub", "client_id", "iat", "jti", "exp"]
            .map(|claim| signed(world.token().without(claim), "missing_claim")),
    )
    .await;
    let mut cases = Vec::new();
    for claim in ["sub", "client_id", "jti"] {
        cases.extend(
            not_strings()
                .into_iter()
                .map(|value| signed(world.token().claim(claim, value), "malformed_claim")),
        );
        cases.push(signed(world.token().claim(claim, ""), "malformed_claim"));
    }
    refused(&world, cases).await;
}

// also: T7
#[tokio::test]
async fn jwt_16_critical_extensions_are_refused() {
    let world = World::warm().await;
    refused(
        &world,
        [
            signed(
                world.token().header("crit", json!(["x"])),
                "critical_extension",
            ),
            signed(
                world.token().header("crit", json!([])),
                "critical_extension",
            ),
            signed(
                world.token().header("crit", json!("exp")),
                "critical_extension",
            ),
            signed(
                world
                    .token()
                    .header("crit", json!(["b64"]))
                    .header("b64", false),
                "critical_extension",
            ),
            signed(world.token().header("b64", false), "critical_extension"),
            signed(world.token().header("zip", "DEF"), "encrypted_token"),
            signed(world.token().header("enc", "A128GCM"), "encrypted_token"),
        ],
    )
    .await;
}

// also: T14
#[tokio::test]
async fn jwt_17_duplicate_members_are_refused() {
    let world = World::warm().await;
    let claims = |extra: &str| {
        format!(
            r#"{{"iss":"{I}","sub":"alice","client_id":"c","aud":"{R}","exp":{},"iat":{NOW},"jti":"1"{extra}}}"#,
            NOW + 60
        )
    };
    let raw = |extra: &str| world.token().raw_claims(claims(extra));
    world.bearer(&raw("").sign()).await.assert_let_in();
    refused(
        &world,
        [
            signed(raw(&format!(r#","aud":"{R}""#)), "malformed_token"),
            signed(raw(r#","aud":"evil""#), "malformed_token"),
            signed(raw(r#","\u0061ud":"evil""#), "malformed_token"),
            signed(raw(r#","scope":"a","scope":"b""#), "malformed_token"),
            signed(raw(r#","sub":"bob""#), "malformed_token"),
            signed(raw(r#","x":{"y":1,"y":2}"#), "malformed_token"),
            signed(raw(r#","x":[{"y":1,"y":2}]"#), "malformed_token"),
        ],
    )
    .await;
    let kid = world.issuer.signing_kid();
    refused(
        &world,
        [
            signed(
                world.token().raw_header(format!(
                    r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}","alg":"ES256"}}"#
                )),
                "malformed_token",
            ),
            signed(
                world.token().raw_header(format!(
                    r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}","\u006bid":"{kid}"}}"#
                )),
                "malformed_token",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn jwt_18_odd_times_are_refused_and_never_panic() {
    let world = World::warm().await;
    let raw = |exp: &str, iat: &str| {
        world.token().raw_claims(format!(r#"{{"iss":"{I}","sub":"alice","client_id":"c","aud":"{R}","exp":{exp},"iat":{iat},"jti":"1"}}"#))
    };
    let (exp, iat) = (format!("{}", NOW + 60), NOW.to_string());
    world.bearer(&raw(&exp, &iat).sign()).await.assert_let_in();
    world
        .bearer(&raw(&format!("{exp}.9"), &iat).sign())
        .await
        .assert_let_in();
    world
        .bearer(&raw("1.80000006e9", &iat).sign())
        .await
        .assert_let_in();
    let mut cases = Vec::new();
    for odd in [
        "\"9\"",
        "-1",
        "null",
        "true",
        "[]",
        "{}",
        "1e18",
        "253402300800",
        "99999999999999999999999",
    ] {
        cases.push(signed(raw(odd, &iat), "malformed_claim"));
        cases.push(signed(raw(&exp, odd), "malformed_claim"));
    }
    for broken in [
        "NaN", "Infinity", "01", "1.", "+1", "0x10", ".5", "1e400", "-1e400",
    ] {
        cases.push(signed(raw(broken, &iat), "malformed_token"));
    }
    cases.push(signed(raw("0", &iat), "expired"));
    cases.push(signed(raw("-0.0", &iat), "expired"));
    cases.push(signed(raw("253402300799", &iat), "lifetime_too_long"));
    refused(&world, cases).await;
}

#[tokio::test]
async fn jwt_19_a_client_learns_the_class_and_nothing_else() {
    let world = World::warm().await;
    let classes = [
        (world.token().expires_in(-100), "expired"),
        (
            world.token().audience("https://other.example"),
            "another resource",
        ),
        (
            world.token().tamper(|signature| signature[0] ^= 1),
            "signature",
        ),
        (world.token().claim("iss", "https://evil.test"), "issuer"),
    ];
    for (token, word) in classes {
        let answer = world.bearer(&token.sign()).await;
        assert_eq!(answer.json()["error"], "invalid_token");
        assert!(
            answer.challenge().contains(word),
            "{word}: {}",
            answer.challenge()
        );
        let told = format!("{} {:?}", answer.challenge(), answer.body);
        for secret in [
            "other.example",
            "evil.test",
            "alice",
            &world.issuer.signing_kid(),
        ] {
            assert!(!told.contains(secret), "{secret} in {told}");
        }
    }
}

#[tokio::test]
async fn jwt_20_scope_is_a_string_unless_the_issuer_says_otherwise() {
    let world = World::warm().await;
    refused(
        &world,
        [
            signed(
                world.token().claim("scope", json!(["a"])),
                "malformed_claim",
            ),
            signed(world.token().claim("scope", "a\u{a0}b"), "malformed_claim"),
            signed(world.token().claim("scope", "a\tb"), "malformed_claim"),
            signed(world.token().claim("scope", 1), "malformed_claim"),
        ],
    )
    .await;
    let none = world
        .bearer(
            &world
                .token()
                .without("scope")
                .claim("scp", json!(["admin"]))
                .sign(),
        )
        .await;
    assert_eq!(
        none.json()["scopes"],
        "",
        "scp counts only by opt-in, and no claim is no scope (SCP-10)"
    );

    let okta = World::custom(
        |r| r,
        |issuer| issuer.profile(Profile::rfc9068().scopes_in_scp()),
    )
    .warmed()
    .await;
    for scp in [json!(["b", "a"]), json!("a b")] {
        assert_eq!(
            okta.bearer(&okta.token().claim("scp", scp).sign())
                .await
                .json()["scopes"],
            "a b"
        );
    }
    for bad in [json!([1]), json!(["a b"]), json!([""]), json!({})] {
        okta.bearer(&okta.token().claim("scp", bad).sign())
            .await
            .assert_invalid_token("malformed_claim");
    }
}

#[tokio::test]
async fn jwt_20_roles_groups_and_entitlements_are_kept() {
    let world = World::custom(
        |r| r,
        |issuer| issuer.profile(Profile::rfc9068().roles_claim("/realm_access/roles")),
    )
    .warmed()
    .await;
    let token = world
        .token()
        .claim("realm_access", json!({"roles": ["admin", "dev"]}))
        .claim("roles", json!(["ignored"]))
        .claim("groups", json!(["g", {"value": "scim"}]))
        .claim("entitlements", "e");
    let said = world.bearer(&token.sign()).await.json();
    assert_eq!(said["roles"], json!(["admin", "dev"]));
    assert_eq!(said["groups"], json!(["g"]));
    assert_eq!(said["entitlements"], json!(["e"]));
}

#[tokio::test]
async fn jwt_21_a_client_on_its_own_is_no_person() {
    let world = World::warm().await;
    let kind = async |token: TokenBuilder| world.bearer(&token.sign()).await.json()["kind"].clone();
    assert_eq!(
        kind(world.token().subject("ci").client("ci")).await,
        "Client"
    );
    assert_eq!(
        kind(
            world
                .token()
                .subject("x@clients")
                .claim("gty", "client-credentials")
        )
        .await,
        "Client"
    );
    assert_eq!(kind(world.token().claim("idtyp", "app")).await, "Client");
    let auth0 = |client: &str| world.token().subject("x@clients").client(client);
    assert_eq!(kind(auth0("x")).await, "Client");
    assert_eq!(kind(auth0("x@clients")).await, "Client");
    assert_eq!(kind(auth0("y")).await, "User");
    assert_eq!(kind(auth0("clients")).await, "User");
    assert_eq!(
        kind(world.token().subject("ci").client("ide")).await,
        "User"
    );
    let spiffe = world
        .bearer(&world.token().subject("spiffe://example.org/ci").sign())
        .await;
    assert_eq!(spiffe.json()["subject"], "spiffe://example.org/ci");
}

// also: T15
#[tokio::test]
async fn jwt_22_encrypted_tokens_are_refused() {
    let world = World::warm().await;
    let good = world.token().sign();
    refused(
        &world,
        [
            ("a.b.c.d.e".into(), "encrypted_token"),
            (format!("{good}.x.y"), "encrypted_token"),
        ],
    )
    .await;
}

#[tokio::test]
async fn jwt_23_a_grant_is_no_access_token() {
    let world = World::warm().await;
    refused(
        &world,
        [signed(
            world.token().header("typ", "oauth-id-jag+jwt"),
            "wrong_token_type",
        )],
    )
    .await;
}

#[tokio::test]
async fn t18_far_future_tokens_are_refused() {
    let world = World::warm().await;
    refused(
        &world,
        [
            signed(
                world.token().claim("exp", 1_000_000_000_000_000_000_i64),
                "malformed_claim",
            ),
            signed(
                world.token().claim("exp", 200_000_000_000_i64),
                "lifetime_too_long",
            ),
            signed(
                world.token().claim("exp", NOW + 366 * 86_400),
                "lifetime_too_long",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn t05_the_malleable_twin_of_a_signature_is_the_same_token() {
    let world = World::warm().await;
    let token = world.token();
    let (one, twin) = (token.sign(), token.es256_twin().sign());
    let (a, b) = (world.bearer(&one).await, world.bearer(&twin).await);
    a.assert_let_in();
    b.assert_let_in();
    assert_eq!(
        a.json()["key"],
        b.json()["key"],
        "identity is in the claims, never in the bytes"
    );
}

#[tokio::test]
async fn dpop_07_a_bound_token_is_never_a_plain_bearer_token() {
    let world = World::warm().await;
    let bound = [
        json!({"jkt": "x"}),
        json!({"x5t#S256": "x"}),
        json!({"x": 1}),
        json!({}),
        json!(null),
        json!("x"),
    ];
    refused(
        &world,
        bound.map(|cnf| signed(world.token().claim("cnf", cnf), "sender_constrained")),
    )
    .await;
}

#[tokio::test]
async fn t19_a_configured_organization_claim_must_be_there() {
    let world = World::custom(
        |r| r,
        |issuer| issuer.organization_claim("org_id").tenant_claim("/site/id"),
    )
    .warmed()
    .await;
    let good = world
        .token()
        .claim("org_id", "acme")
        .claim("site", json!({"id": "s1"}));
    let said = world.bearer(&good.sign()).await.json();
    assert_eq!(
        (&said["organization"], &said["tenant"]),
        (&json!("acme"), &json!("s1"))
    );

    let before = world.probe.calls();
    let absent = world.bearer(&world.token().sign()).await;
    assert_eq!(absent.status, StatusCode::FORBIDDEN);
    assert_eq!(absent.json()["error"], "organization_unknown");
    assert_eq!(absent.challenge(), "", "SCP-7: a new token would not help");
    for odd in [
        json!(""),
        json!(1),
        json!(["acme"]),
        json!(null),
        json!("a\u{0}b"),
    ] {
        world
            .bearer(&world.token().claim("org_id", odd).sign())
            .await
            .assert_invalid_token("malformed_claim");
    }
    let forged = world.token().tamper(|signature| signature[3] ^= 1);
    world
        .bearer(&forged.sign())
        .await
        .assert_invalid_token("bad_signature");
    assert_eq!(world.probe.calls(), before);
}

#[tokio::test]
async fn jwt_02_a_failed_token_is_nobody_elses_credential() {
    let world = World::warm().await;
    let asked = world.issuer.requests().len();
    let tampered = world.token().tamper(|signature| signature[1] ^= 1).sign();
    world
        .bearer(&tampered)
        .await
        .assert_invalid_token("bad_signature");
    assert_eq!(
        world.issuer.requests().len(),
        asked,
        "nobody else was asked"
    );
}
