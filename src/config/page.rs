//! The declaration as a page for people: `docs/configuration.md`.

use std::fmt::Write;

use serde_json::Value;

use super::shape::{Member, Shape, Table};

const HEAD: &str = include_str!("page_head.md");

pub(super) fn page(shape: &Shape) -> String {
    let mut page = String::from(HEAD);
    if let Shape::Table(table) = shape {
        section(&mut page, "", table);
    }
    page
}

/// A table, and below it the tables within.
fn section(page: &mut String, path: &str, table: &Table) {
    let title = match path {
        "" => "The whole".to_owned(),
        path => format!("`{path}`"),
    };
    // Writing to a string does not fail, here and below.
    let _ = write!(page, "\n### {title}\n\n{}\n\n", table.about);
    page.push_str("| name | what | default | meaning |\n| --- | --- | --- | --- |\n");
    for member in &table.members {
        row(page, member);
    }
    for member in &table.members {
        within(page, &join(path, member.name), &member.shape);
    }
}

fn within(page: &mut String, path: &str, shape: &Shape) {
    match shape {
        Shape::Table(table) => section(page, path, table),
        Shape::List(item) => within(page, &format!("{path}[]"), item),
        Shape::Map(inner) => within(page, &format!("{path}.NAME"), inner),
        Shape::Either(shapes) => shapes.iter().for_each(|shape| within(page, path, shape)),
        _ => {}
    }
}

fn join(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

fn row(page: &mut String, member: &Member) {
    let default = match &member.default {
        Some(Value::String(text)) => format!("`\"{text}\"`"),
        Some(value) => format!("`{value}`"),
        None if member.is_required => "**needed**".into(),
        None => String::new(),
    };
    let restart = if member.needs_restart {
        " *Restart.*"
    } else {
        ""
    };
    let _ = writeln!(
        page,
        "| `{}` | {} | {} | {}{restart} |",
        member.name,
        cell(&member.shape.to_words()),
        cell(&default),
        cell(&member.about),
    );
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
