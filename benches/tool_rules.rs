//! What a decision about an operation costs, beside passing the same message through.
//!
//! Read the difference to `*/pass` of the same message: there the credential is judged, and the body
//! is not looked at. `rules_*` reads the body and judges it by as many tool rules, half of them
//! patterns; `headers_10` trusts the mirrored headers.

#![allow(missing_docs, reason = "the macros write functions without docs")]

mod shared;

use criterion::{Criterion, criterion_group, criterion_main};
use tower_mcp_auth::SigningAlgorithm;

use shared::fixture::Fixture;
use shared::row::criterion;
use shared::tools;

fn tool_rules(bench: &mut Criterion) {
    let fixture = Fixture::new(&[SigningAlgorithm::Es256]);
    let rows = tools::tools(&fixture);
    criterion(bench, "tool_rules", rows);
}

criterion_group!(benches, tool_rules);
criterion_main!(benches);
