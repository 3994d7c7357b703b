//! The page and the schema of configurations: written from the declarations, never by hand.

use std::path::Path;

use serde_json::{Value, json};
use tower_mcp_auth::config::Config;

/// What a document has that a schema does not allow, by path: as much of JSON Schema as is used here.
fn refusals(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    let refuse = |is_refused: bool| is_refused.then(|| at.to_owned());
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    for (keyword, wanted) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "type" => found.extend(refuse(wanted != kind)),
            "enum" => found.extend(refuse(!wanted.as_array().unwrap().contains(value))),
            "minimum" => found.extend(refuse(value.as_u64() < wanted.as_u64())),
            "maximum" => found.extend(refuse(value.as_u64() > wanted.as_u64())),
            "minLength" => found.extend(refuse(value.as_str().is_some_and(str::is_empty))),
            "pattern" => {
                let pattern = regex_lite::Regex::new(wanted.as_str().unwrap()).unwrap();
                found.extend(refuse(
                    value.as_str().is_some_and(|text| !pattern.is_match(text)),
                ));
            }
            "anyOf" | "oneOf" => {
                let all = wanted.as_array().unwrap();
                let tried: Vec<_> = all.iter().map(|one| refusals(one, value, at)).collect();
                let good = tried.iter().filter(|refusals| refusals.is_empty()).count();
                let is_good = good == 1 || (good > 1 && keyword == "anyOf");
                if !is_good {
                    // The deepest says most.
                    found.extend(tried.into_iter().flatten().max_by_key(String::len));
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    found.extend(refusals(wanted, item, &format!("{at}[{index}]")));
                }
            }
            "required" => {
                let missing = |name: &&Value| {
                    value.is_object() && value.get(name.as_str().unwrap()).is_none()
                };
                let missing = wanted.as_array().unwrap().iter().filter(missing);
                found.extend(missing.map(|name| format!("{at}.{}", name.as_str().unwrap())));
            }
            "properties"
            | "additionalProperties"
            | "description"
            | "default"
            | "format"
            | "$schema"
            | "title" => {}
            other => panic!("this test knows no {other}"),
        }
    }
    for (name, inner) in value.as_object().into_iter().flatten() {
        let at = format!("{at}.{name}");
        match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => found.push(at),
            (Value::Null, Value::Null | Value::Bool(true)) => {}
            (Value::Null, others) => found.extend(refusals(others, inner, &at)),
            (wanted, _) => found.extend(refusals(wanted, inner, &at)),
        }
    }
    found
}

fn example() -> Value {
    toml::from_str(include_str!("../../examples/config/mcp-auth.toml")).unwrap()
}

#[test]
fn the_schema_takes_the_examples() {
    let schema = Config::json_schema();
    assert_eq!(refusals(&schema, &example(), ""), Vec::<String>::new());
    let page = include_str!("../../docs/configuration.md");
    let mut read = 0;
    for block in page.split("```toml\n").skip(1) {
        let toml = block.split("```").next().unwrap();
        assert_eq!(
            refusals(&schema, &toml::from_str(toml).unwrap(), ""),
            Vec::<String>::new(),
            "{toml}"
        );
        Config::from_toml(toml).unwrap().check().unwrap();
        read += 1;
    }
    assert!(read > 0);
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let good = json!({ "resource": { "identifier": "https://h" }, "issuers": [{ "identifier": "https://a" }] });
    let schema = Config::json_schema();
    assert!(refusals(&schema, &good, "").is_empty());
    for (pointer, name, value, path) in [
        (
            "",
            "insecure_forward_credentials",
            json!(true),
            ".insecure_forward_credentials",
        ),
        ("/resource", "identifier", json!(7), ".resource.identifier"),
        ("/issuers/0", "profil", json!("okta"), ".issuers[0].profil"),
        (
            "/issuers/0",
            "profile",
            json!("keyclock"),
            ".issuers[0].profile",
        ),
        (
            "/issuers/0",
            "algorithms",
            json!(["HS256"]),
            ".issuers[0].algorithms[0]",
        ),
        ("/issuers/0", "leeway", json!("soon"), ".issuers[0].leeway"),
        (
            "/issuers/0",
            "introspection",
            json!({}),
            ".issuers[0].introspection.client_id",
        ),
        (
            "",
            "limits",
            json!({ "verified_token_bytes": "32MB" }),
            ".limits.verified_token_bytes",
        ),
        (
            "",
            "limits",
            json!({ "max_credential_bytes": 7 }),
            ".limits.max_credential_bytes",
        ),
        (
            "",
            "sessions",
            json!({ "key": { "path": "x" } }),
            ".sessions.key.path",
        ),
        (
            "",
            "throttle",
            json!({ "per_address": { "burst": 0, "per_minute": 1 } }),
            ".throttle.per_address.burst",
        ),
        (
            "",
            "tools",
            json!({ "tools": { "x": { "scope": [] } } }),
            ".tools.tools.x.scope",
        ),
    ] {
        let mut bad = good.clone();
        bad.pointer_mut(pointer).unwrap()[name] = value;
        let refused = refusals(&schema, &bad, "");
        assert!(refused.contains(&path.to_owned()), "{path}: {refused:?}");
        Config::from_json(&bad.to_string())
            .unwrap()
            .check()
            .unwrap_err();
    }
}

/// Compares a page with what it should be. With `CONFIG_DOCS=write` in the environment it writes it.
fn assert_current(file: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("CONFIG_DOCS").is_some() {
        std::fs::write(&file, text).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap();
    assert!(
        found == text,
        "{} is out of date; CONFIG_DOCS=write cargo test --all-features --test it config_docs",
        file.display()
    );
}

#[test]
fn the_page_and_the_schema_are_up_to_date() {
    assert_current("docs/configuration.md", &Config::page());
    let schema = serde_json::to_string_pretty(&Config::json_schema()).unwrap();
    assert_current("docs/config.schema.json", &format!("{schema}\n"));
}

#[test]
fn everything_is_described_and_no_secret_is_an_example() {
    fn described(schema: &Value, at: &str) {
        if schema.is_null() {
            return;
        }
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            let at = format!("{at}.{name}");
            if name != "$schema" && name != "file" && name != "env" {
                let about = inner["description"].as_str().unwrap_or_default();
                assert!(about.len() > 8, "{at} has no description");
            }
            described(inner, &at);
        }
        for inner in schema["anyOf"].as_array().into_iter().flatten() {
            described(inner, at);
        }
        for name in ["items", "additionalProperties"] {
            described(&schema[name], &format!("{at}[]"));
        }
    }
    let schema = Config::json_schema();
    described(&schema, "");
    let text = schema.to_string();
    for word in ["\"examples\"", "password=", "BEGIN PRIVATE KEY"] {
        assert!(!text.contains(word), "{word}");
    }
}
