//! New settings for a server that runs: what changes, what stays, and that nobody sees a mix.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::poll;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{Empty, Full};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_mcp_auth::api_token::{ApiTokens, MemoryStore, NewToken, Peppers};
use tower_mcp_auth::authenticator::{AuthenticatorBuilder, KeyState};
use tower_mcp_auth::enrich::EnrichmentMode;
use tower_mcp_auth::error::Problem;
use tower_mcp_auth::middleware::RequestBody;
use tower_mcp_auth::policy::MemoryPolicyStore;
use tower_mcp_auth::revocation::MemoryRevocationLog;
use tower_mcp_auth::testing::{Endpoint, Fault, ManualClock, MemoryAudit};
use tower_mcp_auth::throttle::ThrottleSettings;
use tower_mcp_auth::{
    AuthenticateLayer, Authenticator, AuthorizeToolLayer, Freshness, Issuer, McpAuthLayer,
    ProtectedResource, ToolRules,
};

use crate::operations_support::{Ops, Server, calls, message, rules};
use crate::orgs_support::ON;
use crate::outage::TokioClock;
use crate::sessions_support::{Sessions, who};
use crate::streams_support::fed;
use crate::support::{Answer, I, P, Probe, R, World, described, post};
use crate::tokens_support::{ADA, Directory, TokenWorld, basic, damaged, issue, stranger};

pub const V2: &str = "https://mcp.example.com/v2/mcp";
const V2_METADATA: &str = "https://mcp.example.com/.well-known/oauth-protected-resource/v2/mcp";
const ELSEWHERE: &str = "https://elsewhere.example";

/// The settings of every test.
pub fn settings() -> AuthenticatorBuilder {
    Authenticator::builder(described(Issuer::new(I)))
}

/// Those of a `TokenWorld`.
pub fn token_settings() -> AuthenticatorBuilder {
    Authenticator::builder(described(Issuer::new(I).organization_claim("org_id")))
}

async fn send(layer: &McpAuthLayer, probe: &Probe, authorization: &str) -> Answer {
    let request = post().header("authorization", authorization);
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let service = layer.layer(probe.clone());
    Answer::read(service.oneshot(request).await.unwrap()).await
}

/// Two configurations that differ in the resource, which the challenge names, and in the scope that
/// every request needs, which it names too.
fn either(second: bool) -> AuthenticatorBuilder {
    let (identifier, scope) = if second { (V2, "b") } else { (R, "a") };
    let resource = ProtectedResource::new(identifier).issuer(Issuer::new(I));
    Authenticator::builder(resource).require_scopes([scope])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r28_reloads_under_load_lose_no_request_and_show_no_mix() {
    const RELOADS: usize = 300;
    let world = World::warm().await;
    world.auth.reload(either(false)).unwrap();
    let token = |scope| world.issuer.token(json!([R, V2])).scope(scope).sign();
    let (good, poor) = (token("a b"), token("c"));
    let done = Arc::new(AtomicBool::new(false));
    let seen: [Arc<AtomicUsize>; 2] = Default::default();
    let load: Vec<_> = (0..4)
        .map(|_| {
            let layer = McpAuthLayer::new(world.auth.clone());
            let (probe, done, seen) = (world.probe.clone(), done.clone(), seen.clone());
            let (good, poor) = (format!("Bearer {good}"), format!("Bearer {poor}"));
            tokio::spawn(async move {
                while !done.load(Ordering::Acquire) {
                    send(&layer, &probe, &good).await.assert_let_in();
                    let refused = send(&layer, &probe, &poor).await;
                    assert_eq!(refused.code(), "insufficient_scope");
                    let challenge = refused.challenge();
                    let whole = [("a", P), ("b", V2_METADATA)].map(|(scope, url)| {
                        let has = |text: String| challenge.contains(&text);
                        [has(format!("scope=\"{scope}\"")), has(format!("\"{url}\""))]
                    });
                    let which = match whole {
                        [[true, true], [false, false]] => 0,
                        [[false, false], [true, true]] => 1,
                        _ => panic!("a mix: {challenge}"),
                    };
                    seen[which].fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let mut reloads = 0;
    // Both were met, however the threads were scheduled.
    while reloads < RELOADS || seen.iter().any(|seen| seen.load(Ordering::Relaxed) == 0) {
        reloads += 1;
        let generation = world.auth.reload(either(reloads % 2 == 1)).unwrap();
        assert_eq!(generation, u64::try_from(reloads).unwrap() + 2);
        tokio::task::yield_now().await;
    }
    done.store(true, Ordering::Release);
    for task in load {
        task.await.unwrap();
    }
    assert_eq!(world.issuer.hits().jwks, 1, "the keys were kept");
}

#[tokio::test]
async fn r28_what_was_remembered_of_a_token_is_judged_by_the_new_settings() {
    let world = World::warm().await;
    let late = world.token().expires_in(60).sign();
    let other = world.issuer.token(V2).sign();
    let send = async |token: &str| world.bearer(token).await.code();
    assert_eq!(send(&late).await, "");
    assert_eq!(send(&late).await, "", "remembered");
    world.clock.advance(Duration::from_secs(70));
    assert_eq!(send(&late).await, "", "within the leeway");
    let strict = Issuer::new(I).leeway(Duration::ZERO);
    world
        .auth
        .reload(Authenticator::builder(described(strict)))
        .unwrap();
    assert_eq!(send(&late).await, "expired");
    assert_eq!(send(&other).await, "wrong_audience");
    let wider = described(Issuer::new(I).audience(V2));
    world.auth.reload(Authenticator::builder(wider)).unwrap();
    assert_eq!(send(&other).await, "");
    world
        .auth
        .reload(Authenticator::builder(described(Issuer::new(ELSEWHERE))))
        .unwrap();
    assert_eq!(send(&other).await, "unknown_issuer");
    world.auth.reload(settings()).unwrap();
    assert_eq!(send(&other).await, "wrong_audience");
}

#[tokio::test]
async fn r28_revocations_and_the_handle_survive_a_reload() {
    let world = TokenWorld::new().await;
    let handle = world.auth.handle();
    handle.revoke_token(I, "t-1").await.unwrap();
    let token = |id: &str| format!("Bearer {}", world.access_token().claim("jti", id).sign());
    let (first, second) = (token("t-1"), token("t-2"));
    assert_eq!(world.present(&first).await.code(), "revoked");
    world.auth.reload(token_settings()).unwrap();
    assert_eq!(world.present(&first).await.code(), "revoked");
    world.present(&second).await.assert_let_in();
    handle.revoke_token(I, "t-2").await.unwrap();
    assert_eq!(world.present(&second).await.code(), "revoked");
    assert_eq!(world.auth.revocations(), 2);
    // Forgets what the new settings have led to, too.
    world.ada().await.assert_let_in();
    let reads = world.store.faults.calls();
    world.ada().await.assert_let_in();
    assert_eq!(world.store.faults.calls(), reads);
    handle.flush();
    assert_eq!(world.auth.verified_tokens(), 0);
    world.ada().await.assert_let_in();
    assert_eq!(world.store.faults.calls(), reads + 1);
}

#[tokio::test]
async fn r28_sessions_survive_a_reload() {
    let world = Sessions::new(|auth| auth).await;
    let id = world.begin(&world.alice()).await;
    let trusted = Issuer::new(I)
        .organization_claim("org_id")
        .tenant_claim("site_id");
    let settings = || {
        Authenticator::builder(described(trusted.clone()))
            .tools(ToolRules::new().tool("who", ["read:issues", "more"]))
    };
    world.orgs.auth.reload(settings()).unwrap();
    let poor = world.send(&world.alice(), &id, who()).await;
    assert_eq!(poor.code(), "insufficient_scope", "the rules are new");
    let rich = world.alice().scope("read:issues more");
    let answer = world.send(&rich, &id, who()).await;
    answer.assert_let_in();
    let stranger = world
        .orgs
        .access_token(ON)
        .subject("bob")
        .scope("read:issues more");
    assert_eq!(
        world.send(&stranger, &id, who()).await.code(),
        "unknown_session"
    );

    // What binds them cannot be changed, and not be taken away.
    for (mistaken, field) in [
        (settings().session_key([7; 32]), "session_key"),
        (
            settings().insecure_unbound_sessions(),
            "insecure_unbound_sessions",
        ),
    ] {
        let error = world.orgs.auth.reload(mistaken).unwrap_err();
        assert_eq!(fields(error.problems()), [field]);
        assert!(!error.to_string().contains("7, 7"), "{error}");
    }
    let unbound = settings()
        .insecure_unbound_sessions()
        .clock(world.orgs.clock.clone());
    let unbound = unbound.policies(MemoryPolicyStore::new()).build().unwrap();
    let error = unbound.reload(settings()).unwrap_err();
    assert_eq!(fields(error.problems()), ["insecure_unbound_sessions"]);
    let keyed = settings().session_key([7; 32]).build().unwrap();
    for same in [settings().session_key([7; 32]), settings()] {
        keyed.reload(same).unwrap();
    }
    let other = keyed.reload(settings().session_key([8; 32])).unwrap_err();
    assert_eq!(fields(other.problems()), ["session_key"]);
}

fn fields(problems: &[Problem]) -> Vec<&str> {
    problems
        .iter()
        .map(|problem| problem.field.as_str())
        .collect()
}

#[tokio::test]
async fn r28_a_bad_reload_says_all_that_is_wrong_and_changes_nothing() {
    let world = TokenWorld::new().await;
    let mount = ProtectedResource::new(V2).issuer(Issuer::new(I));
    let mount = world.auth.mount(mount).unwrap();
    world.ada().await.assert_let_in();
    let document = world.auth.resource().document().clone();
    let tokens = ApiTokens::new(MemoryStore::new(), Peppers::generate().unwrap());
    let mistaken = Authenticator::builder(described(Issuer::new(ELSEWHERE)))
        .clock(ManualClock::at(0))
        .fetch(world.issuer.fetch())
        .api_tokens(tokens)
        .policies(MemoryPolicyStore::new())
        .enrich(Directory::default(), EnrichmentMode::Required)
        .revocations(MemoryRevocationLog::new())
        .peer_address(|_| None)
        .audit(MemoryAudit::new())
        .audit_key([1; 32])
        .audit_instance("web-2")
        .require_scopes(["two words"])
        .max_credential_bytes(1);
    let error = world.auth.reload(mistaken).unwrap_err();
    assert_eq!(
        fields(error.problems()),
        [
            "clock",
            "fetch",
            "api_tokens",
            "policies",
            "enrich",
            "revocations",
            "peer_address",
            "audit",
            "require_scopes",
            "max_credential_bytes",
            "audit_instance",
            "audit_key",
        ]
    );
    assert!(
        error
            .to_string()
            .contains("cannot be changed while the server runs")
    );
    // Good by itself, and not for the mount.
    let error = world
        .auth
        .reload(Authenticator::builder(described(Issuer::new(ELSEWHERE))));
    let error = error.unwrap_err();
    assert_eq!(fields(error.problems()), ["mount[/v2/mcp].issuer[0]"]);
    assert_eq!(error.problems()[0].value, I);

    assert_eq!((world.auth.generation(), mount.generation()), (1, 1));
    assert_eq!(world.auth.resource().document(), &document);
    let reads = world.store.faults.calls();
    world.ada().await.assert_let_in();
    assert_eq!(
        world.store.faults.calls(),
        reads,
        "not even a copy was forgotten"
    );
    // The mount gone, it stands in nobody's way.
    drop(mount);
    assert_eq!(
        world
            .auth
            .reload(Authenticator::builder(described(Issuer::new(ELSEWHERE)))),
        Ok(2)
    );
}

#[tokio::test]
async fn r28_mounts_are_made_again_from_their_descriptions() {
    const V3: &str = "https://mcp.example.com/v3/mcp";
    let world = World::warm().await;
    let all = world.auth.mount(ProtectedResource::new(V2)).unwrap();
    let one = ProtectedResource::new(V3).issuer(Issuer::new(I));
    let one = all.mount(one).unwrap();
    let both = described(Issuer::new(I)).issuer(Issuer::new(ELSEWHERE));
    // Through any of them it is the server's.
    let generation = one.reload(Authenticator::builder(both).require_scopes(["a"]));
    assert_eq!(generation, Ok(2));
    for (auth, identifier, issuers) in [(&world.auth, R, 2), (&all, V2, 2), (&one, V3, 1)] {
        assert_eq!(auth.generation(), 2);
        assert_eq!(auth.resource().identifier(), identifier);
        assert_eq!(auth.issuer_status().len(), issuers);
        let judge = async |scope: &str| {
            let token = world.issuer.token(identifier).scope(scope).sign();
            let request = post().header("authorization", format!("Bearer {token}"));
            let (parts, ()) = request.body(()).unwrap().into_parts();
            let judged = auth.authenticate(&parts).await;
            judged.map_err(|refused| refused.reason().code()).err()
        };
        assert_eq!(judge("a").await, None);
        assert_eq!(judge("b").await, Some("insufficient_scope"));
    }
    // One that is mounted now has the new settings, and goes with the next.
    let late = world
        .auth
        .mount(ProtectedResource::new("https://mcp.example.com/v4"))
        .unwrap();
    assert_eq!((late.generation(), late.issuer_status().len()), (2, 2));
    // On a mount whose handle is gone, too.
    drop(all);
    assert_eq!(one.reload(settings()), Ok(3));
    assert_eq!((late.issuer_status().len(), one.generation()), (1, 3));
    assert_eq!(world.issuer.hits().jwks, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r28_reloads_and_mounts_at_once_take_turns() {
    let world = World::cold();
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let auth = world.auth.clone();
            tokio::spawn(async move {
                let reload = |_| {
                    let mount = auth.mount(ProtectedResource::new(V2)).unwrap();
                    let generation = auth.reload(settings()).unwrap();
                    assert!(mount.generation() >= generation);
                    generation
                };
                (0..50).map(reload).collect::<Vec<_>>()
            })
        })
        .collect();
    let mut all = BTreeSet::new();
    for task in tasks {
        let own = task.await.unwrap();
        assert!(own.is_sorted());
        all.extend(own);
    }
    assert_eq!(all, (2..=201).collect());
    assert_eq!(world.auth.generation(), 201);
}

#[tokio::test]
async fn r28_keys_are_kept_as_long_as_the_new_settings_say() {
    let world = World::warm().await;
    let token = || format!("Bearer {}", world.token().expires_in(80_000).sign());
    world.issuer.fail_all(Fault::Refuse);
    let keep = |stale| {
        let freshness = Freshness::default().stale(Duration::from_secs(stale));
        let issuer = Issuer::new(I).freshness(freshness);
        world
            .auth
            .reload(Authenticator::builder(described(issuer)))
            .unwrap();
    };
    // While the issuer is down: nothing could be fetched.
    keep(3600);
    world.present(token()).await.assert_let_in();
    world.clock.advance(Duration::from_secs(3000));
    world.present(token()).await.assert_let_in();
    keep(0);
    assert_eq!(world.auth.issuer_status()[0].state, KeyState::Absent);
    assert_eq!(world.present(token()).await.code(), "issuer_unavailable");
    keep(7200);
    world.present(token()).await.assert_let_in();
    // Keys from another place, or of other algorithms, are others.
    let moved = Issuer::new(I).jwks_uri("https://auth.example.com/other");
    world
        .auth
        .reload(Authenticator::builder(described(moved)))
        .unwrap();
    assert_eq!(world.auth.issuer_status()[0].state, KeyState::Absent);
}

#[tokio::test(start_paused = true)]
async fn r28_keys_of_a_new_issuer_are_fetched_without_a_request() {
    let world = World::cold();
    let nobody = Authenticator::builder(described(Issuer::new(ELSEWHERE)));
    world.auth.reload(nobody).unwrap();
    assert!(!world.auth.is_ready());
    world.auth.reload(settings()).unwrap();
    while !world.auth.is_ready() {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.issuer.hits().jwks, 1);
    world.bearer(&world.token().sign()).await.assert_let_in();
}

#[tokio::test(start_paused = true)]
async fn r28_a_decision_that_waits_is_made_by_the_settings_it_began_with() {
    let world = World::cold();
    world
        .issuer
        .fail(Endpoint::Jwks, Fault::Slow(Duration::from_secs(1)));
    let token = world.token().scope("old").sign();
    let mut waiting = pin!(world.bearer(&token));
    assert!(poll!(&mut waiting).is_pending());
    // The fetch under way is the new settings' too.
    world
        .auth
        .reload(settings().require_scopes(["new"]))
        .unwrap();
    let mut later = pin!(world.bearer(&token));
    assert!(poll!(&mut later).is_pending());
    world
        .auth
        .reload(settings().require_scopes(["newer"]))
        .unwrap();
    waiting.await.assert_let_in();
    let refused = later.await;
    assert_eq!(refused.code(), "insufficient_scope");
    assert!(
        refused.challenge().contains("scope=\"new\""),
        "{}",
        refused.challenge()
    );
    assert_eq!(world.issuer.hits().jwks, 1);
    // Even one whose issuer is gone.
    let world = World::cold();
    let token = world.token().sign();
    world
        .issuer
        .fail(Endpoint::Jwks, Fault::Slow(Duration::from_secs(1)));
    let mut waiting = pin!(world.bearer(&token));
    assert!(poll!(&mut waiting).is_pending());
    world
        .auth
        .reload(Authenticator::builder(described(Issuer::new(ELSEWHERE))))
        .unwrap();
    waiting.await.assert_let_in();
}

/// Nobody keeps old settings by holding back the last byte.
#[tokio::test]
async fn r28_a_body_that_took_its_time_is_judged_by_the_new_settings() {
    let origin = "https://ide.example";
    let stricter = [
        (
            settings().tools(rules()).require_scopes(["more"]),
            "insufficient_scope",
        ),
        (settings().tools(ToolRules::new()), "operation_not_allowed"),
        (
            Authenticator::builder(described(Issuer::new(ELSEWHERE))).tools(rules()),
            "unknown_issuer",
        ),
        // The list of origins had this one.
        (settings().tools(rules()), "origin_not_allowed"),
    ];
    for (index, (settings, expected)) in stricter.into_iter().enumerate() {
        let ops = Ops::custom(rules().public_method("ping"), |builder| builder)
            .warmed()
            .await;
        let before = described(Issuer::new(I)).allow_origin(origin);
        ops.auth
            .reload(Authenticator::builder(before).tools(rules()))
            .unwrap();
        let (feed, body) = fed();
        let mut request = message().header("authorization", ops.reader());
        if index == 3 {
            request = request.header("origin", origin);
        }
        let service = McpAuthLayer::new(ops.auth.clone()).layer(ops.server.clone());
        let mut answer = pin!(service.oneshot(request.body(body).unwrap()));
        assert!(poll!(&mut answer).is_pending());
        ops.auth.reload(settings).unwrap();
        feed.send(Frame::data(calls("getIssue").into())).unwrap();
        drop(feed);
        let answer = Answer::read(answer.await.unwrap()).await;
        assert_eq!(answer.code(), expected);
        assert_eq!(ops.server.calls(), 0);
    }
}

#[tokio::test]
async fn r28_somebody_without_a_credential_is_judged_by_the_new_settings_too() {
    for (public, code) in [(true, ""), (false, "missing_credential")] {
        let ops = Ops::warm(rules().public_method("ping")).await;
        let (feed, body) = fed();
        let service = McpAuthLayer::new(ops.auth.clone()).layer(ops.server.clone());
        let mut answer = pin!(service.oneshot(message().body(body).unwrap()));
        assert!(poll!(&mut answer).is_pending());
        let rules = if public {
            rules().public_method("ping")
        } else {
            rules()
        };
        let resource = ProtectedResource::new(V2).issuer(Issuer::new(I));
        ops.auth
            .reload(Authenticator::builder(resource).tools(rules))
            .unwrap();
        let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        feed.send(Frame::data(ping.into())).unwrap();
        drop(feed);
        let answer = Answer::read(answer.await.unwrap()).await;
        assert_eq!(answer.code(), code);
        assert!(public || answer.challenge().contains(V2_METADATA));
    }
}

/// The layer inside decides by the settings by which the one outside let somebody in.
#[tokio::test]
async fn r28_two_layers_of_one_request_agree() {
    let ops = Ops::warm(rules()).await;
    let inside = AuthorizeToolLayer::new(ops.auth.clone()).layer(Server::default());
    let auth = ops.auth.clone();
    let between = service_fn(move |request: Request<RequestBody<Full<Bytes>>>| {
        // Nobody may call anything from here on.
        auth.reload(settings().tools(ToolRules::new())).unwrap();
        inside.clone().oneshot(request)
    });
    let service = AuthenticateLayer::new(ops.auth.clone()).layer(between);
    for expected in ["", "operation_not_allowed"] {
        let request = message().header("authorization", ops.reader());
        let request = request.body(Full::from(calls("getIssue"))).unwrap();
        let answer = service.clone().oneshot(request).await.unwrap();
        assert_eq!(Answer::read(answer).await.code(), expected);
    }
}

#[tokio::test]
async fn r28_failures_count_on_under_the_same_limits() {
    let world = TokenWorld::new().await;
    let bad = format!("Bearer {}", damaged(&world.acme_key));
    let from = "192.0.2.1";
    for _ in 0..20 {
        let answer = world.present_from(from, &bad).await;
        assert_eq!(answer.code(), "invalid_api_token");
    }
    let limited = async |expected| {
        assert_eq!(world.present_from(from, &bad).await.code(), expected);
    };
    limited("too_many_failures").await;
    world.auth.reload(token_settings()).unwrap();
    limited("too_many_failures").await;
    let other = ThrottleSettings::new().per_address(30, 30);
    world.auth.reload(token_settings().throttle(other)).unwrap();
    limited("invalid_api_token").await;
}

#[tokio::test]
async fn r28_records_and_policies_are_kept() {
    let world = TokenWorld::new().await;
    world.ada().await.assert_let_in();
    let reads = || (world.store.faults.calls(), world.policies.faults.calls());
    let before = reads();
    world.auth.reload(token_settings()).unwrap();
    world.ada().await.assert_let_in();
    assert_eq!(reads(), before);
    // Still the same tokens and policies: a write holds at once.
    let new = issue(&world.tokens, NewToken::personal("acme", "ada", ADA)).await;
    let authorization = basic(ADA, &new);
    world.present(&authorization).await.assert_let_in();
    world.tokens.revoke(new.record.id()).await.unwrap();
    assert_eq!(
        world.present(&authorization).await.code(),
        "invalid_api_token"
    );
    let unknown = stranger(NewToken::personal("acme", "ada", ADA)).await;
    assert_eq!(
        world.present(basic(ADA, &unknown)).await.code(),
        "invalid_api_token"
    );
}

/// One task reads the log, however often the settings change.
#[tokio::test(start_paused = true)]
async fn r28_the_reader_of_the_log_is_not_doubled() {
    #[derive(Clone, Default)]
    struct Log(MemoryRevocationLog, Arc<AtomicUsize>);

    impl tower_mcp_auth::revocation::RevocationLog for Log {
        async fn append(
            &self,
            entry: tower_mcp_auth::revocation::RevocationEntry,
        ) -> Result<u64, tower_mcp_auth::BackendError> {
            self.0.append(entry).await
        }

        async fn read_since(
            &self,
            sequence: u64,
            limit: usize,
        ) -> Result<
            Vec<(u64, tower_mcp_auth::revocation::RevocationEntry)>,
            tower_mcp_auth::BackendError,
        > {
            self.1.fetch_add(1, Ordering::SeqCst);
            self.0.read_since(sequence, limit).await
        }
    }

    let log = Log::default();
    let world = World::cold().rebuilt(|builder| {
        builder
            .clock(TokioClock(tokio::time::Instant::now()))
            .revocations(log.clone())
    });
    let world = world.warmed().await;
    let reads_of_a_minute = async || {
        let before = log.1.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(60)).await;
        log.1.load(Ordering::SeqCst) - before
    };
    for _ in 0..5 {
        world.auth.reload(settings()).unwrap();
        let status = world.auth.revocation_status().unwrap();
        assert!(status.is_current && world.auth.is_ready());
    }
    let reads = reads_of_a_minute().await;
    assert!((20..=40).contains(&reads), "{reads}");
}

/// A part of the user's that panics hurts one request, and no reload.
/// Whoever reads the records sees where the rules changed, and not where they did not.
#[tokio::test]
async fn edge_08_a_reload_is_on_record() {
    let audit = MemoryAudit::new();
    let world = World::cold().rebuilt(|builder| builder.audit(audit.clone()));
    let mount = world.auth.mount(ProtectedResource::new(V2)).unwrap();
    world.auth.reload(settings()).unwrap();
    let mistaken = Authenticator::builder(ProtectedResource::new(R));
    world.auth.reload(mistaken).unwrap_err();
    mount.reload(settings()).unwrap();
    let records = audit.take();
    let told: Vec<_> = records
        .iter()
        .map(|record| (record.event.name(), record.generation, record.seq))
        .collect();
    assert_eq!(
        told,
        [
            ("settings.changed", Some(2), 1),
            ("settings.changed", Some(3), 2)
        ]
    );
    let entity = records[0].to_ocsf()["entity"].clone();
    assert_eq!(
        entity,
        json!({"type_id": 99, "type": "Settings", "uid": "2"})
    );
}

#[tokio::test]
async fn r15_a_panic_of_the_users_stops_no_reload() {
    let world = World::cold()
        .rebuilt(|builder| builder.peer_address(|_| panic!("a fault of the server's")));
    let token = world.token().sign();
    for generation in 2..4 {
        assert_eq!(world.bearer(&token).await.status, 500);
        assert_eq!(world.auth.reload(settings()), Ok(generation));
    }
    let inner = service_fn(|_: Request<RequestBody<Empty<Bytes>>>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let request = post().body(Empty::<Bytes>::new()).unwrap();
    let answer = McpAuthLayer::new(world.auth.clone())
        .layer(inner)
        .oneshot(request);
    assert_eq!(answer.await.unwrap().status(), 500);
}
