//! The kinds of values that settings are made of.

use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::read::{Path, Reader, Setting, kind};
use super::shape::{Shape, parse_size, parse_span};
use super::suggest::nearest;
use crate::algorithm::SigningAlgorithm;

/// On or off; off when left out.
impl Setting for bool {
    const REQUIRED: bool = false;

    fn shape() -> Shape {
        Shape::Flag
    }

    fn read(value: &Value, at: &Path, reader: &mut Reader<'_>) -> Option<Self> {
        let flag = value.as_bool();
        if flag.is_none() {
            reader.wrong(at, value, &Self::shape());
        }
        flag
    }

    fn absent() -> Option<Self> {
        Some(false)
    }

    fn implied() -> Option<Value> {
        Some(Value::Bool(false))
    }
}

impl<T: Setting> Setting for Option<T> {
    const REQUIRED: bool = false;

    fn shape() -> Shape {
        T::shape()
    }

    fn read(value: &Value, at: &Path, reader: &mut Reader<'_>) -> Option<Self> {
        T::read(value, at, reader).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

/// Items that were right, each with its place in the file.
pub(super) struct List<T>(pub(super) Vec<(usize, T)>);

impl<T> List<T> {
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, item)| item)
    }
}

impl<T: Setting> Setting for List<T> {
    const REQUIRED: bool = false;

    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }

    fn read(value: &Value, at: &Path, reader: &mut Reader<'_>) -> Option<Self> {
        let Value::Array(items) = value else {
            reader.wrong(at, value, &Self::shape());
            return None;
        };
        let items = items.iter().enumerate();
        let read = items.filter_map(|(index, item)| {
            let item = T::read(item, &at.item(index), reader)?;
            Some((index, item))
        });
        Some(Self(read.collect()))
    }

    fn absent() -> Option<Self> {
        Some(Self(Vec::new()))
    }
}

/// Values under names of the operator's choice.
pub(super) struct Named<T>(PhantomData<T>);

impl<T: Setting> Setting for Named<T> {
    const REQUIRED: bool = false;

    fn shape() -> Shape {
        Shape::Map(Box::new(T::shape()))
    }

    fn read(value: &Value, at: &Path, reader: &mut Reader<'_>) -> Option<Self> {
        let Value::Object(members) = value else {
            reader.wrong(at, value, &Self::shape());
            return None;
        };
        for (name, value) in members {
            let _ = T::read(value, &at.member(name), reader);
        }
        Some(Self(PhantomData))
    }

    fn absent() -> Option<Self> {
        Some(Self(PhantomData))
    }
}

/// One of two kinds that cannot be mistaken for each other.
pub(super) enum Either<A, B> {
    First(A),
    Second(B),
}

impl<A: Setting, B: Setting> Setting for Either<A, B> {
    fn shape() -> Shape {
        Shape::Either(vec![A::shape(), B::shape()])
    }

    fn read(value: &Value, at: &Path, reader: &mut Reader<'_>) -> Option<Self> {
        let first = A::shape();
        if let Some(text) = first.foreign_word(value) {
            // Whoever wrote another word may have meant the second kind.
            let remedy = format!("write {}", Self::shape().to_remedy());
            reader.add(at.as_str(), text, remedy);
            return None;
        }
        if first.takes(value) {
            return A::read(value, at, reader).map(Self::First);
        }
        if B::shape().takes(value) {
            return B::read(value, at, reader).map(Self::Second);
        }
        reader.wrong(at, value, &Self::shape());
        None
    }
}

/// Text without control characters, never empty.
pub(super) struct Text(pub(super) String);

impl Setting for Text {
    fn shape() -> Shape {
        Shape::Text
    }

    fn read(value: &Value, at: &Path, reader: &mut Reader<'_>) -> Option<Self> {
        let Value::String(text) = value else {
            let remedy = match value {
                Value::Number(_) | Value::Bool(_) => "put it between quotes: this is text",
                _ => "write text",
            };
            reader.add(at.as_str(), kind(value), remedy);
            return None;
        };
        let remedy = if text.is_empty() {
            "there is nothing between the quotes; write a value, or leave the name out"
        } else if text.chars().any(char::is_control) {
            "remove control characters"
        } else {
            return Some(Self(text.clone()));
        };
        reader.add(at.as_str(), text, remedy);
        None
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// The same, shown as a URL in the schema. Which URLs are good depends on the setting.
pub(super) struct UrlText(pub(super) String);

impl Setting for UrlText {
    fn shape() -> Shape {
        Shape::Url
    }

    fn read(value: &Value, at: &Path, reader: &mut Reader<'_>) -> Option<Self> {
        Text::read(value, at, reader).map(|text| Self(text.0))
    }
}

/// A whole number within bounds.
pub(super) struct Whole<const LEAST: u64, const MOST: u64>(pub(super) u64);

impl<const LEAST: u64, const MOST: u64> Setting for Whole<LEAST, MOST> {
    fn shape() -> Shape {
        let (least, most) = (LEAST, MOST);
        Shape::Whole { least, most }
    }

    fn read(value: &Value, at: &Path, reader: &mut Reader<'_>) -> Option<Self> {
        let number = value.as_u64().filter(|one| (LEAST..=MOST).contains(one));
        if number.is_none() {
            reader.wrong(at, value, &Self::shape());
        }
        number.map(Self)
    }
}

/// A duration between so many seconds: `30s`, `5m`, `24h`, `7d`.
pub(super) struct Span<const LEAST: u64, const MOST: u64>(pub(super) Duration);

impl<const LEAST: u64, const MOST: u64> Setting for Span<LEAST, MOST> {
    fn shape() -> Shape {
        let (least, most) = (LEAST, MOST);
        Shape::Span { least, most }
    }

    fn read(value: &Value, at: &Path, reader: &mut Reader<'_>) -> Option<Self> {
        let Some(seconds) = value.as_str().and_then(parse_span) else {
            let remedy = "write a number with a unit, s, m, h or d, e.g. \"30s\"";
            let shown = value.as_str().map_or_else(|| kind(value), str::to_owned);
            reader.add(at.as_str(), shown, remedy);
            return None;
        };
        if !(LEAST..=MOST).contains(&seconds) {
            reader.wrong(at, value, &Self::shape());
            return None;
        }
        Some(Self(Duration::from_secs(seconds)))
    }
}

/// So many bytes: `8KiB`, `32MiB`, or a number.
pub(super) struct Size<const LEAST: u64, const MOST: u64>(pub(super) u64);

impl<const LEAST: u64, const MOST: u64> Setting for Size<LEAST, MOST> {
    fn shape() -> Shape {
        let (least, most) = (LEAST, MOST);
        Shape::Size { least, most }
    }

    fn read(value: &Value, at: &Path, reader: &mut Reader<'_>) -> Option<Self> {
        let bytes = value.as_u64().or_else(|| parse_size(value.as_str()?));
        let Some(bytes) = bytes else {
            let remedy = "write a number with a unit, B, KiB, MiB or GiB, e.g. \"32MiB\"";
            let shown = value.as_str().map_or_else(|| kind(value), str::to_owned);
            reader.add(at.as_str(), shown, remedy);
            return None;
        };
        if !(LEAST..=MOST).contains(&bytes) {
            reader.wrong(at, value, &Self::shape());
            return None;
        }
        Some(Self(bytes))
    }
}

/// Anything at all.
impl Setting for Value {
    fn shape() -> Shape {
        Shape::Free
    }

    fn read(value: &Value, _: &Path, _: &mut Reader<'_>) -> Option<Self> {
        Some(value.clone())
    }
}

/// What `Declared` says of it, read by the crate's own reader, `T`: one that stops at the first mistake and
/// knows no paths, which is why the declaration looks first.
pub(super) struct Read<Declared, T> {
    pub(super) value: T,
    declared: PhantomData<Declared>,
}

impl<D: Setting, T: DeserializeOwned> Setting for Read<D, T> {
    fn shape() -> Shape {
        D::shape()
    }

    fn read(value: &Value, at: &Path, reader: &mut Reader<'_>) -> Option<Self> {
        let _ = D::read(value, at, reader);
        if reader.is_broken(at.as_str()) {
            return None;
        }
        let declared = PhantomData;
        match T::deserialize(value) {
            Ok(value) => Some(Self { value, declared }),
            Err(error) => {
                reader.add(at.as_str(), kind(value), error.to_string());
                None
            }
        }
    }
}

/// One of some words.
pub(super) fn word<T: Copy>(
    words: &[(&'static str, T)],
    value: &Value,
    at: &Path,
    reader: &mut Reader<'_>,
) -> Option<T> {
    let found = value.as_str();
    let known = words.iter().find(|(name, _)| Some(*name) == found);
    if let Some((_, meant)) = known {
        return Some(*meant);
    }
    let names: Vec<_> = words.iter().map(|(name, _)| *name).collect();
    match found.and_then(|found| nearest(found, names.iter().copied())) {
        Some(meant) => {
            let found = found.unwrap_or_default();
            let mut remedy = format!("did you mean `{meant}`?");
            if names.len() > 1 {
                let all = Shape::Words(names).to_words();
                remedy.push_str(" There are ");
                remedy.push_str(&all);
            }
            reader.add(at.as_str(), found, remedy);
        }
        None => reader.wrong(at, value, &Shape::Words(names)),
    }
    None
}

/// Declares a choice: the words of the file, and what they mean.
macro_rules! words {
    ($(#[doc = $about:literal])+ enum $name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(in crate::config) enum $name { $($variant),+ }

        impl $crate::config::read::Setting for $name {
            fn shape() -> $crate::config::shape::Shape {
                $crate::config::shape::Shape::Words(vec![$($word),+])
            }

            fn read(
                value: &serde_json::Value,
                at: &$crate::config::read::Path,
                reader: &mut $crate::config::read::Reader<'_>,
            ) -> Option<Self> {
                $crate::config::kinds::word(&[$(($word, Self::$variant)),+], value, at, reader)
            }
        }
    };
}

pub(super) use words;

impl Setting for SigningAlgorithm {
    fn shape() -> Shape {
        Shape::Words(Self::ALL.iter().map(|one| one.name()).collect())
    }

    fn read(value: &Value, at: &Path, reader: &mut Reader<'_>) -> Option<Self> {
        word(&Self::ALL.map(|one| (one.name(), one)), value, at, reader)
    }
}
