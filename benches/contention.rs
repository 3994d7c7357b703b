//! What becomes of the cost of known tokens with more threads, and with more tokens than fit (P6).
//!
//! `hot/*` is one token for everybody, `zipf/*` 100,000 of which the k-th comes 1/k as often as the
//! first; `bare/*` is the service alone, to see what the machine can do. Besides, for a full cache
//! of the default size: the bytes a token takes, held and as the cache counts them, and how many requests
//! find their token, beside moka with room for as many.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench stops loudly and prints its figures"
)]

mod shared;

use std::convert::Infallible;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use allocation_counter::measure;
use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::Empty;
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_mcp_auth::{Authenticator, McpAuthLayer, SigningAlgorithm};

use shared::figures::{self, float, median};
use shared::fixture::{Fixture, bearer, echo, new_runtime, request};
use shared::load::{Random, Zipf};

const TOKENS: u32 = 100_000;

/// Bytes of verified tokens kept unless told otherwise.
const DEFAULT_LIMIT: u64 = 32 * 1024 * 1024;

/// Which token comes when; the same in every run.
fn trace(seed: u64, length: usize) -> Vec<usize> {
    let (zipf, mut random) = (Zipf::new(TOKENS), Random::new(seed));
    (0..length).map(|_| zipf.next(&mut random)).collect()
}

/// Requests a second of as many threads, each with a runtime and a trace of its own.
fn throughput<S>(service: &S, headers: &[HeaderValue], traces: &[Vec<usize>], time: Duration) -> f64
where
    S: Service<Request<Empty<Bytes>>, Error = Infallible> + Clone + Send,
{
    let start = Barrier::new(traces.len());
    let each = thread::scope(|scope| {
        let threads: Vec<_> = traces
            .iter()
            .map(|trace| {
                let (service, start) = (service.clone(), &start);
                scope.spawn(move || {
                    let runtime = new_runtime();
                    start.wait();
                    runtime.block_on(ask(service, headers, trace, time))
                })
            })
            .collect();
        let rates = threads.into_iter().map(|thread| thread.join().unwrap());
        rates.collect::<Vec<f64>>()
    });
    each.iter().sum()
}

/// Requests a second of one thread.
async fn ask<S>(service: S, headers: &[HeaderValue], trace: &[usize], time: Duration) -> f64
where
    S: Service<Request<Empty<Bytes>>, Error = Infallible> + Clone,
{
    let (start, mut asked) = (Instant::now(), 0);
    for some in trace.chunks(64).cycle() {
        for header in some.iter().filter_map(|place| headers.get(*place)) {
            let answer = service.clone().oneshot(request(Some(header))).await;
            assert!(answer.is_ok());
            asked += 1;
        }
        if start.elapsed() >= time {
            break;
        }
    }
    float(asked) / start.elapsed().as_secs_f64()
}

/// Every row with 1 to N threads, in turns.
fn scaling(fixture: &Fixture, headers: &[HeaderValue]) -> Value {
    let (rounds, time) = if figures::quick() {
        (5, 100)
    } else {
        (21, 300)
    };
    let time = Duration::from_millis(time);
    let most = thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
    let traces: Vec<_> = (1..).take(most).map(|seed| trace(seed, 1 << 20)).collect();
    let hot = vec![vec![0; 64]; most];
    let layer = || McpAuthLayer::new(fixture.ready(fixture.plain()));
    let (one, many) = (
        layer().layer(service_fn(echo)),
        layer().layer(service_fn(echo)),
    );
    let measured = |row: &str, threads: usize| match row {
        "bare" => throughput(&service_fn(echo), headers, &hot[..threads], time),
        "hot" => throughput(&one, headers, &hot[..threads], time),
        _ => throughput(&many, headers, &traces[..threads], time),
    };
    let mut all = serde_json::Map::new();
    println!(
        "{:12} {:>8} {:>14} {:>10}",
        "contention", "threads", "requests/s", "of one"
    );
    for row in ["bare", "hot", "zipf"] {
        measured(row, most); // fills the cache
        let mut seen = vec![Vec::new(); most];
        for _ in 0..rounds {
            for (before, seen) in seen.iter_mut().enumerate() {
                seen.push(measured(row, before + 1));
            }
        }
        for (before, rates) in seen.iter().enumerate() {
            let ratios = rates.iter().zip(&seen[0]).map(|(more, one)| more / one);
            let (rate, ratio) = (median(rates.clone()), median(ratios.collect()));
            println!("{row:12} {:8} {rate:14.0} {ratio:10.2}", before + 1);
            let figures = json!({"per_second": rate, "of_one": ratio});
            all.insert(format!("{row}/{}", before + 1), figures);
        }
    }
    all.into()
}

/// Allocations of one request: a hit makes fewer than a verification.
fn allocations<S>(fixture: &Fixture, service: &S, header: &HeaderValue) -> u64
where
    S: Service<Request<Empty<Bytes>>, Error = Infallible> + Clone,
{
    let ask = || {
        fixture
            .runtime
            .block_on(service.clone().oneshot(request(Some(header))))
    };
    measure(|| assert!(ask().is_ok())).count_total
}

/// Which share of requests finds its token, and what the tokens kept by then take.
fn memory(fixture: &Fixture, headers: &[HeaderValue]) -> Value {
    let mut auth: Option<Authenticator> = None;
    let held = measure(|| {
        let made = fixture.ready(fixture.plain().verified_token_bytes(DEFAULT_LIMIT));
        let service = McpAuthLayer::new(made.clone()).layer(service_fn(echo));
        for header in headers {
            let call = service.clone().oneshot(request(Some(header)));
            assert!(fixture.runtime.block_on(call).is_ok());
        }
        auth = Some(made);
    });
    let auth = auth.unwrap();
    let kept = u64::try_from(auth.verified_tokens()).unwrap();
    let per_token = |bytes: u64| float(bytes) / float(kept);
    let resident = per_token(u64::try_from(held.bytes_current).unwrap());
    let accounted = per_token(DEFAULT_LIMIT);

    let service = McpAuthLayer::new(auth).layer(service_fn(echo));
    let last = headers.last().unwrap();
    let known = allocations(fixture, &service, last);
    let first = allocations(fixture, &service, &bearer(fixture.access_token().sign()));
    let again = allocations(fixture, &service, last);
    let (hit, miss) = (known.min(again), first);
    assert!(hit < miss, "a hit is told by its allocations");
    let moka = moka::sync::Cache::new(kept);
    let (warm, counted) = (200_000, if figures::quick() { 100_000 } else { 1_000_000 });
    let (mut ours, mut theirs) = (0_u64, 0_u64);
    for (nth, place) in trace(7, warm + counted).into_iter().enumerate() {
        let made = allocations(fixture, &service, &headers[place]);
        let found = moka.get(&place).is_some();
        if !found {
            moka.insert(place, ());
        }
        if nth >= warm {
            ours += u64::from(made < hit.midpoint(miss));
            theirs += u64::from(found);
        }
    }
    let share = |hits| float(hits) / float(u64::try_from(counted).unwrap());
    let (ours, theirs) = (share(ours), share(theirs));
    println!(
        "{kept} of {TOKENS} tokens kept; bytes a token: {resident:.0} held, {accounted:.0} counted"
    );
    println!("found: {ours:.3} of requests, moka {theirs:.3}");
    json!({
        "kept": kept, "held_bytes": resident, "counted_bytes": accounted,
        "hit_ratio": ours, "moka_hit_ratio": theirs,
    })
}

fn main() {
    let fixture = Fixture::new(&[SigningAlgorithm::EdDsa]);
    let token = fixture.access_token();
    let headers: Vec<_> = (0..TOKENS).map(|_| bearer(token.sign())).collect();
    let mut all = scaling(&fixture, &headers);
    if let Some(all) = all.as_object_mut() {
        all.insert("memory".into(), memory(&fixture, &headers));
    }
    figures::write("contention", &all);
}
