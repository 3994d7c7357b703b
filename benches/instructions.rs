//! One row after the other, for an instruction counter: `scripts/bench --check`.
//!
//! Times drift with the machine, counts do not. Callgrind counts what happens within [`measured`]
//! alone, and starts a new sum after each row; this prints the rows in the same order, with the
//! allocations of one request.
//!
//! Without a counter around it only the allocations are of use. Names given as arguments choose rows.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

mod shared;

use allocation_counter::measure;
use tower_mcp_auth::SigningAlgorithm;

use shared::fixture::Fixture;
use shared::row::Row;
use shared::{rows, tools};

/// So many that what happens once, and what happens to one in a hundred, weighs little.
const TIMES: u64 = 1_000;

#[inline(never)]
fn measured(row: &mut Row) {
    row.run(TIMES);
}

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let fixture = Fixture::new(&[SigningAlgorithm::Rs256, SigningAlgorithm::Es256]);
    let mut rows = vec![rows::bare(&fixture), rows::bare_with_entry(&fixture)];
    rows.extend(rows::warm(&fixture));
    rows.extend(rows::warm_with_more(&fixture));
    rows.extend(rows::first_sight(&fixture, 256));
    rows.extend(rows::refusals(&fixture));
    rows.extend(rows::refused_api_tokens(&fixture));
    rows.extend(tools::tools(&fixture));
    if !wanted.is_empty() {
        rows.retain(|row| wanted.contains(&row.name));
    }
    for row in &mut rows {
        row.run(200);
        // The least of some: now and then a cache tidies up in a reader's time.
        let counts = (0..20).map(|_| {
            measure(|| {
                row.run(1);
            })
            .count_total
        });
        let allocations = counts.min().unwrap_or(0);
        measured(row);
        println!("{} {TIMES} {allocations}", row.name);
    }
}
