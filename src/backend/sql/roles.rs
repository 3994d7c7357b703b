//! What roles of a database server may do.

use sqlx::{Connection, query_scalar, raw_sql};

use super::SqlStore;
use super::engine::SqlEngine;
use crate::error::BackendError;

/// The tables, with `role` standing for the quoted role and `schema` for the schema.
const READER: &str = "GRANT USAGE ON SCHEMA {schema} TO {role};
    GRANT SELECT ON mcp_auth_schema, mcp_auth_tokens, mcp_auth_token_uses, mcp_auth_policies,
        mcp_auth_policy_history, mcp_auth_log, mcp_auth_log_sequence TO {role};
    GRANT INSERT, UPDATE ON mcp_auth_token_uses TO {role};";

const WRITER: &str = "GRANT INSERT, UPDATE ON mcp_auth_tokens, mcp_auth_policies TO {role};
    GRANT INSERT ON mcp_auth_policy_history, mcp_auth_log TO {role};
    GRANT UPDATE ON mcp_auth_log_sequence TO {role};";

impl SqlStore {
    /// Lets an existing role of the server do what serving requests takes: read everything, and note
    /// when tokens were used. It cannot change or delete a token, a policy or an entry of the log, so
    /// whoever takes over the request path cannot either. PostgreSQL only; ask as the tables' owner.
    ///
    /// # Errors
    ///
    /// There are no roles in SQLite; the name cannot be a role's; the database did not answer within
    /// 500 ms, knows no such role, or refused.
    pub async fn grant_reader(&self, role: &str) -> Result<(), BackendError> {
        self.grant(role, READER).await
    }

    /// Lets an existing role do what issuing and revoking takes as well: write tokens and policies,
    /// and add to the log. It cannot delete anything. The rest is as [`grant_reader`](Self::grant_reader).
    ///
    /// # Errors
    ///
    /// As [`grant_reader`](Self::grant_reader).
    pub async fn grant_writer(&self, role: &str) -> Result<(), BackendError> {
        self.grant(role, &format!("{READER}{WRITER}")).await
    }

    async fn grant(&self, role: &str, rights: &str) -> Result<(), BackendError> {
        let engine = &self.shared.engine;
        if engine.kind == SqlEngine::Sqlite {
            return Err(BackendError::new(
                "SQLite has no roles: protect the file with the rights of the system",
            ));
        }
        // PostgreSQL takes `public` for everybody, in quotes too.
        let role = quoted(role).filter(|_| role != "public");
        let role = role.ok_or_else(|| {
            BackendError::new(
                "not the name of a role: 1 to 63 bytes, and not `public`, which is everybody",
            )
        })?;
        let work = async {
            let mut lent = engine.lend().await?;
            let mut transaction = lent.begin().await?;
            let schema = query_scalar("SELECT CAST(current_schema() AS TEXT)");
            let schema: String = schema.fetch_one(&mut *transaction).await?;
            let schema = quoted(&schema)
                .ok_or_else(|| BackendError::new("there is no schema that the tables are in"))?;
            let text = rights.replace("{schema}", &schema).replace("{role}", &role);
            raw_sql(&text).execute(&mut *transaction).await?;
            transaction.commit().await?;
            lent.done();
            Ok(())
        };
        engine.call("granting rights to a role", work).await
    }
}

/// An identifier of SQL.
fn quoted(name: &str) -> Option<String> {
    let is_name = (1..=63).contains(&name.len()) && !name.contains('\0');
    is_name.then(|| format!("\"{}\"", name.replace('"', "\"\"")))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_role_is_one_identifier() {
        assert_eq!(quoted("mcp_reader").as_deref(), Some("\"mcp_reader\""));
        assert_eq!(
            quoted("a\"; DROP TABLE x; --").as_deref(),
            Some("\"a\"\"; DROP TABLE x; --\"")
        );
        for wrong in ["", "a\0b", &"a".repeat(64)] {
            assert_eq!(quoted(wrong), None, "{wrong}");
        }
    }
}
