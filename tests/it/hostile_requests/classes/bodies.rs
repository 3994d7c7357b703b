//! Bodies that two readers would read as two messages, and headers that say something else.

use super::request::CALL;

/// Denied to whoever may only read.
pub const DENIED: &str =
    r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"wipe","arguments":{}}}"#;

pub fn bodies() -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add = |what: &str, body: &[u8]| all.push((what.to_owned(), body.to_vec()));
    for (what, body) in [
        ("nothing", ""),
        ("blank", " \n"),
        ("null", "null"),
        ("a number", "7"),
        ("a string", "\"x\""),
        ("an empty batch", "[]"),
        ("an empty object", "{}"),
        ("cut", "{\"jsonrpc\":"),
        ("no version", r#"{"id":1,"method":"tools/list"}"#),
        (
            "version 1",
            r#"{"jsonrpc":"1.0","id":1,"method":"tools/list"}"#,
        ),
        (
            "version as a number",
            r#"{"jsonrpc":2.0,"id":1,"method":"tools/list"}"#,
        ),
        (
            "id null",
            r#"{"jsonrpc":"2.0","id":null,"method":"tools/list"}"#,
        ),
        (
            "id object",
            r#"{"jsonrpc":"2.0","id":{},"method":"tools/list"}"#,
        ),
        (
            "id fraction",
            r#"{"jsonrpc":"2.0","id":1.5,"method":"tools/list"}"#,
        ),
        (
            "id true",
            r#"{"jsonrpc":"2.0","id":true,"method":"tools/list"}"#,
        ),
        ("method null", r#"{"jsonrpc":"2.0","id":1,"method":null}"#),
        (
            "method list",
            r#"{"jsonrpc":"2.0","id":1,"method":["tools/list"]}"#,
        ),
        (
            "params list",
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["getIssue"]}"#,
        ),
        (
            "params text",
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":"getIssue"}"#,
        ),
        (
            "no name",
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#,
        ),
        (
            "name null",
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":null}}"#,
        ),
        (
            "name list",
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["getIssue"]}}"#,
        ),
        (
            "arguments list",
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getIssue","arguments":[]}}"#,
        ),
        (
            "request and response",
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","result":{}}"#,
        ),
        (
            "result and error",
            r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
        ),
        ("single quotes", "{'jsonrpc':'2.0'}"),
        (
            "comment",
            "{\"jsonrpc\":\"2.0\",/*x*/\"id\":1,\"method\":\"tools/list\"}",
        ),
        (
            "trailing comma",
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list",}"#,
        ),
        ("NaN", r#"{"jsonrpc":"2.0","id":NaN,"method":"tools/list"}"#),
        ("plus", r#"{"jsonrpc":"2.0","id":+1,"method":"tools/list"}"#),
        ("hex", r#"{"jsonrpc":"2.0","id":0x1,"method":"tools/list"}"#),
        (
            "huge id",
            r#"{"jsonrpc":"2.0","id":99999999999999999999999,"method":"tools/list"}"#,
        ),
        ("form", "jsonrpc=2.0&method=tools/call"),
        ("xml", "<x/>"),
        (
            "control",
            "{\"jsonrpc\":\"2.0\",\"id\":\"\u{1}\",\"method\":\"tools/list\"}",
        ),
    ] {
        add(what, body.as_bytes());
    }
    for (what, body) in [
        ("denied", DENIED.to_owned()),
        ("batch of one", format!("[{CALL}]")),
        ("batch", format!("[{CALL},{DENIED}]")),
        ("two values", format!("{CALL}{DENIED}")),
        ("two lines", format!("{CALL}\n{DENIED}")),
        ("mark", format!("\u{feff}{CALL}")),
        ("then NUL", format!("{CALL}\0")),
        ("then a comma", format!("{CALL},")),
        ("NUL first", format!("\0{CALL}")),
        ("xssi", format!(")]}}',\n{CALL}")),
        ("record separator", format!("\u{1e}{CALL}")),
    ] {
        add(what, body.as_bytes());
    }
    // The same name twice, in every place and spelling, the allowed one first or last.
    for (place, one, other) in [
        (
            "method",
            r#""method":"tools/list""#,
            r#""method":"admin/x""#,
        ),
        (
            "method",
            r#""method":"tools/list""#,
            r#""m\u0065thod":"admin/x""#,
        ),
        ("id", r#""id":1"#, r#""id":2"#),
        ("jsonrpc", r#""jsonrpc":"2.0""#, r#""jsonrpc":"1.0""#),
        (
            "params",
            r#""params":{"name":"getIssue"}"#,
            r#""params":{"name":"wipe"}"#,
        ),
        (
            "Method",
            r#""method":"tools/list""#,
            r#""Method":"admin/x""#,
        ),
        (
            "METHOD",
            r#""method":"tools/list""#,
            r#""METHOD":"admin/x""#,
        ),
        (
            "Params",
            r#""params":{"name":"getIssue"}"#,
            r#""Params":{"name":"wipe"}"#,
        ),
    ] {
        for (first, second) in [(one, other), (other, one)] {
            let rest =
                r#""jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getIssue"}"#;
            add(
                &format!("{place} doubled by {first}"),
                format!("{{{rest},{first},{second}}}").as_bytes(),
            );
            add(
                &format!("{place} doubled before by {second}"),
                format!("{{{second},{first},{rest}}}").as_bytes(),
            );
        }
    }
    for (one, other) in [
        (r#""name":"getIssue""#, r#""name":"wipe""#),
        (r#""name":"getIssue""#, r#""n\u0061me":"wipe""#),
        (r#""name":"getIssue""#, r#""Name":"wipe""#),
        (r#""name":"getIssue""#, r#""NAME":"wipe""#),
        (r#""name":"getIssue","arguments":{"a":1"#, r#""a":2}"#),
        (r#""name":"getIssue","arguments":{"a":{"b":1"#, r#""b":2}}"#),
        (r#""name":"getIssue","_meta":{"a":1"#, r#""\u0061":2}"#),
        (
            r#""name":"getIssue","arguments":{}"#,
            r#""arguments":{"x":1}"#,
        ),
        (
            r#""name":"getIssue","arguments":{}"#,
            r#""Arguments":{"x":1}"#,
        ),
    ] {
        add(
            &format!("{one} and {other}"),
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{{one},{other}}}}}"#
            )
            .as_bytes(),
        );
        if !one.contains('{') {
            add(
                &format!("{other} and {one}"),
                format!(
                    r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{{other},{one}}}}}"#
                )
                .as_bytes(),
            );
        }
    }
    for depth in [65, 100, 1000, 20_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let nested = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            add(&format!("{depth} of {open}"), format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"getIssue","arguments":{{"a":{nested}}}}}}}"#).as_bytes());
            add(
                &format!("{depth} of {open}, never closed"),
                open.repeat(depth).as_bytes(),
            );
        }
    }
    for bytes in [
        &b"\xff"[..],
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\x80",
        b"\xc3",
    ] {
        let text = br#"{"jsonrpc":"2.0","id":"@","method":"tools/list"}"#;
        let at = text.iter().position(|byte| *byte == b'@').unwrap();
        add(
            &format!("{bytes:?} in a string"),
            &[&text[..at], bytes, &text[at + 1..]].concat(),
        );
    }
    for escape in [
        "\\ud800",
        "\\udc00",
        "\\ud800\\u0041",
        "\\x41",
        "\\u00",
        "\\u{41}",
        "\\0",
        "\\'",
    ] {
        add(&format!("escape {escape}"), format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"getIssue","arguments":{{"a":"{escape}"}}}}}}"#).as_bytes());
    }
    all.push((
        "UTF-16".into(),
        CALL.encode_utf16().flat_map(u16::to_le_bytes).collect(),
    ));
    all.push((
        "UTF-32".into(),
        CALL.chars()
            .flat_map(|letter| u32::from(letter).to_be_bytes())
            .collect(),
    ));
    all.push(("gzip".into(), b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec()));
    all
}
