//! What went wrong, why, and what to do about it.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use serde_json::json;
use tower_mcp_auth::api_token::IssueError;
use tower_mcp_auth::error::Problem;
use tower_mcp_auth::policy::PutError;
use tower_mcp_auth::{BackendError, ConfigError};

use crate::output::json_text;
use crate::table::escape;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done,
    Failed,
    Usage,
    /// The answer is no: the credential would be refused, or there is no such token.
    No,
}

impl Exit {
    const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::No => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    what: String,
    why: Vec<String>,
    remedy: String,
}

impl Failure {
    /// The command was given wrongly.
    pub(crate) fn usage(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            what: what.into(),
            why: Vec::new(),
            remedy: remedy.into(),
        }
    }

    /// It was given well, and failed.
    pub(crate) fn failed(
        what: impl Into<String>,
        why: impl Display,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            exit: Exit::Failed,
            what: what.into(),
            why: vec![why.to_string()],
            remedy: remedy.into(),
        }
    }

    /// There is nothing to do it to.
    pub(crate) fn no(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            exit: Exit::No,
            ..Self::usage(what, remedy)
        }
    }

    /// Several mistakes at once.
    pub(crate) fn problems(
        what: impl Into<String>,
        why: Vec<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            exit: Exit::Failed,
            what: what.into(),
            why,
            remedy: remedy.into(),
        }
    }

    /// Whoever read the output has gone, as `head` does: no failure.
    pub(crate) fn unread() -> Self {
        Self {
            exit: Exit::Done,
            what: String::new(),
            why: Vec::new(),
            remedy: String::new(),
        }
    }

    /// What clap has to say, without its colours. In JSON its parts, in text its own words.
    pub(crate) fn of_arguments(error: &clap::Error, json: bool) -> Self {
        let text = error.render().to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
        let remedy = "see `mcp-auth help`, or `--help` after any command";
        if !json {
            return Self::usage(text, remedy);
        }
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let what = lines.next().unwrap_or_default().to_owned();
        Self {
            exit: Exit::Usage,
            what,
            why: lines.map(|line| line.trim().to_owned()).collect(),
            remedy: remedy.to_owned(),
        }
    }

    /// Tells people, or a program, on stderr. A failure to write there is nobody's to hear.
    pub(crate) fn print(&self, json: bool) {
        if self.what.is_empty() {
            return;
        }
        let mut stderr = std::io::stderr().lock();
        if json {
            let error = json!({ "what": self.what, "why": self.why, "do": self.remedy });
            let report = json!({ "error": error, "exit": self.exit.code() });
            let _ = writeln!(stderr, "{}", json_text(&report, false));
            return;
        }
        for (index, line) in self.what.lines().enumerate() {
            let prefix = if index == 0 { "mcp-auth: " } else { "" };
            let _ = writeln!(stderr, "{prefix}{}", escape(line));
        }
        for line in self.why.iter().flat_map(|why| why.lines()) {
            let _ = writeln!(stderr, "  why: {}", escape(line));
        }
        let _ = writeln!(stderr, "  do:  {}", escape(&self.remedy));
    }
}

impl From<BackendError> for Failure {
    fn from(error: BackendError) -> Self {
        let remedy = "look at the address in --database and at the database itself; \
                      `mcp-auth migrate --check` tells whether its schema is current";
        Self::failed("the database did not do it", error.report(), remedy)
    }
}

impl From<IssueError> for Failure {
    fn from(error: IssueError) -> Self {
        let what = match &error {
            IssueError::Invalid(problems) => {
                let why = problems.iter().map(ToString::to_string).collect();
                return Self::problems("the token cannot be issued", why, "correct all of these");
            }
            IssueError::Backend(_) => "the token store or the random source failed".to_owned(),
            other => other.to_string(),
        };
        match error {
            IssueError::Unknown => Self::no(what, "find its id with `mcp-auth token list`"),
            IssueError::NotAlive => Self::no(what, "`mcp-auth token show ID` says which it is"),
            IssueError::Backend(error) => Self {
                what,
                ..Self::from(error)
            },
            _ => Self::failed(what, "nothing was written", "look at it, then try again"),
        }
    }
}

/// Every problem of a configuration, one line each.
pub(crate) fn lines(error: &ConfigError) -> Vec<String> {
    error.problems().iter().map(Problem::to_string).collect()
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::problems("this cannot work", lines(&error), "correct all of these")
    }
}

impl From<PutError> for Failure {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Invalid(error) => Self::problems(
                "the policy has mistakes; it was not stored",
                lines(&error),
                "correct all of these and set it again",
            ),
            PutError::Backend(error) => error.into(),
            conflict => Self::failed(
                "the policy was not stored",
                conflict,
                "look at `mcp-auth policy show`, and make your change again",
            ),
        }
    }
}
