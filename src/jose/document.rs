//! What an issuer publishes, as JSON.

use serde::de::DeserializeOwned;

use crate::error::BackendError;

/// Reads a JSON object with at least the members of `T`, none of them twice.
///
/// # Errors
///
/// [`BackendError`] if the body is anything else.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, BackendError> {
    // Serde would take an array for a struct, member by member.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(BackendError::new("not a JSON object"));
    }
    serde_json::from_slice(body)
        .map_err(|error| BackendError::with_source("not the JSON expected", error))
}
