//! The key that tokens are sealed with: one line `id:base64` in a file of its own, as `mcp-auth` reads it.
//!
//! FOR THE DEMO ONLY: a real server keeps it where no copy of the database goes, in a secret manager.

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tower_mcp_auth::api_token::Peppers;

/// The pepper in this file, which is made if it is not there.
///
/// # Errors
/// It cannot be read or made, others can read it, or it holds something else.
pub(crate) fn at(path: &Path) -> Result<Peppers, Box<dyn Error>> {
    let shown = path.display();
    if !path.exists() {
        make(path).map_err(|error| format!("cannot make the pepper file {shown}: {error}"))?;
    }
    private(path)?;
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    read(&text).ok_or_else(|| format!("{shown} is not lines of `id:base64`").into())
}

/// The first line seals new tokens; `Peppers` takes that one last.
fn read(text: &str) -> Option<Peppers> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pair = |line: &str| {
        let (id, secret) = line.split_once(':')?;
        Some((id.to_owned(), STANDARD.decode(secret).ok()?))
    };
    let pairs: Vec<_> = lines.map(pair).collect::<Option<_>>()?;
    let mut oldest_first = pairs.into_iter().rev();
    let (id, secret) = oldest_first.next()?;
    let first = Peppers::new(id, secret);
    Some(oldest_first.fold(first, |peppers, (id, secret)| peppers.and(id, secret)))
}

/// Whole or not at all, and of two programs that start at once by one: the other reads what that wrote.
fn make(path: &Path) -> Result<(), Box<dyn Error>> {
    let (mut secret, mut unique) = ([0; 32], [0; 8]);
    getrandom::fill(&mut secret)?;
    getrandom::fill(&mut unique)?;
    let unique = u64::from_ne_bytes(unique);
    let draft = path.with_extension(format!("{unique:016x}"));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    let line = format!("quickstart:{}\n", STANDARD.encode(secret));
    let written = file
        .write_all(line.as_bytes())
        .and_then(|()| file.sync_all());
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn private(path: &Path) -> Result<(), Box<dyn Error>> {
    use std::os::unix::fs::PermissionsExt;
    if fs::metadata(path)?.permissions().mode() % 0o100 == 0 {
        return Ok(());
    }
    let shown = path.display();
    Err(
        format!("others can read {shown}: if you made it, `chmod 600` it; if not, use --data")
            .into(),
    )
}

#[cfg(not(unix))]
fn private(_: &Path) -> Result<(), Box<dyn Error>> {
    Ok(())
}
