//! What came of each vector, held against what is written down.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use wycheproof_ng_core::TestResult;

use super::super::verify::CRYPTO;

/// Every valid vector that is refused, with the reason: set, ids, implementation, sentence.
const REFUSED: &str = include_str!("../../../tests/fixtures/vectors/refused.tsv");

/// The page that says how many there were.
const PAGE: &str = include_str!("../../../docs/assurance.md");

/// Every set that is run, so that no line of the list is about a set that is not.
const SETS: [&str; 24] = [
    "json_web_signature",
    "json_web_key",
    "json_web_crypto",
    "ecdsa_secp256r1_sha256_p1363",
    "ecdsa_secp384r1_sha384_p1363",
    "ed25519",
    "rsa_signature_2048_sha256",
    "rsa_signature_2048_sha384",
    "rsa_signature_2048_sha512",
    "rsa_signature_3072_sha256",
    "rsa_signature_3072_sha384",
    "rsa_signature_3072_sha512",
    "rsa_signature_4096_sha256",
    "rsa_signature_4096_sha384",
    "rsa_signature_4096_sha512",
    "rsa_signature_8192_sha256",
    "rsa_signature_8192_sha384",
    "rsa_signature_8192_sha512",
    "rsa_pss_2048_sha256_mgf1_32",
    "rsa_pss_2048_sha384_mgf1_48",
    "rsa_pss_3072_sha256_mgf1_32",
    "rsa_pss_4096_sha256_mgf1_32",
    "rsa_pss_4096_sha384_mgf1_48",
    "rsa_pss_4096_sha512_mgf1_64",
];

/// What the authors of a vector say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Valid,
    /// Good in other protocols: we refuse it.
    Acceptable,
    Invalid,
}

impl From<TestResult> for Said {
    fn from(result: TestResult) -> Self {
        match result {
            TestResult::Valid => Self::Valid,
            TestResult::Acceptable => Self::Acceptable,
            TestResult::Invalid => Self::Invalid,
        }
    }
}

/// The vectors of one set, and what we made of them.
pub(super) struct Run {
    set: &'static str,
    outcomes: BTreeMap<usize, (Said, Result<(), String>)>,
}

/// One line of the list.
struct Line {
    set: &'static str,
    ids: RangeInclusive<usize>,
    crypto: &'static str,
}

fn lines() -> impl Iterator<Item = Line> {
    let lines = REFUSED.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let cells: Vec<_> = line.split('\t').collect();
        let [set, ids, crypto, reason] = cells[..] else {
            panic!("four cells: {line:?}")
        };
        assert!(SETS.contains(&set), "no such set: {line:?}");
        assert!(
            ["any", "aws-lc-rs", "rust-crypto"].contains(&crypto),
            "{line:?}"
        );
        assert!(reason.len() > 10, "no reason: {line:?}");
        let (first, last) = ids.split_once('-').unwrap_or((ids, ids));
        let ids = first.parse().unwrap()..=last.parse().unwrap();
        assert!(!ids.is_empty(), "{line:?}");
        Line { set, ids, crypto }
    })
}

/// The ids of this set that this implementation is to refuse.
fn listed(set: &str, crypto: &str) -> BTreeSet<usize> {
    let mut ids = BTreeSet::new();
    for line in lines().filter(|line| line.set == set) {
        if ["any", crypto].contains(&line.crypto) {
            for id in line.ids {
                assert!(ids.insert(id), "{set} {id} stands twice");
            }
        }
    }
    ids
}

impl Run {
    pub(super) fn new(set: &'static str) -> Self {
        assert!(SETS.contains(&set), "{set}");
        let outcomes = BTreeMap::new();
        Self { set, outcomes }
    }

    pub(super) fn record(&mut self, id: usize, said: Said, outcome: Result<(), String>) {
        let before = self.outcomes.insert(id, (said, outcome));
        assert!(before.is_none(), "{} {id} stands twice", self.set);
    }

    /// Holds the outcomes against the list, and their number against this one and the page.
    #[track_caller]
    pub(super) fn assert_as_recorded(&self, vectors: usize, invalid: usize) {
        let faults = self.faults();
        assert!(faults.is_empty(), "{}:\n{}", self.set, faults.join("\n"));
        let are_invalid = self
            .outcomes
            .values()
            .filter(|(said, _)| *said == Said::Invalid);
        assert_eq!(
            (self.outcomes.len(), are_invalid.count()),
            (vectors, invalid)
        );
        assert!(invalid > 0 && vectors > invalid, "both kinds are there");
        let refused = |crypto| listed(self.set, crypto).len();
        let row = format!(
            "| {} | {vectors} | {invalid} | 0 | {} | {} |",
            self.set,
            refused("aws-lc-rs"),
            refused("rust-crypto")
        );
        assert!(
            PAGE.lines().any(|line| line == row),
            "not on the page: {row}"
        );
    }

    fn faults(&self) -> Vec<String> {
        let listed = listed(self.set, CRYPTO);
        let mut faults = Vec::new();
        for (id, (said, outcome)) in &self.outcomes {
            let fault = match (said, outcome, listed.contains(id)) {
                (Said::Invalid, Ok(()), _) => "is invalid and accepted".to_owned(),
                (Said::Invalid, Err(_), true) => "is invalid and listed as valid".to_owned(),
                (Said::Acceptable, Ok(()), _) => "is not strictly valid and accepted".to_owned(),
                (Said::Valid, Ok(()), true) => "is listed as refused and accepted".to_owned(),
                (Said::Valid | Said::Acceptable, Err(why), false) => {
                    format!("is refused and not listed: {why}")
                }
                (Said::Invalid, Err(_), false)
                | (Said::Valid, Ok(()), false)
                | (Said::Valid | Said::Acceptable, Err(_), true) => continue,
            };
            faults.push(format!("{id} {fault}"));
        }
        let unknown = listed.iter().filter(|id| !self.outcomes.contains_key(id));
        faults.extend(unknown.map(|id| format!("{id} is listed and does not exist")));
        faults
    }
}

#[test]
fn g01_the_list_is_of_sets_that_are_run_and_the_page_of_nothing_else() {
    assert!(lines().count() > 0);
    for crypto in ["aws-lc-rs", "rust-crypto"] {
        for set in SETS {
            let _ = listed(set, crypto);
        }
    }
    let is_set = |line: &&str| {
        let name = line.split(' ').nth(1).unwrap_or_default();
        ["json_web_", "ecdsa_", "ed25519", "rsa_"]
            .iter()
            .any(|family| name.starts_with(family))
    };
    let rows: Vec<_> = PAGE
        .lines()
        .filter(|line| line.starts_with("| "))
        .filter(is_set)
        .collect();
    assert_eq!(rows.len(), SETS.len());
    let sum = |column| -> usize {
        let cells = rows.iter().filter_map(|row| row.split(" | ").nth(column));
        cells.map(|cell| cell.parse::<usize>().unwrap()).sum()
    };
    assert_eq!((sum(1), sum(2), sum(3), sum(4)), (5094, 3971, 0, 34));
    assert!(PAGE.contains("**0 of 3,971 invalid standard vectors are accepted**"));
}

#[test]
fn g01_every_kind_of_deviation_is_noticed() {
    // Nothing of this set is listed.
    let fault = |said, outcome| {
        let mut run = Run::new("ecdsa_secp256r1_sha256_p1363");
        run.record(1, said, outcome);
        run.faults().pop()
    };
    let refused = || Err("because".to_owned());
    assert!(fault(Said::Invalid, Ok(())).unwrap().contains("invalid"));
    assert!(
        fault(Said::Acceptable, Ok(()))
            .unwrap()
            .contains("strictly")
    );
    assert!(fault(Said::Valid, refused()).unwrap().contains("because"));
    assert!(
        fault(Said::Acceptable, refused())
            .unwrap()
            .contains("because")
    );
    assert_eq!(fault(Said::Valid, Ok(())), None);
    assert_eq!(fault(Said::Invalid, refused()), None);
    // 1 of this set is listed, and more.
    let mut run = Run::new("json_web_signature");
    run.record(1, Said::Valid, Ok(()));
    let faults = run.faults();
    assert!(faults.contains(&"1 is listed as refused and accepted".to_owned()));
    assert!(faults.iter().any(|fault| fault.ends_with("does not exist")));
    let mut run = Run::new("json_web_signature");
    run.record(1, Said::Invalid, refused());
    assert!(
        run.faults()
            .contains(&"1 is invalid and listed as valid".to_owned())
    );
}
