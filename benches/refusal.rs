//! What a refusal costs: never more than letting in would have.
//!
//! Read the ratios to `bare`, and `refused/bad_signature` beside the first sight of a good token in
//! `miss_path`. The rows of `t27/*` must not differ by more than their noise: whether an id exists, a
//! secret is right or an email belongs to it cannot be told from the time (T27).

#![allow(missing_docs, reason = "the macros write functions without docs")]

mod shared;

use criterion::{Criterion, criterion_group, criterion_main};
use tower_mcp_auth::SigningAlgorithm;

use shared::fixture::Fixture;
use shared::row::criterion;
use shared::rows;

fn refusal(bench: &mut Criterion) {
    let fixture = Fixture::new(&[SigningAlgorithm::Rs256]);
    let mut rows = vec![rows::bare(&fixture)];
    rows.extend(rows::refusals(&fixture));
    rows.extend(rows::refused_api_tokens(&fixture));
    criterion(bench, "refusal", rows);
}

criterion_group!(benches, refusal);
criterion_main!(benches);
