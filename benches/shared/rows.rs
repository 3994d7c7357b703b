//! The rows about one request: let in again, let in for the first time, refused.

use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderValue, Request};
use tower::{Layer, ServiceExt, service_fn};
use tower_mcp_auth::api_token::{ApiTokens, MemoryStore, Peppers};
use tower_mcp_auth::audit::{AuditRecord, AuditSink};
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::enrich::{ContextEnricher, Enrichment, EnrichmentMode, UserFacts};
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::MemoryPolicyStore;
use tower_mcp_auth::{
    Authenticator, BackendError, Issuer, McpAuthLayer, OrganizationPolicy, Principal,
    SigningAlgorithm,
};

use super::fixture::{EMAIL, Fixture, basic, bearer, echo, organization, person, request};
use super::row::{BARE, Row, requests};

/// The service itself, asked as the warm rows ask.
pub(crate) fn bare(fixture: &Fixture) -> Row {
    let header = bearer(fixture.access_token().sign());
    requests(BARE, &fixture.runtime, service_fn(echo), 200, move || {
        request(Some(&header))
    })
}

/// The service behind a layer that only puts something into the request's extensions, as every
/// layer with something to say does: what that costs is not ours to save.
pub(crate) fn bare_with_entry(fixture: &Fixture) -> Row {
    let header = bearer(fixture.access_token().sign());
    let entry = Arc::new(1_u64);
    let service = service_fn(move |mut request: Request<_>| {
        request.extensions_mut().insert(entry.clone());
        echo(request)
    });
    requests(
        "bare_with_entry",
        &fixture.runtime,
        service,
        200,
        move || request(Some(&header)),
    )
}

/// A credential sent to an authenticator of its own.
fn sent(
    name: impl Into<String>,
    fixture: &Fixture,
    builder: AuthenticatorBuilder,
    status: u16,
    header: Option<HeaderValue>,
) -> Row {
    let layer = McpAuthLayer::new(fixture.ready(builder));
    let service = layer.layer(service_fn(echo));
    requests(name, &fixture.runtime, service, status, move || {
        request(header.as_ref())
    })
}

/// Takes a record and does nothing with it: what is measured is the making of it.
struct Nowhere;

impl AuditSink for Nowhere {
    fn record(&self, record: &AuditRecord) {
        black_box(record);
    }
}

struct Directory;

impl ContextEnricher for Directory {
    async fn enrich(&self, _: &Principal, _: &OrganizationId) -> Result<Enrichment, BackendError> {
        Ok(Enrichment::new().user(UserFacts::new("acc-17")))
    }
}

/// Credentials that were seen before.
pub(crate) fn warm(fixture: &Fixture) -> Vec<Row> {
    let token = |algorithm| bearer(fixture.access_token().algorithm(algorithm).sign());
    let mut rows: Vec<Row> = fixture
        .algorithms
        .iter()
        .map(|&algorithm| {
            let name = format!("warm/{algorithm}");
            sent(name, fixture, fixture.plain(), 200, Some(token(algorithm)))
        })
        .collect();
    let full = || fixture.full();
    rows.extend([
        sent(
            "warm/service_key",
            fixture,
            full(),
            200,
            Some(fixture.service_key()),
        ),
        sent(
            "warm/personal",
            fixture,
            full(),
            200,
            Some(fixture.personal()),
        ),
    ]);
    rows
}

/// An opaque token that its issuer was asked about: to be read against a warm JWT.
pub(crate) fn warm_introspected(fixture: &Fixture) -> Row {
    let header = bearer(fixture.access_token().opaque());
    let name = "warm/introspected";
    sent(name, fixture, fixture.introspecting(), 200, Some(header))
}

/// What more settings add to a warm token.
pub(crate) fn warm_with_more(fixture: &Fixture) -> Vec<Row> {
    let enriched =
        |builder: AuthenticatorBuilder| builder.enrich(Directory, EnrichmentMode::Required);
    let settings = [
        ("warm/with_policy", fixture.full()),
        ("warm/with_enrichment", enriched(fixture.full())),
        ("warm/with_audit", fixture.full().audit(Nowhere)),
        ("warm/with_all", enriched(fixture.full()).audit(Nowhere)),
    ];
    let header = bearer(fixture.access_token().sign());
    settings
        .into_iter()
        .map(|(name, builder)| sent(name, fixture, builder, 200, Some(header.clone())))
        .collect()
}

/// A token never seen before, for each algorithm, beside the verification of its signature alone.
/// `ring` tokens take turns, and are forgotten after each.
pub(crate) fn first_sight(fixture: &Fixture, ring: usize) -> Vec<Row> {
    let both = fixture.algorithms.iter().map(|&algorithm| {
        let token = fixture.access_token().algorithm(algorithm);
        let tokens: Vec<String> = (0..ring).map(|_| token.sign()).collect();
        let raw = signature_alone(fixture, algorithm, &tokens);
        [raw, first_sight_of(fixture, algorithm, &tokens)]
    });
    both.flatten().collect()
}

fn first_sight_of(fixture: &Fixture, algorithm: SigningAlgorithm, tokens: &[String]) -> Row {
    // Has room for all of them, and little more to clear.
    let auth = fixture.ready(fixture.plain().verified_token_bytes(4 * 1024 * 1024));
    let (handle, runtime) = (auth.handle(), Rc::clone(&fixture.runtime));
    let service = McpAuthLayer::new(auth.clone()).layer(service_fn(echo));
    let headers: Vec<HeaderValue> = tokens.iter().map(bearer).collect();
    let mut next = 0;
    let name = format!("first_sight/{algorithm}");
    let row = Row::timed(name, move |times| {
        let (mut took, mut left) = (Duration::ZERO, times);
        while left > 0 {
            if next == headers.len() {
                assert_eq!(auth.verified_tokens(), next, "each was seen once");
                handle.flush();
                next = 0;
            }
            let some = headers.iter().skip(next);
            let some = some.take(usize::try_from(left).unwrap_or(usize::MAX));
            let start = Instant::now();
            let asked = runtime.block_on(async {
                let mut asked = 0;
                for header in some {
                    let answer = service.clone().oneshot(request(Some(header))).await;
                    asked += usize::from(answer.is_ok_and(|answer| answer.status() == 200));
                }
                asked
            });
            took += start.elapsed();
            assert!(asked > 0, "a good token is let in");
            next += asked;
            left -= u64::try_from(asked).unwrap_or(left);
        }
        took
    });
    row.against(raw_name(algorithm))
}

pub(crate) fn raw_name(algorithm: SigningAlgorithm) -> String {
    format!("signature_alone/{algorithm}")
}

/// What nobody can do without: aws-lc-rs, a key parsed before, a signature decoded before.
fn signature_alone(fixture: &Fixture, algorithm: SigningAlgorithm, tokens: &[String]) -> Row {
    let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let header = decoded(tokens.first().unwrap().split_once('.').unwrap().0);
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    let kid = header.get("kid").and_then(|kid| kid.as_str()).unwrap();
    let key = fixture.issuer.public_der(kid);
    let key = ParsedPublicKey::new(verification(algorithm), key).unwrap();
    let parts = |token: &String| {
        let (message, signature) = token.rsplit_once('.').unwrap();
        (message.to_owned(), decoded(signature))
    };
    let parts: Vec<_> = tokens.iter().map(parts).collect();
    let mut next = 0;
    Row::new(raw_name(algorithm), move |times| {
        for _ in 0..times {
            let (message, signature) = parts.get(next).unwrap();
            assert!(key.verify_sig(message.as_bytes(), signature).is_ok());
            next = (next + 1) % parts.len();
        }
    })
}

fn verification(algorithm: SigningAlgorithm) -> &'static dyn VerificationAlgorithm {
    match algorithm {
        SigningAlgorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        SigningAlgorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
        SigningAlgorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        SigningAlgorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        SigningAlgorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
        SigningAlgorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
        SigningAlgorithm::Es256 => &ECDSA_P256_SHA256_FIXED,
        SigningAlgorithm::Es384 => &ECDSA_P384_SHA384_FIXED,
        _ => &ED25519,
    }
}

/// An API token whose record and policy must be asked of their stores in memory.
pub(crate) fn first_sight_of_api_tokens(fixture: &Fixture) -> Vec<Row> {
    let credentials = [
        ("first_sight/service_key", fixture.service_key()),
        ("first_sight/personal", fixture.personal()),
    ];
    credentials
        .map(|(name, header)| {
            let auth = fixture.ready(fixture.full());
            let (handle, runtime) = (auth.handle(), Rc::clone(&fixture.runtime));
            let service = McpAuthLayer::new(auth).layer(service_fn(echo));
            Row::timed(name, move |times| {
                runtime.block_on(async {
                    let mut took = Duration::ZERO;
                    for _ in 0..times {
                        handle.flush();
                        let start = Instant::now();
                        let answer = service.clone().oneshot(request(Some(&header))).await;
                        took += start.elapsed();
                        assert!(answer.is_ok_and(|answer| answer.status() == 200));
                    }
                    took
                })
            })
        })
        .into()
}

/// Requests that are refused.
pub(crate) fn refusals(fixture: &Fixture) -> Vec<Row> {
    let token = || fixture.access_token();
    let first = *fixture.algorithms.first().unwrap();
    let refused = [
        ("missing", None),
        ("garbage", Some(bearer("garbage"))),
        ("expired", Some(bearer(token().expires_in(-100).sign()))),
        (
            "wrong_audience",
            Some(bearer(token().audience("https://other.example").sign())),
        ),
        (
            "unknown_kid",
            Some(bearer(token().header("kid", "nobody").sign())),
        ),
    ];
    let mut rows: Vec<Row> = refused
        .into_iter()
        .map(|(name, header)| {
            let name = format!("refused/{name}");
            sent(name, fixture, fixture.plain(), 401, header)
        })
        .collect();
    // Beside the verification nobody can do without.
    let bad = token().tamper(|signature| {
        if let Some(byte) = signature.get_mut(5) {
            *byte ^= 1;
        }
    });
    let bad = sent(
        "refused/bad_signature",
        fixture,
        fixture.plain(),
        401,
        Some(bearer(bad.sign())),
    );
    rows.push(bad.against(raw_name(first)));
    rows
}

/// API tokens that are refused. Those of `t27/` must not differ by more than their noise: whether
/// an id exists, a secret is right or an email belongs to it cannot be told from the time (T27).
pub(crate) fn refused_api_tokens(fixture: &Fixture) -> Vec<Row> {
    let personal = fixture.issue(&fixture.tokens, person("acme"));
    let good = personal.token.expose();
    let off = fixture.issue(&fixture.tokens, person("globex"));
    let other = ApiTokens::new(MemoryStore::new(), Peppers::generate().unwrap());
    let unknown = fixture.issue(&other, person("acme"));
    // After a roll the old text has an id that exists and a secret that is wrong.
    let rolled = fixture.issue(&fixture.tokens, person("acme"));
    let roll = fixture.tokens.roll(rolled.record.id(), Duration::ZERO);
    fixture.runtime.block_on(roll).unwrap();
    let (head, last) = good.split_at(good.len() - 1);
    let damaged = format!("{head}{}", if last == "0" { "1" } else { "0" });
    [
        ("refused/damaged", basic(EMAIL, &damaged)),
        ("refused/disabled_method", basic(EMAIL, off.token.expose())),
        ("t27/unknown_id", basic(EMAIL, unknown.token.expose())),
        ("t27/wrong_secret", basic(EMAIL, rolled.token.expose())),
        ("t27/wrong_email", basic("eve@acme.example", good)),
    ]
    .map(|(name, header)| sent(name, fixture, fixture.full(), 401, Some(header)))
    .into()
}

/// How many issuers, organizations and tool rules there are, few and many: only a request of one
/// organization with a token of one issuer is sent, so that more of them must not cost more.
pub(crate) fn scaling(fixture: &Fixture) -> Vec<Row> {
    let header = bearer(fixture.access_token().sign());
    let mut rows = Vec::new();
    for count in [1, 1_000] {
        let more = (1..count).map(|nth| format!("https://issuer-{nth}.example.com"));
        let resource = more.fold(fixture.resource(), |resource, url| {
            resource.issuer(Issuer::new(url))
        });
        let auth = Authenticator::builder(resource)
            .fetch(fixture.issuer.fetch())
            .build()
            .unwrap();
        // The other issuers do not answer, and need not: no token of theirs comes.
        let service = McpAuthLayer::new(auth).layer(service_fn(echo));
        let header = header.clone();
        let name = format!("issuers/{count}");
        let make = move || request(Some(&header));
        rows.push(requests(name, &fixture.runtime, service, 200, make).against("issuers/1"));
    }
    for count in [10, 100_000] {
        let policies = policies(count);
        let builder = fixture.plain().policies(policies);
        let name = format!("organizations/{count}");
        let row = sent(name, fixture, builder, 200, Some(header.clone()));
        rows.push(row.against("organizations/10"));
    }
    rows
}

fn policies(count: usize) -> MemoryPolicyStore {
    let others = (1..count).map(|nth| format!("org-{nth}"));
    let names = std::iter::once("acme".to_owned()).chain(others);
    names.fold(MemoryPolicyStore::new(), |store, name| {
        let policy = OrganizationPolicy::new(organization(&name));
        store.with(policy).unwrap()
    })
}
