//! The members of a JSON object.

use std::borrow::Cow;

use super::Json;

/// The members of an object, in the order of the text, no two of the same name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Object<'a> {
    members: Vec<(Cow<'a, str>, Json<'a>)>,
    names: Names,
}

/// Names that may be there. Most that are asked for are not, and need no search.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Names(u64);

impl Names {
    /// One of 64 bits, by length and first letter.
    fn bit(name: &str) -> u64 {
        let first = name.as_bytes().first().copied().unwrap_or_default();
        1 << ((usize::from(first) ^ (name.len() << 2)) % 64)
    }

    fn may_have(self, name: &str) -> bool {
        self.0 & Self::bit(name) != 0
    }
}

impl<'a> Object<'a> {
    /// An empty one with room for so many members.
    pub(super) fn with_capacity(members: usize) -> Self {
        Self {
            members: Vec::with_capacity(members),
            names: Names::default(),
        }
    }

    /// Adds a member of a name that is not there yet.
    pub(super) fn push(&mut self, name: Cow<'a, str>, value: Json<'a>) {
        self.names.0 |= Names::bit(&name);
        self.members.push((name, value));
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Json<'a>> {
        if !self.names.may_have(name) {
            return None;
        }
        self.members
            .iter()
            .find(|(member, _)| member == name)
            .map(|(_, value)| value)
    }

    /// Without the members that are `null`, but for these.
    pub(crate) fn without_nulls(self, but: &[&str]) -> Self {
        let mut kept = Self::with_capacity(self.members.len());
        for (name, value) in self.members {
            if value != Json::Null || but.contains(&name.as_ref()) {
                kept.push(name, value);
            }
        }
        kept
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The members in the order of the text.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Json<'a>)> {
        self.members
            .iter()
            .map(|(name, value)| (name.as_ref(), value))
    }

    /// The value at a claim path: a member's name, or a JSON pointer if it begins with `/`
    /// (RFC 6901; array indices are not supported, no claim needs them).
    pub(crate) fn at_path(&self, path: &str) -> Option<&Json<'a>> {
        let Some(pointer) = path.strip_prefix('/') else {
            return self.get(path);
        };
        let mut object = self;
        let mut steps = pointer.split('/').peekable();
        while let Some(step) = steps.next() {
            let value = object.get(&step.replace("~1", "/").replace("~0", "~"))?;
            match (value, steps.peek()) {
                (_, None) => return Some(value),
                (Json::Object(inner), Some(_)) => object = inner,
                _ => return None,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::json::parse_object;

    #[test]
    fn paths_reach_nested_claims_and_url_shaped_names() {
        let object = parse_object(
            br#"{"https://x.io/org":"a","realm":{"roles":["r"],"a/b":"c"}}"#,
            8,
        )
        .unwrap();
        assert_eq!(
            object.at_path("https://x.io/org").and_then(Json::as_str),
            Some("a")
        );
        assert_eq!(
            object.at_path("/realm/a~1b").and_then(Json::as_str),
            Some("c")
        );
        assert!(matches!(
            object.at_path("/realm/roles"),
            Some(Json::Array(_))
        ));
        assert!(object.at_path("/realm/none").is_none());
        assert!(object.at_path("/realm/roles/0").is_none());
    }

    #[test]
    fn a_member_is_found_by_any_name_and_another_is_not() {
        let names: Vec<String> = (0..200)
            .map(|n| "é".repeat(n % 70) + &n.to_string())
            .collect();
        let mut object = Object::with_capacity(0);
        object.push(Cow::Borrowed(""), Json::Null);
        for name in names.iter().step_by(2) {
            object.push(Cow::Borrowed(name), Json::Bool(true));
        }
        assert!(object.has("") && !object.has("0 "));
        for (nth, name) in names.iter().enumerate() {
            assert_eq!(object.has(name), nth % 2 == 0, "{name}");
        }
        let object = object.without_nulls(&[]);
        assert!(!object.has("") && object.has("0"));
    }
}
