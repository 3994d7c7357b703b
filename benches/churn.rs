//! What clients notice of changes under load (P7): keys that are fetched again or exchanged, policies
//! that change, tokens that are revoked, each fifty times a second while 16 connections ask.
//!
//! Read every row beside `steady` of the same run.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench stops loudly and prints its figures"
)]

mod shared;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;
use tower::{Layer, service_fn};
use tower_mcp_auth::authenticator::AuthHandle;
use tower_mcp_auth::clock::{Clock, SystemClock};
use tower_mcp_auth::policy::{MemoryPolicyStore, PolicyStore};
use tower_mcp_auth::testing::{ManualClock, TestIssuer};
use tower_mcp_auth::{
    Authenticator, Freshness, Issuer, McpAuthLayer, OrganizationPolicy, ProtectedResource,
    SigningAlgorithm,
};

use shared::figures::{self, float, median, percentile};
use shared::fixture::{RESOURCE, bearer, new_runtime, organization};
use shared::wire::{Clients, Sent, answer, on_the_wire, serve};

/// How often something changes.
const EVERY: Duration = Duration::from_millis(20);

/// Keys are kept for a minute; after this long they are due for a refresh, and still in use.
const UNTIL_DUE: Duration = Duration::from_secs(55);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Steady,
    Refresh,
    Rotation,
    Policy,
    Revocation,
}

const CHANGES: [(&str, Change); 5] = [
    ("steady", Change::Steady),
    ("refresh", Change::Refresh),
    ("rotation", Change::Rotation),
    ("policy", Change::Policy),
    ("revocation", Change::Revocation),
];

/// What is changed while clients ask.
struct Site {
    clock: ManualClock,
    issuer: TestIssuer,
    policies: MemoryPolicyStore,
    handle: AuthHandle,
    sent: Sent,
}

impl Site {
    fn new_token(&self) {
        let token = self.issuer.token(RESOURCE).expires_in(80_000).sign();
        self.sent.store(Arc::new(on_the_wire(&bearer(token))));
    }

    fn change(&self, what: Change, nth: usize) {
        match what {
            Change::Steady => {}
            Change::Refresh => self.clock.advance(UNTIL_DUE),
            Change::Rotation => {
                self.clock.advance(UNTIL_DUE);
                self.issuer.rotate(SigningAlgorithm::Es256);
                // Two stay: what was signed a moment ago is still good.
                let kids = self.issuer.kids();
                let old = kids.len().saturating_sub(2);
                kids.iter()
                    .take(old)
                    .for_each(|kid| self.issuer.withdraw(kid));
                self.new_token();
            }
            Change::Policy => {
                let acme = organization("acme");
                let load = self.policies.load(&acme);
                let policy = new_runtime().block_on(load).unwrap().unwrap();
                let (version, policy) =
                    (policy.version(), policy.api_tokens(nth.is_multiple_of(2)));
                let put = self.policies.put(policy, version);
                assert!(new_runtime().block_on(put).is_ok());
            }
            Change::Revocation => {
                let other = format!("another-{nth}");
                let revoked = self.handle.revoke_token(self.issuer.url(), &other);
                assert!(new_runtime().block_on(revoked).is_ok());
            }
        }
    }

    /// Changes this again and again until told to stop; says how often it did.
    fn keep_changing(&self, what: Change, stop: &AtomicBool) -> usize {
        let mut times = 0;
        while what != Change::Steady && !stop.load(Ordering::Relaxed) {
            self.change(what, times);
            times += 1;
            thread::sleep(EVERY);
        }
        times
    }
}

fn site() -> (Site, Authenticator) {
    let clock = ManualClock::new(SystemClock::new().now());
    let issuer = TestIssuer::builder()
        .claim("org_id", "acme")
        .clock(clock.clone())
        .in_process();
    let policies = MemoryPolicyStore::new()
        .with(OrganizationPolicy::new(organization("acme")))
        .unwrap();
    let trusted = Issuer::new(issuer.url())
        .organization_claim("org_id")
        .freshness(Freshness::default().lifetime(Duration::from_secs(60)));
    let auth = Authenticator::builder(ProtectedResource::new(RESOURCE).issuer(trusted))
        .fetch(issuer.fetch())
        .clock(clock.clone())
        .policies(policies.clone())
        .build()
        .unwrap();
    let site = Site {
        clock,
        issuer,
        policies,
        handle: auth.handle(),
        sent: Sent::default(),
    };
    (site, auth)
}

/// Sorted nanoseconds of all requests while this changes, and how often it did.
fn under(site: &Site, what: Change, clients: &mut Clients, time: Duration) -> (Vec<u64>, usize) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let changing = scope.spawn(|| site.keep_changing(what, &stop));
        let mut nanos = clients.load(time);
        stop.store(true, Ordering::Relaxed);
        nanos.sort_unstable();
        (nanos, changing.join().unwrap())
    })
}

/// What was seen of one kind of change, a figure per round.
#[derive(Default)]
struct Seen {
    changes: usize,
    at: [Vec<f64>; 3],
}

/// p50, p99 and p99.9.
const AT: [(&str, usize); 3] = [("p50", 500), ("p99", 990), ("p99.9", 999)];

fn main() {
    let (rounds, time) = if figures::quick() {
        (3, 300)
    } else {
        (15, 1_000)
    };
    let time = Duration::from_millis(time);
    let (site, auth) = site();
    let address = serve(McpAuthLayer::new(auth).layer(service_fn(answer)));
    site.new_token();
    let mut clients = Clients::connect(address, &site.sent);
    clients.load(time);
    let mut all: [Seen; CHANGES.len()] = Default::default();
    let fetched = site.issuer.hits().jwks;
    for round in 0..rounds {
        for turn in 0..CHANGES.len() {
            // Another order each round: none always follows the same neighbour.
            let place = (turn + round) % CHANGES.len();
            let (Some((_, what)), Some(seen)) = (CHANGES.get(place), all.get_mut(place)) else {
                continue;
            };
            site.new_token();
            clients.load(time / 10); // what the turn before left behind is not this one's
            let (nanos, changes) = under(&site, *what, &mut clients, time);
            seen.changes += changes;
            for ((_, per_mille), figures) in AT.iter().zip(&mut seen.at) {
                figures.push(float(percentile(&nanos, *per_mille)));
            }
        }
    }
    println!("key sets fetched: {}", site.issuer.hits().jwks - fetched);
    report(&all);
}

fn report(all: &[Seen; CHANGES.len()]) {
    let [steady, ..] = all;
    let mut written = serde_json::Map::new();
    println!(
        "{:20} {:>8}  microseconds, and the ratio to steady",
        "churn", "changes"
    );
    for ((name, _), seen) in CHANGES.iter().zip(all) {
        let mut row = json!({"changes": seen.changes});
        print!("{name:20} {:8}", seen.changes);
        for (((at, _), nanos), base) in AT.iter().zip(&seen.at).zip(&steady.at) {
            let ratio = nanos.iter().zip(base).map(|(nanos, base)| nanos / base);
            let (ratio, micros) = (median(ratio.collect()), median(nanos.clone()) / 1e3);
            print!("  {at} {micros:.0} ({ratio:.2})");
            if let Some(row) = row.as_object_mut() {
                row.insert((*at).into(), json!({"us": micros, "ratio": ratio}));
            }
        }
        println!();
        written.insert((*name).into(), row);
    }
    figures::write("churn", &written.into());
}
