//! The Tower contract: readiness, clones, cancellation, errors, composition, panics.

use std::any::type_name_of_val;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{join_all, poll_immediate};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{Empty, Full};
use tower::buffer::BufferLayer;
use tower::limit::ConcurrencyLimitLayer;
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_mcp_auth::clock::{Clock, UnixTime};
use tower_mcp_auth::middleware::RequestBody;
use tower_mcp_auth::testing::{Endpoint, Fault, ManualClock};
use tower_mcp_auth::{AuthenticateLayer, Authenticator, Issuer, McpAuthLayer};
use tower_test::mock;

use crate::support::{Answer, I, NOW, World, described, post};

type Plain = Request<Empty<Bytes>>;
type Inside = Request<RequestBody<Empty<Bytes>>>;

fn good(world: &World) -> Plain {
    let token = format!("Bearer {}", world.token().sign());
    let request = post().header("authorization", token);
    request.body(Empty::new()).unwrap()
}

fn layer(world: &World) -> McpAuthLayer {
    McpAuthLayer::new(world.auth.clone())
}

#[tokio::test]
async fn edge_11_readiness_is_the_inner_services_own() {
    let world = World::warm().await;
    let (inner, mut handle) = mock::pair::<Inside, Response<Full<Bytes>>>();
    let mut service = mock::Spawn::new(layer(&world).layer(inner));
    handle.allow(0);
    assert!(service.poll_ready().is_pending());
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
    let response = service.call(good(&world));
    let (request, reply) = handle.next_request().await.unwrap();
    assert!(!request.headers().contains_key("authorization"));
    reply.send_response(Response::new(Full::from("inner")));
    assert_eq!(Answer::read(response.await.unwrap()).await.body, "inner");
    handle.send_error("inner has failed");
    assert!(matches!(service.poll_ready(), Poll::Ready(Err(_))));
}

#[tokio::test]
async fn edge_11_while_keys_are_fetched_the_readied_service_goes_with_the_request() {
    let world = World::cold();
    let (inner, mut handle) = mock::pair::<Inside, Response<Full<Bytes>>>();
    let mut service = mock::Spawn::new(layer(&world).layer(inner));
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
    let response = service.call(good(&world));
    let reply = async {
        let (_, reply) = handle.next_request().await.unwrap();
        reply.send_response(Response::new(Full::default()));
    };
    // The mock panics when a service is called that was not polled ready itself.
    let (response, ()) = tokio::join!(response, reply);
    assert_eq!(response.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn edge_11_what_stays_behind_must_be_polled_again() {
    let world = World::cold();
    let mut service = world.service();
    let first = service.ready().await.unwrap().call(good(&world));
    // Readiness was given away: a second call without polling is the caller's mistake.
    let warm = World::warm().await;
    let mut unready = layer(&warm).layer(world.probe.clone());
    let mistake = catch_unwind(AssertUnwindSafe(|| drop(unready.call(good(&warm)))));
    assert!(mistake.is_err());
    let second = service.ready().await.unwrap().call(good(&world));
    for response in join_all([first, second]).await {
        assert_eq!(response.unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn edge_11_a_concurrency_limit_inside_counts_waiting_requests() {
    let world = World::cold();
    let inner = ConcurrencyLimitLayer::new(1).layer(world.probe.clone());
    let mut service = mock::Spawn::new(layer(&world).layer(inner));
    assert!(service.poll_ready::<Plain>().is_ready());
    let waiting = service.call(good(&world));
    assert!(
        service.poll_ready::<Plain>().is_pending(),
        "the permit is in use"
    );
    drop(waiting);
    assert!(service.is_woken());
    assert!(
        service.poll_ready::<Plain>().is_ready(),
        "the permit came back"
    );
    let second = service.call(good(&world));
    assert_eq!(second.await.unwrap().status(), StatusCode::OK);
    assert!(service.poll_ready::<Plain>().is_ready());
}

#[tokio::test]
async fn house_2b06_the_inner_service_is_cloned_only_to_wait() {
    for (world, clones) in [(World::warm().await, 0), (World::cold(), 1)] {
        let mut service = world.service();
        let before = world.probe.clones();
        let response = service.ready().await.unwrap().call(good(&world)).await;
        assert_eq!(response.unwrap().status(), StatusCode::OK);
        assert_eq!(world.probe.clones() - before, clones);
        let refused = post().body(Empty::new()).unwrap();
        let response = service.ready().await.unwrap().call(refused).await;
        assert_eq!(response.unwrap().status(), StatusCode::UNAUTHORIZED);
        assert_eq!(
            world.probe.clones() - before,
            clones,
            "a refusal needs none"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn r14_a_dropped_call_changes_nothing_for_the_others() {
    let world = World::cold();
    world
        .issuer
        .fail(Endpoint::Jwks, Fault::Slow(Duration::from_secs(1)));
    let mut calls: Vec<_> = (0..20)
        .map(|_| Box::pin(world.service().oneshot(good(&world))))
        .collect();
    for call in &mut calls {
        assert!(poll_immediate(call.as_mut()).await.is_none());
    }
    drop(calls.drain(..10));
    for response in join_all(calls).await {
        assert_eq!(response.unwrap().status(), StatusCode::OK);
    }
    assert_eq!(world.probe.calls(), 10);
    assert_eq!(
        (world.issuer.hits().metadata, world.issuer.hits().jwks),
        (1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn r14_when_every_caller_goes_the_fetch_still_counts() {
    let world = World::cold();
    world
        .issuer
        .fail(Endpoint::Jwks, Fault::Slow(Duration::from_secs(1)));
    let call = world.service().oneshot(good(&world));
    assert!(poll_immediate(Box::pin(call)).await.is_none());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(world.auth.is_ready());
    let mut service = world.service();
    let call = Box::pin(service.ready().await.unwrap().call(good(&world)));
    assert!(poll_immediate(call).await.is_some(), "decided at once");
    assert_eq!((world.issuer.hits().jwks, world.probe.calls()), (1, 1));
}

#[derive(Debug, PartialEq)]
struct Failed;

/// A body that can be neither cloned nor shared between threads.
struct Odd(#[expect(dead_code, reason = "what matters is its type")] std::cell::Cell<u8>);

impl Body for Odd {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        unreachable!("nobody reads it")
    }
}

#[tokio::test]
async fn edge_11_errors_and_odd_bodies_pass_through() {
    for world in [World::cold(), World::warm().await] {
        let failing = service_fn(|_: Request<RequestBody<Odd>>| async {
            Err::<Response<Full<Bytes>>, _>(Failed)
        });
        let request = good(&world).map(|_| Odd(std::cell::Cell::new(0)));
        let result = layer(&world).layer(failing).oneshot(request).await;
        assert_eq!(result.err(), Some(Failed));
    }
}

#[tokio::test]
async fn edge_11_services_and_futures_go_between_threads() {
    fn check<S>(service: &S)
    where
        S: Service<Plain, Error = Infallible, Future: Send + 'static>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        assert!(type_name_of_val(service).contains("McpAuth"));
    }
    let world = World::cold();
    check(&layer(&world).layer(world.probe.clone()));
    check(&AuthenticateLayer::new(world.auth.clone()).layer(world.probe.clone()));
}

#[tokio::test]
async fn edge_11_composes_with_buffers_boxes_and_builders() {
    for world in [World::cold(), World::warm().await] {
        let boxed: BoxCloneSyncService<Plain, _, Infallible> =
            BoxCloneSyncService::new(layer(&world).layer(world.probe.clone()));
        let stack = ServiceBuilder::new()
            .layer(BufferLayer::new(8))
            .concurrency_limit(2)
            .timeout(Duration::from_secs(60))
            .service(boxed);
        let calls = (0..6).map(|_| stack.clone().oneshot(good(&world)));
        for response in join_all(calls).await {
            assert_eq!(response.unwrap().status(), StatusCode::OK);
        }
        let inner = ServiceBuilder::new()
            .layer(layer(&world))
            .layer(BufferLayer::new(8))
            .concurrency_limit(1)
            .service(world.probe.clone());
        let calls = (0..6).map(|_| inner.clone().oneshot(good(&world)));
        for response in join_all(calls).await {
            assert_eq!(response.unwrap().status(), StatusCode::OK);
        }
        assert_eq!(world.probe.calls(), 12);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn t45_concurrent_callers_are_never_mixed_up() {
    for world in [World::cold(), World::warm().await] {
        let calls = (0..400).map(|n| {
            let subject = format!("user-{}", n % 40);
            let token = format!("Bearer {}", world.token().subject(&subject).sign());
            let request = post().header("authorization", token);
            let request = request.body(Empty::<Bytes>::new()).unwrap();
            let call = layer(&world).layer(world.probe.clone()).oneshot(request);
            tokio::spawn(async move { (subject, Answer::read(call.await.unwrap()).await) })
        });
        for joined in join_all(calls).await {
            let (subject, answer) = joined.unwrap();
            assert_eq!(answer.json()["subject"], subject);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r15_a_panicking_fetch_is_503_and_the_next_attempt_counts() {
    let World {
        issuer,
        clock,
        probe,
        ..
    } = World::cold();
    let (fetch, asked) = (issuer.fetch(), Arc::new(AtomicUsize::new(0)));
    let flaky = service_fn(move |request: Request<Full<Bytes>>| {
        assert_ne!(asked.fetch_add(1, Ordering::SeqCst), 0, "the fetch broke");
        fetch.clone().oneshot(request)
    });
    let auth = Authenticator::builder(described(Issuer::new(I)))
        .clock(clock.clone())
        .fetch(flaky)
        .build()
        .unwrap();
    let world = World {
        issuer,
        clock,
        auth,
        probe,
    };
    let first = Answer::read(world.service().oneshot(good(&world)).await.unwrap()).await;
    assert_eq!(first.status, StatusCode::SERVICE_UNAVAILABLE);
    world.clock.advance(Duration::from_secs(1));
    let next = Answer::read(world.service().oneshot(good(&world)).await.unwrap()).await;
    assert_eq!(next.status, StatusCode::OK, "{:?}", next.rejection);
}

/// Panics on one call, counted from the first; otherwise stands still.
#[derive(Clone, Debug)]
struct Bomb {
    clock: ManualClock,
    breaks_at: usize,
    asked: Arc<AtomicUsize>,
}

impl Bomb {
    fn tick(&self) {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        assert_ne!(asked, self.breaks_at, "the clock broke");
    }
}

impl Clock for Bomb {
    fn now(&self) -> UnixTime {
        self.tick();
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.tick();
        self.clock.monotonic()
    }
}

#[tokio::test(start_paused = true)]
async fn r15_a_panicking_clock_is_500_and_the_next_request_is_normal() {
    let mut broken = 0;
    // The first request asks the clock five times, one of them in the task that fetches.
    for at in 1..=5 {
        let World { issuer, probe, .. } = World::cold();
        let bomb = Bomb {
            clock: ManualClock::at(NOW),
            breaks_at: at,
            asked: Arc::default(),
        };
        let auth = Authenticator::builder(described(Issuer::new(I)))
            .clock(bomb.clone())
            .fetch(issuer.fetch())
            .build()
            .unwrap();
        let world = World {
            issuer,
            clock: bomb.clock.clone(),
            auth,
            probe,
        };
        let first = Answer::read(world.service().oneshot(good(&world)).await.unwrap()).await;
        match first.status.as_u16() {
            500 => {
                broken += 1;
                assert_eq!(first.json()["error"], "server_error");
                assert_eq!(first.challenge(), "");
                assert_eq!(first.code(), "internal");
                assert_eq!(world.probe.calls(), 0);
            }
            status => assert_eq!(status, 200, "at {at}: {:?}", first.rejection),
        }
        assert!(bomb.asked.load(Ordering::SeqCst) >= at, "not broken");
        let next = Answer::read(world.service().oneshot(good(&world)).await.unwrap()).await;
        assert_eq!(next.status, StatusCode::OK, "at {at}: {:?}", next.rejection);
    }
    assert_eq!(broken, 4, "requests that met the broken clock themselves");
}
