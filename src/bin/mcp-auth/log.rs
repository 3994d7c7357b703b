//! `log`: what was revoked and changed, in order.

use std::time::Duration;

use serde_json::json;
use tower_mcp_auth::clock::UnixTime;
use tower_mcp_auth::revocation::{RevocationEntry, RevocationLog};

use crate::args::{Global, Log};
use crate::failure::{Exit, Failure};
use crate::output::Out;
use crate::table::Table;
use crate::{store, times};

/// How many entries are asked for at once.
const PAGE: usize = 500;

/// Hints may get lost, so it is read again without one.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) async fn run(global: &Global, wanted: &Log, out: Out) -> Result<Exit, Failure> {
    let store = store::open(global).await?;
    let mut last = wanted.since;
    let mut table = Table::new(["number", "at", "kind", "scope", "id", "reason"]);
    loop {
        let page = store.read_since(last, PAGE).await?;
        let whole = page.len() == PAGE;
        last = page.last().map_or(last, |(sequence, _)| *sequence);
        for (sequence, entry) in page {
            if out.json {
                out.value_line(&json!({ "sequence": sequence, "entry": entry }))?;
            } else {
                table.row(cells(sequence, entry));
            }
        }
        if !out.json {
            out.lines(&table.take())?;
        }
        if whole {
            continue;
        }
        if !wanted.follow {
            return Ok(Exit::Done);
        }
        // Either way it is read again.
        let _ = tokio::time::timeout(PATIENCE, store.hinted()).await;
    }
}

fn cells(sequence: u64, entry: RevocationEntry) -> [String; 6] {
    [
        sequence.to_string(),
        times::both(UnixTime::from_secs(entry.revoked_at)),
        entry.kind,
        entry.scope,
        entry.id,
        entry.reason.unwrap_or_default(),
    ]
}
