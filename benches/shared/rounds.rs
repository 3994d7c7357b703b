//! Ratios that a drifting machine does not touch: all rows take turns, round after round.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::json;

use super::figures;
use super::row::Row;

/// How long and how often every row runs.
#[derive(Clone, Copy)]
pub(crate) struct Rounds {
    rounds: usize,
    turn: Duration,
}

/// What became of one row.
struct Seen {
    times: u64,
    /// Nanoseconds, one figure per round.
    nanos: Vec<f64>,
}

impl Rounds {
    /// Short with `BENCH_QUICK` in the environment.
    pub(crate) fn from_env() -> Self {
        // Turns shorter than what a busy machine gives at once, so that most are not interrupted.
        let (rounds, micros) = if figures::quick() {
            (101, 500)
        } else {
            (401, 1_500)
        };
        Self {
            rounds,
            turn: Duration::from_micros(micros),
        }
    }

    /// Measures, prints a table, and leaves the figures for `scripts/bench`.
    pub(crate) fn run(self, bench: &str, mut rows: Vec<Row>) {
        let mut seen: Vec<Seen> = rows.iter_mut().map(|row| self.calibrate(row)).collect();
        for round in 0..self.rounds {
            // Another order each round: no row always follows the same neighbour.
            for turn in 0..rows.len() {
                let place = if round % 2 == 0 {
                    (turn + round) % rows.len()
                } else {
                    (2 * rows.len() - 1 - turn - round % rows.len()) % rows.len()
                };
                let (Some(row), Some(seen)) = (rows.get_mut(place), seen.get_mut(place)) else {
                    continue;
                };
                let took = row.run(seen.times);
                seen.nanos.push(per_turn(took, seen.times));
            }
        }
        report(bench, &rows, &seen);
    }

    /// Finds out how often a row runs in its turn, which also warms it up.
    fn calibrate(self, row: &mut Row) -> Seen {
        let mut times = 1;
        let mut least = |times| (0..3).map(|_| row.run(times)).min().unwrap();
        while least(times) < self.turn {
            times *= 2;
        }
        Seen {
            times,
            nanos: Vec::with_capacity(self.rounds),
        }
    }
}

fn per_turn(took: Duration, times: u64) -> f64 {
    took.as_secs_f64() * 1e9 / figures::float(times)
}

fn report(bench: &str, rows: &[Row], seen: &[Seen]) {
    let by_name: HashMap<&str, &[f64]> = rows
        .iter()
        .zip(seen)
        .map(|(row, seen)| (&*row.name, &*seen.nanos))
        .collect();
    println!(
        "{:34} {:>12} {:>9} {:>11}  of",
        bench, "ns", "ratio", "ns more"
    );
    let mut all = serde_json::Map::new();
    for (row, seen) in rows.iter().zip(seen) {
        let nanos = figures::median(seen.nanos.clone());
        // Both of the same round, so that what slowed one slowed the other.
        let base = by_name.get(&*row.against).unwrap();
        let pairs = || seen.nanos.iter().zip(*base);
        let ratio = figures::median(pairs().map(|(nanos, base)| nanos / base).collect());
        let more = figures::median(pairs().map(|(nanos, base)| nanos - base).collect());
        println!(
            "{:34} {nanos:12.0} {ratio:9.2} {more:11.0}  {}",
            row.name, row.against
        );
        let figures = json!({"ns": nanos, "ratio": ratio, "more_ns": more, "against": row.against});
        all.insert(row.name.clone(), figures);
    }
    figures::write(bench, &all.into());
}
