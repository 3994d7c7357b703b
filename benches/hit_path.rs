//! What a credential costs that was seen before, beside the bare service.
//!
//! Read the ratios to `bare`: absolute times drift with the machine. `warm/ES256` is a token of that
//! algorithm and nothing configured but its issuer; `warm/with_*` is the first algorithm with more.

#![allow(missing_docs, reason = "the macros write functions without docs")]

mod shared;

use criterion::{Criterion, criterion_group, criterion_main};
use tower_mcp_auth::SigningAlgorithm;

use shared::fixture::Fixture;
use shared::row::criterion;
use shared::rows;

fn hit_path(bench: &mut Criterion) {
    let fixture = Fixture::new(&SigningAlgorithm::ALL);
    let mut rows = vec![rows::bare(&fixture)];
    rows.extend(rows::warm(&fixture));
    rows.extend(rows::warm_with_more(&fixture));
    rows.push(rows::warm_introspected(&fixture));
    criterion(bench, "hit_path", rows);
}

criterion_group!(benches, hit_path);
criterion_main!(benches);
