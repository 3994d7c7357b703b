//! One read of the log, from the last entry known to its end.

use std::time::Duration;

use tokio::time::timeout;

use super::{DEADLINE, Reader, TARGET};
use crate::authenticator::news::News;
use crate::error::BackendError;
use crate::revocation::{RevocationEntry, RevocationLog};
use crate::signal::Causes;
use crate::telemetry::{Call, Ended};

/// Entries asked for at a time.
const PAGE: usize = 1000;

impl Reader {
    /// Reads to the end of the log, and says when it began.
    pub(super) async fn read_on(&self) -> Result<Duration, BackendError> {
        let nonsense =
            || BackendError::new("the revocation log answers with what was not asked for");
        let began = self.table.clock.monotonic();
        let mut restarted = false;
        loop {
            let last = self.progress().last.clone();
            let seen = last.as_ref().map_or(0, |(number, _)| *number);
            // With the last entry known: a log that does not have it is not the one it was.
            let read = self.log.read_since(seen.saturating_sub(1), PAGE);
            let read = timeout(DEADLINE, read);
            let meter = self.probe.meter();
            let page = meter
                .timed(Call::ReadLog, read, Ended::in_time)
                .await
                .map_err(|_| BackendError::new("the revocation log did not answer within 2 s"))??;
            if last.is_some() && page.first() != last.as_ref() {
                if restarted {
                    return Err(nonsense());
                }
                restarted = true;
                self.begin_anew(seen);
                continue;
            }
            self.apply(seen, &page)?;
            if page.len() < PAGE {
                self.complete();
                return Ok(began);
            }
            if self.progress().sequence() == seen {
                return Err(nonsense());
            }
        }
    }

    /// What was heard of the log counts for nothing any more; what it revoked stays revoked.
    fn begin_anew(&self, seen: u64) {
        tracing::warn!(
            target: TARGET,
            sequence = seen,
            "the revocation log no longer has the last entry read; reading it from the beginning"
        );
        let mut progress = self.progress();
        progress.last = None;
        progress.is_complete = false;
        drop(progress);
        // At once, for the whole of it may take long to read; and again at its end.
        self.audience.tell_everything();
    }

    /// The end of the log is reached. Before a first read counts, nothing that was cached during it is
    /// left.
    fn complete(&self) {
        if !self.progress().is_complete {
            self.audience.tell_everything();
            self.progress().is_complete = true;
        }
    }

    /// Applies what is new, up to the first gap: what is missing may still come.
    fn apply(&self, seen: u64, page: &[(u64, RevocationEntry)]) -> Result<(), BackendError> {
        let mut last = seen;
        let mut gap = None;
        let new = page.iter().filter(|(number, _)| *number > seen);
        let new: Vec<_> = new
            .take_while(|(number, _)| {
                if last != 0 && *number != last.saturating_add(1) {
                    gap = Some((last, *number));
                    return false;
                }
                last = *number;
                true
            })
            .collect();
        self.heed(&new);
        if let Some(newest) = new.last() {
            self.progress().last = Some((*newest).clone());
        }
        match gap {
            None => Ok(()),
            Some((before, after)) => Err(BackendError::new(format!(
                "the revocation log goes from {before} to {after}: what is between cannot be read"
            ))),
        }
    }

    fn heed(&self, entries: &[&(u64, RevocationEntry)]) {
        let now = self.table.clock.now();
        // What was revoked before this process started is no news.
        let is_news = self.read_at.is_set();
        let mut changed = false;
        let mut news = News::default();
        let mut unknown = None;
        for (number, entry) in entries {
            if let Some(target) = entry.target() {
                let is_added = self.table.add(&target, entry, now);
                changed |= is_added;
                if is_added && is_news {
                    self.table.record(&target, now);
                }
            } else if !news.take(entry) {
                let (first, count) = unknown.unwrap_or(((*number, entry), 0_usize));
                unknown = Some((first, count.saturating_add(1)));
            }
        }
        if let Some(((number, entry), count)) = unknown {
            // One line for a page of them: a newer version may write many.
            let kind = entry.kind.as_str();
            tracing::warn!(target: TARGET, number, kind, count, "unknown revocations were skipped");
        }
        if changed {
            self.table.signal.raise(Causes::REVOCATION, None);
        }
        // Before everything is read, everything will be told to be forgotten.
        if self.progress().is_complete {
            self.audience.tell(&news);
        }
    }
}
