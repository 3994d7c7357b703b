//! Organizations' policies, and what they were before.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Connection, query, query_scalar};

use super::SqlStore;
use super::engine::Fault;
use super::fields::Fields;
use super::log::append;
use crate::clock::UnixTime;
use crate::error::BackendError;
use crate::ident::OrganizationId;
use crate::policy::{OrganizationPolicy, PolicyChanges, PolicyStore, PutError};
use crate::revocation::{RecordChange, RevocationEntry};

const LOAD: &str =
    "SELECT organization, version, document FROM mcp_auth_policies WHERE organization = $1";

const PAGE: &str = "SELECT organization, version, document FROM mcp_auth_policies \
    WHERE organization > $1 ORDER BY organization LIMIT $2";

const VERSION: &str = "SELECT version FROM mcp_auth_policies WHERE organization = $1";

const INSERT: &str = "INSERT INTO mcp_auth_policies (organization, version, document) \
    VALUES ($1, $2, $3) ON CONFLICT (organization) DO NOTHING";

const UPDATE: &str = "UPDATE mcp_auth_policies SET version = $2, document = $3 \
    WHERE organization = $1 AND version = $4";

const REMEMBER: &str = "INSERT INTO mcp_auth_policy_history (organization, version, document, author, at) \
    VALUES ($1, $2, $3, $4, $5)";

const HISTORY: &str = "SELECT organization, version, document, author, at FROM mcp_auth_policy_history \
    WHERE organization = $1 ORDER BY version DESC LIMIT $2";

/// A policy as it was put once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyRevision {
    /// The policy, with its version.
    pub policy: OrganizationPolicy,
    /// Who put it: [`SqlStore::by`].
    pub author: Option<String>,
    /// When it was put.
    pub at: UnixTime,
}

impl PolicyStore for SqlStore {
    async fn load(
        &self,
        organization: &OrganizationId,
    ) -> Result<Option<OrganizationPolicy>, BackendError> {
        let engine = &self.shared.engine;
        let work = async {
            let mut lent = engine.lend().await?;
            let load = query(LOAD).bind(organization.as_str());
            let row = load.fetch_optional(&mut *lent).await?;
            lent.done();
            Ok(row.as_ref().map(read).transpose()?)
        };
        engine.call("reading a policy", work).await
    }

    async fn put(
        &self,
        policy: OrganizationPolicy,
        expected: u64,
    ) -> Result<OrganizationPolicy, PutError> {
        policy.examine()?;
        let what = "storing a policy";
        let swap = Swap::new(policy, expected, self.now())
            .map_err(|error| BackendError::with_source(what, error))?;
        let engine = &self.shared.engine;
        let work = async {
            let _turn = engine.turn().await;
            let mut lent = engine.lend().await?;
            let swapped = swap.run(&mut lent, self.author.as_deref()).await?;
            lent.done();
            Ok(swapped)
        };
        if let Err(current) = engine.call(what, work).await? {
            return Err(PutError::Conflict { current });
        }
        self.shared.changes.announce(swap.policy.organization());
        self.bell.ring();
        Ok(swap.policy)
    }

    fn changes(&self) -> &PolicyChanges {
        &self.shared.changes
    }
}

impl SqlStore {
    /// What the policy of an organization has been, newest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// The database did not answer within 500 ms, or holds what no policy can be.
    pub async fn policy_history(
        &self,
        organization: &OrganizationId,
        limit: usize,
    ) -> Result<Vec<PolicyRevision>, BackendError> {
        let engine = &self.shared.engine;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let work = async {
            let mut lent = engine.lend().await?;
            let history = query(HISTORY).bind(organization.as_str()).bind(limit);
            let rows = history.fetch_all(&mut *lent).await?;
            lent.done();
            Ok(rows.iter().map(revision).collect::<Result<_, _>>()?)
        };
        engine.call("reading the history of a policy", work).await
    }

    /// The policies in force, in the order of their organizations' bytes: those after `after`, at most
    /// `limit`.
    ///
    /// # Errors
    ///
    /// The database did not answer within 500 ms, or holds what no policy can be.
    pub async fn policies(
        &self,
        after: Option<&OrganizationId>,
        limit: usize,
    ) -> Result<Vec<OrganizationPolicy>, BackendError> {
        let engine = &self.shared.engine;
        let after = after.map_or("", OrganizationId::as_str);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let work = async {
            let mut lent = engine.lend().await?;
            let page = query(PAGE).bind(after).bind(limit);
            let rows = page.fetch_all(&mut *lent).await?;
            lent.done();
            Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
        };
        engine.call("listing policies", work).await
    }
}

/// One compare and swap.
struct Swap {
    policy: OrganizationPolicy,
    document: String,
    /// The version in force, if it can be one.
    expected: Option<i64>,
    at: i64,
}

impl Swap {
    fn new(policy: OrganizationPolicy, expected: u64, at: i64) -> Result<Self, serde_json::Error> {
        let policy = policy.with_version(expected.saturating_add(1));
        let document = serde_json::to_string(&policy)?;
        let expected = i64::try_from(expected).ok();
        Ok(Self {
            policy,
            document,
            expected: expected.filter(|version| *version < i64::MAX),
            at,
        })
    }

    /// Writes the policy, its history and the news, or answers with the version in force.
    async fn run(
        &self,
        connection: &mut AnyConnection,
        author: Option<&str>,
    ) -> Result<Result<(), u64>, Fault> {
        let organization = self.policy.organization().as_str();
        let mut transaction = connection.begin().await?;
        let Some(version) = self.write(&mut transaction).await? else {
            let current = query_scalar(VERSION).bind(organization);
            let current: Option<i64> = current.fetch_optional(&mut *transaction).await?;
            transaction.rollback().await?;
            return Ok(Err(u64::try_from(current.unwrap_or(0)).unwrap_or(0)));
        };
        query(REMEMBER)
            .bind(organization)
            .bind(version)
            .bind(&self.document)
            .bind(author)
            .bind(self.at)
            .execute(&mut *transaction)
            .await?;
        let news = RecordChange::Policy(self.policy.organization().clone());
        let news = RevocationEntry::changed(&news, UnixTime::from_secs(self.at));
        append(&mut transaction, &news, author, self.at).await?;
        transaction.commit().await?;
        Ok(Ok(()))
    }

    /// The new version, if the one expected was in force.
    async fn write(&self, transaction: &mut AnyConnection) -> Result<Option<i64>, sqlx::Error> {
        let Some(expected) = self.expected else {
            return Ok(None);
        };
        let next = expected.saturating_add(1);
        let text = if expected == 0 { INSERT } else { UPDATE };
        let mut write = query(text)
            .bind(self.policy.organization().as_str())
            .bind(next)
            .bind(&self.document);
        if expected != 0 {
            write = write.bind(expected);
        }
        let done = write.execute(transaction).await?;
        Ok((done.rows_affected() == 1).then_some(next))
    }
}

fn revision(row: &AnyRow) -> Result<PolicyRevision, BackendError> {
    let fields = Fields::new(row, "policy of", "organization");
    Ok(PolicyRevision {
        policy: read(row)?,
        author: fields.get("author")?,
        at: UnixTime::from_secs(fields.get("at")?),
    })
}

/// The policy of a row, which is what was put: a restriction that somebody edited away, or into what
/// nobody can read, must not go unseen.
fn read(row: &AnyRow) -> Result<OrganizationPolicy, BackendError> {
    let fields = Fields::new(row, "policy of", "organization");
    let organization: String = fields.get("organization")?;
    let version: i64 = fields.get("version")?;
    let document: String = fields.get("document")?;
    let policy: OrganizationPolicy = serde_json::from_str(&document)
        .map_err(|error| fields.unusable("document", Some(&error.to_string())))?;
    if policy.organization().as_str() != organization {
        return Err(fields.unusable("document", Some("it is another organization's")));
    }
    if i64::try_from(policy.version()) != Ok(version) {
        return Err(fields.unusable("version", Some("the document has another one")));
    }
    policy
        .examine()
        .map_err(|error| fields.unusable("document", Some(&error.to_string())))?;
    Ok(policy)
}
