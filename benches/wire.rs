//! What the layer takes from a server (P5): HTTP/1.1 on loopback, 16 keep-alive connections, each
//! asking again as soon as it has its answer. The server has one thread and the clients another.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

mod shared;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::json;
use tower::{Layer, service_fn};
use tower_mcp_auth::{McpAuthLayer, SigningAlgorithm};

use shared::figures::{self, float, median};
use shared::fixture::{Fixture, bearer};
use shared::wire::{Clients, Sent, answer, on_the_wire, serve};

fn main() {
    let (rounds, time) = if figures::quick() {
        (5, 200)
    } else {
        (25, 500)
    };
    let time = Duration::from_millis(time);
    let fixture = Fixture::new(&[SigningAlgorithm::Rs256]);
    let layer = |builder| McpAuthLayer::new(fixture.ready(builder));
    let bare = serve(service_fn(answer));
    let oauth = serve(layer(fixture.plain()).layer(service_fn(answer)));
    let keys = serve(layer(fixture.full()).layer(service_fn(answer)));
    let token = bearer(fixture.access_token().sign());
    let sent = |header| -> Sent { Arc::new(ArcSwap::from_pointee(on_the_wire(header))) };
    let rows = [
        ("bare", bare, sent(&token)),
        ("warm/RS256", oauth, sent(&token)),
        ("warm/service_key", keys, sent(&fixture.service_key())),
    ];
    let mut clients = rows.map(|(name, address, sent)| {
        let mut clients = Clients::connect(address, &sent);
        clients.load(time);
        (name, clients, Vec::new())
    });
    for _ in 0..rounds {
        for (_, clients, per_second) in &mut clients {
            let requests = u64::try_from(clients.load(time).len()).unwrap_or(0);
            per_second.push(float(requests) / time.as_secs_f64());
        }
    }
    report(&clients.map(|(name, _, per_second)| (name, per_second)));
}

fn report(rows: &[(&str, Vec<f64>)]) {
    let bare = rows.first().map(|(_, per_second)| per_second.clone());
    let bare = bare.unwrap_or_default();
    let mut all = serde_json::Map::new();
    println!("{:34} {:>12} {:>9}", "wire", "requests/s", "of bare");
    for (name, per_second) in rows {
        let kept = per_second.iter().zip(&bare).map(|(with, bare)| with / bare);
        let (kept, median) = (median(kept.collect()), median(per_second.clone()));
        println!("{name:34} {median:12.0} {kept:9.3}");
        all.insert(
            (*name).into(),
            json!({"per_second": median, "of_bare": kept}),
        );
    }
    figures::write("wire", &all.into());
}
