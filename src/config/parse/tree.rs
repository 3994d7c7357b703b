//! A tree read by serde, in which no name may come twice.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{DEEPEST, Found, NO_NUMBER, TOO_DEEP};
use crate::config::read::Path;

/// Reads one value.
pub(super) struct Tree<'p> {
    at: Path,
    depth: usize,
    found: &'p mut Found,
}

impl<'p> Tree<'p> {
    pub(super) fn new(found: &'p mut Found) -> Self {
        Self {
            at: Path::default(),
            depth: 0,
            found,
        }
    }

    fn below(&mut self, at: Path) -> Tree<'_> {
        Tree {
            at,
            depth: self.depth.saturating_add(1),
            found: self.found,
        }
    }

    fn number(self, number: Option<Number>) -> Value {
        if let Some(number) = number {
            return Value::Number(number);
        }
        self.found.add(self.at.as_str(), NO_NUMBER);
        Value::Null
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.depth > DEEPEST {
            // Nothing below is read, so that nobody's stack is at stake.
            return Err(D::Error::custom(TOO_DEEP));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_i128<E>(self, _: i128) -> Result<Value, E> {
        Ok(self.number(None))
    }

    fn visit_u128<E>(self, _: u128) -> Result<Value, E> {
        Ok(self.number(None))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(self.number(Number::from_f64(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            let at = self.at.item(items.len());
            match list.next_element_seed(self.below(at))? {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut table: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = table.next_key::<String>()? {
            let at = self.at.member(&name);
            if members.contains_key(&name) {
                let remedy = "this name is here twice; keep one";
                self.found.add(at.as_str(), remedy);
            }
            members.insert(name, table.next_value_seed(self.below(at))?);
        }
        Ok(Value::Object(members))
    }
}
