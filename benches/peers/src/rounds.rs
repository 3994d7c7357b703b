//! Rounds: every row for a moment, again and again, so that a drift of the machine meets all alike.

use std::time::Duration;

use crate::Failure;
use crate::rows::Row;

/// How long a run takes.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How often every row has its turn.
    pub rounds: usize,
    /// How long a turn is, about.
    pub turn: Duration,
}

/// What one row took: over all rounds, in nanoseconds for one request.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// The median.
    pub median: f64,
    /// The lower quartile.
    pub low: f64,
    /// The upper quartile.
    pub high: f64,
}

/// Measures all rows; the result is in their order. `between` is called after each round, untimed.
///
/// # Errors
/// If any request was answered otherwise than it should be.
pub fn measure(
    rows: &mut [Row<'_>],
    plan: Plan,
    mut between: impl FnMut(usize),
) -> Result<Vec<Timing>, Failure> {
    let turns = rows.iter_mut().map(|row| calls_in(row, plan.turn));
    let turns = turns.collect::<Result<Vec<_>, _>>()?;
    let mut times = vec![Vec::with_capacity(plan.rounds); rows.len()];
    for round in 0..plan.rounds {
        let turn = |((row, &calls), times): ((&mut Row<'_>, &u64), &mut Vec<f64>)| {
            row.prepare();
            times.push(per_call(row.run(calls)?, calls));
            Ok::<_, Failure>(())
        };
        let mut all = rows.iter_mut().zip(&turns).zip(&mut times);
        // There and back: no row always has the same one before it.
        if round % 2 == 0 {
            all.try_for_each(turn)?;
        } else {
            all.rev().try_for_each(turn)?;
        }
        between(round);
    }
    Ok(times.into_iter().map(summarize).collect())
}

/// How many calls fill a turn, found by doubling.
fn calls_in(row: &mut Row<'_>, turn: Duration) -> Result<u64, Failure> {
    let mut calls = 16;
    loop {
        row.prepare();
        let took = row.run(calls.min(row.most))?;
        if took * 4 >= turn || calls >= row.most {
            let made = u128::from(calls.min(row.most));
            let fitting = turn.as_nanos() * made / took.as_nanos().max(1);
            return Ok(u64::try_from(fitting)?.clamp(1, row.most));
        }
        calls *= 2;
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a turn has far fewer than 2^52 calls"
)]
fn per_call(took: Duration, calls: u64) -> f64 {
    took.as_secs_f64() * 1e9 / calls as f64
}

fn summarize(mut times: Vec<f64>) -> Timing {
    times.sort_by(f64::total_cmp);
    let at = |quarters: usize| times.get(times.len() * quarters / 4).copied();
    let [low, median, high] = [1, 2, 3].map(|quarters| at(quarters).unwrap_or(f64::NAN));
    Timing { median, low, high }
}
