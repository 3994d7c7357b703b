//! The command line.

use std::path::PathBuf;

/// What to start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// 0 for any free port, as everywhere.
    pub(crate) port: u16,
    pub(crate) mcp_port: u16,
    pub(crate) issuer_port: u16,
    /// The SQLite file; `None` for the usual place.
    pub(crate) data: Option<PathBuf>,
    /// Where time stands, in seconds since 1970.
    pub(crate) at: Option<i64>,
    /// Whether no calls are made but those of others.
    pub(crate) quiet: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 8010,
            mcp_port: 8011,
            issuer_port: 8012,
            data: None,
            at: None,
            quiet: false,
        }
    }
}

/// What the arguments ask for; nothing to start if it is help.
///
/// # Errors
/// A sentence that says which argument is wrong.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = String>,
) -> Result<Option<Options>, String> {
    let mut options = Options::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (name, inline) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        match name {
            "--help" | "-h" => return Ok(None),
            "--quiet" => options.quiet = true,
            "--port" | "--mcp-port" | "--issuer-port" | "--data" | "--at" => {
                let value = inline.or_else(|| arguments.next());
                let value = value.ok_or_else(|| format!("{name} needs a value"))?;
                set(&mut options, name, &value)?;
            }
            _ => return Err(format!("there is no option {name:?}")),
        }
    }
    Ok(Some(options))
}

fn set(options: &mut Options, name: &str, value: &str) -> Result<(), String> {
    let wrong = |wanted: &str| format!("{name} takes {wanted}, not {value:?}");
    let port = || {
        let port = value.parse();
        port.map_err(|_| wrong("a number from 0 to 65535"))
    };
    match name {
        "--port" => options.port = port()?,
        "--mcp-port" => options.mcp_port = port()?,
        "--issuer-port" => options.issuer_port = port()?,
        "--data" if value.is_empty() => return Err(wrong("a file")),
        "--data" => options.data = Some(value.into()),
        _ => options.at = Some(value.parse().map_err(|_| wrong("seconds since 1970"))?),
    }
    Ok(())
}
