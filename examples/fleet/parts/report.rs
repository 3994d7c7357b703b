//! What a run saw.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::disturb::Disturbed;
use super::ledger::Ledger;

/// Up to when every server obeys, whatever became of the hints (R23).
pub(crate) const BOUND: Duration = Duration::from_secs(5);
/// Up to when ninety-nine of a hundred do, with hints.
pub(crate) const WITH_HINTS: Duration = Duration::from_secs(1);

/// What was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Token,
    User,
    Client,
    PolicyOff,
    PolicyOn,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Token,
        Self::User,
        Self::Client,
        Self::PolicyOff,
        Self::PolicyOn,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Token => "API token revoked",
            Self::User => "person revoked",
            Self::Client => "client revoked",
            Self::PolicyOff => "API tokens switched off",
            Self::PolicyOn => "API tokens switched on",
        }
    }
}

/// How long one server took to obey one change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) kind: Kind,
    pub(crate) took: Duration,
}

#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) with_hints: bool,
    pub(crate) changes: usize,
    pub(crate) samples: Vec<Sample>,
    /// Requests let in later than [`BOUND`] after a change that forbids them.
    pub(crate) after_bound: u64,
    /// Requests let in by a server that had refused the same credential.
    pub(crate) after_refusal: u64,
    /// Servers that did not obey before the watcher gave up.
    pub(crate) never: u64,
    /// Of what was revoked, how much a server let in at the very end.
    pub(crate) at_the_end: u64,
    pub(crate) ledger: Ledger,
    pub(crate) disturbed: Disturbed,
    pub(crate) hints_seen: u64,
    pub(crate) hints_dropped: u64,
    pub(crate) hints_doubled: u64,
    pub(crate) hints_delayed: u64,
    pub(crate) requests: u64,
    pub(crate) unavailable: u64,
    /// Why changes had to be tried again, and how often.
    pub(crate) retried: BTreeMap<String, u64>,
    pub(crate) lasted: Duration,
}

impl Report {
    /// Whether hints are slower than promised, which only a machine with nothing else to do can say.
    pub(crate) fn slow(&self) -> Option<String> {
        let p99 = Latencies::of(&self.samples, None).p99;
        let is_slow = self.with_hints && p99 > WITH_HINTS;
        is_slow.then(|| format!("p99 is {p99:?}, with hints at most {WITH_HINTS:?}"))
    }

    /// What came later than it may with or without hints. Empty is good.
    pub(crate) fn late(&self) -> Vec<String> {
        let most = Latencies::of(&self.samples, None).most;
        let mut late = Vec::new();
        if most > BOUND {
            late.push(format!("the slowest took {most:?}, at most {BOUND:?}"));
        }
        if self.after_bound != 0 {
            late.push(format!(
                "{} requests let in after {BOUND:?}",
                self.after_bound
            ));
        }
        late
    }

    /// What must never be, however busy the machine is. Empty is good.
    pub(crate) fn broken(&self) -> Vec<String> {
        let mut broken = Vec::new();
        if self.samples.is_empty() {
            broken.push("nothing was measured".to_owned());
        }
        for (count, what) in [
            (self.after_refusal, "requests let in after a refusal"),
            (self.never, "changes never obeyed by a server"),
            (self.at_the_end, "revoked credentials let in at the end"),
        ] {
            if count != 0 {
                broken.push(format!("{count} {what}"));
            }
        }
        if let Some(first) = self.ledger.lost.first() {
            broken.push(format!("{} lost, such as {first}", self.ledger.lost.len()));
        }
        broken
    }
}

/// Of some samples.
struct Latencies {
    count: usize,
    p50: Duration,
    p99: Duration,
    most: Duration,
}

impl Latencies {
    fn of(samples: &[Sample], kind: Option<Kind>) -> Self {
        let these = samples
            .iter()
            .filter(|sample| kind.is_none_or(|kind| kind == sample.kind));
        let mut all: Vec<_> = these.map(|sample| sample.took).collect();
        all.sort_unstable();
        // The nearest rank: of 100, the 99th.
        let at = |per_cent: usize| {
            let rank = (all.len() * per_cent).div_ceil(100).saturating_sub(1);
            all.get(rank).copied().unwrap_or_default()
        };
        Self {
            count: all.len(),
            p50: at(50),
            p99: at(99),
            most: at(100),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | samples | p50 ms | p99 ms | max ms |")?;
        writeln!(f, "| --- | ---: | ---: | ---: | ---: |")?;
        let kinds = Kind::ALL.map(Some).into_iter().chain([None]);
        for kind in kinds {
            let these = Latencies::of(&self.samples, kind);
            writeln!(
                f,
                "| {} | {} | {} | {} | {} |",
                kind.map_or("all", Kind::name),
                these.count,
                these.p50.as_millis(),
                these.p99.as_millis(),
                these.most.as_millis()
            )?;
        }
        writeln!(f, "\n| count | |\n| --- | ---: |")?;
        let disturbed = self.disturbed;
        let hints = format!(
            "{} ({} dropped, {} doubled, {} delayed)",
            self.hints_seen, self.hints_dropped, self.hints_doubled, self.hints_delayed
        );
        let ended = format!(
            "{} ({} connections to Postgres, {} to Redis)",
            disturbed.times, disturbed.postgres, disturbed.redis
        );
        let (entries, lost) = (self.ledger.entries, self.ledger.lost.len());
        let rows: [(&str, &dyn fmt::Display); 12] = [
            ("changes", &self.changes),
            ("accepted after 5 s", &self.after_bound),
            ("accepted after a refusal", &self.after_refusal),
            ("never obeyed", &self.never),
            ("revoked, accepted at the end", &self.at_the_end),
            ("lost", &lost),
            ("entries of the log", &entries),
            ("forced reconnects", &ended),
            ("hints that came in", &hints),
            ("requests", &self.requests),
            ("of them 503 or unanswered", &self.unavailable),
            ("changes tried again", &self.retried.values().sum::<u64>()),
        ];
        for (what, count) in rows {
            writeln!(f, "| {what} | {count} |")?;
        }
        writeln!(f, "| seconds | {} |", self.lasted.as_secs())?;
        for (why, times) in &self.retried {
            writeln!(f, "\n{times} times: {why}")?;
        }
        Ok(())
    }
}
