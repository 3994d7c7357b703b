//! Counts how often a request allocates, row by row; writes JSON to stdout.
//!
//! A program of its own, because counting slows every allocation down: `peers`, which measures time,
//! starts this one.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use allocation_counter::measure;
use peers::rows::Row;
use peers::world::World;
use peers::{Failure, line_up};
use serde_json::json;

/// How often each row is counted; the median counts.
const TIMES: usize = 51;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("allocations: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let only = std::env::args().nth(1);
    let runtime = line_up::runtime()?;
    let world = runtime.block_on(World::start(TIMES + 1))?;
    let mut rows = line_up::rows(&runtime, &world, only.as_deref())?;
    let mut counted = Vec::new();
    for row in &mut rows.rows {
        let allocations = count(row)?;
        counted.push(json!({"layer": row.layer, "row": row.name, "allocations": allocations}));
    }
    writeln!(std::io::stdout(), "{}", json!(counted))?;
    Ok(())
}

fn count(row: &mut Row<'_>) -> Result<u64, Failure> {
    row.prepare();
    row.run(1)?;
    let mut counts = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let mut ran = Ok(Duration::ZERO);
        let counted = measure(|| ran = row.run(1));
        ran?;
        counts.push(counted.count_total);
    }
    counts.sort_unstable();
    counts
        .get(TIMES / 2)
        .copied()
        .ok_or_else(|| "nothing counted".into())
}
