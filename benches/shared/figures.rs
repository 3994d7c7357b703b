//! Figures: what is computed from many, and where they are written for `scripts/bench`.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

/// Whether short runs are wanted: something to see at once, not to quote.
pub(crate) fn quick() -> bool {
    std::env::var_os("BENCH_QUICK").is_some()
}

/// Leaves a bench's figures in `target/bench/`.
pub(crate) fn write(bench: &str, figures: &Value) {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let folder = PathBuf::from(target).join("bench");
    fs::create_dir_all(&folder).unwrap();
    let text = serde_json::to_string_pretty(figures).unwrap();
    fs::write(folder.join(format!("{bench}.json")), text + "\n").unwrap();
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a figure to be printed; what is lost is far below the noise"
)]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}

/// The value in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The value that `per_mille` of a thousand are below; of sorted values.
pub(crate) fn percentile(sorted: &[u64], per_mille: usize) -> u64 {
    let place = sorted.len() * per_mille / 1000;
    let last = sorted.len().saturating_sub(1);
    sorted.get(place.min(last)).copied().unwrap_or(0)
}
