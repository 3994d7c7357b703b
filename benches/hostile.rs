//! How long it takes to refuse what the hostile test sends (G2): every request of every class that an
//! HTTP server would pass on, in process, each several times; percentiles per class and of all.
//!
//! Goal: 99 of 100 refusals within 200 microseconds.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a bench stops loudly and prints its figures; the classes are those of a test"
)]

#[path = "../tests/it/hostile_requests/classes/mod.rs"]
#[allow(dead_code, reason = "the test uses the rest")]
mod classes;
#[path = "shared/figures.rs"]
#[allow(dead_code, reason = "every bench uses its part of it")]
mod figures;

use std::hint::black_box;
use std::time::Instant;

use serde_json::json;

use classes::CLASSES;
use classes::inner::Inner;
use classes::request::{Hostile, Wire};
use classes::site::Site;
use figures::{float, percentile};

/// Nanoseconds of each refusal of one request.
async fn refusals(site: &Site, hostile: &Hostile, times: usize, inner: &Inner) -> Vec<u64> {
    let Wire::Any(crafted) = &hostile.wire else {
        return Vec::new(); // the HTTP server's to refuse
    };
    let mut nanos = Vec::with_capacity(times);
    for _ in 0..times {
        let Some(request) = crafted.request() else {
            break; // likewise
        };
        let start = Instant::now();
        let response = site.answer(request, crafted, inner).await;
        let took = start.elapsed();
        black_box(response);
        nanos.push(u64::try_from(took.as_nanos()).unwrap());
    }
    nanos
}

fn micros(sorted: &[u64], per_mille: usize) -> f64 {
    float(percentile(sorted, per_mille)) / 1e3
}

fn main() {
    let times = if figures::quick() { 3 } else { 21 };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (mut all, mut requests) = (Vec::new(), 0);
    let mut written = serde_json::Map::new();
    println!(
        "{:8} {:>8} {:>9} {:>9} {:>9}  microseconds",
        "hostile", "requests", "p50", "p99", "p99.9"
    );
    let mut print = |name: &str, count: usize, nanos: &mut Vec<u64>| {
        nanos.sort_unstable();
        let [p50, p99, p999] = [500, 990, 999].map(|at| micros(nanos, at));
        println!("{name:8} {count:8} {p50:9.1} {p99:9.1} {p999:9.1}");
        written.insert(
            name.into(),
            json!({"requests": count, "p50_us": p50, "p99_us": p99, "p99.9_us": p999}),
        );
    };
    runtime.block_on(async {
        let (site, inner) = (Site::new().await, Inner::default());
        for name in CLASSES {
            let (mut nanos, mut count) = (Vec::new(), 0);
            for hostile in classes::requests(&site, name).await {
                let took = refusals(&site, &hostile, times, &inner).await;
                count += usize::from(!took.is_empty());
                nanos.extend(took);
            }
            print(name, count, &mut nanos);
            requests += count;
            all.extend(nanos);
        }
        assert_eq!(inner.calls(), 0, "somebody got in");
    });
    print("all", requests, &mut all);
    figures::write("hostile", &written.into());
}
