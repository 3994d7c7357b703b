//! Variables over a file: `MCP_AUTH__ISSUERS__0__PROFILE` is `issuers[0].profile`.

use std::path::Path as FilePath;

use serde_json::{Map, Value};

use super::parse::{self, Document};
use super::read::Path;
use super::secret::read_file;
use super::shape::{Shape, Table};
use super::suggest::nearest;

/// Puts one variable in its place.
///
/// # Errors
///
/// What is wrong with its name or its value, without the value.
pub(super) fn overlay(
    shape: &Shape,
    document: &mut Value,
    name: &str,
    text: &str,
) -> Result<Path, String> {
    let steps: Vec<&str> = name.split("__").collect();
    // On a copy, so that a variable without a place leaves no trace on the way to it.
    let mut copy = Document(document.clone());
    let at = place(shape, &mut copy.0, &Path::default(), &steps, text)?;
    std::mem::swap(document, &mut copy.0);
    Ok(at)
}

/// The order in which variables are placed: by name, with numbers by size, so that lists grow at their end.
pub(super) fn order(name: &str) -> Vec<(u64, String)> {
    let steps = name.split("__");
    steps
        .map(|step| (step.parse().unwrap_or(u64::MAX), step.to_owned()))
        .collect()
}

fn place(
    shape: &Shape,
    value: &mut Value,
    at: &Path,
    steps: &[&str],
    text: &str,
) -> Result<Path, String> {
    let Some((step, rest)) = steps.split_first() else {
        *value = leaf(shape, text)?;
        return Ok(at.clone());
    };
    match shape {
        Shape::Table(table) => in_table(table, value, at, (step, rest), text),
        Shape::Map(inner) => {
            let inner_value = object(value)?.entry(*step).or_insert(Value::Null);
            place(inner, inner_value, &at.member(step), rest, text)
        }
        Shape::List(item) => {
            let (index, item_value) = at_index(value, step)?;
            place(item, item_value, &at.item(index), rest, text)
        }
        Shape::Secret if rest.is_empty() && ["FILE", "ENV"].contains(step) => {
            *value = serde_json::json!({ step.to_ascii_lowercase(): text });
            Ok(at.clone())
        }
        Shape::Either(shapes) => {
            let is_number = step.bytes().all(|byte| byte.is_ascii_digit());
            let fits = |shape: &&Shape| match shape {
                Shape::List(_) => is_number,
                Shape::Table(_) | Shape::Map(_) => !is_number,
                _ => false,
            };
            let inner = shapes.iter().find(fits).ok_or(ENDS)?;
            place(inner, value, at, steps, text)
        }
        _ => Err(ENDS.into()),
    }
}

const ENDS: &str = "there is nothing below this setting; drop what follows the last `__`";

fn in_table(
    table: &Table,
    value: &mut Value,
    at: &Path,
    (step, rest): (&str, &[&str]),
    text: &str,
) -> Result<Path, String> {
    let lower = step.to_ascii_lowercase();
    let find = |name: &str| table.members.iter().find(|member| member.name == name);
    if let Some(member) = find(&lower) {
        let inner = object(value)?.entry(member.name).or_insert(Value::Null);
        return place(&member.shape, inner, &at.member(member.name), rest, text);
    }
    let file_of = lower.strip_suffix("_file").filter(|_| rest.is_empty());
    if let Some(member) = file_of.and_then(find) {
        let content = if matches!(member.shape, Shape::Secret) {
            serde_json::json!({ "file": text })
        } else {
            let content = read_file(FilePath::new(text));
            let content = content.map_err(|problem| format!("the file it names {problem}"))?;
            leaf(&member.shape, content.expose())?
        };
        object(value)?.insert(member.name.to_owned(), content);
        return Ok(at.member(member.name));
    }
    let names = table.members.iter().map(|member| member.name);
    Err(match nearest(&lower, names) {
        Some(meant) => format!(
            "there is no such setting; did you mean {}?",
            meant.to_uppercase()
        ),
        None => "there is no such setting".into(),
    })
}

fn object(value: &mut Value) -> Result<&mut Map<String, Value>, String> {
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    let found = value.as_object_mut();
    found.ok_or_else(|| "the file has something else than a table here".into())
}

fn at_index<'v>(value: &'v mut Value, step: &str) -> Result<(usize, &'v mut Value), String> {
    if value.is_null() {
        *value = Value::Array(Vec::new());
    }
    let items = value.as_array_mut();
    let items = items.ok_or("the file has something else than a list here")?;
    let length = items.len();
    let index = step.parse().ok().filter(|index: &usize| *index <= length);
    let index = index.ok_or_else(|| format!("count from 0; the next free place is {length}"))?;
    if index == length {
        items.push(Value::Null);
    }
    let item = items.get_mut(index).ok_or("there is no such place")?;
    Ok((index, item))
}

/// The value that a text means where a setting of this shape stands. What it cannot be is left to the reader,
/// which says so.
fn leaf(shape: &Shape, text: &str) -> Result<Value, String> {
    let trimmed = text.trim();
    let is_structure = trimmed.starts_with(['[', '{']);
    let number = || trimmed.parse::<u64>().ok().map(Value::from);
    let read = match shape {
        Shape::Flag => trimmed.parse::<bool>().ok().map(Value::Bool),
        Shape::Whole { .. } | Shape::Size { .. } => number(),
        Shape::List(item) if !is_structure => {
            let items = trimmed
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty());
            Some(Value::Array(
                items.map(|one| leaf(item, one)).collect::<Result<_, _>>()?,
            ))
        }
        Shape::List(_) | Shape::Table(_) | Shape::Map(_) | Shape::Either(_) | Shape::Free
            if is_structure =>
        {
            let read = parse::json(trimmed).map_err(|_| "this is no JSON")?;
            Some(read.0.clone())
        }
        Shape::Either(shapes) => {
            let simple = shapes.iter().find(|shape| suits(shape, trimmed));
            simple.map(|shape| leaf(shape, text)).transpose()?
        }
        _ => None,
    };
    Ok(read.unwrap_or_else(|| Value::String(text.to_owned())))
}

/// Whether a text could be of this shape.
fn suits(shape: &Shape, text: &str) -> bool {
    match shape {
        Shape::Words(words) => words.contains(&text),
        Shape::Table(_) | Shape::Map(_) => false,
        Shape::Either(shapes) => shapes.iter().any(|shape| suits(shape, text)),
        _ => true,
    }
}

/// The variables that a document names as the places of secrets.
pub(super) fn named(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().flat_map(named).collect(),
        Value::Object(members) => match members.get("env") {
            Some(Value::String(name)) if members.len() == 1 => vec![name],
            _ => members.values().flat_map(named).collect(),
        },
        _ => Vec::new(),
    }
}
