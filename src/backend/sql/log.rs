//! The log of revocations and news, and its numbers.

use sqlx::AnyConnection;
use sqlx::any::AnyRow;
use sqlx::{Connection, query, query_scalar};

use super::SqlStore;
use super::fields::Fields;
use crate::error::BackendError;
use crate::revocation::{RevocationEntry, RevocationLog};

const NUMBER: &str =
    "UPDATE mcp_auth_log_sequence SET last = last + 1 WHERE one = 1 RETURNING last";

const INSERT: &str = "INSERT INTO mcp_auth_log \
    (sequence, kind, scope, id, issued_at, revoked_at, expires_at, reason, author, at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

const READ: &str = "SELECT sequence, kind, scope, id, issued_at, revoked_at, expires_at, reason \
    FROM mcp_auth_log WHERE sequence > $1 ORDER BY sequence LIMIT $2";

/// Adds an entry within a transaction, which has the only row of `mcp_auth_log_sequence` to itself from
/// here to its end: so numbers become visible in their order, and one that is rolled back is given
/// again. Change the record first, since others wait from here on.
pub(super) async fn append(
    transaction: &mut AnyConnection,
    entry: &RevocationEntry,
    author: Option<&str>,
    at: i64,
) -> Result<i64, sqlx::Error> {
    let number: i64 = query_scalar(NUMBER).fetch_one(&mut *transaction).await?;
    query(INSERT)
        .bind(number)
        .bind(&entry.kind)
        .bind(&entry.scope)
        .bind(&entry.id)
        .bind(entry.issued_at)
        .bind(entry.revoked_at)
        .bind(entry.expires_at)
        .bind(entry.reason.as_deref())
        .bind(author)
        .bind(at)
        .execute(&mut *transaction)
        .await?;
    Ok(number)
}

impl RevocationLog for SqlStore {
    async fn append(&self, entry: RevocationEntry) -> Result<u64, BackendError> {
        let engine = &self.shared.engine;
        let at = self.now();
        let work = async {
            let _turn = engine.turn().await;
            let mut lent = engine.lend().await?;
            let mut transaction = lent.begin().await?;
            let number = append(&mut transaction, &entry, self.author.as_deref(), at).await?;
            transaction.commit().await?;
            lent.done();
            Ok(number)
        };
        let number = engine.call("adding to the log", work).await?;
        self.bell.ring();
        u64::try_from(number).map_err(|_| BackendError::new("the log counts below zero"))
    }

    async fn read_since(
        &self,
        sequence: u64,
        limit: usize,
    ) -> Result<Vec<(u64, RevocationEntry)>, BackendError> {
        let engine = &self.shared.engine;
        let after = i64::try_from(sequence).unwrap_or(i64::MAX);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let work = async {
            let mut lent = engine.lend().await?;
            let read = query(READ).bind(after).bind(limit);
            let rows = read.fetch_all(&mut *lent).await?;
            lent.done();
            Ok(rows.iter().map(entry).collect::<Result<_, _>>()?)
        };
        engine.call("reading the log", work).await
    }

    async fn hinted(&self) {
        self.bell.received().await;
    }
}

fn entry(row: &AnyRow) -> Result<(u64, RevocationEntry), BackendError> {
    let fields = Fields::new(row, "log entry", "sequence");
    let sequence: i64 = fields.get("sequence")?;
    let sequence = u64::try_from(sequence).map_err(|_| fields.unusable("sequence", None))?;
    let entry = RevocationEntry {
        kind: fields.get("kind")?,
        scope: fields.get("scope")?,
        id: fields.get("id")?,
        issued_at: fields.get("issued_at")?,
        revoked_at: fields.get("revoked_at")?,
        expires_at: fields.get("expires_at")?,
        reason: fields.get("reason")?,
    };
    Ok((sequence, entry))
}
