//! Whether the time of a refusal says which part of a personal API token was right (G12, T27): an id that
//! does not exist, a wrong secret, another's email; in random order, known for a moment (warm) or asked
//! about for the first time (cold).
//!
//! Goal: medians within 2 microseconds of each other. `-- 1000000` asks that often of each kind.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench stops loudly and prints its figures"
)]

mod shared;

use std::time::{Duration, Instant};

use http::HeaderValue;
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_mcp_auth::McpAuthLayer;
use tower_mcp_auth::SigningAlgorithm;
use tower_mcp_auth::api_token::{ApiTokens, MemoryStore, Peppers};

use shared::figures::{self, float, percentile};
use shared::fixture::{EMAIL, Fixture, basic, echo, person, request};
use shared::load::Random;

const KINDS: [&str; 3] = ["absent_id", "wrong_secret", "wrong_email"];

/// Of each kind so many different ones.
const POOL: usize = 2_000;

fn credentials(fixture: &Fixture) -> [Vec<HeaderValue>; 3] {
    let elsewhere = ApiTokens::new(MemoryStore::new(), Peppers::generate().unwrap());
    let absent = || fixture.issue(&elsewhere, person("acme"));
    let wrong = || {
        // After a roll the old text has an id that exists and a secret that is wrong.
        let rolled = fixture.issue(&fixture.tokens, person("acme"));
        let roll = fixture.tokens.roll(rolled.record.id(), Duration::ZERO);
        fixture.runtime.block_on(roll).unwrap();
        rolled
    };
    let other = || fixture.issue(&fixture.tokens, person("acme"));
    let pool = || 0..POOL;
    [
        pool()
            .map(|_| basic(EMAIL, absent().token.expose()))
            .collect(),
        pool()
            .map(|_| basic(EMAIL, wrong().token.expose()))
            .collect(),
        // As long as the right one.
        pool()
            .map(|_| basic("eve@acme.example", other().token.expose()))
            .collect(),
    ]
}

/// Mean and variance of the samples below the limit: what interrupted the others says nothing.
fn moments(nanos: &[u64], limit: u64) -> (f64, f64, f64) {
    let kept = || {
        nanos
            .iter()
            .filter(|nanos| **nanos <= limit)
            .map(|nanos| float(*nanos))
    };
    let count = float(u64::try_from(kept().count()).unwrap());
    let mean = kept().sum::<f64>() / count;
    let spread = kept()
        .map(|nanos| (nanos - mean) * (nanos - mean))
        .sum::<f64>();
    (mean, spread / (count - 1.0), count)
}

/// Welch's t.
fn welch(one: &[u64], other: &[u64], limit: u64) -> f64 {
    let (one, other) = (moments(one, limit), moments(other, limit));
    (one.0 - other.0) / (one.1 / one.2 + other.1 / other.2).sqrt()
}

fn report(
    name: &str,
    nanos: &[Vec<u64>; 3],
    written: &mut serde_json::Map<String, serde_json::Value>,
) {
    let mut sorted = nanos.clone();
    for nanos in &mut sorted {
        nanos.sort_unstable();
    }
    let mut all = sorted.concat();
    all.sort_unstable();
    let (limit, beyond) = (percentile(&all, 990), all.last().copied().unwrap_or(0));
    let medians = sorted.each_ref().map(|nanos| percentile(nanos, 500));
    for (kind, median) in KINDS.iter().zip(medians) {
        println!("{name:5} {kind:14} median {median:6} ns");
    }
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        let pick = |at: usize| nanos.get(at).map(Vec::as_slice).unwrap_or_default();
        let median = |at: usize| medians.get(at).copied().map(float).unwrap_or_default();
        let t = welch(pick(one), pick(other), limit);
        let raw = welch(pick(one), pick(other), beyond);
        let label = [one, other]
            .map(|at| KINDS.get(at).copied().unwrap_or_default())
            .join(" - ");
        let differ = median(one) - median(other);
        println!("{name:5} {label:28} {differ:7.0} ns   t {t:7.2} below p99, {raw:7.2} of all");
        written.insert(
            format!("{name}/{label}"),
            json!({"ns": differ, "t": t, "t_all": raw}),
        );
    }
}

fn main() {
    let asked = std::env::args().find_map(|argument| argument.parse().ok());
    let pairs: usize = asked.unwrap_or(if figures::quick() { 10_000 } else { 100_000 });
    let fixture = Fixture::new(&[SigningAlgorithm::Es256]);
    let auth = fixture.ready(fixture.full());
    let service = McpAuthLayer::new(auth.clone()).layer(service_fn(echo));
    let pools = credentials(&fixture);
    let mut written = serde_json::Map::new();
    println!("{pairs} of each kind");
    for name in ["warm", "cold"] {
        let mut random = Random::new(12);
        let mut nanos: [Vec<u64>; 3] = Default::default();
        let mut round = |keep: bool, nanos: &mut [Vec<u64>; 3]| {
            if name == "cold" {
                auth.handle().flush();
            }
            let mut next = [0; 3];
            let mut left = 3 * POOL;
            while left > 0 {
                let kind = random.below(3);
                let (Some(pool), Some(at), Some(kept)) =
                    (pools.get(kind), next.get_mut(kind), nanos.get_mut(kind))
                else {
                    continue;
                };
                let Some(header) = pool.get(*at) else {
                    continue; // all of this kind were asked
                };
                *at += 1;
                left -= 1;
                let request = request(Some(header));
                let start = Instant::now();
                let answer = fixture.runtime.block_on(service.clone().oneshot(request));
                let took = start.elapsed();
                assert!(
                    answer.is_ok_and(|answer| answer.status() == 401),
                    "all are refused"
                );
                if keep {
                    kept.push(u64::try_from(took.as_nanos()).unwrap());
                }
            }
        };
        round(false, &mut nanos);
        for _ in 0..pairs.div_ceil(POOL) {
            round(true, &mut nanos);
        }
        report(name, &nanos, &mut written);
    }
    figures::write("enumeration", &written.into());
}
