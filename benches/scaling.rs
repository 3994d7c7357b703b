//! Whether a request costs more where more is configured: issuers, organizations. It must not.
//!
//! The same request is sent every time; what differs is what else the server knows. For tool rules
//! see `rules_10` and `rules_2000` of `tool_rules`.

#![allow(missing_docs, reason = "the macros write functions without docs")]

mod shared;

use criterion::{Criterion, criterion_group, criterion_main};
use tower_mcp_auth::SigningAlgorithm;

use shared::fixture::Fixture;
use shared::row::criterion;
use shared::rows;

fn scaling(bench: &mut Criterion) {
    let fixture = Fixture::new(&[SigningAlgorithm::Rs256]);
    let rows = rows::scaling(&fixture);
    criterion(bench, "scaling", rows);
}

criterion_group!(benches, scaling);
criterion_main!(benches);
