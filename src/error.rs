//! Two of the crate's three errors; the third, [`Rejection`](crate::Rejection), is for clients.
//!
//! [`ConfigError`] speaks to the programmer at start-up. [`BackendError`] speaks to the operator:
//! it is logged and turns into a 503, and its text never reaches a client.

use std::fmt;

/// Any error at all, as a port may return it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// One thing wrong with a configuration: where, what was found, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The setting, as a path: `resource`, `issuer[0].algorithms`.
    pub field: String,
    /// The value that was found, shortened; never a secret.
    pub value: String,
    /// Why it cannot be used and what to write instead.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A place in a text, such as line 3, has no value.
        if self.value.is_empty() && self.field.contains(' ') {
            return write!(f, "{}: {}", self.field, self.remedy);
        }
        write!(f, "{} = {:?}: {}", self.field, self.value, self.remedy)
    }
}

/// A configuration that cannot be used, with every problem found in it.
///
/// Building never stops at the first mistake: fix the whole list, then build again. `{:?}` reads as
/// `{}` does, for a `main` that returns this error and for `unwrap`:
///
/// ```
/// use tower_mcp_auth::{Authenticator, ProtectedResource};
///
/// let error = Authenticator::builder(ProtectedResource::new("mcp")).build().unwrap_err();
/// assert!(format!("{error:?}").starts_with("invalid configuration, 2 problems:\n  - "));
/// assert_eq!(format!("{error:?}"), error.to_string());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    /// Every problem, in the order of the configuration. Never empty.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [only] => write!(f, "invalid configuration: {only}"),
            several => {
                write!(f, "invalid configuration, {} problems:", several.len())?;
                several
                    .iter()
                    .try_for_each(|problem| write!(f, "\n  - {problem}"))
            }
        }
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigError {}

/// Collects problems while a configuration is examined.
#[derive(Clone, Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    /// Longest part of a value that is repeated in a message, in characters.
    const VALUE_CHARS: usize = 120;

    pub(crate) fn add(
        &mut self,
        field: impl Into<String>,
        value: impl fmt::Display,
        remedy: impl Into<String>,
    ) {
        let value = without_user(&value.to_string());
        self.0.push(Problem {
            field: field.into(),
            value: value.chars().take(Self::VALUE_CHARS).collect(),
            remedy: remedy.into(),
        });
    }

    /// Adds what was found elsewhere.
    pub(crate) fn append(&mut self, found: &Self) {
        self.0.extend(found.0.iter().cloned());
    }

    /// Adds what was found in a part, under the name of that part.
    pub(crate) fn append_within(&mut self, part: &str, found: Self) {
        let named = found.0.into_iter().map(|problem| Problem {
            field: format!("{part}.{}", problem.field),
            ..problem
        });
        self.0.extend(named);
    }

    /// `value` if nothing was found; otherwise all problems, which `value` being `None` must have
    /// caused.
    pub(crate) fn or<T>(self, value: Option<T>) -> Result<T, ConfigError> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(ConfigError { problems: self.0 }),
        }
    }
}

impl From<ConfigError> for Problems {
    fn from(error: ConfigError) -> Self {
        Self(error.problems)
    }
}

/// A URL without the user name and password that somebody put into it: start-up errors end up in
/// logs (EDGE-10). Cut at the last `@`, because a broken URL has no reliable parts.
fn without_user(value: &str) -> String {
    let Some((before, after)) = value.rsplit_once('@') else {
        return value.to_owned();
    };
    match before.split_once("://") {
        Some((scheme, _)) if scheme.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            format!("{scheme}://…@{after}")
        }
        _ => format!("…@{after}"),
    }
}

/// A backend of ours did not answer, or answered with something we cannot use.
///
/// For the operator's log. A client sees 503 and `Retry-After`, never this text and never a 401:
/// a 401 would make it throw away a good token.
#[derive(Debug)]
pub struct BackendError {
    message: String,
    source: Option<BoxError>,
}

impl BackendError {
    /// An error with a message for the operator. Put no secret into it.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
        }
    }

    /// The same, keeping what caused it.
    #[must_use]
    pub fn with_source(message: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self {
            message: message.into(),
            source: Some(source.into()),
        }
    }
}

impl BackendError {
    /// Longest report, in characters.
    const REPORT_CHARS: usize = 1000;

    /// The message with every cause behind it, for a log line; cut after 1,000 characters, since
    /// causes quote what a backend sent.
    #[must_use]
    pub fn report(&self) -> String {
        let mut report = self.message.clone();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            report.push_str(": ");
            report.push_str(&error.to_string());
            cause = error.source();
        }
        if let Some((end, _)) = report.char_indices().nth(Self::REPORT_CHARS) {
            report.truncate(end);
            report.push('…');
        }
        report
    }
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BackendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}
