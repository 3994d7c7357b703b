//! Tables for people.

use std::fmt::Write as _;

use crate::case::Case;
use crate::layers::{bare, ours};
use crate::raw;
use crate::rounds::Timing;

/// One measured row.
#[derive(Clone, Debug)]
pub struct Result {
    /// Which layer.
    pub layer: &'static str,
    /// Which case.
    pub row: &'static str,
    /// How long a request took.
    pub timing: Timing,
    /// How often a request allocated, if that was counted.
    pub allocations: Option<u64>,
}

/// Every layer's time for every case, in microseconds.
#[must_use]
pub fn times(results: &[Result]) -> String {
    let title = "µs for one request (median over rounds)";
    matrix(title, results, |result| {
        Some(format!("{:.2}", result.timing.median / 1e3))
    })
}

/// How often every layer allocates in every case, the request itself included.
#[must_use]
pub fn allocations(results: &[Result]) -> String {
    let title = "allocations for one request, the request itself included (see `bare`)";
    matrix(title, results, |result| {
        Some(result.allocations?.to_string())
    })
}

fn matrix(title: &str, results: &[Result], cell: impl Fn(&Result) -> Option<String>) -> String {
    let mut text = format!("{title}\n{:29}", "");
    for case in Case::ALL {
        let _ = write!(text, "{:>14}", short(case));
    }
    text.push('\n');
    let mut layers: Vec<_> = results.iter().map(|result| result.layer).collect();
    layers.dedup();
    for layer in layers {
        let _ = write!(text, "{layer:29}");
        for case in Case::ALL {
            let found = find(results, layer, case.name());
            let cell = found.and_then(&cell).unwrap_or_else(|| "-".into());
            let _ = write!(text, "{cell:>14}");
        }
        text.push('\n');
    }
    text
}

fn short(case: Case) -> &'static str {
    match case {
        Case::FirstSight => "first rs256",
        Case::FirstSightEs256 => "first es256",
        Case::FirstSightEdDsa => "first eddsa",
        other => other.name(),
    }
}

fn find<'r>(results: &'r [Result], layer: &str, row: &str) -> Option<&'r Result> {
    let mut all = results.iter();
    all.find(|result| result.layer == layer && result.row == row)
}

/// Ours beside the bare service (N), the raw verification (V) and the fastest peer (P).
#[must_use]
pub fn ratios(results: &[Result]) -> String {
    let Some(bare) = find(results, bare::NAME, Case::Missing.name()) else {
        return String::new();
    };
    let mut text = format!(
        "ours, in parts of N = {:.0} ns (the bare service), V (the signature alone), P (the fastest peer)\n\
         {:29}{:>10}{:>10}{:>10}{:>14}  fastest peer\n",
        bare.timing.median, "", "µs", "of N", "of V", "P of ours"
    );
    for layer in [ours::NAME, ours::WITHOUT_CACHE] {
        for case in Case::ALL {
            if let Some(result) = find(results, layer, case.name()) {
                line(&mut text, results, (result, bare), case);
            }
        }
    }
    text
}

fn line(text: &mut String, results: &[Result], (ours, bare): (&Result, &Result), case: Case) {
    let time = ours.timing.median;
    let name = format!("{} {}", ours.layer, short(case));
    let _ = write!(
        text,
        "{name:29}{:>10.2}{:>10.2}",
        time / 1e3,
        time / bare.timing.median
    );
    let verify = verification(case).and_then(|row| find(results, raw::NAME, row));
    match verify {
        Some(verify) => drop(write!(text, "{:>10.3}", time / verify.timing.median)),
        None => text.push_str("         -"),
    }
    if let Some(peer) = fastest_peer(results, case) {
        let factor = peer.timing.median / time;
        let _ = write!(
            text,
            "{factor:>14.2}  {} ({:.2} µs)",
            peer.layer,
            peer.timing.median / 1e3
        );
    }
    text.push('\n');
}

/// The row of the raw verification a case contains.
fn verification(case: Case) -> Option<&'static str> {
    match case {
        Case::Rs256 | Case::FirstSight | Case::BadSignature => Some("rs256"),
        Case::Es256 | Case::FirstSightEs256 => Some("es256"),
        Case::EdDsa | Case::FirstSightEdDsa => Some("eddsa"),
        Case::Missing | Case::Garbage | Case::Expired | Case::UnknownKid => None,
    }
}

/// To a peer, which remembers nothing, every sight is the first.
fn fastest_peer(results: &[Result], case: Case) -> Option<&Result> {
    let row = match case {
        Case::FirstSightEs256 => Case::Es256,
        Case::FirstSightEdDsa => Case::EdDsa,
        other => other,
    };
    let not_peers = [bare::NAME, raw::NAME, ours::NAME, ours::WITHOUT_CACHE];
    let peers = results
        .iter()
        .filter(|result| !not_peers.contains(&result.layer));
    peers
        .filter(|result| result.row == row.name())
        .min_by(|a, b| a.timing.median.total_cmp(&b.timing.median))
}
