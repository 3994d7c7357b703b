//! Names and texts that commands are given.

use std::io::Read;
use std::path::Path;

use tower_mcp_auth::api_token::TokenId;
use tower_mcp_auth::ident::{OrganizationId, Subject};

use crate::failure::Failure;

/// The longest text read whole: a file of leaks, a policy, a credential.
const LONGEST: u64 = 64 * 1024 * 1024;

const IDENTIFIER: &str = "write 1 to 2,048 bytes without control characters";

pub(crate) fn organization(text: &str) -> Result<OrganizationId, Failure> {
    let unusable = || Failure::usage("this is no name of an organization", IDENTIFIER);
    OrganizationId::new(text).ok_or_else(unusable)
}

pub(crate) fn subject(text: &str) -> Result<Subject, Failure> {
    Subject::new(text).ok_or_else(|| Failure::usage("this is no name of an owner", IDENTIFIER))
}

/// An id. What is none is not repeated: it may be a whole token.
pub(crate) fn token_id(text: &str) -> Result<TokenId, Failure> {
    TokenId::new(text).ok_or_else(|| {
        let remedy = "give the 16 letters and digits between the underscores of the token, or from \
                      `mcp-auth token list`; a whole token belongs into no command line";
        Failure::usage("this is no id of a token", remedy)
    })
}

/// All of a file, or of stdin for `-` and for nothing.
pub(crate) fn text(file: Option<&Path>) -> Result<String, Failure> {
    let unreadable = |error: std::io::Error| {
        let what = match named(file) {
            Some(path) => format!("{} cannot be read", path.display()),
            None => "stdin cannot be read".to_owned(),
        };
        Failure::failed(what, error, "give a text file in UTF-8, or - for stdin")
    };
    let mut text = String::new();
    let read = match named(file) {
        Some(path) => {
            let mut file = std::fs::File::open(path).map_err(unreadable)?;
            file.by_ref().take(LONGEST).read_to_string(&mut text)
        }
        None => std::io::stdin().take(LONGEST).read_to_string(&mut text),
    };
    let length = read.map_err(unreadable)?;
    if u64::try_from(length).unwrap_or(u64::MAX) == LONGEST {
        return Err(Failure::usage(
            "the text is longer than 64 MiB",
            "split it into several",
        ));
    }
    Ok(text)
}

/// The file, unless stdin is meant.
pub(crate) fn named(file: Option<&Path>) -> Option<&Path> {
    file.filter(|path| *path != Path::new("-"))
}
