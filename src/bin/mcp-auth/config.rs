//! `config`: what is wrong with a configuration file, and what may stand in one.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;
use tower_mcp_auth::config::Config as File;

use crate::failure::{Exit, Failure, lines};
use crate::output::Out;

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Say everything that is wrong with a configuration file; opens nothing, reads the files of secrets
    Check {
        /// A file .toml, .yaml, .yml or .json
        file: PathBuf,
        /// Put the variables `MCP_AUTH__…` over it, as a server does
        #[arg(long)]
        environment: bool,
    },
    /// Print the JSON Schema of configuration files, for editors
    Schema,
}

pub(crate) fn run(command: &Config, out: Out) -> Result<Exit, Failure> {
    let (file, environment) = match command {
        Config::Check { file, environment } => (file, *environment),
        Config::Schema => {
            out.value(&File::json_schema())?;
            return Ok(Exit::Done);
        }
    };
    let config = File::from_file(file).map(|config| {
        if environment {
            config.environment("MCP_AUTH", variables())
        } else {
            config
        }
    });
    let config = config.and_then(|config| config.check().map(|()| config));
    let config = config.map_err(|error| {
        let what = format!("the configuration {} cannot be used", file.display());
        let remedy = "correct all of these; docs/configuration.md has every setting";
        Failure::problems(what, lines(&error), remedy)
    })?;
    let literal = config.literal_secrets();
    for path in &literal {
        out.note(&format!(
            "{path} stands in the file itself; write {{ file = \"/run/secrets/name\" }} or {{ env = \"NAME\" }}"
        ));
    }
    if out.json {
        out.value(&json!({ "good": true, "literal_secrets": literal }))?;
    } else {
        out.line(&format!("{} is good", file.display()))?;
    }
    Ok(Exit::Done)
}

/// Those that are text.
fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
