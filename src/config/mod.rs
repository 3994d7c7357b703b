//! The whole configuration from TOML, YAML, JSON and the environment: every mistake at once, each under the
//! path that you wrote. Feature `config`.
//!
//! ```
//! use tower_mcp_auth::config::Config;
//!
//! # fn main() -> Result<(), tower_mcp_auth::ConfigError> {
//! let config = Config::from_toml(
//!     r#"
//!     [resource]
//!     identifier = "https://mcp.example.com/mcp"
//!
//!     [[issuers]]
//!     identifier = "https://auth.example.com/realms/acme"
//!     profile = "keycloak"
//!
//!     [scopes]
//!     baseline = ["read:issues"]
//!     "#,
//! )?;
//! let auth = config.settings()?.build()?; // or config.build().await, with stores, log and audit opened
//! # let _ = auth;
//! # Ok(())
//! # }
//! ```
//!
//! `docs/configuration.md` has every setting with its type, its default and its bounds, and
//! `docs/config.schema.json` is the same for editors; both are written from the declarations that the reader
//! reads by. `mcp-auth config check FILE` says what is wrong with a file.
//!
//! Only code can give what is code: [`enrich`](crate::authenticator::AuthenticatorBuilder::enrich), foreign
//! tokens, stores and sinks of your own, [`clock`](crate::authenticator::AuthenticatorBuilder::clock) and
//! [`peer_address`](crate::authenticator::AuthenticatorBuilder::peer_address). Call these on the builder that
//! [`Config::open`] returns.

mod changes;
mod environment;
mod examine;
mod kinds;
mod open;
mod page;
mod parse;
mod parts;
mod read;
mod schema;
mod secret;
mod shape;
mod suggest;
mod translate;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path as FilePath;

use serde_json::Value;
use zeroize::Zeroizing;

use crate::error::{ConfigError, Problems};
use crate::policy::MemoryPolicyStore;
use crate::secret::SecretText;
use parse::Document;
use parts::Settings;
use read::{Reader, Setting, Sources};

/// A configuration as it was written. Nothing but its language is checked before
/// [`check`](Self::check), [`settings`](Self::settings), [`open`](Self::open) or [`build`](Self::build).
pub struct Config {
    document: Document,
    sources: Sources,
    /// Mistakes in variables.
    problems: Problems,
    /// Variables that the document names as places of secrets, where an environment was given.
    variables: Option<BTreeMap<String, SecretText>>,
    /// The policies that stand in the document, of every authenticator that was made of it.
    policies: MemoryPolicyStore,
}

impl Config {
    /// Reads TOML.
    ///
    /// # Errors
    ///
    /// Every mistake in the language, by line and column; a name that comes twice; more than 4 MiB.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        parse::toml(text).map(Self::of)
    }

    /// Reads YAML. `yes` and `no` are words, merge keys (`<<`) are not taken, and aliases only as far as they do
    /// not multiply.
    ///
    /// # Errors
    ///
    /// As [`from_toml`](Self::from_toml); the first mistake in the language ends it.
    pub fn from_yaml(text: &str) -> Result<Self, ConfigError> {
        parse::yaml(text).map(Self::of)
    }

    /// Reads JSON.
    ///
    /// # Errors
    ///
    /// As [`from_yaml`](Self::from_yaml).
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        parse::json(text).map(Self::of)
    }

    /// Reads a file; `.toml`, `.yaml`, `.yml` or `.json` says which language. Blocks while it reads.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is no UTF-8 text, or has another extension; and as the reader of its language.
    pub fn from_file(path: impl AsRef<FilePath>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let unusable = |remedy: String| {
            let mut problems = Problems::default();
            problems.add("file", path.display(), remedy);
            problems.or::<Self>(None)
        };
        let extension = path.extension().and_then(|extension| extension.to_str());
        let parse = match extension {
            Some("toml") => Self::from_toml,
            Some("yaml" | "yml") => Self::from_yaml,
            Some("json") => Self::from_json,
            _ => return unusable("name it .toml, .yaml, .yml or .json".into()),
        };
        let most = u64::try_from(parse::LONGEST).unwrap_or(u64::MAX);
        let bytes = match secret::read_bytes(path, most) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(problem) => return unusable(format!("it {problem}")),
        };
        match std::str::from_utf8(&bytes) {
            Ok(text) => parse(text),
            Err(_) => unusable("it is not UTF-8 text".into()),
        }
    }

    /// The file that the variable `MCP_AUTH_CONFIG` names, if it is set, and over it every variable whose name
    /// begins with `MCP_AUTH__`. Blocks while it reads.
    ///
    /// # Errors
    ///
    /// As [`from_file`](Self::from_file).
    pub fn from_environment() -> Result<Self, ConfigError> {
        let file = std::env::var_os("MCP_AUTH_CONFIG").filter(|file| !file.is_empty());
        let config = match file {
            Some(file) => Self::from_file(file)?,
            None => Self::of(Document(Value::Object(serde_json::Map::new()))),
        };
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Ok(config.environment("MCP_AUTH", std::env::vars_os().filter_map(text)))
    }

    /// Variables over the file. `{prefix}__ISSUERS__0__PROFILE` is `issuers[0].profile`: steps are separated by two
    /// underscores, items of lists are counted from 0, and one more than there are is a new one. A list of words
    /// may be written with commas; whatever begins with `[` or `{` is JSON, except in secrets. With `_FILE` at the end the value is
    /// read from the file that it names, without the line end at its end.
    ///
    /// These variables are also those that `{ env = "NAME" }` finds; without this call it is the process's own
    /// environment. What is wrong with a variable is reported with everything else.
    #[must_use]
    pub fn environment(
        mut self,
        prefix: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let shape = Settings::shape();
        let prefix = format!("{prefix}__");
        let mut ours = Vec::new();
        let mut others = BTreeMap::new();
        for (name, value) in variables {
            let value = Zeroizing::new(value);
            match name.strip_prefix(&prefix) {
                Some(steps) => ours.push((steps.to_owned(), value)),
                None => _ = others.insert(name, value),
            }
        }
        ours.sort_by_cached_key(|(steps, _)| environment::order(steps));
        for (steps, value) in ours {
            let name = format!("{prefix}{steps}");
            match environment::overlay(&shape, &mut self.document.0, &steps, &value) {
                Ok(path) => _ = self.sources.insert(path.as_str().to_owned(), name),
                Err(problem) => self.problems.add(shown(&name), "…", problem),
            }
        }
        let mut named = self.variables.take().unwrap_or_default();
        for name in environment::named(&self.document.0) {
            if let Some(value) = others.get(name) {
                named.insert(name.to_owned(), SecretText::new(value));
            }
        }
        self.variables = Some(named);
        self
    }

    /// Looks for mistakes without opening anything. Reads the files that secrets are in.
    ///
    /// # Errors
    ///
    /// Every mistake, also those that [`AuthenticatorBuilder::build`](crate::authenticator::AuthenticatorBuilder::build)
    /// would find, each under the path in the file.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.examined()
    }

    /// The secrets that are given as text, by path: whoever reads the file has them. Those that variables set are not
    /// among them.
    #[must_use]
    pub fn literal_secrets(&self) -> Vec<String> {
        let mut found = Vec::new();
        let root = read::Path::default();
        secret::literal(&Settings::shape(), &self.document.0, &root, &mut found);
        found.retain(|path| !self.sources.contains_key(path));
        found
    }

    /// What a file may say, as a JSON Schema (draft 2020-12): with a description, a default and bounds for
    /// everything.
    #[must_use]
    pub fn json_schema() -> Value {
        schema::schema(&Settings::shape())
    }

    /// The page `docs/configuration.md`.
    #[doc(hidden)]
    #[must_use]
    pub fn page() -> String {
        page::page(&Settings::shape())
    }

    fn of(mut document: Document) -> Self {
        if let Value::Object(members) = &mut document.0 {
            // For editors.
            members.remove("$schema");
        }
        Self {
            document,
            sources: Sources::new(),
            problems: Problems::default(),
            variables: None,
            policies: MemoryPolicyStore::new(),
        }
    }

    /// A variable that holds a secret.
    fn variable(&self, name: &str) -> Option<SecretText> {
        match &self.variables {
            Some(variables) => variables
                .get(name)
                .map(|value| SecretText::new(value.expose())),
            None => std::env::var(name).ok().map(SecretText::of),
        }
    }

    /// Does something with every setting, and reports every problem.
    fn with_reader<T>(
        &self,
        work: impl FnOnce(&Settings, &mut Reader<'_>) -> Option<T>,
    ) -> Result<T, ConfigError> {
        let variables = |name: &str| self.variable(name);
        let mut reader = Reader::new(&self.sources, &variables);
        reader.begin(&self.problems);
        let settings = Settings::read(&self.document.0, &read::Path::default(), &mut reader);
        let done = settings.and_then(|settings| work(&settings, &mut reader));
        reader.end(done)
    }
}

/// A name of a variable, which anybody may have chosen.
fn shown(name: &str) -> String {
    let name: String = name.chars().take(128).collect();
    name.escape_debug().to_string()
}

impl fmt::Debug for Config {
    /// The names of its sections: secrets may stand in any of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sections = self
            .document
            .0
            .as_object()
            .into_iter()
            .flat_map(|table| table.keys());
        f.debug_struct("Config")
            .field("sections", &sections.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
