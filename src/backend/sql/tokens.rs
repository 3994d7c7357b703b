//! API tokens.

use std::collections::BTreeMap;

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, Connection, query};

use super::SqlStore;
use super::fields::Fields;
use super::log::append;
use crate::api_token::{ApiTokenStore, StoredToken, TokenId, TokenQuery, TokenRecord, Written};
use crate::clock::UnixTime;
use crate::error::BackendError;
use crate::revocation::{RecordChange, RevocationEntry};

/// Uses written by one statement: three thousand bytes of SQL, far from either database's limits.
const USES: usize = 100;

/// What a token is selected with; one text, so that a column cannot be in one query only.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT t.id, t.kind, t.organization, t.owner, t.email, t.name, t.created_by, t.verifier, ",
            "t.pepper, t.previous_verifier, t.previous_pepper, t.previous_until, t.scopes, t.networks, ",
            "t.tenants, t.created_at, t.expires_at, t.revoked_at, ",
            "CASE WHEN t.owner_active THEN 1 ELSE 0 END AS owner_active, t.version, u.last_used ",
            "FROM mcp_auth_tokens t LEFT JOIN mcp_auth_token_uses u ON u.id = t.id ",
            $rest
        )
    };
}

const FIND: &str = select!("WHERE t.id = $1");

const LIST: &str = select!(
    "WHERE t.organization = $1 AND ($2 IS NULL OR t.owner = $2) AND t.id > $3 ORDER BY t.id LIMIT $4"
);

const INSERT: &str = "INSERT INTO mcp_auth_tokens (id, kind, organization, owner, email, name, created_by, \
    verifier, pepper, previous_verifier, previous_pepper, previous_until, scopes, networks, tenants, \
    created_at, expires_at, revoked_at, owner_active, version) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) \
    ON CONFLICT (id) DO NOTHING";

const UPDATE: &str = "UPDATE mcp_auth_tokens SET kind = $2, organization = $3, owner = $4, email = $5, \
    name = $6, created_by = $7, verifier = $8, pepper = $9, previous_verifier = $10, \
    previous_pepper = $11, previous_until = $12, scopes = $13, networks = $14, tenants = $15, \
    created_at = $16, expires_at = $17, revoked_at = $18, owner_active = $19, version = $20 \
    WHERE id = $1 AND version = $21";

impl ApiTokenStore for SqlStore {
    async fn find(&self, id: &TokenId) -> Result<Option<TokenRecord>, BackendError> {
        let engine = &self.shared.engine;
        let id = id.to_string();
        let work = async {
            let mut lent = engine.lend().await?;
            let row = query(FIND).bind(&id).fetch_optional(&mut *lent).await?;
            lent.done();
            Ok(row.as_ref().map(record).transpose()?)
        };
        engine.call("reading an API token", work).await
    }

    async fn insert(&self, record: &TokenRecord) -> Result<Written, BackendError> {
        let engine = &self.shared.engine;
        let row = Row::new(record)?;
        let work = async {
            let _turn = engine.turn().await;
            let mut lent = engine.lend().await?;
            let done = row.bind(query(INSERT)).execute(&mut *lent).await?;
            lent.done();
            Ok(written(done.rows_affected()))
        };
        engine.call("storing an API token", work).await
    }

    async fn update(&self, record: &TokenRecord) -> Result<Written, BackendError> {
        let engine = &self.shared.engine;
        let Some(before) = record.version().checked_sub(1) else {
            return Ok(Written::Conflict);
        };
        let row = Row::new(record)?;
        let at = self.now();
        let news = RecordChange::ApiToken(record.id().to_string());
        let news = RevocationEntry::changed(&news, UnixTime::from_secs(at));
        let work = async {
            let _turn = engine.turn().await;
            let mut lent = engine.lend().await?;
            let mut transaction = lent.begin().await?;
            let update = row.bind(query(UPDATE)).bind(before);
            let done = update.execute(&mut *transaction).await?;
            let written = written(done.rows_affected());
            if written == Written::Done {
                append(&mut transaction, &news, self.author.as_deref(), at).await?;
                transaction.commit().await?;
            } else {
                transaction.rollback().await?;
            }
            lent.done();
            Ok(written)
        };
        let written = engine.call("changing an API token", work).await?;
        if written == Written::Done {
            self.bell.ring();
        }
        Ok(written)
    }

    async fn list(&self, asked: &TokenQuery) -> Result<Vec<TokenRecord>, BackendError> {
        let engine = &self.shared.engine;
        let after = asked.after.map_or_else(String::new, |id| id.to_string());
        let limit = i64::try_from(asked.limit).unwrap_or(i64::MAX);
        let work = async {
            let mut lent = engine.lend().await?;
            let rows = query(LIST)
                .bind(asked.organization.as_str())
                .bind(asked.owner.as_ref().map(|owner| owner.as_str().to_owned()))
                .bind(&after)
                .bind(limit)
                .fetch_all(&mut *lent)
                .await?;
            lent.done();
            Ok(rows.iter().map(record).collect::<Result<_, _>>()?)
        };
        engine.call("listing API tokens", work).await
    }

    async fn touch(&self, used: &[(TokenId, UnixTime)]) -> Result<(), BackendError> {
        // One statement must not write a row twice.
        let mut latest = BTreeMap::new();
        for (id, at) in used {
            let known = latest.entry(id.to_string()).or_insert(at.as_secs());
            *known = at.as_secs().max(*known);
        }
        let latest: Vec<_> = latest.into_iter().collect();
        for uses in latest.chunks(USES) {
            self.write_uses(uses).await?;
        }
        Ok(())
    }
}

impl SqlStore {
    async fn write_uses(&self, uses: &[(String, i64)]) -> Result<(), BackendError> {
        let engine = &self.shared.engine;
        let text = upsert(uses.len());
        let mut statement = query(&text).persistent(false);
        for (id, at) in uses {
            statement = statement.bind(id).bind(at);
        }
        let work = async {
            let _turn = engine.turn().await;
            let mut lent = engine.lend().await?;
            statement.execute(&mut *lent).await?;
            lent.done();
            Ok(())
        };
        engine.call("noting uses of API tokens", work).await
    }
}

/// Writes so many uses, of the tokens that exist. In the order of ids, so that two of them wait for
/// each other and do not lock each other out.
fn upsert(uses: usize) -> String {
    let rows: Vec<_> = (0..uses)
        .map(|row| format!("(${}, CAST(${} AS BIGINT))", 2 * row + 1, 2 * row + 2))
        .collect();
    format!(
        "WITH used (id, at) AS (VALUES {}) INSERT INTO mcp_auth_token_uses (id, last_used) \
         SELECT t.id, used.at FROM used JOIN mcp_auth_tokens t ON t.id = used.id WHERE true ORDER BY t.id \
         ON CONFLICT (id) DO UPDATE SET last_used = excluded.last_used \
         WHERE excluded.last_used > mcp_auth_token_uses.last_used",
        rows.join(", ")
    )
}

fn written(rows: u64) -> Written {
    if rows == 1 {
        Written::Done
    } else {
        Written::Conflict
    }
}

/// A record as a row is written.
struct Row {
    stored: StoredToken,
    networks: String,
    tenants: String,
}

impl Row {
    fn new(record: &TokenRecord) -> Result<Self, BackendError> {
        let stored = StoredToken::from(record);
        let json = |list: &Vec<String>| {
            serde_json::to_string(list)
                .map_err(|error| BackendError::with_source("writing an API token", error))
        };
        Ok(Self {
            networks: json(&stored.networks)?,
            tenants: json(&stored.tenants)?,
            stored,
        })
    }

    /// Binds `$1` to `$20`.
    fn bind<'q>(
        &'q self,
        query: Query<'q, Any, AnyArguments<'q>>,
    ) -> Query<'q, Any, AnyArguments<'q>> {
        let stored = &self.stored;
        query
            .bind(&stored.id)
            .bind(&stored.kind)
            .bind(&stored.organization)
            .bind(&stored.owner)
            .bind(stored.email.as_deref())
            .bind(&stored.name)
            .bind(&stored.created_by)
            .bind(stored.verifier.as_slice())
            .bind(&stored.pepper)
            .bind(stored.previous_verifier.as_ref().map(<[u8; 32]>::as_slice))
            .bind(stored.previous_pepper.as_deref())
            .bind(stored.previous_until)
            .bind(&stored.scopes)
            .bind(&self.networks)
            .bind(&self.tenants)
            .bind(stored.created_at)
            .bind(stored.expires_at)
            .bind(stored.revoked_at)
            .bind(stored.owner_active)
            .bind(stored.version)
    }
}

fn record(row: &AnyRow) -> Result<TokenRecord, BackendError> {
    let fields = Fields::new(row, "API token", "id");
    let verifier: Vec<u8> = fields.get("verifier")?;
    let previous: Option<Vec<u8>> = fields.get("previous_verifier")?;
    let array = |bytes: Vec<u8>, column| {
        <[u8; 32]>::try_from(bytes).map_err(|_| fields.unusable(column, None))
    };
    let list = |column| {
        let text: String = fields.get(column)?;
        serde_json::from_str(&text).map_err(|_| fields.unusable(column, None))
    };
    StoredToken {
        id: fields.get("id")?,
        kind: fields.get("kind")?,
        organization: fields.get("organization")?,
        owner: fields.get("owner")?,
        email: fields.get("email")?,
        name: fields.get("name")?,
        created_by: fields.get("created_by")?,
        verifier: array(verifier, "verifier")?,
        pepper: fields.get("pepper")?,
        previous_verifier: previous
            .map(|bytes| array(bytes, "previous_verifier"))
            .transpose()?,
        previous_pepper: fields.get("previous_pepper")?,
        previous_until: fields.get("previous_until")?,
        scopes: fields.get("scopes")?,
        networks: list("networks")?,
        tenants: list("tenants")?,
        created_at: fields.get("created_at")?,
        expires_at: fields.get("expires_at")?,
        revoked_at: fields.get("revoked_at")?,
        owner_active: fields.get::<i64>("owner_active")? != 0,
        last_used: fields.get("last_used")?,
        version: fields.get("version")?,
    }
    .try_into()
}
