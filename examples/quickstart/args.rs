//! The command line.

use std::path::PathBuf;

use tower_mcp_auth::testing::Consent;

/// What to start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// 0 for any free port, as everywhere.
    pub(crate) port: u16,
    pub(crate) issuer_port: u16,
    pub(crate) consent: Consent,
    /// The SQLite file; `None` for the usual place.
    pub(crate) data: Option<PathBuf>,
    /// Whether to begin with an empty one.
    pub(crate) fresh: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 8000,
            issuer_port: 8001,
            consent: Consent::Page,
            data: None,
            fresh: false,
        }
    }
}

/// What the arguments ask for; nothing to start if it is help.
///
/// # Errors
/// A sentence that says which argument is wrong and what it could be.
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
        if matches!(name, "--help" | "-h") {
            return Ok(None);
        }
        if name == "--fresh" {
            if inline.is_some() {
                return Err("--fresh takes no value".into());
            }
            options.fresh = true;
            continue;
        }
        if !matches!(name, "--port" | "--issuer-port" | "--consent" | "--data") {
            return Err(format!("there is no option {name:?}"));
        }
        let value = inline
            .or_else(|| arguments.next())
            .ok_or_else(|| format!("{name} needs a value"))?;
        match name {
            "--port" => options.port = port(name, &value)?,
            "--issuer-port" => options.issuer_port = port(name, &value)?,
            "--data" if value.is_empty() => return Err("--data takes a file".into()),
            "--data" => options.data = Some(value.into()),
            _ => options.consent = consent(&value)?,
        }
    }
    if options.port == options.issuer_port && options.port != 0 {
        return Err("--port and --issuer-port must differ".into());
    }
    Ok(Some(options))
}

fn port(name: &str, value: &str) -> Result<u16, String> {
    value
        .parse()
        .map_err(|_| format!("{name} takes a number from 0 to 65535, not {value:?}"))
}

fn consent(value: &str) -> Result<Consent, String> {
    match value {
        "page" => Ok(Consent::Page),
        "automatic" => Ok(Consent::Automatic),
        _ => Err(format!("--consent takes page or automatic, not {value:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<Options>, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn every_option_is_read() {
        assert_eq!(read(""), Ok(Some(Options::default())));
        assert_eq!(read("--port 1 --help"), Ok(None));
        let all = Options {
            port: 1,
            issuer_port: 0,
            consent: Consent::Automatic,
            data: Some("a.db".into()),
            fresh: true,
        };
        assert_eq!(
            read("--port 1 --issuer-port=0 --consent automatic --fresh --data a.db"),
            Ok(Some(all))
        );
    }

    #[test]
    fn mistakes_are_named() {
        for (line, said) in [
            ("--prot 1", "there is no option \"--prot\""),
            ("run", "there is no option \"run\""),
            ("--port", "--port needs a value"),
            ("--port 65536", "--port takes a number from 0 to 65535"),
            ("--issuer-port x", "--issuer-port takes a number"),
            ("--consent maybe", "takes page or automatic, not \"maybe\""),
            ("--data", "--data needs a value"),
            ("--data=", "--data takes a file"),
            ("--fresh=1", "--fresh takes no value"),
            ("--port 5 --issuer-port 5", "must differ"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(said), "{line}: {error}");
        }
    }
}
