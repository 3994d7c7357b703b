//! Three languages, one tree. A broken text is told by its place: its words may be secrets.

mod tree;

use serde::de::DeserializeSeed;
use serde_json::{Map, Number, Value};
use toml::de::{DeTable, DeValue};
use zeroize::Zeroize;

use super::read::Path;
use crate::error::{ConfigError, Problems};
use tree::Tree;

/// Longest text, in bytes.
pub(super) const LONGEST: usize = 4 * 1024 * 1024;

/// Deepest nesting. The deepest setting there is stands at 7.
pub(super) const DEEPEST: usize = 32;

/// Most mistakes of the language that are told.
const MOST: usize = 20;

/// What a text says. Wiped when dropped, since secrets may stand in it.
pub(super) struct Document(pub(super) Value);

impl Drop for Document {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

pub(super) fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Collects problems, as many as anybody reads.
struct Found {
    problems: Problems,
    left: usize,
}

impl Found {
    fn new() -> Self {
        Self {
            problems: Problems::default(),
            left: 100,
        }
    }

    fn add(&mut self, at: &str, remedy: &str) {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            self.problems.add(at, "", remedy);
        }
    }
}

pub(super) fn json(text: &str) -> Result<Document, ConfigError> {
    read(text, |found| {
        let mut reader = serde_json::Deserializer::from_str(text);
        let mut read = || {
            let value = Tree::new(found).deserialize(&mut reader)?;
            reader.end().map(|()| value)
        };
        read().map_err(|error| {
            let remedy = match error.classify() {
                serde_json::error::Category::Eof => "the text ends too early",
                // The tree's own: a parser of JSON has no other mistakes in data.
                serde_json::error::Category::Data => TOO_DEEP,
                _ => "this is no JSON",
            };
            (error.line(), error.column(), remedy)
        })
    })
}

pub(super) fn yaml(text: &str) -> Result<Document, ConfigError> {
    read(text, |found| {
        let tree = Tree::new(found);
        serde_saphyr::with_deserializer_from_str_with_options(text, yaml_options(), |reader| {
            tree.deserialize(reader)
        })
        .map_err(|error| {
            let place = error.location();
            let line = place.map_or(0, |place| to_usize(place.line()));
            let column = place.map_or(0, |place| to_usize(place.column()));
            (line, column, yaml_remedy(error.without_snippet()))
        })
    })
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or_default()
}

/// Aliases serve to write a list once, not to multiply it; `yes` and `no` are words.
fn yaml_options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_reader_input_bytes: Some(LONGEST),
            max_depth: DEEPEST,
            max_documents: 1,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_nodes: 500_000,
            max_events: 1_000_000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 100_000,
            max_replay_stack_depth: 8,
            max_alias_expansions_per_anchor: 1_000,
        },
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
        merge_keys: serde_saphyr::MergeKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false,
    }
}

fn yaml_remedy(error: &serde_saphyr::Error) -> &'static str {
    use serde_saphyr::Error;
    match error {
        Error::Eof { .. } => "the text ends too early",
        Error::MultipleDocuments { .. } => "this is a second document; write one",
        Error::MergeKeyNotAllowed { .. } => {
            "merge keys (`<<`) are not taken; write the settings out"
        }
        Error::UnknownAnchor { .. } => "there is no anchor of this name before this alias",
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasError { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => "aliases multiply too much; write it out",
        Error::Budget { .. } => "this is too long or too deep for a configuration",
        Error::NonFiniteFloat { .. } => "this is no number of a configuration",
        _ => "this is no YAML",
    }
}

pub(super) fn toml(text: &str) -> Result<Document, ConfigError> {
    check_length(text)?;
    let mut found = Found::new();
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors.iter().take(MOST) {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.get(..start).unwrap_or_default();
        let line = before.matches('\n').count().saturating_add(1);
        let column = before.rsplit('\n').next().unwrap_or_default();
        let place = place(line, column.chars().count().saturating_add(1));
        // The reader's own words, which quote nothing.
        let remedy = match error.message() {
            "duplicate key" => "this name is here twice".to_owned(),
            words => format!("this is no TOML: {words}"),
        };
        found.add(&place, &remedy);
    }
    let value = members(table.get_ref(), &Path::default(), 0, &mut found);
    found.problems.or(Some(Document(Value::Object(value))))
}

fn members(table: &DeTable<'_>, at: &Path, depth: usize, found: &mut Found) -> Map<String, Value> {
    let members = table.iter().map(|(name, value)| {
        let at = at.member(name.get_ref());
        let name = name.get_ref().to_string();
        (
            name,
            of_toml(value.get_ref(), &at, depth.saturating_add(1), found),
        )
    });
    members.collect()
}

fn of_toml(value: &DeValue<'_>, at: &Path, depth: usize, found: &mut Found) -> Value {
    if depth > DEEPEST {
        found.add(at.as_str(), TOO_DEEP);
        return Value::Null;
    }
    let number = match value {
        DeValue::String(text) => return Value::String(text.to_string()),
        DeValue::Boolean(flag) => return Value::Bool(*flag),
        // The reader of dates has checked it; no setting is a date.
        DeValue::Datetime(date) => return Value::String(date.to_string()),
        DeValue::Array(items) => {
            let items = items.iter().enumerate().map(|(index, item)| {
                of_toml(
                    item.get_ref(),
                    &at.item(index),
                    depth.saturating_add(1),
                    found,
                )
            });
            return Value::Array(items.collect());
        }
        DeValue::Table(table) => return Value::Object(members(table, at, depth, found)),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            parsed.ok().map(Number::from)
        }
        DeValue::Float(number) => number.as_str().parse().ok().and_then(Number::from_f64),
    };
    number.map_or_else(
        || {
            found.add(at.as_str(), NO_NUMBER);
            Value::Null
        },
        Value::Number,
    )
}

const TOO_DEEP: &str = "this is nested too deep for a configuration";
const NO_NUMBER: &str = "this is no number of a configuration";

/// Reads with serde; a mistake of the language ends it, what the tree finds does not.
fn read(
    text: &str,
    parse: impl FnOnce(&mut Found) -> Result<Value, (usize, usize, &'static str)>,
) -> Result<Document, ConfigError> {
    check_length(text)?;
    let mut found = Found::new();
    let value = match parse(&mut found) {
        Ok(value) => Some(Document(value)),
        Err((line, column, remedy)) => {
            found.add(&place(line, column), remedy);
            None
        }
    };
    found.problems.or(value)
}

fn check_length(text: &str) -> Result<(), ConfigError> {
    let mut problems = Problems::default();
    if text.len() > LONGEST {
        let length = format!("{} bytes", text.len());
        problems.add("the text", length, "use at most 4 MiB");
    }
    problems.or(Some(()))
}

fn place(line: usize, column: usize) -> String {
    format!("line {line}, column {column}")
}
