//! The login an operation asks for (RFC 9470).

/// How a person has to log in before an operation is allowed (RFC 9470 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub(crate) acr_values: Vec<String>,
    pub(crate) max_age: Option<u64>,
}

impl Login {
    /// The authentication classes of which one will do, the preferred one first; empty: any.
    #[must_use]
    pub fn acr_values(&self) -> &[String] {
        &self.acr_values
    }

    /// The greatest age of the login, in seconds; `None`: any.
    #[must_use]
    pub fn max_age(&self) -> Option<u64> {
        self.max_age
    }
}
