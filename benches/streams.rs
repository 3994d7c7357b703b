//! What an open stream costs: memory for as long as it is open, and time for each of its frames.
//!
//! `bytes a stream` is what each of 10,000 silent event streams holds in this crate: beside the
//! `AuthContext` (as long as its token), which a handler often keeps anyway, and with it. `frame/*` is one frame through the layer's body, beside the same body bare.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench stops loudly and prints its figures, and the macros write functions without docs"
)]

mod shared;

use std::convert::Infallible;
use std::future::ready;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::FutureExt;
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use serde_json::json;
use tower::{Layer, Service, service_fn};
use tower_mcp_auth::testing::TestIssuer;
use tower_mcp_auth::{Authenticator, Issuer, McpAuthLayer, ProtectedResource};

use shared::figures;
use shared::fixture::{RESOURCE, bearer, new_runtime, request};

const STREAMS: u64 = 10_000;

/// An event stream: silent, or never.
#[derive(Clone, Copy)]
enum Events {
    Silent,
    Endless,
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match *self {
            Self::Silent => Poll::Pending,
            Self::Endless => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"data: 1\n\n"))))),
        }
    }
}

fn authenticator(issuer: &TestIssuer, close: bool) -> Authenticator {
    let resource = ProtectedResource::new(RESOURCE).issuer(Issuer::new(issuer.url()));
    Authenticator::builder(resource)
        .fetch(issuer.fetch())
        .close_streams(close)
        .build()
        .unwrap()
}

/// A response that goes on.
fn open(
    auth: &Authenticator,
    events: Events,
    header: &HeaderValue,
) -> impl Body<Data = Bytes, Error = Infallible> + Unpin + use<> {
    let service = service_fn(move |_: Request<_>| {
        let response = Response::builder().header("content-type", "text/event-stream");
        ready(Ok::<_, Infallible>(response.body(events).unwrap()))
    });
    let mut service = McpAuthLayer::new(auth.clone()).layer(service);
    let answer = service.call(request(Some(header))).now_or_never();
    answer.unwrap().unwrap().into_body()
}

/// Bytes held for each of many silent streams, beyond the list they stand in, and of each
/// `AuthContext`.
fn held(auth: &Authenticator, header: &HeaderValue) -> [i64; 2] {
    let mut streams = Vec::with_capacity(usize::try_from(STREAMS).unwrap());
    let counted = measure(|| {
        for _ in 0..STREAMS {
            let mut body = open(auth, Events::Silent, header);
            assert!(body.frame().now_or_never().is_none());
            streams.push(body);
        }
    });
    let parts = request(Some(header)).into_parts().0;
    let mut context = None;
    let evidence = measure(|| context = auth.authenticate(&parts).now_or_never());
    assert!(context.is_some_and(|context| context.is_ok()));
    [
        counted.bytes_current / i64::try_from(STREAMS).unwrap(),
        evidence.bytes_current,
    ]
}

fn streams(criterion: &mut Criterion) {
    let runtime = new_runtime();
    let _inside = runtime.enter();
    let issuer = TestIssuer::builder().in_process();
    let [leased, bare] = [true, false].map(|close| authenticator(&issuer, close));
    for auth in [&leased, &bare] {
        runtime
            .block_on(auth.warm_up(Duration::from_secs(5)))
            .unwrap();
    }
    let token = issuer.token(RESOURCE).expires_in(80_000).sign();
    let header = bearer(token);
    let ([with, evidence], [not, _]) = (held(&leased, &header), held(&bare, &header));
    let beside = with - evidence;
    println!("bytes a stream: {beside} leased, {with} with its AuthContext; {not} not leased");
    let mut body = open(&leased, Events::Endless, &header);
    let frames = measure(|| {
        for _ in 0..1_000 {
            assert!(body.frame().now_or_never().is_some());
        }
    });
    println!("allocations of 1,000 frames: {}", frames.count_total);
    let figures = json!({
        "bytes_leased": beside, "bytes_with_context": with, "bytes_not_leased": not,
        "allocations_of_1000_frames": frames.count_total,
    });
    figures::write("streams", &figures);
    for (name, auth) in [("frame/leased", &leased), ("frame/not", &bare)] {
        let mut body = open(auth, Events::Endless, &header);
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| black_box(body.frame().now_or_never().is_some()));
        });
    }
}

criterion_group!(benches, streams);
criterion_main!(benches);
