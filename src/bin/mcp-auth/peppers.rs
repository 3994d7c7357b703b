//! The keys that tokens are sealed with: `pepper new`, and reading them.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::json;
use tower_mcp_auth::api_token::{PepperId, Peppers};
use zeroize::Zeroizing;

use crate::args::{Global, Pepper};
use crate::failure::{Exit, Failure};
use crate::output::{Out, raw};
use crate::times;

const VARIABLE: &str = "MCP_AUTH_PEPPER";

const REMEDY: &str = "name the file with --pepper-file or MCP_AUTH_PEPPER_FILE, or put one line `id:base64` into \
                      MCP_AUTH_PEPPER; `mcp-auth pepper new` makes one";

const LINE: &str = "write one `id:base64` per line: an id of letters, digits, `.`, `-`, `_`, a colon, and the base64 \
                    of at least 32 random bytes, as `mcp-auth pepper new` prints it";

/// The peppers of the server, and the names of all of them.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) peppers: Peppers,
    pub(crate) ids: Vec<String>,
}

pub(crate) fn run(command: &Pepper, out: Out) -> Result<Exit, Failure> {
    let Pepper::New { id } = command;
    let today = || {
        format!(
            "p-{}",
            times::now()
                .to_rfc3339()
                .split('T')
                .next()
                .unwrap_or_default()
        )
    };
    let id = id.clone().unwrap_or_else(today);
    if PepperId::new(&id).is_none() {
        let remedy = "use 1 to 64 letters, digits, `.`, `-` or `_` for --id";
        return Err(Failure::usage("this is no name of a pepper", remedy));
    }
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *secret).map_err(|error| {
        Failure::failed(
            "the operating system gave no random bytes",
            error,
            "try again",
        )
    })?;
    let line = Zeroizing::new(format!("{id}:{}", STANDARD.encode(*secret)));
    if out.json {
        out.value(&json!({ "id": id, "line": *line }))?;
    } else {
        raw(&format!("{}\n", *line))?;
    }
    out.note(
        "Put this line first in the pepper file, keep it where no copy of the database goes, and lose it never: \
         tokens sealed with it cannot be verified without it.",
    );
    Ok(Exit::Done)
}

/// The peppers, which this command cannot do without.
pub(crate) fn required(global: &Global, out: Out) -> Result<Peppers, Failure> {
    match known(global, out)? {
        Some(known) => Ok(known.peppers),
        None => Err(Failure::usage("no pepper is known", REMEDY)),
    }
}

/// The peppers that were named, if any.
pub(crate) fn known(global: &Global, out: Out) -> Result<Option<Known>, Failure> {
    let text = match &global.pepper_file {
        Some(path) => {
            warn_if_open(path, out);
            Some(std::fs::read_to_string(path).map_err(|error| {
                Failure::failed(
                    format!("the pepper file {} cannot be read", path.display()),
                    error,
                    REMEDY,
                )
            })?)
        }
        None => std::env::var(VARIABLE)
            .ok()
            .filter(|line| !line.trim().is_empty()),
    };
    text.map(Zeroizing::new).map(|text| read(&text)).transpose()
}

/// The first line signs; the crate takes the signing one last. What is wrong is told without the line.
fn read(text: &str) -> Result<Known, Failure> {
    let lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index.saturating_add(1), line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let mut read = Vec::new();
    for (number, line) in lines {
        let unusable = || {
            let why = format!("line {number} is not `id:base64`");
            Failure::failed("the peppers cannot be used", why, LINE)
        };
        let (id, secret) = line.split_once(':').ok_or_else(unusable)?;
        let engine = if secret.ends_with('=') {
            STANDARD
        } else {
            STANDARD_NO_PAD
        };
        let secret = engine.decode(secret).map_err(|_| unusable())?;
        read.push((id, Zeroizing::new(secret)));
    }
    let ids = read.iter().map(|(id, _)| (*id).to_owned()).collect();
    let mut oldest_first = read.iter().rev();
    let Some((id, secret)) = oldest_first.next() else {
        return Err(Failure::failed(
            "the peppers cannot be used",
            "there is no line in it",
            LINE,
        ));
    };
    let first = Peppers::new(id, &**secret);
    let peppers = oldest_first.fold(first, |peppers, (id, secret)| peppers.and(id, &**secret));
    Ok(Known { peppers, ids })
}

#[cfg(unix)]
fn warn_if_open(path: &Path, out: Out) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).map(|data| data.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o077 != 0) {
        out.note(&format!(
            "Others on this machine can read the pepper file; do: chmod 600 {}",
            path.display()
        ));
    }
}

#[cfg(not(unix))]
fn warn_if_open(_path: &Path, _out: Out) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_signs_and_the_others_are_known() {
        let secret = |byte: u8| STANDARD.encode((0..32).map(|i| i ^ byte).collect::<Vec<u8>>());
        let text = format!("# today\n\n new:{}\nold:{}\n", secret(1), secret(2));
        let known = read(&text).unwrap();
        assert_eq!(known.ids, ["new", "old"]);
        let shown = format!("{:?}", known.peppers);
        assert!(shown.contains(r#"signer: "new""#), "{shown}");
    }

    #[test]
    fn a_broken_line_is_named_and_not_shown() {
        for wrong in [
            "",
            "# only\n",
            "id\n",
            "a:AAAA\nid:no base64!\n",
            "\nthe-secret-without-id\n",
        ] {
            let failure = format!("{:?}", read(wrong).unwrap_err());
            assert!(
                !failure.contains("no base64!") && !failure.contains("without-id"),
                "{failure}"
            );
        }
        assert!(format!("{:?}", read("a:AAAA\nx\n").unwrap_err()).contains("line 2"));
    }
}
