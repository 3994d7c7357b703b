//! What a credential costs that was never seen before, with the keys of its issuer at hand.
//!
//! Read `first_sight/ES256` beside `signature_alone/ES256`: aws-lc-rs with a key parsed before, over
//! the same bytes. Of API tokens the record and the policy are asked of stores in memory.

#![allow(missing_docs, reason = "the macros write functions without docs")]

mod shared;

use criterion::{Criterion, criterion_group, criterion_main};
use tower_mcp_auth::SigningAlgorithm;

use shared::fixture::Fixture;
use shared::row::criterion;
use shared::rows;

fn miss_path(bench: &mut Criterion) {
    let fixture = Fixture::new(&SigningAlgorithm::ALL);
    let mut rows = vec![rows::bare(&fixture)];
    rows.extend(rows::first_sight(&fixture, 1024));
    rows.extend(rows::first_sight_of_api_tokens(&fixture));
    criterion(bench, "miss_path", rows);
}

criterion_group!(benches, miss_path);
criterion_main!(benches);
