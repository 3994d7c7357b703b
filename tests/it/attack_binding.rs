//! Attacks on bound tokens, on answers about tokens, and on what transmitters report.

use std::convert::Infallible;
use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use tower::{Layer, ServiceExt, service_fn};
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::middleware::RequestBody;
use tower_mcp_auth::testing::{ManualClock, TestIssuer};
use tower_mcp_auth::{Authenticator, Introspection, Issuer, McpAuthLayer};

use crate::streams_support::fed;
use crate::support::{I, NOW, Probe, World, described, post};
use crate::tokens_support::assert_outage;

/// A server that asks its issuer about opaque tokens.
fn asking(configure: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder) -> World {
    asking_for(|introspection| introspection, configure)
}

fn asking_for(
    answers: impl FnOnce(Introspection) -> Introspection,
    configure: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder,
) -> World {
    let clock = ManualClock::at(NOW);
    let issuer = TestIssuer::builder().url(I).clock(clock.clone());
    let issuer = issuer.client("mcp", "secret").in_process();
    let introspection = Introspection::new().client_secret_basic("mcp", "secret");
    let trusted = Issuer::new(I).introspection(answers(introspection));
    let builder = Authenticator::builder(described(trusted))
        .clock(clock.clone())
        .fetch(issuer.fetch());
    World {
        auth: configure(builder).build().unwrap(),
        issuer,
        clock,
        probe: Probe::default(),
    }
}

/// Opens an event stream, ends its token, and says whether the stream ends within two minutes.
async fn ends_with_its_token(world: &World, token: &str, request: http::request::Builder) -> bool {
    let (feed, body) = fed();
    let body = Arc::new(Mutex::new(Some(body)));
    let service = service_fn(move |_: Request<RequestBody<Empty<Bytes>>>| {
        let body = body.lock().unwrap().take().expect("one request");
        let response = Response::builder().header("content-type", "text/event-stream");
        ready(Ok::<_, Infallible>(response.body(body).unwrap()))
    });
    let service = McpAuthLayer::new(world.auth.clone()).layer(service);
    let response = service.oneshot(request.body(Empty::new()).unwrap()).await;
    let mut response = response.unwrap();
    assert_eq!(response.status(), 200);
    world.issuer.deactivate(token);
    for _ in 0..24 {
        world.clock.advance(Duration::from_secs(5));
        let frame = tokio::time::timeout(Duration::from_secs(5), response.body_mut().frame());
        if let Ok(frame) = frame.await {
            let event = frame.unwrap().unwrap().into_data().unwrap();
            let event = String::from_utf8(event.to_vec()).unwrap();
            assert!(event.contains("inactive_token"), "{event}");
            return feed.is_closed();
        }
    }
    false
}

#[tokio::test(start_paused = true)]
async fn mcp_20_a_stream_ends_with_its_opaque_token() {
    let world = asking(|builder| builder);
    let token = world.token().opaque();
    let request = post().header("authorization", format!("Bearer {token}"));
    assert!(ends_with_its_token(&world, &token, request).await);
}

#[tokio::test(start_paused = true)]
async fn r18_an_answer_without_end_locks_nobody_else_out() {
    let world = asking(|builder| builder);
    let long = "x".repeat(64 * 1024);
    let answer = format!(r#"{{"active":true,"nickname":"{long}"}}"#);
    world
        .issuer
        .answer_introspection("application/json", answer);
    for nth in 0..20 {
        let answer = world.bearer(&format!("t{nth}")).await;
        assert_outage(&answer, "issuer_unavailable");
    }
    world.issuer.reset_introspection();
    world.bearer(&world.token().opaque()).await.assert_let_in();
}

#[tokio::test(start_paused = true)]
async fn revoke_10_a_stolen_key_signs_no_answers_either() {
    let world = asking_for(Introspection::signed_responses, |builder| builder);
    let jwt = world.token().sign();
    let request = post().header("authorization", format!("Bearer {jwt}"));
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let seen = world.auth.authenticate(&parts).await.unwrap();
    let key_id = seen.principal().key_id().unwrap().to_owned();
    let known = world.token().opaque();
    world.bearer(&known).await.assert_let_in();
    world.auth.handle().revoke_key(I, &key_id).await.unwrap();
    for token in [&jwt, &known, &world.token().opaque()] {
        assert_eq!(world.bearer(token).await.code(), "revoked");
    }
}

#[cfg(feature = "dpop")]
mod bound {
    use std::collections::HashMap;

    use tower_mcp_auth::clock::{Clock, UnixTime};
    use tower_mcp_auth::dpop::{Claim, Dpop, ProofId, ReplayStore};
    use tower_mcp_auth::testing::DpopKey;
    use tower_mcp_auth::{BackendError, ProtectedResource};

    use super::*;
    use crate::support::R;

    #[tokio::test(start_paused = true)]
    async fn mcp_20_a_stream_ends_with_its_bound_opaque_token() {
        let world = asking(|builder| builder.dpop(Dpop::new()));
        let key = DpopKey::generate();
        let token = world.token().dpop_key(&key).opaque();
        let proof = key.proof("POST", R, &token).at(world.clock.now());
        let request = post()
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", proof.sign());
        assert!(ends_with_its_token(&world, &token, request).await);
    }

    /// A request may be for one mount by its first segments, and for another's URL by its dots.
    #[tokio::test]
    async fn dpop_03_dots_lead_to_no_other_url() {
        let mut world = World::cold().rebuilt(|builder| builder.dpop(Dpop::new()));
        world = world.warmed().await;
        let key = DpopKey::generate();
        let token = world.token().dpop_key(&key).sign();
        for (path, url) in [
            ("/mcp/../admin", "https://mcp.example.com/admin"),
            ("/mcp/%2e%2e/admin", "https://mcp.example.com/admin"),
            ("/mcp/.%2E/admin", "https://mcp.example.com/admin"),
            ("/mcp/x/./y", "https://mcp.example.com/mcp/x/y"),
            ("/mcp/x/%2E", "https://mcp.example.com/mcp/x/"),
            // Nor is the resource's own URL that of what lies below it in another spelling.
            ("/%6dcp/admin", R),
            ("/x/../mcp/admin", R),
            ("/mcp%2e/../mcp/admin", R),
        ] {
            let proof = key.proof("POST", url, &token).at(world.clock.now());
            let request = post()
                .uri(path)
                .header("authorization", format!("DPoP {token}"))
                .header("dpop", proof.sign());
            let answer = world.send(request).await;
            assert_eq!(answer.code(), "invalid_dpop_proof", "{path}");
        }
    }

    #[tokio::test]
    async fn dpop_03_a_proof_for_one_mount_is_none_for_another() {
        const V2: &str = "https://mcp.example.com/v2";
        let mut world = World::cold().rebuilt(|builder| builder.dpop(Dpop::new()));
        world = world.warmed().await;
        let second = world.auth.mount(ProtectedResource::new(V2)).unwrap();
        let key = DpopKey::generate();
        let token = world.issuer.token(R).claim("aud", vec![R, V2]);
        let token = token.dpop_key(&key).sign();
        let proof = key.proof("POST", R, &token).at(world.clock.now()).sign();
        for path in ["/v2", "/v2/../mcp", "/v2/%2e%2e/mcp"] {
            let request = Request::post(path)
                .header("authorization", format!("DPoP {token}"))
                .header("dpop", &proof);
            let (parts, ()) = request.body(()).unwrap().into_parts();
            let refused = second.authenticate(&parts).await.unwrap_err();
            assert_eq!(refused.reason().code(), "invalid_dpop_proof", "{path}");
        }
    }

    /// Does what `SET name "" NX EXAT until` does.
    struct Exact {
        clock: ManualClock,
        used: Mutex<HashMap<ProofId, UnixTime>>,
    }

    impl ReplayStore for &'static Exact {
        async fn claim(&self, proof: ProofId, until: UnixTime) -> Result<Claim, BackendError> {
            let now = self.clock.now();
            let mut used = self.used.lock().unwrap();
            used.retain(|_, until| *until > now);
            Ok(match used.insert(proof, until) {
                None => Claim::First,
                Some(_) => Claim::Again,
            })
        }
    }

    #[tokio::test]
    async fn dpop_09_a_store_keeps_a_proof_through_its_last_second() {
        let world = World::cold();
        let store: &'static Exact = Box::leak(Box::new(Exact {
            clock: world.clock.clone(),
            used: Mutex::default(),
        }));
        let world = world.rebuilt(|builder| builder.dpop(Dpop::new().replay_store(store)));
        let world = world.warmed().await;
        let key = DpopKey::generate();
        let token = world.token().dpop_key(&key).sign();
        let proof = key.proof("POST", R, &token).at(world.clock.now()).sign();
        let request = || {
            post()
                .header("authorization", format!("DPoP {token}"))
                .header("dpop", &proof)
        };
        world.send(request()).await.assert_let_in();
        world.clock.advance(Duration::from_secs(300));
        for _ in 0..2 {
            assert_eq!(world.send(request()).await.code(), "dpop_replayed");
        }
    }
}

#[cfg(feature = "events")]
mod events {
    use http_body_util::Full;
    use serde_json::json;
    use tower_mcp_auth::events::SecurityEventReceiver;
    use tower_mcp_auth::testing::TokenBuilder;

    use super::*;
    use crate::support::R;

    #[tokio::test]
    async fn r30_every_alias_of_a_subject_is_ended() {
        let world = World::warm().await;
        let receiver = SecurityEventReceiver::new(&world.auth, [Issuer::new(I)]).unwrap();
        let iss_sub = |sub: &str| json!({"format": "iss_sub", "iss": I, "sub": sub});
        let aliases = json!({"format": "aliases", "identifiers": [
            {"format": "email", "email": "a@acme.example"},
            iss_sub("old-name"),
            {"format": "iss_sub", "iss": "https://elsewhere.example", "sub": "bob"},
            iss_sub("alice"),
        ]});
        let uri = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
        let token = world.issuer.token(R).header("typ", "secevent+jwt");
        let token = ["sub", "client_id", "scope", "exp"]
            .into_iter()
            .fold(token, TokenBuilder::without)
            .claim("events", json!({uri: {}}))
            .claim("sub_id", aliases);
        let request = Request::post("/events")
            .header("content-type", "application/secevent+jwt")
            .body(Full::<Bytes>::from(token.sign()));
        let answer = receiver.oneshot(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), 202);
        for (subject, ended) in [("old-name", true), ("alice", true), ("bob", false)] {
            let answer = world.bearer(&world.token().subject(subject).sign()).await;
            let expected = if ended { "revoked" } else { "" };
            assert_eq!(answer.code(), expected, "{subject}");
        }
    }
}
