//! Why no token was issued.

use std::fmt;

use crate::error::{BackendError, ConfigError, Problem};

/// Why a token was not issued or rolled.
#[derive(Debug)]
#[non_exhaustive]
pub enum IssueError {
    /// Something asked for cannot be granted, or the configuration is wrong. Every problem found,
    /// never none; nothing was written.
    Invalid(Vec<Problem>),
    /// There is no such token.
    Unknown,
    /// The token is revoked or expired, or its owner is inactive: issue another.
    NotAlive,
    /// Somebody else changed the token at the same time. Nothing was written.
    Conflict,
    /// The store or the random source failed.
    Backend(BackendError),
}

impl From<ConfigError> for IssueError {
    fn from(error: ConfigError) -> Self {
        Self::Invalid(error.problems().to_vec())
    }
}

impl From<BackendError> for IssueError {
    fn from(error: BackendError) -> Self {
        Self::Backend(error)
    }
}

impl fmt::Display for IssueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(problems) => {
                f.write_str("the token cannot be issued:")?;
                problems
                    .iter()
                    .try_for_each(|problem| write!(f, "\n  - {problem}"))
            }
            Self::Unknown => f.write_str("there is no token with this id"),
            Self::NotAlive => {
                f.write_str("the token is revoked or expired, or its owner inactive; issue another")
            }
            Self::Conflict => f.write_str("the token was changed by somebody else just now"),
            Self::Backend(_) => f.write_str("the token store or the random source failed"),
        }
    }
}

impl std::error::Error for IssueError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Backend(error) => Some(error),
            _ => None,
        }
    }
}
