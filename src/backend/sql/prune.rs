//! Taking away what nobody needs any more.

use sqlx::query;

use super::SqlStore;
use crate::clock::UnixTime;
use crate::error::BackendError;
use crate::revocation::KEPT;

/// Rows taken away at once, so that no writer waits for long.
const BATCH: i64 = 1000;

/// From the beginning of the log only, and never its last entry: readers ask for what comes after one
/// they know.
const LOG: &str = "WITH oldest AS (SELECT sequence, at FROM mcp_auth_log ORDER BY sequence LIMIT $2) \
    DELETE FROM mcp_auth_log WHERE sequence <= (SELECT MAX(sequence) FROM oldest) \
    AND sequence < (SELECT MAX(sequence) FROM mcp_auth_log) \
    AND sequence < COALESCE((SELECT MIN(sequence) FROM oldest WHERE at >= $1), 9223372036854775807)";

const REVISIONS: &str = "DELETE FROM mcp_auth_policy_history WHERE (organization, version) IN \
    (SELECT h.organization, h.version FROM mcp_auth_policy_history h \
    JOIN mcp_auth_policies p ON p.organization = h.organization \
    WHERE h.version < p.version AND h.at < $1 LIMIT $2)";

const TOKENS: &str = "DELETE FROM mcp_auth_tokens WHERE id IN \
    (SELECT id FROM mcp_auth_tokens WHERE expires_at < $1 LIMIT $2)";

/// How many rows [`SqlStore::prune`] took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// Entries of the log.
    pub revocations: u64,
    /// Policies that others have replaced.
    pub policy_revisions: u64,
    /// Expired tokens.
    pub tokens: u64,
}

impl SqlStore {
    /// Takes away what is older than [`KEPT`], 367 days: entries of the log from its beginning, never
    /// the last one; policies that were replaced; tokens that expired that long ago. Numbers of the log
    /// go on. A thousand rows at a time, each with the deadline of a call, so it may run beside
    /// requests; once a day is plenty.
    ///
    /// # Errors
    ///
    /// The database did not answer or refused. What was taken away is gone; call it again.
    pub async fn prune(&self, now: UnixTime) -> Result<Pruned, BackendError> {
        let kept = i64::try_from(KEPT.as_secs()).unwrap_or(i64::MAX);
        let before = now.as_secs().saturating_sub(kept);
        Ok(Pruned {
            revocations: self.delete("pruning the log", LOG, before).await?,
            policy_revisions: self.delete("pruning policies", REVISIONS, before).await?,
            tokens: self.delete("pruning API tokens", TOKENS, before).await?,
        })
    }

    async fn delete(&self, what: &str, text: &str, before: i64) -> Result<u64, BackendError> {
        let engine = &self.shared.engine;
        let mut gone = 0;
        loop {
            let work = async {
                let _turn = engine.turn().await;
                let mut lent = engine.lend().await?;
                let delete = query(text).bind(before).bind(BATCH);
                let done = delete.execute(&mut *lent).await?;
                lent.done();
                Ok(done.rows_affected())
            };
            let rows = engine.call(what, work).await?;
            gone += rows;
            if i64::try_from(rows).unwrap_or(i64::MAX) < BATCH {
                return Ok(gone);
            }
        }
    }
}
