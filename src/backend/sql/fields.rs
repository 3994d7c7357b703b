//! Columns of a row, where a wrong one is an error that says which.

use sqlx::any::AnyRow;
use sqlx::{Any, Decode, Row, Type};

use crate::error::BackendError;

/// A row, and what to call it in an error.
pub(super) struct Fields<'r> {
    row: &'r AnyRow,
    name: String,
}

impl<'r> Fields<'r> {
    /// `kind` and the column `key` name the row.
    pub(super) fn new(row: &'r AnyRow, kind: &str, key: &str) -> Self {
        let value = row
            .try_get::<String, _>(key)
            .or_else(|_| row.try_get::<i64, _>(key).map(|number| number.to_string()))
            .unwrap_or_default();
        let value: String = value.chars().take(64).collect();
        Self {
            row,
            name: format!("{kind} {value:?}"),
        }
    }

    /// The value of a column.
    pub(super) fn get<T>(&self, column: &str) -> Result<T, BackendError>
    where
        T: Decode<'r, Any> + Type<Any>,
    {
        self.row
            .try_get(column)
            .map_err(|_| self.unusable(column, None))
    }

    /// The error of a column that cannot be what this crate wrote. `why` quotes no value.
    pub(super) fn unusable(&self, column: &str, why: Option<&str>) -> BackendError {
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        BackendError::new(format!("stored {}: unusable `{column}`{why}", self.name))
    }
}
