//! Conditions on claims, and the paths that name them.

use serde_json::{Map, Value};

/// A claim that has to be one of some strings.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    path: String,
    values: Vec<String>,
}

impl Claim {
    pub(super) fn new(path: String, values: Vec<String>) -> Self {
        Self { path, values }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn is_impossible(&self) -> bool {
        self.values.is_empty()
    }

    /// One of the values, or an array that holds one.
    pub(super) fn is_met(&self, claims: &Map<String, Value>) -> bool {
        let wanted = |value: &Value| {
            value
                .as_str()
                .is_some_and(|text| self.values.iter().any(|one| one == text))
        };
        match at_path(claims, &self.path) {
            Some(Value::Array(items)) => items.iter().any(wanted),
            Some(value) => wanted(value),
            None => false,
        }
    }
}

/// The value at a path, as issuers' claims are named: a member's name, or a JSON pointer if it
/// begins with `/` (RFC 6901; array indices are not supported).
pub(super) fn at_path<'v>(object: &'v Map<String, Value>, path: &str) -> Option<&'v Value> {
    let Some(pointer) = path.strip_prefix('/') else {
        return object.get(path);
    };
    let mut steps = pointer
        .split('/')
        .map(|step| step.replace("~1", "/").replace("~0", "~"));
    let mut value = object.get(&steps.next()?)?;
    for step in steps {
        value = value.as_object()?.get(&step)?;
    }
    Some(value)
}
