//! The one reader: every problem at once, each under the path that the operator wrote.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde_json::{Map, Value};

use super::shape::Shape;
use super::suggest::nearest;
use crate::error::{ConfigError, Problem, Problems};
use crate::secret::SecretText;

/// Something that can stand in a configuration.
pub(super) trait Setting: Sized {
    /// Whether the name has to be there.
    const REQUIRED: bool = true;

    fn shape() -> Shape;

    /// The setting, or `None` with a problem.
    fn read(value: &Value, at: &Path, reader: &mut Reader<'_>) -> Option<Self>;

    /// What it is where its name is left out.
    fn absent() -> Option<Self> {
        None
    }

    /// The same for the schema.
    fn implied() -> Option<Value> {
        None
    }
}

/// Where a value stands: `issuers[0].profile`.
#[derive(Clone, Debug, Default)]
pub(super) struct Path(String);

impl Path {
    /// Longest name that is repeated in a message, in characters.
    const NAME: usize = 64;

    pub(super) fn member(&self, name: &str) -> Self {
        let name: String = name.chars().take(Self::NAME).collect();
        let name = name.escape_debug();
        Self(match self.0.as_str() {
            "" => name.to_string(),
            table => format!("{table}.{name}"),
        })
    }

    pub(super) fn item(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What was set by variables: the path, and the variable.
pub(super) type Sources = BTreeMap<String, String>;

/// Collects problems, and knows what secrets are read from.
pub(super) struct Reader<'c> {
    problems: Problems,
    fields: Vec<String>,
    told: HashSet<(String, String)>,
    sources: &'c Sources,
    variables: &'c dyn Fn(&str) -> Option<SecretText>,
}

impl<'c> Reader<'c> {
    /// Most problems told: whoever has more has given the wrong file.
    const MOST: usize = 200;

    pub(super) fn new(
        sources: &'c Sources,
        variables: &'c dyn Fn(&str) -> Option<SecretText>,
    ) -> Self {
        Self {
            problems: Problems::default(),
            fields: Vec::new(),
            told: HashSet::new(),
            sources,
            variables,
        }
    }

    /// With what is wrong already.
    pub(super) fn begin(&mut self, found: &Problems) {
        if let Err(error) = found.clone().or(Some(())) {
            self.adopt(&error, |problem| {
                (problem.field.clone(), problem.remedy.clone())
            });
        }
    }

    pub(super) fn variable(&self, name: &str) -> Option<SecretText> {
        (self.variables)(name)
    }

    pub(super) fn add(&mut self, at: &str, value: impl fmt::Display, remedy: impl Into<String>) {
        let remedy = remedy.into();
        // Some settings are looked at more than once.
        let is_known = self.told.contains(&(at.to_owned(), remedy.clone()));
        if is_known || self.fields.len() > Self::MOST {
            return;
        }
        self.told.insert((at.to_owned(), remedy.clone()));
        if self.fields.len() == Self::MOST {
            let remedy = "there are more problems; correct these first";
            self.problems.add("…", "", remedy);
        } else {
            let remedy = match self.sources.get(at) {
                Some(variable) => format!("{remedy} (set by {variable})"),
                None => remedy,
            };
            self.problems.add(at, value, remedy);
        }
        self.fields.push(at.to_owned());
    }

    /// What a value is not. It is shown only where no secret can be meant.
    pub(super) fn wrong(&mut self, at: &Path, value: &Value, wanted: &Shape) {
        let remedy = format!("write {}", wanted.to_remedy());
        match value {
            Value::String(text) if wanted.is_showable() => self.add(at.as_str(), text, remedy),
            value => self.add(at.as_str(), kind(value), remedy),
        }
    }

    /// Adds what others found, in the words of this configuration. What follows from a problem that is
    /// known already is left out.
    pub(super) fn adopt(
        &mut self,
        error: &ConfigError,
        say: impl Fn(&Problem) -> (String, String),
    ) {
        for problem in error.problems() {
            let (field, remedy) = say(problem);
            if !self.is_broken(&field) {
                self.add(&field, &problem.value, remedy);
            }
        }
    }

    /// Whether something at this path, or within it, is known to be wrong.
    pub(super) fn is_broken(&self, path: &str) -> bool {
        let within = |field: &String| {
            let rest = field.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.fields.iter().any(within)
    }

    pub(super) fn is_clean(&self) -> bool {
        self.fields.is_empty()
    }

    /// `value`, if there was no problem at all.
    pub(super) fn end<T>(self, value: Option<T>) -> Result<T, ConfigError> {
        self.problems.or(value)
    }
}

/// What a value is, without what it says.
pub(super) fn kind(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(_) => "(text)".into(),
        Value::Array(_) => "(a list)".into(),
        Value::Object(_) => "(a table)".into(),
    }
}

/// A table while its names are taken.
pub(super) struct Fields<'v> {
    found: &'v Map<String, Value>,
    at: &'v Path,
    /// Names that somebody meant and wrote otherwise.
    misspelt: Vec<&'static str>,
}

impl<'v> Fields<'v> {
    /// Reports names that no table like this has.
    pub(super) fn of(
        value: &'v Value,
        at: &'v Path,
        names: &[&'static str],
        reader: &mut Reader<'_>,
    ) -> Option<Self> {
        let Value::Object(found) = value else {
            reader.add(at.as_str(), kind(value), "write a table");
            return None;
        };
        let mut misspelt = Vec::new();
        for (name, value) in found
            .iter()
            .filter(|(name, _)| !names.contains(&name.as_str()))
        {
            let missing = names.iter().filter(|name| !found.contains_key(**name));
            let meant = nearest(name, missing.copied());
            misspelt.extend(names.iter().filter(|name| Some(**name) == meant));
            let remedy = match meant {
                Some(meant) => format!("there is no such setting; did you mean `{meant}`?"),
                None => format!("there is no such setting; there are {}", names.join(", ")),
            };
            reader.add(at.member(name).as_str(), kind(value), remedy);
        }
        Some(Self {
            found,
            at,
            misspelt,
        })
    }

    /// One setting; what is wrong or left out is what it is when left out.
    pub(super) fn take<T: Setting>(
        &self,
        name: &'static str,
        about: &str,
        reader: &mut Reader<'_>,
    ) -> Option<T> {
        let at = self.at.member(name);
        match self.found.get(name) {
            Some(Value::Null) => {
                let remedy = "there is nothing here; write a value, or leave the name out";
                reader.add(at.as_str(), "nothing", remedy);
                T::absent()
            }
            Some(value) => T::read(value, &at, reader).or_else(T::absent),
            None if T::REQUIRED && !self.misspelt.contains(&name) => {
                let about = super::shape::paragraph(about);
                let first = about.split(". ").next().unwrap_or_default();
                let remedy = format!("this is needed: {}", first.trim_end_matches('.'));
                reader.add(at.as_str(), "left out", remedy);
                None
            }
            None => T::absent(),
        }
    }
}

/// Declares a table: its fields with their meaning, their defaults, and which of them take a restart.
///
/// ```text
/// table! {
///     /// What the table is about.
///     struct Name {
///         /// What the setting means.
///         [restart] setting: Option<Text> = "what it is when left out",
///     }
/// }
/// ```
macro_rules! table {
    (
        $(#[doc = $about:literal])+
        struct $name:ident {
            $( $(#[doc = $doc:literal])+ $([$restart:ident])? $field:ident : $kind:ty $(= $default:tt)? ),+ $(,)?
        }
    ) => {
        $(#[doc = $about])+
        #[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own in the file")]
        pub(in crate::config) struct $name {
            $( $(#[doc = $doc])+ pub(in crate::config) $field: $kind, )+
        }

        impl $crate::config::read::Setting for $name {
            fn shape() -> $crate::config::shape::Shape {
                use $crate::config::shape::{Member, Shape, Table, paragraph};
                Shape::Table(Table {
                    about: paragraph(concat!($($about, "\n"),+)),
                    members: vec![$(Member {
                        name: stringify!($field),
                        about: paragraph(concat!($($doc, "\n"),+)),
                        default: [$(serde_json::json!($default),)? serde_json::Value::Null]
                            .into_iter()
                            .find(|default| !default.is_null())
                            .or_else(<$kind as $crate::config::read::Setting>::implied),
                        is_required: <$kind as $crate::config::read::Setting>::REQUIRED,
                        needs_restart: [$(stringify!($restart))?].contains(&"restart"),
                        shape: <$kind as $crate::config::read::Setting>::shape(),
                    }),+],
                })
            }

            fn read(
                value: &serde_json::Value,
                at: &$crate::config::read::Path,
                reader: &mut $crate::config::read::Reader<'_>,
            ) -> Option<Self> {
                let names = [$(stringify!($field)),+];
                let fields = $crate::config::read::Fields::of(value, at, &names, reader)?;
                $( let $field = fields.take(stringify!($field), concat!($($doc, "\n"),+), reader); )+
                let read = Self { $($field: $field?),+ };
                // Where a feature is missing, some are refused before anything else looks at them.
                $(let _: &$kind = &read.$field;)+
                Some(read)
            }
        }
    };
}

pub(super) use table;
