//! The declaration as a JSON Schema (draft 2020-12), for editors and checks before a deployment.

use serde_json::{Map, Value, json};

use super::shape::{Member, Shape, Table};

pub(super) fn schema(shape: &Shape) -> Value {
    let mut schema = of(shape);
    if let Value::Object(members) = &mut schema {
        let head = [
            (
                "$schema",
                json!("https://json-schema.org/draft/2020-12/schema"),
            ),
            ("title", json!("tower-mcp-auth")),
        ];
        members.extend(head.map(|(name, value)| (name.to_owned(), value)));
        // For editors that find the schema by a line in the file.
        if let Some(Value::Object(properties)) = members.get_mut("properties") {
            properties.insert("$schema".into(), json!({ "type": "string" }));
        }
    }
    schema
}

fn of(shape: &Shape) -> Value {
    match shape {
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Whole { least, most } => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Shape::Span { .. } => {
            json!({ "type": "string", "pattern": "^[0-9]+ *(s|m|h|d)$", "description": shape.to_words() })
        }
        Shape::Size { least, most } => json!({ "oneOf": [
            { "type": "integer", "minimum": least, "maximum": most },
            { "type": "string", "pattern": "^[0-9]+ *(B|KiB|MiB|GiB)$" },
        ] }),
        Shape::Text => json!({ "type": "string", "minLength": 1 }),
        Shape::Url => json!({ "type": "string", "minLength": 1, "format": "uri" }),
        Shape::Words(words) => json!({ "enum": words }),
        Shape::Secret => secret(),
        Shape::List(item) => json!({ "type": "array", "items": of(item) }),
        Shape::Table(table) => of_table(table),
        Shape::Map(inner) => json!({ "type": "object", "additionalProperties": of(inner) }),
        Shape::Free => json!({}),
        Shape::Either(shapes) => json!({ "anyOf": shapes.iter().map(of).collect::<Vec<_>>() }),
    }
}

fn secret() -> Value {
    let place = |name: &str| {
        json!({
            "type": "object",
            "properties": { name: { "type": "string", "minLength": 1 } },
            "required": [name],
            "additionalProperties": false,
        })
    };
    json!({ "anyOf": [place("file"), place("env"), { "type": "string", "minLength": 1 }] })
}

fn of_table(table: &Table) -> Value {
    let properties: Map<String, Value> = table
        .members
        .iter()
        .map(|member| (member.name.to_owned(), of_member(member)))
        .collect();
    let required: Vec<_> = table
        .members
        .iter()
        .filter(|member| member.is_required)
        .map(|member| member.name)
        .collect();
    let mut schema = json!({
        "type": "object",
        "description": table.about,
        "properties": properties,
        "additionalProperties": false,
    });
    if let Value::Object(members) = &mut schema
        && !required.is_empty()
    {
        members.insert("required".into(), json!(required));
    }
    schema
}

fn of_member(member: &Member) -> Value {
    let mut schema = of(&member.shape);
    if let Value::Object(members) = &mut schema {
        let bounds = members.get("description").and_then(Value::as_str);
        let about = match bounds {
            Some(bounds) if matches!(member.shape, Shape::Span { .. }) => {
                format!("{} ({bounds})", member.about)
            }
            _ => member.about.clone(),
        };
        members.insert("description".into(), json!(about));
        if let Some(default) = &member.default {
            members.insert("default".into(), default.clone());
        }
    }
    schema
}
