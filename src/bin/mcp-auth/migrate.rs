//! `migrate`: the schema of the database, and who may use it.

use serde_json::json;
use tower_mcp_auth::backend::{SqlEngine, SqlStore};

use crate::args::{Global, Migrate};
use crate::failure::{Exit, Failure};
use crate::output::Out;
use crate::store::{address, cannot_open};

pub(crate) async fn run(global: &Global, wanted: &Migrate, out: Out) -> Result<Exit, Failure> {
    let builder = SqlStore::builder(address(global)?)
        .any_schema(true)
        .migrate(false);
    let store = builder
        .create(!wanted.check)
        .open()
        .await
        .map_err(cannot_open)?;
    if wanted.check {
        return check(&store, out).await;
    }
    let applied = store.migrate().await?;
    let schema = store.schema().await?;
    grant(&store, wanted, out).await?;
    if out.json {
        let current = schema.is_current();
        out.value(&json!({ "applied": applied, "version": schema.current, "current": current }))?;
    } else {
        for name in &applied {
            out.line(&format!("applied {name}"))?;
        }
        out.line(&schema.to_string())?;
    }
    Ok(if schema.is_current() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

async fn check(store: &SqlStore, out: Out) -> Result<Exit, Failure> {
    let schema = store.schema().await?;
    let current = schema.is_current();
    if out.json {
        out.value(
            &json!({ "version": schema.current, "latest": schema.latest, "current": current }),
        )?;
    } else {
        out.line(&schema.to_string())?;
    }
    Ok(if current { Exit::Done } else { Exit::No })
}

async fn grant(store: &SqlStore, wanted: &Migrate, out: Out) -> Result<(), Failure> {
    if wanted.reader.is_none() && wanted.writer.is_none() {
        return Ok(());
    }
    if store.engine() == SqlEngine::Sqlite {
        let remedy = "leave --reader and --writer out: of an SQLite file, the system says who may read and write it";
        return Err(Failure::usage("SQLite has no roles", remedy));
    }
    if let Some(role) = &wanted.reader {
        store.grant_reader(role).await?;
        out.note(&format!("{role} may serve requests."));
    }
    if let Some(role) = &wanted.writer {
        store.grant_writer(role).await?;
        out.note(&format!(
            "{role} may issue tokens, put policies and revoke."
        ));
    }
    Ok(())
}
