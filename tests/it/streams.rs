//! A response that goes on ends with the credential that opened it (MCP-20, MCP-22).

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use axum::response::sse::{Event, Sse};
use bytes::Bytes;
use futures_util::stream;
use http_body::{Body, Frame};
use http_body_util::{Empty, Full};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};
use tower_mcp_auth::api_token::NewToken;
use tower_mcp_auth::audit::{AuditEvent, AuditOutcome};
use tower_mcp_auth::enrich::EnrichmentMode;
use tower_mcp_auth::middleware::RequestBody;
use tower_mcp_auth::policy::PolicyStore;
use tower_mcp_auth::{McpAuthLayer, OrganizationPolicy};

use crate::server::Loopback;
use crate::streams_support::{EVENTS, GRPC, Open};
use crate::support::{I, post};
use crate::tokens_support::{
    ADA, Faults, Mood, TokenWorld, basic, bearer, from, issue, organization,
};

/// The policy of `acme` as the fixture has it, to be changed.
fn acme() -> OrganizationPolicy {
    OrganizationPolicy::new(organization("acme")).api_tokens(true)
}

async fn put(world: &TokenWorld, policy: OrganizationPolicy) {
    let now = world.policies.inner.load(policy.organization()).await;
    let version = now.unwrap().map_or(0, |now| now.version());
    world.policies.put(policy, version).await.unwrap();
}

/// With a required directory, so that every store is in the way.
async fn everything() -> TokenWorld {
    TokenWorld::with(|builder, directory| {
        builder.enrich(directory.clone(), EnrichmentMode::Required)
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn mcp_20_a_stream_ends_at_exp_plus_leeway() {
    let world = TokenWorld::new().await;
    let token = world.access_token().expires_in(300).sign();
    let mut open = world.events(&format!("Bearer {token}")).await;
    open.assert_passes("data: 1\n\n");
    world.pass(329).await;
    open.assert_open();
    open.assert_passes("data: 2\n\n");
    world.clock.advance(Duration::from_secs(1));
    let said = open.ended().await;
    let expected = serde_json::json!({
        "error": "invalid_token", "reason": "expired", "message": "The access token expired; refresh it or log in again",
    });
    assert_eq!(said, expected);
}

#[tokio::test(start_paused = true)]
async fn mcp_20_the_timer_wakes_a_silent_stream_in_time() {
    let world = TokenWorld::new().await;
    let token = world.access_token().expires_in(100).sign();
    let mut open = world.events(&format!("Bearer {token}")).await;
    let started = Instant::now();
    let clock = world.clock.clone();
    // The manual clock goes with tokio's, which goes by itself when nothing else is to be done.
    let ticking = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            clock.advance(Duration::from_millis(50));
        }
    });
    open.ended_for("expired").await;
    let lasted = started.elapsed();
    ticking.abort();
    let allowed = Duration::from_secs(130);
    assert!(
        (allowed..allowed + Duration::from_millis(400)).contains(&lasted),
        "{lasted:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn mcp_20_a_stream_that_is_never_silent_ends_too() {
    let world = TokenWorld::new().await;
    let token = world.access_token().expires_in(300).sign();
    let mut open = world.open(&format!("Bearer {token}"), EVENTS).await;
    for _ in 0..3 {
        open.assert_passes("data: 1\n\n");
    }
    assert_eq!(world.auth.open_streams(), 0, "no timer, no registration");
    open.feed("data: too late\n\n");
    world.clock.advance(Duration::from_secs(330));
    open.ended_for("expired").await;
}

#[tokio::test(start_paused = true)]
async fn mcp_20_a_clock_that_is_set_is_noticed_within_a_minute() {
    let world = TokenWorld::new().await;
    let token = world.access_token().expires_in(80_000).sign();
    let mut open = world.events(&format!("Bearer {token}")).await;
    let started = Instant::now();
    world.clock.jump_wall(90_000);
    open.ended_for("expired").await;
    assert!(started.elapsed() <= Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn mcp_20_an_api_token_ends_its_stream_without_leeway() {
    let world = TokenWorld::new().await;
    let new = NewToken::personal("acme", "ada", ADA).expires_in(Duration::from_secs(100));
    let token = issue(&world.tokens, new).await;
    let mut open = world.events(&basic(ADA, &token)).await;
    world.clock.advance(Duration::from_secs(99));
    open.assert_open();
    world.clock.advance(Duration::from_secs(1));
    let said = open.ended().await;
    assert_eq!(
        (said["error"].as_str(), said["reason"].as_str()),
        (Some("invalid_credentials"), Some("invalid_api_token"))
    );
}

/// What ends a stream of Alice's, or of Ada's API token, and nobody else's.
#[tokio::test(start_paused = true)]
async fn mcp_20_revocation_ends_it_at_once_and_no_other() {
    for what in [
        "token",
        "principal",
        "organization",
        "issuer",
        "api token",
        "leaked",
        "owner",
    ] {
        let world = TokenWorld::new().await;
        let token = world.access_token().claim("jti", "j-1").sign();
        let alice = format!("Bearer {token}");
        let key = world.context(&alice).await.unwrap().key();
        let gil = world
            .access_token()
            .claim("org_id", "globex")
            .subject("gil");
        let mut alices = world.events(&alice).await;
        let mut adas = world.events(&basic(ADA, &world.acme_user)).await;
        let mut bobs = world.events_of("bob").await;
        let mut gils = world.events(&format!("Bearer {}", gil.sign())).await;
        assert_eq!(world.auth.open_streams(), 4);
        let started = Instant::now();
        let waiting = tokio::spawn(async move {
            // Woken, not polled by chance: nobody else polls these.
            if matches!(what, "api token" | "leaked" | "owner") {
                adas.ended_for("invalid_api_token").await;
                alices.assert_open();
            } else {
                alices.ended_for("revoked").await;
            }
        });
        tokio::task::yield_now().await;
        let handle = world.auth.handle();
        match what {
            "token" => handle.revoke_token(I, "j-1").await.unwrap(),
            "principal" => handle.revoke_principal(&key).await.unwrap(),
            "organization" => handle
                .revoke_organization(&organization("acme"))
                .await
                .unwrap(),
            "issuer" => handle.revoke_issuer(I).await.unwrap(),
            "api token" => drop(world.tokens.revoke(world.acme_user.record.id()).await),
            "leaked" => {
                let text = world.acme_user.token.expose();
                drop(world.tokens.revoke_leaked(text).await);
            }
            _ => {
                let (acme, owner) = (organization("acme"), world.acme_user.record.owner());
                drop(
                    world
                        .tokens
                        .set_owner_active(&acme, owner.subject(), false)
                        .await,
                );
            }
        }
        waiting.await.unwrap();
        assert_eq!(started.elapsed(), Duration::ZERO, "{what}");
        match what {
            "organization" => bobs.ended_for("revoked").await,
            "issuer" => {
                bobs.ended_for("revoked").await;
                gils.ended_for("revoked").await;
                continue;
            }
            _ => bobs.assert_open(),
        }
        gils.assert_open();
        gils.assert_passes("data: 1\n\n");
    }
}

#[tokio::test(start_paused = true)]
async fn mcp_20_a_revocation_while_the_request_is_on_its_way_counts() {
    let world = TokenWorld::new().await;
    let alice = format!("Bearer {}", world.access_token().claim("jti", "j-1").sign());
    let mut open = world.open(&alice, EVENTS).await;
    // Let in, not polled yet: there is nobody to be woken.
    world.auth.handle().revoke_token(I, "j-1").await.unwrap();
    open.feed("data: 1\n\n");
    open.ended_for("revoked").await;
}

#[tokio::test(start_paused = true)]
async fn mcp_20_a_roll_ends_streams_of_the_old_secret_when_it_ends_the_secret() {
    let world = TokenWorld::new().await;
    let id = *world.acme_key.record.id();
    let mut old = world.events(&bearer(&world.acme_key)).await;
    let new = world
        .tokens
        .roll(&id, Duration::from_secs(600))
        .await
        .unwrap();
    let mut late = world.events(&bearer(&world.acme_key)).await;
    let mut renewed = world.events(&bearer(&new)).await;
    world.pass(599).await;
    for open in [&mut old, &mut late, &mut renewed] {
        open.feed("data: 1\n\n");
        assert!(open.next().await.unwrap().is_data());
        open.assert_open();
    }
    world.clock.advance(Duration::from_secs(1));
    old.ended_for("invalid_api_token").await;
    late.ended_for("invalid_api_token").await;
    renewed.assert_open();
    // Leaked: no overlap.
    world.tokens.roll(&id, Duration::ZERO).await.unwrap();
    renewed.ended_for("invalid_api_token").await;
}

#[tokio::test(start_paused = true)]
async fn mcp_20_a_policy_flip_ends_it() {
    let world = TokenWorld::new().await;
    let mut adas = world.events(&basic(ADA, &world.acme_user)).await;
    let mut bobs = world.events_of("bob").await;
    put(&world, acme().contact("it@acme.example")).await;
    adas.feed("data: 1\n\n");
    assert!(adas.next().await.unwrap().is_data());
    adas.assert_open();
    let started = Instant::now();
    put(&world, acme().api_tokens(false)).await;
    let said = adas.ended().await;
    assert_eq!(
        (said["error"].as_str(), said["reason"].as_str()),
        (Some("auth_method_disabled"), Some("method_disabled"))
    );
    assert_eq!(started.elapsed(), Duration::ZERO);
    bobs.feed("data: 1\n\n");
    assert!(bobs.next().await.unwrap().is_data());
    bobs.assert_open();
}

#[tokio::test(start_paused = true)]
async fn mcp_20_a_network_list_binds_streams_by_the_address_they_came_from() {
    let world = TokenWorld::new().await;
    let alice = format!("Bearer {}", world.access_token().sign());
    let request = |address| from(address).header("authorization", &alice);
    let mut inside = world.open_as(request("203.0.113.5"), EVENTS).await;
    let mut outside = world.open_as(request("198.51.100.5"), EVENTS).await;
    inside.assert_open();
    outside.assert_open();
    put(&world, acme().network("203.0.113.0/24")).await;
    outside.ended_for("network_not_allowed").await;
    inside.feed("data: 1\n\n");
    assert!(inside.next().await.unwrap().is_data());
}

#[tokio::test(start_paused = true)]
async fn mcp_20_nothing_passes_while_a_known_change_is_looked_at() {
    let world = TokenWorld::new().await;
    let mut open = world.events_of("alice").await;
    world.policies.faults.set(Mood::Hangs);
    put(&world, acme().contact("it@acme.example")).await;
    open.feed("data: 1\n\n");
    assert_eq!(open.now(), Poll::Pending);
    let started = Instant::now();
    open.ended_for("policy_unavailable").await;
    assert_eq!(
        started.elapsed(),
        Duration::from_secs(2),
        "the deadline of a policy"
    );
}

#[tokio::test(start_paused = true)]
async fn mcp_20_an_outage_of_ours_at_a_change_ends_it() {
    for (mood, fault, reason) in [
        (Mood::Down, 0, "policy_unavailable"),
        (Mood::Panics, 0, "policy_unavailable"),
        (Mood::Down, 1, "store_unavailable"),
        (Mood::Down, 2, "enrichment_unavailable"),
    ] {
        let world = everything().await;
        let stores: [&Faults; 3] = [
            &world.policies.faults,
            &world.store.faults,
            &world.directory.faults,
        ];
        let mut open = world.events(&basic(ADA, &world.acme_user)).await;
        stores[fault].set(mood);
        world.auth.handle().flush();
        let said = open.ended().await;
        assert_eq!(said["reason"], reason);
        assert_eq!(said["error"], "temporarily_unavailable");
        assert!(!said.to_string().contains("db.internal"));
    }
}

#[tokio::test(start_paused = true)]
async fn mcp_20_what_nobody_announces_is_noticed_within_a_minute() {
    let world = everything().await;
    let mut adas = world.events(&basic(ADA, &world.acme_user)).await;
    let mut robots = world.events(&bearer(&world.acme_key)).await;
    *world.directory.deactivated.lock().unwrap() = Some("ada".into());
    world.clock.advance(Duration::from_secs(59));
    adas.assert_open();
    world.clock.advance(Duration::from_secs(1));
    adas.ended_for("account_inactive").await;
    robots.feed("data: 1\n\n");
    assert!(robots.next().await.unwrap().is_data());
    robots.assert_open();
}

#[tokio::test(start_paused = true)]
async fn mcp_20_a_change_reads_each_store_once_for_all_streams() {
    let world = everything().await;
    let mut streams: Vec<Open> = Vec::new();
    for number in 0..200 {
        streams.push(world.events_of(&format!("user-{number}")).await);
    }
    for _ in 0..20 {
        streams.push(world.events(&basic(ADA, &world.acme_user)).await);
    }
    let asked = || {
        [
            &world.policies.faults,
            &world.store.faults,
            &world.directory.faults,
        ]
        .map(Faults::calls)
    };
    let [policies, records, facts] = asked();
    // Nothing of all that is fresh any more, but only the policy is said to have changed.
    world.clock.advance(Duration::from_secs(40));
    put(&world, acme().contact("it@acme.example")).await;
    for open in &mut streams {
        open.feed("data: 1\n\n");
        assert!(open.next().await.unwrap().is_data());
    }
    // Once for all streams, and once for the record of the change.
    assert_eq!(asked(), [policies + 2, records, facts]);
    // Of a token's write only its own streams hear.
    issue(
        &world.tokens,
        NewToken::personal("acme", "bob", "bob@acme.example"),
    )
    .await;
    world
        .tokens
        .revoke(world.globex_key.record.id())
        .await
        .unwrap();
    let [_, records, _] = asked();
    streams.iter_mut().for_each(Open::assert_open);
    // Once for all streams, and once for the record of the change.
    assert_eq!(asked(), [policies + 2, records, facts]);
}

#[tokio::test(start_paused = true)]
async fn mcp_20_the_last_event_stands_by_itself() {
    const LAST: &str = "event: authorization_ended\ndata: {\"error\":\"invalid_token\",\"reason\":\"revoked\",\"message\":\"The access token was revoked; log in again\"}\n\n";
    for (sent, separator) in [
        ("data: 1\n\n", ""),
        ("data: {\"cut", "\n\n"),
        ("data: 1\n", "\n\n"),
    ] {
        let world = TokenWorld::new().await;
        let mut open = world.events_of("alice").await;
        open.assert_passes(sent);
        world.auth.handle().revoke_issuer(I).await.unwrap();
        let last = open.next().await.unwrap().into_data().unwrap();
        assert_eq!(last, format!("{separator}{LAST}"));
    }
}

#[tokio::test(start_paused = true)]
async fn mcp_20_grpc_ends_with_a_status() {
    let world = TokenWorld::new().await;
    let token = world.access_token().expires_in(300).sign();
    let mut expiring = world.open(&format!("Bearer {token}"), GRPC).await;
    let mut adas = world.open(&basic(ADA, &world.acme_user), GRPC).await;
    let mut robots = world.open(&bearer(&world.acme_key), GRPC).await;
    for open in [&mut expiring, &mut adas, &mut robots] {
        open.assert_passes("\0\0\0\0\x01x");
        open.assert_open();
    }
    world.store.faults.set(Mood::Down);
    robots.assert_open();
    world.auth.handle().flush();
    let status = robots.status().await;
    assert_eq!(status["grpc-status"], "14");
    world.store.faults.set(Mood::Well);
    world.clock.advance(Duration::from_secs(330));
    let status = expiring.status().await;
    assert_eq!(status["grpc-status"], "16");
    assert_eq!(
        status["grpc-message"],
        "The access token expired; refresh it or log in again"
    );
    put(&world, acme().api_tokens(true).network("203.0.113.0/24")).await;
    let status = adas.status().await;
    assert_eq!(status["grpc-status"], "7");
    assert!(!status["grpc-message"].is_empty());
}

#[tokio::test(start_paused = true)]
async fn mcp_20_a_grpc_message_under_way_is_finished_if_its_rest_is_at_hand() {
    let world = TokenWorld::new().await;
    let alice = || format!("Bearer {}", world.access_token().sign());
    let mut at_hand = world.open(&alice(), GRPC).await;
    let mut waited_for = world.open(&alice(), GRPC).await;
    for open in [&mut at_hand, &mut waited_for] {
        open.assert_passes("\0\0\0\0\x04ab");
        open.assert_open();
    }
    world.auth.handle().revoke_issuer(I).await.unwrap();
    at_hand.feed("c");
    at_hand.feed("d\0\0\0\0\x01more");
    for expected in ["c", "d"] {
        let data = at_hand.next().await.unwrap().into_data().unwrap();
        assert_eq!(data, expected);
    }
    assert_eq!(at_hand.status().await["grpc-status"], "16");
    assert_eq!(waited_for.status().await["grpc-status"], "16");
}

#[tokio::test(start_paused = true)]
async fn mcp_20_other_bodies_and_a_server_that_opts_out_are_left_alone() {
    let world = TokenWorld::new().await;
    let alice = format!("Bearer {}", world.access_token().expires_in(60).sign());
    let mut json = world.open(&alice, "application/json").await;
    let off = TokenWorld::with(|builder, _| builder.close_streams(false)).await;
    let token = off.access_token().expires_in(60).sign();
    let mut events = off.open(&format!("Bearer {token}"), EVENTS).await;
    for (world, open) in [(&world, &mut json), (&off, &mut events)] {
        open.assert_open();
        assert_eq!(world.auth.open_streams(), 0);
        world.clock.advance(Duration::from_secs(1000));
        world.auth.handle().revoke_issuer(I).await.unwrap();
        open.assert_passes("1");
        open.hang_up();
        assert_eq!(open.now(), Poll::Ready(None));
    }
}

#[tokio::test(start_paused = true)]
async fn mcp_22_frames_and_trailers_pass_as_they_are() {
    let world = TokenWorld::new().await;
    let mut open = world.open(&bearer(&world.acme_key), GRPC).await;
    let message = Bytes::from_static(b"\0\0\0\0\x01x");
    open.feed(message.clone());
    let seen = open.next().await.unwrap().into_data().unwrap();
    assert_eq!(seen.as_ptr(), message.as_ptr(), "not copied");
    open.assert_open();
    assert_eq!(world.auth.open_streams(), 1);
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    open.feed_frame(Frame::trailers(trailers.clone()));
    assert_eq!(
        open.next().await.unwrap().into_trailers().unwrap(),
        trailers
    );
    assert_eq!(world.auth.open_streams(), 0, "nobody watches what is over");
    assert_eq!(open.body.size_hint().exact(), None);
}

#[tokio::test(start_paused = true)]
async fn mcp_20_whoever_goes_away_is_forgotten() {
    let world = TokenWorld::new().await;
    let mut first = world.events_of("alice").await;
    let second = world.events_of("bob").await;
    assert_eq!(world.auth.open_streams(), 2);
    drop(second);
    assert_eq!(world.auth.open_streams(), 1);
    first.hang_up();
    assert_eq!(first.now(), Poll::Ready(None));
    assert_eq!(world.auth.open_streams(), 0);
}

#[tokio::test(start_paused = true)]
async fn edge_08_an_ended_stream_is_on_record() {
    let world = TokenWorld::new().await;
    let request = from("203.0.113.5").header("authorization", basic(ADA, &world.acme_user));
    let mut open = world.open_as(request, EVENTS).await;
    open.assert_open();
    let _before = world.audit.take();
    put(&world, acme().api_tokens(false)).await;
    open.ended_for("method_disabled").await;
    let mut records = world.audit.take();
    records.retain(|record| record.event != AuditEvent::PolicyChanged);
    assert_eq!(records.len(), 1, "{records:?}");
    let record = &records[0];
    assert_eq!(
        (record.event, record.outcome),
        (AuditEvent::StreamEnded, AuditOutcome::Refused)
    );
    assert_eq!(record.event.name(), "stream.ended");
    assert_eq!(record.reason.unwrap().code(), "method_disabled");
    assert_eq!(record.principal.as_ref().unwrap().subject, "ada");
    assert_eq!(record.organization.as_ref().unwrap().as_str(), "acme");
    let id = record.credential.as_ref().unwrap().id.as_ref().unwrap();
    assert_eq!(id.as_str(), world.acme_user.record.id().as_str());
    assert_eq!(record.policy.as_ref().unwrap().version, "2");
    assert_eq!(record.net.unwrap().client, "203.0.113.5".parse().ok());
}

#[tokio::test]
async fn mcp_20_a_body_that_ends_at_once_is_not_leased() {
    let world = TokenWorld::new().await;
    for body in [Full::from("data: 1\n\n"), Full::default()] {
        let (ended, hint) = (body.is_end_stream(), body.size_hint().exact());
        let service = tower::service_fn(move |_: http::Request<RequestBody<Empty<Bytes>>>| {
            let response = http::Response::builder().header("content-type", EVENTS);
            std::future::ready(Ok::<_, Infallible>(response.body(body.clone()).unwrap()))
        });
        let service = McpAuthLayer::new(world.auth.clone()).layer(service);
        let request = post().header("authorization", bearer(&world.acme_key));
        let response = service.oneshot(request.body(Empty::new()).unwrap()).await;
        let body = response.unwrap().into_body();
        // Seals of ids would make it longer.
        let promised = hint.filter(|length| *length == 0);
        assert_eq!(
            (body.is_end_stream(), body.size_hint().exact()),
            (ended, promised)
        );
        assert!(hint.is_some() && !format!("{body:?}").contains("Leased"));
    }
    let open = world.open(&bearer(&world.acme_key), EVENTS).await;
    assert!(format!("{:?}", open.body).contains("Leased"));
}

/// Over a real connection: the last event arrives, and the response ends as a whole one.
#[tokio::test]
async fn mcp_20_a_client_reads_the_last_event() {
    for (http2, expire) in [(false, true), (true, true), (false, false), (true, false)] {
        let world = TokenWorld::new().await;
        let (events, receiver) = tokio::sync::mpsc::unbounded_channel::<&str>();
        let receiver = Arc::new(Mutex::new(Some(receiver)));
        let listen = move || async move {
            let mut receiver = receiver.lock().unwrap().take().unwrap();
            Sse::new(stream::poll_fn(move |cx| {
                let event = receiver.poll_recv(cx);
                event.map(|data| data.map(|data| Ok::<_, Infallible>(Event::default().data(data))))
            }))
        };
        let app = axum::Router::new()
            .route("/mcp", axum::routing::post(listen))
            .layer(McpAuthLayer::new(world.auth.clone()));
        let server = Loopback::serve(app);
        let mut connection = if http2 {
            server.http2().await
        } else {
            server.http1().await
        };
        let token = world.access_token().expires_in(300).sign();
        // HTTP/2 has its authority in the URI.
        let request = http::Request::post("http://mcp.example.com/mcp")
            .header("host", "mcp.example.com")
            .header("authorization", format!("Bearer {token}"));
        let answer = tokio::spawn(async move { connection.send(request).await });
        events.send("one").unwrap();
        while world.auth.open_streams() == 0 {
            tokio::task::yield_now().await;
        }
        let reason = if expire {
            world.clock.advance(Duration::from_secs(330));
            events.send("too late").unwrap();
            "expired"
        } else {
            world.auth.handle().revoke_issuer(I).await.unwrap();
            "revoked"
        };
        let answer = answer.await.unwrap();
        answer.assert_let_in();
        let text = std::str::from_utf8(&answer.body).unwrap();
        let (first, last) = text.split_once("event: authorization_ended\n").unwrap();
        assert_eq!(first, "data: one\n\n");
        assert!(last.contains(&format!("\"reason\":\"{reason}\"")) && last.ends_with("}\n\n"));
        events.closed().await;
        assert_eq!(world.auth.open_streams(), 0);
    }
}
